package store_test

import (
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

func TestTellings_OldOnesAreForgottenAFewAtATime(t *testing.T) {
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	old, young := fleet.NewUUID[fleet.RequestID](now.Add(-100*24*time.Hour)), fleet.NewUUID[fleet.RequestID](now)
	write := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	write(func(tx *store.Tx) error {
		for n := range uint64(5) {
			for _, id := range []fleet.RequestID{old, young} {
				if err := tx.AddTelling(store.Telling{Request: id, At: now, What: "told", Device: "watch-1"}, n); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for _, more := range []bool{true, true, false} {
		write(func(tx *store.Tx) error {
			got, err := tx.ForgetTellings(now.Add(-90*24*time.Hour), 2)
			if got != more {
				t.Errorf("more: %t, want %t", got, more)
			}
			return err
		})
	}
	for id, want := range map[fleet.RequestID]int{old: 0, young: 5} {
		if log, err := s.Tellings(id); err != nil || len(log) != want {
			t.Errorf("%d entries of %s, want %d (%v)", len(log), id, want, err)
		}
	}
}
