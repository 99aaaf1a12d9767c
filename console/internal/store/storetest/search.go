package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// found names what a search comes to, page by page.
func found(t *testing.T, s store.Store, q store.DeviceQuery) (names []string, pages int) {
	t.Helper()
	if q.Match == nil {
		q.Match = func(store.FoundDevice) bool { return true }
	}
	at := store.DevicePlace{}
	for {
		page, err := s.SearchDevices(t.Context(), q, at)
		must(t, err)
		if len(page.Devices) > q.Limit || page.Scanned > q.Scan {
			t.Fatalf("a page has %d devices of %d that were looked at; the limits are %d and %d", len(page.Devices), page.Scanned, q.Limit, q.Scan)
		}
		for _, d := range page.Devices {
			names = append(names, fmt.Sprint(d.Site, "/", d.Device.ID))
		}
		if pages++; page.Next == nil {
			return names, pages
		}
		at = *page.Next
	}
}

func word(v string) store.DeviceCondition {
	return store.DeviceCondition{Field: store.TermWord, Ranges: []store.TermRange{store.Beginning(v)}}
}

func is(f store.TermField, v ...string) store.DeviceCondition {
	c := store.DeviceCondition{Field: f}
	for _, x := range v {
		c.Ranges = append(c.Ranges, store.Exactly(x))
	}
	return c
}

func searchFleet(t *testing.T, s store.Store) {
	for _, site := range []fleet.SiteID{"a", "a-1", "b"} {
		AddSite(t, s, site)
		update(t, s, site, func(tx store.SiteTx) error {
			for i := range 10 {
				d := device(fleet.DeviceID(fmt.Sprintf("button-%03d", i)), 1)
				d.Room = fleet.RoomID(fmt.Sprint("cabin-", i%2+1))
				if i == 3 {
					d.Name, d.Tags = "Owner's bedside Button", []string{"Spare", "deck 2"}
				}
				if err := tx.PutEntity(d); err != nil {
					return err
				}
				if i == 9 {
					continue // never seen
				}
				charge := 10 * i
				v := fleet.DeviceState{ID: d.ID, Presence: fleet.Ready, Battery: &charge, Firmware: "1.0", Version: uint64(i)}
				if i == 5 {
					v.Presence, v.Firmware = fleet.Lost, "1.1-RC"
				}
				if err := tx.PutState(v, At.UnixMilli()); err != nil {
					return err
				}
			}
			return tx.PutEntity(fleet.Room{ID: "cabin-1", Name: "Owner", Version: 1})
		})
	}
}

func searchFinds(t *testing.T, s store.Store) {
	searchFleet(t, s)
	all := func(id string) []string { return []string{"a/" + id, "a-1/" + id, "b/" + id} }
	for name, c := range map[string]struct {
		by   []store.DeviceCondition
		want []string
	}{
		"an id":             {[]store.DeviceCondition{word("button-004")}, all("button-004")},
		"a word of an id":   {[]store.DeviceCondition{word("007")}, all("button-007")},
		"a word of a name":  {[]store.DeviceCondition{word("BEDSIDE b")}, all("button-003")},
		"a tag":             {[]store.DeviceCondition{is(store.TermTag, "spare")}, all("button-003")},
		"a state":           {[]store.DeviceCondition{is(store.TermState, "lost")}, all("button-005")},
		"states":            {[]store.DeviceCondition{is(store.TermState, "never_seen", "lost", "late")}, slices.Concat(all("button-005"), all("button-009"))},
		"firmware":          {[]store.DeviceCondition{is(store.TermFirmware, "1.1-rc")}, all("button-005")},
		"low battery":       {[]store.DeviceCondition{{Field: store.TermBattery, Ranges: []store.TermRange{{From: store.BatteryTerm(0), To: store.BatteryTerm(20)}}}}, slices.Concat(all("button-000"), all("button-001"))},
		"nothing":           {[]store.DeviceCondition{word("watch")}, nil},
		"the least of many": {[]store.DeviceCondition{word("button"), is(store.TermState, "lost"), word("cabin")}, all("button-005")},
	} {
		for _, limit := range []int{1, 2, 100} {
			q := store.DeviceQuery{Conditions: c.by, Limit: limit, Scan: 1000}
			got, pages := found(t, s, q)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, %d a page: %v, want %v", name, limit, got, c.want)
			}
			if limit == 100 && pages != 1 {
				t.Errorf("%s takes %d pages", name, pages)
			}
		}
	}
	// A room is found by what people call it, also when that changes; a room of the
	// same id on another site is another.
	by := func(name string) []string {
		c := word(name)
		c.Rooms = true
		got, _ := found(t, s, store.DeviceQuery{Conditions: []store.DeviceCondition{c}, Limit: 2, Scan: 1000, Match: func(d store.FoundDevice) bool {
			return slices.ContainsFunc(d.Words(), func(w string) bool { return strings.HasPrefix(w, name) })
		}})
		return got
	}
	same(t, len(by("owner")), 18) // three devices have it in their own name, in the other room
	update(t, s, "b", func(tx store.SiteTx) error {
		return tx.PutEntity(fleet.Room{ID: "cabin-1", Name: "Sun deck", Version: 2})
	})
	same(t, []int{len(by("owner")), len(by("deck"))}, []int{13, 5})
	update(t, s, "b", func(tx store.SiteTx) error {
		return tx.PutEntity(fleet.Room{ID: "cabin-1", Name: "Sun deck", Version: 3, Removed: true})
	})
	same(t, len(by("sun")), 0)
	// Two conditions on one field: the pages follow the one that leads.
	two := store.DeviceQuery{Conditions: []store.DeviceCondition{word("button"), word("cabin-1")}, Limit: 4, Scan: 1000, Match: func(d store.FoundDevice) bool {
		return d.Device.Room == "cabin-1"
	}}
	got, _ := found(t, s, two)
	same(t, len(got), 15)
	page, err := s.SearchDevices(t.Context(), store.DeviceQuery{
		Conditions: []store.DeviceCondition{word("button-000")}, Limit: 1, Scan: 10, Match: func(store.FoundDevice) bool { return true },
	}, store.DevicePlace{})
	must(t, err)
	d := page.Devices[0]
	same(t, []any{d.Site, d.RoomName, d.State.AsOf, *d.State.Battery}, []any{fleet.SiteID("a"), "Owner", At, 0})
	_, err = s.SearchDevices(t.Context(), store.DeviceQuery{Conditions: []store.DeviceCondition{is(store.TermTag, "x")}, Limit: 1, Scan: 1}, *page.Next)
	want(t, err, fleet.ErrInvalid)
}

// What no term picks out is looked for site by site, and how far is said.
func searchLooks(t *testing.T, s store.Store) {
	searchFleet(t, s)
	every := func(d store.FoundDevice) bool { return strings.HasSuffix(string(d.Device.ID), "8") }
	for _, c := range []struct {
		q     store.DeviceQuery
		want  []string
		pages int
	}{
		{store.DeviceQuery{Limit: 100, Scan: 1000}, []string{"a/button-008", "a-1/button-008", "b/button-008"}, 1},
		{store.DeviceQuery{Limit: 1, Scan: 1000}, []string{"a/button-008", "a-1/button-008", "b/button-008"}, 4},
		{store.DeviceQuery{Limit: 100, Scan: 7}, []string{"a/button-008", "a-1/button-008", "b/button-008"}, 5},
		{store.DeviceQuery{Limit: 100, Scan: 30, Sites: []fleet.SiteID{"a-1", "c"}}, []string{"a-1/button-008"}, 1},
		{store.DeviceQuery{Limit: 100, Scan: 30, Sites: []fleet.SiteID{}}, nil, 1},
		{store.DeviceQuery{Limit: 100, Scan: 7, Sites: []fleet.SiteID{"a", "b"}}, []string{"a/button-008", "b/button-008"}, 3},
		// A term leads, and the sites are picked out of what it finds.
		{store.DeviceQuery{Limit: 100, Scan: 100, Sites: []fleet.SiteID{"b"}, Conditions: []store.DeviceCondition{word("008")}}, []string{"b/button-008"}, 1},
	} {
		c.q.Match = every
		got, pages := found(t, s, c.q)
		if !slices.Equal(got, c.want) || pages > c.pages+1 {
			t.Errorf("%+v: %v in %d pages, want %v in about %d", c.q, got, pages, c.want, c.pages)
		}
	}
}

// The index follows what happens, and is as what happened failed.
func searchFollows(t *testing.T, s store.Store) {
	searchFleet(t, s)
	state := func(presence fleet.Presence, battery *int) {
		update(t, s, "a", func(tx store.SiteTx) error {
			return tx.PutState(fleet.DeviceState{ID: "button-005", Presence: presence, Battery: battery, Version: 9}, 0)
		})
	}
	one := func(c store.DeviceCondition) string {
		got, _ := found(t, s, store.DeviceQuery{Conditions: []store.DeviceCondition{c}, Sites: []fleet.SiteID{"a"}, Limit: 10, Scan: 100})
		return strings.Join(got, " ")
	}
	lost, low := is(store.TermState, "lost"), store.DeviceCondition{Field: store.TermBattery, Ranges: []store.TermRange{{From: store.BatteryTerm(3), To: store.BatteryTerm(5)}}}
	seven, four := 7, 4
	state(fleet.Lost, &seven)
	same(t, []string{one(lost), one(low)}, []string{"a/button-005", ""})
	state(fleet.Ready, &four)
	same(t, []string{one(lost), one(low)}, []string{"", "a/button-005"})
	want(t, s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		return errors.Join(tx.PutState(fleet.DeviceState{ID: "button-005", Presence: fleet.Lost, Version: 10}, 0), errBoom)
	}), errBoom)
	same(t, one(lost), "")
	// A device that moves, in one transaction with its state; then it is removed,
	// and comes back.
	d := device("button-005", 2)
	d.Room = "bridge"
	update(t, s, "a", func(tx store.SiteTx) error {
		return errors.Join(tx.PutEntity(d), tx.PutState(fleet.DeviceState{ID: "button-005", Presence: fleet.Lost, Version: 11}, 0))
	})
	same(t, []string{one(word("bridge")), one(lost)}, []string{"a/button-005", "a/button-005"})
	d.Removed, d.Version = true, 3
	update(t, s, "a", func(tx store.SiteTx) error { return tx.PutEntity(d) })
	same(t, []string{one(word("bridge")), one(word("button-005")), one(lost)}, []string{"", "", ""})
	d.Removed, d.Version, d.Room = false, 4, "cabin-2"
	update(t, s, "a", func(tx store.SiteTx) error { return tx.PutEntity(d) })
	same(t, []string{one(word("bridge")), one(word("button-005")), one(lost)}, []string{"", "a/button-005", "a/button-005"})
	// A state of a device that is not registered is no device.
	update(t, s, "a", func(tx store.SiteTx) error {
		return tx.PutState(fleet.DeviceState{ID: "ghost", Presence: fleet.Lost, Version: 12}, 0)
	})
	same(t, one(lost), "a/button-005")
}
