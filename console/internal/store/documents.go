package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// DocumentKind says what a document of the console is.
type DocumentKind string

// The kinds of documents.
const (
	// DocumentView is a saved view of a list.
	DocumentView DocumentKind = "view"
	// DocumentTemplate is what a new site begins with.
	DocumentTemplate DocumentKind = "template"
	// DocumentPolicy is a piece of policy for many sites.
	DocumentPolicy DocumentKind = "policy"
	// DocumentAssignment says which sites have which pieces of policy.
	DocumentAssignment DocumentKind = "assignment"
	// DocumentWindow is a time in which a site is expected to be away.
	DocumentWindow DocumentKind = "window"
	// DocumentRule says who is notified of what.
	DocumentRule DocumentKind = "rule"
	// DocumentSettings are settings of the console that people change.
	DocumentSettings DocumentKind = "settings"
)

// MaxDocument is the greatest size of a document's body in bytes.
const MaxDocument = 256 << 10

// Document is one of the console's own documents, versioned as a whole. What
// its body means is the business of who uses its kind.
type Document struct {
	Kind DocumentKind `json:"kind"`
	// Name is unique among the documents of one kind.
	Name string `json:"name"`
	// Version counts the changes of the document, from 1, over removal too.
	Version   uint64      `json:"version"`
	UpdatedAt time.Time   `json:"updated_at"`
	UpdatedBy fleet.Actor `json:"updated_by"`
	// Removed marks a tombstone, which has no body.
	Removed bool `json:"removed,omitempty"`
	// Body is JSON.
	Body json.RawMessage `json:"body,omitempty"`
}

// Check reports as fleet.ErrInvalid what is wrong with a document, but for what
// its body means.
func (d Document) Check() error {
	switch {
	case !fleet.ValidSegment(string(d.Kind)):
		return fmt.Errorf("%w: document kind %q: want 1 to %d of A-Z a-z 0-9 . _ -", fleet.ErrInvalid, d.Kind, fleet.MaxSegment)
	case !fleet.ValidSegment(d.Name):
		return fmt.Errorf("%w: name %q: want 1 to %d of A-Z a-z 0-9 . _ -", fleet.ErrInvalid, d.Name, fleet.MaxSegment)
	case len(d.Body) > MaxDocument:
		return fmt.Errorf("%w: %s %s has %d bytes: want at most %d", fleet.ErrInvalid, d.Kind, d.Name, len(d.Body), MaxDocument)
	case d.Removed && len(d.Body) > 0:
		return fmt.Errorf("%w: %s %s is removed and has a body", fleet.ErrInvalid, d.Kind, d.Name)
	case !d.Removed && !json.Valid(d.Body):
		return fmt.Errorf("%w: body of %s %s is not JSON", fleet.ErrInvalid, d.Kind, d.Name)
	}
	return nil
}

// Documents is the part of Store with the console's own documents. Every
// version is kept.
type Documents interface {
	// PutDocument stores the next version of a document, if its version still is
	// ifVersion (0: if there is none, or it was removed). Removed makes a
	// tombstone. It returns what was stored, with its version, and writes an entry
	// of the audit. fleet.ErrExists; fleet.ErrVersion; fleet.ErrNotFound when a
	// version was meant and there is none; fleet.ErrInvalid.
	PutDocument(ctx context.Context, by fleet.Actor, d Document, ifVersion uint64) (Document, error)
	// Document returns a document; fleet.ErrNotFound, also of one that was removed.
	Document(ctx context.Context, kind DocumentKind, name string) (Document, error)
	// DocumentVersions lists the versions of a document before the given one (0 for
	// all), the newest first, with its tombstones.
	DocumentVersions(ctx context.Context, kind DocumentKind, name string, before uint64, limit int) ([]Document, error)
	// Documents lists the documents of a kind that are not removed, by name after
	// the given one.
	Documents(ctx context.Context, kind DocumentKind, after string, limit int) ([]Document, error)
}

// CheckVersion reports why what has a version cannot be put on ifVersion:
// fleet.ErrExists, fleet.ErrNotFound, fleet.ErrVersion.
func CheckVersion(what string, version uint64, found bool, ifVersion uint64) error {
	switch {
	case ifVersion == 0 && found:
		return fmt.Errorf("%w: %s", fleet.ErrExists, what)
	case ifVersion != 0 && !found:
		return fmt.Errorf("%w: %s", fleet.ErrNotFound, what)
	case version != ifVersion:
		return fmt.Errorf("%w: %s has version %d", fleet.ErrVersion, what, version)
	}
	return nil
}

// NextDocument is what follows before (the zero value for none) when d is put
// on ifVersion: the rule that every engine follows.
func NextDocument(before Document, d Document, ifVersion uint64, by fleet.Actor, at time.Time) (Document, error) {
	if err := d.Check(); err != nil {
		return d, err
	}
	there := before.Version > 0 && !before.Removed
	switch {
	case ifVersion == 0 && there:
		return d, fmt.Errorf("%w: %s %s", fleet.ErrExists, d.Kind, d.Name)
	case ifVersion == 0 && d.Removed, ifVersion != 0 && !there:
		return d, fmt.Errorf("%w: %s %s", fleet.ErrNotFound, d.Kind, d.Name)
	case ifVersion != 0 && before.Version != ifVersion:
		return d, fmt.Errorf("%w: %s %s has version %d", fleet.ErrVersion, d.Kind, d.Name, before.Version)
	}
	d.Version, d.UpdatedAt, d.UpdatedBy = before.Version+1, fleet.Millis(at), by
	return d, nil
}
