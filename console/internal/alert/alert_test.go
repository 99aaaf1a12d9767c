package alert

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// inbox is an inbox under test, with one site.
type inbox struct {
	*Alerts
	t    *testing.T
	s    store.Store
	now  time.Time
	is   Evidence
	told []string
}

func newInbox(t *testing.T) *inbox {
	s, err := badger.Open(badger.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	storetest.AddSite(t, s, "a")
	v := &inbox{t: t, s: s, now: storetest.At}
	v.is.Site.ID = "a"
	v.is.Contact = store.Contact{At: v.now, UpAt: v.now}
	v.start()
	return v
}

func (v *inbox) start() {
	var err error
	v.Alerts, err = New(v.t.Context(), Config{
		Store: v.s, Now: func() time.Time { return v.now }, Evidence: func() []Evidence { return []Evidence{v.is} },
		Tell: func(_ context.Context, a store.Alert, e Event) error {
			v.told = append(v.told, string(e)+" "+string(a.Kind))
			return nil
		},
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// tells returns what was told since the last call.
func (v *inbox) tells() []string {
	v.t.Helper()
	for range 2 {
		if err := v.Judge(v.t.Context()); err != nil {
			v.t.Fatal(err)
		}
	}
	told := v.told
	v.told = nil
	slices.Sort(told)
	return told
}

// applied has the hub tell of alerts, one after the other.
func (v *inbox) applied(all ...fleet.Alert) {
	v.t.Helper()
	var p lane.Applied
	for _, a := range all {
		p.Changes = append(p.Changes, fleet.Change{After: a})
	}
	if err := v.s.UpdateSite(v.t.Context(), "a", func(tx store.SiteTx) error { return v.Applied(tx, p) }); err != nil {
		v.t.Fatal(err)
	}
	if err := v.Changed(v.t.Context(), "a", p); err != nil {
		v.t.Fatal(err)
	}
}

func (v *inbox) hubAlert(kind fleet.AlertKind) fleet.Alert {
	return fleet.Alert{
		ID: fleet.NewUUID[fleet.AlertID](v.now), Kind: kind, Severity: fleet.AlertWarning, SubjectKind: fleet.AlertOfHub, State: fleet.AlertActive,
		Since: v.now, RaisedAt: v.now, Occurrences: 1, UpdatedAt: v.now, Version: 1,
	}
}

func (v *inbox) all() []store.Alert { return v.Open(func(store.Alert) bool { return true }) }

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("differs (-want +got):\n%s", d)
	}
}

func TestAlerts_OfAHubHaveTwoTimesAndAreAcknowledgedForTheShore(t *testing.T) {
	v := newInbox(t)
	a := v.hubAlert("disk_low")
	v.now = v.now.Add(time.Hour)
	v.applied(a)
	all := v.all()
	if len(all) != 1 || !all[0].Since.Equal(storetest.At) || !all[0].ArrivedAt.Equal(v.now) || v.Count("a") != 1 {
		t.Fatalf("inbox has %+v", all)
	}
	same(t, v.tells(), []string{"alert.raised disk_low"})
	same(t, v.tells(), []string(nil))
	by := fleet.Actor{Kind: "user", ID: "vera"}
	got, err := v.Acknowledge(t.Context(), by, "a", a.ID)
	if err != nil || got.State != fleet.AlertActive || got.SeenBy.ID != "vera" {
		t.Fatalf("acknowledged: %+v, %v", got, err)
	}
	again, err := v.Acknowledge(t.Context(), fleet.Actor{Kind: "user", ID: "walter"}, "a", a.ID)
	if err != nil || again.SeenBy.ID != "vera" {
		t.Fatalf("acknowledged again: %+v, %v", again, err)
	}
	v.applied(a.Rectify(v.now))
	same(t, len(v.all()), 0) // gone, and somebody ashore has seen it
	v.applied(a.Rectify(v.now).Recur(v.now, v.now))
	if all := v.all(); len(all) != 1 || all[0].SeenBy != nil {
		t.Fatalf("it came again: %+v", all)
	}
	same(t, v.tells(), []string{"alert.raised disk_low"})
}

func TestAlerts_AfterALongAbsenceOneDigestAndWhatIsStillTrue(t *testing.T) {
	v := newInbox(t)
	away := v.now
	v.now = v.now.Add(2 * time.Hour)
	v.is.Offline = true
	same(t, v.tells(), []string{"alert.raised site_offline"})

	// Two weeks later it is back, with a lane full of what came and went.
	v.now = away.Add(14 * 24 * time.Hour)
	v.is.Offline, v.is.Behind = false, true
	v.is.Contact = store.Contact{At: v.now, UpAt: v.now, AwaySince: away}
	back := v.now
	for day := range 14 {
		v.now = away.Add(time.Duration(day)*24*time.Hour + time.Hour)
		a := v.hubAlert("battery_low")
		v.now = back
		v.applied(a, a.Rectify(a.Since.Add(time.Minute)))
	}
	v.now = away.Add(time.Hour)
	still := v.hubAlert("disk_low")
	v.now = back
	v.applied(still)
	same(t, v.tells(), []string(nil)) // it is still telling
	v.now = v.now.Add(time.Minute)
	v.is.Behind = false
	same(t, v.tells(), []string{"alert.gone site_offline", "alert.raised disk_low", "site.returned site_returned"})
	var digest store.Alert
	for _, a := range v.all() {
		if a.Kind == SiteReturned {
			digest = a
		}
	}
	if digest.Detail["alerts_gone"] != "14" || digest.Detail["alerts_open"] != "1" || digest.Count != 15 {
		t.Fatalf("the digest is %+v", digest)
	}
	same(t, v.tells(), []string(nil))
	v.start() // also after a start
	same(t, v.tells(), []string(nil))
	n := 0
	for _, a := range v.all() {
		if a.Kind == SiteReturned {
			n++
		}
	}
	same(t, n, 1)
}

func TestAlerts_ASiteThatIsExpectedToBeAwayIsNone(t *testing.T) {
	v := newInbox(t)
	v.now = v.now.Add(3 * time.Hour)
	v.is.Offline, v.is.Planned = true, true
	same(t, v.tells(), []string(nil))
	v.is.Planned = false
	v.is.Site.Settings.AwayMinutes = 600
	same(t, v.tells(), []string(nil)) // it may be away for ten hours
	v.now = v.now.Add(8 * time.Hour)
	same(t, v.tells(), []string{"alert.raised site_offline"})
	v.is.Planned = true
	same(t, v.tells(), []string{"alert.gone site_offline"})
}

func TestAlerts_OfTheConsoleFollowTheirConditions(t *testing.T) {
	v := newInbox(t)
	v.is.Contact.Verdict, v.is.Contact.VerdictAt = "fenced", v.now
	v.is.HubNotAfter = v.now.Add(10 * 24 * time.Hour)
	v.is.DeadLetters, v.is.AuditForks = 3, 1
	v.is.Site.Settings.Link, v.is.BytesToday = store.LinkCrisis, 600_000
	same(t, v.tells(), []string{
		"alert.raised audit_forked", "alert.raised hub_certificate_expiring", "alert.raised hub_fenced", "alert.raised link_over_budget", "alert.raised records_refused",
	})
	v.now = v.now.Add(8 * 24 * time.Hour)
	same(t, v.tells(), []string{"alert.raised hub_certificate_expiring"}) // it is critical now
	all := v.all()
	if all[0].Severity != fleet.AlertCritical {
		t.Errorf("the first is %+v", all[0])
	}
	v.is.Contact.Verdict, v.is.HubNotAfter = "ok", v.now.Add(365*24*time.Hour)
	v.is.DeadLetters, v.is.AuditForks, v.is.BytesToday = 0, 0, 0
	v.tells()
	same(t, len(v.all()), 5) // gone, and nobody has seen them
	for _, a := range v.all() {
		if _, err := v.Acknowledge(t.Context(), fleet.System("test"), "a", a.ID); err != nil {
			t.Fatal(err)
		}
	}
	same(t, len(v.all()), 0)
}

func TestAlerts_AnOrderThatCameTooLateStandsUntilItIsSeen(t *testing.T) {
	v := newInbox(t)
	p := lane.Applied{Changes: []fleet.Change{{After: fleet.OrderAnswer{Number: 3, Outcome: fleet.OrderConflict, Detail: "the hub has version 5"}}}}
	if err := v.s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error { return v.Applied(tx, p) }); err != nil {
		t.Fatal(err)
	}
	if err := v.Changed(t.Context(), "a", p); err != nil {
		t.Fatal(err)
	}
	same(t, v.tells(), []string{"alert.raised order_conflict"})
	all := v.all()
	if len(all) != 1 || all[0].Detail["order"] != "3" {
		t.Fatalf("inbox has %+v", all)
	}
	got, err := v.Acknowledge(t.Context(), fleet.System("test"), "a", all[0].ID)
	if err != nil || got.State != fleet.AlertCleared || len(v.all()) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}
