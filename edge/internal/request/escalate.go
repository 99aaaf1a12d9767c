package request

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// Standing says how a request stands with those who would be told of it.
type Standing struct {
	// People are told, watches that nobody wears among them; Reachable of them can
	// be told now, and Declined have declined.
	People, Reachable, Declined int
	// Everybody: there is nobody more who could be told.
	Everybody bool
	// Quiet: nobody is to be told for now.
	Quiet bool
}

// watched are the requests that wait for time to pass.
type watched struct {
	sync.Mutex // guards requests
	requests   map[fleet.RequestID]*waiting
}

// waiting is one request. Time is measured by the machine's running clock, so
// that a change of the hub's time neither rings everybody nor gives anybody up.
type waiting struct {
	fleet.Request
	// since is when this run saw it at its level first, and before how long it had
	// been there by then.
	since  time.Time
	before time.Duration
	// offerEnds is when its offer ends.
	offerEnds time.Time
	// deserted is since when nobody can be told; zero when somebody can.
	deserted time.Time
}

// graceAlone is how long nobody of a level must be reachable until the request
// goes on: a watch loses its connection for a moment now and then.
const graceAlone = 3 * time.Second

// graceStart is the same after the start of the hub, when all are away.
const graceStart = 15 * time.Second

// lookEvery is how often it is looked at who can be told.
const lookEvery = time.Second

// event is told of what was committed.
func (r *Requests) event(e journal.Event) {
	for _, c := range e.Changes {
		if req, ok := c.After.(fleet.Request); ok {
			r.watch(req, req.LevelAt)
			r.called(req)
		}
	}
}

// watch takes a request as it is, at a time of the hub's clock.
func (r *Requests) watch(req fleet.Request, now time.Time) {
	w := &r.watched
	w.Lock()
	defer w.Unlock()
	if req.State.Ended() || !req.Purpose.ForPeople() {
		delete(w.requests, req.ID)
		return
	}
	begun := time.Now()
	old, known := w.requests[req.ID]
	switch {
	case known && req.Entries < old.Entries:
		return // the store told of a newer one
	case !known:
		old = &waiting{since: begun, before: max(0, now.Sub(req.LevelAt))}
		w.requests[req.ID] = old
	case req.Level != old.Level || req.Priority != old.Priority:
		old.since, old.before, old.deserted = begun, 0, time.Time{}
	}
	if o := req.Offer; o != nil && (old.Offer == nil || !o.At.Equal(old.Offer.At)) {
		// What is left of it by the hub's clock, but never more than all of it.
		left := min(o.ExpiresAt.Sub(now), o.ExpiresAt.Sub(o.At))
		if now.Before(o.At) {
			left = o.ExpiresAt.Sub(o.At)
		}
		old.offerEnds = begun.Add(max(0, left))
	}
	old.Request = req
}

// Run escalates requests, ends offers, and gives up what nobody took, until ctx
// ends.
func (r *Requests) Run(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	started := time.Now()
	tick := time.NewTicker(max(r.hurried(lookEvery), 20*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, do := range r.due(time.Now(), started) {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// load takes what was open when the hub stopped. While the clock is not
// trusted, nothing is known of how long that was: they begin their level anew.
func (r *Requests) load(ctx context.Context) error {
	open, err := r.c.Store.OpenRequests()
	if err != nil {
		return fmt.Errorf("read open requests: %w", err)
	}
	var now time.Time
	trusted := false
	if err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		now, trusted = tx.Now(), tx.Trusted()
		return nil
	}); err != nil {
		return err
	}
	for _, req := range open {
		at := now
		if !trusted {
			at = req.LevelAt
		}
		r.watch(req, at)
	}
	return nil
}

// due finds what is to be done at a time.
func (r *Requests) due(now, started time.Time) []func(context.Context) error {
	w := &r.watched
	w.Lock()
	defer w.Unlock()
	var todo []func(context.Context) error
	for _, req := range w.requests {
		if o := req.Offer; o != nil && !now.Before(req.offerEnds) {
			todo = append(todo, func(ctx context.Context) error { return r.endOffer(ctx, req.ID, o.At) })
		}
		if req.State == fleet.RequestOpen {
			if do := r.next(req, now, started); do != nil {
				todo = append(todo, do)
			}
		}
	}
	return todo
}

// next is what is due for an open request; nil for nothing yet.
func (r *Requests) next(req *waiting, now, started time.Time) func(context.Context) error {
	policy := r.Escalation(req.Priority)
	level := policy.level(req.Request)
	last := level == len(policy.Levels)-1
	if r.c.Told != nil {
		s := r.c.Told(req.Request, policy.recipients(req.Request))
		if s.Quiet {
			req.since, req.before = now, 0 // its time begins when the quiet ends
			return nil
		}
		switch {
		case s.Reachable > 0:
			req.deserted = time.Time{}
		case req.deserted.IsZero():
			req.deserted = now
		}
		last = last || s.Everybody
		switch {
		case last:
		case s.People > 0 && s.Declined == s.People:
			return r.escalation(req.Request, policy, level+1, fleet.CauseDeclined)
		case !req.deserted.IsZero() && now.Sub(later(req.deserted, started.Add(r.hurried(graceStart)))) >= r.hurried(graceAlone):
			return r.escalation(req.Request, policy, level+1, fleet.CauseNobody)
		}
	}
	passed := req.before + now.Sub(req.since)
	if !last {
		if passed < r.hurried(time.Duration(policy.Levels[level+1].AfterS)*time.Second) {
			return nil
		}
		return r.escalation(req.Request, policy, level+1, fleet.CauseTime)
	}
	most := policy.MissedAfterS
	for _, l := range policy.Levels[level+1:] {
		most += l.AfterS // of levels that would tell nobody more
	}
	if policy.MissedAfterS == 0 || passed < r.hurried(time.Duration(most)*time.Second) {
		return nil
	}
	return func(ctx context.Context) error { return r.miss(ctx, req.Request) }
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func (r *Requests) hurried(d time.Duration) time.Duration {
	return time.Duration(float64(d) / r.c.Hurry)
}

// escalation takes a request to a level, if it has not gone on meanwhile.
func (r *Requests) escalation(seen fleet.Request, policy Escalation, level int, cause fleet.EscalationCause) func(context.Context) error {
	return func(ctx context.Context) error {
		return r.ifUnchanged(ctx, seen, func(tx *journal.Tx, now fleet.Request) error {
			return tx.Append(fleet.System("request"), fleet.RequestEscalated{
				Request: now.ID, Number: now.Entries + 1, Level: uint32(level), To: policy.Levels[level].To, Cause: cause,
			})
		})
	}
}

// miss gives a request up that nobody took.
func (r *Requests) miss(ctx context.Context, seen fleet.Request) error {
	return r.ifUnchanged(ctx, seen, func(tx *journal.Tx, now fleet.Request) error {
		step, err := now.Step(now.Version, fleet.RequestMissed, "", "")
		if err != nil {
			return err
		}
		return tx.Append(fleet.System("request"), step)
	})
}

// ifUnchanged decides on an open request that has not gone on since it was
// seen.
func (r *Requests) ifUnchanged(ctx context.Context, seen fleet.Request, decide func(*journal.Tx, fleet.Request) error) error {
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		now, err := current(tx, seen.ID)
		if err != nil || now.State != fleet.RequestOpen || now.Level != seen.Level || now.Version != seen.Version {
			return err
		}
		return decide(tx, now)
	})
	if err != nil {
		return fmt.Errorf("take request %s on: %w", seen.ID, err)
	}
	return nil
}

// endOffer ends an offer that nobody took.
func (r *Requests) endOffer(ctx context.Context, id fleet.RequestID, offered time.Time) error {
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		now, err := current(tx, id)
		if err != nil || now.Offer == nil || !now.Offer.At.Equal(offered) {
			return err
		}
		return tx.Append(fleet.System("request"), fleet.RequestDeclined{Request: id, Number: now.Entries + 1, Offer: fleet.OfferExpired})
	})
	if err != nil {
		return fmt.Errorf("end the offer of request %s: %w", id, err)
	}
	return nil
}
