package postgres

import (
	"context"
	"strings"

	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/fleet"
)

// People implements store.Store.
func (s *Store) People() accountkv.DB { return people{s} }

type people struct{ s *Store }

// View implements accountkv.DB.
func (p people) View(ctx context.Context, fn func(accountkv.Reader) error) error {
	return p.s.view(ctx, query{sql: "SELECT 1"}, func(t *tx) error { return fn(peopleTx{t: t}) })
}

// Update implements accountkv.DB: changes of people run one after the other.
func (p people) Update(ctx context.Context, fn func(accountkv.Writer) error) error {
	return p.s.update(ctx, lockOf(lockPeople), func(t *tx) error { return fn(peopleTx{t, map[string][]byte{}}) })
}

type peopleTx struct {
	t *tx
	// changed is what this transaction has written; nil values were deleted.
	changed map[string][]byte
}

// Get implements accountkv.Reader.
func (p peopleTx) Get(k string) ([]byte, error) {
	if v, ok := p.changed[k]; ok {
		return v, nil
	}
	v, _, err := one[[]byte](p.t, "SELECT value FROM people WHERE key = $1", k)
	return v, err
}

// Scan implements accountkv.Reader.
func (p peopleTx) Scan(prefix, behind string, fn func(string, []byte) (bool, error)) error {
	return listed(p.t, max(behind, prefix), func(k string, v []byte) (bool, error) {
		if !strings.HasPrefix(k, prefix) {
			return false, nil
		}
		if k == behind {
			return true, nil
		}
		return fn(k, v)
	}, "SELECT key, value FROM people WHERE key >= $1 ORDER BY key LIMIT $2")
}

// Set implements accountkv.Writer.
func (p peopleTx) Set(k string, v []byte) error {
	if v == nil {
		v = []byte{} // nil would be NULL
	}
	p.changed[k] = v
	p.t.write("INSERT INTO people (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", k, v)
	return nil
}

// Delete implements accountkv.Writer.
func (p peopleTx) Delete(k string) error {
	p.changed[k] = nil
	p.t.write("DELETE FROM people WHERE key = $1", k)
	return nil
}

// Audit adds an entry to the console's own audit, in the transaction of the
// change that it tells of.
func (p peopleTx) Audit(by fleet.Actor, action, target string, detail map[string]string) error {
	return p.t.audit(by, action, target, detail)
}
