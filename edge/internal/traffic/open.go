package traffic

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/obedio/obedio/edge/internal/store"
)

// Name is the database's directory in the data directory.
const Name = "traffic.db"

// maxID bounds the numbers of streams and subjects that a database may claim.
const maxID = 1 << 24

// openDatabase opens the database, or a new one; without one, t records
// nothing and says so.
func (t *Traffic) openDatabase() {
	fs := t.c.FS
	if fs == nil {
		fs = vfs.Default
	}
	err := t.tryOpen(fs)
	if err != nil && !vfs.IsNoSpaceError(err) {
		t.log.Error("traffic database cannot be opened: it is moved aside, and history begins anew", "error", err)
		if err = t.moveAside(fs); err == nil {
			err = t.tryOpen(fs)
		}
	}
	if err != nil {
		t.log.Error("traffic database cannot be opened: the hub runs without history", "error", err)
		t.turnOff(GapFailed)
	}
}

func (t *Traffic) tryOpen(fs store.FileSystem) (err error) {
	t.dict, t.segments, t.waiting, t.next = newDictionary(t.c), nil, tail{}, 1
	clear(t.open)
	dir := filepath.Join(t.c.Dir, Name)
	if !t.c.readOnly {
		if err := store.MakeDir(fs, dir); err != nil {
			return fmt.Errorf("make %s: %w", dir, err)
		}
	}
	cache := pebble.NewCache(t.c.CacheBytes)
	defer cache.Unref()
	opts := &pebble.Options{
		FS: fs, Cache: cache, MemTableSize: t.c.MemTableBytes, MaxOpenFiles: 256, ReadOnly: t.c.readOnly,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             engineLogger{t},
		EventListener: &pebble.EventListener{BackgroundError: func(err error) {
			t.log.Error("traffic database is in trouble", "error", err) // it tries again by itself
		}},
	}
	db, err := openEngine(dir, opts)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	t.db = db
	if err := t.load(); err != nil {
		t.db = nil
		return errors.Join(fmt.Errorf("load %s: %w", dir, err), db.Close())
	}
	return nil
}

// Name returns the database's name among the stores of a data directory.
func (t *Traffic) Name() string { return Name }

// Checkpoint makes dir a copy of the database as it is at one moment, with what
// has come so far.
func (t *Traffic) Checkpoint(dir string) error {
	if err := t.Flush(); err != nil {
		return fmt.Errorf("copy traffic: %w", err)
	}
	t.tending.Lock() // Close waits for it
	defer t.tending.Unlock()
	if t.dead() {
		return errClosed
	}
	if err := t.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copy traffic to %s: %w", dir, err)
	}
	return nil
}

// openEngine opens the engine in a goroutine of its own: when it meets damage
// that it did not expect, it panics or ends the goroutine.
func openEngine(dir string, opts *pebble.Options) (*pebble.DB, error) {
	type result struct {
		db  *pebble.DB
		err error
	}
	done := make(chan result, 1)
	go func() {
		r := result{err: errDamaged}
		defer func() {
			if v := recover(); v != nil {
				r = result{err: fmt.Errorf("%w: %v", errDamaged, v)}
			}
			done <- r
		}()
		r.db, r.err = pebble.Open(dir, opts)
	}()
	r := <-done
	return r.db, r.err
}

// moveAside renames the database, and removes one that was moved before: they
// must not fill the disk.
func (t *Traffic) moveAside(fs store.FileSystem) error {
	names, err := fs.List(t.c.Dir)
	if err != nil {
		return fmt.Errorf("list %s: %w", t.c.Dir, err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, Name+".damaged-") {
			if err := fs.RemoveAll(filepath.Join(t.c.Dir, n)); err != nil {
				return fmt.Errorf("remove %s: %w", n, err)
			}
		}
	}
	from := filepath.Join(t.c.Dir, Name)
	to := fmt.Sprintf("%s.damaged-%d", from, t.now().Unix())
	if err := fs.Rename(from, to); err != nil {
		return fmt.Errorf("move %s aside: %w", from, err)
	}
	return nil
}

// load reads what is kept in memory: dictionary, headers, open hours.
func (t *Traffic) load() error {
	format, err := get(t.db, metaKey("format"))
	switch {
	case err != nil:
		return err
	case format == nil:
		if err := t.db.Set(metaKey("format"), []byte(formatVersion), pebble.Sync); err != nil {
			return err
		}
	case string(format) != formatVersion:
		return fmt.Errorf("it has format %.8q, this program knows %s", format, formatVersion)
	}
	if err := t.each(tableSubject, func(k, v []byte) error {
		id, ok := keyID(k)
		if !ok || id == 0 || id > maxID {
			return errDamaged
		}
		// Taken, also by what is damaged: records name it.
		t.dict.subjects = put(t.dict.subjects, id, nil)
		s, err := decodeSubject(id, v)
		if err == nil {
			t.dict.addSubject(s)
		}
		return err
	}); err != nil {
		return err
	}
	if err := t.each(tableStream, func(k, v []byte) error {
		id, ok := keyID(k)
		if !ok || id == 0 || id > maxID {
			return errDamaged
		}
		t.dict.streams = put(t.dict.streams, id, nil) // likewise
		s, err := decodeStream(id, v, func(id uint32) *subject { return at(t.dict.subjects, id) })
		if err == nil {
			t.dict.add(s)
		}
		return err
	}); err != nil {
		return err
	}
	if err := t.each(tableSegment, func(k, v []byte) error {
		seq, ok := keyNumber(k)
		if !ok {
			return errDamaged
		}
		s, err := decodeSegment(seq, v)
		if err == nil {
			t.segments = append(t.segments, s)
			t.next = s.last + 1
		}
		return err
	}); err != nil {
		return err
	}
	if err := t.each(tableOpen, func(k, _ []byte) error {
		if h, ok := keyNumber(k); ok {
			t.open[int64(h)] = true
		}
		return nil
	}); err != nil {
		return err
	}
	return t.loadTimes()
}

// loadTimes reads since when the hub was off, and which minutes there are.
func (t *Traffic) loadTimes() error {
	if err := t.each(tableGap, func(k, _ []byte) error {
		if n, ok := keyNumber(k); ok {
			t.nextGap = n + 1
		}
		return nil
	}); err != nil {
		return err
	}
	if v, err := get(t.db, metaKey("floor")); err != nil {
		return err
	} else if at, err := decodeTime(v); v != nil && err == nil {
		t.floor.Store(minuteOf(at.UnixMilli()))
	}
	v, err := get(t.db, metaKey("alive"))
	if err != nil || v == nil {
		return err
	}
	now := t.now()
	if at, err := decodeTime(v); err == nil && now.Sub(at) > 2*t.c.FlushEvery {
		t.waiting.gaps = append(t.waiting.gaps, Gap{From: at, To: now, Reason: GapOff})
	}
	return nil
}

// each calls fn for every pair of a table, as eachIn does.
func (t *Traffic) each(which byte, fn func(k, v []byte) error) error {
	from, to := table(which)
	return t.eachIn(t.db, from, to, fn)
}

// eachIn calls fn for every pair between two keys. One that is damaged
// (errDamaged) is logged and left out.
func (t *Traffic) eachIn(r pebble.Reader, from, to []byte, fn func(k, v []byte) error) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), v)
		}
		if errors.Is(err, errDamaged) {
			t.log.Error("traffic entry is damaged and left out", "key", fmt.Sprintf("%x", it.Key()), "error", err)
		} else if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}

// engineLogger passes the engine's own words on; only errors matter here.
type engineLogger struct{ t *Traffic }

func (l engineLogger) Infof(format string, args ...any) {
	l.t.log.Debug("engine", "message", fmt.Sprintf(format, args...))
}

func (l engineLogger) Errorf(format string, args ...any) {
	l.t.log.Error("engine", "message", fmt.Sprintf(format, args...))
}

// Fatalf must not return: the engine calls it, also from goroutines of its
// own, when it cannot go on. History may not take the hub with it, so the
// goroutine ends here, and the database is not used any more.
func (l engineLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.t.log.Error("engine cannot go on", "error", err)
	if l.t.db != nil { // else it is being opened, and openEngine hears of it
		l.t.fail(err)
	}
	runtime.Goexit()
}
