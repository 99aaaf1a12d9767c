package store

import (
	"context"

	"github.com/obedio/obedio/shared/account/accountkv"
)

// People is the part of the store in which accountkv keeps users, sessions and
// tokens.
func (s *Store) People() accountkv.DB { return people{s} }

type people struct{ s *Store }

func (p people) View(_ context.Context, fn func(accountkv.Reader) error) error {
	return fn(section{get: p.s.get, each: p.s.each})
}

func (p people) Update(ctx context.Context, fn func(accountkv.Writer) error) error {
	return p.s.Update(ctx, func(tx *Tx) error { return fn(tx.People()) })
}

// People is that part in a transaction, which is Essential from then on: whoever
// is to make room must be able to sign in.
func (t *Tx) People() accountkv.Writer {
	t.Essential()
	return writableSection{section{get: t.get, each: t.each}, t}
}

type section struct {
	get  func([]byte) ([]byte, error)
	each func(p, from []byte, fn func(k, v []byte) (bool, error)) error
}

func (s section) Get(k string) ([]byte, error) { return s.get(key(tableAccount, k)) }

func (s section) Scan(prefix, after string, fn func(string, []byte) (bool, error)) error {
	var from []byte
	if after != "" {
		from = append(key(tableAccount, after), 0)
	}
	return s.each(key(tableAccount, prefix), from, func(k, v []byte) (bool, error) { return fn(string(k[1:]), v) })
}

type writableSection struct {
	section
	tx *Tx
}

func (w writableSection) Set(k string, v []byte) error {
	w.tx.set(key(tableAccount, k), v)
	return nil
}

func (w writableSection) Delete(k string) error {
	w.tx.set(key(tableAccount, k), nil)
	return nil
}
