package badger

import (
	"context"

	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/fleet"
)

// People implements store.Store.
func (s *Store) People() accountkv.DB { return people{s} }

type people struct{ s *Store }

// View implements accountkv.DB.
func (p people) View(ctx context.Context, fn func(accountkv.Reader) error) error {
	return p.s.view(ctx, func(t *tx) error { return fn(peopleTx{t}) })
}

// Update implements accountkv.DB. The engine sees conflicts of rows, not of
// what was found empty ("there is no user yet"); hence the lock.
func (p people) Update(ctx context.Context, fn func(accountkv.Writer) error) error {
	p.s.people.Lock()
	defer p.s.people.Unlock()
	return p.s.update(ctx, func(t *tx) error { return fn(peopleTx{t}) })
}

type peopleTx struct{ t *tx }

// Get implements accountkv.Reader.
func (p peopleTx) Get(k string) ([]byte, error) { return p.t.get(fleetKey(fleetPeople, k)) }

// Scan implements accountkv.Reader.
func (p peopleTx) Scan(prefix, behind string, fn func(string, []byte) (bool, error)) error {
	var from []byte
	if behind != "" {
		from = append(fleetKey(fleetPeople, behind), 0)
	}
	return p.t.each(fleetKey(fleetPeople, prefix), from, func(k, v []byte) (bool, error) { return fn(string(k[2:]), v) })
}

// Set implements accountkv.Writer.
func (p peopleTx) Set(k string, v []byte) error {
	p.t.set(fleetKey(fleetPeople, k), v)
	return nil
}

// Audit adds an entry to the console's own audit, in the transaction of the
// change that it tells of.
func (p peopleTx) Audit(by fleet.Actor, action, target string, detail map[string]string) error {
	return p.t.audit(by, action, target, detail)
}

// Delete implements accountkv.Writer.
func (p peopleTx) Delete(k string) error {
	p.t.set(fleetKey(fleetPeople, k), nil)
	return nil
}
