package store

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/fleet"
)

// Tx is one transaction. It reads what is committed, what earlier updates of
// its group wrote, and its own writes.
type Tx struct {
	batch  *pebble.Batch // shared by the group; written only by merge
	writes map[string][]byte
	ranges [][2][]byte // to delete, before the writes: from, and to before

	essential bool
}

// merge moves the writes into the group's batch; before that an error can
// still undo them.
func (t *Tx) merge() error {
	for _, r := range t.ranges {
		if err := t.batch.DeleteRange(r[0], r[1], nil); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	for k, v := range t.writes {
		var err error
		if v == nil {
			err = t.batch.Delete([]byte(k), nil)
		} else {
			err = t.batch.Set([]byte(k), v, nil)
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func (t *Tx) get(k []byte) ([]byte, error) {
	if v, ok := t.writes[string(k)]; ok {
		return v, nil
	}
	return get(t.batch, k)
}

// set writes v, which the caller gives away; nil deletes.
func (t *Tx) set(k, v []byte) {
	if t.writes == nil {
		t.writes = map[string][]byte{}
	}
	t.writes[string(k)] = v
}

func (t *Tx) setJSON(k []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	t.set(k, b)
	return nil
}

// Entity implements fleet.View.
func (t *Tx) Entity(r fleet.Ref) ([]byte, error) { return t.get(entityKey(r)) }

// PutEntity writes c.After and what is found by it: open requests, and
// commands that have not ended.
func (t *Tx) PutEntity(c fleet.Change) error {
	b, err := fleet.EncodeEntity(c.After)
	if err != nil {
		return err
	}
	t.set(entityKey(c.After.Ref()), b)
	switch e := c.After.(type) {
	case fleet.Request:
		t.mark(key(tableOpen, string(e.ID)), !e.State.Ended())
	case fleet.Command:
		t.mark(key(tablePending, string(e.Device), string(e.ID)), !e.State.Ended())
		if e.Job != "" && c.Before == nil {
			t.mark(key(tableJob, string(e.Job), string(e.ID)), true)
		}
	}
	return nil
}

func (t *Tx) mark(k []byte, on bool) {
	if on {
		t.set(k, []byte{})
	} else {
		t.set(k, nil)
	}
}

// getJSON reads the value of k into a T; false when there is none.
func getJSON[T any](get func([]byte) ([]byte, error), k []byte) (T, bool, error) {
	var v T
	b, err := get(k)
	if err != nil || b == nil {
		return v, false, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, false, fmt.Errorf("decode %T at %q: %w", v, k, err)
	}
	return v, true, nil
}

func (s *Store) get(k []byte) ([]byte, error) { return get(s.db, k) }

// each calls fn with every key of a prefix, from the key from on if that is
// given, until fn says false. k and v are valid during the call.
func (s *Store) each(p, from []byte, fn func(k, v []byte) (bool, error)) error {
	return each(s.db, p, from, fn)
}

func each(r pebble.Reader, p, from []byte, fn func(k, v []byte) (bool, error)) (err error) {
	lower := p
	if from != nil {
		lower = from
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: after(p)})
	if err != nil {
		return fmt.Errorf("read store: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	ok, err := step(it.First)
	for ok && err == nil {
		more, err := fn(it.Key(), it.Value())
		if err != nil || !more {
			return err
		}
		if ok, err = step(it.Next); err != nil {
			return err
		}
	}
	return errors.Join(err, it.Error())
}

// step moves an iterator; a panic of the engine is ErrDamaged.
func step(move func() bool) (ok bool, err error) {
	defer caught(&err)
	return move(), nil
}

// each reads what was there when the transaction began, without its own
// writes; that is enough for the lists it is used on.
func (t *Tx) each(p, from []byte, fn func(k, v []byte) (bool, error)) error {
	return each(t.batch, p, from, fn)
}
