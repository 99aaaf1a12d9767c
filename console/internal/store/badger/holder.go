package badger

import (
	"errors"
	"maps"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

var _ store.SiteTx = (*site)(nil)

// flush gives the cached rows to the transaction.
func (s *site) flush() error {
	return errors.Join(
		s.cursor.flush(s, siteCursor), s.counts.flush(s, siteCounts),
		s.marks.flush(s, siteMarks), s.contact.flush(s, siteContact),
		s.session.flush(s, siteSession),
	)
}

// PutContact implements store.SiteTx.
func (s *site) PutContact(c store.Contact) error {
	s.contact = cached[store.Contact]{value: c, read: true, change: true}
	return nil
}

// PutSession implements store.SiteTx.
func (s *site) PutSession(v store.Session) error {
	s.session = cached[store.Session]{value: v, read: true, change: true}
	return nil
}

// BeginEpoch implements lane.Holder.
func (s *site) BeginEpoch(e fleet.Epoch, l lane.Life) error {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return err
	}
	if c.Epoch != "" {
		if err := s.t.setJSON(siteKey(s.id, siteFormer, string(c.Epoch)), c.Life); err != nil {
			return err
		}
	}
	s.t.set(siteKey(s.id, siteFormer, string(e)), nil)
	c.Epoch, c.Life = e, l.Clone()
	s.cursor.change = true
	return nil
}

// SetSeen implements lane.Holder.
func (s *site) SetSeen(v lane.Seen) error {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return err
	}
	c.Seen, s.cursor.change = v, true
	return nil
}

// PutGap implements lane.Holder.
func (s *site) PutGap(g lane.Gap) error {
	if err := s.count(func(c *store.Counts) { c.Gaps++ }); err != nil {
		return err
	}
	return s.t.setJSON(number(lanePrefix(s.id, siteGap, g.Epoch, g.Lane), uint64(g.To)), g)
}

// PutPolicy implements store.SiteTx.
func (s *site) PutPolicy(p fleet.Policy) error {
	if err := p.Check(); err != nil {
		return err
	}
	return s.t.setJSON(siteKey(s.id, sitePolicy), p)
}

// SetPosition implements lane.Holder.
func (s *site) SetPosition(l fleet.Lane, p lane.Position) error {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return err
	}
	c.Lanes = maps.Clone(c.Lanes)
	if c.Lanes == nil {
		c.Lanes = map[fleet.Lane]lane.Position{}
	}
	c.Lanes[l] = p
	s.cursor.change = true
	return nil
}

// SetStateVersion implements lane.Holder.
func (s *site) SetStateVersion(v uint64) error {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return err
	}
	c.State = v
	s.cursor.change = true
	return nil
}

// PutRecord implements lane.Holder.
func (s *site) PutRecord(l fleet.Lane, seq fleet.Seq, sum lane.Hash, encoded []byte) error {
	e, err := s.Epoch()
	if err != nil {
		return err
	}
	if encoded == nil {
		encoded = []byte{} // a record may be empty; nil would delete
	}
	s.t.set(number(lanePrefix(s.id, siteRecord, e, l), uint64(seq)), encoded)
	s.t.set(number(lanePrefix(s.id, siteHash, e, l), uint64(seq)), sum[:])
	return nil
}

// PutDeadLetter implements lane.Holder.
func (s *site) PutDeadLetter(r lane.Rejected) error {
	e, err := s.Epoch()
	if err != nil {
		return err
	}
	err = s.count(func(c *store.Counts) { c.AddLetter(r) })
	if err != nil {
		return err
	}
	return s.t.setJSON(number(lanePrefix(s.id, siteLetter, e, r.Lane), uint64(r.Seq)), store.DeadLetter{Epoch: e, Rejected: r})
}

// PutEntity implements lane.Holder. It keeps what is found and counted by the
// entity.
func (s *site) PutEntity(e fleet.Entity) error {
	b, err := fleet.EncodeEntity(e)
	if err != nil {
		return err
	}
	switch e := e.(type) {
	case fleet.Request:
		before, _, err := fleet.Get[fleet.Request](s, e.Ref())
		if err != nil {
			return err
		}
		if err := s.count(func(c *store.Counts) {
			c.AddRequest(before, -1)
			c.AddRequest(e, 1)
		}); err != nil {
			return err
		}
		s.mark(siteKey(s.id, siteOpen, string(e.ID)), !e.State.Ended())
	case fleet.Device:
		if err := s.putDevice(e); err != nil {
			return err
		}
	case fleet.Room:
		before, _, err := fleet.Get[fleet.Room](s, e.Ref())
		if err != nil {
			return err
		}
		s.t.setTerms(s.id, fleet.DeviceID(e.ID), store.RoomTerms(before), store.RoomTerms(e))
	case fleet.Command:
		s.t.set(siteKey(s.id, siteWanted, string(e.ID)), nil)
	}
	s.t.set(entityKey(s.id, e.Ref()), b)
	return nil
}

// PutState implements lane.Holder.
func (s *site) PutState(v fleet.DeviceState, asOfMS int64) error {
	row, found, err := s.State(v.ID)
	if err != nil {
		return err
	}
	after := &store.StateRow{DeviceState: v}
	if asOfMS > 0 {
		after.AsOf = time.UnixMilli(asOfMS).UTC()
	}
	// Most states change nothing that devices are counted or found by.
	if before := stateOf(row, found); store.OtherTerms(before, after) {
		if err := s.otherState(v.ID, before, after); err != nil {
			return err
		}
	}
	return s.t.setJSON(siteKey(s.id, siteState, string(v.ID)), after)
}

// otherState counts and indexes a device by its new state.
func (s *site) otherState(id fleet.DeviceID, before, after *store.StateRow) error {
	d, registered, err := fleet.Get[fleet.Device](s, fleet.DeviceRef(id))
	if err != nil || !registered || d.Removed {
		return err
	}
	s.t.setTerms(s.id, id, store.DeviceTerms(d, before), store.DeviceTerms(d, after))
	presence := fleet.NeverSeen
	if before != nil {
		presence = before.Presence
	}
	if presence == after.Presence {
		return nil
	}
	return s.count(func(c *store.Counts) {
		c.AddDevices(presence, -1)
		c.AddDevices(after.Presence, 1)
	})
}

func (s *site) mark(k []byte, on bool) {
	if on {
		s.t.set(k, empty)
	} else {
		s.t.set(k, nil)
	}
}

// count changes the site's counts.
func (s *site) count(change func(*store.Counts)) error {
	c, err := s.counts.get(s, siteCounts)
	if err != nil {
		return err
	}
	if !s.counts.change {
		*c, s.counts.change = c.Clone(), true
	}
	change(c)
	return nil
}

// putDevice counts and indexes a device that is put.
func (s *site) putDevice(after fleet.Device) error {
	before, _, err := fleet.Get[fleet.Device](s, after.Ref())
	if err != nil {
		return err
	}
	row, found, err := s.State(after.ID)
	if err != nil {
		return err
	}
	state := stateOf(row, found)
	s.t.setTerms(s.id, after.ID, store.DeviceTerms(before, state), store.DeviceTerms(after, state))
	n := 0
	if before.ID != "" && !before.Removed {
		n--
	}
	if !after.Removed {
		n++
	}
	if n == 0 {
		return nil
	}
	p := fleet.NeverSeen
	if found {
		p = row.Presence
	}
	return s.count(func(c *store.Counts) { c.AddDevices(p, n) })
}

// Recount implements store.SiteView.
func (s *site) Recount() (store.Counts, error) { return store.Recount(s) }
