// Package uplink is the hub's end of the link to its console: it dials, keeps
// a session, sends what the console does not hold yet, and takes orders.
//
// What always holds: the hub works the same with no console, a wrong one, or
// one that answers rubbish; an order is taken in the transaction that moves
// the order cursor; what the console says it holds is believed only if the
// hub's own chain has the same hash there (package lane).
//
// One goroutine, Run, owns the session. Enroll, Status and SyncNow may be
// called from any goroutine.
package uplink

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Orders takes what the console wants.
type Orders interface {
	// Take acts on an order and calls move in the same transaction. left is its
	// time to live from now. An error means that nothing was stored.
	Take(ctx context.Context, o fleet.Order, left time.Duration, move func(*journal.Tx) error) error
}

// Policy is the part of the site's policy that the console decides.
type Policy interface {
	// Version is that of the policy which the hub was given last; 0 for none.
	Version() uint64
	// Apply makes the site's policy as p says, whole or not at all, and answers it
	// by a record; problem, if any, says why p cannot be read. An error means that
	// nothing was stored, the answer neither.
	Apply(ctx context.Context, p fleet.Policy, problem error) error
}

// States is the newest state of devices; package presence.
type States interface {
	StateHead() uint64
	States(after uint64, maxBytes int) (lane.StateBatch, error)
	Changes() *feed.Feed[fleet.DeviceState]
	// WidenBands has values move so many times further until they go ashore.
	WidenBands(times int)
}

// Config is what New needs. Durations and sizes of 0 take their defaults.
type Config struct {
	Site    fleet.SiteID
	Epoch   fleet.Epoch
	Install string
	// BootID names this start of the program; a new one if empty. It outlives
	// ErrRestart: of two hubs with one identity, which make each other take back what
	// was lost again and again, each is known by it.
	BootID  string
	Version string
	Store   *store.Store
	Journal *journal.Journal
	States  States
	Orders  Orders
	Board   Board
	Policy  Policy
	// Summaries go up when nothing else is due; nil for none.
	Summaries Summaries
	Clock     journal.Clock
	Logger    *slog.Logger
	// StateEvery is how often the newest states go up. 60 s.
	StateEvery time.Duration
	// SummariesEvery is how often hours of traffic that are over go up, besides
	// right after connecting. 1 h.
	SummariesEvery time.Duration
	// SummariesAgain is how far back hours go up once more to a console that has
	// not, or no more, what was acknowledged. 30 days.
	SummariesAgain time.Duration
	// ChunkBytes of one push. 64 KiB.
	ChunkBytes int
	// CallTimeout of one call, without the wait of a long poll. 60 s.
	CallTimeout time.Duration
	// PullWait is how long the console may hold a pull when it has no order: each
	// is paid for. 4 min.
	PullWait time.Duration
	// RetryFirst and RetryMost bound the pause after a failure: a random time up
	// to RetryFirst, doubled each time up to RetryMost. 60 s and 15 min.
	RetryFirst, RetryMost time.Duration
	// Authority is the site's, which the fleet root certifies; nil for none.
	Authority Authority
	// ConsoleTime is told what the console says that the time is; may be nil.
	ConsoleTime func(time.Time)
	// Budget of the link, unless the console sets one; none by default, and a tenth
	// of it for calls and commands.
	Budget Budget
	// Passed counts the bytes that have passed the socket since the start, both
	// directions together; nil when nobody counts.
	Passed func() uint64
	// ProbeEvery is how often the hub looks whether the console can be reached
	// again, while it cannot; 8 s. A look is an empty connection.
	ProbeEvery time.Duration
	// Dial opens connections.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Authority is the site's authority; see package pki.
type Authority interface {
	// Request asks for a certificate of its key (PKCS #10, DER).
	Request() ([]byte, error)
	// Certified takes the certificate, and what it needs up to the fleet root.
	Certified(chain []*x509.Certificate) error
	// Fleet is what Certified took last; nil when that is not of its key.
	Fleet() []*x509.Certificate
}

// State is how the link is.
type State string

// The states.
const (
	None       State = "none"       // the hub was never enrolled
	Connecting State = "connecting" // trying, and no failure yet
	Online     State = "online"
	Offline    State = "offline" // the last call failed
	Refused    State = "refused" // the console does not want this hub, or this store
)

// Status is what is known of the link.
type Status struct {
	State       State
	Since       time.Time
	LastContact time.Time // zero before the first
	LastError   string
	URL         string
	ConsoleID   string
	// ConsoleEpoch is the console's store's.
	ConsoleEpoch string
	OrderCursor  uint64
	OrderHead    uint64
	Lanes        []LaneStatus
	// Ladder is what the budget lets go up.
	Ladder Ladder
	// Goodput is what the link has carried of bulk data, in bytes a second; 0 when
	// there was none.
	Goodput uint64
}

// LaneStatus is how far a lane is held by the console.
type LaneStatus struct {
	Lane  fleet.Lane
	Head  uint64
	Acked uint64
}

// Backlog is what the console does not hold yet.
func (l LaneStatus) Backlog() uint64 { return l.Head - min(l.Acked, l.Head) }

// Uplink is the hub's end of the link.
type Uplink struct {
	c        Config
	bootID   string
	wake     chan struct{} // there is something for Run to do
	enrolled atomic.Bool   // Enroll has stored an identity that Run has not seen
	resync   chan struct{} // try now, whatever the pause

	mu     sync.Mutex // guards status
	status Status

	changes *feed.Feed[Status]

	// Owned by Run.
	sender *lane.Sender
	cursor uint64
	link   *link
	failed int
	// renewed counts the lives that were begun since the last welcome.
	renewed int

	governed   governed
	stateEvery time.Duration
	budget     Budget
	rung       Rung
	spent      spent
	passed     uint64
	stored     time.Time // when spent was
	pace       pace

	traffic    lane.TrafficSender
	takesHours bool // the console of the session does
	resend     bool // it lacks hours that were acknowledged
}

const (
	savedKey  = "saved"
	cursorKey = "order_cursor"
	retryKey  = "retry"
)

// New returns the hub's end of the link, enrolled or not.
func New(c Config) (*Uplink, error) {
	c.StateEvery = cmp.Or(c.StateEvery, time.Minute)
	c.SummariesEvery = cmp.Or(c.SummariesEvery, time.Hour)
	c.SummariesAgain = cmp.Or(c.SummariesAgain, 30*24*time.Hour)
	c.ChunkBytes = cmp.Or(c.ChunkBytes, 64<<10)
	c.CallTimeout = cmp.Or(c.CallTimeout, time.Minute)
	c.PullWait = cmp.Or(c.PullWait, 4*time.Minute)
	c.Budget.Reserve = cmp.Or(c.Budget.Reserve, 10)
	c.ProbeEvery = cmp.Or(c.ProbeEvery, 8*time.Second)
	c.RetryFirst = cmp.Or(c.RetryFirst, time.Minute)
	c.RetryMost = cmp.Or(c.RetryMost, 15*time.Minute)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	u := &Uplink{
		c: c, bootID: cmp.Or(c.BootID, fleet.NewUUID[string](c.now())), wake: make(chan struct{}, 1), resync: make(chan struct{}, 1),
		changes: feed.New[Status](64),
	}
	saved, _, err := store.Link[lane.Saved](c.Store, savedKey)
	if err != nil {
		return nil, fmt.Errorf("read link state: %w", err)
	}
	if u.cursor, _, err = store.Link[uint64](c.Store, cursorKey); err != nil {
		return nil, fmt.Errorf("read order cursor: %w", err)
	}
	if u.failed, _, err = store.Link[int](c.Store, retryKey); err != nil {
		return nil, fmt.Errorf("read link state: %w", err)
	}
	if u.resend, _, err = store.Link[bool](c.Store, resendKey); err != nil {
		return nil, fmt.Errorf("read link state: %w", err)
	}
	if u.spent, _, err = store.Link[spent](c.Store, spentKey); err != nil {
		return nil, fmt.Errorf("read link state: %w", err)
	}
	if u.governed, _, err = store.Link[governed](c.Store, governedKey); err != nil {
		return nil, fmt.Errorf("read link state: %w", err)
	}
	u.rung = RungFull
	u.settle()
	if u.link, err = u.openLink(); err != nil {
		return nil, err
	}
	life, _, err := store.Link[fleet.Epoch](c.Store, lifeKey)
	if err != nil {
		return nil, fmt.Errorf("read link state: %w", err)
	}
	u.sender = lane.NewSender(cmp.Or(life, c.Epoch), u.bootID, saved)
	u.status = Status{
		State: None, Since: fleet.Millis(c.now()), OrderCursor: u.cursor,
		ConsoleID: saved.ConsoleID, ConsoleEpoch: saved.ConsoleEpoch,
	}
	if u.link != nil {
		u.status.State, u.status.URL = Connecting, u.link.url
	}
	return u, nil
}

func (c Config) now() time.Time {
	t, _ := c.Clock.Now()
	return t
}

// log is what the Sender reads: records from the store, states from memory.
type log struct {
	*store.Store
	states States
}

func (l log) StateHead() uint64 { return l.states.StateHead() }

func (l log) States(after uint64, maxBytes int) (lane.StateBatch, error) {
	return l.states.States(after, maxBytes)
}

func (u *Uplink) log() log { return log{u.c.Store, u.c.States} }

// Changes is the feed of the link's status.
func (u *Uplink) Changes() *feed.Feed[Status] { return u.changes }

// Status is how the link is now.
func (u *Uplink) Status() (Status, error) {
	u.mu.Lock()
	s := u.status
	acked := map[fleet.Lane]uint64{}
	for _, l := range s.Lanes {
		acked[l.Lane] = l.Acked
	}
	u.mu.Unlock()
	s.Lanes = nil
	for _, l := range []fleet.Lane{fleet.LaneRequests, fleet.LaneCommands, fleet.LaneState, fleet.LaneRegistry} {
		head := u.c.States.StateHead()
		if l != fleet.LaneState {
			p, err := u.c.Store.Head(l)
			if err != nil {
				return s, err
			}
			head = uint64(p.Seq)
		}
		s.Lanes = append(s.Lanes, LaneStatus{Lane: l, Head: head, Acked: acked[l]})
	}
	if u.c.Summaries != nil {
		s.Lanes = append(s.Lanes, u.hoursStatus(acked[fleet.LaneSummaries]))
	}
	return s, nil
}

// SyncNow ends a pause after failures: the next try is made at once.
func (u *Uplink) SyncNow() { signal(u.resync) }

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// tell changes the status, and tells who listens when it is another.
func (u *Uplink) tell(change func(*Status)) {
	u.mu.Lock()
	before := u.status.State
	change(&u.status)
	if u.status.State != before {
		u.status.Since = fleet.Millis(u.c.now())
	}
	u.status.OrderCursor = u.cursor
	saved := u.sender.Saved()
	u.status.ConsoleID, u.status.ConsoleEpoch = saved.ConsoleID, saved.ConsoleEpoch
	u.status.Lanes = nil
	for l, n := range saved.Acked {
		u.status.Lanes = append(u.status.Lanes, LaneStatus{Lane: l, Acked: n})
	}
	s := u.status
	u.mu.Unlock()
	u.changes.Publish(s)
}

// Run keeps the link until ctx ends. No failure of the link ends it; only one
// of the store does.
func (u *Uplink) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	urgent := make(chan struct{}, 1)
	workers.Go(func() { u.follow(ctx, urgent) })
	u.tell(func(*Status) {})
	for ctx.Err() == nil {
		if u.link == nil {
			select {
			case <-ctx.Done():
			case <-u.wake:
				if u.enrolled.Swap(false) {
					if err := u.adopt(); err != nil {
						return err
					}
				}
			}
			continue
		}
		err := u.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
			return err
		}
		if errors.Is(err, ErrRestart) {
			return err
		}
		if errors.Is(err, errEnrolledAgain) || errors.Is(err, errAgain) {
			continue
		}
		if err := u.pause(ctx, err, urgent); err != nil {
			return err
		}
	}
	return nil
}

var errEnrolledAgain = errors.New("enrolled again")

// adopt takes over the identity that Enroll has stored.
func (u *Uplink) adopt() error {
	l, err := u.openLink()
	if err != nil || l == nil {
		return err
	}
	if u.link != nil {
		u.link.close()
	}
	u.link, u.failed = l, 0
	u.sender.Close()
	u.tell(func(s *Status) { s.State, s.URL, s.LastError = Connecting, l.url, "" })
	return nil
}

// follow wakes Run for what the journal appends: at once for lane 0, and out
// of a pause too.
func (u *Uplink) follow(ctx context.Context, urgent chan<- struct{}) {
	events := u.c.Journal.Events()
	r := events.Subscribe(events.Head())
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
		case err != nil:
			return
		}
		if item.Value.Lane == fleet.LaneRequests {
			select {
			case urgent <- struct{}{}:
			default:
			}
		}
		signal(u.wake)
	}
}

// pause waits after a failure: longer each time, and not at all when somebody
// asks, or a call has come in that shore should know of.
func (u *Uplink) pause(ctx context.Context, failure error, urgent <-chan struct{}) error {
	refused := errors.Is(failure, lane.ErrBehind) || errors.Is(failure, lane.ErrDiverged) ||
		connect.CodeOf(failure) == connect.CodeUnauthenticated || connect.CodeOf(failure) == connect.CodePermissionDenied
	refused = refused || errors.Is(failure, errFenced)
	u.tell(func(s *Status) {
		s.State, s.LastError = Offline, failure.Error()
		if refused {
			s.State = Refused
		}
	})
	u.c.Logger.Info("link failed", "error", failure, "failures", u.failed+1)
	u.failed = min(u.failed+1, 16)
	if err := u.remember(ctx); err != nil {
		return err
	}
	most := min(u.c.RetryFirst<<min(u.failed-1, 10), u.c.RetryMost)
	after := rand.N(most) + most/16
	var busy *lane.WaitError
	switch {
	case errors.As(failure, &busy):
		after = min(busy.For, u.c.RetryMost) // the console has spread the hubs already
	case errors.Is(failure, errSilent):
		after = u.untilBudget()
		urgent = nil // the part for calls is spent too
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	back := u.watch(watching, failure)
	timer := time.NewTimer(after)
	defer timer.Stop()
	select { // what was urgent before the failure is not a reason to try at once
	case <-urgent:
	default:
	}
	for {
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-u.resync:
		case <-back:
			// Jitter, so that a fleet whose satellite is back does not dial as one.
			timer.Reset(rand.N(min(returnJitter, most)))
			back, u.failed = nil, 0
			continue
		case <-urgent:
			// Jitter, so that a fleet that hears the same alarm does not dial as one.
			timer.Reset(rand.N(min(5*time.Second, most)))
			urgent = nil
			continue
		case <-u.wake:
			if again, err := u.enrolledAgain(); err != nil || !again {
				if err != nil {
					return err
				}
				continue
			}
		}
		return nil
	}
}

func (u *Uplink) remember(ctx context.Context) error {
	err := u.c.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		tx.Essential() // shore is to hear of calls, and of the disk
		return tx.PutLink(retryKey, u.failed)
	})
	if err != nil && !errors.Is(err, fleet.ErrFull) {
		return fmt.Errorf("store link state: %w", err)
	}
	return nil
}

// enrolledAgain adopts a newer identity when Enroll has stored one.
func (u *Uplink) enrolledAgain() (bool, error) {
	if !u.enrolled.Swap(false) {
		return false, nil
	}
	stored, found, err := store.Link[stored](u.c.Store, identityKey)
	if err != nil || !found || stored.HubID == u.link.hubID && stored.URL == u.link.url {
		return false, err
	}
	return true, u.adopt()
}
