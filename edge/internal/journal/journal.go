// Package journal is the hub's log of what happened: it numbers records, folds
// them into state in the same transaction, and tells everybody who listens.
//
// What always holds: a record that Do has appended is on disk, with the state
// that follows from it, when Do returns nil; the numbers of a lane have no
// holes; the feed carries committed events only, in the order of their
// commits. Decisions run one after the other, so what a decision reads does
// not change before it is committed: compare-and-set needs nothing more.
//
// Do may be called from any goroutine but from inside a decision.
package journal

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// Clock tells the time, and whether the hub believes it.
type Clock interface {
	Now() (now time.Time, trusted bool)
}

// Config is what New needs.
type Config struct {
	Store *store.Store
	Clock Clock
	// Chain names the chain of the audit: the store's epoch; "site" by default.
	// Before is the hash of
	// the last entry of the store's chain before it; empty when there is none.
	Chain  fleet.Epoch
	Before string
	// Kept is how many events a reader of the feed may lag; 1024 by default.
	Kept int
	// Observe is told how long each commit took, waiting included; may be nil.
	Observe func(time.Duration)
}

// Event is one record that was committed, with what it changed.
type Event struct {
	fleet.Placed
	Changes []fleet.Change
}

// Journal appends records.
type Journal struct {
	store   *store.Store
	chain   atomic.Pointer[chain]
	clock   Clock
	events  *feed.Feed[Event]
	observe func(time.Duration)
	follow  []func(Event)
}

// chain is where entries of the audit go: its name, and the hash that its first
// entry goes on from.
type chain struct {
	name   fleet.Epoch
	before string
}

// Follow has fn called with every event, in the order of the commits, before
// the Do that made it returns: for copies of the state that must never be
// behind. fn must be quick, and must not call Do. It is called before the first
// Do.
func (j *Journal) Follow(fn func(Event)) { j.follow = append(j.follow, fn) }

// New returns the journal of a store.
func New(c Config) *Journal {
	c.Chain = cmp.Or(c.Chain, "site")
	if c.Kept == 0 {
		c.Kept = 1024
	}
	if c.Observe == nil {
		c.Observe = func(time.Duration) {}
	}
	j := &Journal{store: c.Store, clock: c.Clock, events: feed.New[Event](c.Kept), observe: c.Observe}
	j.chain.Store(&chain{name: c.Chain, before: c.Before})
	return j
}

// Events is the feed of what was committed.
func (j *Journal) Events() *feed.Feed[Event] { return j.events }

// Tx is a decision under way: it reads the state as it is, and appends.
type Tx struct {
	*store.Tx
	journal *Journal
	chain   chain
	now     time.Time
	trusted bool
	events  []Event
	then    []func()
}

// Then has fn called once the decision is on disk, before Do returns and in the
// order of the commits. fn must be quick, and must not call Do.
func (t *Tx) Then(fn func()) { t.then = append(t.then, fn) }

// Now is the time of the records of this decision.
func (t *Tx) Now() time.Time { return t.now }

// Trusted says whether the hub believes its clock.
func (t *Tx) Trusted() bool { return t.trusted }

// Append adds a record and folds it, and the entry of the audit that it asks
// for. A record that changes nothing, or that the fold refuses, is an error: the
// decision was made on a wrong view.
func (t *Tx) Append(actor fleet.Actor, body fleet.Body) error {
	e, err := t.add(actor, body)
	if err != nil {
		return err
	}
	if action, target, detail, ok := fleet.Auditable(e.Record, e.Changes); ok {
		return t.Audit(actor, action, target, detail)
	}
	return nil
}

// Audit adds an entry to the audit: action is noun.verb; what is longer than an
// entry may be is cut. See fleet.AuditEntry.
func (t *Tx) Audit(actor fleet.Actor, action, target string, detail map[string]string) error {
	head, found, err := fleet.Get[fleet.AuditHead](t, fleet.AuditHeadRef(t.chain.name))
	if err != nil {
		return err
	}
	if !found {
		head.Hash = t.chain.before
	}
	_, err = t.add(actor, fleet.Audited{
		Chain: t.chain.name, N: head.N + 1, Action: action, Target: cut(target), Detail: cutAll(detail), Prev: head.Hash,
	})
	return err
}

// BeginChain has the entries of the audit that follow, in this decision and in
// later ones, go to a chain of another epoch, which goes on from the present one.
func (t *Tx) BeginChain(e fleet.Epoch) error {
	if e == t.chain.name {
		return nil
	}
	head, _, err := fleet.Get[fleet.AuditHead](t, fleet.AuditHeadRef(t.chain.name))
	if err != nil {
		return err
	}
	next := chain{name: e, before: head.Hash}
	t.chain = next
	t.Then(func() { t.journal.chain.Store(&next) })
	return nil
}

// maxText of the audit, in bytes.
const maxText = 512

func cut(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "")
}

func cutAll(m map[string]string) map[string]string {
	for k, v := range m {
		m[k] = cut(v)
	}
	return m
}

// AppendAlone is Append without the entry of the audit: for the record of a
// history that has its entries already.
func (t *Tx) AppendAlone(actor fleet.Actor, body fleet.Body) error {
	_, err := t.add(actor, body)
	return err
}

// add adds one record and folds it.
func (t *Tx) add(actor fleet.Actor, body fleet.Body) (Event, error) {
	lane := body.Lane()
	encoded, err := wire.EncodeRecord(fleet.Record{At: t.now, ClockTrusted: t.trusted, Actor: actor, Body: body})
	if err != nil {
		return Event{}, err
	}
	// Fold what will be sent, not what is in hand: the console folds the decoded
	// form, and both must come to the same bytes.
	r, err := wire.DecodeRecord(lane, encoded)
	if err != nil {
		return Event{}, err
	}
	changes, err := fleet.Apply(t, r)
	if err != nil {
		return Event{}, fmt.Errorf("append %s: %w", body.Kind(), err)
	}
	if _, told := body.(fleet.Restated); len(changes) == 0 && !told {
		return Event{}, fmt.Errorf("append %s: %w: it changes nothing", body.Kind(), fleet.ErrState)
	}
	for _, c := range changes {
		if err := t.PutEntity(c); err != nil {
			return Event{}, err
		}
	}
	seq, err := t.AppendRecord(lane, encoded)
	if err != nil {
		return Event{}, err
	}
	e := Event{Placed: fleet.Placed{Lane: lane, Seq: seq, Record: r}, Changes: changes}
	t.events = append(t.events, e)
	return e, nil
}

// Do runs a decision. nil: everything that it appended and wrote is on disk.
// Any error of decide is returned as it is, and nothing was written.
func (j *Journal) Do(ctx context.Context, decide func(*Tx) error) error {
	begun := time.Now()
	var tx *Tx
	err := j.store.UpdateThen(ctx, func(s *store.Tx) error {
		now, trusted := j.clock.Now()
		tx = &Tx{Tx: s, journal: j, chain: *j.chain.Load(), now: fleet.Millis(now), trusted: trusted}
		return decide(tx)
	}, func() {
		for _, e := range tx.events {
			for _, fn := range j.follow {
				fn(e)
			}
			j.events.Publish(e)
		}
		for _, fn := range tx.then {
			fn()
		}
	})
	j.observe(time.Since(begun))
	return err
}
