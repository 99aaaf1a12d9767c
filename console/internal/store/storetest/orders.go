package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// NewOrder returns an order for a command on a device.
func NewOrder(n int, ttl time.Duration) store.Order {
	return store.Order{Order: fleet.Order{
		ID: fleet.NewUUID[fleet.OrderID](At), CreatedAt: At, ExpiresAt: At.Add(ttl), Actor: fleet.System("test"),
		Body: fleet.SendCommand{Command: commandID(n), Device: "d", Name: "locate", Args: []byte(`{"n":1}`)},
	}}
}

func commandID(n int) fleet.CommandID {
	return fleet.CommandID(fmt.Sprintf("00000000-0000-7000-8000-%012d", n))
}

func ordersNumbered(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	const n = 100
	ctx := context.WithoutCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	numbers := map[uint64]bool{}
	for i := range n {
		wg.Go(func() {
			var o store.Order
			err := s.UpdateSite(ctx, "a", func(tx store.SiteTx) (err error) {
				if o, err = tx.AddOrder(NewOrder(i, time.Hour)); err == nil && i%10 == 9 {
					err = errBoom // a number that was given to nobody
				}
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				numbers[o.Number] = true
			}
		})
	}
	wg.Wait()
	for i := uint64(1); i <= n*9/10; i++ {
		if !numbers[i] {
			t.Errorf("number %d is missing", i)
		}
	}
	view(t, s, "a", func(v store.SiteView) error {
		m, err := v.Marks()
		must(t, err)
		same(t, m, store.OrderMarks{Head: n * 9 / 10})
		c, err := v.Counts()
		must(t, err)
		same(t, c.OrdersPending, n*9/10)
		var up, down []uint64
		must(t, v.OrdersAfter(87, func(o store.Order) bool {
			up = append(up, o.Number)
			return true
		}))
		same(t, up, []uint64{88, 89, 90})
		must(t, v.OrdersBefore(3, func(o store.Order) bool {
			down = append(down, o.Number)
			return true
		}))
		same(t, down, []uint64{2, 1})
		return nil
	})
}

func ordersFound(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	made := NewOrder(1, time.Hour)
	cancel := NewOrder(2, time.Hour)
	cancel.Body = fleet.CancelCommand{Command: commandID(1)}
	update(t, s, "a", func(tx store.SiteTx) (err error) {
		if made, err = tx.AddOrder(made); err == nil {
			cancel, err = tx.AddOrder(cancel)
		}
		return err
	})
	view(t, s, "a", func(v store.SiteView) error {
		got, found, err := v.Order(1)
		must(t, err)
		same(t, found, true)
		same(t, got, made)
		n, found, err := v.WantedBy(commandID(1))
		must(t, err)
		same(t, []any{n, found}, []any{uint64(1), true})
		n, found, err = v.CancelOf(commandID(1))
		must(t, err)
		same(t, []any{n, found}, []any{uint64(2), true})
		return nil
	})
	// The hub tells of the command: it is wanted no more.
	update(t, s, "a", func(tx store.SiteTx) error {
		return tx.PutEntity(fleet.Command{ID: commandID(1), Device: "d", State: fleet.CommandAtHub, Order: 1})
	})
	update(t, s, "a", func(tx store.SiteTx) error {
		if err := tx.EndOrder(2, store.OrderApplied, "done", At); err != nil {
			return err
		}
		return tx.EndOrder(2, store.OrderRefused, "later", At.Add(time.Hour)) // the first end stands
	})
	view(t, s, "a", func(v store.SiteView) error {
		_, wanted, err := v.WantedBy(commandID(1))
		must(t, err)
		_, cancelled, err := v.CancelOf(commandID(1))
		must(t, err)
		same(t, []bool{wanted, cancelled}, []bool{false, false})
		o, _, err := v.Order(2)
		must(t, err)
		same(t, []any{o.End, o.Detail, o.EndedAt}, []any{store.OrderApplied, "done", At})
		c, err := v.Counts()
		must(t, err)
		same(t, c.OrdersPending, 1)
		again, err := v.Recount()
		must(t, err)
		same(t, again.OrdersPending, 1)
		return nil
	})
	want(t, s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		return tx.EndOrder(9, store.OrderApplied, "", At)
	}), fleet.ErrNotFound)
}

func ordersDue(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	AddSite(t, s, "b")
	for _, site := range []fleet.SiteID{"a", "b"} {
		update(t, s, site, func(tx store.SiteTx) error {
			for i, ttl := range []time.Duration{time.Minute, 2 * time.Minute, time.Hour} {
				if _, err := tx.AddOrder(NewOrder(i, ttl)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	due := func() (all []string) {
		must(t, s.DueOrders(t.Context(), At.Add(10*time.Minute), func(site fleet.SiteID, n uint64) bool {
			all = append(all, fmt.Sprint(site, " ", n))
			return true
		}))
		return all
	}
	same(t, due(), []string{"a 1", "b 1", "a 2", "b 2"})
	update(t, s, "a", func(tx store.SiteTx) error { return tx.Offered(1) })
	update(t, s, "b", func(tx store.SiteTx) error { return tx.EndOrder(2, store.OrderExpired, "", At) })
	same(t, due(), []string{"b 1", "a 2"})
	update(t, s, "a", func(tx store.SiteTx) error {
		if err := tx.Taken(7); err != nil { // no more than there is
			return err
		}
		return tx.Offered(0) // never goes back
	})
	view(t, s, "a", func(v store.SiteView) error {
		m, err := v.Marks()
		same(t, m, store.OrderMarks{Head: 3, Offered: 1, Taken: 3})
		return err
	})
}

func ordersRenumbered(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	restored := At.Add(time.Hour)
	update(t, s, "a", func(tx store.SiteTx) error {
		for i := range 2 {
			if _, err := tx.AddOrder(command(fmt.Sprint("old-", i), At)); err != nil {
				return err
			}
		}
		return tx.Taken(1)
	})
	update(t, s, "a", func(tx store.SiteTx) error {
		o, err := tx.AddOrder(command("new-0", restored))
		if err != nil {
			return err
		}
		if _, err := tx.AddOrder(command("new-1", restored.Add(time.Second))); err != nil {
			return err
		}
		return tx.EndOrder(o.Number, store.OrderCancelled, "not any more", restored.Add(time.Minute))
	})
	for range 2 { // an answer that is lost has the hub greet again
		update(t, s, "a", func(tx store.SiteTx) error { return tx.Renumber(7, restored) })
	}
	view(t, s, "a", func(v store.SiteView) error {
		var got []string
		must(t, v.OrdersAfter(0, func(o store.Order) bool {
			got = append(got, fmt.Sprint(o.Number, " ", o.Body.(fleet.SendCommand).Name, " ", o.End))
			return true
		}))
		same(t, got, []string{"1 old-0 ", "2 old-1 ", "8 new-0 cancelled", "9 new-1 "})
		m, err := v.Marks()
		must(t, err)
		same(t, m, store.OrderMarks{Head: 9, Offered: 7, Taken: 7})
		counts, err := v.Counts()
		must(t, err)
		same(t, counts.OrdersPending, 3)
		return nil
	})
	// A hub that has less than this store keeps what waits for it.
	update(t, s, "a", func(tx store.SiteTx) error { return tx.Renumber(1, restored) })
	view(t, s, "a", func(v store.SiteView) error {
		m, err := v.Marks()
		must(t, err)
		same(t, m.Head, uint64(4))
		return nil
	})
}

// command is an order for a command of that name.
func command(name string, at time.Time) store.Order {
	return store.Order{Order: fleet.Order{
		ID: fleet.NewUUID[fleet.OrderID](at), CreatedAt: at, ExpiresAt: at.Add(time.Hour), Actor: fleet.System("test"),
		Body: fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](at), Device: "d", Name: name},
	}}
}

func policyKept(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	view(t, s, "a", func(v store.SiteView) error {
		_, found, err := v.Policy()
		must(t, err)
		same(t, found, false)
		return nil
	})
	p := fleet.Policy{
		Version:   3,
		Documents: []fleet.PolicyDocument{{Kind: "profile", Name: "button", Body: []byte(`{"max_qos":1}`)}},
		Removed:   []fleet.DocumentName{{Kind: "profile", Name: "old"}},
	}
	update(t, s, "a", func(tx store.SiteTx) error { return tx.PutPolicy(p) })
	want(t, s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error { return tx.PutPolicy(fleet.Policy{}) }), fleet.ErrInvalid)
	view(t, s, "a", func(v store.SiteView) error {
		got, found, err := v.Policy()
		must(t, err)
		same(t, found, true)
		same(t, got, p)
		return nil
	})
}
