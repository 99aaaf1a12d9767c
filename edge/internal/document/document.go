// Package document keeps policy documents: how one is made, changed and removed
// in a decision of the journal, and sets of all documents of one kind, decoded.
//
// What always holds: a document's version grows by one with each change, over
// removal too, and a change names the version that it was made on.
//
// On disk: the documents, as entities (fleet.Document). In memory: those of a
// Set. All methods of a Set may be called from any goroutine.
package document

import (
	"encoding/json"
	"fmt"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Fresh is the version of a change that makes a document.
const Fresh = ^uint64(0)

// Write is a change of one document.
type Write struct {
	Kind fleet.DocumentKind
	Name string
	// Version is the one that the change was made on; Fresh when there may be none.
	Version uint64
	// BuiltIn: something stands in its place while it is not stored, so it may be
	// changed before it is made.
	BuiltIn bool
}

// Put appends the document with v, as JSON, as its body. fleet.ErrExists,
// fleet.ErrNotFound, fleet.ErrVersion; fleet.ErrInvalid when name or body are
// not those of a document.
func Put(tx *journal.Tx, by fleet.Actor, w Write, v any) error {
	old, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(w.Kind, w.Name))
	if err != nil {
		return err
	}
	stored := found && !old.Removed
	switch {
	case w.Version == Fresh && stored:
		return fmt.Errorf("%w: %s %s", fleet.ErrExists, w.Kind, w.Name)
	case w.Version != Fresh && !stored && !w.BuiltIn:
		return fmt.Errorf("%w: %s %s", fleet.ErrNotFound, w.Kind, w.Name)
	case w.Version != Fresh && w.Version != old.Version:
		return wrongVersion(old, w)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s %s: %w", w.Kind, w.Name, err)
	}
	d := fleet.Document{Kind: w.Kind, Name: w.Name, UpdatedAt: tx.Now(), Version: old.Version + 1, Body: body}
	if err := d.Check(); err != nil {
		return err
	}
	return tx.Append(by, fleet.PolicyChanged{Document: d})
}

// Remove appends a tombstone. fleet.ErrNotFound, fleet.ErrVersion; fleet.ErrState
// for a built-in one that nothing replaces.
func Remove(tx *journal.Tx, by fleet.Actor, w Write) error {
	old, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(w.Kind, w.Name))
	switch {
	case err != nil:
		return err
	case (!found || old.Removed) && w.BuiltIn:
		return fmt.Errorf("%w: %s %s is built in: it can be replaced, not removed", fleet.ErrState, w.Kind, w.Name)
	case !found || old.Removed:
		return fmt.Errorf("%w: %s %s", fleet.ErrNotFound, w.Kind, w.Name)
	case old.Version != w.Version:
		return wrongVersion(old, w)
	}
	return tx.Append(by, fleet.PolicyChanged{Document: fleet.Document{
		Kind: w.Kind, Name: w.Name, UpdatedAt: tx.Now(), Version: old.Version + 1, Removed: true,
	}})
}

func wrongVersion(old fleet.Document, w Write) error {
	return fmt.Errorf("%w: %s %s has version %d, not %d", fleet.ErrVersion, w.Kind, w.Name, old.Version, w.Version)
}

// Room reports as fleet.ErrLimit that there may not be so many documents more,
// of all kinds together, than before the decision.
func Room(tx *journal.Tx, more, most int) error {
	if more == 0 {
		return nil
	}
	n := 0
	err := store.TxEntities(tx.Tx, "", func(d fleet.Document) bool {
		if !d.Removed {
			n++
		}
		return true
	})
	if err == nil && n+more > most {
		return fmt.Errorf("%w: the site has %d policy documents and may have %d", fleet.ErrLimit, n, most)
	}
	return err
}
