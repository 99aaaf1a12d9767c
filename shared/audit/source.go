package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Source is one moment of an audit. What it returns is as it is stored: an
// entry that cannot be read is for Verify to name.
type Source interface {
	// AuditChains names the chains that have a head or an entry, each once.
	AuditChains() ([]fleet.Epoch, error)
	// AuditHead is the stored head of a chain; nil when there is none.
	AuditHead(chain fleet.Epoch) ([]byte, error)
	// AuditFrom calls fn with the stored entries of a chain, upwards from a
	// number, until fn says false. The bytes are valid during the call.
	AuditFrom(chain fleet.Epoch, from uint64, fn func([]byte) bool) error
	// AuditBefore is AuditFrom downwards, before a number; 0 for all.
	AuditBefore(chain fleet.Epoch, before uint64, fn func([]byte) bool) error
}

// Filter says which entries are wanted; zero fields are not asked about.
type Filter struct {
	// Actor is an id, a person's id, or a name.
	Actor string
	// Action is how the action begins: device. for all about devices.
	Action string
	Target string
	// From and To: entered at From or later, and before To.
	From, To time.Time
	Chain    fleet.Epoch
}

// Match reports whether e is wanted.
func (f Filter) Match(e fleet.AuditEntry) bool {
	a := e.Actor
	return (f.Actor == "" || f.Actor == a.ID || f.Actor == a.PersonID || f.Actor == a.Name) &&
		len(e.Action) >= len(f.Action) && e.Action[:len(f.Action)] == f.Action &&
		(f.Target == "" || f.Target == e.Target) && (f.Chain == "" || f.Chain == e.Chain) &&
		!e.At.Before(f.From) && (f.To.IsZero() || e.At.Before(f.To))
}

// Place is an entry's place. The zero value is before all of them.
type Place struct {
	Chain fleet.Epoch `json:"chain"`
	N     uint64      `json:"n"`
}

// decode reads a stored entry.
func decode(b []byte) (fleet.AuditEntry, error) {
	var e fleet.AuditEntry
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("%w: it cannot be read: %w", fleet.ErrState, err)
	}
	return e, nil
}

// link is how a chain begins and ends.
type link struct {
	chain fleet.Epoch
	prev  string
	at    time.Time
	last  string // hash of its last entry
}

// chains are the chains of an audit, the oldest first.
func chains(src Source) ([]fleet.Epoch, error) {
	names, err := src.AuditChains()
	if err != nil {
		return nil, err
	}
	var links []link
	for _, c := range names {
		l := link{chain: c}
		err := src.AuditFrom(c, 0, func(b []byte) bool {
			if e, err := decode(b); err == nil {
				l.prev, l.at = e.Prev, e.At
			}
			return false
		})
		if err != nil {
			return nil, err
		}
		if err := src.AuditBefore(c, 0, func(b []byte) bool {
			if e, err := decode(b); err == nil {
				l.last = e.Hash
			}
			return false
		}); err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	slices.SortFunc(links, func(a, b link) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.chain, b.chain)) })
	return inOrder(links), nil
}

// inOrder puts each chain behind the one that it continues.
func inOrder(links []link) []fleet.Epoch {
	ends := map[string]bool{}
	for _, l := range links {
		ends[l.last] = true
	}
	var out []fleet.Epoch
	done := map[fleet.Epoch]bool{}
	var take func(link)
	take = func(l link) {
		if done[l.chain] {
			return // chains that continue each other in a circle are for Verify
		}
		done[l.chain] = true
		out = append(out, l.chain)
		for _, next := range links {
			if next.prev != "" && next.prev == l.last {
				take(next)
			}
		}
	}
	for _, l := range links {
		if l.prev == "" || !ends[l.prev] {
			take(l)
		}
	}
	for _, l := range links {
		take(l)
	}
	return out
}
