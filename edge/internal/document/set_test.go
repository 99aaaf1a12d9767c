package document_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var (
	by = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Mila"}
	at = time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
)

type clock struct{}

func (clock) Now() (time.Time, bool) { return at, true }

type note struct {
	Text string `json:"text"`
}

func (n note) check() error {
	if n.Text == "" {
		return fmt.Errorf("%w: text is empty", fleet.ErrInvalid)
	}
	return nil
}

type site struct {
	*testing.T
	store   *store.Store
	journal *journal.Journal
	changed []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{T: t, store: s, journal: journal.New(journal.Config{Store: s, Clock: clock{}})}
}

func (s *site) open(kind fleet.DocumentKind, most int) *document.Set[note] {
	s.Helper()
	set, err := document.NewSet(document.Config[note]{
		Kind: kind, Store: s.store, Journal: s.journal, Max: most, Check: note.check,
		Changed: func(name string) { s.changed = append(s.changed, name) },
	})
	if err != nil {
		s.Fatal(err)
	}
	return set
}

func TestSet_ChangesNameTheVersionThatTheyWereMadeOn(t *testing.T) {
	s := newSite(t)
	set := s.open("note", 0)
	if err := set.Change(t.Context(), by, "a", note{"one"}, 1); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("changed before it was made: %v", err)
	}
	if err := set.Add(t.Context(), by, "a", note{"one"}); err != nil {
		t.Fatal(err)
	}
	if err := set.Add(t.Context(), by, "a", note{"one"}); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("made twice: %v", err)
	}
	if err := set.Change(t.Context(), by, "a", note{"two"}, 1); err != nil {
		t.Fatal(err)
	}
	if err := set.Change(t.Context(), by, "a", note{"three"}, 1); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("changed on an old version: %v", err)
	}
	if d, err := set.Get("a"); err != nil || cmp.Diff(document.Of[note]{Name: "a", Value: note{"two"}, Version: 2, UpdatedAt: at}, d) != "" {
		t.Errorf("%+v %v", d, err)
	}
	if err := set.Remove(t.Context(), by, "a", 1); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("removed on an old version: %v", err)
	}
	if err := set.Remove(t.Context(), by, "a", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Get("a"); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("it is still there: %v", err)
	}
	if err := set.Remove(t.Context(), by, "a", 3); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	// The name may be given again; versions go on.
	if err := set.Add(t.Context(), by, "a", note{"four"}); err != nil {
		t.Fatal(err)
	}
	if d, err := set.Get("a"); err != nil || d.Version != 4 {
		t.Errorf("%+v %v", d, err)
	}
	if d := cmp.Diff([]string{"a", "a", "a", "a"}, s.changed); d != "" {
		t.Error(d)
	}
}

func TestSet_HoldsItsKindOnlyAndComesBackAfterARestart(t *testing.T) {
	s := newSite(t)
	notes, others := s.open("note", 0), s.open("other", 0)
	for _, name := range []string{"b", "a"} {
		if err := errors.Join(notes.Add(t.Context(), by, name, note{name}), others.Add(t.Context(), by, "x-"+name, note{"x"})); err != nil {
			t.Fatal(err)
		}
	}
	for _, set := range []*document.Set[note]{notes, s.open("note", 0)} {
		if d := cmp.Diff([]document.Of[note]{
			{Name: "a", Value: note{"a"}, Version: 1, UpdatedAt: at}, {Name: "b", Value: note{"b"}, Version: 1, UpdatedAt: at},
		}, set.All()); d != "" {
			t.Error(d)
		}
	}
}

func TestSet_RefusesWhatIsWrongAndMoreThanTheSiteMayHave(t *testing.T) {
	s := newSite(t)
	set := s.open("note", 2)
	for name, v := range map[string]note{"a": {}, "a b": {"one"}, "": {"one"}} {
		if err := set.Add(t.Context(), by, name, v); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q %+v: %v", name, v, err)
		}
	}
	for _, name := range []string{"a", "b"} {
		if err := set.Add(t.Context(), by, name, note{name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := set.Add(t.Context(), by, "c", note{"c"}); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if err := set.Change(t.Context(), by, "b", note{"bb"}, 1); err != nil {
		t.Errorf("a change needs no room: %v", err)
	}
}

func TestSet_DecisionsSeeTheStateAndWhoIsTiedStays(t *testing.T) {
	s := newSite(t)
	tied := fmt.Errorf("%w: somebody names it", fleet.ErrState)
	set, err := document.NewSet(document.Config[note]{
		Kind: "note", Store: s.store, Journal: s.journal,
		CheckIn: func(tx *journal.Tx, name string, v note) error {
			if v.Text == "" {
				return nil
			}
			if _, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef("note", v.Text)); err != nil || !found {
				return fmt.Errorf("%w: %s names %s, which is not there", fleet.ErrInvalid, name, v.Text)
			}
			return nil
		},
		Leaving: func(_ *journal.Tx, name string) error {
			if name == "a" {
				return tied
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Add(t.Context(), by, "b", note{"a"}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if err := errors.Join(set.Add(t.Context(), by, "a", note{}), set.Add(t.Context(), by, "b", note{"a"})); err != nil {
		t.Fatal(err)
	}
	if err := set.Remove(t.Context(), by, "a", 1); !errors.Is(err, tied) {
		t.Errorf("%v", err)
	}
	if err := set.Remove(t.Context(), by, "b", 1); err != nil {
		t.Error(err)
	}
}
