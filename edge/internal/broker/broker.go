package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"golang.org/x/time/rate"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// Kind says what a listener's connections speak.
type Kind uint8

// The kinds of listeners.
const (
	// TCP: MQTT directly on the stream, which may be TLS.
	TCP Kind = iota
	// WebSocket: MQTT in WebSocket messages, subprotocol mqtt.
	WebSocket
)

// Listener is one way in. The hub binds it; the broker closes it.
type Listener struct {
	// Name in logs, credentials and counters, such as "mqtt".
	Name string
	Kind Kind
	Net  net.Listener
	// Origins, for WebSocket: origins of pages, besides the listener's own, that
	// may connect, such as "https://hub.local:8443".
	Origins []string
}

// Config is what a Broker needs.
type Config struct {
	Site      fleet.SiteID
	Listeners []Listener
	Auth      Authenticator
	Handler   Handler
	Limits    Limits
	// Storage keeps sessions and retained messages over restarts; nil keeps them
	// in memory only.
	Storage Storage
	// Objected, if not nil, is told of everything that the broker held against
	// a client, from the goroutine that met it; it must not block.
	Objected func(Objection)
	// Dropped, if not nil, is told of every message for, or from, a client that
	// was not delivered or not taken. It must not block.
	Dropped func(client string, reason DropReason)
	// Passed, if not nil, is told of every application message that passed the
	// broker, from the goroutine that carried it; it must not block, and must
	// not keep the payload.
	Passed func(Passage)
	Logger *slog.Logger
	// Now is the clock of the messages' Received and Expires; time.Now if nil.
	Now func() time.Time
}

// Broker is the MQTT broker of one hub.
type Broker struct {
	cfg      Config
	limits   Limits
	log      *slog.Logger
	now      func() time.Time
	hubRules *access.Rules
	counters *counters
	server   *mqtt.Server
	keeper   *keeper
	retained *retainedIndex
	bans     *bans
	byHand   *rate.Limiter
	// queued is what the messages of all sessions take, outbound what waits for
	// all sockets; in bytes.
	queued, outbound atomic.Int64
	// routing is held for reading while a message is given to the library's
	// subscribers, and for writing while the library moves a session from its
	// old connection to its new one, so that no message falls in between.
	routing sync.RWMutex
	// order numbers outbound messages, so that a resumed session gets them in
	// the order in which they were queued.
	order atomic.Int64
	// subscriptions is the version of the subscriptions: it moves when somebody
	// may have become interested in a topic.
	subscriptions atomic.Uint64
	retaining     sync.Mutex // held while a retained message is replaced
	// wildParents: some filter has ended in "+/#" since the start.
	wildParents atomic.Bool

	started atomic.Bool
	stopped chan struct{}  // closed when stopping becomes true
	work    sync.WaitGroup // every goroutine and every open socket

	mu       sync.Mutex // guards what follows
	stopping bool
	open     map[*conn]struct{}   // every connection of the gate
	sockets  int                  // admitted and not closed
	shaking  map[*socket]struct{} // in their TLS handshake
	unknown  map[*socket]struct{} // that have not said who they are
	byAddr   map[netip.Addr]int   // sockets of each remote address
	slots    map[string]*slot     // by client id
	byUser   map[string]int       // live connections of each user name
	sessions map[string]*kept     // of every session, by client id
	wills    map[string]*lateWill // delayed wills, by client id
	// The numbers given last, of sessions and of sockets.
	lastGen, lastSocket uint64
}

// New checks the settings and allocates. It starts nothing. The broker owns the
// listeners from now on.
func New(cfg Config) (*Broker, error) {
	if _, err := fleet.ParseSiteID(string(cfg.Site)); err != nil {
		return nil, fmt.Errorf("make broker: %w", err)
	}
	if cfg.Auth == nil || cfg.Handler == nil || cfg.Logger == nil {
		return nil, fmt.Errorf("make broker: %w: want Auth, Handler and Logger", fleet.ErrInvalid)
	}
	names := make(map[string]bool)
	for _, l := range cfg.Listeners {
		if l.Name == "" || l.Net == nil || names[l.Name] {
			return nil, fmt.Errorf("make broker: %w: listener %q: want a name of its own and a net.Listener", fleet.ErrInvalid, l.Name)
		}
		names[l.Name] = true
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	hubRules, err := access.Compile(access.HubRoles(), access.Vars{Site: string(cfg.Site)})
	if err != nil {
		return nil, fmt.Errorf("make broker: %w", err)
	}
	b := &Broker{
		cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Logger, now: cfg.Now, hubRules: hubRules,
		counters: newCounters(),
		stopped:  make(chan struct{}),
		open:     make(map[*conn]struct{}),
		shaking:  make(map[*socket]struct{}),
		unknown:  make(map[*socket]struct{}),
		byAddr:   make(map[netip.Addr]int),
		slots:    make(map[string]*slot),
		byUser:   make(map[string]int),
		sessions: make(map[string]*kept),
		retained: newRetainedIndex(),
		wills:    make(map[string]*lateWill),
	}
	b.bans = newBans(&b.limits, b.now)
	b.byHand = newHandLimiter(&b.limits)
	b.order.Store(b.now().UnixNano())
	b.keeper = newKeeper(cfg.Storage, func(err error) { b.log.Error("mqtt sessions not written", "error", err) })
	if b.server, err = newServer(b); err != nil {
		return nil, fmt.Errorf("make broker: %w", err)
	}
	if err := b.restore(); err != nil {
		return nil, fmt.Errorf("make broker: %w", err)
	}
	return b, nil
}

// Run serves until ctx ends, and returns when every connection has ended and
// no goroutine of the broker is left. It may be called once. A listener that
// breaks for good ends it with an error.
func (b *Broker) Run(ctx context.Context) error {
	if b.started.Swap(true) {
		return errors.New("run broker: started before")
	}
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("run broker: %w", err)
	}
	b.silenceLibrary()
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	var inside sync.WaitGroup
	inside.Go(func() { b.keeper.run(inner) })
	inside.Go(func() { b.housekeep(inner) })
	broken := make(chan error, len(b.cfg.Listeners))
	for i := range b.cfg.Listeners {
		l := &b.cfg.Listeners[i]
		b.work.Go(func() {
			if err := b.listen(l); err != nil {
				broken <- fmt.Errorf("listener %s: %w", l.Name, err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-broken:
		err = fmt.Errorf("run broker: %w", err)
	}
	b.StopAccepting()
	b.work.Wait()
	stopInner()
	inside.Wait() // what is to be kept is on disk
	if closeErr := b.server.Close(); closeErr != nil && err == nil {
		err = fmt.Errorf("run broker: %w", closeErr)
	}
	return err
}

// StopAccepting closes the listeners and ends every connection, without wills:
// it is the hub that goes. It does not wait for them; Run does, after its
// context has ended. Calling it again does nothing.
func (b *Broker) StopAccepting() {
	b.mu.Lock()
	if b.stopping {
		b.mu.Unlock()
		return
	}
	b.stopping = true
	close(b.stopped)
	for s := range b.shaking {
		b.work.Go(func() { _ = s.Close() })
	}
	conns := make([]*conn, 0, len(b.open))
	for c := range b.open {
		conns = append(conns, c)
	}
	b.dropLateWills()
	b.mu.Unlock()

	for _, l := range b.cfg.Listeners {
		_ = l.Net.Close() // an error means that it was closed before
	}
	for _, c := range conns {
		c.end(CauseShutdown)
	}
}

func (b *Broker) isStopping() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopping
}

// live returns the connection that holds the session of clientID.
func (b *Broker) live(clientID string) *conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.slots[clientID]; s != nil && s.holder != nil && s.holder.established.Load() {
		return s.holder
	}
	return nil
}

// Connected returns the live connection of a client.
func (b *Broker) Connected(clientID string) (Session, bool) {
	if c := b.live(clientID); c != nil {
		return c.session, true
	}
	return Session{}, false
}

// Subscribes reports whether a client is connected and has a subscription that
// matches the topic name.
func (b *Broker) Subscribes(clientID, name string) bool {
	c := b.live(clientID)
	return c != nil && c.subscribes(name)
}

// Kick ends a client's connection now, without its will, and tells an MQTT 5
// client the reason. It reports whether there was one. The session stays.
func (b *Broker) Kick(clientID, reason string) bool {
	c := b.live(clientID)
	if c != nil {
		c.endWith(CauseKicked, reason)
	}
	return c != nil
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	k := b.counters
	s := Stats{
		Connections: k.connections.Load(), Panics: k.panics.Load(), Sockets: k.sockets.Load(), Expired: k.expired.Load(),
		PacketsIn: k.packetsIn.Load(), PacketsOut: k.packetsOut.Load(),
		Refused: k.refused.snapshot(), Denied: k.denied.snapshot(), Dropped: k.dropped.snapshot(),
		Limits: k.limits.snapshot(), Ended: k.ended.snapshot(), Messages: k.messages.snapshot(),
		BytesIn: k.bytesIn.Load(), BytesOut: k.bytesOut.Load(),
		PayloadIn: k.payloadIn.Load(), PayloadOut: k.payloadOut.Load(),
		Sessions: b.server.Clients.Len(), QueuedBytes: b.queued.Load(), OutboundBytes: b.outbound.Load(),
	}
	s.Retained, s.RetainedBytes = b.retained.sum()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Open = b.sockets
	for _, slot := range b.slots {
		if slot.holder != nil && slot.holder.established.Load() {
			s.Connected++
		}
	}
	return s
}
