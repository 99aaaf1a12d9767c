package fleettest

import (
	"errors"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Keeper is a store as the conformance suite sees it.
type Keeper interface {
	// Fold appends a record and folds it, durably.
	Fold(fleet.Record) error
	// FoldThenFail does the same in a transaction that ends with failure, and
	// returns that.
	FoldThenFail(r fleet.Record, failure error) error
	Entity(fleet.Ref) ([]byte, error)
	Digest() (string, error)
	Head(fleet.Lane) (lane.Position, error)
	// Reopen closes the store; the next call opens it again.
	Reopen() error
}

// Conformance is what every store of folded state must pass, on a hub or at a
// console.
func Conformance(t *testing.T, open func(*testing.T) Keeper) {
	t.Run("FoldEqualsTheReference", func(t *testing.T) {
		for seed := range uint64(5) {
			k, story := open(t), NewStory(seed)
			for i := range 150 {
				r := story.Next()
				if err := k.Fold(r); err != nil {
					t.Fatalf("seed %d: record %d: %v", seed, i, err)
				}
			}
			same(t, k, story)
		}
	})
	t.Run("ReopenedStoreHoldsTheSame", func(t *testing.T) {
		k, story := open(t), NewStory(7)
		for i := range 120 {
			if err := k.Fold(story.Next()); err != nil {
				t.Fatal(err)
			}
			if i%17 == 0 {
				if err := k.Reopen(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := k.Reopen(); err != nil {
			t.Fatal(err)
		}
		same(t, k, story)
	})
	t.Run("FailedTransactionLeavesNothing", func(t *testing.T) {
		k, story := open(t), NewStory(11)
		boom := errors.New("boom")
		for i := range 60 {
			r := story.Next()
			before, err := k.Head(r.Body.Lane())
			if err != nil {
				t.Fatal(err)
			}
			if err := k.FoldThenFail(r, boom); !errors.Is(err, boom) {
				t.Fatalf("record %d: %v", i, err)
			}
			if after, err := k.Head(r.Body.Lane()); err != nil || after != before {
				t.Fatalf("record %d moved the head from %d to %d: %v", i, before.Seq, after.Seq, err)
			}
			if err := k.Fold(r); err != nil {
				t.Fatalf("record %d again: %v", i, err)
			}
		}
		same(t, k, story)
	})
	t.Run("NumbersHaveNoHoles", func(t *testing.T) {
		k, story := open(t), NewStory(13)
		count := map[fleet.Lane]fleet.Seq{}
		for range 100 {
			r := story.Next()
			if err := k.Fold(r); err != nil {
				t.Fatal(err)
			}
			count[r.Body.Lane()]++
			if head, err := k.Head(r.Body.Lane()); err != nil || head.Seq != count[r.Body.Lane()] {
				t.Fatalf("head %d after %d records: %v", head.Seq, count[r.Body.Lane()], err)
			}
		}
	})
	t.Run("UnknownEntityIsNone", func(t *testing.T) {
		if b, err := open(t).Entity(fleet.DeviceRef("nobody")); b != nil || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func same(t *testing.T, k Keeper, story *Story) {
	t.Helper()
	got, err := k.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if want := story.State().Digest(); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	for ref, want := range story.State().All() {
		if got, err := k.Entity(ref); err != nil || string(got) != string(want) {
			t.Fatalf("%s %s: got %s, want %s (%v)", ref.Kind, ref.ID, got, want, err)
		}
	}
}
