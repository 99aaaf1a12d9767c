package hub

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// shorePolicy applies the part of the site's policy that the console decides:
// whole or not at all. A document that was changed on board since is an
// override: it stays, and the console is told.
type shorePolicy struct {
	h     *Hub
	given atomic.Uint64 // the version that was given last
}

// shoreMark is what was applied: of each document the version that it has had
// on board since.
type shoreMark struct {
	Version uint64            `json:"version"`
	Applied map[string]uint64 `json:"applied,omitempty"`
}

const shoreKey = "policy"

func newShorePolicy(h *Hub) (*shorePolicy, error) {
	m, _, err := store.Link[shoreMark](h.store, shoreKey)
	if err != nil {
		return nil, fmt.Errorf("read the policy from ashore: %w", err)
	}
	s := &shorePolicy{h: h}
	s.given.Store(m.Version)
	return s, nil
}

// Version implements uplink.Policy.
func (s *shorePolicy) Version() uint64 { return s.given.Load() }

// Apply implements uplink.Policy.
func (s *shorePolicy) Apply(ctx context.Context, p fleet.Policy, problem error) error {
	if problem == nil {
		problem = s.check(p)
	}
	if problem == nil {
		err := s.do(ctx, func(tx *journal.Tx) error { return s.put(tx, p) })
		if err == nil || !refusal(err) {
			return s.gave(p, err)
		}
		problem = err
	}
	err := s.do(ctx, func(tx *journal.Tx) error {
		tx.Essential()
		m, _, err := store.TxLink[shoreMark](tx.Tx, shoreKey)
		if err != nil {
			return err
		}
		m.Version = p.Version
		return errors.Join(tx.PutLink(shoreKey, m), tx.Append(fleet.System("uplink"), fleet.PolicyApplied{
			Version: p.Version, Outcome: fleet.PolicyOutcomeRefused, Detail: problem.Error(),
		}))
	})
	return s.gave(p, err)
}

func (s *shorePolicy) gave(p fleet.Policy, err error) error {
	if err == nil {
		s.given.Store(p.Version)
	}
	return err
}

func (s *shorePolicy) do(ctx context.Context, decide func(*journal.Tx) error) error {
	if err := s.h.journal.Do(ctx, decide); err != nil {
		return err
	}
	return s.h.policies.Reload()
}

// check reports as fleet.ErrInvalid what is wrong with the documents.
func (s *shorePolicy) check(p fleet.Policy) error {
	if err := p.Check(); err != nil {
		return err
	}
	for _, d := range p.Documents {
		known, err := request.CheckDocument(d)
		if err != nil {
			return err
		}
		if !known && !policy.Owns(d.Kind) {
			return fmt.Errorf("%w: documents of kind %q are not decided ashore", fleet.ErrInvalid, d.Kind)
		}
	}
	return s.h.policies.CheckDraft(p.Documents, p.Removed)
}

// put is the transaction of a policy that is in order.
func (s *shorePolicy) put(tx *journal.Tx, p fleet.Policy) error {
	m, _, err := store.TxLink[shoreMark](tx.Tx, shoreKey)
	if err != nil {
		return err
	}
	applied := fleet.PolicyApplied{Version: p.Version, Outcome: fleet.PolicyOutcomeApplied}
	next := shoreMark{Version: p.Version, Applied: map[string]uint64{}}
	by := fleet.Actor{Kind: fleet.ActorSystem, ID: "console"}
	more := 0
	for _, d := range p.Documents {
		name := fleet.DocumentName{Kind: d.Kind, Name: d.Name}.String()
		now, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(d.Kind, d.Name))
		if err != nil {
			return err
		}
		there := found && !now.Removed
		switch {
		case there && sameJSON(now.Body, d.Body):
			next.Applied[name] = now.Version
			continue
		case m.Applied[name] != 0 && now.Version != m.Applied[name] && d.Over != now.Version:
			applied.Overrides = append(applied.Overrides, name)
			next.Applied[name] = m.Applied[name]
			continue
		}
		w := document.Write{Kind: d.Kind, Name: d.Name, Version: now.Version}
		if !there {
			w.Version = document.Fresh
			more++
		}
		if err := document.Put(tx, by, w, d.Body); err != nil {
			return err
		}
		next.Applied[name] = now.Version + 1
	}
	for _, n := range p.Removed {
		now, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(n.Kind, n.Name))
		if err != nil {
			return err
		}
		if !found || now.Removed {
			continue
		}
		if was := m.Applied[n.String()]; was != now.Version {
			applied.Overrides = append(applied.Overrides, n.String())
			continue
		}
		if err := document.Remove(tx, by, document.Write{Kind: n.Kind, Name: n.Name, Version: now.Version}); err != nil {
			return err
		}
	}
	if err := document.Room(tx, more, cmp.Or(s.h.c.MaxDocuments, 4096)); err != nil {
		return err
	}
	return errors.Join(tx.PutLink(shoreKey, next), tx.Append(by, applied))
}

// sameJSON reports whether two bodies say the same.
func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, errP := json.Marshal(x)
	q, errQ := json.Marshal(y)
	return errP == nil && errQ == nil && bytes.Equal(p, q)
}
