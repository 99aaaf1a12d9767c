// Package notify tells watches of requests and buttons of their receipts, and
// keeps telling until the device has taken it. What it tells follows from the
// store (open requests, queued receipts), so a restart forgets nothing: an
// open request rings again.
//
// One goroutine, Run, owns all state but the outcomes, which Reach reads. It
// reads what it has to tell from the store when it begins; from then on it is
// told. The methods that tell it may be called from any goroutine and never
// wait.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Outbound is a message on its way to one device.
type Outbound struct {
	Device fleet.Device
	// Name is the last level of the topic cmd/{name}: notify or receipt.
	Name    string
	Payload []byte
	// Ref comes back with Delivered.
	Ref string
}

// Sender hands messages to devices; the broker, seen from here.
type Sender interface {
	// Why says why the device cannot be told now; empty when it is connected and
	// subscribed.
	Why(d fleet.Device, name string) string
	Notify(ctx context.Context, o Outbound) error
}

// Recipient is a watch that is to be told of a request, and who wears it; or a
// person who wears none.
type Recipient struct {
	Watch  fleet.DeviceID
	Person string
	Name   string
}

// Routing says who is to be told of a request.
type Routing struct {
	// To are those at the request's level.
	To []Recipient
	// Offeree is the watch of the person to whom the request is offered; empty for
	// none.
	Offeree fleet.DeviceID
	// Quiet: nobody is told for now.
	Quiet bool
	// RingEvery says after which time a watch that was told of an open request is
	// told again; 0 takes that of Config.
	RingEvery time.Duration
}

// Devices finds registered devices.
type Devices interface {
	Device(fleet.DeviceID) (fleet.Device, error)
	// Watches are the registered watches.
	Watches() []fleet.Device
}

// Config is what New needs. Zero durations take their defaults.
type Config struct {
	Store   *store.Store
	Journal *journal.Journal
	Devices Devices
	Sender  Sender
	// Route says who is to be told of a request; may be nil: then all watches. It
	// must be quick.
	Route func(fleet.Request) Routing
	Now   func() time.Time
	// RepeatEvery: what a device has not acknowledged is sent again after this
	// time. 5 s.
	RepeatEvery time.Duration
	// RingEvery says after which time a watch that was told of an open request
	// is told again, by priority. 60, 30 and 10 s.
	RingEvery map[fleet.Priority]time.Duration
	// Tries of one message on one connection; then it waits for the next one. 8.
	Tries int
	// ReceiptLife: a receipt that the button has not fetched by then is given
	// up. 24 h.
	ReceiptLife time.Duration
	// ForgetEvery is how long receipts that buttons have taken gather before they
	// are forgotten on disk, in one write. After a crash their buttons are told
	// once more. 1 s.
	ForgetEvery time.Duration
	// LogFor is how long it is kept who was told of a request. 90 days.
	LogFor time.Duration
	Logger *slog.Logger
}

// Notifier tells watches and buttons.
type Notifier struct {
	c    Config
	wake chan struct{}

	inbox struct {
		sync.Mutex // guards what follows
		awake      map[fleet.DeviceID]bool
		changed    map[fleet.RequestID]fleet.Request
		owed       []store.Receipt
		late       []late
		again      bool // who is to be told of all requests may have changed
		taken      []taken
	}

	leaving struct {
		sync.Mutex                 // guards what follows
		receipts   []store.Receipt // to be forgotten on disk
	}
	telling struct {
		sync.Mutex                 // guards what follows
		log        []store.Telling // to be written
		n          uint64
	}
	gone chan struct{} // holds a token when there is something to forget
	many chan struct{} // and when it is to be forgotten at once

	buttons  map[fleet.DeviceID]*button
	requests map[fleet.RequestID]*request
	// news are requests that have changed, or were answered, since the watches
	// were told; due is when the next of all is to be told again.
	news    map[fleet.RequestID]struct{}
	due     time.Time
	watches []fleet.Device // as they were told last

	mu    sync.Mutex // guards what follows
	reach map[fleet.RequestID]Reach
	// asked is when a watch was sent the first thing that it has not answered.
	asked map[fleet.DeviceID]time.Time
}

// late is a watch that tried to step a request that had gone on.
type late struct {
	watch   fleet.DeviceID
	request fleet.RequestID
}

type taken struct {
	device fleet.DeviceID
	ref    string
}

// New returns a Notifier.
func New(c Config) *Notifier {
	c.RepeatEvery = cmp.Or(c.RepeatEvery, 5*time.Second)
	c.Tries = cmp.Or(c.Tries, 8)
	c.ReceiptLife = cmp.Or(c.ReceiptLife, 24*time.Hour)
	c.ForgetEvery = cmp.Or(c.ForgetEvery, time.Second)
	c.LogFor = cmp.Or(c.LogFor, 90*24*time.Hour)
	if c.RingEvery == nil {
		c.RingEvery = map[fleet.Priority]time.Duration{
			fleet.Normal: time.Minute, fleet.Urgent: 30 * time.Second, fleet.Emergency: 10 * time.Second,
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Notifier{
		c: c, wake: make(chan struct{}, 1), gone: make(chan struct{}, 1), many: make(chan struct{}, 1),
		buttons: map[fleet.DeviceID]*button{}, requests: map[fleet.RequestID]*request{},
		news: map[fleet.RequestID]struct{}{}, reach: map[fleet.RequestID]Reach{}, asked: map[fleet.DeviceID]time.Time{},
	}
	n.inbox.awake, n.inbox.changed = map[fleet.DeviceID]bool{}, map[fleet.RequestID]fleet.Request{}
	c.Journal.Follow(n.event)
	return n
}

// rings reports whether watches are told of a request: the hub's own tests and
// those of a walk have ways of their own.
func rings(r fleet.Request) bool { return r.Purpose.ForPeople() }

func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Wake tells that a device has just begun to listen.
func (n *Notifier) Wake(d fleet.DeviceID) {
	n.inbox.Lock()
	n.inbox.awake[d] = true
	n.inbox.Unlock()
	signal(n.wake)
}

// Owe tells of a receipt that was queued in the store.
func (n *Notifier) Owe(r store.Receipt) {
	n.inbox.Lock()
	n.inbox.owed = append(n.inbox.owed, r)
	n.inbox.Unlock()
	signal(n.wake)
}

// event is told of what was committed.
func (n *Notifier) event(e journal.Event) {
	for _, c := range e.Changes {
		switch v := c.After.(type) {
		case fleet.Request:
			if !rings(v) {
				continue
			}
			if c.Before == nil {
				n.log(store.Telling{Request: v.ID, What: ToldStored})
			}
			n.inbox.Lock()
			n.inbox.changed[v.ID] = v
			n.inbox.Unlock()
			signal(n.wake)
		case fleet.Room, fleet.Document: // a room's quiet, or the crew
			n.inbox.Lock()
			n.inbox.again = true
			n.inbox.Unlock()
			signal(n.wake)
		}
	}
}

// Tell tells a watch how a request stands, because it showed that it does not
// know.
func (n *Notifier) Tell(watch fleet.DeviceID, id fleet.RequestID) {
	n.inbox.Lock()
	n.inbox.late = append(n.inbox.late, late{watch, id})
	n.inbox.Unlock()
	signal(n.wake)
}

// Delivered takes a device's PUBACK; ref is the Outbound's.
func (n *Notifier) Delivered(d fleet.DeviceID, ref string) {
	n.inbox.Lock()
	n.inbox.taken = append(n.inbox.taken, taken{d, ref})
	n.inbox.Unlock()
	signal(n.wake)
}

// Run tells devices until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.load(); err != nil {
		return err
	}
	failed := make(chan error, 1)
	forgetting, stop := context.WithCancel(context.WithoutCancel(ctx)) // to the end of the last round
	go func() { failed <- n.forget(forgetting) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			stop()
			return <-failed
		case err := <-failed:
			stop()
			return err
		case <-n.wake:
		case <-timer.C:
		}
		wait, err := n.round(ctx)
		if err != nil && ctx.Err() == nil {
			stop()
			return errors.Join(err, <-failed)
		}
		timer.Reset(wait)
	}
}

// load finds what is to be told after a start.
func (n *Notifier) load() error {
	open, err := n.c.Store.OpenRequests()
	if err != nil {
		return fmt.Errorf("read open requests: %w", err)
	}
	for _, r := range open {
		if rings(r) {
			n.changed(r)
		}
	}
	owed, err := n.c.Store.Receipts()
	if err != nil {
		return fmt.Errorf("read receipts: %w", err)
	}
	for _, r := range owed {
		n.owe(r)
	}
	return nil
}

// round takes what Run was told of, tells what is due, and returns how long
// nothing will be.
func (n *Notifier) round(ctx context.Context) (time.Duration, error) {
	now := n.c.Now()
	in := &n.inbox
	in.Lock()
	awake, changed, owed, behind, done, again := in.awake, in.changed, in.owed, in.late, in.taken, in.again
	in.awake, in.changed = map[fleet.DeviceID]bool{}, map[fleet.RequestID]fleet.Request{}
	in.owed, in.late, in.taken, in.again = nil, nil, nil, false
	in.Unlock()
	for d := range awake {
		n.answered(d) // it begins anew
	}
	for _, r := range changed {
		n.changed(r)
	}
	for _, r := range owed {
		n.owe(r)
	}
	for _, l := range behind {
		if err := n.tellLate(ctx, now, l); err != nil {
			return 0, err
		}
	}
	n.take(done)
	wait := time.Minute
	if err := n.tellButtons(ctx, now, awake, &wait); err != nil {
		return 0, err
	}
	n.tellWatches(ctx, now, awake, again, &wait)
	return max(wait, time.Millisecond), nil
}

// attempt is one message to one device that is not acknowledged yet.
type attempt struct {
	next  time.Time
	tries int
}

// due says whether to send now, and shortens wait otherwise. A device that has
// just begun to listen gets everything at once.
func (a *attempt) due(now time.Time, awake bool, most int, wait *time.Duration) bool {
	if awake {
		a.next, a.tries = now, 0
	}
	if a.tries >= most {
		return false
	}
	if left := a.next.Sub(now); left > 0 {
		*wait = min(*wait, left)
		return false
	}
	return true
}

func (a *attempt) sent(now time.Time, pause time.Duration, wait *time.Duration) {
	a.next = now.Add(pause)
	a.tries++
	*wait = min(*wait, pause)
}
