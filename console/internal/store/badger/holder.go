package badger

import (
	"encoding/json"
	"errors"
	"fmt"
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
	)
}

// PutContact implements store.SiteTx.
func (s *site) PutContact(c store.Contact) error {
	s.contact = cached[store.Contact]{value: c, read: true, change: true}
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
	err = s.count(func(c *store.Counts) { countLetter(c, r) })
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
			countRequest(c, before, -1)
			countRequest(c, e, 1)
		}); err != nil {
			return err
		}
		s.mark(siteKey(s.id, siteOpen, string(e.ID)), !e.State.Ended())
	case fleet.Device:
		if err := s.countDevice(e); err != nil {
			return err
		}
	case fleet.Command:
		s.t.set(siteKey(s.id, siteWanted, string(e.ID)), nil)
	}
	s.t.set(entityKey(s.id, e.Ref()), b)
	return nil
}

// PutState implements lane.Holder.
func (s *site) PutState(v fleet.DeviceState, asOfMS int64) error {
	d, registered, err := fleet.Get[fleet.Device](s, fleet.DeviceRef(v.ID))
	if err != nil {
		return err
	}
	if registered && !d.Removed {
		before, err := s.presence(v.ID)
		if err != nil {
			return err
		}
		if err := s.count(func(c *store.Counts) {
			countPresence(c, before, -1)
			countPresence(c, v.Presence, 1)
		}); err != nil {
			return err
		}
	}
	row := store.StateRow{DeviceState: v}
	if asOfMS > 0 {
		row.AsOf = time.UnixMilli(asOfMS).UTC()
	}
	return s.t.setJSON(siteKey(s.id, siteState, string(v.ID)), row)
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
		c.Devices = maps.Clone(c.Devices)
		s.counts.change = true
	}
	if c.Devices == nil {
		c.Devices = map[fleet.Presence]int{}
	}
	change(c)
	return nil
}

func countPresence(c *store.Counts, p fleet.Presence, n int) {
	if c.Devices[p] += n; c.Devices[p] == 0 {
		delete(c.Devices, p)
	}
}

func countRequest(c *store.Counts, r fleet.Request, n int) {
	if !r.Purpose.ForPeople() {
		return
	}
	switch r.State {
	case fleet.RequestOpen:
		c.Open += n
		if r.Priority == fleet.Emergency {
			c.Emergency += n
		}
	case fleet.RequestAccepted:
		c.Accepted += n
	case fleet.RequestCompleted, fleet.RequestCancelled, fleet.RequestMissed:
	}
}

func countLetter(c *store.Counts, r lane.Rejected) {
	c.DeadLetters++
	if fleet.AuditForked(r.Reason) {
		c.AuditForks++
	}
}

// presence is what a device counts as.
func (s *site) presence(id fleet.DeviceID) (fleet.Presence, error) {
	row, found, err := s.State(id)
	if err != nil || !found {
		return fleet.NeverSeen, err
	}
	return row.Presence, nil
}

func (s *site) countDevice(after fleet.Device) error {
	before, found, err := fleet.Get[fleet.Device](s, after.Ref())
	if err != nil {
		return err
	}
	n := 0
	if found && !before.Removed {
		n--
	}
	if !after.Removed {
		n++
	}
	if n == 0 {
		return nil
	}
	p, err := s.presence(after.ID)
	if err != nil {
		return err
	}
	return s.count(func(c *store.Counts) { countPresence(c, p, n) })
}

// Recount implements store.SiteView.
func (s *site) Recount() (store.Counts, error) {
	c := store.Counts{Devices: map[fleet.Presence]int{}}
	presences := map[fleet.DeviceID]fleet.Presence{}
	err := s.t.each(siteKey(s.id, siteState), nil, func(_, v []byte) (bool, error) {
		var row store.StateRow
		if err := json.Unmarshal(v, &row); err != nil {
			return false, fmt.Errorf("decode state: %w", err)
		}
		presences[row.ID] = row.Presence
		return true, nil
	})
	err = errors.Join(err, s.Devices("", func(d fleet.Device) bool {
		p, found := presences[d.ID]
		if !found {
			p = fleet.NeverSeen
		}
		c.Devices[p]++
		return true
	}))
	err = errors.Join(err, s.Requests("", func(r fleet.Request) bool {
		countRequest(&c, r, 1)
		return true
	}))
	err = errors.Join(err, s.DeadLetters(func(d store.DeadLetter) bool {
		countLetter(&c, d.Rejected)
		return true
	}))
	err = errors.Join(err, s.Gaps(func(lane.Gap) bool {
		c.Gaps++
		return true
	}))
	err = errors.Join(err, s.Traffic(time.Time{}, hoursEnd, false, func(store.TrafficHour) bool {
		c.TrafficHours++
		return true
	}))
	return c, errors.Join(err, s.OrdersAfter(0, func(o store.Order) bool {
		if o.End == "" {
			c.OrdersPending++
		}
		return true
	}))
}
