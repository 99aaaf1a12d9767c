package fleetview

import (
	"strconv"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest/filter"
)

// SiteFields are what a filter of sites may name.
func SiteFields() filter.Fields {
	f := filter.Fields{}
	for _, name := range []string{"site", "id", "name", "link", "state", "hub", "version", "reason", "tag", "zone", "profile", "template", "verdict", "planned"} {
		f[name] = filter.Text
	}
	for _, name := range []string{
		"attention", "devices", "ready", "late", "lost", "open", "emergency", "pending", "orders", "backlog", "alerts", "letters",
		"bytes", "age",
	} {
		f[name] = filter.Number
	}
	return f
}

// AssignFields are those of SiteFields by which policy is assigned: what people
// say of a site, and nothing that comes and goes by itself.
func AssignFields() filter.Fields {
	f := filter.Fields{}
	for _, name := range []string{"site", "id", "name", "tag", "zone", "profile", "template"} {
		f[name] = filter.Text
	}
	return f
}

// Field returns the values of a field of SiteFields; for "" the texts in which
// words are looked for. age is that of the newest data, in seconds.
func (r Row) Field(name string) []string {
	number := func(n int) []string { return []string{strconv.Itoa(n)} }
	text := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	switch name {
	case "":
		return append([]string{string(r.Site.ID), r.Site.Name}, r.Site.Settings.Tags...)
	case "site", "id":
		return text(string(r.Site.ID))
	case "name":
		return text(r.Site.Name)
	case "link", "state":
		return text(string(r.Link))
	case "hub":
		return text(string(r.Site.Hub))
	case "version":
		return text(r.Contact.Version)
	case "verdict":
		return text(r.Contact.Verdict)
	case "reason":
		return r.Reasons
	case "tag":
		return r.Site.Settings.Tags
	case "zone":
		return text(r.Site.Settings.Zone)
	case "profile":
		return text(string(r.Site.Settings.Link))
	case "template":
		return text(r.Site.Settings.Template)
	case "planned":
		return text(strconv.FormatBool(!r.PlannedUntil.IsZero()))
	case "attention":
		return number(r.Attention)
	case "devices":
		return number(r.Counts.AllDevices())
	case "ready":
		return number(r.Counts.Devices[fleet.Ready])
	case "late":
		return number(r.Counts.Devices[fleet.Late])
	case "lost":
		return number(r.Counts.Devices[fleet.Lost])
	case "open":
		return number(r.Counts.Open)
	case "emergency":
		return number(r.Counts.Emergency)
	case "pending", "orders":
		return number(r.Counts.OrdersPending)
	case "letters":
		return number(r.Counts.DeadLetters)
	case "alerts":
		return number(r.Alerts)
	case "bytes":
		return text(strconv.FormatUint(r.BytesToday, 10))
	case "backlog":
		if r.Contact.Heads == nil {
			return nil // not known
		}
		return text(strconv.FormatUint(r.Waiting(), 10))
	case "age":
		if r.Contact.DataAsOf.IsZero() {
			return nil
		}
		return number(int(r.At.Sub(r.Contact.DataAsOf).Seconds()))
	}
	return nil
}

// Waiting is the sum of the backlog.
func (r Row) Waiting() uint64 {
	var n uint64
	for _, m := range r.Backlog {
		n += m
	}
	return n
}

// DeviceFields are what a filter of devices may name.
func DeviceFields() filter.Fields {
	f := filter.Fields{}
	for _, name := range resource.DeviceFields() {
		f[name] = filter.Text
	}
	f["battery"], f["signal"] = filter.Number, filter.Number
	return f
}

// MatchDevices reads a filter of devices and returns what finds those of a site
// that it matches. fleet.ErrInvalid.
func MatchDevices(text string) (func(store.SiteView) ([]fleet.DeviceID, error), error) {
	q, err := filter.Parse(text, DeviceFields())
	if err != nil {
		return nil, err
	}
	return func(v store.SiteView) ([]fleet.DeviceID, error) {
		names := map[fleet.RoomID]string{}
		err := v.Rooms(func(r fleet.Room) bool {
			names[r.ID] = r.Name
			return true
		})
		if err != nil {
			return nil, err
		}
		ids := []fleet.DeviceID{} // not nil: none is meant, not all
		var failed error
		err = v.Devices("", func(d fleet.Device) bool {
			if q.Empty() {
				ids = append(ids, d.ID)
				return true
			}
			var row store.StateRow
			if row, _, failed = v.State(d.ID); failed != nil {
				return false
			}
			if shown := resource.DeviceOf(v.Site().ID, d, names[d.Room], row.DeviceState); q.Match(shown.Field) {
				ids = append(ids, d.ID)
			}
			return true
		})
		if err == nil {
			err = failed
		}
		return ids, err
	}, nil
}
