package badger

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Marks implements store.SiteView.
func (s *site) Marks() (store.OrderMarks, error) {
	m, err := s.marks.get(s, siteMarks)
	if err != nil {
		return store.OrderMarks{}, err
	}
	return *m, nil
}

// Order implements store.SiteView.
func (s *site) Order(n uint64) (store.Order, bool, error) {
	b, err := s.t.get(orderKey(s.id, n))
	if err != nil || b == nil {
		return store.Order{}, false, err
	}
	o, err := store.DecodeOrder(b)
	return o, err == nil, err
}

func (s *site) putOrder(o store.Order) error {
	b, err := store.EncodeOrder(o)
	if err != nil {
		return err
	}
	s.t.set(orderKey(s.id, o.Number), b)
	return nil
}

// OrdersAfter implements store.SiteView.
func (s *site) OrdersAfter(n uint64, fn func(store.Order) bool) error {
	return s.t.each(siteKey(s.id, siteOrder), orderKey(s.id, n+1), func(_, v []byte) (bool, error) {
		o, err := store.DecodeOrder(v)
		return err == nil && fn(o), err
	})
}

// OrdersBefore implements store.SiteView.
func (s *site) OrdersBefore(n uint64, fn func(store.Order) bool) error {
	var upper []byte
	if n != 0 {
		upper = orderKey(s.id, n)
	}
	return s.t.back(siteKey(s.id, siteOrder), upper, func(_, v []byte) (bool, error) {
		o, err := store.DecodeOrder(v)
		return err == nil && fn(o), err
	})
}

// Wanted implements store.SiteView.
func (s *site) Wanted(before fleet.CommandID, fn func(fleet.CommandID, uint64) bool) error {
	p := siteKey(s.id, siteWanted)
	var upper []byte
	if before != "" {
		upper = siteKey(s.id, siteWanted, string(before))
	}
	return s.t.back(p, upper, func(k, v []byte) (bool, error) {
		return fn(fleet.CommandID(k[len(p):]), binary.BigEndian.Uint64(v)), nil
	})
}

// WantedBy implements store.SiteView.
func (s *site) WantedBy(id fleet.CommandID) (uint64, bool, error) { return s.numbered(siteWanted, id) }

// CancelOf implements store.SiteView.
func (s *site) CancelOf(id fleet.CommandID) (uint64, bool, error) { return s.numbered(siteCancel, id) }

func (s *site) numbered(table byte, id fleet.CommandID) (uint64, bool, error) {
	b, err := s.t.get(siteKey(s.id, table, string(id)))
	if err != nil || b == nil {
		return 0, false, err
	}
	if len(b) != 8 {
		return 0, false, fmt.Errorf("order of command %s has %d bytes", id, len(b))
	}
	return binary.BigEndian.Uint64(b), true, nil
}

// AddOrder implements store.SiteTx.
func (s *site) AddOrder(o store.Order) (store.Order, error) {
	m, err := s.marks.get(s, siteMarks)
	if err != nil {
		return o, err
	}
	m.Head++
	s.marks.change = true
	o.Number = m.Head
	switch b := o.Body.(type) {
	case fleet.SendCommand:
		s.t.set(siteKey(s.id, siteWanted, string(b.Command)), number(nil, o.Number))
	case fleet.CancelCommand:
		s.t.set(siteKey(s.id, siteCancel, string(b.Command)), number(nil, o.Number))
	}
	s.t.set(dueKey(s.id, o.ExpiresAt, o.Number), empty)
	if err := s.count(func(c *store.Counts) { c.OrdersPending++ }); err != nil {
		return o, err
	}
	return o, s.putOrder(o)
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
	s.t.set(dueKey(s.id, o.ExpiresAt, n), nil)
	if b, ok := o.Body.(fleet.CancelCommand); ok {
		s.t.set(siteKey(s.id, siteCancel, string(b.Command)), nil)
	}
	if err := s.count(func(c *store.Counts) { c.OrdersPending-- }); err != nil {
		return err
	}
	return s.putOrder(o)
}

// Renumber implements store.SiteTx.
func (s *site) Renumber(cursor uint64, since time.Time) error {
	m, err := s.marks.get(s, siteMarks)
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
		s.t.set(orderKey(s.id, o.Number), nil)
		s.t.set(dueKey(s.id, o.ExpiresAt, o.Number), nil)
		if o.End == "" {
			if err := s.count(func(c *store.Counts) { c.OrdersPending-- }); err != nil {
				return err
			}
		}
	}
	m.Head, m.Offered, m.Taken = base, max(cursor, min(m.Offered, base)), max(cursor, min(m.Taken, base))
	s.marks.change = true
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
	m, err := s.marks.get(s, siteMarks)
	if err != nil {
		return err
	}
	if upto = min(upto, m.Head); upto <= m.Offered {
		return nil
	}
	for n := m.Offered + 1; n <= upto; n++ {
		o, found, err := s.Order(n)
		if err != nil {
			return err
		}
		if found {
			s.t.set(dueKey(s.id, o.ExpiresAt, n), nil)
		}
	}
	m.Offered, s.marks.change = upto, true
	return nil
}

// Taken implements store.SiteTx.
func (s *site) Taken(upto uint64) error {
	m, err := s.marks.get(s, siteMarks)
	if err != nil {
		return err
	}
	if upto = min(upto, m.Head); upto > m.Taken {
		m.Taken, s.marks.change = upto, true
	}
	return nil
}
