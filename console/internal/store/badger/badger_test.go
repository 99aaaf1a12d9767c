package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

const testMemTable = 2 << 20

func open(t testing.TB, c Config) *Store {
	t.Helper()
	c.MemTableBytes = max(c.MemTableBytes, testMemTable)
	c.CacheBytes, c.IndexCacheBytes = 8<<20, 4<<20
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore_InMemory(t *testing.T) {
	storetest.Run(t, 40, func(t *testing.T) store.Store { return open(t, Config{}) })
}

func TestStore_OnDisk(t *testing.T) {
	storetest.Run(t, 15, func(t *testing.T) store.Store { return open(t, Config{Dir: t.TempDir()}) })
}

func TestOpen_RefusesMachinesThatLoseData(t *testing.T) {
	if err := checkWordSize(32); !errors.Is(err, ErrWordSize) {
		t.Errorf("32 bits: %v", err)
	}
	if err := checkWordSize(64); err != nil {
		t.Errorf("64 bits: %v", err)
	}
}

func TestOpen_FindsEverythingAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	storetest.AddSite(t, s, "yacht-1")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Dir: dir})
	if _, err := again.Site(t.Context(), "yacht-1"); err != nil {
		t.Error(err)
	}
	if again.Bytes() == 0 {
		t.Error("the store takes no space")
	}
	if err := s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: "b"}, 10); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a closed store answers %v", err)
	}
}

func TestOpen_NamesWhatIsWrongWithTheKey(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "store.key")
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %s", info.Mode())
	}
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		_, err := Open(Config{Dir: dir, MemTableBytes: testMemTable})
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", what, err)
		}
	}
	write := func(data []byte, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(key, data, 0o600), os.Chmod(key, mode)); err != nil {
			t.Fatal(err)
		}
	}
	write(good, 0o644)
	check("readable by others")
	write(good[:10], 0o600)
	check("cut short")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	check("missing")
	write([]byte(strings.Repeat("ab", keyBytes)), 0o600)
	if s, err := Open(Config{Dir: dir, MemTableBytes: testMemTable}); err == nil {
		t.Error("another key opens the store")
		_ = s.Close()
	}
	write(good, 0o600)
	open(t, Config{Dir: dir})
}

func TestOpen_RefusesAnotherFormat(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if err := s.change(t.Context(), func(tx *tx) error {
		tx.set(fleetKey(fleetMeta, "format"), []byte("99"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, MemTableBytes: testMemTable}); err == nil || !strings.Contains(err.Error(), "format 99") {
		t.Errorf("got %v", err)
	}
}

func TestUpdateSite_SaysWhenItIsTooMuch(t *testing.T) {
	s := open(t, Config{MemTableBytes: 1 << 20})
	storetest.AddSite(t, s, "a")
	fill := func(n int) error {
		return s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
			for i := range n {
				if err := tx.PutRecord(fleet.LaneRequests, fleet.Seq(i+1), lane.Hash{}, make([]byte, 1000)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := fill(10_000); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("10,000 records: %v", err)
	}
	if err := fill(10); err != nil {
		t.Errorf("the store takes nothing afterwards: %v", err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("the store has failed: %v", err)
	}
}

func TestUpdate_RunsAgainAfterAConflict(t *testing.T) {
	s := open(t, Config{})
	k := fleetKey(fleetMeta, "counter")
	runs := 0
	err := s.update(t.Context(), func(outer *tx) error {
		runs++
		b, err := outer.get(k)
		if err != nil {
			return err
		}
		if runs == 1 {
			err := s.update(t.Context(), func(inner *tx) error {
				inner.set(k, []byte("inner"))
				return nil
			})
			if err != nil {
				return err
			}
		}
		outer.set(k, append(b, '!'))
		return nil
	})
	if err != nil || runs != 2 {
		t.Fatalf("%d runs: %v", runs, err)
	}
	got, err := s.Setting(t.Context(), "")
	if err != nil || got != "" {
		t.Fatal(got, err)
	}
	err = s.view(t.Context(), func(tx *tx) error {
		b, err := tx.get(k)
		if string(b) != "inner!" {
			err = fmt.Errorf("counter is %q", b)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUpdate_GivesUpAfterManyConflicts(t *testing.T) {
	s := open(t, Config{Retries: 3})
	k := fleetKey(fleetMeta, "counter")
	err := s.update(t.Context(), func(outer *tx) error {
		if _, err := outer.get(k); err != nil {
			return err
		}
		outer.set(k, empty)
		return s.update(t.Context(), func(inner *tx) error {
			inner.set(k, empty)
			return nil
		})
	})
	if !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestOpen_IndexesTheDevicesOfTheFormatBefore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	storetest.AddSite(t, s, "a")
	err := s.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		return errors.Join(
			tx.PutEntity(fleet.Device{ID: "button-1", Type: fleet.Button, Room: "cabin-1", Version: 1}),
			tx.PutState(fleet.DeviceState{ID: "button-1", Presence: fleet.Lost, Version: 1}, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	find := func(s *Store) int {
		t.Helper()
		page, err := s.SearchDevices(t.Context(), store.DeviceQuery{
			Conditions: []store.DeviceCondition{{Field: store.TermState, Ranges: []store.TermRange{store.Exactly("lost")}}},
			Match:      func(store.FoundDevice) bool { return true }, Limit: 10, Scan: 10,
		}, store.DevicePlace{})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Devices)
	}
	err = s.update(t.Context(), func(tx *tx) error {
		tx.set(fleetKey(fleetMeta, "format"), []byte(formatBeforeTerm))
		return tx.keys(fleetKey(fleetTerm), nil, func(k []byte) (bool, error) {
			tx.set(append([]byte(nil), k...), nil)
			return true, nil
		})
	})
	if err != nil || find(s) != 0 {
		t.Fatalf("the store still has terms: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := find(open(t, Config{Dir: dir})); n != 1 {
		t.Errorf("%d devices are found after the start", n)
	}
}
