package badger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// tx is one transaction of the engine. Writes gather in memory and are given
// to the engine at the end: a row that changes often counts once.
type tx struct {
	txn    *badger.Txn
	writes map[string][]byte // nil values are deletes; a nil map is read-only

	now func() time.Time
	// mayAudit: no other transaction adds to the audit; wantsAudit: this one would.
	mayAudit, wantsAudit bool
}

func (t *tx) get(k []byte) ([]byte, error) {
	if v, ok := t.writes[string(k)]; ok {
		return v, nil
	}
	item, err := t.txn.Get(k)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	v, err := item.ValueCopy(make([]byte, 0, item.ValueSize()))
	if err != nil {
		return nil, fmt.Errorf("read store: %w", err)
	}
	return v, nil
}

func (t *tx) has(k []byte) (bool, error) {
	v, err := t.get(k)
	return v != nil, err
}

// set writes v, which the caller gives away; nil deletes.
func (t *tx) set(k, v []byte) { t.writes[string(k)] = v }

func (t *tx) setJSON(k []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %T: %w", v, err)
	}
	t.set(k, b)
	return nil
}

func (t *tx) flush() error {
	for k, v := range t.writes {
		var err error
		if v == nil {
			err = t.txn.Delete([]byte(k))
		} else {
			err = t.txn.Set([]byte(k), v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// getJSON reads the value of k into a T; false when there is none.
func getJSON[T any](t *tx, k []byte) (T, bool, error) {
	var v T
	b, err := t.get(k)
	if err != nil || b == nil {
		return v, false, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, false, fmt.Errorf("decode %T at %q: %w", v, k, err)
	}
	return v, true, nil
}

// each calls fn with every key of a prefix, from the key from on if that is
// given, until fn says false. It shows what was there when the transaction
// began. k and v are valid during the call. No two may run at once in one
// transaction that writes (the engine's rule).
func (t *tx) each(p, from []byte, fn func(k, v []byte) (bool, error)) error {
	return t.scan(p, from, badger.IteratorOptions{PrefetchValues: true, PrefetchSize: 100, Prefix: p}, fn)
}

// keys is each without values.
func (t *tx) keys(p, from []byte, fn func(k []byte) (bool, error)) error {
	return t.scan(p, from, badger.IteratorOptions{Prefix: p}, func(k, _ []byte) (bool, error) { return fn(k) })
}

// back is each from the highest key down, before the key upper (nil for all).
func (t *tx) back(p, upper []byte, fn func(k, v []byte) (bool, error)) error {
	if upper == nil {
		upper = after(p)
	}
	return t.scan(p, upper, badger.IteratorOptions{PrefetchValues: true, PrefetchSize: 100, Reverse: true, Prefix: p}, fn)
}

func (t *tx) scan(p, from []byte, o badger.IteratorOptions, fn func(k, v []byte) (bool, error)) error {
	it := t.txn.NewIterator(o)
	defer it.Close()
	if from == nil {
		from = p
	}
	it.Seek(from)
	if o.Reverse && it.Valid() && bytes.Equal(it.Item().Key(), from) {
		it.Next() // upper itself is not part of it
	}
	for ; it.ValidForPrefix(p); it.Next() {
		item := it.Item()
		var v []byte
		if o.PrefetchValues {
			var err error
			if v, err = item.ValueCopy(nil); err != nil {
				return fmt.Errorf("read store: %w", err)
			}
		}
		more, err := fn(item.Key(), v)
		if err != nil || !more {
			return err
		}
	}
	return nil
}
