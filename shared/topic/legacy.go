package topic

import (
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// legacyRoots are what a device's old topics begin with, before its id.
var legacyRoots = []string{Root + "/device/", Root + "/button/"}

// Legacy translates between the topics that old firmware knows,
// obedio/device/{id}/{action} and obedio/button/{id}/{action}, and a device's
// own standard topics. {id} is the device's id or its legacy_device_id. It is a
// value without state: what the client has subscribed to is told to it.
type Legacy struct {
	base string
	ids  [2]string
}

// LegacyOf returns the translation for one device. The zero Legacy, which
// translates nothing, is returned for a site that is itself called device or
// button: there the old topics are not to be told from the standard ones.
func LegacyOf(site fleet.SiteID, d fleet.Device) Legacy {
	if d.ID == "" || site == "device" || site == "button" {
		return Legacy{}
	}
	l := Legacy{base: d.BaseTopic(site), ids: [2]string{string(d.ID)}}
	// Anything else, a wildcard for one, could speak for other devices.
	if fleet.ValidSegment(d.LegacyID) {
		l.ids[1] = d.LegacyID
	}
	return l
}

// ToStandard returns the standard form of an old name or filter of the device;
// false for one that is not, which stays as it is. Whether the device may use
// it is decided on the standard form.
func (l Legacy) ToStandard(name string) (string, bool) {
	if prefix, action := l.split(name); prefix != "" {
		return l.base + "/" + action, true
	}
	return name, false
}

// FromStandard returns the name under which the device is to be given a message
// with the standard name: requested is the filter as the device wrote it in its
// SUBSCRIBE, and its old prefix is given back. It is false, and the name stays,
// when requested is not old or name is not the device's own.
func (l Legacy) FromStandard(requested, name string) (string, bool) {
	prefix, _ := l.split(requested)
	if prefix == "" {
		return name, false
	}
	action, ok := strings.CutPrefix(name, l.base+"/")
	if !ok {
		return name, false
	}
	return prefix + action, true
}

// split cuts an old name into what is before its action, with the slash, and
// the action; the prefix is empty for any other name.
func (l Legacy) split(name string) (prefix, action string) {
	if l.base == "" {
		return "", ""
	}
	for _, root := range legacyRoots {
		rest, ok := strings.CutPrefix(name, root)
		if !ok {
			continue
		}
		id, action, _ := strings.Cut(rest, "/")
		if action != "" && id != "" && (id == l.ids[0] || id == l.ids[1]) {
			return name[:len(root)+len(id)+1], action
		}
	}
	return "", ""
}
