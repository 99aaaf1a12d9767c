package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// AuditOf reads the console's own audit, the newest entry first, after looking
// whether all of it is as it was written.
func AuditOf(t testing.TB, s store.Store) (all []fleet.AuditEntry) {
	t.Helper()
	must(t, s.ViewAudit(t.Context(), func(src audit.Source) error {
		chains, err := audit.Verify(src, true)
		if err != nil {
			return err
		}
		for _, w := range audit.Wrong(chains) {
			t.Error(w)
		}
		for at := (audit.Place{}); ; {
			page, next, err := audit.List(src, audit.Filter{}, at, 7, 100)
			if all = append(all, page...); err != nil || next == nil {
				return err
			}
			at = *next
		}
	}))
	return all
}

func actions(all []fleet.AuditEntry) (out []string) {
	for _, e := range all {
		out = append(out, e.Action+" "+e.Target)
	}
	return out
}

func auditedWithTheChange(t *testing.T, s store.Store) {
	must(t, s.SetIdentity(t.Context(), store.Identity{ConsoleID: "c", Epoch: "e1", CreatedAt: At}))
	AddSite(t, s, "a")
	h := hub(1, "key")
	hash := addClaim(t, s, "a", 1)
	_, err := s.UseClaim(t.Context(), hash, h, nil)
	must(t, err)
	_, err = s.UseClaim(t.Context(), hash, h, nil) // the same answer is no news
	must(t, err)
	mila := fleet.Actor{Kind: fleet.ActorUser, ID: "u-1", Name: "Mila"}
	update(t, s, "a", func(tx store.SiteTx) error {
		if _, err := tx.AddOrder(NewOrder(1, time.Hour)); err != nil {
			return err
		}
		return tx.Audit(mila, store.AuditCommandQueued, "a", map[string]string{"order": "1"})
	})
	must(t, s.Audit(t.Context(), mila, "backup.made", "", nil))
	_, err = s.RevokeSite(t.Context(), mila, "a", At.Add(time.Hour))
	must(t, err)
	_, err = s.RevokeSite(t.Context(), mila, "a", At.Add(2*time.Hour)) // it was
	must(t, err)
	all := AuditOf(t, s)
	same(t, actions(all), []string{
		"site.revoked a", "backup.made ", "command.queued a", "hub.enrolled a", "claim.made a", "site.added a",
	})
	same(t, []any{all[0].Actor, all[0].Chain, all[0].Detail["hub_id"]}, []any{mila, fleet.Epoch("e1"), string(h.ID)})
	for i, e := range all {
		same(t, []any{e.N, e.ClockTrusted}, []any{uint64(len(all) - i), true})
	}
}

// What fails leaves neither the change nor the entry.
func auditedOrNotAtAll(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	want(t, s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: "a"}, 10), fleet.ErrExists)
	want(t, s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: "b"}, 1), fleet.ErrLimit)
	want(t, s.AddSite(t.Context(), fleet.Actor{}, store.Site{ID: "c"}, 10), fleet.ErrInvalid) // nobody did it
	_, err := s.Site(t.Context(), "c")
	want(t, err, fleet.ErrNotFound)
	want(t, s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		return errors.Join(tx.Audit(fleet.System("test"), "order.queued", "a", nil), errBoom)
	}), errBoom)
	want(t, s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		_, err := tx.AddOrder(NewOrder(1, time.Hour))
		return errors.Join(err, tx.Audit(fleet.System("test"), "", "a", nil)) // no entry: no order
	}), fleet.ErrInvalid)
	view(t, s, "a", func(v store.SiteView) error {
		m, err := v.Marks()
		same(t, m, store.OrderMarks{})
		return err
	})
	same(t, actions(AuditOf(t, s)), []string{"site.added a"})
}

func auditIsOneChain(t *testing.T, s store.Store) {
	const sites, each = 8, 15
	for i := range sites {
		AddSite(t, s, fleet.SiteID(fmt.Sprint("s-", i)))
	}
	ctx := context.WithoutCancel(t.Context())
	var all sync.WaitGroup
	for i := range sites {
		all.Go(func() {
			for range each {
				err := s.UpdateSite(ctx, fleet.SiteID(fmt.Sprint("s-", i)), func(tx store.SiteTx) error {
					if _, err := tx.AddOrder(NewOrder(1, time.Hour)); err != nil {
						return err
					}
					return errors.Join(
						tx.Audit(fleet.System("test"), "order.queued", "x", nil), tx.Audit(fleet.System("test"), "order.queued", "y", nil),
					)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	same(t, len(AuditOf(t, s)), sites+2*sites*each)
}

// A store that was restored has another epoch: what happens from then on is
// another chain, which has the hash of the last entry before.
func auditGoesOn(t *testing.T, s store.Store) {
	must(t, s.SetIdentity(t.Context(), store.Identity{ConsoleID: "c", Epoch: "e1", CreatedAt: At}))
	AddSite(t, s, "a")
	AddSite(t, s, "b")
	must(t, s.SetIdentity(t.Context(), store.Identity{ConsoleID: "c", Epoch: "e0", CreatedAt: At}))
	AddSite(t, s, "c")
	AddSite(t, s, "d")
	all := AuditOf(t, s)
	same(t, actions(all), []string{"site.added d", "site.added c", "site.added b", "site.added a"})
	same(t, []any{all[1].Chain, all[1].N, all[1].Prev}, []any{fleet.Epoch("e0"), uint64(1), all[2].Hash})
}

// Changes of people have their entries in the same transaction too.
func auditOfPeople(t *testing.T, s store.Store) {
	write := func(fail error) error {
		return s.People().Update(t.Context(), func(w accountkv.Writer) error {
			if err := w.Set("user/1", []byte("{}")); err != nil {
				return err
			}
			a := w.(interface {
				Audit(by fleet.Actor, action, target string, detail map[string]string) error
			})
			return errors.Join(a.Audit(fleet.System("test"), "user.added", "1", nil), fail)
		})
	}
	want(t, write(errBoom), errBoom)
	same(t, len(AuditOf(t, s)), 0)
	must(t, write(nil))
	same(t, actions(AuditOf(t, s)), []string{"user.added 1"})
}

func hubAuditIsRead(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	AddSite(t, s, "a-1")
	var head fleet.AuditHead
	for i := range uint64(25) {
		update(t, s, "a", func(tx store.SiteTx) error {
			e := fleet.AuditEntry{Chain: "h", N: i + 1, At: At, Actor: fleet.System("x"), Action: "device.added", Target: fmt.Sprint("d-", i), Prev: head.Hash}
			e.Hash = e.Sum()
			head = fleet.AuditHead{Chain: "h", N: e.N, Hash: e.Hash}
			return errors.Join(tx.PutEntity(e), tx.PutEntity(head))
		})
	}
	view(t, s, "a", func(v store.SiteView) error {
		page, next, err := audit.List(v.HubAudit(), audit.Filter{}, audit.Place{Chain: "h", N: 4}, 2, 100)
		same(t, actions(page), []string{"device.added d-2", "device.added d-1"})
		same(t, next, &audit.Place{Chain: "h", N: 2})
		must(t, err)
		chains, err := audit.Verify(v.HubAudit(), false)
		same(t, chains, []audit.Chain{{Chain: "h", Entries: 25, Head: head.Hash, OK: true}})
		return err
	})
	view(t, s, "a-1", func(v store.SiteView) error {
		chains, err := audit.Verify(v.HubAudit(), false)
		same(t, chains, []audit.Chain{})
		return err
	})
}
