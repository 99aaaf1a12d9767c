package document

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Of is a document with its body decoded.
type Of[T any] struct {
	Name      string
	Value     T
	Version   uint64
	UpdatedAt time.Time
}

// Config is what NewSet needs.
type Config[T any] struct {
	Kind    fleet.DocumentKind
	Store   *store.Store
	Journal *journal.Journal
	// Max documents of the site, of all kinds together; 4,096 by default.
	Max int
	// Check reports as fleet.ErrInvalid what is wrong with a value; may be nil.
	Check func(T) error
	// CheckIn is Check against the state that the decision sees, such as whether
	// what the value names is there; may be nil.
	CheckIn func(tx *journal.Tx, name string, v T) error
	// Leaving may refuse, as fleet.ErrState, that a document is removed; may be nil.
	Leaving func(tx *journal.Tx, name string) error
	// Changed is told the name of a document that was made, changed or removed,
	// after the commit. It must be quick, and must not call Add, Change or
	// Remove; may be nil.
	Changed func(name string)
}

// Set is all documents of one kind. It takes up every change that is committed,
// whoever makes it.
type Set[T any] struct {
	c Config[T]

	mu  sync.RWMutex // guards all
	all map[string]Of[T]
}

// NewSet reads the documents of a kind. It follows the journal, so it is called
// before the first decision that could change one.
func NewSet[T any](c Config[T]) (*Set[T], error) {
	c.Max = cmp.Or(c.Max, 4096)
	s := &Set[T]{c: c, all: map[string]Of[T]{}}
	var bad error
	err := store.Entities(c.Store, "", func(d fleet.Document) bool {
		bad = s.take(d)
		return bad == nil
	})
	if err = cmp.Or(err, bad); err != nil {
		return nil, fmt.Errorf("read documents of kind %s: %w", c.Kind, err)
	}
	c.Journal.Follow(func(e journal.Event) {
		for _, change := range e.Changes {
			if d, ok := change.After.(fleet.Document); ok && d.Kind == c.Kind {
				// One that cannot be read leaves what was known; NewSet will say it.
				if s.take(d) == nil && c.Changed != nil {
					c.Changed(d.Name)
				}
			}
		}
	})
	return s, nil
}

// take keeps a document as it is now.
func (s *Set[T]) take(d fleet.Document) error {
	if d.Kind != s.c.Kind {
		return nil
	}
	of := Of[T]{Name: d.Name, Version: d.Version, UpdatedAt: d.UpdatedAt}
	if !d.Removed {
		if err := json.Unmarshal(d.Body, &of.Value); err != nil {
			return fmt.Errorf("decode %s %s: %w", d.Kind, d.Name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Removed {
		delete(s.all, d.Name)
	} else {
		s.all[d.Name] = of
	}
	return nil
}

// All are the documents, by name.
func (s *Set[T]) All() []Of[T] {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.all), func(a, b Of[T]) int { return strings.Compare(a.Name, b.Name) })
}

// Get returns a document; fleet.ErrNotFound.
func (s *Set[T]) Get(name string) (Of[T], error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.all[name]
	if !ok {
		return d, fmt.Errorf("%w: %s %s", fleet.ErrNotFound, s.c.Kind, name)
	}
	return d, nil
}

// Add stores a new document. fleet.ErrExists, fleet.ErrInvalid, fleet.ErrLimit.
func (s *Set[T]) Add(ctx context.Context, by fleet.Actor, name string, v T) error {
	return s.put(ctx, by, name, v, Fresh)
}

// Change replaces a document; version is the one that the change was made on.
// fleet.ErrNotFound, fleet.ErrVersion, fleet.ErrInvalid.
func (s *Set[T]) Change(ctx context.Context, by fleet.Actor, name string, v T, version uint64) error {
	return s.put(ctx, by, name, v, version)
}

func (s *Set[T]) put(ctx context.Context, by fleet.Actor, name string, v T, version uint64) error {
	if s.c.Check != nil {
		if err := s.c.Check(v); err != nil {
			return err
		}
	}
	return s.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if s.c.CheckIn != nil {
			if err := s.c.CheckIn(tx, name, v); err != nil {
				return err
			}
		}
		if version == Fresh {
			if err := Room(tx, 1, s.c.Max); err != nil {
				return err
			}
		}
		return Put(tx, by, Write{Kind: s.c.Kind, Name: name, Version: version}, v)
	})
}

// Remove removes a document. fleet.ErrNotFound, fleet.ErrVersion.
func (s *Set[T]) Remove(ctx context.Context, by fleet.Actor, name string, version uint64) error {
	return s.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if s.c.Leaving != nil {
			if err := s.c.Leaving(tx, name); err != nil {
				return err
			}
		}
		return Remove(tx, by, Write{Kind: s.c.Kind, Name: name, Version: version})
	})
}
