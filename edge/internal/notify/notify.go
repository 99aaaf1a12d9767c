// Package notify tells watches of requests and buttons of their receipts, and
// keeps telling until the device has taken it. What it tells follows from the
// store (open requests, queued receipts), so a restart forgets nothing: an
// open request rings again.
//
// One goroutine, Run, owns all state but the outcomes, which Reach reads. Wake
// and Delivered may be called from any goroutine and never wait.
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
	"github.com/obedio/obedio/shared/feed"
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
	Now     func() time.Time
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
	Logger      *slog.Logger
}

// Notifier tells watches and buttons.
type Notifier struct {
	c    Config
	wake chan struct{}

	inbox struct {
		sync.Mutex // guards the lists below
		awake      map[fleet.DeviceID]bool
		again      map[fleet.DeviceID]bool
		late       []late
		taken      []taken
	}

	// leaving are receipts that buttons have taken and that may still be read
	// from the disk; forgetting them there holds nobody up.
	leaving struct {
		sync.Mutex // guards what follows
		// at is when each was queued, by Ref.
		at map[string]time.Time
		// queue is what is to be forgotten on disk, left what has been.
		queue, left []store.Receipt
	}
	gone chan struct{} // holds a token while queue is not empty

	receipts map[string]*receipt
	requests map[fleet.RequestID]*request
	watches  []fleet.Device // as they were told last

	mu    sync.Mutex // guards reach
	reach map[fleet.RequestID]Reach
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
	if c.RingEvery == nil {
		c.RingEvery = map[fleet.Priority]time.Duration{
			fleet.Normal: time.Minute, fleet.Urgent: 30 * time.Second, fleet.Emergency: 10 * time.Second,
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Notifier{
		c: c, wake: make(chan struct{}, 1), receipts: map[string]*receipt{}, requests: map[fleet.RequestID]*request{},
		reach: map[fleet.RequestID]Reach{}, gone: make(chan struct{}, 1),
	}
	n.leaving.at = map[string]time.Time{}
	n.inbox.awake, n.inbox.again = map[fleet.DeviceID]bool{}, map[fleet.DeviceID]bool{}
	return n
}

func (n *Notifier) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Wake tells that a device has just begun to listen.
func (n *Notifier) Wake(d fleet.DeviceID) {
	n.inbox.Lock()
	n.inbox.awake[d] = true
	n.inbox.Unlock()
	n.poke()
}

// Again tells that a receipt was queued for a press that had come before.
func (n *Notifier) Again(d fleet.DeviceID) {
	n.inbox.Lock()
	n.inbox.again[d] = true
	n.inbox.Unlock()
	n.poke()
}

// Tell tells a watch how a request stands, because it showed that it does not
// know.
func (n *Notifier) Tell(watch fleet.DeviceID, id fleet.RequestID) {
	n.inbox.Lock()
	n.inbox.late = append(n.inbox.late, late{watch, id})
	n.inbox.Unlock()
	n.poke()
}

// Delivered takes a device's PUBACK; ref is the Outbound's.
func (n *Notifier) Delivered(d fleet.DeviceID, ref string) {
	n.inbox.Lock()
	n.inbox.taken = append(n.inbox.taken, taken{d, ref})
	n.inbox.Unlock()
	n.poke()
}

// Run tells devices until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	events := n.c.Journal.Events()
	reader := events.Subscribe(events.Head())
	if err := n.load(); err != nil {
		return err
	}
	news := make(chan struct{}, 1)
	pump, stop := context.WithCancel(ctx)
	var pumping sync.WaitGroup
	pumping.Go(func() { watch(pump, events, news) })
	failed := make(chan error, 1)
	pumping.Go(func() { failed <- n.forget(pump) })
	defer pumping.Wait()
	defer stop()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case <-news:
		case <-n.wake:
		case <-timer.C:
		}
		if err := n.read(reader); err != nil {
			return err
		}
		wait, err := n.round(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		timer.Reset(wait)
	}
}

// watch turns the feed into a signal that a select can wait for.
func watch(ctx context.Context, events *feed.Feed[journal.Event], news chan<- struct{}) {
	r := events.Subscribe(events.Head())
	for {
		_, err := r.Next(ctx)
		if err != nil && !errors.Is(err, feed.ErrLagged) {
			return
		}
		select {
		case news <- struct{}{}:
		default:
		}
	}
}

// load finds what is to be told after a start, or after too much has happened
// to follow it one by one.
func (n *Notifier) load() error {
	open, err := n.c.Store.OpenRequests()
	if err != nil {
		return fmt.Errorf("read open requests: %w", err)
	}
	for _, r := range open {
		n.changed(r)
	}
	return n.loadReceipts("")
}

func (n *Notifier) read(r *feed.Reader[journal.Event]) error {
	buttons := map[fleet.DeviceID]bool{}
	for {
		item, ok, err := r.Poll()
		if errors.Is(err, feed.ErrLagged) {
			return n.load()
		}
		if err != nil || !ok {
			break
		}
		for _, c := range item.Value.Changes {
			if req, ok := c.After.(fleet.Request); ok {
				n.changed(req)
				buttons[req.Device] = true
			}
		}
	}
	n.inbox.Lock()
	for d := range n.inbox.again {
		buttons[d] = true
	}
	clear(n.inbox.again)
	n.inbox.Unlock()
	for d := range buttons {
		if err := n.loadReceipts(d); err != nil {
			return err
		}
	}
	return nil
}

// round tells what is due, and returns how long nothing will be.
func (n *Notifier) round(ctx context.Context) (time.Duration, error) {
	now := n.c.Now()
	n.inbox.Lock()
	awake, done, behind := n.inbox.awake, n.inbox.taken, n.inbox.late
	n.inbox.awake, n.inbox.taken, n.inbox.late = map[fleet.DeviceID]bool{}, nil, nil
	n.inbox.Unlock()
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
	n.tellWatches(ctx, now, awake, &wait)
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
