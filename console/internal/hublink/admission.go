package hublink

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/obedio/obedio/shared/fleet"
)

// admission spreads Hellos: when all hubs come back at once, each is told when
// its turn is, and is let in then.
type admission struct {
	hold, late time.Duration

	mu    sync.Mutex // guards both
	rate  *rate.Limiter
	turns map[fleet.HubID]time.Time
}

func newAdmission(c Config) *admission {
	return &admission{
		rate: rate.NewLimiter(rate.Limit(c.HelloRate), c.HelloBurst), turns: map[fleet.HubID]time.Time{},
		hold: c.HelloHold, late: time.Minute,
	}
}

// admit waits for the hub's turn if it is soon; else it returns in how long the
// hub is to come again.
func (a *admission) admit(ctx context.Context, hub fleet.HubID, now time.Time) (again time.Duration, err error) {
	a.mu.Lock()
	turn, waited := a.turns[hub]
	if waited && now.After(turn.Add(a.late)) {
		waited = false // it has let its turn pass
	}
	if !waited {
		turn = now.Add(a.rate.ReserveN(now, 1).DelayFrom(now))
	}
	delay := turn.Sub(now)
	if delay > a.hold {
		a.turns[hub] = turn
		a.forget(now)
	} else {
		delete(a.turns, hub)
	}
	a.mu.Unlock()
	if delay > a.hold {
		return delay, nil
	}
	if delay <= 0 {
		return 0, nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// forget drops turns that nobody has taken, once there are many.
func (a *admission) forget(now time.Time) {
	if len(a.turns) < 1<<16 {
		return
	}
	for hub, turn := range a.turns {
		if now.After(turn.Add(a.late)) {
			delete(a.turns, hub)
		}
	}
}
