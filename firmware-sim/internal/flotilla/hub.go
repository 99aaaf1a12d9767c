package flotilla

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/lane"
)

// manner is how a hub behaves.
type manner int

const (
	steady manner = iota
	// away hubs are in contact once, and then no more.
	away
	// tardy hubs come and go.
	tardy
)

// hub is one synthetic hub. Its goroutine owns it, but for what a mutex guards.
type hub struct {
	f      *Flotilla
	number int
	manner manner
	tls    *tls.Config
	chance *rand.Rand    // of pauses
	clock  time.Duration // how far the hub's clock is wrong

	site       *site
	life       *life
	log        *log
	sender     *lane.Sender
	traffic    lane.TrafficSender
	epoch      fleet.Epoch
	boot       string
	cursor     uint64
	policy     uint64 // the version that the console has given last
	takesHours bool
	failed     error // of making a record
	tries      int   // that have failed in a row
	met        bool  // it was in contact before

	mu    sync.Mutex // guards what follows
	conn  net.Conn
	phase *phase // which waits for its fresh state
	want  uint64 // the version that is fresh
}

// newHub makes a hub of an identity; memory is what an earlier run has left of
// it, nil for nothing.
func (f *Flotilla) newHub(number int, id stored, memory *memory) (*hub, error) {
	own, root, err := id.certificates()
	if err != nil {
		return nil, err
	}
	now := f.c.now()
	h := &hub{
		f: f, number: number, chance: chanceOf(f.c.Seed, string(id.Site), "pauses"), epoch: fleet.NewEpoch(),
		boot: string(fleet.NewEpoch()), site: newSite(f.c.Seed, id.Site, f.c.Devices, f.c.Lost, now),
	}
	h.tls = identity.HubClient(own, root, f.c.now)
	h.tls.RootCAs = f.roots(root, h.tls.RootCAs)
	h.tls.ClientSessionCache = nil // each handshake is a full one
	h.tls.NextProtos = []string{"h2"}
	switch p := h.chance.Float64(); {
	case p < f.c.Offline:
		h.manner = away
	case p < f.c.Offline+f.c.Late:
		h.manner = tardy
	}
	if h.chance.IntN(50) == 0 {
		h.clock = time.Duration(h.chance.IntN(600)-300) * time.Second
	}
	h.life = &life{site: h.site, calls: f.c.Calls, emit: func(r fleet.Record) {
		if err := h.log.append(r); err != nil {
			h.failed = err
		}
	}}
	h.log = newLog(h.site, f.c.Seed, f.c.now, f.c.Hours)
	if memory.fits(f.c.Seed, f.c.Devices) {
		h.remember(memory)
		h.life.drawCall(now)
	} else {
		h.sender = lane.NewSender(h.epoch, h.boot, lane.Saved{})
		h.life.begin(now)
	}
	return h, h.failed
}

// calling lets a call go over the hub's own connection.
func (h *hub) calling(ctx context.Context) context.Context {
	return context.WithValue(ctx, callingHub{}, h.number)
}

// run is in contact with the console, again and again, until ctx ends or the
// console does not want the hub any more.
func (h *hub) run(ctx context.Context) {
	defer h.drop()
	if h.manner == away && h.met {
		h.expectNothing()
		return
	}
	pause := h.within(h.f.c.Spread)
	cut := h.f.cutting()
	for {
		if !sleep(ctx, cut.happens, pause) {
			return
		}
		err := errCut
		if !cut.happened() {
			err = h.session(ctx, cut.happens)
		}
		if ctx.Err() != nil {
			return
		}
		var wait errWait
		switch {
		case cut.happened():
			h.drop()
			cut, h.tries, pause = h.f.cutting(), 0, h.within(h.f.c.Spread)
			h.site.refresh(h.f.snapshot)
			h.expect(h.f.waiting(h))
		case errors.Is(err, errLeaves):
			h.drop()
			if h.manner == away {
				return
			}
			pause = 2*time.Minute + h.within(6*time.Minute)
		case errors.As(err, &wait):
			h.f.count.waits.Add(1)
			pause = wait.wait + h.within(wait.wait/10)
		case outOfLine(err):
			h.f.c.Logger.Debug("a new epoch begins", "site", h.site.id, "reason", err)
			h.newEpoch()
			pause = h.within(time.Second)
		case isRefused(err):
			h.drop()
			h.f.refused(h, err)
			h.expectNothing()
			return
		default: // the connection stays, if it is one
			h.f.erred(err)
			pause = h.backOff()
		}
	}
}

// The pauses after failures: full jitter.
const (
	backOffFirst = 2 * time.Second
	backOffMost  = time.Minute
)

func (h *hub) backOff() time.Duration {
	most := min(backOffMost, backOffFirst<<min(h.tries, 10))
	h.tries++
	h.f.count.retries.Add(1)
	return 100*time.Millisecond + h.within(most)
}

func (h *hub) within(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return time.Duration(h.chance.Int64N(int64(most)))
}

var (
	errCut    = errors.New("the link was cut")
	errLeaves = errors.New("the hub goes away")
)

// session greets the console and keeps in sync until something fails, or the
// link is cut.
func (h *hub) session(ctx context.Context, cut <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer h.sender.Close()
	enter, err := h.f.enter(ctx) // no more at once than the machine carries
	if err != nil {
		return err
	}
	inside := true
	defer func() {
		if inside {
			enter()
		}
	}()
	every, err := h.hello(ctx)
	if err != nil {
		return err
	}
	h.life.advance(h.f.c.now())
	if err := h.sync(ctx, true); err != nil {
		return err
	}
	enter()
	inside = false
	h.tries, h.met = 0, true

	pulls := make(chan pulled, 1)
	ask := func() { go h.pull(ctx, h.sender.Ticket(), h.cursor, h.policy, pulls) }
	ask()
	asking := true
	defer func() {
		cancel()
		if asking {
			<-pulls // the goroutine always answers
		}
	}()
	if every <= 0 {
		every = h.f.c.StateEvery
	}
	states := time.NewTimer(h.within(every)) // hubs do not send in step
	hours := time.NewTimer(h.untilHour())
	happens := time.NewTimer(h.untilDue())
	defer states.Stop()
	defer hours.Stop()
	defer happens.Stop()
	h.traffic.Open()
	h.beginHours()
	for {
		var leaves <-chan struct{}
		var bulk <-chan struct{}
		switch {
		case h.traffic.Busy():
			bulk = always
		case h.manner != steady:
			leaves = always
		}
		withStates := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-cut:
			return errCut
		case <-leaves:
			return errLeaves
		case <-states.C:
			states.Reset(every)
			h.site.drift(h.f.c.Changes, h.f.c.now())
			withStates = true
		case <-hours.C:
			hours.Reset(h.untilHour())
			h.beginHours()
		case <-happens.C:
		case <-bulk:
			if err := h.pushPart(ctx); err != nil {
				return err
			}
		case p := <-pulls:
			asking = false
			if p.err != nil {
				return p.err
			}
			if err := h.take(p.orders, p.consoleTime); err != nil {
				return err
			}
			if p.policy > h.policy {
				h.policy = p.policy
				h.life.append(h.f.c.now(), fleet.System("console"), fleet.PolicyApplied{Version: p.policy, Outcome: fleet.PolicyOutcomeApplied})
			}
			ask()
			asking = true
		}
		h.life.advance(h.f.c.now())
		if err := h.sync(ctx, withStates); err != nil {
			return err
		}
		happens.Reset(h.untilDue())
	}
}

// sync sends what is due, and tells when the state that somebody waits for is
// acknowledged.
func (h *hub) sync(ctx context.Context, withStates bool) error {
	if h.failed != nil {
		return h.failed
	}
	if err := h.pushAll(ctx, withStates); err != nil {
		return err
	}
	h.mu.Lock()
	p := h.phase
	if p != nil && h.acked() >= h.want {
		h.phase = nil
	} else {
		p = nil
	}
	h.mu.Unlock()
	if p != nil {
		p.fresh()
	}
	return nil
}

// expect has the hub tell p when its state, as it is now, is acknowledged. The
// hub's goroutine, or nobody's: it is not running yet.
func (h *hub) expect(p *phase) {
	if p == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase, h.want = p, h.site.version
}

// expectNothing: the hub will not come.
func (h *hub) expectNothing() {
	h.mu.Lock()
	p := h.phase
	h.phase = nil
	h.mu.Unlock()
	if p != nil {
		p.given()
	}
}

func (h *hub) beginHours() {
	if h.takesHours {
		h.traffic.Begin()
	}
}

// untilHour is how long it takes until an hour is over; hubs do not send in step.
func (h *hub) untilHour() time.Duration {
	now := h.f.c.now()
	return now.Truncate(time.Hour).Add(time.Hour).Sub(now) + h.within(10*time.Minute)
}

// untilDue is how long it takes until something happens on the site.
func (h *hub) untilDue() time.Duration {
	at := h.life.due()
	if at.IsZero() {
		return time.Hour
	}
	return max(0, at.Sub(h.f.c.now()))
}

// connected keeps the hub's connection, to be able to cut it.
func (h *hub) connected(c net.Conn) {
	h.mu.Lock()
	old := h.conn
	h.conn = c
	h.mu.Unlock()
	if old != nil {
		_ = old.Close()
	}
}

// drop ends the hub's connection.
func (h *hub) drop() { h.connected(nil) }

// always is ready to be received from.
var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// sleep waits, until woken at most; false when ctx ends before.
func sleep(ctx context.Context, woken <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-woken:
	case <-timer.C:
	}
	return true
}
