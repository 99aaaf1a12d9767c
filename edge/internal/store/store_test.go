package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/account/accounttest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
)

func open(t *testing.T, fs store.FileSystem) *store.Store {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore_PassesTheConformanceSuite(t *testing.T) {
	fleettest.Conformance(t, func(t *testing.T) fleettest.Keeper {
		return &keeper{t: t, fs: store.InMemory()}
	})
}

// keeper shows a store to the conformance suite: records are appended as the
// journal does.
type keeper struct {
	t  *testing.T
	fs store.FileSystem
	s  *store.Store
}

func (k *keeper) open() *store.Store {
	if k.s == nil {
		k.s = open(k.t, k.fs)
	}
	return k.s
}

func (k *keeper) Fold(r fleet.Record) error {
	j := journal.New(journal.Config{Store: k.open(), Clock: at(r.At)})
	return j.Do(context.Background(), func(tx *journal.Tx) error { return tx.AppendAlone(r.Actor, r.Body) })
}

func (k *keeper) FoldThenFail(r fleet.Record, failure error) error {
	j := journal.New(journal.Config{Store: k.open(), Clock: at(r.At)})
	return j.Do(context.Background(), func(tx *journal.Tx) error {
		if err := tx.Append(r.Actor, r.Body); err != nil {
			return err
		}
		return failure
	})
}

func (k *keeper) Entity(r fleet.Ref) ([]byte, error) { return k.open().Entity(r) }
func (k *keeper) Digest() (string, error)            { return k.open().Digest() }
func (k *keeper) Head(l fleet.Lane) (lane.Position, error) {
	return k.open().Head(l)
}

func (k *keeper) Reopen() error {
	err := k.open().Close()
	k.s = nil
	return err
}

type at time.Time

func (a at) Now() (time.Time, bool) { return time.Time(a), true }

func TestPeople_PassTheConformanceSuite(t *testing.T) {
	accounttest.Run(t, func(t *testing.T) account.Store {
		return accountkv.New(open(t, store.InMemory()).People())
	})
}

// The power is cut at a random moment: what Update had returned nil for is
// there afterwards, and nothing is there by half.
func TestUpdate_WhatReturnedNilSurvivesAPowerCut(t *testing.T) {
	for round := range 10 {
		disk := vfs.NewCrashableMem()
		s, err := store.Open(store.Config{Dir: "data", FS: disk, MemTableBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var acknowledged []int
		var cut *vfs.MemFS
		var writers sync.WaitGroup
		for w := range 8 {
			writers.Go(func() {
				for i := range 60 {
					n := w*1000 + i
					err := s.Update(context.Background(), func(tx *store.Tx) error {
						return errors.Join(tx.PutSetting(fmt.Sprint("a", n), n), tx.PutSetting(fmt.Sprint("b", n), n))
					})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if cut == nil {
						acknowledged = append(acknowledged, n)
						if len(acknowledged) == 40*(round+1) {
							cut = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
						}
					}
					mu.Unlock()
				}
			})
		}
		writers.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if cut == nil {
			t.Fatal("the power was never cut")
		}
		after := open(t, cut)
		for _, n := range acknowledged {
			for _, name := range []string{"a", "b"} {
				got, found, err := store.Setting[int](after, fmt.Sprint(name, n))
				if err != nil || !found || got != n {
					t.Fatalf("round %d: setting %s%d: %d, %t, %v", round, name, n, got, found, err)
				}
			}
		}
		for w := range 8 {
			for i := range 60 {
				_, a, _ := store.Setting[int](after, fmt.Sprint("a", w*1000+i))
				_, b, _ := store.Setting[int](after, fmt.Sprint("b", w*1000+i))
				if a != b {
					t.Fatalf("round %d: half of update %d is there", round, w*1000+i)
				}
			}
		}
	}
}

// The control of the test above: its disk does lose what was not synced, so the
// test can see a loss.
func TestCrashDisk_LosesWhatWasNotSynced(t *testing.T) {
	disk := vfs.NewCrashableMem()
	f, err := disk.Create("unsynced", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("acknowledged too early")); err != nil {
		t.Fatal(err)
	}
	cut := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
	if _, err := cut.Stat("unsynced"); err == nil {
		t.Error("a file that was never synced survived the cut")
	}
}

func TestUpdate_ErrorUndoesItsWritesAndOnlyThose(t *testing.T) {
	s := open(t, store.InMemory())
	boom := errors.New("boom")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			err := s.Update(t.Context(), func(tx *store.Tx) error {
				if err := tx.PutSetting(fmt.Sprint("n", i), i); err != nil {
					return err
				}
				if i%2 == 1 {
					return boom
				}
				return nil
			})
			if (i%2 == 1) != errors.Is(err, boom) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range 50 {
		_, found, err := store.Setting[int](s, fmt.Sprint("n", i))
		if err != nil || found != (i%2 == 0) {
			t.Errorf("update %d is there: %t, %v", i, found, err)
		}
	}
}

func TestUpdate_AfterAFailedSyncNothingIsWritten(t *testing.T) {
	var broken atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if broken.Load() {
				return errorfs.ErrInjected
			}
		}
		return nil
	}))
	s, err := store.Open(store.Config{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	put := func(n int) error {
		return s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutSetting("n", n) })
	}
	if err := put(1); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	if err := put(2); !errors.Is(err, store.ErrFailed) {
		t.Fatalf("update with a failing sync: %v", err)
	}
	<-s.Failed()
	broken.Store(false)
	if err := put(3); !errors.Is(err, store.ErrFailed) {
		t.Errorf("update after it: %v", err)
	}
	_ = s.Close()
}

func TestOpen_NewerFormatIsRefusedWithAReason(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	if err := s.SetFormat("2"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(store.Config{Dir: "data", FS: fs}); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("got %v", err)
	}
}
