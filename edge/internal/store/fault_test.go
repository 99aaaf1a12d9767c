package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

// The faults of quality.md that are the store's: run one alone with
// -run TestF3 (F4, F6, F17).

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// presser appends presses to a journal, and notes in order which of them were
// acknowledged: it is the oracle.
type presser struct {
	journal *journal.Journal

	mu           sync.Mutex
	acknowledged []fleet.PressKey
	onAck        func(n int) // inside mu
}

func newPresser(s *store.Store) *presser {
	return &presser{journal: journal.New(journal.Config{Store: s, Clock: at(noon)}), onAck: func(int) {}}
}

func (p *presser) press(writer, n int) error {
	k := fleet.PressKey{Device: fleet.DeviceID(fmt.Sprintf("btn-%d-%d", writer, n)), BootID: "b1", SequenceID: uint64(n + 1)}
	err := p.journal.Do(context.Background(), func(tx *journal.Tx) error {
		return tx.Append(fleet.ByDevice(k.Device), fleet.Pressed{
			Press: fleet.Press{
				PressKey: k, Type: fleet.PressSingle, Priority: fleet.Normal, ReceivedAt: tx.Now(), DeviceTime: tx.Now(),
				Request: fleet.NewUUID[fleet.RequestID](tx.Now()),
			},
			Room: "cabin-101", Opens: true,
		})
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acknowledged = append(p.acknowledged, k)
	p.onAck(len(p.acknowledged))
	return nil
}

// missing counts the presses that the store does not have.
func missing(t *testing.T, s *store.Store, acknowledged []fleet.PressKey) (n int) {
	t.Helper()
	for _, k := range acknowledged {
		b, err := s.Entity(k.Ref())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			n++
		}
	}
	return n
}

func whole(t *testing.T, name string, s *store.Store) {
	t.Helper()
	r, err := s.Verify()
	if err != nil || len(r.Findings) > 0 || !r.Refolded {
		t.Errorf("%s: %+v, %v", name, r, err)
	}
}

// powerCuts presses with 8 writers and cuts the power at random moments. It
// returns how many acknowledged presses were lost, over all cuts.
func powerCuts(t *testing.T, synced bool) (lost int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	disk := vfs.NewCrashableMem()
	s, err := store.Open(store.Config{Dir: "data", FS: disk, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if !synced {
		s.NoSync()
	}
	type cut struct {
		disk         *vfs.MemFS
		acknowledged int
		kept         int
	}
	var cuts []cut
	p := newPresser(s)
	next := 1 + rng.IntN(40)
	p.onAck = func(n int) {
		if n < next {
			return
		}
		next = n + 1 + rng.IntN(140)
		kept := []int{0, 0, 30, 70}[rng.IntN(4)]
		cuts = append(cuts, cut{disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rng}), n, kept})
	}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 60 {
				if err := p.press(w, i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i, c := range cuts {
		after, err := store.Open(store.Config{Dir: "data", FS: c.disk})
		if err != nil {
			t.Fatalf("cut %d, %d %% of what was not synced kept: %v", i, c.kept, err)
		}
		lost += missing(t, after, p.acknowledged[:c.acknowledged])
		whole(t, fmt.Sprintf("cut %d after %d presses", i, c.acknowledged), after)
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(cuts) < 3 {
		t.Fatalf("the power was cut only %d times", len(cuts))
	}
	return lost
}

func TestF3_PowerCutLosesNoAcknowledgedRecord(t *testing.T) {
	if lost := powerCuts(t, true); lost > 0 {
		t.Errorf("%d acknowledged presses are lost", lost)
	}
}

// The control: without syncs the same cuts do lose records, so the test above
// can see a loss. What is left is whole all the same.
func TestF3_ControlWithoutSyncsLosesRecords(t *testing.T) {
	if lost := powerCuts(t, false); lost == 0 {
		t.Error("nothing was lost without a sync: the test sees no loss")
	}
}

// damaged is a disk with a store of a story, and what the store was after each
// record.
type damaged struct {
	disk    *vfs.MemFS
	files   []string
	digests map[string]int // number of the record after which it was so
	records int
}

func tellStory(t *testing.T) damaged {
	t.Helper()
	d := damaged{disk: vfs.NewCrashableMem(), digests: map[string]int{}, records: 250}
	s, err := store.Open(store.Config{Dir: "data", FS: d.disk, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	story := fleettest.NewStory(4)
	for n := range d.records {
		r := story.Next()
		j := journal.New(journal.Config{Store: s, Clock: at(r.At)})
		if err := j.Do(t.Context(), func(tx *journal.Tx) error { return tx.Append(r.Actor, r.Body) }); err != nil {
			t.Fatal(err)
		}
		digest, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		d.digests[digest] = n + 1
	}
	// Nobody closes it: the newest records are in the engine's log.
	cut := d.disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	d.disk = cut
	if d.files, err = cut.List("data/hub.db"); err != nil {
		t.Fatal(err)
	}
	return d
}

// reread copies the disk, changes one file of it (nil removes it), opens the
// store and reads everything.
func (d damaged) reread(t *testing.T, file string, change func([]byte) []byte) (records int, err error) {
	t.Helper()
	disk := vfs.NewMem()
	if _, err := vfs.Clone(d.disk, disk, "data", "data"); err != nil {
		t.Fatal(err)
	}
	path := "data/hub.db/" + file
	b := read(t, disk, path)
	if b = change(b); b == nil {
		err = disk.Remove(path)
	} else {
		err = write(disk, path, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Dir: "data", FS: disk})
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	r, err := s.Verify()
	if err != nil {
		return 0, err
	}
	if len(r.Findings) > 0 {
		return 0, fmt.Errorf("verify: %v", r.Findings[0])
	}
	digest, err := s.Digest()
	if err != nil {
		return 0, err
	}
	n, found := d.digests[digest]
	if !found {
		t.Errorf("%s: the store opens and holds what it never held", file)
	}
	return n, nil
}

func read(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	i, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, i.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func write(fs vfs.FS, path string, b []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// essential are the files without which there are no data: not the lock, the
// engine's note of its own options, and markers that are made again.
func essential(file string) bool {
	return strings.HasSuffix(file, ".sst") || strings.HasSuffix(file, ".log") || strings.HasPrefix(file, "MANIFEST")
}

func TestF4_FlippedBitsAreFoundAndNamed(t *testing.T) {
	d := tellStory(t)
	kinds := map[string]int{}
	for _, file := range d.files {
		if !essential(file) {
			continue
		}
		size := len(read(t, d.disk, "data/hub.db/"+file))
		found, step := 0, max(size/15, 1)
		for i := 0; i < size; i += step {
			n, err := d.reread(t, file, func(b []byte) []byte { b[i] ^= 1 << (i % 8); return b })
			switch {
			case err != nil && !strings.Contains(err.Error(), digits(file)):
				t.Errorf("%s, bit flipped at %d of %d: the error names no file: %v", file, i, size, err)
			case err != nil:
				found++
			case n < d.records-1 || n < d.records && kindOf(file) != ".log":
				// Nothing tells the newest record from one that a power cut tore.
				t.Errorf("%s, bit flipped at %d of %d: opens with %d of %d records and says nothing", file, i, size, n, d.records)
			}
		}
		kinds[kindOf(file)] += found
	}
	t.Logf("flipped bits that were found: %v", kinds)
	for _, kind := range []string{"MANIFEST", ".log", ".sst"} {
		if kinds[kind] == 0 {
			t.Errorf("no flipped bit in a %s was found: %v", kind, kinds)
		}
	}
}

func digits(file string) string {
	return regexp.MustCompile(`\d{6}`).FindString(file)
}

func kindOf(file string) string {
	if strings.HasPrefix(file, "MANIFEST") {
		return "MANIFEST"
	}
	return file[len(file)-4:]
}

func TestF4_MissingFileIsNamed(t *testing.T) {
	d := tellStory(t)
	for _, file := range d.files {
		n, err := d.reread(t, file, func([]byte) []byte { return nil })
		switch {
		case essential(file) && err == nil && n != d.records:
			t.Errorf("without %s the store opens with %d of %d records and says nothing", file, n, d.records)
		case essential(file) && err != nil && !strings.Contains(err.Error(), digits(file)) && !strings.Contains(err.Error(), "newest .log"):
			t.Errorf("without %s the error names no file: %v", file, err)
		case !essential(file) && err == nil && n != d.records:
			t.Errorf("without %s %d of %d records are left", file, n, d.records)
		}
	}
}

// A tail that was torn off takes the records that were in it, and no others.
func TestF4_TornTailLosesOnlyWhatWasTornOff(t *testing.T) {
	d := tellStory(t)
	for _, file := range d.files {
		if !essential(file) {
			continue
		}
		size := len(read(t, d.disk, "data/hub.db/"+file))
		last := -1
		for cut := 0; cut <= size; cut += max(size/15, 1) {
			n, err := d.reread(t, file, func(b []byte) []byte { return b[:cut] })
			if err != nil {
				if !strings.Contains(err.Error(), digits(file)) && !strings.Contains(err.Error(), "MANIFEST") {
					t.Errorf("%s cut at %d of %d: %v", file, cut, size, err)
				}
				continue
			}
			if n < d.records && kindOf(file) != ".log" {
				t.Errorf("%s cut at %d of %d: opens with %d of %d records and says nothing", file, cut, size, n, d.records)
			}
			if n < last {
				t.Errorf("%s cut at %d of %d leaves %d records, a shorter one left %d", file, cut, size, n, last)
			}
			last = n
		}
	}
}

// A disk error at any moment and of any kind: the store says so at once,
// acknowledges nothing after it, and what it had acknowledged is there when it
// is opened on new file handles.
func TestF6_NothingIsAcknowledgedAfterADiskError(t *testing.T) {
	for _, c := range []struct {
		name string
		ops  []errorfs.OpKind
		file string
	}{
		{"sync of the log", []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}, ".log"},
		{"write of the log", []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt}, ".log"},
		{"write of a table", []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt}, ".sst"},
		{"making of a table", []errorfs.OpKind{errorfs.OpCreate}, ".sst"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var broken atomic.Bool
			disk := vfs.NewCrashableMem()
			fs := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if broken.Load() && strings.HasSuffix(op.Path, c.file) {
					for _, k := range c.ops {
						if op.Kind == k {
							return errorfs.ErrInjected
						}
					}
				}
				return nil
			}))
			s, err := store.Open(store.Config{Dir: "data", FS: fs, MemTableBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			p := newPresser(s)
			p.onAck = func(n int) {
				if n == 50 {
					broken.Store(true)
				}
			}
			var writers sync.WaitGroup
			for w := range 4 {
				writers.Go(func() {
					for i := range 5000 {
						if err := p.press(w, i); err != nil {
							if !errors.Is(err, store.ErrFailed) {
								t.Errorf("press after the fault: %v", err)
							}
							return
						}
					}
					t.Errorf("writer %d came to its end on a broken disk", w)
				})
			}
			<-s.Failed()
			writers.Wait()
			if err := p.press(9, 9); !errors.Is(err, store.ErrFailed) {
				t.Errorf("a press after the failure: %v", err)
			}
			broken.Store(false)
			if err := p.press(9, 10); !errors.Is(err, store.ErrFailed) {
				t.Errorf("a press on the same handles when the disk is well again: %v", err)
			}
			after := open(t, disk.CrashClone(vfs.CrashCloneCfg{}))
			if n := missing(t, after, p.acknowledged); n > 0 {
				t.Errorf("%d of %d acknowledged presses are lost", n, len(p.acknowledged))
			}
			whole(t, "after the fault", after)
		})
	}
}

// A bad spot that is met while the hub runs is an error for who reads there,
// and is told with its file. Only when the engine's own work meets it the store
// ends, and says the same.
func TestF4_ABadSpotInATableIsToldToWhoReadsIt(t *testing.T) {
	d := tellStory(t)
	for _, file := range d.files {
		if kindOf(file) != ".sst" {
			continue
		}
		b := read(t, d.disk, "data/hub.db/"+file)
		b[len(b)/3] ^= 1
		if err := write(d.disk, "data/hub.db/"+file, b); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(store.Config{Dir: "data", FS: d.disk})
	if errors.Is(err, store.ErrDamaged) {
		return // found at once
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Digest(); err == nil {
		t.Error("everything was read without an error")
	}
	if err := s.Damage(); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "0000") {
		t.Errorf("damage: %v", err)
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutSetting("after", 1) })
	if err != nil && !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a write after it: %v", err)
	}
}
