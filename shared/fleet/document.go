package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// DocumentKind says what a policy document is about. A program folds, stores
// and passes on kinds that it does not know.
type DocumentKind string

// The kinds of policy documents.
const (
	// DocumentProfile is a security profile.
	DocumentProfile DocumentKind = "profile"
	// DocumentACL is a list of rights with what it applies to.
	DocumentACL DocumentKind = "acl"
)

// MaxDocument is the greatest size of a document's body in bytes, so that its
// record fits into one call of the link.
const MaxDocument = 32 << 10

// Document is one piece of the site's policy, versioned as a whole. What its
// body means is the business of who uses its kind; here it is opaque.
type Document struct {
	Kind DocumentKind `json:"kind"`
	// Name is unique among the documents of one kind.
	Name      string    `json:"name"`
	UpdatedAt time.Time `json:"updated_at"`
	// Version counts the changes of the document, from 1, over removal too.
	Version uint64 `json:"version"`
	// Removed marks a tombstone, which has no body.
	Removed bool `json:"removed,omitempty"`
	// Body is JSON.
	Body json.RawMessage `json:"body,omitempty"`
}

// Check reports as ErrInvalid what is wrong with a document, but for what its
// body means.
func (d Document) Check() error {
	switch {
	case !ValidSegment(string(d.Kind)):
		return fmt.Errorf("%w: document kind %q: want 1 to %d of A-Z a-z 0-9 . _ -", ErrInvalid, d.Kind, MaxSegment)
	case !ValidSegment(d.Name):
		return fmt.Errorf("%w: name %q of a %s: want 1 to %d of A-Z a-z 0-9 . _ -", ErrInvalid, d.Name, d.Kind, MaxSegment)
	case len(d.Body) > MaxDocument:
		return fmt.Errorf("%w: %s %s has %d bytes: want at most %d", ErrInvalid, d.Kind, d.Name, len(d.Body), MaxDocument)
	case d.Removed && len(d.Body) > 0:
		return fmt.Errorf("%w: %s %s is removed and has a body", ErrInvalid, d.Kind, d.Name)
	case !d.Removed && !json.Valid(d.Body):
		return fmt.Errorf("%w: body of %s %s is not JSON", ErrInvalid, d.Kind, d.Name)
	}
	return nil
}
