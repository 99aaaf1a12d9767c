package topic

import (
	"fmt"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// Root is the first level of every topic of the product.
const Root = "obedio"

// system is the third level of the topics that belong to no device. A room
// therefore cannot be called so.
const system = "system"

// Topic is a parsed topic name. The zero value stands for a name outside the
// grammar.
type Topic struct {
	Site fleet.SiteID
	// Room, Type and Device are empty for a system topic.
	Room   fleet.RoomID
	Type   fleet.DeviceType
	Device fleet.DeviceID
	// Action is what follows the base topic (status, press, cmd/reset,
	// request/<id>), and for a system topic what follows system/.
	Action string
	// System marks obedio/{site}/system/….
	System bool
}

// Parse returns the parts of name, or fleet.ErrInvalid. Every level must be a
// segment (fleet.ValidSegment); the type may be one that a site has configured.
func Parse(name string) (Topic, error) {
	if len(name) > MaxBytes {
		return Topic{}, fmt.Errorf("%w: topic of %d bytes: want at most %d", fleet.ErrInvalid, len(name), MaxBytes)
	}
	root, rest, _ := strings.Cut(name, "/")
	site, rest, _ := strings.Cut(rest, "/")
	third, rest, _ := strings.Cut(rest, "/")
	if root != Root || !fleet.ValidSegment(site) || !fleet.ValidSegment(third) {
		return Topic{}, fmt.Errorf("%w: topic %q: want obedio/{site}/{room}/{type}/{device_id}/{action} or obedio/{site}/system/…", fleet.ErrInvalid, name)
	}
	if third == system {
		if !validAction(rest, 3) {
			return Topic{}, fmt.Errorf("%w: topic %q: want a name of segments after system", fleet.ErrInvalid, name)
		}
		return Topic{Site: fleet.SiteID(site), Action: rest, System: true}, nil
	}
	kind, rest, _ := strings.Cut(rest, "/")
	device, action, _ := strings.Cut(rest, "/")
	if !fleet.ValidSegment(kind) || !fleet.ValidSegment(device) || !validAction(action, 5) {
		return Topic{}, fmt.Errorf("%w: topic %q: want obedio/{site}/{room}/{type}/{device_id}/{action}", fleet.ErrInvalid, name)
	}
	return Topic{
		Site: fleet.SiteID(site), Room: fleet.RoomID(third), Type: fleet.DeviceType(kind),
		Device: fleet.DeviceID(device), Action: action,
	}, nil
}

// validAction reports whether s is one or more segments that, after the given
// number of levels, still make a topic of at most MaxLevels.
func validAction(s string, levels int) bool {
	for more := true; more; {
		var level string
		level, s, more = strings.Cut(s, "/")
		levels++
		if !fleet.ValidSegment(level) || levels > MaxLevels {
			return false
		}
	}
	return true
}

// IsZero reports whether t stands for a name outside the grammar.
func (t Topic) IsZero() bool { return t.Action == "" } // every topic of the grammar has one

// Base is the topic that every topic of the device begins with, without a
// slash at its end; empty for a system topic.
func (t Topic) Base() string {
	if t.System || t.IsZero() {
		return ""
	}
	return Base(t.Site, t.Room, t.Type, t.Device)
}

// String is the topic's name.
func (t Topic) String() string {
	switch {
	case t.IsZero():
		return ""
	case t.System:
		return System(t.Site, t.Action)
	default:
		return t.Base() + "/" + t.Action
	}
}

// Of reports whether the topic is one of the device's own, in the device's own
// place.
func (t Topic) Of(site fleet.SiteID, d fleet.Device) bool {
	return !t.System && d.ID != "" && t.Site == site && t.Room == d.Room && t.Type == d.Type && t.Device == d.ID
}

// Command returns the name in cmd/{name}, and whether the topic is of that
// form.
func (t Topic) Command() (name string, ok bool) { return t.after("cmd/") }

// Request returns the id in request/{request_id}, and whether the topic is of
// that form. The id is one level, not yet parsed.
func (t Topic) Request() (id string, ok bool) { return t.after("request/") }

func (t Topic) after(prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(t.Action, prefix)
	if !ok || t.System || strings.Contains(rest, "/") {
		return "", false
	}
	return rest, true
}
