package badger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// SearchDevices implements store.Store.
func (s *Store) SearchDevices(ctx context.Context, q store.DeviceQuery, at store.DevicePlace) (page store.DevicePage, err error) {
	err = s.view(ctx, func(t *tx) error {
		page, err = store.SearchDevices(deviceIndex{t, map[roomKey]string{}}, q, at)
		return err
	})
	return page, err
}

// termKey names a term of a device. Values have no byte below ' '.
func termKey(site fleet.SiteID, id fleet.DeviceID, t store.Term) []byte {
	return fleetKey(fleetTerm, string(rune(t.Field))+t.Value, string(site), string(id))
}

// setTerms makes the terms of a device be after instead of before.
func (t *tx) setTerms(site fleet.SiteID, id fleet.DeviceID, before, after []store.Term) {
	for _, x := range before {
		if !slices.Contains(after, x) {
			t.set(termKey(site, id, x), nil)
		}
	}
	for _, x := range after {
		if !slices.Contains(before, x) {
			t.set(termKey(site, id, x), empty)
		}
	}
}

// deviceIndex implements store.DeviceIndex.
type deviceIndex struct {
	t *tx
	// rooms are the names of those that were read: many devices are in one.
	rooms map[roomKey]string
}

type roomKey struct {
	site fleet.SiteID
	room fleet.RoomID
}

// CountTerms implements store.DeviceIndex.
func (x deviceIndex) CountTerms(f store.TermField, r store.TermRange, most int) (int, error) {
	n := 0
	err := x.terms(f, r, nil, func(store.DevicePlace) bool {
		n++
		return n < most
	})
	return n, err
}

// Terms implements store.DeviceIndex.
func (x deviceIndex) Terms(r store.TermRange, behind store.DevicePlace, limit int) (all []store.DevicePlace, err error) {
	var from []byte
	if behind.Value >= r.From {
		from = append(termKey(behind.Site, behind.Device, store.Term{Field: behind.Field, Value: behind.Value}), 0)
	}
	err = x.terms(behind.Field, r, from, func(p store.DevicePlace) bool {
		all = append(all, p)
		return len(all) < limit
	})
	return all, err
}

func (x deviceIndex) terms(f store.TermField, r store.TermRange, from []byte, fn func(store.DevicePlace) bool) error {
	p := fleetKey(fleetTerm, string(rune(f)))
	end := append(bytes.Clone(p), r.To...)
	if from == nil {
		from = append(bytes.Clone(p), r.From...)
	}
	return x.t.keys(p, from, func(k []byte) (bool, error) {
		if bytes.Compare(k, end) >= 0 {
			return false, nil
		}
		parts := bytes.SplitN(k[len(p):], []byte{0}, 3)
		if len(parts) != 3 {
			return false, fmt.Errorf("malformed key %x", bytes.Clone(k))
		}
		return fn(store.DevicePlace{Field: f, Value: string(parts[0]), Site: fleet.SiteID(parts[1]), Device: fleet.DeviceID(parts[2])}), nil
	})
}

// Found implements store.DeviceIndex.
func (x deviceIndex) Found(at []store.DevicePlace) ([]store.FoundDevice, error) {
	all := make([]store.FoundDevice, 0, len(at))
	for _, p := range at {
		s := &site{t: x.t, id: p.Site}
		d, found, err := fleet.Get[fleet.Device](s, fleet.DeviceRef(p.Device))
		if err != nil {
			return nil, err
		}
		if !found || d.Removed {
			continue
		}
		one, err := x.found(s, d)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// found is a device with its state and the name of its room.
func (x deviceIndex) found(s *site, d fleet.Device) (store.FoundDevice, error) {
	out := store.FoundDevice{Site: s.id, Device: d}
	row, found, err := s.State(d.ID)
	if err != nil {
		return out, err
	}
	if found {
		out.State = &row
	}
	name, known := x.rooms[roomKey{s.id, d.Room}]
	if !known {
		room, _, err := fleet.Get[fleet.Room](s, fleet.RoomRef(d.Room))
		if err != nil {
			return out, err
		}
		name = room.Name
		x.rooms[roomKey{s.id, d.Room}] = name
	}
	out.RoomName = name
	return out, nil
}

// SiteDevices implements store.DeviceIndex.
func (x deviceIndex) SiteDevices(id fleet.SiteID, behind fleet.DeviceID, limit int) (all []store.FoundDevice, last fleet.DeviceID, err error) {
	s := &site{t: x.t, id: id}
	n := 0
	var failed error
	err = upwards(s, string(behind), func(d fleet.Device) bool {
		if n++; !d.Removed {
			var one store.FoundDevice
			if one, failed = x.found(s, d); failed != nil {
				return false
			}
			all = append(all, one)
		}
		if n == limit {
			last = d.ID
		}
		return n < limit
	})
	return all, last, errors.Join(err, failed)
}

// NextSite implements store.DeviceIndex.
func (x deviceIndex) NextSite(behind fleet.SiteID) (id fleet.SiteID, found bool, err error) {
	p := fleetKey(fleetSite)
	var from []byte
	if behind != "" {
		from = append(fleetKey(fleetSite, string(behind)), 0)
	}
	err = x.t.keys(p, from, func(k []byte) (bool, error) {
		id, found = fleet.SiteID(k[len(p):]), true
		return false, nil
	})
	return id, found, err
}

// CountDevices implements store.DeviceIndex.
func (x deviceIndex) CountDevices(sites []fleet.SiteID, most int) (int, error) {
	n := 0
	for _, id := range sites {
		c, err := (&site{t: x.t, id: id}).Counts()
		if err != nil {
			return 0, err
		}
		if n += c.AllDevices(); n >= most {
			return most, nil
		}
	}
	return n, nil
}

// reindex writes the terms of all devices of a store that has none yet.
func (s *Store) reindex() error {
	return s.view(context.Background(), func(t *tx) error {
		w := s.db.NewWriteBatch()
		defer w.Cancel()
		n := 0
		err := t.each(fleetKey(fleetSite), nil, func(_, b []byte) (bool, error) {
			var row store.Site
			if err := json.Unmarshal(b, &row); err != nil {
				return false, fmt.Errorf("decode site: %w", err)
			}
			v := &site{t: t, id: row.ID}
			var failed error
			err := upwards(v, "", func(d fleet.Device) bool {
				var state store.StateRow
				var found bool
				if state, found, failed = v.State(d.ID); failed != nil {
					return false
				}
				n++
				for _, x := range store.DeviceTerms(d, stateOf(state, found)) {
					if failed = w.SetEntry(badger.NewEntry(termKey(row.ID, d.ID, x), empty)); failed != nil {
						return false
					}
				}
				return true
			})
			err = errors.Join(err, failed, v.Rooms(func(r fleet.Room) bool {
				for _, x := range store.RoomTerms(r) {
					if failed = w.SetEntry(badger.NewEntry(termKey(row.ID, fleet.DeviceID(r.ID), x), empty)); failed != nil {
						return false
					}
				}
				return true
			}))
			return true, errors.Join(err, failed)
		})
		if err == nil {
			err = w.Flush()
		}
		if err != nil {
			return fmt.Errorf("index devices: %w", err)
		}
		s.log.Info("devices indexed for the search", "devices", n)
		return nil
	})
}

// stateOf is a state that may be none.
func stateOf(row store.StateRow, found bool) *store.StateRow {
	if !found {
		return nil
	}
	return &row
}
