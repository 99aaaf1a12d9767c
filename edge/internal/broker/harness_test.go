package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// patience is how long a test waits for what must happen; only a failing test
// reaches it.
const patience = 20 * time.Second

const site fleet.SiteID = "yacht-1"

func button(id string) fleet.Device {
	return fleet.Device{ID: fleet.DeviceID(id), Type: fleet.Button, Room: "cabin-101", Profile: "button"}
}

// people is an Authenticator over a map.
type people struct {
	mu   sync.Mutex
	byID map[string]Identity // by user name; the password is "pw-" + user name
	fail error
	seen []Credentials
	// hold is called before an answer, if not nil.
	hold func(Credentials)
}

func (p *people) Authenticate(_ context.Context, c Credentials) (Identity, error) {
	if p.hold != nil {
		p.hold(c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Password = bytes.Clone(c.Password)
	p.seen = append(p.seen, c)
	if p.fail != nil {
		return Identity{}, p.fail
	}
	id, ok := p.byID[c.Username]
	if !ok || string(c.Password) != "pw-"+c.Username {
		return Identity{}, fmt.Errorf("sign in %q: %w", c.Username, fleet.ErrUnauthenticated)
	}
	if id.ClientID == "" {
		id.ClientID = c.ClientID
	}
	return id, nil
}

func (p *people) set(user string, id Identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byID[user] = id
}

// device registers a device of the default rights under its own name.
func (p *people) device(t testing.TB, d fleet.Device) Identity {
	t.Helper()
	rules, err := access.Compile(access.DeviceRoles(), access.DeviceVars(site, d, string(d.ID)))
	if err != nil {
		t.Fatal(err)
	}
	id := Identity{Device: d, ClientID: string(d.ID), Username: string(d.ID), Rules: rules, MaxQoS: 2}
	p.set(id.Username, id)
	return id
}

// service registers a client that may do everything, under any client id.
func (p *people) service(t testing.TB, user string) Identity {
	t.Helper()
	id := Identity{Username: user, Rules: allow(t, "#"), MaxQoS: 2, MaxConnections: 2000, Retain: access.RetainAnything}
	p.set(user, id)
	return id
}

func allow(t testing.TB, filter string) *access.Rules {
	t.Helper()
	role := access.Role{Name: "test"}
	for _, k := range []access.Kind{access.PublishSend, access.PublishReceive, access.SubscribePattern, access.UnsubscribePattern} {
		role.ACLs = append(role.ACLs, access.ACL{Kind: k, Topic: filter, Allow: true})
	}
	rules, err := access.Compile([]access.Role{role}, access.Vars{})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// event is one call of a Handler's method.
type event struct {
	what    string // connected, disconnected, subscribed, unsubscribed, publish, delivered
	session Session
	cause   Cause
	filters []string
	message Message
	client  string
	ref     string
}

// ledger is a Handler that writes down what it is told.
type ledger struct {
	mu      sync.Mutex
	events  []event
	changed chan struct{}
	// publish answers Publish, if not nil.
	publish func(ctx context.Context, s Session, m Message) error
	// connected is called in Connected, if not nil.
	connected func(Session)
}

func newLedger() *ledger { return &ledger{changed: make(chan struct{})} }

func (l *ledger) add(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) Connected(s Session) {
	l.add(event{what: "connected", session: s})
	if l.connected != nil {
		l.connected(s)
	}
}
func (l *ledger) Disconnected(s Session, c Cause) {
	l.add(event{what: "disconnected", session: s, cause: c})
}
func (l *ledger) Subscribed(s Session, f []string) {
	l.add(event{what: "subscribed", session: s, filters: f})
}
func (l *ledger) Unsubscribed(s Session, f []string) {
	l.add(event{what: "unsubscribed", session: s, filters: f})
}
func (l *ledger) Publish(ctx context.Context, session *Session, message *Message) error {
	s, m := *session, *message
	l.mu.Lock()
	answer := l.publish
	l.mu.Unlock()
	if answer != nil {
		if err := answer(ctx, s, m); err != nil {
			return err
		}
	}
	m.Payload = bytes.Clone(m.Payload)
	l.add(event{what: "publish", session: s, message: m})
	return nil
}
func (l *ledger) Delivered(client, ref string) {
	l.add(event{what: "delivered", client: client, ref: ref})
}

func (l *ledger) answer(f func(ctx context.Context, s Session, m Message) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.publish = f
}

// all returns the events of one kind.
func (l *ledger) all(what string) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []event
	for _, e := range l.events {
		if e.what == what {
			found = append(found, e)
		}
	}
	return found
}

// wait returns the first n events of one kind, as soon as there are so many.
func (l *ledger) wait(t testing.TB, what string, n int) []event {
	t.Helper()
	deadline := time.After(patience)
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if found := l.all(what); len(found) >= n {
			return found[:n]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%d %s events: want %d", len(l.all(what)), what, n)
		}
	}
}

// rig is a running broker with its surroundings.
type rig struct {
	*Broker
	people *people
	ledger *ledger
	logs   *lockedBuffer
	tcp    string
	ws     string
	mem    *memListener
	stop   func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newQuietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newRig() (*rig, Config) {
	r := &rig{people: &people{byID: make(map[string]Identity)}, ledger: newLedger(), logs: new(lockedBuffer)}
	return r, Config{
		Site: site, Auth: r.people, Handler: r.ledger,
		Logger: slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// startMem runs a broker on an in-memory listener, for a synctest bubble.
func startMem(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r, cfg := newRig()
	r.mem = newMemListener()
	cfg.Listeners = []Listener{{Name: "mqtt", Net: r.mem}}
	if change != nil {
		change(&cfg)
	}
	r.run(t, cfg)
	return r
}

// dialMem connects to the in-memory listener.
func (r *rig) dialMem(t testing.TB, version byte) *raw {
	t.Helper()
	c, err := r.mem.dial()
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, c, version)
}

// start runs a broker on loopback.
func start(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	r, cfg := newRig()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.tcp, r.ws = tcp.Addr().String(), ws.Addr().String()
	cfg.Listeners = []Listener{{Name: "mqtt", Net: tcp}, {Name: "mqtt-ws", Kind: WebSocket, Net: ws}}
	if change != nil {
		change(&cfg)
	}
	r.run(t, cfg)
	return r
}

func (r *rig) run(t testing.TB, cfg Config) {
	t.Helper()
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Broker = b
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("run does not return")
		}
	})
	t.Cleanup(r.stop)
}

// memListener is a net.Listener without a network.
type memListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (m *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memListener) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memListener) Addr() net.Addr { return memAddr{} }

func (m *memListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.conns <- far:
		return near, nil
	case <-m.closed:
		return nil, errors.New("listener closed")
	}
}

type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return "memory" }

func statusTopic(d fleet.Device) string { return topic.Action(d.BaseTopic(site), topic.Status) }
func pressTopic(d fleet.Device) string  { return topic.Action(d.BaseTopic(site), topic.Press) }

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}
