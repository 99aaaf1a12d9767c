package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/account/accounttest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// At is the time at which the suite's things happen.
var At = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// Run tests an engine. open returns a new, empty store, which the test closes
// when it ends. stories is how many random histories are told to it.
func Run(t *testing.T, stories int, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"Identity_IsKept", identityIsKept},
		{"Identity_TheFirstOfManyStands", firstOneWins},
		{"Sites_AreListedById", sitesAreListed},
		{"Sites_HaveALimit", sitesHaveALimit},
		{"Site_IsUnknownUntilAdded", siteUnknown},
		{"Claim_OneOfManyWins", claimOneWins},
		{"Claim_SameKeySameAnswer", claimSameKey},
		{"Claim_EndsWithItsTime", claimExpires},
		{"Hub_IsRenewedUntilItIsRevoked", hubRenewed},
		{"Claim_NewHubRevokesTheOld", claimReplaces},
		{"Revoke_ShutsOutHubAndClaims", revokeShutsOut},
		{"Update_ErrorUndoesEverything", updateUndoes},
		{"Update_SitesAreApart", sitesApart},
		{"Orders_AreNumberedWithoutHoles", ordersNumbered},
		{"Orders_AreFoundByWhatTheyWant", ordersFound},
		{"Orders_DueUntilOffered", ordersDue},
		{"Orders_MadeAfterARestoreStandBehindWhatTheHubHolds", ordersRenumbered},
		{"Policy_IsKeptWhole", policyKept},
		{"Contact_IsKept", contactIsKept},
		{"Session_IsKept", sessionIsKept},
		{"Audit_IsWrittenWithTheChange", auditedWithTheChange},
		{"Audit_WhatFailsLeavesNothing", auditedOrNotAtAll},
		{"Audit_OfManyAtOnceIsOneChain", auditIsOneChain},
		{"Audit_AnotherEpochContinuesTheLast", auditGoesOn},
		{"Audit_OfPeopleIsWrittenWithTheChange", auditOfPeople},
		{"Audit_OfAHubIsRead", hubAuditIsRead},
		{"Lists_PageBothWays", listsPage},
		{"Search_FindsByTerms", searchFinds},
		{"Search_LooksSiteBySite", searchLooks},
		{"Search_FollowsWhatHappens", searchFollows},
		{"Traffic_AnHourIsReplacedWhenItIsWhole", trafficReplaced},
		{"Traffic_PartsFollowEachOther", trafficParts},
		{"Traffic_IsReadByTime", trafficRanges},
		{"Traffic_OldDaysGoWhole", trafficDropped},
		{"Documents_KeepEveryVersion", documentsVersioned},
		{"Documents_AreListedByName", documentsListed},
		{"Site_IsChangedOnItsVersion", siteChanged},
		{"Deliveries_AreKeptNewestFirst", deliveriesKept},
		{"Usage_IsAddedByDay", usageAdded},
		{"Jobs_AreListedNewestFirst", jobsKept},
		{"Jobs_TargetsAreListedBySite", jobTargets},
		{"Alerts_AreFoundWhileOpenAndByArrival", alertsIndexed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
	t.Run("Holder_IsAsMemoryWhateverTheStory", func(t *testing.T) { holder(t, stories, open) })
	t.Run("People", func(t *testing.T) {
		accounttest.Run(t, func(t *testing.T) account.Store { return accountkv.New(open(t).People()) })
	})
}

// AddSite registers a site.
func AddSite(t testing.TB, s store.Store, id fleet.SiteID) {
	t.Helper()
	if err := s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: id, Name: string(id), CreatedAt: At}, 1000); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("differs (-want +got):\n%s", d)
	}
}

func update(t testing.TB, s store.Store, id fleet.SiteID, fn func(store.SiteTx) error) {
	t.Helper()
	must(t, s.UpdateSite(t.Context(), id, fn))
}

func view(t testing.TB, s store.Store, id fleet.SiteID, fn func(store.SiteView) error) {
	t.Helper()
	must(t, s.ViewSite(t.Context(), id, fn))
}

func identityIsKept(t *testing.T, s store.Store) {
	_, found, err := s.Identity(t.Context())
	if must(t, err); found {
		t.Fatal("a new store has an identity")
	}
	id := store.Identity{ConsoleID: "c", Epoch: "e", CreatedAt: At}
	must(t, s.SetIdentity(t.Context(), id))
	got, found, err := s.Identity(t.Context())
	must(t, err)
	same(t, found, true)
	same(t, got, id)
	text, err := s.Setting(t.Context(), "colour")
	must(t, err)
	same(t, text, "")
	must(t, s.SetSetting(t.Context(), "colour", "blue"))
	text, err = s.Setting(t.Context(), "colour")
	must(t, err)
	same(t, text, "blue")
}

// Of several consoles that begin on one store at once, one says who it is.
func firstOneWins(t *testing.T, s store.Store) {
	const n = 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids, values := map[store.Identity]bool{}, map[string]bool{}
	for i := range n {
		wg.Go(func() {
			ctx := context.WithoutCancel(t.Context())
			id, err := s.FirstIdentity(ctx, store.Identity{ConsoleID: fmt.Sprint(i), CreatedAt: At})
			if err != nil {
				t.Error(err)
			}
			v, err := s.FirstSetting(ctx, "root", fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[id], values[v] = true, true
		})
	}
	wg.Wait()
	same(t, []int{len(ids), len(values)}, []int{1, 1})
	id, _, err := s.Identity(t.Context())
	must(t, err)
	v, err := s.Setting(t.Context(), "root")
	must(t, err)
	same(t, []bool{ids[id], values[v]}, []bool{true, true})
	lead, err := s.Lead(t.Context(), "sweep", "me", time.Minute)
	must(t, err)
	same(t, lead, true)
}

func sitesAreListed(t *testing.T, s store.Store) {
	for _, id := range []fleet.SiteID{"b", "a", "a-1", "c", "a.x"} {
		AddSite(t, s, id)
	}
	want(t, s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: "b"}, 1000), fleet.ErrExists)
	var ids []fleet.SiteID
	for behind := fleet.SiteID(""); ; {
		page, err := s.Sites(t.Context(), behind, 2)
		must(t, err)
		for _, v := range page {
			ids = append(ids, v.ID)
			behind = v.ID
		}
		if len(page) < 2 {
			break
		}
	}
	same(t, ids, []fleet.SiteID{"a", "a-1", "a.x", "b", "c"})
	update(t, s, "a.x", func(tx store.SiteTx) error { return tx.PutEntity(device("d", 1)) })
	var seen []string
	n, err := s.ViewSites(t.Context(), "a", 3, func(v store.SiteView) error {
		c, err := v.Counts()
		seen = append(seen, fmt.Sprint(v.Site().ID, " ", c.AllDevices()))
		return errors.Join(err, v.Devices("", func(fleet.Device) bool { return true }))
	})
	must(t, err)
	same(t, n, 3)
	same(t, seen, []string{"a-1 0", "a.x 1", "b 0"})
	_, err = s.ViewSites(t.Context(), "", 9, func(store.SiteView) error { return errBoom })
	want(t, err, errBoom)
}

func sitesHaveALimit(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	want(t, s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: "b"}, 1), fleet.ErrLimit)
}

func siteUnknown(t *testing.T, s store.Store) {
	_, err := s.Site(t.Context(), "nowhere")
	want(t, err, fleet.ErrNotFound)
	want(t, s.UpdateSite(t.Context(), "nowhere", func(store.SiteTx) error { return nil }), fleet.ErrNotFound)
	want(t, s.ViewSite(t.Context(), "nowhere", func(store.SiteView) error { return nil }), fleet.ErrNotFound)
	_, err = s.RevokeSite(t.Context(), fleet.System("test"), "nowhere", At)
	want(t, err, fleet.ErrNotFound)
	want(t, s.AddClaim(t.Context(), store.Claim{Site: "nowhere"}), fleet.ErrNotFound)
	_, err = s.Claim(t.Context(), store.SecretHash{1})
	want(t, err, fleet.ErrNotFound)
	_, err = s.Hub(t.Context(), "nobody")
	want(t, err, fleet.ErrNotFound)
}

func addClaim(t testing.TB, s store.Store, site fleet.SiteID, n byte) store.SecretHash {
	t.Helper()
	h := store.SecretHash{n}
	must(t, s.AddClaim(t.Context(), store.Claim{Hash: h, Site: site, By: fleet.System("test"), CreatedAt: At, ExpiresAt: At.Add(time.Hour)}))
	return h
}

func hub(n int, key string) store.Hub {
	return store.Hub{
		ID: fleet.HubID(fmt.Sprintf("00000000-0000-7000-8000-%012d", n)), Key: key, EnrolledAt: At.Add(time.Minute), NotAfter: At.Add(24 * time.Hour),
	}
}

func claimOneWins(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	h := addClaim(t, s, "a", 1)
	const n = 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []fleet.HubID
	for i := range n {
		wg.Go(func() {
			mine := hub(i, fmt.Sprint("key-", i))
			c, err := s.UseClaim(context.WithoutCancel(t.Context()), h, mine, [][]byte{{byte(i)}})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, c.Hub)
			case !errors.Is(err, fleet.ErrExists):
				t.Errorf("hub %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d hubs have won: %v", len(won), won)
	}
	site, err := s.Site(t.Context(), "a")
	must(t, err)
	same(t, site.Hub, won[0])
}

func claimSameKey(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	h := addClaim(t, s, "a", 1)
	first, err := s.UseClaim(t.Context(), h, hub(1, "key"), [][]byte{[]byte("chain")})
	must(t, err)
	late := hub(2, "key")
	late.EnrolledAt = At.Add(48 * time.Hour) // the answer was lost, and the time is over
	again, err := s.UseClaim(t.Context(), h, late, [][]byte{[]byte("other")})
	must(t, err)
	same(t, again, first)
	_, err = s.Hub(t.Context(), late.ID)
	want(t, err, fleet.ErrNotFound)
	_, err = s.UseClaim(t.Context(), h, hub(3, "other key"), nil)
	want(t, err, fleet.ErrExists)
}

func hubRenewed(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	c, err := s.UseClaim(t.Context(), addClaim(t, s, "a", 1), hub(1, "key"), nil)
	must(t, err)
	end := At.AddDate(2, 0, 0)
	must(t, s.RenewHub(t.Context(), c.Hub, end))
	h, err := s.Hub(t.Context(), c.Hub)
	must(t, err)
	same(t, h.NotAfter.UTC(), end)
	want(t, s.RenewHub(t.Context(), hub(9, "key").ID, end), fleet.ErrNotFound)
	_, err = s.RevokeSite(t.Context(), fleet.System("test"), "a", At)
	must(t, err)
	want(t, s.RenewHub(t.Context(), c.Hub, end), fleet.ErrForbidden)
}

func claimExpires(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	h := addClaim(t, s, "a", 1)
	late := hub(1, "key")
	late.EnrolledAt = At.Add(2 * time.Hour)
	_, err := s.UseClaim(t.Context(), h, late, nil)
	want(t, err, fleet.ErrExpired)
	// Old claims go when a new one is made.
	c := store.Claim{Hash: store.SecretHash{2}, Site: "a", By: fleet.System("test"), CreatedAt: At.Add(3 * time.Hour), ExpiresAt: At.Add(4 * time.Hour)}
	must(t, s.AddClaim(t.Context(), c))
	_, err = s.Claim(t.Context(), h)
	want(t, err, fleet.ErrNotFound)
}

func claimReplaces(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	old := hub(1, "key")
	oldClaim := addClaim(t, s, "a", 1)
	_, err := s.UseClaim(t.Context(), oldClaim, old, nil)
	must(t, err)
	_, err = s.UseClaim(t.Context(), addClaim(t, s, "a", 2), hub(2, "other"), nil)
	must(t, err)
	was, err := s.Hub(t.Context(), old.ID)
	must(t, err)
	if was.RevokedAt.IsZero() || was.Site != "a" {
		t.Fatalf("the old hub is %+v", was)
	}
	_, err = s.UseClaim(t.Context(), oldClaim, old, nil)
	want(t, err, fleet.ErrForbidden) // the same answer would be that of a revoked hub
}

func revokeShutsOut(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	h := hub(1, "key")
	_, err := s.UseClaim(t.Context(), addClaim(t, s, "a", 1), h, nil)
	must(t, err)
	unused := addClaim(t, s, "a", 2)
	at := At.Add(time.Hour)
	site, err := s.RevokeSite(t.Context(), fleet.System("test"), "a", at)
	must(t, err)
	same(t, site.RevokedAt, at)
	was, err := s.Hub(t.Context(), h.ID)
	must(t, err)
	same(t, was.RevokedAt, at)
	_, err = s.UseClaim(t.Context(), unused, hub(2, "x"), nil)
	want(t, err, fleet.ErrNotFound)
	want(t, s.AddClaim(t.Context(), store.Claim{Hash: store.SecretHash{3}, Site: "a"}), fleet.ErrState)
	again, err := s.RevokeSite(t.Context(), fleet.System("test"), "a", at.Add(time.Hour))
	must(t, err)
	same(t, again.RevokedAt, at)
}

func device(id fleet.DeviceID, version uint64) fleet.Device {
	return fleet.Device{ID: id, Type: fleet.Button, Room: "cabin-1", Profile: "button", Version: version, CreatedAt: At, UpdatedAt: At}
}

var errBoom = errors.New("boom")

func updateUndoes(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	err := s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		if err := errors.Join(tx.PutEntity(device("d", 1)), tx.PutContact(store.Contact{Version: "1"}), tx.BeginEpoch("e", lane.Life{})); err != nil {
			return err
		}
		if _, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef("d")); err != nil || !found {
			t.Errorf("the transaction does not see what it wrote: %t, %v", found, err)
		}
		return errBoom
	})
	want(t, err, errBoom)
	view(t, s, "a", func(v store.SiteView) error {
		b, err := v.Entity(fleet.DeviceRef("d"))
		must(t, err)
		c, err := v.Contact()
		must(t, err)
		e, err := v.Epoch()
		must(t, err)
		n, err := v.Counts()
		must(t, err)
		if b != nil || c.Version != "" || e != "" || n.AllDevices() != 0 {
			t.Errorf("something is left: %s, %+v, %s, %+v", b, c, e, n)
		}
		return nil
	})
}

func sitesApart(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	AddSite(t, s, "a-1") // its rows begin as those of a do
	update(t, s, "a-1", func(tx store.SiteTx) error { return tx.PutEntity(device("d", 1)) })
	update(t, s, "a", func(tx store.SiteTx) error { return tx.PutEntity(device("e", 1)) })
	for site, id := range map[fleet.SiteID]fleet.DeviceID{"a": "e", "a-1": "d"} {
		var ids []fleet.DeviceID
		view(t, s, site, func(v store.SiteView) error {
			return v.Devices("", func(d fleet.Device) bool {
				ids = append(ids, d.ID)
				return true
			})
		})
		same(t, ids, []fleet.DeviceID{id})
	}
	// A transaction of one site does not wait for one of another.
	update(t, s, "a", func(store.SiteTx) error {
		return s.UpdateSite(t.Context(), "a-1", func(tx store.SiteTx) error { return tx.PutContact(store.Contact{Version: "2"}) })
	})
}

func contactIsKept(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	c := store.Contact{
		Hub: "h", At: At, Verdict: "ok", Offset: time.Second, Heads: map[fleet.Lane]uint64{fleet.LaneState: 7}, DataAsOf: At,
	}
	update(t, s, "a", func(tx store.SiteTx) error { return tx.PutContact(c) })
	view(t, s, "a", func(v store.SiteView) error {
		got, err := v.Contact()
		same(t, got, c)
		return err
	})
}

func sessionIsKept(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	put := func(v store.Session) {
		update(t, s, "a", func(tx store.SiteTx) error {
			if err := tx.PutSession(v); err != nil {
				return err
			}
			got, err := tx.Session()
			same(t, got, v)
			return err
		})
		view(t, s, "a", func(tx store.SiteView) error {
			got, err := tx.Session()
			same(t, got, v)
			return err
		})
	}
	put(store.Session{Hub: "h", Ticket: store.SecretHash{1}, Epoch: "e", BootID: "b", Console: "c", At: At})
	put(store.Session{})
}

func listsPage(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	update(t, s, "a", func(tx store.SiteTx) error {
		for i := range 5 {
			if err := tx.PutEntity(device(fleet.DeviceID(fmt.Sprint("d-", i)), 1)); err != nil {
				return err
			}
			r := fleet.Request{ID: fleet.RequestID(fmt.Sprint("r-", i)), State: fleet.RequestOpen, Version: 1, Priority: fleet.Normal}
			if i == 2 {
				r.State = fleet.RequestCompleted
			}
			if err := tx.PutEntity(r); err != nil {
				return err
			}
		}
		gone := device("d-3", 2)
		gone.Removed = true
		return tx.PutEntity(gone)
	})
	view(t, s, "a", func(v store.SiteView) error {
		var devices []fleet.DeviceID
		must(t, v.Devices("d-1", func(d fleet.Device) bool {
			devices = append(devices, d.ID)
			return true
		}))
		same(t, devices, []fleet.DeviceID{"d-2", "d-4"})
		var requests, open []fleet.RequestID
		must(t, v.Requests("r-4", func(r fleet.Request) bool {
			requests = append(requests, r.ID)
			return len(requests) < 3
		}))
		same(t, requests, []fleet.RequestID{"r-3", "r-2", "r-1"})
		must(t, v.OpenRequests(func(r fleet.Request) bool {
			open = append(open, r.ID)
			return true
		}))
		same(t, open, []fleet.RequestID{"r-0", "r-1", "r-3", "r-4"})
		return nil
	})
}
