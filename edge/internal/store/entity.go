package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/fleet"
)

func entityRef(k []byte) (fleet.Ref, error) {
	kind, id, ok := bytes.Cut(k[1:], []byte{0})
	if !ok {
		return fleet.Ref{}, fmt.Errorf("malformed entity key %q", k)
	}
	return fleet.Ref{Kind: fleet.EntityKind(kind), ID: string(id)}, nil
}

// Entities calls fn with the entities of T's kind in the order of ids, behind
// the given id, until fn says false.
func Entities[T fleet.Entity](s *Store, after string, fn func(T) bool) error {
	return entities(s.each, after, fn)
}

// TxEntities is Entities as of the transaction's begin.
func TxEntities[T fleet.Entity](t *Tx, after string, fn func(T) bool) error {
	return entities(t.each, after, fn)
}

// Refs names every entity there was when the transaction began.
func (t *Tx) Refs() ([]fleet.Ref, error) {
	var refs []fleet.Ref
	err := t.each([]byte{tableEntity}, nil, func(k, _ []byte) (bool, error) {
		ref, err := entityRef(k)
		refs = append(refs, ref)
		return true, err
	})
	return refs, err
}

func entities[T fleet.Entity](each func(p, from []byte, fn func(k, v []byte) (bool, error)) error, after string, fn func(T) bool) error {
	var zero T
	kind := zero.Ref().Kind
	p := prefix(tableEntity, string(kind))
	var from []byte
	if after != "" {
		from = append(entityKey(fleet.Ref{Kind: kind, ID: after}), 0)
	}
	return each(p, from, func(_, v []byte) (bool, error) {
		var e T
		if err := json.Unmarshal(v, &e); err != nil {
			return false, fmt.Errorf("decode %s: %w", kind, err)
		}
		return fn(e), nil
	})
}

// EntitiesBefore calls fn with the entities of T's kind whose ids begin with
// within, the highest id first, before the given id ("" for all), until fn
// says false. Ids of requests and commands sort by time, so this is newest
// first.
func EntitiesBefore[T fleet.Entity](s *Store, within, before string, fn func(T) bool) error {
	var zero T
	kind := zero.Ref().Kind
	p := append(prefix(tableEntity, string(kind)), within...)
	upper := after(p)
	if before != "" {
		upper = entityKey(fleet.Ref{Kind: kind, ID: before})
	}
	var wrong error
	err := back(s.db, p, upper, func(b []byte) bool {
		var e T
		if wrong = json.Unmarshal(b, &e); wrong != nil {
			wrong = fmt.Errorf("decode %s: %w", kind, wrong)
			return false
		}
		return fn(e)
	})
	return errors.Join(err, wrong)
}

// back calls fn with the values of the keys from upper, which is not one of
// them, down to p, until fn says false. The bytes are valid during the call.
func back(r pebble.Reader, p, upper []byte, fn func([]byte) bool) (err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("read store: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	ok, err := step(it.Last)
	for ok && err == nil {
		if !fn(it.Value()) {
			return nil
		}
		ok, err = step(it.Prev)
	}
	return errors.Join(err, it.Error())
}

// PressesOf returns the presses of a device, newest first.
func (s *Store) PressesOf(id fleet.DeviceID) ([]fleet.Press, error) {
	var all []fleet.Press
	err := EntitiesBefore(s, string(id)+"/", "", func(p fleet.Press) bool {
		all = append(all, p)
		return true
	})
	// Keys sort the numbers of a press as text.
	slices.SortStableFunc(all, func(a, b fleet.Press) int {
		return cmp.Or(b.ReceivedAt.Compare(a.ReceivedAt), cmp.Compare(b.SequenceID, a.SequenceID))
	})
	return all, err
}

// OpenRequests returns the requests that are open or accepted, in the order of
// their ids.
func (s *Store) OpenRequests() ([]fleet.Request, error) {
	var open []fleet.Request
	err := s.each([]byte{tableOpen}, nil, func(k, _ []byte) (bool, error) {
		r, found, err := fleet.Get[fleet.Request](s, fleet.RequestRef(fleet.RequestID(k[1:])))
		if found && !r.State.Ended() {
			open = append(open, r)
		}
		return true, err
	})
	return open, err
}

// PendingCommands returns the commands that have not ended, of one device or,
// for "", of all.
func (s *Store) PendingCommands(device fleet.DeviceID) ([]fleet.Command, error) {
	return pendingCommands(s, s.each, device)
}

// PendingCommands is Store.PendingCommands as of the transaction's begin.
func (t *Tx) PendingCommands(device fleet.DeviceID) ([]fleet.Command, error) {
	return pendingCommands(t, t.each, device)
}

func pendingCommands(
	v fleet.View, each func(p, from []byte, fn func(k, v []byte) (bool, error)) error, device fleet.DeviceID,
) ([]fleet.Command, error) {
	p := []byte{tablePending}
	if device != "" {
		p = prefix(tablePending, string(device))
	}
	var pending []fleet.Command
	err := each(p, nil, func(k, _ []byte) (bool, error) {
		_, id, _ := bytes.Cut(k[1:], []byte{0})
		c, found, err := fleet.Get[fleet.Command](v, fleet.CommandRef(fleet.CommandID(id)))
		if found && !c.State.Ended() {
			pending = append(pending, c)
		}
		return true, err
	})
	return pending, err
}
