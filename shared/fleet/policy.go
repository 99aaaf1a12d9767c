package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Policy is what the console wants a site's policy to be: versioned as a whole,
// and applied by the hub whole or not at all.
type Policy struct {
	Version   uint64           `json:"version"`
	Documents []PolicyDocument `json:"documents,omitempty"`
	// Removed are documents of an earlier version that are to go.
	Removed []DocumentName `json:"removed,omitempty"`
}

// PolicyDocument is one document of a Policy: what it is to be, whatever its
// version on board is.
type PolicyDocument struct {
	Kind DocumentKind `json:"kind"`
	Name string       `json:"name"`
	// Body is JSON.
	Body json.RawMessage `json:"body"`
	// Over is the version on board that a person ashore has decided to replace; 0
	// leaves a document alone that was changed on board.
	Over uint64 `json:"over,omitempty"`
}

// DocumentName names a policy document.
type DocumentName struct {
	Kind DocumentKind `json:"kind"`
	Name string       `json:"name"`
}

// String is the name as it is shown: kind/name.
func (n DocumentName) String() string { return string(n.Kind) + "/" + n.Name }

// MaxPolicy is the number of documents of a Policy.
const MaxPolicy = 1024

// Check reports as ErrInvalid what is wrong with a policy, but for what the
// bodies mean.
func (p Policy) Check() error {
	if p.Version == 0 {
		return fmt.Errorf("%w: policy without a version", ErrInvalid)
	}
	if n := len(p.Documents) + len(p.Removed); n > MaxPolicy {
		return fmt.Errorf("%w: policy of %d documents: want at most %d", ErrInvalid, n, MaxPolicy)
	}
	seen := map[DocumentName]bool{}
	for _, d := range p.Documents {
		if err := (Document{Kind: d.Kind, Name: d.Name, Version: 1, Body: d.Body}).Check(); err != nil {
			return err
		}
		n := DocumentName{d.Kind, d.Name}
		if seen[n] {
			return fmt.Errorf("%w: policy names %s twice", ErrInvalid, n)
		}
		seen[n] = true
	}
	for _, n := range p.Removed {
		if seen[n] {
			return fmt.Errorf("%w: policy names %s twice", ErrInvalid, n)
		}
		seen[n] = true
	}
	return nil
}

// PolicyOutcome is what became of a version of the policy.
type PolicyOutcome string

// The outcomes.
const (
	PolicyOutcomeApplied PolicyOutcome = "applied"
	PolicyOutcomeRefused PolicyOutcome = "refused"
)

// PolicyApplied: a version of the console's policy was applied on board, or
// refused whole.
type PolicyApplied struct {
	Version uint64
	Outcome PolicyOutcome
	// Detail says why it was refused.
	Detail string
	// Overrides are the documents, as kind/name, that were changed on board since
	// the policy before, and so left as they are.
	Overrides []string
}

// Kind implements Body.
func (PolicyApplied) Kind() Kind { return KindPolicyApplied }

// Lane implements Body.
func (PolicyApplied) Lane() Lane { return LaneRegistry }

// AppliedPolicy is what became of the newest policy that the hub was given.
type AppliedPolicy struct {
	Version   uint64        `json:"version"`
	Outcome   PolicyOutcome `json:"outcome"`
	Detail    string        `json:"detail,omitempty"`
	Overrides []string      `json:"overrides,omitempty"`
	At        time.Time     `json:"at"`
}

// Ref implements Entity.
func (AppliedPolicy) Ref() Ref { return AppliedPolicyRef() }

// AppliedPolicyRef names what became of the policy from ashore.
func AppliedPolicyRef() Ref { return Ref{EntityAppliedPolicy, "fleet"} }

func applyPolicy(v View, r Record, b PolicyApplied) ([]Change, error) {
	before, found, err := Get[AppliedPolicy](v, AppliedPolicyRef())
	if err != nil || found && (before.Version > b.Version || before.Version == b.Version && !r.At.After(before.At)) {
		return nil, err
	}
	return changed(found, before, AppliedPolicy{
		Version: b.Version, Outcome: b.Outcome, Detail: b.Detail, Overrides: b.Overrides, At: r.At,
	}), nil
}

// ParseDocumentName reads what DocumentName.String wrote; ErrInvalid.
func ParseDocumentName(s string) (DocumentName, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok || !ValidSegment(kind) || !ValidSegment(name) {
		return DocumentName{}, fmt.Errorf("%w: document %q: want kind/name", ErrInvalid, s)
	}
	return DocumentName{DocumentKind(kind), name}, nil
}
