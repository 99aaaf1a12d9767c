// Package badger keeps the console's state in one Badger database: the
// embedded engine of package store's port. It owns the engine; no other
// package imports it.
//
// On disk: DIR/console.db in Badger's format, encrypted under the key in
// DIR/store.key (32 bytes in hexadecimal, mode 0600); keys as in keys.go;
// entities, orders and rows as JSON, records in their wire form. The layout
// has a version; another one is refused.
//
// What always holds is said in package store. Beside it: every commit is
// synced before it is told; transactions that conflict run again, a bounded
// number of times; after the first failed write nothing is written any more
// until the program starts again.
package badger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what Open needs. Zero fields take their defaults.
type Config struct {
	// Dir is the data directory; the database is a directory in it. Empty keeps
	// everything in memory, for tests and for documents.
	Dir string
	// CacheBytes for blocks that were read; 256 MiB.
	CacheBytes int64
	// IndexCacheBytes for the indexes of tables, which are read from disk and
	// decrypted otherwise; 64 MiB.
	IndexCacheBytes int64
	// MemTableBytes that are written before a flush; 64 MiB, in memory 8 MiB. A
	// transaction holds at most 15 % of it.
	MemTableBytes int64
	// Retries of a transaction that conflicts; 64.
	Retries int
	// CollectEvery is how often space of old values is given back; 10 min.
	CollectEvery time.Duration
	// Now is the clock of the audit; time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Store is the open database.
type Store struct {
	c   Config
	db  *badger.DB
	log *slog.Logger

	sites    store.SiteLocks // one transaction of a site at a time
	registry sync.Mutex      // held by those that change sites, hubs and claims
	people   sync.Mutex      // held by those that change people
	audits   sync.Mutex      // held by those that add to the audit; taken last

	open   sync.RWMutex // read-held while the database is used; guards closed
	closed bool

	failure failure
}

var _ store.Store = (*Store)(nil)

// failure keeps the first error of a write.
type failure struct {
	mu  sync.Mutex
	err error
	ch  chan struct{}
}

// ErrWordSize: the engine loses data on 32-bit machines.
var ErrWordSize = errors.New("the console's embedded store needs a 64-bit machine")

func checkWordSize(bits int) error {
	if bits < 64 {
		return fmt.Errorf("%w: this one has %d bits", ErrWordSize, bits)
	}
	return nil
}

// Open opens the database in c.Dir, or makes it.
func Open(c Config) (*Store, error) {
	if err := checkWordSize(bits.UintSize); err != nil {
		return nil, err
	}
	memory := c.Dir == ""
	c.CacheBytes = cmp.Or(c.CacheBytes, 256<<20)
	c.IndexCacheBytes = cmp.Or(c.IndexCacheBytes, 64<<20)
	c.Retries = cmp.Or(c.Retries, 64)
	c.CollectEvery = cmp.Or(c.CollectEvery, 10*time.Minute)
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 64 << 20
		if memory {
			c.MemTableBytes = 8 << 20
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	opts, err := options(c)
	if err != nil {
		return nil, err
	}
	db, err := badger.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", opts.Dir, err)
	}
	s := &Store{c: c, db: db, log: c.Logger}
	s.failure.ch = make(chan struct{})
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// dbName is the directory of the database in the data directory.
const dbName = "console.db"

func options(c Config) (badger.Options, error) {
	logger := engineLogger{c.Logger}
	if c.Dir == "" {
		return badger.DefaultOptions("").WithInMemory(true).WithLogger(logger).WithMetricsEnabled(false).
			WithCompression(0).WithBlockCacheSize(0).WithMemTableSize(c.MemTableBytes).
			WithValueThreshold(min(1<<20, c.MemTableBytes/8)), nil
	}
	dir := filepath.Join(c.Dir, dbName)
	key, err := storeKey(c.Dir, dir)
	if err != nil {
		return badger.Options{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return badger.Options{}, fmt.Errorf("make %s: %w", dir, err)
	}
	return badger.DefaultOptions(dir).WithSyncWrites(true).WithLogger(logger).WithMetricsEnabled(false).
		WithEncryptionKey(key).WithBlockCacheSize(c.CacheBytes).WithIndexCacheSize(c.IndexCacheBytes).
		WithMemTableSize(c.MemTableBytes).WithValueThreshold(min(1<<20, c.MemTableBytes/8)).
		WithValueLogFileSize(valueLogBytes), nil
}

// valueLogBytes of one value log. Values that large are rare here, and the
// engine maps twice as much into memory.
const valueLogBytes = 64 << 20

func (s *Store) checkFormat() error {
	k := fleetKey(fleetMeta, "format")
	var before []byte
	if err := s.view(context.Background(), func(t *tx) (err error) {
		before, err = t.get(k)
		return err
	}); err != nil {
		return fmt.Errorf("read store format: %w", err)
	}
	if string(before) == formatBeforeTerm {
		if err := s.reindex(); err != nil {
			return err
		}
	}
	return s.update(context.Background(), func(t *tx) error {
		b, err := t.get(k)
		switch {
		case err != nil:
			return fmt.Errorf("read store format: %w", err)
		case b == nil, string(b) == formatBeforeTerm:
			t.set(k, []byte(formatVersion))
		case string(b) != formatVersion:
			return fmt.Errorf("store has format %s, this program knows %s: use the program that wrote it, or a newer one", b, formatVersion)
		}
		return nil
	})
}

// Failed implements store.Store.
func (s *Store) Failed() <-chan struct{} { return s.failure.ch }

// Err implements store.Store.
func (s *Store) Err() error {
	s.failure.mu.Lock()
	defer s.failure.mu.Unlock()
	return s.failure.err
}

func (s *Store) fail(err error) {
	s.failure.mu.Lock()
	defer s.failure.mu.Unlock()
	if s.failure.err == nil {
		s.failure.err = err
		close(s.failure.ch)
	}
}

// use keeps the database open until done is called.
func (s *Store) use() (done func(), err error) {
	s.open.RLock()
	if s.closed {
		s.open.RUnlock()
		return nil, store.ErrClosed
	}
	return s.open.RUnlock, nil
}

// view runs fn on one consistent state.
func (s *Store) view(ctx context.Context, fn func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	txn := s.db.NewTransaction(false)
	defer txn.Discard()
	return fn(&tx{txn: txn})
}

// update runs fn in a transaction and commits it. The end of ctx is not waited
// for once fn runs: the outcome is always told.
func (s *Store) update(ctx context.Context, fn func(*tx) error) error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	mayAudit := false
	for range s.c.Retries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.Err(); err != nil {
			return fmt.Errorf("%w: %w", store.ErrFailed, err)
		}
		err := s.try(fn, mayAudit)
		switch {
		case errors.Is(err, errAudits):
			s.audits.Lock()
			defer s.audits.Unlock()
			mayAudit = true
		case !errors.Is(err, badger.ErrConflict):
			return err
		}
	}
	return fmt.Errorf("%w: %d transactions came between", fleet.ErrUnavailable, s.c.Retries)
}

func (s *Store) try(fn func(*tx) error, mayAudit bool) error {
	txn := s.db.NewTransaction(true)
	defer txn.Discard()
	t := &tx{txn: txn, writes: map[string][]byte{}, now: s.c.Now, mayAudit: mayAudit}
	err := fn(t)
	if t.wantsAudit {
		return errAudits // whatever fn has made of it
	}
	if err != nil {
		return err
	}
	if len(t.writes) == 0 {
		return nil
	}
	if err = t.flush(); err == nil {
		err = txn.Commit()
	}
	switch {
	case err == nil, errors.Is(err, badger.ErrConflict):
		return err
	case errors.Is(err, badger.ErrTxnTooBig):
		return fmt.Errorf("%w: %d rows", store.ErrTooLarge, len(t.writes))
	case errors.Is(err, badger.ErrDBClosed), errors.Is(err, badger.ErrBlockedWrites):
		return store.ErrClosed
	}
	s.fail(err)
	return fmt.Errorf("%w: %w", store.ErrFailed, err)
}

// Lead implements store.Store: one console has the store.
func (s *Store) Lead(context.Context, string, string, time.Duration) (bool, error) { return true, nil }

// Bytes implements store.Store: what the files take on the disk, which is less
// than their length.
func (s *Store) Bytes() uint64 {
	if s.c.Dir == "" {
		return 0
	}
	files, err := os.ReadDir(filepath.Join(s.c.Dir, dbName))
	if err != nil {
		return 0 // the store says so wherever it matters
	}
	var n uint64
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			n += onDisk(info)
		}
	}
	return n
}

// Run implements store.Store: it gives back the space of old values.
func (s *Store) Run(ctx context.Context) error {
	if s.c.Dir == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(s.c.CollectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.collect(ctx)
		}
	}
}

// collect rewrites value logs that are half empty, one after the other.
func (s *Store) collect(ctx context.Context) {
	done, err := s.use()
	if err != nil {
		return
	}
	defer done()
	for ctx.Err() == nil {
		err := s.db.RunValueLogGC(0.5)
		if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
			return
		}
		if err != nil {
			s.log.Warn("space of old values not given back", "error", err)
			return
		}
	}
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// engineLogger passes the engine's own words on; only errors matter here.
type engineLogger struct{ log *slog.Logger }

// Errorf implements badger.Logger.
func (l engineLogger) Errorf(format string, args ...any) {
	l.log.Error("engine", "message", fmt.Sprintf(format, args...))
}

// Warningf implements badger.Logger.
func (l engineLogger) Warningf(format string, args ...any) {
	l.log.Debug("engine", "message", fmt.Sprintf(format, args...))
}

// Infof implements badger.Logger.
func (l engineLogger) Infof(format string, args ...any) { l.Warningf(format, args...) }

// Debugf implements badger.Logger.
func (l engineLogger) Debugf(format string, args ...any) { l.Warningf(format, args...) }
