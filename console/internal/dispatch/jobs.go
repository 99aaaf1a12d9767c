package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// A job is stored with the plan of its sites; then, in the background, the
// targets of one site after the other are chosen and ordered, each group of a
// site in one transaction with its orders. A target that is there is not made
// again, so whatever was interrupted goes on where it was. What the hub tells of
// a command goes into its target in the transaction that folds it.

// WantJob is a command for many devices that somebody ashore wants.
type WantJob struct {
	// SiteFilter and Filter are what sites and devices were chosen by, for people
	// to read; Filter also chooses the devices of sites whose plan names none.
	SiteFilter, Filter string
	Plan               []store.JobSite
	// Targets is how many there are, as they were counted.
	Targets int
	Name    string
	Args    json.RawMessage
	// TTL is the time to live of the job, and so of each command; 0 for the default.
	TTL       time.Duration
	NotBefore time.Time
	Window    *store.JobWindow
	// Retries is the job whose failures are tried again; empty for none.
	Retries fleet.JobID
	// Once names the piece of work: one that was begun already is not begun again.
	Once string
}

// Counts are how many targets are in each state, by site.
type Counts map[fleet.SiteID]map[store.TargetState]int

// jobs are the jobs that are not done.
type jobs struct {
	events *feed.Feed[fleet.JobID]
	wake   chan struct{}

	working sync.Mutex // held by WorkOnJobs

	mu     sync.Mutex // guards all below
	active map[fleet.JobID]*activeJob
}

// activeJob is a job that is not done. But for stale and counts, which jobs.mu
// guards, WorkOnJobs owns it.
type activeJob struct {
	job store.Job
	// due is when targets of a site are to be ordered next.
	due map[fleet.SiteID]time.Time
	// stale counts the rounds in which the targets are to be counted again: what
	// was told before its commit is counted after it.
	stale  int
	counts Counts
	read   time.Time
}

const (
	// groupSize is how many targets are ordered in one transaction.
	groupSize = 100
	// planStep is after how many sites a plan is stored again.
	planStep = 50
	// countEvery is how often the targets of a job are counted in any case:
	// another replica may have changed them.
	countEvery = 15 * time.Second
	// staleRounds: see activeJob.
	staleRounds = 3
)

// Begin stores a job; its commands are ordered in the background.
// fleet.ErrInvalid, fleet.ErrLimit.
func (d *Dispatch) Begin(ctx context.Context, by fleet.Actor, w WantJob) (store.Job, error) {
	if j, found, err := d.begun(ctx, w.Once); err != nil || found {
		return j, err
	}
	ttl := cmp.Or(w.TTL, d.c.TTL)
	if ttl < 0 || ttl > d.c.MaxTTL {
		return store.Job{}, fmt.Errorf("%w: ttl %s: want more than 0 and at most %s", fleet.ErrInvalid, ttl, d.c.MaxTTL)
	}
	if w.Targets > d.c.MaxTargets {
		return store.Job{}, fmt.Errorf("%w: %d devices: a job has at most %d; choose fewer", fleet.ErrLimit, w.Targets, d.c.MaxTargets)
	}
	if w.Window != nil {
		if err := w.Window.Check(); err != nil {
			return store.Job{}, err
		}
	}
	now := fleet.Millis(d.c.Now())
	j := store.Job{
		Job: fleet.Job{
			ID: fleet.NewUUID[fleet.JobID](now), Name: w.Name, Args: w.Args, Filter: w.Filter, Targets: w.Targets, IssuedBy: by,
			IssuedAt: now, ExpiresAt: fleet.Millis(now.Add(ttl)), Retries: w.Retries,
		},
		SiteFilter: w.SiteFilter, NotBefore: w.NotBefore, Window: w.Window, Plan: w.Plan, Once: w.Once,
	}
	if !j.NotBefore.IsZero() && !j.NotBefore.Before(j.ExpiresAt) {
		return j, fmt.Errorf("%w: not_before %s is after the end of its time to live, %s", fleet.ErrInvalid, j.NotBefore.Format(time.RFC3339), j.ExpiresAt.Format(time.RFC3339))
	}
	if err := j.Check(); err != nil {
		return j, err
	}
	if _, err := d.c.Match(j.Filter); err != nil {
		return j, err
	}
	j, err := d.c.Store.PutJob(ctx, by, store.AuditJobBegun, j, 0)
	if err != nil {
		return j, err
	}
	d.follow(j)
	d.wakeJobs()
	d.jobs.events.Publish(j.ID)
	return j, nil
}

// begun is the job that a piece of work has led to before, within a day.
func (d *Dispatch) begun(ctx context.Context, once string) (j store.Job, found bool, err error) {
	if once == "" {
		return j, false, nil
	}
	since := d.c.Now().Add(-24 * time.Hour)
	for before := fleet.JobID(""); ; {
		page, err := d.c.Store.Jobs(ctx, before, 50)
		if err != nil {
			return j, false, err
		}
		for _, j := range page {
			if j.IssuedAt.Before(since) {
				return store.Job{}, false, nil
			}
			if j.Once == once {
				return j, true, nil
			}
			before = j.ID
		}
		if len(page) < 50 {
			return j, false, nil
		}
	}
}

// RetryJob begins a job for the targets of another one that have failed or
// expired, those that may says yes to. fleet.ErrNotFound; fleet.ErrState when
// there are none.
func (d *Dispatch) RetryJob(ctx context.Context, by fleet.Actor, id fleet.JobID, may func(fleet.SiteID) bool, once string) (store.Job, error) {
	old, err := d.c.Store.Job(ctx, id)
	if err != nil {
		return old, err
	}
	w := WantJob{
		Name: old.Name, Args: old.Args, TTL: old.ExpiresAt.Sub(old.IssuedAt), Window: old.Window, Retries: id, Once: once,
	}
	err = d.c.Store.JobTargets(ctx, id, store.TargetRef{}, func(v store.JobTarget) bool {
		if v.State != store.TargetOf(fleet.CommandFailed) && v.State != store.TargetOf(fleet.CommandExpired) || !may(v.Site) {
			return true
		}
		if n := len(w.Plan); n == 0 || w.Plan[n-1].Site != v.Site {
			w.Plan = append(w.Plan, store.JobSite{Site: v.Site})
		}
		last := &w.Plan[len(w.Plan)-1]
		last.Devices = append(last.Devices, v.Device)
		w.Targets++
		return true
	})
	if err != nil {
		return old, err
	}
	if w.Targets == 0 {
		return old, fmt.Errorf("%w: nothing of job %s has failed or expired", fleet.ErrState, id)
	}
	return d.Begin(ctx, by, w)
}

// CancelJob takes back, in the background, what has not ended: what no hub was
// offered ends at once, of the rest the hubs decide. fleet.ErrNotFound;
// fleet.ErrState when it is cancelled or done already.
func (d *Dispatch) CancelJob(ctx context.Context, by fleet.Actor, id fleet.JobID) (store.Job, error) {
	for {
		j, err := d.c.Store.Job(ctx, id)
		if err != nil {
			return j, err
		}
		switch {
		case !j.CancelledAt.IsZero():
			return j, fmt.Errorf("%w: job %s was cancelled at %s", fleet.ErrState, id, j.CancelledAt.Format(time.RFC3339))
		case !j.DoneAt.IsZero():
			return j, fmt.Errorf("%w: job %s is done", fleet.ErrState, id)
		}
		j.CancelledAt, j.CancelledBy, j.Plan = fleet.Millis(d.c.Now()), &by, nil
		j, err = d.c.Store.PutJob(ctx, by, store.AuditJobCancelled, j, j.Version)
		if errors.Is(err, fleet.ErrVersion) {
			continue // its plan was stored meanwhile
		}
		if err != nil {
			return j, err
		}
		d.follow(j)
		d.wakeJobs()
		return j, nil
	}
}

// Progress counts the targets of a job.
func (d *Dispatch) Progress(ctx context.Context, j store.Job) (Counts, error) {
	if !j.DoneAt.IsZero() {
		return j.Final, nil
	}
	d.jobs.mu.Lock()
	a, found := d.jobs.active[j.ID]
	if found && a.stale == 0 && a.counts != nil {
		counts := a.counts
		d.jobs.mu.Unlock()
		return counts, nil
	}
	d.jobs.mu.Unlock()
	counts, _, err := d.count(ctx, j.ID)
	return counts, err
}

// count reads all targets of a job. due are the sites with scheduled ones, and
// when the first of these is to be ordered.
func (d *Dispatch) count(ctx context.Context, id fleet.JobID) (counts Counts, due map[fleet.SiteID]time.Time, err error) {
	counts, due = Counts{}, map[fleet.SiteID]time.Time{}
	err = d.c.Store.JobTargets(ctx, id, store.TargetRef{}, func(v store.JobTarget) bool {
		if counts[v.Site] == nil {
			counts[v.Site] = map[store.TargetState]int{}
		}
		counts[v.Site][v.State]++
		if v.State == store.TargetScheduled {
			if at, found := due[v.Site]; !found || v.Due.Before(at) {
				due[v.Site] = v.Due
			}
		}
		return true
	})
	return counts, due, err
}

// Open is how many targets have not ended.
func (c Counts) Open() int {
	n := 0
	for _, states := range c {
		for s, m := range states {
			if !s.Ended() {
				n += m
			}
		}
	}
	return n
}

// All is how many targets there are.
func (c Counts) All() int {
	n := 0
	for _, states := range c {
		for _, m := range states {
			n += m
		}
	}
	return n
}

// JobEvents is the feed of jobs whose targets have changed, each at most once a
// round.
func (d *Dispatch) JobEvents() *feed.Feed[fleet.JobID] { return d.jobs.events }

// ActiveJobs is how many jobs are not done.
func (d *Dispatch) ActiveJobs() int {
	d.jobs.mu.Lock()
	defer d.jobs.mu.Unlock()
	return len(d.jobs.active)
}

func (d *Dispatch) wakeJobs() {
	select {
	case d.jobs.wake <- struct{}{}:
	default:
	}
}

// follow keeps a job in mind until it is done.
func (d *Dispatch) follow(j store.Job) {
	d.jobs.mu.Lock()
	defer d.jobs.mu.Unlock()
	a, found := d.jobs.active[j.ID]
	if !found {
		a = &activeJob{}
		d.jobs.active[j.ID] = a
	}
	a.job, a.stale = j, staleRounds
}

// changed tells that targets of a job have changed, or will with the commit.
func (d *Dispatch) changed(id fleet.JobID) {
	d.jobs.mu.Lock()
	defer d.jobs.mu.Unlock()
	if a, found := d.jobs.active[id]; found {
		a.stale = staleRounds
	}
}

// RunJobs works on jobs until ctx ends.
func (d *Dispatch) RunJobs(ctx context.Context) error {
	if err := d.readJobs(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // the console is stopping
		}
		return err
	}
	tick := time.NewTicker(d.c.JobsEvery)
	defer tick.Stop()
	read := time.NewTicker(d.c.ReadEvery)
	defer read.Stop()
	for {
		if err := d.WorkOnJobs(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
				return err
			}
			d.c.Logger.Warn("jobs not worked on", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-d.jobs.wake:
		case <-read.C: // another console may have begun some, and may be gone
			if err := d.readJobs(ctx); err != nil && ctx.Err() == nil {
				d.c.Logger.Warn("jobs not read", "error", err)
			}
		}
	}
}

// readJobs follows all jobs that are not done.
func (d *Dispatch) readJobs(ctx context.Context) error {
	for before := fleet.JobID(""); ; {
		page, err := d.c.Store.Jobs(ctx, before, 100)
		if err != nil {
			return fmt.Errorf("read jobs: %w", err)
		}
		for _, j := range page {
			if j.DoneAt.IsZero() {
				d.follow(j)
			}
			before = j.ID
		}
		if len(page) < 100 {
			return nil
		}
	}
}

// WorkOnJobs does once what RunJobs does.
func (d *Dispatch) WorkOnJobs(ctx context.Context) error {
	d.jobs.working.Lock()
	defer d.jobs.working.Unlock()
	d.jobs.mu.Lock()
	ids := slices.Sorted(maps.Keys(d.jobs.active))
	d.jobs.mu.Unlock()
	var failed error
	for _, id := range ids {
		if err := d.workOn(ctx, id); err != nil {
			failed = errors.Join(failed, fmt.Errorf("job %s: %w", id, err))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return failed
}

func (d *Dispatch) workOn(ctx context.Context, id fleet.JobID) error {
	d.jobs.mu.Lock()
	a, found := d.jobs.active[id]
	if !found {
		d.jobs.mu.Unlock()
		return nil
	}
	j := a.job
	d.jobs.mu.Unlock()
	j, err := d.carryOut(ctx, j)
	if err != nil {
		return err
	}
	now := d.c.Now()
	for site, at := range a.due {
		if at.After(now) && j.CancelledAt.IsZero() && now.Before(j.ExpiresAt) {
			continue
		}
		if err := d.orderDue(ctx, j, site); err != nil {
			return err
		}
	}
	if !j.CancelledAt.IsZero() {
		if err := d.takeBack(ctx, j); err != nil {
			return err
		}
	}
	return d.recount(ctx, a, j)
}

// carryOut chooses and orders the targets of the sites of the plan.
func (d *Dispatch) carryOut(ctx context.Context, j store.Job) (store.Job, error) {
	if len(j.Plan) == 0 {
		return j, nil
	}
	match, err := d.c.Match(j.Filter)
	if err != nil {
		return j, err // it was read when the job was begun
	}
	for len(j.Plan) > 0 {
		for _, s := range j.Plan[:min(planStep, len(j.Plan))] {
			devices := s.Devices
			if devices == nil {
				err := d.c.Store.ViewSite(ctx, s.Site, func(v store.SiteView) (err error) {
					devices, err = match(v)
					return err
				})
				if errors.Is(err, fleet.ErrNotFound) {
					continue
				}
				if err != nil {
					return j, err
				}
			}
			if err := d.order(ctx, j, s.Site, devices, true); err != nil {
				return j, err
			}
		}
		next := j
		next.Plan = slices.Clone(j.Plan[min(planStep, len(j.Plan)):])
		stored, err := d.c.Store.PutJob(ctx, j.IssuedBy, "", next, j.Version)
		if errors.Is(err, fleet.ErrVersion) { // it was cancelled, or another replica was faster
			if stored, err = d.c.Store.Job(ctx, j.ID); err == nil {
				d.follow(stored)
			}
			return stored, err
		}
		if err != nil {
			return j, err
		}
		j = stored
		d.follow(j)
	}
	return j, nil
}

// orderDue orders the targets of a site that are scheduled.
func (d *Dispatch) orderDue(ctx context.Context, j store.Job, site fleet.SiteID) error {
	devices, err := d.targetsOf(ctx, j.ID, site, func(v store.JobTarget) bool { return v.State == store.TargetScheduled })
	if err != nil {
		return err
	}
	return d.order(ctx, j, site, devices, false)
}

// targetsOf are the devices of a site in a job that keep says yes to.
func (d *Dispatch) targetsOf(ctx context.Context, id fleet.JobID, site fleet.SiteID, keep func(store.JobTarget) bool) ([]fleet.DeviceID, error) {
	var devices []fleet.DeviceID
	err := d.c.Store.JobTargets(ctx, id, store.TargetRef{Site: site}, func(v store.JobTarget) bool {
		if v.Site == site && keep(v) {
			devices = append(devices, v.Device)
		}
		return v.Site == site
	})
	return devices, err
}

// order orders commands for targets that are scheduled, and chooses those
// devices that are none yet if make says so; group by group.
func (d *Dispatch) order(ctx context.Context, j store.Job, site fleet.SiteID, devices []fleet.DeviceID, make bool) error {
	size := groupSize
	for len(devices) > 0 {
		group := devices[:min(size, len(devices))]
		err := d.orderGroup(ctx, j, site, group, make)
		switch {
		case errors.Is(err, store.ErrTooLarge) && size > 1:
			size = max(1, size/4)
			continue
		case errors.Is(err, fleet.ErrNotFound):
			return nil // the site is gone
		case err != nil:
			return err
		}
		devices = devices[len(group):]
	}
	return nil
}

func (d *Dispatch) orderGroup(ctx context.Context, j store.Job, site fleet.SiteID, group []fleet.DeviceID, make bool) error {
	var ordered []store.Order
	err := d.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		ordered = nil // the transaction may run again
		now := fleet.Millis(d.c.Now())
		counts, err := tx.Counts()
		if err != nil {
			return err
		}
		room := d.c.MaxPending - counts.OrdersPending
		for _, device := range group {
			v, found, err := tx.JobTarget(j.ID, device)
			if err != nil {
				return err
			}
			if !found && !make || found && v.State != store.TargetScheduled {
				continue
			}
			if !found {
				v = store.JobTarget{Job: j.ID, Site: site, Device: device, State: store.TargetScheduled}
			}
			o, err := d.orderOne(tx, j, &v, now, &room)
			if err != nil {
				return err
			}
			if o.Number != 0 {
				ordered = append(ordered, o)
			}
			v.UpdatedAt = now
			if err := tx.PutJobTarget(v); err != nil {
				return err
			}
		}
		if len(ordered) == 0 {
			return nil
		}
		return tx.Audit(j.IssuedBy, store.AuditCommandQueued, string(site), map[string]string{
			"job_id": string(j.ID), "name": j.Name, "commands": strconv.Itoa(len(ordered)),
			"order": strconv.FormatUint(ordered[0].Number, 10), "expires_at": ordered[0].ExpiresAt.Format(time.RFC3339),
		})
	})
	if err != nil {
		return err
	}
	d.changed(j.ID)
	if n := len(ordered); n > 0 {
		d.c.Wake(site)
		d.events.Publish(Event{Site: site, Order: ordered[n-1]}) // one for all: the job tells of each
	}
	return nil
}

// orderOne orders the command of a target, or says in it why not. room is how
// many more orders the site may have.
func (d *Dispatch) orderOne(tx store.SiteTx, j store.Job, v *store.JobTarget, now time.Time, room *int) (store.Order, error) {
	end := func(s fleet.CommandState, why string) (store.Order, error) {
		v.State, v.Error, v.Due = store.TargetOf(s), why, time.Time{}
		return store.Order{}, nil
	}
	dev, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(v.Device))
	switch {
	case err != nil:
		return store.Order{}, err
	case !j.CancelledAt.IsZero():
		return end(fleet.CommandCancelled, "")
	case !now.Before(j.ExpiresAt):
		return end(fleet.CommandExpired, cmp.Or(v.Error, "its time to live was over before it could be ordered"))
	case !tx.Site().RevokedAt.IsZero():
		return end(fleet.CommandFailed, "the site was revoked")
	case !found || dev.Removed:
		return end(fleet.CommandFailed, "the site has no such device")
	}
	from := now
	if j.NotBefore.After(from) {
		from = j.NotBefore
	}
	open, closes := opening(j.Window, from, tx.Site().Settings.Local())
	expires := j.ExpiresAt
	if !closes.IsZero() && closes.Before(expires) {
		expires = fleet.Millis(closes)
	}
	switch {
	case !open.Before(j.ExpiresAt):
		return end(fleet.CommandExpired, "no window opens before its time to live is over")
	case open.After(now):
		v.Due = fleet.Millis(open)
		return store.Order{}, nil
	case *room <= 0:
		v.Due, v.Error = now.Add(time.Minute), "the site has too many pending orders"
		return store.Order{}, nil
	}
	*room--
	o, err := tx.AddOrder(store.Order{Order: fleet.Order{
		ID: fleet.NewUUID[fleet.OrderID](now), CreatedAt: now, ExpiresAt: expires, Actor: j.IssuedBy,
		Body: fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](now), Device: v.Device, Name: j.Name, Args: j.Args, Job: j.ID},
	}})
	if err != nil {
		return o, err
	}
	if b, ok := o.Body.(fleet.SendCommand); ok {
		v.Command = b.Command
	}
	v.State, v.Order, v.Error, v.Due = store.TargetOf(fleet.CommandQueued), o.Number, "", time.Time{}
	v.Attempts++
	return o, nil
}

// takeBack cancels what has not ended of a cancelled job.
func (d *Dispatch) takeBack(ctx context.Context, j store.Job) error {
	bySite := map[fleet.SiteID][]fleet.DeviceID{}
	err := d.c.Store.JobTargets(ctx, j.ID, store.TargetRef{}, func(v store.JobTarget) bool {
		if !v.State.Ended() && v.CancelSince.IsZero() {
			bySite[v.Site] = append(bySite[v.Site], v.Device)
		}
		return true
	})
	if err != nil {
		return err
	}
	for site, devices := range bySite {
		for group := range slices.Chunk(devices, groupSize) {
			if err := d.takeBackGroup(ctx, j, site, group); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Dispatch) takeBackGroup(ctx context.Context, j store.Job, site fleet.SiteID, group []fleet.DeviceID) error {
	var last store.Order
	err := d.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
		last = store.Order{}
		now := fleet.Millis(d.c.Now())
		for _, device := range group {
			v, found, err := tx.JobTarget(j.ID, device)
			if err != nil {
				return err
			}
			if !found || v.State.Ended() || !v.CancelSince.IsZero() {
				continue
			}
			if o, err := d.takeBackOne(tx, j, &v, now); err != nil {
				return err
			} else if o.Number != 0 {
				last = o
			}
			v.UpdatedAt = now
			if err := tx.PutJobTarget(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.changed(j.ID)
	if last.Number != 0 {
		d.c.Wake(site)
		d.events.Publish(Event{Site: site, Order: last})
	}
	return nil
}

func (d *Dispatch) takeBackOne(tx store.SiteTx, j store.Job, v *store.JobTarget, now time.Time) (store.Order, error) {
	cancelled := store.TargetOf(fleet.CommandCancelled)
	if v.State == store.TargetScheduled {
		v.State, v.Due = cancelled, time.Time{}
		return store.Order{}, nil
	}
	marks, err := tx.Marks()
	if err != nil {
		return store.Order{}, err
	}
	if v.Order > marks.Offered {
		const why = "cancelled before the hub asked for it"
		v.State, v.Error = cancelled, why
		return store.Order{}, tx.EndOrder(v.Order, store.OrderCancelled, why, now)
	}
	v.CancelSince = now
	c, err := Find(tx, v.Command)
	if err != nil || c.Cancel != nil || !c.State.Leads(fleet.CommandCancelled) {
		return store.Order{}, err
	}
	by := j.IssuedBy
	if j.CancelledBy != nil {
		by = *j.CancelledBy
	}
	return tx.AddOrder(store.Order{Order: fleet.Order{
		ID: fleet.NewUUID[fleet.OrderID](now), CreatedAt: now, ExpiresAt: fleet.Millis(now.Add(d.c.TTL)), Actor: by,
		Body: fleet.CancelCommand{Command: v.Command},
	}})
}

// recount counts the targets of a job if they may have changed, and ends it when
// all have ended.
func (d *Dispatch) recount(ctx context.Context, a *activeJob, j store.Job) error {
	now := d.c.Now()
	d.jobs.mu.Lock()
	fresh := a.stale == 0 && now.Sub(a.read) < countEvery
	a.stale = max(0, a.stale-1)
	d.jobs.mu.Unlock()
	if fresh {
		return nil
	}
	if j.Window != nil {
		if err := d.tryAgain(ctx, j, now); err != nil {
			return err
		}
	}
	counts, due, err := d.count(ctx, j.ID)
	if err != nil {
		return err
	}
	changed := !maps.EqualFunc(counts, a.counts, maps.Equal[map[store.TargetState]int, map[store.TargetState]int])
	a.due = due
	d.jobs.mu.Lock()
	a.counts, a.read = counts, now
	d.jobs.mu.Unlock()
	if len(j.Plan) == 0 && counts.Open() == 0 {
		return d.finish(ctx, j, counts)
	}
	if changed {
		d.jobs.events.Publish(j.ID)
	}
	return nil
}

func (d *Dispatch) finish(ctx context.Context, j store.Job, counts Counts) error {
	j.DoneAt, j.Final, j.Targets = fleet.Millis(d.c.Now()), counts, counts.All()
	_, err := d.c.Store.PutJob(ctx, j.IssuedBy, "", j, j.Version)
	if errors.Is(err, fleet.ErrVersion) {
		stored, err := d.c.Store.Job(ctx, j.ID)
		if err != nil {
			return err
		}
		if stored.DoneAt.IsZero() {
			d.follow(stored) // it was cancelled at this moment
			return nil
		}
	} else if err != nil {
		return err
	}
	d.jobs.mu.Lock()
	delete(d.jobs.active, j.ID)
	d.jobs.mu.Unlock()
	d.jobs.events.Publish(j.ID)
	return nil
}

// tryAgain schedules targets again whose command has expired with its window
// and was never sent: the next window may do.
func (d *Dispatch) tryAgain(ctx context.Context, j store.Job, now time.Time) error {
	if !j.CancelledAt.IsZero() || !now.Before(j.ExpiresAt) {
		return nil
	}
	bySite := map[fleet.SiteID][]fleet.DeviceID{}
	err := d.c.Store.JobTargets(ctx, j.ID, store.TargetRef{}, func(v store.JobTarget) bool {
		if v.State == store.TargetOf(fleet.CommandExpired) && v.Command != "" {
			bySite[v.Site] = append(bySite[v.Site], v.Device)
		}
		return true
	})
	if err != nil {
		return err
	}
	for site, devices := range bySite {
		for group := range slices.Chunk(devices, groupSize) {
			err := d.c.Store.UpdateSite(ctx, site, func(tx store.SiteTx) error {
				open, _ := opening(j.Window, now, tx.Site().Settings.Local())
				if !open.Before(j.ExpiresAt) {
					return nil
				}
				for _, device := range group {
					v, _, err := tx.JobTarget(j.ID, device)
					if err != nil {
						return err
					}
					if v.State != store.TargetOf(fleet.CommandExpired) {
						continue
					}
					c, err := Find(tx, v.Command)
					if err != nil {
						return err
					}
					if wasSent(c.Command) {
						continue // it may have been done
					}
					v.State, v.Command, v.Due, v.UpdatedAt = store.TargetScheduled, "", fleet.Millis(open), fleet.Millis(now)
					if err := tx.PutJobTarget(v); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func wasSent(c fleet.Command) bool {
	return slices.ContainsFunc(c.Steps, func(s fleet.CommandStep) bool { return s.State == fleet.CommandSent })
}

// settle notes in the target of a job what is known of its command, in the
// transaction in which it becomes known.
func (d *Dispatch) settle(tx store.SiteTx, job fleet.JobID, device fleet.DeviceID, id fleet.CommandID, s fleet.CommandState, why string, now time.Time) error {
	if job == "" {
		return nil
	}
	v, found, err := tx.JobTarget(job, device)
	if err != nil || !found || v.Command != id || v.State.Ended() || v.State == store.TargetOf(s) {
		return err
	}
	v.State, v.Error, v.UpdatedAt = store.TargetOf(s), why, now
	if v.State.Ended() {
		v.CancelSince = time.Time{}
	}
	d.changed(job)
	return tx.PutJobTarget(v)
}

// settleOrder is settle by the end of an order.
func (d *Dispatch) settleOrder(tx store.SiteTx, o store.Order, now time.Time) error {
	b, ok := o.Body.(fleet.SendCommand)
	if !ok {
		return nil
	}
	var s fleet.CommandState
	switch o.End {
	case store.OrderExpired:
		s = fleet.CommandExpired
	case store.OrderCancelled:
		s = fleet.CommandCancelled
	case store.OrderConflict, store.OrderRefused, store.OrderLost:
		s = fleet.CommandFailed
	case store.OrderQueued, store.OrderTaken, store.OrderApplied:
		return nil // the command itself says what became of it
	}
	return d.settle(tx, b.Job, b.Device, b.Command, s, o.Detail, now)
}
