// Package relay tells consoles that share a store what happens at each other,
// over Redis' protocol (Redis or Valkey): who waits at one console hears of what
// came in at another. It owns the Redis client.
//
// What always holds: nothing here is the only copy of anything. A message that
// is lost costs time and no data; whoever may have missed one is told so
// (Message.Missed) and reads everything again: after the connection was lost, and
// when more happened than could be sent. Sending never waits. A console does not
// hear itself.
//
// Run is called from one goroutine; Send from any.
package relay

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	// URL of the server: redis://user:password@host:port/db, or rediss:// for TLS,
	// or unix://path.
	URL string
	// Fleet keeps apart the consoles of several fleets on one server: the
	// console's id.
	Fleet string
	// Queue is how many messages may wait to be sent, and how far a reader may
	// lag; 4096.
	Queue int
	// PingEvery is how often a silent connection is tried; 15 s.
	PingEvery time.Duration
	// RetryWithin is the longest wait before the next try to connect; 5 s.
	RetryWithin time.Duration
	Logger      *slog.Logger
}

// Message is what one console tells the others. Fields that do not belong to
// what is told are zero.
type Message struct {
	Site fleet.SiteID `json:"site,omitempty"`
	// Contact: a hub was in contact, or something of the site has changed. Refs
	// are the entities that have changed; More: there were too many to name.
	Contact bool        `json:"contact,omitempty"`
	Moved   bool        `json:"moved,omitempty"`
	Refs    []fleet.Ref `json:"refs,omitempty"`
	More    bool        `json:"more,omitempty"`
	// Hub has no session but that of the ticket with this hash, if any.
	Hub    fleet.HubID `json:"hub,omitempty"`
	Ticket []byte      `json:"ticket,omitempty"`
	// Order is the number of an order that is new or has ended.
	Order uint64 `json:"order,omitempty"`
	// Missed: what came between is not known. Everything may have changed.
	Missed bool `json:"missed,omitempty"`
}

// envelope is a message as it is sent.
type envelope struct {
	From string `json:"from"`
	Message
}

// Relay is one console's end.
type Relay struct {
	c       Config
	self    string
	channel string
	client  *redis.Client
	out     chan Message
	missed  atomic.Bool // something could not be sent
	in      *feed.Feed[Message]
	up      atomic.Bool
}

// Check reports as fleet.ErrInvalid what is wrong with the address.
func (c Config) Check() error {
	_, err := c.options()
	return err
}

func (c Config) options() (*redis.Options, error) {
	o, err := redis.ParseURL(c.URL)
	if err != nil {
		if ue := new(url.Error); errors.As(err, &ue) {
			err = ue.Err // the URL may hold a password
		}
		return nil, fmt.Errorf("%w: address of the events: %w", fleet.ErrInvalid, err)
	}
	o.MaxRetries = -1                       // what cannot be sent at once is not worth sending
	o.Protocol, o.DisableIdentity = 2, true // every server speaks it
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// New checks the settings; it does not connect.
func New(c Config) (*Relay, error) {
	c.Queue = cmp.Or(c.Queue, 4096)
	c.PingEvery = cmp.Or(c.PingEvery, 15*time.Second)
	c.RetryWithin = cmp.Or(c.RetryWithin, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	logging.Disable() // the client writes to standard error by itself
	return &Relay{
		c: c, self: rand.Text(), channel: "obedio:" + c.Fleet, client: redis.NewClient(o),
		out: make(chan Message, c.Queue), in: feed.New[Message](c.Queue),
	}, nil
}

// Messages is the feed of what other consoles have told.
func (r *Relay) Messages() *feed.Feed[Message] { return r.in }

// Up reports whether the console hears the others.
func (r *Relay) Up() bool { return r.up.Load() }

// Send tells the others of m. When too much waits already they are told that
// they have missed something.
func (r *Relay) Send(m Message) {
	select {
	case r.out <- m:
	default:
		r.missed.Store(true)
	}
}

// Run carries messages until ctx ends. A server that is out of reach is tried
// again and again.
func (r *Relay) Run(ctx context.Context) error {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		r.send(ctx)
	}()
	r.listen(ctx)
	<-sent
	return r.client.Close()
}

// send publishes what waits.
func (r *Relay) send(ctx context.Context) {
	failing := false
	for {
		var m Message
		select {
		case <-ctx.Done():
			return
		case m = <-r.out:
		}
		if r.missed.Swap(false) {
			m = Message{Missed: true}
		}
		err := r.publish(ctx, m)
		if err != nil && ctx.Err() == nil {
			r.missed.Store(true)
			if !failing {
				r.c.Logger.Warn("other consoles do not hear what happens here", "error", err)
			}
			failing = true
			r.pause(ctx)
			r.drain() // the next one says that something was missed
			continue
		}
		failing = false
	}
}

func (r *Relay) publish(ctx context.Context, m Message) error {
	b, err := json.Marshal(envelope{r.self, m})
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, r.c.RetryWithin)
	defer stop()
	return r.client.Publish(ctx, r.channel, b).Err()
}

// drain drops what waits, but for one message that carries the news of it.
func (r *Relay) drain() {
	for {
		select {
		case <-r.out:
		default:
			r.Send(Message{Missed: true})
			return
		}
	}
}

func (r *Relay) pause(ctx context.Context) {
	t := time.NewTimer(r.c.RetryWithin/2 + time.Duration(mrand.Int64N(int64(r.c.RetryWithin/2)+1)))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// listen receives what the others send.
func (r *Relay) listen(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if r.up.Swap(false) || n == 0 {
			r.c.Logger.Warn("other consoles are not heard", "error", err)
		}
		r.pause(ctx)
	}
}

// session is one subscription, until it breaks. What came before it is not
// known, so it begins with a message that says so.
func (r *Relay) session(ctx context.Context) error {
	s := r.client.Subscribe(ctx, r.channel)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // a read does not end with its context
	defer func() {
		if stop() {
			_ = s.Close()
		}
	}()
	tried := false
	for {
		v, err := s.ReceiveTimeout(ctx, r.c.PingEvery)
		var ne net.Error
		switch {
		case errors.As(err, &ne) && ne.Timeout() && !tried:
			if err := s.Ping(ctx); err != nil {
				return err
			}
			tried = true
			continue
		case err != nil:
			return err
		}
		tried = false
		switch v := v.(type) {
		case *redis.Subscription:
			// The client subscribes anew by itself when its connection breaks.
			r.up.Store(true)
			r.c.Logger.Info("other consoles are heard")
			r.in.Publish(Message{Missed: true})
		case *redis.Message:
			var e envelope
			if err := json.Unmarshal([]byte(v.Payload), &e); err != nil {
				r.c.Logger.Warn("message of another console not understood", "error", err)
				e.Message = Message{Missed: true}
			}
			if e.From != r.self {
				r.in.Publish(e.Message)
			}
		}
	}
}
