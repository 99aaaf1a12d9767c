package fleet_test

import (
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

// audit appends n entries of one chain, and returns the state and the records.
func audit(t *testing.T, n int) (*fleettest.Memory, []fleet.Record) {
	t.Helper()
	m := fleettest.NewMemory()
	var records []fleet.Record
	for i := range n {
		head, _, err := fleet.Get[fleet.AuditHead](m, fleet.AuditHeadRef("e"))
		if err != nil {
			t.Fatal(err)
		}
		r := fleet.Record{
			At: time.Date(2026, 5, 1, 12, 0, i, 0, time.UTC), Actor: fleet.System("x"),
			Body: fleet.Audited{
				Chain: "e", N: head.N + 1, Prev: head.Hash, Action: "device.moved", Target: "btn-1",
				Detail: map[string]string{"room": "bridge", "from": "cabin-1"},
			},
		}
		apply(t, m, r)
		records = append(records, r)
	}
	return m, records
}

func apply(t *testing.T, m *fleettest.Memory, r fleet.Record) {
	t.Helper()
	changes, err := fleet.Apply(m, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if err := m.PutEntity(c.After); err != nil {
			t.Fatal(err)
		}
	}
}

func entries(t *testing.T, m *fleettest.Memory, n int, change func(*fleet.AuditEntry)) iter.Seq2[fleet.AuditEntry, error] {
	t.Helper()
	return func(yield func(fleet.AuditEntry, error) bool) {
		for i := range n {
			e, found, err := fleet.Get[fleet.AuditEntry](m, fleet.AuditEntryRef("e", uint64(i+1)))
			if err == nil && !found {
				err = fleet.ErrNotFound
			}
			change(&e)
			if e.N != 0 && !yield(e, err) {
				return
			}
		}
	}
}

func TestAudit_ASecondHistoryIsRefused(t *testing.T) {
	m, records := audit(t, 5)
	for name, change := range map[string]func(*fleet.Audited){
		"another entry in the place of one":     func(a *fleet.Audited) { a.N = 3; a.Target = "btn-2" },
		"one that continues an older one":       func(a *fleet.Audited) { a.N = 6; a.Prev = records[2].Body.(fleet.Audited).Prev },
		"one with a hole before it":             func(a *fleet.Audited) { a.N = 8 },
		"one that continues nothing at all":     func(a *fleet.Audited) { a.N = 6; a.Prev = "" },
		"the first entry once more, but forged": func(a *fleet.Audited) { a.N = 1; a.Prev = strings.Repeat("0", 64) },
	} {
		r := records[4]
		a := r.Body.(fleet.Audited)
		change(&a)
		r.Body = a
		if _, err := fleet.Apply(m, r); !errors.Is(err, fleet.ErrState) || !strings.Contains(err.Error(), "fork") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, r := range records {
		if changes, err := fleet.Apply(m, r); err != nil || len(changes) != 0 {
			t.Errorf("an entry that is known: %v, %v", changes, err)
		}
	}
}

func TestVerifyAudit_SaysWhichEntryWasTamperedWith(t *testing.T) {
	m, _ := audit(t, 6)
	head, err := fleet.VerifyAudit(entries(t, m, 6, func(*fleet.AuditEntry) {}))
	if want, _, _ := fleet.Get[fleet.AuditHead](m, fleet.AuditHeadRef("e")); err != nil || head != want {
		t.Fatalf("%+v, %v", head, err)
	}
	for name, c := range map[string]struct {
		change func(*fleet.AuditEntry)
		says   string
	}{
		"who":      {func(e *fleet.AuditEntry) { e.Actor.Name = "Nobody" }, "entry 4 is not what was written"},
		"when":     {func(e *fleet.AuditEntry) { e.At = e.At.Add(time.Hour) }, "entry 4 is not what was written"},
		"what":     {func(e *fleet.AuditEntry) { e.Detail["room"] = "cabin-7" }, "entry 4 is not what was written"},
		"resealed": {func(e *fleet.AuditEntry) { e.Target = "btn-9"; e.Hash = e.Sum() }, "entry 5 does not continue entry 4"},
		"removed":  {func(e *fleet.AuditEntry) { e.N = 0 }, "entry 5 follows entry 3: entries are missing"},
	} {
		_, err := fleet.VerifyAudit(entries(t, m, 6, func(e *fleet.AuditEntry) {
			if e.N == 4 {
				c.change(e)
			}
		}))
		if !errors.Is(err, fleet.ErrState) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAuditable_NamesWhatAPersonChanged(t *testing.T) {
	m := fleettest.NewMemory()
	d := fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "cabin-1", Profile: "button", Version: 1}
	person := fleet.Actor{Kind: fleet.ActorUser, ID: "u"}
	step := func(body fleet.Body) string {
		r := fleet.Record{Actor: person, Body: body}
		changes, err := fleet.Apply(m, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if err := m.PutEntity(c.After); err != nil {
				t.Fatal(err)
			}
		}
		action, target, _, ok := fleet.Auditable(r, changes)
		if !ok || target == "" {
			return ""
		}
		return action
	}
	device := func(change func(*fleet.Device)) fleet.Body {
		d.Version++
		change(&d)
		return fleet.DeviceChanged{Device: d}
	}
	for _, c := range []struct {
		body fleet.Body
		want string
	}{
		{fleet.DeviceChanged{Device: d}, "device.added"},
		{device(func(d *fleet.Device) { d.Name = "by the bed" }), "device.changed"},
		{device(func(d *fleet.Device) { d.Room = "bridge" }), "device.moved"},
		{device(func(d *fleet.Device) { d.Removed = true }), "device.removed"},
		{device(func(d *fleet.Device) { d.Removed = false }), "device.added"},
		{fleet.RoomChanged{Room: fleet.Room{ID: "bridge", Name: "Bridge", Version: 1}}, "room.added"},
		{fleet.PolicyChanged{Document: fleet.Document{Kind: fleet.DocumentACL, Name: "a", Version: 1, Body: []byte(`{}`)}}, "policy.added"},
		{fleet.EpochOpened{Device: "btn-1", BootID: "b", Cause: "first"}, ""},
	} {
		if got := step(c.body); got != c.want {
			t.Errorf("%T: %q, want %q", c.body, got, c.want)
		}
	}
}
