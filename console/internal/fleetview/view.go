// Package fleetview is the fleet as managers see it: of each site how the link
// to its hub is, how old the data is, what waits, and how much it needs
// somebody.
//
// What always holds: link state and data age are two things and never merged;
// what is not known is not shown as good; the rules (Link, Attention) are
// functions of values. The rows of all sites are kept in memory, read from the
// store at the start and again whenever a site has changed; nothing here is
// the only copy of anything.
//
// The methods of View may be called from any goroutine; Run from one.
package fleetview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store store.Store
	// Now is the clock; time.Now.
	Now       func() time.Time
	Intervals Intervals
	// Planned says until when a site is expected to be away; Alerts how many of its
	// alerts are open. Both may be nil. They must not wait.
	Planned func(store.Site, time.Time) (until time.Time, planned bool)
	Alerts  func(fleet.SiteID) int
	// SweepEvery is how often sites that have changed are told of, and those that
	// time has changed looked for. 1 s.
	SweepEvery time.Duration
	// ReloadEvery is how often all sites are read anew, for a store that other
	// consoles change as well; never, by default.
	ReloadEvery time.Duration
	// Kept is how many events a reader of the feed may lag; 4096.
	Kept   int
	Logger *slog.Logger
}

// Row is one site.
type Row struct {
	Site    store.Site
	Contact store.Contact
	Counts  store.Counts
	Epoch   fleet.Epoch
	// Durable is how far each lane is held; Backlog what the hub is known to hold
	// more.
	Durable map[fleet.Lane]uint64
	Backlog map[fleet.Lane]uint64
	Orders  store.OrderMarks
	// Session: the site's hub has one.
	Session bool
	// Policy is what became of the newest policy that the hub was given.
	Policy fleet.AppliedPolicy
	// HubNotAfter is when the hub's certificate ends; zero without a hub.
	HubNotAfter time.Time

	// Alerts is how many alerts of the site are open, and Bytes what has passed its
	// link today, when Config names who knows.
	Alerts     int
	BytesToday uint64

	Link      LinkState
	LinkSince time.Time
	// PlannedUntil is until when the site is expected to be away; zero when it is
	// not.
	PlannedUntil time.Time
	Attention    int
	Reasons      []string
	// At is when this was judged.
	At time.Time
}

// View is the fleet as managers see it.
type View struct {
	c    Config
	rows *feed.Feed[Row]
	// again holds a value when all sites are to be read.
	again chan struct{}

	reading sync.Mutex // held from reading a site to keeping it, so that what is kept never goes back

	mu    sync.Mutex // guards all below
	sites map[fleet.SiteID]Row
	dirty map[fleet.SiteID]bool
}

// New reads all sites.
func New(ctx context.Context, c Config) (*View, error) {
	c.Intervals = c.Intervals.withDefaults()
	c.SweepEvery = cmp.Or(c.SweepEvery, time.Second)
	c.Kept = cmp.Or(c.Kept, 4096)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Planned == nil {
		c.Planned = func(store.Site, time.Time) (time.Time, bool) { return time.Time{}, false }
	}
	if c.Alerts == nil {
		c.Alerts = func(fleet.SiteID) int { return 0 }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	v := &View{c: c, rows: feed.New[Row](c.Kept), again: make(chan struct{}, 1), sites: map[fleet.SiteID]Row{}, dirty: map[fleet.SiteID]bool{}}
	return v, v.Reload(ctx)
}

// sitesAtOnce are read in one transaction.
const sitesAtOnce = 1000

// Reload reads all sites anew and tells of those that have changed.
func (v *View) Reload(ctx context.Context) error {
	for behind := fleet.SiteID(""); ; {
		n, err := v.reload(ctx, &behind)
		if err != nil {
			return fmt.Errorf("read sites: %w", err)
		}
		if n < sitesAtOnce {
			return nil
		}
	}
}

func (v *View) reload(ctx context.Context, behind *fleet.SiteID) (int, error) {
	v.reading.Lock()
	defer v.reading.Unlock()
	return v.c.Store.ViewSites(ctx, *behind, sitesAtOnce, func(s store.SiteView) error {
		r, err := v.rowOf(s)
		*behind = r.Site.ID
		if err == nil {
			v.keep(v.judge(r))
		}
		return err
	})
}

// Changes is the feed of rows that have changed, each at most once a sweep.
func (v *View) Changes() *feed.Feed[Row] { return v.rows }

// TouchAll tells that every site may have changed, and that there may be new
// ones.
func (v *View) TouchAll() {
	select {
	case v.again <- struct{}{}:
	default: // it is asked for already
	}
}

// Touch tells that a site has changed.
func (v *View) Touch(id fleet.SiteID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dirty[id] = true
}

// Refresh reads a site from the store at once and tells of it if it has
// changed; fleet.ErrNotFound.
func (v *View) Refresh(ctx context.Context, id fleet.SiteID) (Row, error) {
	v.reading.Lock()
	defer v.reading.Unlock()
	after, err := v.read(ctx, id)
	if err != nil {
		return after, err
	}
	v.keep(after)
	return after, nil
}

// keep takes up a row that was read, and tells of it if it has changed. The
// caller holds reading.
func (v *View) keep(after Row) {
	v.mu.Lock()
	before, known := v.sites[after.Site.ID]
	v.sites[after.Site.ID] = after
	v.mu.Unlock()
	before.At = after.At
	if !known || !reflect.DeepEqual(before, after) {
		v.rows.Publish(after)
	}
}

func (v *View) read(ctx context.Context, id fleet.SiteID) (r Row, err error) {
	err = v.c.Store.ViewSite(ctx, id, func(s store.SiteView) (err error) {
		r, err = v.rowOf(s)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("read site %s: %w", id, err)
	}
	return v.judge(r), nil
}

// rowOf reads what is known of a site.
func (v *View) rowOf(s store.SiteView) (Row, error) {
	r := Row{Site: s.Site()}
	var err error
	if r.Contact, err = s.Contact(); err != nil {
		return r, err
	}
	if r.Counts, err = s.Counts(); err != nil {
		return r, err
	}
	if r.Epoch, err = s.Epoch(); err != nil {
		return r, err
	}
	if r.Orders, err = s.Marks(); err != nil {
		return r, err
	}
	open, err := s.Session()
	if err != nil {
		return r, err
	}
	r.Session = open.Hub != "" && open.Hub == r.Site.Hub
	hub, _, err := s.Hub()
	if err != nil {
		return r, err
	}
	r.HubNotAfter = hub.NotAfter
	now := v.c.Now()
	if err := s.Usage(store.DayOf(now), now.Add(time.Hour), func(u store.Usage) bool {
		r.BytesToday = u.Sum()
		return false
	}); err != nil {
		return r, err
	}
	r.Durable, err = Positions(s)
	r.Backlog = Backlog(r.Contact, r.Durable)
	return r, err
}

// Positions are how far the lanes of a site are held; of lane 4 it is how many
// hours are.
func Positions(s store.SiteView) (map[fleet.Lane]uint64, error) {
	out := map[fleet.Lane]uint64{}
	for _, l := range fleet.LogLanes() {
		p, err := s.Position(l)
		if err != nil {
			return nil, err
		}
		out[l] = uint64(p.Seq)
	}
	v, err := s.StateVersion()
	if err != nil {
		return nil, err
	}
	counts, err := s.Counts()
	out[fleet.LaneState], out[fleet.LaneSummaries] = v, uint64(counts.TrafficHours)
	return out, err
}

// judge fills in what follows from the rest of the row, and from the time.
func (v *View) judge(r Row) Row {
	r.At = v.c.Now()
	r.Link, r.LinkSince = Link(r.Site, r.Contact, r.Waiting(), r.Session, r.At, v.c.Intervals)
	r.PlannedUntil, r.Alerts = time.Time{}, v.c.Alerts(r.Site.ID)
	if until, ok := v.c.Planned(r.Site, r.At); ok {
		r.PlannedUntil = until
	}
	r.Attention, r.Reasons = Attention(r)
	return r
}

// Site returns a site as it is now; fleet.ErrNotFound.
func (v *View) Site(ctx context.Context, id fleet.SiteID) (Row, error) { return v.Refresh(ctx, id) }

// Known returns what is in memory of a site; false when there is no such site.
func (v *View) Known(id fleet.SiteID) (Row, bool) {
	v.mu.Lock()
	r, found := v.sites[id]
	v.mu.Unlock()
	if !found {
		return r, false
	}
	return v.judge(r), true
}

// Sites returns all sites that keep says yes to: those that need somebody
// first, then by id. keep is called with what is in memory, which a site's
// last change reaches within one sweep.
func (v *View) Sites(keep func(Row) bool) []Row { return v.First(math.MaxInt, keep) }

// First returns the first so many of Sites.
func (v *View) First(most int, keep func(Row) bool) []Row {
	kept := v.judged(keep)
	// Rows are large: only their pointers are put in order.
	slices.SortFunc(kept, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(b.Attention, a.Attention), cmp.Compare(a.Site.ID, b.Site.ID))
	})
	out := make([]Row, min(most, len(kept)))
	for i := range out {
		out[i] = *kept[i]
	}
	return out
}

// judged are the sites that keep says yes to, as they are now, in no order.
func (v *View) judged(keep func(Row) bool) []*Row {
	v.mu.Lock()
	all := make([]Row, 0, len(v.sites))
	for _, r := range v.sites {
		all = append(all, r)
	}
	v.mu.Unlock()
	kept := make([]*Row, 0, len(all))
	for i := range all {
		if all[i] = v.judge(all[i]); keep(all[i]) {
			kept = append(kept, &all[i])
		}
	}
	return kept
}

// Totals are the counts of the whole fleet, of the sites that keep says yes to.
type Totals struct {
	Links         map[LinkState]int
	Devices       int
	OpenRequests  int
	OrdersPending int
}

// Totals sums up the fleet.
func (v *View) Totals(keep func(Row) bool) Totals {
	t := Totals{Links: map[LinkState]int{}}
	for _, r := range v.judged(keep) {
		t.Links[r.Link]++
		t.Devices += r.Counts.AllDevices()
		t.OpenRequests += r.Counts.Open
		t.OrdersPending += r.Counts.OrdersPending
	}
	return t
}

// Run tells of sites that have changed, until ctx ends.
func (v *View) Run(ctx context.Context) error {
	tick := time.NewTicker(v.c.SweepEvery)
	defer tick.Stop()
	var reload <-chan time.Time
	if v.c.ReloadEvery > 0 {
		t := time.NewTicker(v.c.ReloadEvery)
		defer t.Stop()
		reload = t.C
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			err = v.Sweep(ctx)
		case <-reload:
			err = v.Reload(ctx)
		case <-v.again:
			err = v.Reload(ctx)
		}
		if err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrClosed) {
				return nil
			}
			v.c.Logger.Warn("fleet view not brought up to date", "error", err)
		}
	}
}

// Sweep does once what Run does.
func (v *View) Sweep(ctx context.Context) error {
	v.mu.Lock()
	dirty := v.dirty
	v.dirty = map[fleet.SiteID]bool{}
	v.mu.Unlock()
	for id := range dirty {
		if _, err := v.Refresh(ctx, id); err != nil {
			v.Touch(id)
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, r := range v.sites {
		if after := v.judge(r); after.Link != r.Link || after.Attention != r.Attention || after.Alerts != r.Alerts || !after.PlannedUntil.Equal(r.PlannedUntil) {
			v.sites[id] = after
			v.rows.Publish(after)
		}
	}
	return nil
}
