package storetest

import (
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

func newAlert(since time.Time) store.Alert {
	return store.Alert{
		Alert: fleet.Alert{
			ID: fleet.NewUUID[fleet.AlertID](since), Kind: "device-lost", Severity: fleet.AlertWarning, SubjectKind: fleet.AlertOfDevice,
			Subject: "d", State: fleet.AlertActive, Since: since, RaisedAt: since, Occurrences: 1, UpdatedAt: since, Version: 1,
		},
		Origin: store.AlertFromHub, ArrivedAt: since.Add(time.Hour),
	}
}

func alertsIndexed(t *testing.T, s store.Store) {
	put := func(site fleet.SiteID, a store.Alert) store.Alert {
		a.Site = site
		update(t, s, site, func(tx store.SiteTx) error { return tx.PutAlert(a) })
		return a
	}
	open := func() (out []store.Alert) {
		must(t, s.OpenAlerts(t.Context(), func(a store.Alert) bool {
			out = append(out, a)
			return true
		}))
		return out
	}
	before := func(r store.AlertRef) (out []fleet.AlertID) {
		must(t, s.AlertsBefore(t.Context(), r, func(a store.Alert) bool {
			out = append(out, a.ID)
			return true
		}))
		return out
	}
	AddSite(t, s, "a")
	AddSite(t, s, "b")
	one, two, three := put("a", newAlert(At)), put("b", newAlert(At.Add(time.Minute))), put("a", newAlert(At.Add(2*time.Minute)))
	same(t, open(), []store.Alert{one, three, two})
	same(t, before(store.AlertRef{}), []fleet.AlertID{three.ID, two.ID, one.ID})
	same(t, before(three.ArrivalRef()), []fleet.AlertID{two.ID, one.ID})

	// What is gone stays until somebody has seen it, and moves when it comes again.
	one.Alert = one.Rectify(At.Add(time.Hour))
	put("a", one)
	same(t, len(open()), 3)
	one.SeenAt, one.SeenBy = At.Add(2*time.Hour), &somebody
	put("a", one)
	same(t, open(), []store.Alert{three, two})
	one.Alert = one.Recur(At.Add(3*time.Hour), At.Add(3*time.Hour))
	one.ArrivedAt = At.Add(5 * time.Hour)
	put("a", one)
	same(t, before(store.AlertRef{}), []fleet.AlertID{one.ID, three.ID, two.ID})
	view(t, s, "a", func(v store.SiteView) error {
		got, found, err := v.Alert(one.ID)
		must(t, err)
		same(t, found, true)
		same(t, got, one)
		_, found, err = v.Alert(two.ID)
		same(t, found, false)
		must(t, err)
		var ids []fleet.AlertID
		must(t, v.Alerts("", func(a store.Alert) bool {
			ids = append(ids, a.ID)
			return true
		}))
		same(t, ids, []fleet.AlertID{three.ID, one.ID})
		ids = nil
		must(t, v.Alerts(three.ID, func(a store.Alert) bool {
			ids = append(ids, a.ID)
			return true
		}))
		same(t, ids, []fleet.AlertID{one.ID})
		return nil
	})
}
