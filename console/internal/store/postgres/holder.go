package postgres

import (
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// PutContact implements store.SiteTx.
func (s *site) PutContact(c store.Contact) error {
	s.contact = doc[store.Contact]{value: c, read: true, dirt: true}
	return nil
}

// PutSession implements store.SiteTx.
func (s *site) PutSession(v store.Session) error {
	s.session = doc[store.Session]{value: v, read: true, dirt: true}
	return nil
}

// Audit implements store.SiteTx.
func (s *site) Audit(by fleet.Actor, action, target string, detail map[string]string) error {
	return s.t.audit(by, action, target, detail)
}

// PutPolicy implements store.SiteTx.
func (s *site) PutPolicy(p fleet.Policy) error {
	if err := p.Check(); err != nil {
		return err
	}
	s.policy = doc[fleet.Policy]{value: p, read: true, dirt: true}
	return nil
}

// BeginEpoch implements lane.Holder.
func (s *site) BeginEpoch(e fleet.Epoch, l lane.Life) error {
	v, err := s.lanes.change()
	if err != nil {
		return err
	}
	if v.Epoch != "" {
		before := v.Life
		put(&s.epochs, v.Epoch, &before)
	}
	put(&s.epochs, e, nil)
	v.Epoch, v.Life = e, l.Clone()
	return nil
}

func (s *site) flushEpochs() error {
	for e, c := range s.epochs {
		switch {
		case !c.dirt:
		case c.value == nil:
			s.t.write("DELETE FROM former_epochs WHERE site_id = $1 AND epoch = $2", s.row.ID, e)
		default:
			err := s.t.writeJSON(c.value, `INSERT INTO former_epochs (site_id, epoch, life) VALUES ($1, $2, $3)
				ON CONFLICT (site_id, epoch) DO UPDATE SET life = excluded.life`, s.row.ID, e)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// SetSeen implements lane.Holder.
func (s *site) SetSeen(v lane.Seen) error {
	l, err := s.lanes.change()
	if err != nil {
		return err
	}
	l.Seen = v
	return nil
}

// PutGap implements lane.Holder.
func (s *site) PutGap(g lane.Gap) error {
	if err := s.count(func(c *store.Counts) { c.Gaps++ }); err != nil {
		return err
	}
	return s.t.writeJSON(g, `INSERT INTO gaps (site_id, epoch, lane, seq, gap) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (site_id, epoch, lane, seq) DO UPDATE SET gap = excluded.gap`, s.row.ID, g.Epoch, int16(g.Lane), int64(g.To))
}

// SetPosition implements lane.Holder.
func (s *site) SetPosition(v fleet.Lane, p lane.Position) error {
	l, err := s.lanes.change()
	if err != nil {
		return err
	}
	l.Lanes = maps.Clone(l.Lanes)
	if l.Lanes == nil {
		l.Lanes = map[fleet.Lane]lane.Position{}
	}
	l.Lanes[v] = p
	return nil
}

// SetStateVersion implements lane.Holder.
func (s *site) SetStateVersion(v uint64) error {
	l, err := s.lanes.change()
	if err != nil {
		return err
	}
	l.State = v
	return nil
}

// recordKey names a record that was put.
type recordKey struct {
	epoch fleet.Epoch
	lane  fleet.Lane
	seq   fleet.Seq
}

type record struct {
	encoded []byte
	hash    lane.Hash
}

// PutRecord implements lane.Holder.
func (s *site) PutRecord(l fleet.Lane, seq fleet.Seq, sum lane.Hash, encoded []byte) error {
	e, err := s.Epoch()
	if err != nil {
		return err
	}
	if encoded == nil {
		encoded = []byte{} // a record may be empty; nil would be NULL
	}
	if s.records == nil {
		s.records = map[recordKey]record{}
	}
	s.records[recordKey{e, l, seq}] = record{encoded, sum}
	return nil
}

// HashOf implements lane.Holder.
func (s *site) HashOf(e fleet.Epoch, l fleet.Lane, seq fleet.Seq) (lane.Hash, bool, error) {
	if r, ok := s.records[recordKey{e, l, seq}]; ok {
		return r.hash, true, nil
	}
	b, found, err := one[[]byte](s.t, "SELECT hash FROM records WHERE site_id = $1 AND epoch = $2 AND lane = $3 AND seq = $4",
		s.row.ID, e, int16(l), int64(seq))
	if err != nil || !found {
		return lane.Hash{}, false, err
	}
	if len(b) != len(lane.Hash{}) {
		return lane.Hash{}, false, fmt.Errorf("hash of record %d of lane %s has %d bytes", seq, l, len(b))
	}
	return lane.Hash(b), true, nil
}

// flushRecords writes the records, in one statement.
func (s *site) flushRecords() error {
	n := len(s.records)
	if n == 0 {
		return nil
	}
	epochs, lanes, seqs := make([]string, 0, n), make([]int16, 0, n), make([]int64, 0, n)
	records, hashes := make([][]byte, 0, n), make([][]byte, 0, n)
	for k, r := range s.records {
		epochs, lanes, seqs = append(epochs, string(k.epoch)), append(lanes, int16(k.lane)), append(seqs, int64(k.seq))
		records, hashes = append(records, r.encoded), append(hashes, r.hash[:])
	}
	s.t.write(`INSERT INTO records (site_id, epoch, lane, seq, record, hash)
		SELECT $1, w.* FROM unnest($2::text[], $3::smallint[], $4::bigint[], $5::bytea[], $6::bytea[]) AS w
		ON CONFLICT (site_id, epoch, lane, seq) DO UPDATE SET record = excluded.record, hash = excluded.hash`,
		s.row.ID, epochs, lanes, seqs, records, hashes)
	return nil
}

// PutDeadLetter implements lane.Holder.
func (s *site) PutDeadLetter(r lane.Rejected) error {
	e, err := s.Epoch()
	if err != nil {
		return err
	}
	if err := s.count(func(c *store.Counts) { c.AddLetter(r) }); err != nil {
		return err
	}
	return s.t.writeJSON(store.DeadLetter{Epoch: e, Rejected: r}, `INSERT INTO dead_letters (site_id, epoch, lane, seq, letter)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (site_id, epoch, lane, seq) DO UPDATE SET letter = excluded.letter`,
		s.row.ID, e, int16(r.Lane), int64(r.Seq))
}

// count changes the site's counts.
func (s *site) count(change func(*store.Counts)) error {
	fresh := !s.counts.dirt
	c, err := s.counts.change()
	if err != nil {
		return err
	}
	if fresh {
		*c = c.Clone()
	}
	change(c)
	return nil
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
	case fleet.Device:
		s.unsettled = append(s.unsettled, deviceChange{id: e.ID, device: b})
		return nil
	case fleet.Room:
		before, _, err := fleet.Get[fleet.Room](s, e.Ref())
		if err != nil {
			return err
		}
		s.touchRoom(e.ID, store.RoomTerms(before))
	case fleet.Command:
		put(&s.wanted, e.ID, 0)
	}
	put(&s.entities, e.Ref(), b)
	return nil
}

// PutState implements lane.Holder.
func (s *site) PutState(v fleet.DeviceState, asOfMS int64) error {
	row := store.StateRow{DeviceState: v}
	if asOfMS > 0 {
		row.AsOf = time.UnixMilli(asOfMS).UTC()
	}
	s.unsettled = append(s.unsettled, deviceChange{id: v.ID, state: &row})
	return nil
}

// deviceChange is a device or a state that was put, of which it is not known
// yet what was there before: a push brings many, and they are read at once.
type deviceChange struct {
	id     fleet.DeviceID
	device []byte
	state  *store.StateRow
}

// settle counts the devices and states that were put.
func (s *site) settle() error {
	if len(s.unsettled) == 0 {
		return nil
	}
	all := s.unsettled
	s.unsettled = nil
	if err := s.fetch(all); err != nil {
		return err
	}
	for _, c := range all {
		if err := s.settleOne(c); err != nil {
			return err
		}
	}
	return nil
}

// fetch reads what is not known of the devices.
func (s *site) fetch(all []deviceChange) error {
	var ids []string
	asked := map[fleet.DeviceID]bool{}
	for _, c := range all {
		_, device := s.entities[fleet.DeviceRef(c.id)]
		_, state := s.states[c.id]
		if (!device || !state) && !asked[c.id] {
			asked[c.id] = true
			ids = append(ids, string(c.id))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return s.t.read(func(r pgx.Rows) error {
		var id fleet.DeviceID
		var entity, state []byte
		if err := r.Scan(&id, &entity, &state); err != nil {
			return err
		}
		if _, ok := s.entities[fleet.DeviceRef(id)]; !ok {
			keep(&s.entities, fleet.DeviceRef(id), entity)
		}
		if _, ok := s.states[id]; ok {
			return nil
		}
		c := keep(&s.states, id, nil)
		if state == nil {
			return nil
		}
		c.value = &store.StateRow{}
		return decode(state, c.value)
	}, `SELECT w.id, e.entity, s.state FROM unnest($2::text[]) AS w(id)
		LEFT JOIN entities e ON e.site_id = $1 AND e.kind = $3 AND e.id = w.id COLLATE "C"
		LEFT JOIN states s ON s.site_id = $1 AND s.device_id = w.id COLLATE "C"`, s.row.ID, ids, fleet.EntityDevice)
}

// touchRoom notes the terms that a room had before this transaction.
func (s *site) touchRoom(id fleet.RoomID, had []store.Term) {
	if s.roomTerms == nil {
		s.roomTerms = map[fleet.RoomID][]store.Term{}
	}
	if _, ok := s.roomTerms[id]; !ok {
		s.roomTerms[id] = had
	}
}

// touch notes the terms that a device had before this transaction.
func (s *site) touch(id fleet.DeviceID, had []store.Term) {
	if s.terms == nil {
		s.terms = map[fleet.DeviceID][]store.Term{}
	}
	if _, ok := s.terms[id]; !ok {
		s.terms[id] = had
	}
}

func (s *site) settleOne(c deviceChange) error {
	ref := fleet.DeviceRef(c.id)
	if old := s.states[c.id].value; c.device != nil || store.OtherTerms(old, c.state) {
		had, err := s.termsOf(c.id)
		if err != nil {
			return err
		}
		s.touch(c.id, had)
	}
	before, err := s.counted(ref, s.states[c.id].value)
	if err != nil {
		return err
	}
	if c.device != nil {
		put(&s.entities, ref, c.device)
	} else {
		put(&s.states, c.id, c.state)
	}
	after, err := s.counted(ref, s.states[c.id].value)
	if err != nil || before == after {
		return err
	}
	return s.count(func(n *store.Counts) {
		if before != "" {
			n.AddDevices(before, -1)
		}
		if after != "" {
			n.AddDevices(after, 1)
		}
	})
}

// counted is what a device counts as; "" for one that is not registered.
func (s *site) counted(ref fleet.Ref, state *store.StateRow) (fleet.Presence, error) {
	d, found, err := fleet.Get[fleet.Device](s, ref)
	switch {
	case err != nil || !found || d.Removed:
		return "", err
	case state == nil:
		return fleet.NeverSeen, nil
	}
	return state.Presence, nil
}

// flushEntities writes the entities that have changed, in one statement.
func (s *site) flushEntities() error {
	var kinds, ids, values []string
	var open []bool
	for ref, c := range s.entities {
		if !c.dirt {
			continue
		}
		isOpen := false
		if ref.Kind == fleet.EntityRequest {
			r, _, err := fleet.Get[fleet.Request](s, ref)
			if err != nil {
				return err
			}
			isOpen = !r.State.Ended()
		}
		kinds, ids, values, open = append(kinds, string(ref.Kind)), append(ids, ref.ID), append(values, string(c.value)), append(open, isOpen)
	}
	if len(ids) > 0 {
		s.t.write(`INSERT INTO entities (site_id, kind, id, entity, open)
			SELECT $1, w.* FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[]) AS w
			ON CONFLICT (site_id, kind, id) DO UPDATE SET entity = excluded.entity, open = excluded.open`, s.row.ID, kinds, ids, values, open)
	}
	return nil
}

// flushStates writes the states that have changed, in one statement.
func (s *site) flushStates() error {
	var ids, values []string
	for id, c := range s.states {
		if !c.dirt {
			continue
		}
		v, err := document(c.value)
		if err != nil {
			return err
		}
		ids, values = append(ids, string(id)), append(values, v)
	}
	if len(ids) > 0 {
		s.t.write(`INSERT INTO states (site_id, device_id, state) SELECT $1, w.* FROM unnest($2::text[], $3::text[]) AS w
			ON CONFLICT (site_id, device_id) DO UPDATE SET state = excluded.state`, s.row.ID, ids, values)
	}
	return nil
}

// TrafficMark implements lane.Holder.
func (s *site) TrafficMark() (lane.TrafficMark, error) {
	l, err := value(&s.lanes)
	return l.Traffic, err
}

// SetTrafficMark implements lane.Holder.
func (s *site) SetTrafficMark(m lane.TrafficMark) error {
	l, err := s.lanes.get()
	if err == nil && l.Traffic != m {
		l.Traffic, s.lanes.dirt = m, true
	}
	return err
}
