package traffic

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take the defaults.
type Config struct {
	// Dir is the data directory; the database is a directory in it.
	Dir string
	// FS is the file system; the operating system's by default.
	FS store.FileSystem
	// Now is the hub's clock, and whether it can be right: while it cannot,
	// nothing is dropped for its age.
	Now    func() (now time.Time, trusted bool)
	Logger *slog.Logger
	// Place tells the type and room of a client whose messages do not, from
	// memory: it is called on the way of a message.
	Place func(device string) (fleet.DeviceType, fleet.RoomID)

	// Budget is how large the database may become, in bytes; 2 GiB.
	Budget uint64
	// RawAge, MinuteAge and HourAge are how long raw records, minute and hour
	// summaries are kept; 30 days, 90 days, 2 years.
	RawAge, MinuteAge, HourAge time.Duration
	// FlushEvery is how often what has come is written; 5 s.
	FlushEvery time.Duration
	// SyncEvery is how often what was written is synced to the disk; 1 min.
	SyncEvery time.Duration
	// TendEvery is how often ages and budget are looked at; 1 min.
	TendEvery time.Duration
	// StopWithin is how long the last write may take; 3 s.
	StopWithin time.Duration

	// Payloads are the types of devices whose payloads are recorded; none by
	// default. "all" is every type but the watch, which people wear: that one
	// must be named.
	Payloads []fleet.DeviceType
	// PayloadBytes of one message are recorded at the most; 1024.
	PayloadBytes int
	// WaitingBytes of payloads wait for the disk at the most; what comes then is
	// recorded without its payload. 8 MiB.
	WaitingBytes int

	// MaxTopics is how many pairs of a device and a topic, in a direction, are
	// told apart; what is beyond is recorded as topic "~other" of its device.
	// 20000.
	MaxTopics int
	// MaxSubjects is how many devices, in a room each, are told apart; 8192.
	MaxSubjects int
	// MaxFields is how many numeric fields of a device are summed up; 16.
	MaxFields int
	// MaxFieldNames is how many names of fields there may be in all; 256.
	MaxFieldNames int
	// BlockRecords are written at once, also before FlushEvery is over; 65536.
	BlockRecords int
	// SegmentRecords is how many records merging brings together; 131072.
	SegmentRecords int
	// MaxWaiting is how many records wait for the disk at the most; what comes
	// then is not recorded, and a gap says so. 262144.
	MaxWaiting int

	// LiveMessages wait for one reader of the live view at the most; 1024.
	LiveMessages int
	// LivePayloadBytes of a message are shown live; 4096.
	LivePayloadBytes int
	// MaxReaders of the live view; 64.
	MaxReaders int

	// CacheBytes and MemTableBytes of the engine; 2 MiB and 1 MiB. Its log takes
	// up to four times MemTableBytes on the disk.
	CacheBytes    int64
	MemTableBytes uint64

	readOnly bool // VerifyDir changes nothing
}

func (c Config) withDefaults() Config {
	const day = 24 * time.Hour
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = func() (time.Time, bool) { return time.Now(), true }
	}
	c.Budget = cmp.Or(c.Budget, 2<<30)
	c.RawAge, c.MinuteAge, c.HourAge = cmp.Or(c.RawAge, 30*day), cmp.Or(c.MinuteAge, 90*day), cmp.Or(c.HourAge, 730*day)
	c.FlushEvery, c.SyncEvery = cmp.Or(c.FlushEvery, 5*time.Second), cmp.Or(c.SyncEvery, time.Minute)
	c.TendEvery, c.StopWithin = cmp.Or(c.TendEvery, time.Minute), cmp.Or(c.StopWithin, 3*time.Second)
	c.PayloadBytes, c.WaitingBytes = cmp.Or(c.PayloadBytes, 1024), cmp.Or(c.WaitingBytes, 8<<20)
	c.MaxTopics, c.MaxSubjects = cmp.Or(c.MaxTopics, 20_000), cmp.Or(c.MaxSubjects, 8192)
	c.MaxFields, c.MaxFieldNames = cmp.Or(c.MaxFields, 16), cmp.Or(c.MaxFieldNames, 256)
	c.BlockRecords, c.SegmentRecords = cmp.Or(c.BlockRecords, 65536), cmp.Or(c.SegmentRecords, 131_072)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 262_144)
	c.LiveMessages, c.LivePayloadBytes = cmp.Or(c.LiveMessages, 1024), cmp.Or(c.LivePayloadBytes, 4096)
	c.MaxReaders = cmp.Or(c.MaxReaders, 64)
	c.CacheBytes, c.MemTableBytes = cmp.Or(c.CacheBytes, 2<<20), cmp.Or(c.MemTableBytes, 1<<20)
	return c
}

// records reports whether payloads of that type are recorded. A client whose
// type nobody knows may be a watch.
func (c *Config) records(t fleet.DeviceType) bool {
	return slices.Contains(c.Payloads, t) || t != fleet.Watch && t != "" && slices.Contains(c.Payloads, "all")
}

// errClosed: the record was closed, or its database has failed; history is
// away until the next start. It is a fleet.ErrUnavailable.
var errClosed = unavailable("traffic history is away")

type unavailable string

func (e unavailable) Error() string { return string(e) }
func (unavailable) Unwrap() error   { return fleet.ErrUnavailable }

// Traffic is the record of messages.
type Traffic struct {
	c    Config
	log  *slog.Logger
	db   *pebble.DB // nil when it could not be opened
	full chan struct{}
	live live

	// tending holds merging and dropping together, writing the flushes; gate is
	// taken for a commit with what it changes in memory, and by whoever wants to
	// see both as one. They are taken in this order, mu last.
	tending, writing sync.Mutex
	gate             chan struct{}

	failure  chan struct{} // closed when the database must not be used any more
	failOnce sync.Once
	stopped  chan struct{} // closed when the end does not wait any more

	giveUpOnce sync.Once
	giveUp     *time.Timer // closes stopped

	floor atomic.Int64 // the first minute whose summaries were not dropped

	mu       sync.Mutex // guards all below
	dict     *dictionary
	waiting  tail       // not yet being written
	flushing tail       // being written
	segments []*segment // by number; replaced, not changed
	next     uint64     // number of the next segment
	readers  int        // views that may look into the tails
	off      GapReason  // why nothing is recorded now; empty when it is
	offSince time.Time
	offLost  uint64
	pages    [][]record        // to be used again
	names    map[string]string // of numeric fields
	counts   Totals
	closed   bool

	// Owned by the holder of writing.
	minutes  map[int64]summaries // of the last flush, as they are on disk
	open     map[int64]bool      // hours to sum up
	alive    time.Time           // last written
	synced   time.Time
	nextGap  uint64
	firstGap uint64 // none is before it
}

// Totals count since the start.
type Totals struct {
	// Records that were taken, and messages that were not: paused, or no room.
	Records, Lost uint64
	// LiveDropped counts messages that readers of the live view did not get.
	LiveDropped uint64
	// OtherTopics counts messages on topics beyond the limits.
	OtherTopics uint64
	// Readers of the live view now.
	Readers int
}

// New opens the database, or a new one in its place if it is damaged. What is
// wrong with it is logged and never an error: the hub works without history.
func New(c Config) (*Traffic, error) {
	c = c.withDefaults()
	if c.BlockRecords > c.MaxWaiting || c.FlushEvery < 0 || c.PayloadBytes < 0 {
		return nil, errors.Join(fleet.ErrInvalid, errors.New("traffic settings: a block must fit into what may wait, and times and sizes are not negative"))
	}
	t := newTraffic(c)
	t.openDatabase()
	return t, nil
}

func newTraffic(c Config) *Traffic {
	t := &Traffic{
		c: c, log: c.Logger, full: make(chan struct{}, 1), gate: make(chan struct{}, 1),
		failure: make(chan struct{}), stopped: make(chan struct{}), dict: newDictionary(c), names: map[string]string{},
		minutes: map[int64]summaries{}, open: map[int64]bool{}, next: 1,
	}
	t.live.max = c.MaxReaders
	return t
}

// Run writes what comes until ctx ends, then once more, and closes the
// database. It does not fail: what goes wrong is logged, and history is away.
func (t *Traffic) Run(ctx context.Context) error {
	// From the end of ctx on, a disk that hangs is waited for so long only.
	defer context.AfterFunc(ctx, t.giveUpSoon)()
	var tending sync.WaitGroup
	tending.Go(func() { t.tend(ctx) })
	tick := time.NewTicker(t.c.FlushEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-t.full:
			t.flushNow(false)
		case <-tick.C:
			t.flushNow(false)
		}
	}
	tending.Wait()
	return t.Close()
}

// flushNow is Flush for those who have nobody to tell.
func (t *Traffic) flushNow(sync bool) {
	if err := t.flush(sync); err != nil && !errors.Is(err, errClosed) {
		t.log.Error("traffic not written", "error", err)
	}
}

// Flush writes what has come so far. Summaries are as new as the last Flush.
func (t *Traffic) Flush() error { return t.flush(false) }

// tend merges, and drops what is too old or too much, until ctx ends.
func (t *Traffic) tend(ctx context.Context) {
	merge, tick := time.NewTicker(t.c.FlushEvery), time.NewTicker(t.c.TendEvery)
	defer merge.Stop()
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-t.failure:
			return
		case <-merge.C:
			err = t.Merge(ctx)
		case <-tick.C:
			err = t.Retain(ctx)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, errClosed) {
			t.log.Error("traffic not tended", "error", err)
		}
	}
}

// Close writes what has come and closes the database. Run does it; a Traffic
// that is not Run must be closed. It may be called more than once.
func (t *Traffic) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	t.mu.Unlock()
	t.live.close()
	t.giveUpSoon()
	defer t.giveUp.Stop()
	t.flushNow(true)
	if t.db == nil || t.dead() {
		return nil // the engine may hold its locks for ever, and the process is about to end
	}
	closed := make(chan error, 1)
	go func() { // of its own: it may never return
		t.tending.Lock()
		defer t.tending.Unlock()
		t.writing.Lock()
		t.gate <- struct{}{} // and kept: nobody reads any more
		t.fail(nil)
		t.writing.Unlock() // who gets it now finds the database dead
		// Without a log to replay the next start is quick.
		closed <- errors.Join(t.db.Flush(), t.db.Close())
	}()
	select {
	case err := <-closed:
		if err != nil {
			t.log.Error("traffic database not closed", "error", err)
		}
	case <-t.stopped:
		t.log.Error("traffic database not closed in time")
	}
	return nil
}

// giveUpSoon makes everything that waits for the disk return after StopWithin.
func (t *Traffic) giveUpSoon() {
	t.giveUpOnce.Do(func() { t.giveUp = time.AfterFunc(t.c.StopWithin, func() { close(t.stopped) }) })
}

// fail ends the use of the database until the next start. nil: it is closed.
func (t *Traffic) fail(err error) {
	t.failOnce.Do(func() {
		if err != nil {
			t.log.Error("traffic history has stopped; the hub goes on without it", "error", err)
			t.mu.Lock()
			t.turnOff(GapFailed)
			t.mu.Unlock()
		}
		close(t.failure)
	})
}

// dead reports whether the database must not be used.
func (t *Traffic) dead() bool {
	select {
	case <-t.failure:
		return true
	default:
		return t.db == nil
	}
}

// now is the hub's time, in milliseconds as everything here.
func (t *Traffic) now() time.Time {
	now, _ := t.c.Now()
	return fleet.Millis(now)
}

// Totals are the counters.
func (t *Traffic) Totals() Totals {
	t.mu.Lock()
	out := t.counts
	out.OtherTopics = t.dict.overflowed
	t.mu.Unlock()
	out.LiveDropped, out.Readers = t.live.stats()
	return out
}

// Bytes is the size of the database on disk.
func (t *Traffic) Bytes() uint64 {
	if t.dead() {
		return 0
	}
	m := t.db.Metrics()
	// The log that is being written counts only when it is whole.
	return m.DiskSpaceUsage() + m.WAL.Size - min(m.WAL.Size, m.WAL.PhysicalSize)
}
