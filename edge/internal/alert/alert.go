// Package alert raises alerts about the technical and safety conditions of the
// site. What is an alert, and when, is one table: Conditions. Evaluate is pure:
// it says which alerts change by the evidence; Run gathers that and writes what
// changed to the journal.
//
// What always holds: there is one alert at a time about one condition of one
// subject; an alert ends only when its condition is gone and a person has
// acknowledged it; what is not known changes nothing; however many things fail
// at once, not more than a few alerts are raised for a kind.
//
// On disk: the alerts, as entities. In memory: those that have not ended, and
// the delays, which begin again at a start. All methods may be called from any
// goroutine.
package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store   *store.Store
	Journal *journal.Journal
	Now     func() time.Time
	Sources Sources
	// Changed is told of each change inside its decision, with the alert as it was;
	// may be nil.
	Changed func(tx *journal.Tx, before, after fleet.Alert) error
	// Table of conditions; Conditions() by default.
	Table []Condition
	// Group: more than so many of a kind at once are one alert. 5.
	Group int
	// Every is how often evidence is gathered. 5 s.
	Every time.Duration
	// AuditEvery is how often the audit is read through; it is read at the start
	// too. 24 h.
	AuditEvery time.Duration
	// UpdateEvery is how often an alert that stands tells new details. 15 min.
	UpdateEvery time.Duration
	// FlapHold is the longest that a condition that comes and goes must be gone
	// before its alert is over. 1 h.
	FlapHold time.Duration
	// SilenceMost is the longest that an alert may be silenced for. 7 days.
	SilenceMost time.Duration
	Logger      *slog.Logger
}

// Alerts holds the alerts of one site.
type Alerts struct {
	c       Config
	rules   rules
	begun   time.Time
	wake    chan struct{}
	rates   *rates
	audited audited

	evaluating sync.Mutex // one evaluation at a time
	state      State      // evaluating guards it

	mu       sync.Mutex // guards all below
	standing map[key]fleet.Alert
	told     map[key]Reading
}

// New reads the alerts that have not ended. It follows the journal, so it is
// called before the first decision.
func New(c Config) (*Alerts, error) {
	c.Group = cmp.Or(c.Group, 5)
	c.Every = cmp.Or(c.Every, 5*time.Second)
	c.AuditEvery = cmp.Or(c.AuditEvery, 24*time.Hour)
	c.UpdateEvery = cmp.Or(c.UpdateEvery, 15*time.Minute)
	c.FlapHold = cmp.Or(c.FlapHold, time.Hour)
	c.SilenceMost = cmp.Or(c.SilenceMost, 7*24*time.Hour)
	if c.Table == nil {
		c.Table = Conditions()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := CheckTable(c.Table); err != nil {
		return nil, err
	}
	a := &Alerts{
		c: c, begun: time.Now(), wake: make(chan struct{}, 1), rates: newRates(),
		rules: rules{
			table: c.Table, group: c.Group, updateEvery: c.UpdateEvery, flapHold: c.FlapHold, newID: fleet.NewUUID[fleet.AlertID],
		},
		state: State{}, standing: map[key]fleet.Alert{}, told: map[key]Reading{},
	}
	if err := store.Entities(c.Store, "", func(v fleet.Alert) bool {
		a.take(v)
		return true
	}); err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	c.Journal.Follow(a.event)
	return a, nil
}

// event is told of what was committed.
func (a *Alerts) event(e journal.Event) {
	for _, c := range e.Changes {
		switch v := c.After.(type) {
		case fleet.Alert:
			a.take(v)
		case fleet.Press:
			a.rates.press(v.Device, a.up())
		}
	}
}

func (a *Alerts) take(v fleet.Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := key{v.Kind, v.Subject}
	if !v.State.Ended() {
		a.standing[k] = v
	} else if a.standing[k].ID == v.ID {
		delete(a.standing, k)
	}
}

// up is the place of now on the scale of delays.
func (a *Alerts) up() time.Duration { return time.Since(a.begun) }

// Run looks for conditions until ctx ends.
func (a *Alerts) Run(ctx context.Context) error {
	var auditing sync.WaitGroup
	auditing.Go(func() { a.readAudit(ctx) })
	defer auditing.Wait()
	tick := time.NewTicker(a.c.Every)
	defer tick.Stop()
	for {
		if err := a.Look(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-a.wake:
		}
	}
}

// Look gathers evidence once, and writes the alerts that change by it.
func (a *Alerts) Look(ctx context.Context) error {
	a.evaluating.Lock()
	defer a.evaluating.Unlock()
	e, now := a.gather(), moment{a.c.Now(), a.up()}
	next, changes := a.rules.evaluate(a.state, a.open(), e, now)
	if len(changes) == 0 {
		a.state = next
		a.heard(e)
		return nil
	}
	err := a.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential() // a full disk is an alert too
		// Somebody may have acknowledged one meanwhile; from here on nobody can.
		next, changes = a.rules.evaluate(a.state, a.open(), e, now)
		for _, v := range changes {
			if err := a.append(tx, fleet.System("alert"), a.before(v), v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write alerts: %w", err)
	}
	a.state = next
	a.heard(e)
	for _, v := range changes {
		a.c.Logger.Info("alert", "kind", v.Kind, "subject", v.Subject, "severity", v.Severity, "state", v.State, "alert_id", v.ID)
	}
	return nil
}

// before is the alert as it was; the zero value for a new one.
func (a *Alerts) before(v fleet.Alert) fleet.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	if was := a.standing[key{v.Kind, v.Subject}]; was.ID == v.ID {
		return was
	}
	return fleet.Alert{}
}

func (a *Alerts) append(tx *journal.Tx, by fleet.Actor, before, after fleet.Alert) error {
	if err := tx.Append(by, fleet.AlertChanged{Alert: after}); err != nil || a.c.Changed == nil {
		return err
	}
	return a.c.Changed(tx, before, after)
}

// open is a copy of the alerts that have not ended.
func (a *Alerts) open() map[key]fleet.Alert {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.standing)
}

// Raise tells of a condition that its part of the program knows by itself, until
// Clear. detail is for people. fleet.ErrInvalid for a kind that is not of that
// sort.
func (a *Alerts) Raise(kind fleet.AlertKind, subject string, detail map[string]string) error {
	return a.tell(kind, subject, Reading{Subject: subject, Truth: Yes, Detail: detail})
}

// Clear tells that such a condition is gone.
func (a *Alerts) Clear(kind fleet.AlertKind, subject string) error {
	return a.tell(kind, subject, Reading{Subject: subject, Truth: No})
}

func (a *Alerts) tell(kind fleet.AlertKind, subject string, r Reading) error {
	c, ok := a.Condition(kind)
	if !ok || !c.Told {
		return fmt.Errorf("%w: alert %q is not one that is told", fleet.ErrInvalid, kind)
	}
	if c.Subject == fleet.AlertOfRoom {
		r.Room = fleet.RoomID(subject)
	}
	a.mu.Lock()
	a.told[key{kind, subject}] = r
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
	return nil
}

// Condition is the row of the table for a kind.
func (a *Alerts) Condition(kind fleet.AlertKind) (Condition, bool) {
	i := slices.IndexFunc(a.c.Table, func(c Condition) bool { return c.Kind == kind })
	if i < 0 {
		return Condition{}, false
	}
	return a.c.Table[i], true
}

// Table is the table of conditions.
func (a *Alerts) Table() []Condition { return slices.Clone(a.c.Table) }

// Open are the alerts that have not ended: those that hold before those that do
// not, the worst first, then the newest.
func (a *Alerts) Open() []fleet.Alert {
	return slices.SortedFunc(maps.Values(a.open()), func(x, y fleet.Alert) int {
		return cmp.Or(
			cmp.Compare(order(x.State), order(y.State)), cmp.Compare(y.Severity.Rank(), x.Severity.Rank()),
			y.Since.Compare(x.Since), strings.Compare(string(x.ID), string(y.ID)),
		)
	})
}

func order(s fleet.AlertState) int { return slices.Index(fleet.AlertStates(), s) }

// Count is how many alerts have a severity and a state.
type Count struct {
	Severity fleet.AlertSeverity
	State    fleet.AlertState
}

// Counts are the alerts that have not ended.
func (a *Alerts) Counts() map[Count]int {
	n := map[Count]int{}
	for _, v := range a.open() {
		n[Count{v.Severity, v.State}]++
	}
	return n
}

// Alert returns one alert, ended or not. fleet.ErrNotFound.
func (a *Alerts) Alert(id fleet.AlertID) (fleet.Alert, error) { return find(a.c.Store, id) }

func find(v fleet.View, id fleet.AlertID) (fleet.Alert, error) {
	e, found, err := fleet.Get[fleet.Alert](v, fleet.AlertRef(id))
	if err == nil && !found {
		err = fmt.Errorf("%w: alert %s", fleet.ErrNotFound, id)
	}
	return e, err
}

// Acknowledge says that somebody has seen an alert. Said twice it is true
// already. fleet.ErrNotFound, fleet.ErrState for one that has ended.
func (a *Alerts) Acknowledge(ctx context.Context, by fleet.Actor, id fleet.AlertID) (fleet.Alert, error) {
	return a.change(ctx, by, id, func(v fleet.Alert, at time.Time) (fleet.Alert, error) {
		if v.State == fleet.AlertAcknowledged {
			return v, errDone
		}
		return v.Acknowledge(by, at)
	})
}

// Silence says that an alert is not to be heard until then. fleet.ErrNotFound,
// fleet.ErrState for one whose condition is gone, fleet.ErrInvalid for a time
// that is over or too far away.
func (a *Alerts) Silence(ctx context.Context, by fleet.Actor, id fleet.AlertID, until func(now time.Time) time.Time) (fleet.Alert, error) {
	return a.change(ctx, by, id, func(v fleet.Alert, at time.Time) (fleet.Alert, error) {
		end := until(at)
		if end.Sub(at) > a.c.SilenceMost {
			return v, fmt.Errorf("%w: until %s: want at most %s from now", fleet.ErrInvalid, end.UTC().Format(time.RFC3339), a.c.SilenceMost)
		}
		return v.Silence(end, at)
	})
}

var errDone = errors.New("it is so already")

func (a *Alerts) change(
	ctx context.Context, by fleet.Actor, id fleet.AlertID, fn func(fleet.Alert, time.Time) (fleet.Alert, error),
) (after fleet.Alert, err error) {
	err = a.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential()
		v, err := find(tx, id)
		if err != nil {
			return err
		}
		if after, err = fn(v, tx.Now()); err != nil {
			return err
		}
		return a.append(tx, by, v, after)
	})
	if errors.Is(err, errDone) {
		err = nil
	}
	return after, err
}
