package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// tx is one transaction. What it reads it reads at once; what it writes waits
// until the commit, and leaves with it.
type tx struct {
	s    *Store
	ctx  context.Context
	conn *pgx.Conn

	writes []query
	audits []entry
}

// entry is one for the console's own audit.
type entry struct {
	by             fleet.Actor
	action, target string
	detail         map[string]string
}

// query is one statement. each is called for every row; nil when there are
// none to be read.
type query struct {
	sql  string
	args []any
	each func(pgx.Rows) error
}

// send runs statements in one round trip.
func (t *tx) send(ctx context.Context, all ...query) error {
	if len(all) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	for _, q := range all {
		b.Queue(q.sql, q.args...)
	}
	r := t.conn.SendBatch(ctx, b)
	var failed error
	for _, q := range all {
		if q.each == nil {
			_, failed = r.Exec()
		} else {
			failed = eachRow(r, q.each)
		}
		if failed != nil {
			break
		}
	}
	// Of a failed pipeline every following statement fails as well: the first
	// error says why.
	if err := r.Close(); failed == nil {
		failed = err
	}
	if t.conn.IsClosed() && ctx.Err() != nil {
		failed = ctx.Err()
	}
	if again(failed) {
		return failed
	}
	var own *rowError
	if errors.As(failed, &own) {
		return own.err
	}
	return translate(failed)
}

// rowError is an error of a function that was called with a row.
type rowError struct{ err error }

func (e *rowError) Error() string { return e.err.Error() }

func eachRow(r pgx.BatchResults, fn func(pgx.Rows) error) error {
	rows, err := r.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return &rowError{err}
		}
	}
	return rows.Err()
}

// read runs one statement and calls each with its rows.
func (t *tx) read(each func(pgx.Rows) error, sql string, args ...any) error {
	return t.send(t.ctx, query{sql, args, each})
}

// one reads one value; false when there is no row.
func one[T any](t *tx, sql string, args ...any) (v T, found bool, err error) {
	err = t.read(func(r pgx.Rows) error {
		found = true
		return r.Scan(&v)
	}, sql, args...)
	return v, found, err
}

// oneJSON reads one document.
func oneJSON[T any](t *tx, sql string, args ...any) (v T, found bool, err error) {
	b, found, err := one[[]byte](t, sql, args...)
	if err != nil || !found || len(b) == 0 {
		return v, false, err
	}
	return v, true, decode(b, &v)
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// write queues a statement for the commit.
func (t *tx) write(sql string, args ...any) {
	t.writes = append(t.writes, query{sql: sql, args: args})
}

// document is v as it is stored.
func document(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode %T: %w", v, err)
	}
	return string(b), nil
}

// writeJSON is write with a document as the last argument.
func (t *tx) writeJSON(v any, sql string, args ...any) error {
	doc, err := document(v)
	if err != nil {
		return err
	}
	t.write(sql, append(args, doc)...)
	return nil
}

// pageRows of a list are read at once.
const pageRows = 500

// pages reads a list page by page, so that fn may read the same transaction.
// page reads the rows behind the last one and returns how many there were; it
// is called until there are fewer than pageRows, or more says no.
func pages(page func() (n int, more bool, err error)) error {
	for {
		n, more, err := page()
		if err != nil || !more || n < pageRows {
			return err
		}
	}
}

// listed reads a list whose order is that of a key, page by page, and calls fn
// until it says false. sql has the last key, behind args, and the number of
// rows as its last two arguments.
func listed[K, V any](t *tx, key K, fn func(K, V) (bool, error), sql string, args ...any) error {
	type row struct {
		k K
		v V
	}
	return pages(func() (int, bool, error) {
		var rows []row
		err := t.read(func(r pgx.Rows) error {
			var x row
			err := r.Scan(&x.k, &x.v)
			rows = append(rows, x)
			return err
		}, sql, append(args[:len(args):len(args)], key, pageRows)...)
		if err != nil {
			return 0, false, err
		}
		for _, x := range rows {
			key = x.k
			if more, err := fn(x.k, x.v); err != nil || !more {
				return 0, false, err
			}
		}
		return len(rows), true, nil
	})
}

// commit writes all that was gathered and ends the transaction.
func (t *tx) commit(ctx context.Context) error {
	if err := t.flushAudit(ctx); err != nil {
		return err
	}
	return t.send(ctx, append(t.writes, query{sql: "COMMIT"})...)
}

// audit adds an entry to the console's own audit, in the order of the commits.
func (t *tx) audit(by fleet.Actor, action, target string, detail map[string]string) error {
	if _, err := store.NextAuditEntry(fleet.AuditHead{}, store.Identity{}, t.s.c.Now(), by, action, target, detail); err != nil {
		return err // said at once; at the commit it would be too late to do without
	}
	t.audits = append(t.audits, entry{by, action, target, detail})
	return nil
}

// flushAudit makes the entries follow the newest one. Each continues the one
// before, so those who add some wait here for each other, and nowhere else.
func (t *tx) flushAudit(ctx context.Context) error {
	if len(t.audits) == 0 {
		return nil
	}
	var newest fleet.AuditHead
	var id store.Identity
	into := func(v any) func(pgx.Rows) error {
		return func(r pgx.Rows) error {
			var b []byte
			if err := r.Scan(&b); err != nil || len(b) == 0 {
				return err
			}
			return decode(b, v)
		}
	}
	err := t.send(ctx,
		query{"SELECT value FROM meta WHERE name = 'lock/audit' FOR UPDATE", nil, into(&newest)},
		query{"SELECT value FROM meta WHERE name = 'identity'", nil, into(&id)})
	if err != nil {
		return err
	}
	for _, a := range t.audits {
		e, err := store.NextAuditEntry(newest, id, t.s.c.Now(), a.by, a.action, a.target, a.detail)
		if err != nil {
			return err
		}
		newest = fleet.AuditHead{Chain: e.Chain, N: e.N, Hash: e.Hash}
		if err := t.writeJSON(e, "INSERT INTO audit_entries (chain, n, entry) VALUES ($1, $2, $3)", e.Chain, int64(e.N)); err != nil {
			return err
		}
	}
	return errors.Join(
		t.writeJSON(newest, "INSERT INTO audit_heads (chain, head) VALUES ($1, $2) ON CONFLICT (chain) DO UPDATE SET head = excluded.head", newest.Chain),
		t.writeJSON(newest, "UPDATE meta SET value = $1 WHERE name = 'lock/audit'"))
}
