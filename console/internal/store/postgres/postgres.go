// Package postgres keeps the console's state in a database that speaks
// PostgreSQL's protocol: the engine of package store's port for those who
// outgrow one machine. Several consoles share one database. It owns pgx; no
// other package imports it.
//
// Nothing runs in the server but statements: no triggers, no functions, no
// LISTEN. What is about a site leads with site_id, so that CockroachDB,
// YugabyteDB or Citus can spread it. The tables are those of migrations/, which
// Open applies; a database of a newer program is refused.
//
// What always holds is said in package store. How it is reached here: every
// transaction on a site locks the site's one row first, so that those of one
// site run one after the other, in whatever console, and those of two sites
// never meet; what belongs to no site has rows of meta for the same end, always
// locked before a site's, and the audit's after all. Writes gather in memory and
// leave with the commit in one round trip. Transactions that the server ends in
// favour of others (SQLSTATE 40001, 40P01) run again, a bounded number of times.
//
// A database that is out of reach is fleet.ErrUnavailable; the store does not
// fail for ever by it. When the connection is lost during a commit, nobody knows
// whether it took place: the caller gets an error and asks again, as a hub does.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what Open needs. Zero fields take their defaults.
type Config struct {
	// URL of the database: postgres://user@host:port/name?sslmode=…, or a
	// connection string of key=value pairs. A password may come from the
	// environment or a password file, as libpq has them.
	URL string
	// Connections to the database at most; 16.
	Connections int
	// Retries of a transaction that the server has ended in favour of another; 64.
	Retries int
	// CommitWithin is how long a commit is waited for; 30 s.
	CommitWithin time.Duration
	// Now is the clock of the audit; time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Store is the open database.
type Store struct {
	c      Config
	pool   *pgxpool.Pool
	log    *slog.Logger
	sites  store.SiteLocks
	failed chan struct{} // never closed: see the package comment
	closed atomic.Bool
}

var _ store.Store = (*Store)(nil)

// Open connects to the database and brings its tables up to date.
func Open(ctx context.Context, c Config) (*Store, error) {
	c.Connections = cmp.Or(c.Connections, 16)
	c.Retries = cmp.Or(c.Retries, 64)
	c.CommitWithin = cmp.Or(c.CommitWithin, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	pc, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: the store's address: %w", fleet.ErrInvalid, err) // pgx leaves the password out
	}
	pc.MaxConns = int32(c.Connections)
	params := pc.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "obedio-console"
	}
	if params["idle_in_transaction_session_timeout"] == "" {
		// A console that has frozen must not keep a site from the others.
		params["idle_in_transaction_session_timeout"] = "60000"
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{c: c, pool: pool, log: c.Logger, failed: make(chan struct{})}
	err = s.migrate(ctx)
	if err == nil {
		err = s.index(ctx)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open store at %s: %w", address(pc.ConnConfig), err)
	}
	return s, nil
}

// address names the database without its secrets.
func address(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s/%s", net.JoinHostPort(c.Host, fmt.Sprint(c.Port)), c.Database)
}

// Failed implements store.Store. It is never closed.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err implements store.Store: what is wrong is told call by call.
func (s *Store) Err() error { return nil }

// Run implements store.Store: the server keeps house by itself.
func (s *Store) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.pool.Close()
	return nil
}

// Bytes implements store.Store: what the tables and their indexes take, as the
// server says; 0 when it does not.
func (s *Store) Bytes() uint64 {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	var n int64
	err := s.pool.QueryRow(ctx, "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace").Scan(&n)
	if err != nil {
		return 0
	}
	return uint64(n)
}

// again reports whether a transaction is to be run again.
func again(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (pe.Code == "40001" || pe.Code == "40P01")
}

// translate gives errors of the connection and of a server that cannot the
// sentinel that callers decide on.
func translate(err error) error {
	var pe *pgconn.PgError
	var ne net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &pe):
		switch pe.Code[:2] {
		case "08", "25", "53", "55", "57", "58": // connection, read-only, resources, state, ended, system
			return fmt.Errorf("%w: store: %w", fleet.ErrUnavailable, err)
		}
		return fmt.Errorf("store: %w", err)
	case errors.As(err, &ne), pgconn.SafeToRetry(err), errors.As(err, new(*pgconn.ConnectError)),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%w: store: %w", fleet.ErrUnavailable, err)
	}
	return fmt.Errorf("store: %w", err)
}

// update runs fn in a transaction that begins with the query first, and
// commits it. The end of ctx is not waited for once fn has run: the outcome is
// always told.
func (s *Store) update(ctx context.Context, first query, fn func(*tx) error) error {
	for n := range s.c.Retries {
		if n > 0 {
			pause := time.NewTimer(time.Duration(rand.Int64N(int64(min(n, 10)) * int64(5*time.Millisecond))))
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
				return ctx.Err()
			}
		}
		err := s.try(ctx, "BEGIN", first, fn)
		if !again(err) {
			return err
		}
	}
	return fmt.Errorf("%w: %d transactions came between", fleet.ErrUnavailable, s.c.Retries)
}

// view runs fn on one consistent state; first is the first query of it.
func (s *Store) view(ctx context.Context, first query, fn func(*tx) error) error {
	return s.try(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", first, fn)
}

func (s *Store) try(ctx context.Context, begin string, first query, fn func(*tx) error) (err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		if s.closed.Load() {
			return store.ErrClosed
		}
		return translate(err)
	}
	defer conn.Release()
	t := &tx{s: s, ctx: ctx, conn: conn.Conn()}
	defer func() {
		if conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() == 'I' {
			return
		}
		// What fn has made does not stay; a connection that cannot say so is closed
		// by the pool.
		end, stop := context.WithTimeout(context.WithoutCancel(ctx), s.c.CommitWithin)
		defer stop()
		_, _ = conn.Conn().Exec(end, "ROLLBACK")
	}()
	if err := t.send(ctx, query{sql: begin}, first); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), s.c.CommitWithin)
	defer stop()
	t.ctx = end
	return t.commit(end)
}
