package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// site is one site in a transaction: a store.SiteView, and in one that writes
// a store.SiteTx. The site's own row is read with the first statement of the
// transaction; what was read or written of the others is kept until its end.
type site struct {
	t   *tx
	row store.Site

	lanes   doc[lanes]
	counts  doc[store.Counts]
	marks   doc[store.OrderMarks]
	contact doc[store.Contact]
	session doc[store.Session]
	policy  doc[fleet.Policy]

	entities map[fleet.Ref]*cell[[]byte]
	states   map[fleet.DeviceID]*cell[*store.StateRow]
	orders   map[uint64]*cell[*store.Order]
	hours    map[uint32]*cell[*store.StoredHour]
	epochs   map[fleet.Epoch]*cell[*lane.Life]
	records  map[recordKey]record
	wanted   map[fleet.CommandID]*cell[uint64] // by the command; 0 for none
	cancels  map[fleet.CommandID]*cell[uint64]

	targets map[targetKey]*cell[*store.JobTarget]
	alerts  map[fleet.AlertID]*cell[*store.Alert]
	usage   map[int64]*cell[*store.Usage]
	hub     *store.Hub
	newest  *newestUsage // nil when it was not read

	unsettled []deviceChange
	// terms are those that devices and rooms had before this transaction touched
	// them.
	terms     map[fleet.DeviceID][]store.Term
	roomTerms map[fleet.RoomID][]store.Term
}

// doc is a document of the site's row.
type doc[T any] struct {
	stored     []byte
	value      T
	read, dirt bool
}

func (d *doc[T]) get() (*T, error) {
	if !d.read {
		if err := decode(d.stored, &d.value); err != nil {
			return nil, err
		}
		d.read = true
	}
	return &d.value, nil
}

// change is get for who changes the value.
func (d *doc[T]) change() (*T, error) {
	v, err := d.get()
	d.dirt = err == nil
	return v, err
}

// next is what is to be written; nil for a document that has not changed.
func (d *doc[T]) next() (*string, error) {
	if !d.dirt {
		return nil, nil
	}
	s, err := document(d.value)
	return &s, err
}

// cell is a row that was read or written.
type cell[T any] struct {
	value T
	dirt  bool
}

// lanes says how far each lane of the current epoch is held, and who speaks for
// the site.
type lanes struct {
	Epoch fleet.Epoch `json:"epoch,omitempty"`
	lane.Life
	Seen lane.Seen `json:"seen,omitzero"`
}

const (
	siteColumns = "SELECT site, lanes, counts, marks, contact, session, policy FROM sites "
	readSite    = siteColumns + "WHERE site_id = $1"
	lockedSite  = readSite + " FOR UPDATE"
)

// scan reads the site's row.
func (s *site) scan(r pgx.Rows) error {
	var row []byte
	if err := r.Scan(&row, &s.lanes.stored, &s.counts.stored, &s.marks.stored, &s.contact.stored, &s.session.stored, &s.policy.stored); err != nil {
		return err
	}
	return decode(row, &s.row)
}

// ViewSite implements store.Store.
func (s *Store) ViewSite(ctx context.Context, id fleet.SiteID, fn func(store.SiteView) error) error {
	v := &site{}
	return s.view(ctx, query{readSite, []any{id}, v.scan}, func(t *tx) error {
		if v.row.ID == "" {
			return noSite(id)
		}
		v.t = t
		return fn(v)
	})
}

// ViewSites implements store.Store.
func (s *Store) ViewSites(ctx context.Context, behind fleet.SiteID, limit int, fn func(store.SiteView) error) (int, error) {
	var all []*site
	first := query{siteColumns + "WHERE site_id > $1 ORDER BY site_id LIMIT $2", []any{behind, max(1, limit)}, func(r pgx.Rows) error {
		v := &site{}
		all = append(all, v)
		return v.scan(r)
	}}
	err := s.view(ctx, first, func(t *tx) error {
		if err := beside(t, all); err != nil {
			return err
		}
		for _, v := range all {
			v.t = t
			if err := fn(v); err != nil {
				return err
			}
		}
		return nil
	})
	return len(all), err
}

// UpdateSite implements store.Store.
func (s *Store) UpdateSite(ctx context.Context, id fleet.SiteID, fn func(store.SiteTx) error) error {
	unlock, err := s.sites.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	var v *site
	first := query{lockedSite, []any{id}, func(r pgx.Rows) error {
		v = &site{} // the transaction may run again
		return v.scan(r)
	}}
	return s.update(ctx, first, func(t *tx) error {
		if v == nil {
			return noSite(id)
		}
		v.t = t
		if err := fn(v); err != nil {
			return err
		}
		return v.flush()
	})
}

// Site implements store.SiteView.
func (s *site) Site() store.Site { return s.row }

// Contact implements store.SiteView.
func (s *site) Contact() (store.Contact, error) { return value(&s.contact) }

// Session implements store.SiteView.
func (s *site) Session() (store.Session, error) { return value(&s.session) }

// Marks implements store.SiteView.
func (s *site) Marks() (store.OrderMarks, error) { return value(&s.marks) }

func value[T any](d *doc[T]) (T, error) {
	v, err := d.get()
	if err != nil {
		var none T
		return none, err
	}
	return *v, nil
}

// Policy implements store.SiteView.
func (s *site) Policy() (fleet.Policy, bool, error) {
	if len(s.policy.stored) == 0 && !s.policy.read {
		return fleet.Policy{}, false, nil
	}
	p, err := value(&s.policy)
	return p, err == nil, err
}

// Seen implements store.SiteView and lane.Holder.
func (s *site) Seen() (lane.Seen, error) {
	v, err := value(&s.lanes)
	return v.Seen, err
}

// Life implements store.SiteView and lane.Holder.
func (s *site) Life(e fleet.Epoch) (lane.Life, bool, error) {
	v, err := value(&s.lanes)
	if err != nil {
		return lane.Life{}, false, err
	}
	if e == v.Epoch {
		return v.Life.Clone(), e != "", nil
	}
	c, ok := s.epochs[e]
	if !ok {
		life, found, err := oneJSON[lane.Life](s.t, "SELECT life FROM former_epochs WHERE site_id = $1 AND epoch = $2", s.row.ID, e)
		if err != nil {
			return lane.Life{}, false, err
		}
		c = keep(&s.epochs, e, nil)
		if found {
			c.value = &life
		}
	}
	if c.value == nil {
		return lane.Life{}, false, nil
	}
	return c.value.Clone(), true, nil
}

// Counts implements store.SiteView.
func (s *site) Counts() (store.Counts, error) {
	if err := s.settle(); err != nil {
		return store.Counts{}, err
	}
	return value(&s.counts)
}

// Epoch implements store.SiteView and lane.Holder.
func (s *site) Epoch() (fleet.Epoch, error) {
	l, err := value(&s.lanes)
	return l.Epoch, err
}

// Position implements store.SiteView and lane.Holder.
func (s *site) Position(l fleet.Lane) (lane.Position, error) {
	v, err := value(&s.lanes)
	return v.Lanes[l], err
}

// StateVersion implements store.SiteView and lane.Holder.
func (s *site) StateVersion() (uint64, error) {
	v, err := value(&s.lanes)
	return v.State, err
}

// Entity implements fleet.View.
func (s *site) Entity(r fleet.Ref) ([]byte, error) {
	if r.Kind == fleet.EntityDevice && slices.ContainsFunc(s.unsettled, func(c deviceChange) bool { return string(c.id) == r.ID }) {
		if err := s.settle(); err != nil {
			return nil, err
		}
	}
	if c, ok := s.entities[r]; ok {
		return c.value, nil
	}
	b, _, err := one[[]byte](s.t, "SELECT entity FROM entities WHERE site_id = $1 AND kind = $2 AND id = $3", s.row.ID, r.Kind, r.ID)
	if err != nil {
		return nil, err
	}
	keep(&s.entities, r, b)
	return b, nil
}

// State implements store.SiteView.
func (s *site) State(id fleet.DeviceID) (store.StateRow, bool, error) {
	if err := s.settle(); err != nil {
		return store.StateRow{}, false, err
	}
	c, ok := s.states[id]
	if !ok {
		row, found, err := oneJSON[store.StateRow](s.t, "SELECT state FROM states WHERE site_id = $1 AND device_id = $2", s.row.ID, id)
		if err != nil {
			return row, false, err
		}
		c = keep(&s.states, id, nil)
		if found {
			c.value = &row
		}
	}
	if c.value == nil {
		return store.StateRow{}, false, nil
	}
	return *c.value, true, nil
}

// keep notes what was read.
func keep[K comparable, V any](m *map[K]*cell[V], k K, v V) *cell[V] {
	if *m == nil {
		*m = map[K]*cell[V]{}
	}
	c := &cell[V]{value: v}
	(*m)[k] = c
	return c
}

// put notes what is to be written.
func put[K comparable, V any](m *map[K]*cell[V], k K, v V) { keep(m, k, v).dirt = true }

// upwards calls fn with the entities of a kind behind an id.
func upwards[T fleet.Entity](s *site, behind string, fn func(T) bool) error {
	return entityList(s, behind, fn, "SELECT id, entity FROM entities WHERE site_id = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4")
}

// downwards calls fn with the entities of a kind before an id, the highest
// first. Ids of requests and commands sort by time.
func downwards[T fleet.Entity](s *site, before string, fn func(T) bool) error {
	return entityList(s, idBefore(before), fn, "SELECT id, entity FROM entities WHERE site_id = $1 AND kind = $2 AND id < $3 ORDER BY id DESC LIMIT $4")
}

func entityList[T fleet.Entity](s *site, from string, fn func(T) bool, sql string) error {
	var zero T
	kind := zero.Ref().Kind
	return listed(s.t, from, func(_ string, b []byte) (bool, error) { return decoded(string(kind), b, fn) }, sql, s.row.ID, kind)
}

func decoded[T any](what string, b []byte, fn func(T) bool) (bool, error) {
	var e T
	if err := json.Unmarshal(b, &e); err != nil {
		return false, fmt.Errorf("decode %s: %w", what, err)
	}
	return fn(e), nil
}

// Devices implements store.SiteView. The states of a page are read with it:
// who lists devices asks for them.
func (s *site) Devices(behind fleet.DeviceID, fn func(fleet.Device) bool) error {
	type row struct {
		id       fleet.DeviceID
		entity   []byte
		state    []byte
		decoded  fleet.Device
		stateRow *store.StateRow
	}
	return pages(func() (int, bool, error) {
		var rows []row
		err := s.t.read(func(r pgx.Rows) error {
			var x row
			if err := r.Scan(&x.id, &x.entity, &x.state); err != nil {
				return err
			}
			if err := decode(x.entity, &x.decoded); err != nil {
				return err
			}
			if x.state != nil {
				x.stateRow = &store.StateRow{}
				if err := decode(x.state, x.stateRow); err != nil {
					return err
				}
			}
			rows = append(rows, x)
			return nil
		}, `SELECT e.id, e.entity, s.state FROM entities e LEFT JOIN states s ON s.site_id = e.site_id AND s.device_id = e.id
			WHERE e.site_id = $1 AND e.kind = $2 AND e.id > $3 ORDER BY e.id LIMIT $4`, s.row.ID, fleet.EntityDevice, behind, pageRows)
		if err != nil {
			return 0, false, err
		}
		for _, x := range rows {
			if _, ok := s.states[x.id]; !ok {
				keep(&s.states, x.id, x.stateRow)
			}
		}
		for _, x := range rows {
			behind = x.id
			if !x.decoded.Removed && !fn(x.decoded) {
				return 0, false, nil
			}
		}
		return len(rows), true, nil
	})
}

// Rooms implements store.SiteView.
func (s *site) Rooms(fn func(fleet.Room) bool) error {
	return upwards(s, "", func(r fleet.Room) bool { return r.Removed || fn(r) })
}

// Requests implements store.SiteView.
func (s *site) Requests(before fleet.RequestID, fn func(fleet.Request) bool) error {
	return downwards(s, string(before), fn)
}

// OpenRequests implements store.SiteView.
func (s *site) OpenRequests(fn func(fleet.Request) bool) error {
	return listed(s.t, "", func(_ string, b []byte) (bool, error) { return decoded("request", b, fn) },
		"SELECT id, entity FROM entities WHERE site_id = $1 AND open AND id > $2 ORDER BY id LIMIT $3", s.row.ID)
}

// Commands implements store.SiteView.
func (s *site) Commands(before fleet.CommandID, fn func(fleet.Command) bool) error {
	return downwards(s, string(before), fn)
}

// DeadLetters implements store.SiteView.
func (s *site) DeadLetters(fn func(store.DeadLetter) bool) error {
	return laneList(s, "letter", "dead_letters", fn)
}

// laneList calls fn with the documents of a table by epoch, lane and number.
func laneList[T any](s *site, column, table string, fn func(T) bool) error {
	var at struct {
		epoch fleet.Epoch
		lane  int16
		seq   int64
	}
	at.lane = -1
	sql := "SELECT epoch, lane, seq, " + column + " FROM " + table + ` WHERE site_id = $1 AND (epoch, lane, seq) > ($2, $3, $4)
		ORDER BY epoch, lane, seq LIMIT $5`
	return pages(func() (int, bool, error) {
		var rows [][]byte
		err := s.t.read(func(r pgx.Rows) error {
			var b []byte
			err := r.Scan(&at.epoch, &at.lane, &at.seq, &b)
			rows = append(rows, b)
			return err
		}, sql, s.row.ID, at.epoch, at.lane, at.seq, pageRows)
		if err != nil {
			return 0, false, err
		}
		for _, b := range rows {
			if more, err := decoded(column, b, fn); err != nil || !more {
				return 0, false, err
			}
		}
		return len(rows), true, nil
	})
}

// Gaps implements store.SiteView.
func (s *site) Gaps(fn func(lane.Gap) bool) error {
	return laneList(s, "gap", "gaps", fn)
}

// Records implements store.SiteView.
func (s *site) Records(l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) bool) error {
	e, err := s.Epoch()
	if err != nil {
		return err
	}
	return s.RecordsOf(e, l, from, fn)
}

// RecordsOf implements store.SiteView.
func (s *site) RecordsOf(e fleet.Epoch, l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) bool) error {
	return listed(s.t, int64(from)-1, func(n int64, b []byte) (bool, error) { return fn(fleet.Seq(n), b), nil },
		"SELECT seq, record FROM records WHERE site_id = $1 AND epoch = $2 AND lane = $3 AND seq > $4 ORDER BY seq LIMIT $5",
		s.row.ID, e, int16(l))
}

// Digest implements store.SiteView.
func (s *site) Digest() (string, error) {
	var failed error
	d := fleet.SyncDigest(func(yield func(fleet.Ref, []byte) bool) {
		var at fleet.Ref
		failed = pages(func() (int, bool, error) {
			type row struct {
				ref fleet.Ref
				b   []byte
			}
			var rows []row
			err := s.t.read(func(r pgx.Rows) error {
				var x row
				err := r.Scan(&x.ref.Kind, &x.ref.ID, &x.b)
				rows = append(rows, x)
				return err
			}, "SELECT kind, id, entity FROM entities WHERE site_id = $1 AND (kind, id) > ($2, $3) ORDER BY kind, id LIMIT $4",
				s.row.ID, at.Kind, at.ID, pageRows)
			if err != nil {
				return 0, false, err
			}
			for _, x := range rows {
				at = x.ref
				if !yield(x.ref, x.b) {
					return 0, false, nil
				}
			}
			return len(rows), true, nil
		})
	})
	return d, failed
}

// Recount implements store.SiteView.
func (s *site) Recount() (store.Counts, error) { return store.Recount(s) }

var _ store.SiteTx = (*site)(nil)

// flush queues all that has changed for the commit: one statement a table.
func (s *site) flush() error {
	if err := s.settle(); err != nil {
		return err
	}
	l, errLanes := s.lanes.next()
	c, errCounts := s.counts.next()
	m, errMarks := s.marks.next()
	k, errContact := s.contact.next()
	e, errSession := s.session.next()
	p, errPolicy := s.policy.next()
	if err := errors.Join(errLanes, errCounts, errMarks, errContact, errSession, errPolicy); err != nil {
		return err
	}
	if l != nil || c != nil || m != nil || k != nil || e != nil || p != nil {
		s.t.write(`UPDATE sites SET lanes = coalesce($2, lanes), counts = coalesce($3, counts), marks = coalesce($4, marks),
			contact = coalesce($5, contact), session = coalesce($6, session),
			policy = coalesce($7, policy) WHERE site_id = $1`, s.row.ID, l, c, m, k, e, p)
	}
	return errors.Join(s.flushEntities(), s.flushStates(), s.flushTerms(), s.flushOrders(), s.flushHours(), s.flushEpochs(), s.flushRecords(),
		s.flushTargets(), s.flushAlerts(), s.flushUsage())
}
