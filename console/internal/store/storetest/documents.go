package storetest

import (
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var somebody = fleet.System("test")

func document(name, body string) store.Document {
	return store.Document{Kind: store.DocumentView, Name: name, Body: []byte(body)}
}

func documentsVersioned(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Document(ctx, store.DocumentView, "a")
	want(t, err, fleet.ErrNotFound)
	_, err = s.PutDocument(ctx, somebody, document("a", `1`), 3)
	want(t, err, fleet.ErrNotFound)
	first, err := s.PutDocument(ctx, somebody, document("a", `1`), 0)
	must(t, err)
	same(t, first.Version, uint64(1))
	same(t, first.UpdatedBy, somebody)
	_, err = s.PutDocument(ctx, somebody, document("a", `2`), 0)
	want(t, err, fleet.ErrExists)
	_, err = s.PutDocument(ctx, somebody, document("a", `2`), 7)
	want(t, err, fleet.ErrVersion)
	_, err = s.PutDocument(ctx, somebody, document("a b", `2`), 0)
	want(t, err, fleet.ErrInvalid)
	second, err := s.PutDocument(ctx, somebody, document("a", `2`), 1)
	must(t, err)
	got, err := s.Document(ctx, store.DocumentView, "a")
	must(t, err)
	same(t, got, second)

	gone := document("a", "")
	gone.Body, gone.Removed = nil, true
	third, err := s.PutDocument(ctx, somebody, gone, 2)
	must(t, err)
	same(t, third.Version, uint64(3))
	_, err = s.Document(ctx, store.DocumentView, "a")
	want(t, err, fleet.ErrNotFound)
	_, err = s.PutDocument(ctx, somebody, gone, 3)
	want(t, err, fleet.ErrNotFound)
	fourth, err := s.PutDocument(ctx, somebody, document("a", `4`), 0)
	must(t, err)
	same(t, fourth.Version, uint64(4)) // over its removal too

	all, err := s.DocumentVersions(ctx, store.DocumentView, "a", 0, 10)
	must(t, err)
	same(t, all, []store.Document{fourth, third, second, first})
	all, err = s.DocumentVersions(ctx, store.DocumentView, "a", 3, 1)
	must(t, err)
	same(t, all, []store.Document{second})
	entries := AuditOf(t, s)
	same(t, entries[0].Action, "view.changed")
	same(t, entries[1].Action, "view.removed")
}

func documentsListed(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, name := range []string{"b", "a", "a.1", "c"} {
		_, err := s.PutDocument(ctx, somebody, document(name, `{}`), 0)
		must(t, err)
	}
	_, err := s.PutDocument(ctx, somebody, store.Document{Kind: store.DocumentView, Name: "b", Removed: true}, 1)
	must(t, err)
	other := document("a", `{}`)
	other.Kind = store.DocumentRule
	_, err = s.PutDocument(ctx, somebody, other, 0)
	must(t, err)
	names := func(after string, limit int) (out []string) {
		all, err := s.Documents(ctx, store.DocumentView, after, limit)
		must(t, err)
		for _, d := range all {
			out = append(out, d.Name)
		}
		return out
	}
	same(t, names("", 10), []string{"a", "a.1", "c"})
	same(t, names("a", 1), []string{"a.1"})
	same(t, names("a.1", 10), []string{"c"})
}

func siteChanged(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	settings := store.SiteSettings{
		Tags: []string{"charter", "med"}, Zone: "Europe/Paris", Link: store.LinkEconomy, BytesPerDay: 5,
		Position: &store.Position{Lat: 43.5, Lng: 7, At: At}, Note: "winter berth",
	}
	got, err := s.PutSite(t.Context(), somebody, "a", "Aurelia", settings, 0)
	must(t, err)
	same(t, got.Version, uint64(1))
	again, err := s.Site(t.Context(), "a")
	must(t, err)
	same(t, again, got)
	same(t, again.Settings, settings)
	same(t, again.Name, "Aurelia")
	_, err = s.PutSite(t.Context(), somebody, "a", "Other", settings, 0)
	want(t, err, fleet.ErrVersion)
	_, err = s.PutSite(t.Context(), somebody, "nowhere", "Other", settings, 0)
	want(t, err, fleet.ErrNotFound)
	entries := AuditOf(t, s)
	same(t, entries[0].Action, store.AuditSiteChanged)
}

func deliveriesKept(t *testing.T, s store.Store) {
	ctx := t.Context()
	d := store.Delivery{ID: "2", Rule: "r", Body: []byte("x"), State: store.DeliveryWaiting, CreatedAt: At, ExpiresAt: At, Next: At}
	d, err := s.PutDelivery(ctx, d, 0)
	must(t, err)
	_, err = s.PutDelivery(ctx, d, 0)
	want(t, err, fleet.ErrExists)
	_, err = s.PutDelivery(ctx, d, 4)
	want(t, err, fleet.ErrVersion)
	_, err = s.PutDelivery(ctx, store.Delivery{ID: "9"}, 4)
	want(t, err, fleet.ErrNotFound)
	first, err := s.PutDelivery(ctx, store.Delivery{ID: "1", State: store.DeliveryFailed, CreatedAt: At, ExpiresAt: At, Next: At}, 0)
	must(t, err)
	d.State, d.DoneAt = store.DeliveryDelivered, At.Add(time.Minute)
	d, err = s.PutDelivery(ctx, d, 1)
	must(t, err)
	all, err := s.Deliveries(ctx, "", 10)
	must(t, err)
	same(t, all, []store.Delivery{d, first})
	must(t, s.DeleteDelivery(ctx, "2"))
	must(t, s.DeleteDelivery(ctx, "2"))
	all, err = s.Deliveries(ctx, "2", 10)
	must(t, err)
	same(t, all, []store.Delivery{first})
}

func usageAdded(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	for _, u := range []store.Usage{{Day: At, In: 1, Out: 2, Calls: 1}, {Day: At.Add(time.Hour), In: 10}, {Day: At.AddDate(0, 0, -1), Out: 5}} {
		update(t, s, "a", func(tx store.SiteTx) error { return tx.AddUsage(u) })
	}
	days := func(from, to time.Time) (out []store.Usage) {
		view(t, s, "a", func(v store.SiteView) error {
			return v.Usage(from, to, func(u store.Usage) bool {
				out = append(out, u)
				return true
			})
		})
		return out
	}
	day := store.DayOf(At)
	today := store.Usage{Day: day, In: 11, Out: 2, Calls: 1}
	same(t, days(At.AddDate(-1, 0, 0), At.AddDate(1, 0, 0)), []store.Usage{{Day: day.AddDate(0, 0, -1), Out: 5}, today})
	same(t, days(At, At.AddDate(0, 0, 1)), []store.Usage{today})
	same(t, len(days(At.AddDate(0, 0, -1), day)), 1)
}
