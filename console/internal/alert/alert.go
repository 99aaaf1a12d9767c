// Package alert is the inbox of the fleet: the alerts that hubs have told of,
// and the conditions that the console finds by itself.
//
// What always holds: an alert of a hub is in the inbox in the transaction that
// folds it; it has the time at which it happened and the time at which it
// arrived. Ashore people acknowledge for the shore: on board an alert stays
// what the crew has made of it. A site that comes back after a long absence
// rings once, with a digest of what happened, and with what is still true:
// what came and went meanwhile is in the inbox and rings nobody. A site that
// is expected to be away is no alert.
//
// On disk: the alerts. In memory: those that are open. The methods of Alerts
// may be called from any goroutine; Run from one.
package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store store.Store
	// Now is the clock; time.Now.
	Now func() time.Time
	// Evidence is what is known of every site; it must not wait.
	Evidence func() []Evidence
	Limits   Limits
	// Every is how often conditions are looked for; 5 s.
	Every time.Duration
	// ReadEvery is how often what is open is read anew: another replica may have
	// changed it. 1 min.
	ReadEvery time.Duration
	// Lead says whether this console is the one of several that judges, and tells;
	// it is, by default.
	Lead func(context.Context) bool
	// Kept is how many events a reader of the feed may lag; 4096.
	Kept int
	// Tell notifies whoever is to be notified; it is called once for each occurrence
	// that rings, and once for its end. May be nil. An error has it called again.
	Tell   func(context.Context, store.Alert, Event) error
	Logger *slog.Logger
}

// Event is what is told of an alert.
type Event string

// The events.
const (
	Raised   Event = "alert.raised"
	Gone     Event = "alert.gone"
	Returned Event = "site.returned"
)

// Alerts is the inbox.
type Alerts struct {
	c      Config
	events *feed.Feed[store.Alert]

	judging sync.Mutex // held by Judge

	mu    sync.Mutex // guards all below
	open  map[key]store.Alert
	sites map[fleet.SiteID]int
	read  time.Time
	// digested is the return of each site of which there is a digest, or that needs
	// none.
	digested map[fleet.SiteID]time.Time
}

type key struct {
	site fleet.SiteID
	id   fleet.AlertID
}

// New reads what is open.
func New(ctx context.Context, c Config) (*Alerts, error) {
	c.Limits = c.Limits.withDefaults()
	c.Every, c.ReadEvery = cmp.Or(c.Every, 5*time.Second), cmp.Or(c.ReadEvery, time.Minute)
	c.Kept = cmp.Or(c.Kept, 4096)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Evidence == nil {
		c.Evidence = func() []Evidence { return nil }
	}
	if c.Lead == nil {
		c.Lead = func(context.Context) bool { return true }
	}
	if c.Tell == nil {
		c.Tell = func(context.Context, store.Alert, Event) error { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Alerts{c: c, events: feed.New[store.Alert](c.Kept), digested: map[fleet.SiteID]time.Time{}}
	return a, a.Reload(ctx)
}

// Reload reads what is open anew.
func (a *Alerts) Reload(ctx context.Context) error {
	open, sites := map[key]store.Alert{}, map[fleet.SiteID]int{}
	err := a.c.Store.OpenAlerts(ctx, func(v store.Alert) bool {
		open[key{v.Site, v.ID}] = v
		sites[v.Site]++
		return true
	})
	if err != nil {
		return fmt.Errorf("read open alerts: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open, a.sites, a.read = open, sites, a.c.Now()
	return nil
}

// Events is the feed of alerts that have changed.
func (a *Alerts) Events() *feed.Feed[store.Alert] { return a.events }

// Open are the alerts that are open, those that hold first, the worst first,
// then the newest.
func (a *Alerts) Open(keep func(store.Alert) bool) []store.Alert {
	a.mu.Lock()
	var out []store.Alert
	for _, v := range a.open {
		if keep(v) {
			out = append(out, v)
		}
	}
	a.mu.Unlock()
	slices.SortFunc(out, Compare)
	return out
}

// Compare is the order of the inbox.
func Compare(x, y store.Alert) int {
	rank := func(v store.Alert) int {
		n := v.Severity.Rank()
		if !v.State.Holds() {
			n -= 10
		}
		if !v.SeenAt.IsZero() {
			n -= 5
		}
		return n
	}
	return cmp.Or(cmp.Compare(rank(y), rank(x)), y.ArrivedAt.Compare(x.ArrivedAt), cmp.Compare(x.Site, y.Site), cmp.Compare(x.ID, y.ID))
}

// Count is how many alerts of a site are open.
func (a *Alerts) Count(site fleet.SiteID) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sites[site]
}

// keep puts what was stored into memory, and tells of it.
func (a *Alerts) keep(v store.Alert) {
	a.mu.Lock()
	k := key{v.Site, v.ID}
	before, was := a.open[k]
	if v.Open() {
		a.open[k] = v
		if !was {
			a.sites[v.Site]++
		}
	} else if was {
		delete(a.open, k)
		if a.sites[v.Site]--; a.sites[v.Site] == 0 {
			delete(a.sites, v.Site)
		}
	}
	a.mu.Unlock()
	if !was || before.Version != v.Version || !before.SeenAt.Equal(v.SeenAt) {
		a.events.Publish(v)
	}
}

// Applied puts what a hub has told of its alerts into the inbox, in the
// transaction that folds it. Changed is to follow its commit.
func (a *Alerts) Applied(tx store.SiteTx, p lane.Applied) error {
	now := fleet.Millis(a.c.Now())
	for _, change := range p.Changes {
		switch e := change.After.(type) {
		case fleet.Alert:
			before, found, err := tx.Alert(e.ID)
			if err != nil {
				return err
			}
			if err := tx.PutAlert(fromHub(before, found, e, now)); err != nil {
				return err
			}
		case fleet.OrderAnswer:
			if e.Outcome != fleet.OrderConflict {
				continue
			}
			if err := tx.PutAlert(conflictOf(e, now)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fromHub is what becomes of an alert of the inbox when the hub tells of it.
func fromHub(before store.Alert, found bool, e fleet.Alert, now time.Time) store.Alert {
	next := before
	next.Alert, next.Origin = e, store.AlertFromHub
	if rings := e.State == fleet.AlertActive && before.State != fleet.AlertActive; !found || rings {
		next.ArrivedAt, next.SeenAt, next.SeenBy, next.ToldAt, next.GoneTold = now, time.Time{}, nil, time.Time{}, false
	}
	return next
}

// conflictOf is the alert of an order that came too late. It stands until
// somebody acknowledges it.
func conflictOf(e fleet.OrderAnswer, now time.Time) store.Alert {
	return store.Alert{
		Alert: fleet.Alert{
			ID: fleet.NewUUID[fleet.AlertID](now), Kind: OrderConflict, Severity: fleet.AlertWarning, SubjectKind: fleet.AlertOfSite,
			State: fleet.AlertActive, Since: now, RaisedAt: now, Occurrences: 1, UpdatedAt: now, Version: 1,
			Detail: map[string]string{"order": fmt.Sprint(e.Number), "said": cut(e.Detail)},
		},
		Origin: store.AlertFromConsole, ArrivedAt: now,
	}
}

// cut keeps a text within what an alert's detail may have.
func cut(s string) string {
	const most = 250
	if len(s) > most {
		s = s[:most]
	}
	return s
}

// Changed reads what a push has changed, after its commit.
func (a *Alerts) Changed(ctx context.Context, site fleet.SiteID, p lane.Applied) error {
	ids := map[fleet.AlertID]bool{}
	conflicts := false
	for _, change := range p.Changes {
		switch e := change.After.(type) {
		case fleet.Alert:
			ids[e.ID] = true
		case fleet.OrderAnswer:
			conflicts = conflicts || e.Outcome == fleet.OrderConflict
		}
	}
	if conflicts {
		return a.Reload(ctx) // they have ids of their own
	}
	if len(ids) == 0 {
		return nil
	}
	var all []store.Alert
	err := a.c.Store.ViewSite(ctx, site, func(v store.SiteView) error {
		for id := range ids {
			one, found, err := v.Alert(id)
			if err != nil {
				return err
			}
			if found {
				all = append(all, one)
			}
		}
		return nil
	})
	for _, v := range all {
		a.keep(v)
	}
	return err
}

// Acknowledge says that somebody ashore has seen an alert. Said twice it is true
// already. fleet.ErrNotFound.
func (a *Alerts) Acknowledge(ctx context.Context, by fleet.Actor, site fleet.SiteID, id fleet.AlertID) (store.Alert, error) {
	var out store.Alert
	err := a.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		v, found, err := tx.Alert(id)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: alert %s on site %s", fleet.ErrNotFound, id, site)
		}
		out = v
		if !v.SeenAt.IsZero() {
			return nil
		}
		now := fleet.Millis(a.c.Now())
		out.SeenAt, out.SeenBy = now, &by
		if v.Origin == store.AlertFromConsole && v.State != fleet.AlertCleared && v.State != fleet.AlertAcknowledged {
			if out.Alert, err = v.Acknowledge(by, now); err != nil {
				return err
			}
			if stands(v.Kind) {
				out.Alert = out.Rectify(now)
			}
		}
		if err := tx.PutAlert(out); err != nil {
			return err
		}
		return tx.Audit(by, store.AuditAlertSeen, string(site), map[string]string{
			"alert_id": string(id), "kind": string(v.Kind), "severity": string(v.Severity),
		})
	})
	if err == nil {
		a.keep(out)
	}
	return out, err
}

// stands reports whether alerts of a kind stand until they are acknowledged, as
// what they tell of has happened and does not go.
func stands(k fleet.AlertKind) bool { return k == OrderConflict }

// Run looks for conditions and tells until ctx ends.
func (a *Alerts) Run(ctx context.Context) error {
	tick := time.NewTicker(a.c.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		round := a.reloadOld
		if a.c.Lead(ctx) {
			round = a.Judge
		}
		if err := round(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
				return err
			}
			a.c.Logger.Warn("alerts not judged", "error", err)
		}
	}
}

// reloadOld reads what is open anew when that was done too long ago.
func (a *Alerts) reloadOld(ctx context.Context) error {
	a.mu.Lock()
	old := a.c.Now().Sub(a.read) >= a.c.ReadEvery
	a.mu.Unlock()
	if !old {
		return nil
	}
	return a.Reload(ctx)
}

// Judge does once what Run does.
func (a *Alerts) Judge(ctx context.Context) error {
	a.judging.Lock()
	defer a.judging.Unlock()
	now := fleet.Millis(a.c.Now())
	if err := a.reloadOld(ctx); err != nil {
		return err
	}
	own := map[fleet.SiteID]map[fleet.AlertKind]store.Alert{}
	untold := map[fleet.SiteID][]store.Alert{}
	a.mu.Lock()
	for _, v := range a.open {
		if v.Origin == store.AlertFromConsole && !stands(v.Kind) && v.Kind != SiteReturned {
			if own[v.Site] == nil {
				own[v.Site] = map[fleet.AlertKind]store.Alert{}
			}
			own[v.Site][v.Kind] = v
		}
		if v.ToldAt.IsZero() || !v.State.Holds() && !v.GoneTold {
			untold[v.Site] = append(untold[v.Site], v)
		}
	}
	a.mu.Unlock()
	var failed error
	for _, e := range a.c.Evidence() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := a.judgeSite(ctx, e, own[e.Site.ID], now)
		if err == nil && !catchingUp(e, a.c.Limits, now) {
			if err = a.digest(ctx, e, now); err == nil {
				err = a.tell(ctx, untold[e.Site.ID], now)
			}
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("site %s: %w", e.Site.ID, err))
		}
	}
	return failed
}

// judgeSite raises the alerts whose conditions have come, and rectifies those
// whose conditions have gone.
func (a *Alerts) judgeSite(ctx context.Context, e Evidence, own map[fleet.AlertKind]store.Alert, now time.Time) error {
	holds := conditions(e, a.c.Limits, now)
	var changed []store.Alert
	for _, kind := range slices.Sorted(maps.Keys(holds)) {
		f := holds[kind]
		v, there := own[kind]
		switch {
		case there && v.State.Holds() && v.Severity.Rank() >= f.severity.Rank():
			continue
		case there && v.State.Holds():
			v.Alert, v.Severity = v.Worsen(now), f.severity
		case there:
			v.Alert = v.Recur(f.since, now)
		default:
			v = store.Alert{Origin: store.AlertFromConsole, Site: e.Site.ID, Alert: fleet.Alert{
				ID: fleet.NewUUID[fleet.AlertID](now), Kind: kind, Severity: f.severity, SubjectKind: f.subject, State: fleet.AlertActive,
				Since: fleet.Millis(f.since), RaisedAt: now, Occurrences: 1, UpdatedAt: now, Version: 1,
			}}
		}
		v.Detail, v.ArrivedAt, v.SeenAt, v.SeenBy, v.ToldAt, v.GoneTold = f.detail, now, time.Time{}, nil, time.Time{}, false
		changed = append(changed, v)
	}
	for kind, v := range own {
		if _, still := holds[kind]; !still && v.State.Holds() {
			v.Alert = v.Rectify(now)
			changed = append(changed, v)
		}
	}
	return a.put(ctx, e.Site.ID, changed)
}

// put stores alerts of a site.
func (a *Alerts) put(ctx context.Context, site fleet.SiteID, all []store.Alert) error {
	if len(all) == 0 {
		return nil
	}
	err := a.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		for _, v := range all {
			if err := tx.PutAlert(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, v := range all {
		a.keep(v)
	}
	return nil
}

// tell notifies of what holds and was not told, and of the end of what was. What
// has gone before it was told is told to nobody.
func (a *Alerts) tell(ctx context.Context, all []store.Alert, now time.Time) error {
	var told []store.Alert
	for _, v := range all {
		var err error
		switch {
		case v.Kind == SiteReturned && v.ToldAt.IsZero():
			err = a.c.Tell(ctx, v, Returned)
			v.GoneTold = true
		case v.ToldAt.IsZero() && v.State == fleet.AlertActive && v.SeenAt.IsZero():
			err = a.c.Tell(ctx, v, Raised)
		case !v.ToldAt.IsZero() && !v.State.Holds():
			err = a.c.Tell(ctx, v, Gone)
			v.GoneTold = true
		case v.ToldAt.IsZero() && !v.State.Holds():
			v.GoneTold = true
		case v.ToldAt.IsZero():
			// Seen or silenced on board before it was told: nobody is called.
		default:
			continue
		}
		if err != nil {
			return err
		}
		if v.ToldAt.IsZero() {
			v.ToldAt = now
		}
		told = append(told, v)
	}
	if len(told) == 0 {
		return nil
	}
	return a.note(ctx, told)
}

// note stores that alerts were told, and nothing else of them.
func (a *Alerts) note(ctx context.Context, told []store.Alert) error {
	site := told[0].Site
	var now []store.Alert
	err := a.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		now = nil
		for _, v := range told {
			is, found, err := tx.Alert(v.ID)
			if err != nil {
				return err
			}
			if !found || is.Occurrences != v.Occurrences || !is.ArrivedAt.Equal(v.ArrivedAt) {
				continue // it has come again: that is told by itself
			}
			is.ToldAt, is.GoneTold = v.ToldAt, v.GoneTold
			if err := tx.PutAlert(is); err != nil {
				return err
			}
			now = append(now, is)
		}
		return nil
	})
	for _, v := range now {
		a.keep(v)
	}
	return err
}
