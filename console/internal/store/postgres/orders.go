package postgres

import (
	"fmt"
	"math"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Order implements store.SiteView.
func (s *site) Order(n uint64) (store.Order, bool, error) {
	c, ok := s.orders[n]
	if !ok {
		b, found, err := one[[]byte](s.t, "SELECT body FROM orders WHERE site_id = $1 AND number = $2", s.row.ID, int64(min(n, math.MaxInt64)))
		if err != nil {
			return store.Order{}, false, err
		}
		c = keep(&s.orders, n, nil)
		if found {
			o, err := store.DecodeOrder(b)
			if err != nil {
				return o, false, err
			}
			c.value = &o
		}
	}
	if c.value == nil {
		return store.Order{}, false, nil
	}
	return *c.value, true, nil
}

// OrdersAfter implements store.SiteView.
func (s *site) OrdersAfter(n uint64, fn func(store.Order) bool) error {
	return listed(s.t, int64(min(n, math.MaxInt64)), eachOrder(fn), "SELECT number, body FROM orders WHERE site_id = $1 AND number > $2 ORDER BY number LIMIT $3", s.row.ID)
}

// OrdersBefore implements store.SiteView.
func (s *site) OrdersBefore(n uint64, fn func(store.Order) bool) error {
	return listed(s.t, upper(n), eachOrder(fn), "SELECT number, body FROM orders WHERE site_id = $1 AND number < $2 ORDER BY number DESC LIMIT $3", s.row.ID)
}

func eachOrder(fn func(store.Order) bool) func(int64, []byte) (bool, error) {
	return func(_ int64, b []byte) (bool, error) {
		o, err := store.DecodeOrder(b)
		return err == nil && fn(o), err
	}
}

// Wanted implements store.SiteView.
func (s *site) Wanted(before fleet.CommandID, fn func(fleet.CommandID, uint64) bool) error {
	return listed(s.t, idBefore(before), func(id fleet.CommandID, n int64) (bool, error) { return fn(id, uint64(n)), nil },
		"SELECT wants, number FROM orders WHERE site_id = $1 AND wants < $2 ORDER BY wants DESC LIMIT $3", s.row.ID)
}

// WantedBy implements store.SiteView.
func (s *site) WantedBy(id fleet.CommandID) (uint64, bool, error) {
	return s.orderOf(&s.wanted, id, "SELECT number FROM orders WHERE site_id = $1 AND wants = $2 ORDER BY number DESC LIMIT 1")
}

// CancelOf implements store.SiteView.
func (s *site) CancelOf(id fleet.CommandID) (uint64, bool, error) {
	return s.orderOf(&s.cancels, id, "SELECT number FROM orders WHERE site_id = $1 AND cancels = $2 ORDER BY number DESC LIMIT 1")
}

func (s *site) orderOf(m *map[fleet.CommandID]*cell[uint64], id fleet.CommandID, sql string) (uint64, bool, error) {
	c, ok := (*m)[id]
	if !ok {
		n, _, err := one[int64](s.t, sql, s.row.ID, id)
		if err != nil {
			return 0, false, err
		}
		c = keep(m, id, uint64(n))
	}
	return c.value, c.value != 0, nil
}

// AddOrder implements store.SiteTx.
func (s *site) AddOrder(o store.Order) (store.Order, error) {
	m, err := s.marks.change()
	if err != nil {
		return o, err
	}
	m.Head++
	o.Number = m.Head
	switch b := o.Body.(type) {
	case fleet.SendCommand:
		put(&s.wanted, b.Command, o.Number)
	case fleet.CancelCommand:
		put(&s.cancels, b.Command, o.Number)
	}
	put(&s.orders, o.Number, &o)
	return o, s.count(func(c *store.Counts) { c.OrdersPending++ })
}

// EndOrder implements store.SiteTx.
func (s *site) EndOrder(n uint64, end store.OrderState, detail string, at time.Time) error {
	o, found, err := s.Order(n)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: order %d", fleet.ErrNotFound, n)
	}
	if o.End != "" || !end.Ended() {
		return nil
	}
	o.End, o.Detail, o.EndedAt = end, detail, at
	if b, ok := o.Body.(fleet.CancelCommand); ok {
		put(&s.cancels, b.Command, 0)
	}
	put(&s.orders, n, &o)
	return s.count(func(c *store.Counts) { c.OrdersPending-- })
}

// Renumber implements store.SiteTx.
func (s *site) Renumber(cursor uint64, since time.Time) error {
	m, err := s.marks.change()
	if err != nil {
		return err
	}
	var fresh []store.Order
	base := cursor
	err = s.OrdersAfter(0, func(o store.Order) bool {
		if o.CreatedAt.Before(since) {
			base = max(base, o.Number)
		} else {
			fresh = append(fresh, o)
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, o := range fresh {
		put(&s.orders, o.Number, nil)
		if o.End == "" {
			if err := s.count(func(c *store.Counts) { c.OrdersPending-- }); err != nil {
				return err
			}
		}
	}
	m.Head, m.Offered, m.Taken = base, max(cursor, min(m.Offered, base)), max(cursor, min(m.Taken, base))
	for _, o := range fresh {
		after, err := s.AddOrder(store.Order{Order: o.Order})
		if err != nil {
			return err
		}
		if o.End != "" {
			if err := s.EndOrder(after.Number, o.End, o.Detail, o.EndedAt); err != nil {
				return err
			}
		}
	}
	return nil
}

// Offered implements store.SiteTx.
func (s *site) Offered(upto uint64) error {
	m, err := s.marks.get()
	if err != nil {
		return err
	}
	if upto = min(upto, m.Head); upto > m.Offered {
		m.Offered, s.marks.dirt = upto, true
	}
	return nil
}

// Taken implements store.SiteTx.
func (s *site) Taken(upto uint64) error {
	m, err := s.marks.get()
	if err != nil {
		return err
	}
	if upto = min(upto, m.Head); upto > m.Taken {
		m.Taken, s.marks.dirt = upto, true
	}
	return nil
}

// flushOrders writes the orders that have changed, and then what is found by
// them.
func (s *site) flushOrders() error {
	m, err := s.marks.get()
	if err != nil {
		return err
	}
	for n, c := range s.orders {
		if !c.dirt {
			continue
		}
		if c.value == nil {
			s.t.write("DELETE FROM orders WHERE site_id = $1 AND number = $2", s.row.ID, int64(n))
			continue
		}
		b, err := store.EncodeOrder(*c.value)
		if err != nil {
			return err
		}
		s.t.write(`INSERT INTO orders (site_id, number, expires_ms, due, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (site_id, number) DO UPDATE SET expires_ms = excluded.expires_ms, due = excluded.due, body = excluded.body`,
			s.row.ID, int64(n), c.value.ExpiresAt.UnixMilli(), c.value.End == "" && n > m.Offered, string(b))
	}
	if s.marks.dirt {
		s.t.write("UPDATE orders SET due = false WHERE site_id = $1 AND due AND number <= $2", s.row.ID, int64(m.Offered))
	}
	for id, c := range s.wanted {
		if c.dirt {
			s.t.write("UPDATE orders SET wants = CASE WHEN number = $3 THEN $2 END WHERE site_id = $1 AND (wants = $2 OR number = $3)",
				s.row.ID, id, int64(c.value))
		}
	}
	for id, c := range s.cancels {
		if c.dirt {
			s.t.write("UPDATE orders SET cancels = CASE WHEN number = $3 THEN $2 END WHERE site_id = $1 AND (cancels = $2 OR number = $3)",
				s.row.ID, id, int64(c.value))
		}
	}
	return nil
}
