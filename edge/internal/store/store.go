package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/obedio/obedio/shared/fleet"
)

// Config is what Open needs.
type Config struct {
	// Dir is the data directory; the database is a directory in it.
	Dir string
	// FS is the file system; the operating system's by default. Tests cut the
	// power through it.
	FS FileSystem
	// CacheBytes for blocks that were read; 4 MiB by default.
	CacheBytes int64
	// MemTableBytes that are written before a flush; 2 MiB by default.
	MemTableBytes uint64
	// Room says before each group commit what there is room for; RoomForAll by
	// default.
	Room func() Room
	// DiskFull is called when the file system says that it is full, before the
	// write is tried once more: what can be given up is given up there.
	DiskFull func()
	// GroupMax is how many updates share one sync at the most; 512 by default.
	GroupMax int
	// ReadOnly opens a store that is there, to look at it: Update fails.
	ReadOnly bool
	Logger   *slog.Logger
}

// FileSystem is where a store lives.
type FileSystem = vfs.FS

// InMemory returns an empty file system in memory.
func InMemory() FileSystem { return vfs.NewMem() }

// Store is the open database.
type Store struct {
	db    *pebble.DB
	fs    FileSystem
	dir   string
	group int
	room  func() Room
	sync  *pebble.WriteOptions

	jobs chan *job
	done chan struct{} // closed when the writer has returned

	mu      sync.Mutex // guards closed
	closed  bool
	senders sync.WaitGroup

	failure failure
	damage  damage
	log     *slog.Logger
}

// failure keeps the first error of a write.
type failure struct {
	mu  sync.Mutex
	err error
	ch  chan struct{}
}

type job struct {
	fn   func(*Tx) error
	then func()
	err  error
	done chan struct{}
}

// ErrFailed: a write failed before; nothing is written until the next start.
var ErrFailed = errors.New("store has failed")

// ErrClosed: the store was closed.
var ErrClosed = errors.New("store is closed")

// Open opens the database in c.Dir, or makes it.
func Open(c Config) (*Store, error) {
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 4 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 2 << 20
	}
	if c.GroupMax == 0 {
		c.GroupMax = 512
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Room == nil {
		c.Room = func() Room { return RoomForAll }
	}
	if c.DiskFull != nil {
		c.FS = vfs.OnDiskFull(c.FS, c.DiskFull)
	}
	dir := filepath.Join(c.Dir, Name)
	if c.ReadOnly {
		if _, err := c.FS.Stat(dir); err != nil {
			return nil, fmt.Errorf("%w: no store at %s", fleet.ErrNotFound, dir)
		}
	} else if err := MakeDir(c.FS, dir); err != nil {
		return nil, fmt.Errorf("make %s: %w", dir, err)
	}
	var err error
	cache := pebble.NewCache(c.CacheBytes)
	defer cache.Unref()
	s := &Store{group: c.GroupMax, log: c.Logger, fs: c.FS, dir: dir, room: c.Room, sync: pebble.Sync, jobs: make(chan *job, c.GroupMax), done: make(chan struct{})}
	s.failure.ch = make(chan struct{})
	o := pebble.Options{
		FS: c.FS, Cache: cache, MemTableSize: c.MemTableBytes, ReadOnly: c.ReadOnly,
		FormatMajorVersion: engineFormat, MaxManifestFileSize: 4 << 20,
		Logger:        pebbleLogger{c.Logger},
		EventListener: &pebble.EventListener{BackgroundError: s.backgroundError, DataCorruption: s.damaged},
	}
	stops := &failStop{FS: c.FS, dir: dir, fail: s.fail}
	o.FS = stops
	if err := inspect(c.FS, dir); err != nil {
		return nil, err
	}
	if there, err := pebble.Peek(dir, c.FS); err == nil && there.Exists {
		if err := examine(dir, o); err != nil {
			return nil, err
		}
	}
	if s.db, err = openEngine(dir, &o); err != nil {
		return nil, err
	}
	if err := s.checkFormat(c.ReadOnly, migrations); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	stops.armed.Store(true)
	go s.write()
	return s, nil
}

// MakeDir makes a directory, and makes it durable: the engine syncs what is in
// it, and nobody else would sync that it is there.
func MakeDir(fs FileSystem, dir string) error {
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	parent := fs.PathDir(dir)
	for _, p := range []string{parent, fs.PathDir(parent)} {
		d, err := fs.OpenDir(p)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the writer after the updates that have begun, and closes the
// database. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.senders.Wait()
	close(s.jobs)
	<-s.done
	if s.Err() != nil {
		return nil //nolint:nilerr // told before; the engine may hold its locks for ever, and the process is about to end
	}
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Failed is closed when a write has failed. The hub then ends, to start again
// on fresh file handles.
func (s *Store) Failed() <-chan struct{} { return s.failure.ch }

// Err is the failure behind Failed, or nil.
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

// Update runs fn in a transaction and commits it. nil: what fn wrote is on
// disk. An error of fn is returned as it is and undoes what fn wrote. Once fn
// has run, the end of ctx is not waited for: the outcome is always told.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	return s.UpdateThen(ctx, fn, nil)
}

// UpdateThen is Update that calls then in the writer's goroutine after the
// commit, before Update returns and in the order of commits. then must not
// call Update.
func (s *Store) UpdateThen(ctx context.Context, fn func(*Tx) error, then func()) error {
	j := &job{fn: fn, then: then, done: make(chan struct{})}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.senders.Add(1)
	s.mu.Unlock()
	select {
	case s.jobs <- j:
		s.senders.Done()
	case <-ctx.Done():
		s.senders.Done()
		return ctx.Err()
	}
	<-j.done
	return j.err
}

// write is the writer's goroutine. While one group is synced the next one
// gathers in the channel, so that groups grow with the load by themselves and
// a lone update waits for nobody.
func (s *Store) write() {
	defer close(s.done)
	for first := range s.jobs {
		group := []*job{first}
	gather:
		for len(group) < s.group {
			select {
			case j, ok := <-s.jobs:
				if !ok {
					break gather
				}
				group = append(group, j)
			default:
				break gather
			}
		}
		s.commit(group)
	}
}

func (s *Store) commit(group []*job) {
	batch := s.db.NewIndexedBatch()
	defer func() {
		if s.Err() == nil {
			_ = batch.Close()
		}
	}()
	room, wrote := s.room(), false
	for _, j := range group {
		tx := &Tx{batch: batch}
		if j.err = s.Err(); j.err != nil {
			j.err = fmt.Errorf("%w: %w", ErrFailed, j.err)
			continue
		}
		if j.err = j.fn(tx); j.err == nil {
			j.err = room.admit(tx)
		}
		if j.err == nil {
			j.err = tx.merge()
			wrote = wrote || len(tx.writes)+len(tx.ranges) > 0
		}
	}
	if wrote {
		if err := s.commitWatched(batch); err != nil {
			s.fail(err)
			for _, j := range group {
				j.err = errors.Join(j.err, fmt.Errorf("%w: %w", ErrFailed, err))
			}
		}
	}
	for _, j := range group {
		if j.err == nil && j.then != nil {
			j.then()
		}
		close(j.done)
	}
}

// commitWatched commits a batch, and waits no longer than until a write has
// failed: then the engine may never come back.
func (s *Store) commitWatched(b *pebble.Batch) error {
	done := make(chan error, 1)
	go func() { done <- s.commitSynced(b) }()
	select {
	case err := <-done:
		return errors.Join(err, s.Err())
	case <-s.failure.ch:
		return s.Err()
	}
}

// commitSynced commits a batch. When the log cannot be written, the engine
// says so through Logger.Fatalf, which must not return; here it becomes an
// error, and nothing uses the engine any more.
func (s *Store) commitSynced(b *pebble.Batch) (err error) {
	defer func() {
		if v := recover(); v != nil {
			fatal, ok := v.(fatalError)
			if !ok {
				panic(v)
			}
			err = fatal
		}
	}()
	return b.Commit(s.sync)
}

// Bytes is the size of the database on disk.
func (s *Store) Bytes() uint64 { return s.db.Metrics().DiskSpaceUsage() }

// Statistics are the engine's own, for people who know it.
func (s *Store) Statistics() string { return s.db.Metrics().String() }

// Entity implements fleet.View on what is committed.
func (s *Store) Entity(r fleet.Ref) ([]byte, error) { return get(s.db, entityKey(r)) }

// pebbleLogger passes the engine's own words on; only errors matter here.
type pebbleLogger struct{ log *slog.Logger }

func (l pebbleLogger) Infof(format string, args ...any) {
	l.log.Debug("engine", "message", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("engine", "message", fmt.Sprintf(format, args...))
}

// Fatalf must not return: the engine calls it when it cannot go on safely.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.log.Error("engine cannot go on", "message", fmt.Sprintf(format, args...))
	panic(fatalError(fmt.Sprintf(format, args...)))
}

type fatalError string

func (e fatalError) Error() string { return string(e) }

// get copies the value of k; nil when there is none.
func get(r pebble.Reader, k []byte) (_ []byte, err error) {
	defer caught(&err)
	v, closer, err := r.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}
