package badger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// site is one site in a transaction: a store.SiteView, and in one that writes
// a store.SiteTx. Rows that change with almost every call are read once and
// written at the end.
type site struct {
	t   *tx
	id  fleet.SiteID
	row store.Site

	cursor  cached[cursor]
	counts  cached[store.Counts]
	marks   cached[store.OrderMarks]
	contact cached[store.Contact]
	session cached[store.Session]
}

// cached is a row that is read once and, if it has changed, written once.
type cached[T any] struct {
	value        T
	read, change bool
}

func (c *cached[T]) get(s *site, table byte) (*T, error) {
	if !c.read {
		v, _, err := getJSON[T](s.t, siteKey(s.id, table))
		if err != nil {
			return nil, err
		}
		c.value, c.read = v, true
	}
	return &c.value, nil
}

func (c *cached[T]) flush(s *site, table byte) error {
	if !c.change {
		return nil
	}
	return s.t.setJSON(siteKey(s.id, table), c.value)
}

// cursor says how far each lane of the current epoch is held, and who speaks
// for the site.
type cursor struct {
	Epoch fleet.Epoch `json:"epoch,omitempty"`
	lane.Life
	Seen lane.Seen `json:"seen,omitzero"`
}

// Site implements store.SiteView.
func (s *site) Site() store.Site { return s.row }

// Entity implements fleet.View.
func (s *site) Entity(r fleet.Ref) ([]byte, error) { return s.t.get(entityKey(s.id, r)) }

// Hub implements store.SiteView.
func (s *site) Hub() (store.Hub, bool, error) {
	if s.row.Hub == "" {
		return store.Hub{}, false, nil
	}
	return getJSON[store.Hub](s.t, fleetKey(fleetHub, string(s.row.Hub)))
}

// Contact implements store.SiteView.
func (s *site) Contact() (store.Contact, error) {
	c, err := s.contact.get(s, siteContact)
	if err != nil {
		return store.Contact{}, err
	}
	return *c, nil
}

// Session implements store.SiteView.
func (s *site) Session() (store.Session, error) {
	v, err := s.session.get(s, siteSession)
	if err != nil {
		return store.Session{}, err
	}
	return *v, nil
}

// Counts implements store.SiteView.
func (s *site) Counts() (store.Counts, error) {
	c, err := s.counts.get(s, siteCounts)
	if err != nil {
		return store.Counts{}, err
	}
	return *c, nil
}

// Epoch implements store.SiteView and lane.Holder.
func (s *site) Epoch() (fleet.Epoch, error) {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return "", err
	}
	return c.Epoch, nil
}

// Position implements store.SiteView and lane.Holder.
func (s *site) Position(l fleet.Lane) (lane.Position, error) {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return lane.Position{}, err
	}
	return c.Lanes[l], nil
}

// StateVersion implements store.SiteView and lane.Holder.
func (s *site) StateVersion() (uint64, error) {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return 0, err
	}
	return c.State, nil
}

// State implements store.SiteView.
func (s *site) State(id fleet.DeviceID) (store.StateRow, bool, error) {
	return getJSON[store.StateRow](s.t, siteKey(s.id, siteState, string(id)))
}

// upwards calls fn with the entities of a kind behind an id.
func upwards[T fleet.Entity](s *site, behind string, fn func(T) bool) error {
	var zero T
	kind := zero.Ref().Kind
	var from []byte
	if behind != "" {
		from = append(entityKey(s.id, fleet.Ref{Kind: kind, ID: behind}), 0)
	}
	return s.t.each(entityPrefix(s.id, kind), from, func(_, v []byte) (bool, error) { return decoded(kind, v, fn) })
}

// downwards calls fn with the entities of a kind before an id, the highest
// first. Ids of requests and commands sort by time.
func downwards[T fleet.Entity](s *site, before string, fn func(T) bool) error {
	var zero T
	kind := zero.Ref().Kind
	var upper []byte
	if before != "" {
		upper = entityKey(s.id, fleet.Ref{Kind: kind, ID: before})
	}
	return s.t.back(entityPrefix(s.id, kind), upper, func(_, v []byte) (bool, error) { return decoded(kind, v, fn) })
}

func decoded[T any](kind fleet.EntityKind, b []byte, fn func(T) bool) (bool, error) {
	var e T
	if err := json.Unmarshal(b, &e); err != nil {
		return false, fmt.Errorf("decode %s: %w", kind, err)
	}
	return fn(e), nil
}

// Devices implements store.SiteView.
func (s *site) Devices(behind fleet.DeviceID, fn func(fleet.Device) bool) error {
	return upwards(s, string(behind), func(d fleet.Device) bool { return d.Removed || fn(d) })
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
	p := siteKey(s.id, siteOpen)
	return s.t.keys(p, nil, func(k []byte) (bool, error) {
		r, found, err := fleet.Get[fleet.Request](s, fleet.RequestRef(fleet.RequestID(k[len(p):])))
		if err != nil || !found {
			return true, err
		}
		return fn(r), nil
	})
}

// Commands implements store.SiteView.
func (s *site) Commands(before fleet.CommandID, fn func(fleet.Command) bool) error {
	return downwards(s, string(before), fn)
}

// DeadLetters implements store.SiteView.
func (s *site) DeadLetters(fn func(store.DeadLetter) bool) error {
	return s.t.each(siteKey(s.id, siteLetter), nil, func(_, v []byte) (bool, error) {
		return decoded("dead letter", v, fn)
	})
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
	p := lanePrefix(s.id, siteRecord, e, l)
	return s.t.each(p, number(bytes.Clone(p), uint64(from)), func(k, v []byte) (bool, error) {
		return fn(fleet.Seq(binary.BigEndian.Uint64(k[len(p):])), v), nil
	})
}

// Gaps implements store.SiteView.
func (s *site) Gaps(fn func(lane.Gap) bool) error {
	return s.t.each(siteKey(s.id, siteGap), nil, func(_, v []byte) (bool, error) { return decoded("gap", v, fn) })
}

// Seen implements store.SiteView and lane.Holder.
func (s *site) Seen() (lane.Seen, error) {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return lane.Seen{}, err
	}
	return c.Seen, nil
}

// Life implements store.SiteView and lane.Holder.
func (s *site) Life(e fleet.Epoch) (lane.Life, bool, error) {
	c, err := s.cursor.get(s, siteCursor)
	if err != nil {
		return lane.Life{}, false, err
	}
	if e == c.Epoch {
		return c.Life.Clone(), e != "", nil
	}
	b, err := s.t.get(siteKey(s.id, siteFormer, string(e)))
	if err != nil || b == nil {
		return lane.Life{}, false, err
	}
	if bytes.Equal(b, empty) {
		return lane.Life{}, true, nil // noted before its lanes were kept
	}
	var life lane.Life
	if err := json.Unmarshal(b, &life); err != nil {
		return lane.Life{}, false, fmt.Errorf("decode epoch %s: %w", e, err)
	}
	return life, true, nil
}

// HashOf implements lane.Holder.
func (s *site) HashOf(e fleet.Epoch, l fleet.Lane, seq fleet.Seq) (lane.Hash, bool, error) {
	var h lane.Hash
	b, err := s.t.get(number(lanePrefix(s.id, siteHash, e, l), uint64(seq)))
	if err != nil || b == nil {
		return h, false, err
	}
	return lane.Hash(b), true, nil
}

// Policy implements store.SiteView.
func (s *site) Policy() (fleet.Policy, bool, error) {
	return getJSON[fleet.Policy](s.t, siteKey(s.id, sitePolicy))
}

// Digest implements store.SiteView.
func (s *site) Digest() (string, error) {
	var failed error
	p := siteKey(s.id, siteEntity)
	d := fleet.SyncDigest(func(yield func(fleet.Ref, []byte) bool) {
		failed = s.t.each(p, nil, func(k, v []byte) (bool, error) {
			kind, id, ok := bytes.Cut(k[len(p):], []byte{0})
			if !ok {
				return false, fmt.Errorf("malformed entity key %q", k)
			}
			return yield(fleet.Ref{Kind: fleet.EntityKind(kind), ID: string(id)}, v), nil
		})
	})
	return d, failed
}
