package broker

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
)

// errEnded is what the library reads from a connection that has ended. It is
// told no more: the gate has answered and counted.
var errEnded = errors.New("connection ended")

// conn is the gate of one connection: the net.Conn that the library gets. The
// connection's goroutine reads; any goroutine may write and close.
type conn struct {
	b        *Broker
	raw      net.Conn
	in       *bufio.Reader
	out      *outbox
	listener *Listener
	socket   *socket
	tls      *tls.ConnectionState // nil without TLS
	ctx      context.Context      // ends with the connection
	cancel   context.CancelFunc

	// Set before the session is established, and not changed after.
	said      Credentials // what the client said of itself, without its password
	version   byte
	session   Session
	message   Message // that is being handled; the connection's goroutine owns it
	will      *frame.Will
	kept      *kept
	assigned  bool // the client left its id to the hub
	keepalive time.Duration
	// What the CONNACK says because it differs from what the client asked.
	keepaliveGiven, expiryBounded bool

	established atomic.Bool // the library has sent its CONNACK
	// rights are those of the identity, from before the session; they may be
	// replaced by any goroutine.
	rights atomic.Pointer[rights]

	// Owned by the connection's goroutine.
	expiry        uint32       // MQTT 5: Session Expiry Interval in seconds
	client        *mqtt.Client // the library's side, once there is a session
	pending       []byte       // bytes for the library's next Read
	keepPacket    bool         // somebody keeps the packet that was read last
	armed         bool         // the socket has a read deadline of the session's
	courses       courses      // of the topics that the client publishes to
	pace          pace
	requestID     uint16   // of the SUBSCRIBE or UNSUBSCRIBE under way
	judged        *rights  // with which its filters were decided
	verdicts      []byte   // reason codes of its denied filters; 0: allowed
	written       []string // its filters as the client wrote them
	retain        []bool   // which of its filters want retained messages
	due           []dueRetained
	unsubscribing bool
	routingLocked bool

	mu     sync.Mutex // guards what follows
	cause  Cause      // why it ended; the first word counts
	closed bool
	subs   map[string]struct{} // granted filters
}

func (b *Broker) newConn(l *Listener, raw net.Conn, s *socket, state *tls.ConnectionState) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{
		b: b, raw: raw, in: bufio.NewReaderSize(raw, 1024), listener: l, socket: s, tls: state, ctx: ctx, cancel: cancel,
		subs: make(map[string]struct{}),
	}
	c.out = newOutbox(c)
	c.session.Remote, c.session.Listener = s.remote, l.Name
	return c
}

// serve runs a connection from its first byte to its end. Handshakes below MQTT
// are done: raw is the stream of MQTT packets on the socket s.
func (b *Broker) serve(l *Listener, raw net.Conn, s *socket, state *tls.ConnectionState) {
	c := b.newConn(l, raw, s, state)
	b.mu.Lock()
	stopping := b.stopping
	if !stopping {
		b.open[c] = struct{}{}
		b.work.Add(1)
	}
	b.mu.Unlock()
	if stopping {
		_ = raw.Close()
		c.cancel()
		return
	}
	defer func() {
		_ = c.Close()
		<-c.out.done
		b.mu.Lock()
		delete(b.open, c)
		b.mu.Unlock()
		b.work.Done()
	}()
	defer c.recover()

	if !c.handshake() {
		return
	}
	defer b.release(c)
	defer c.finish()
	// Its errors are known here already: the library sees what the gate lets
	// through.
	_ = b.server.EstablishConnection(l.Name, c)
}

// leaveSession readies a session for the client's next connection.
func (c *conn) leaveSession() {
	if c.client == nil {
		return
	}
	c.b.routing.Lock() // a message that took the connection for live is in the session by now
	defer c.b.routing.Unlock()
	c.dropReferred()
	for _, id := range c.out.unacknowledged() {
		if pk, ok := c.client.State.Inflight.Get(id); ok && pk.FixedHeader.Type == packets.Publish {
			markSent(&pk)
			c.client.State.Inflight.Set(pk)
		}
	}
	c.kept.mu.Lock()
	c.kept.ended, c.kept.expiry = c.b.now(), c.lifetime()
	c.kept.mu.Unlock()
	c.b.storeSession(c.client, c.kept)
}

// lifetime is how long the session outlives its connection.
func (c *conn) lifetime() time.Duration {
	switch {
	case c.version == frame.V5:
		return time.Duration(c.expiry) * time.Second
	case c.session.Clean:
		return 0
	}
	return c.b.limits.SessionExpiry
}

// recover ends the connection, not the process, when its goroutine panics.
func (c *conn) recover() {
	if r := recover(); r != nil {
		c.panicked(r)
	}
}

func (c *conn) panicked(r any) {
	c.b.counters.panics.Add(1)
	c.b.log.Error("mqtt connection panicked", "panic", r, "client", c.session.Identity.ClientID,
		"remote", c.session.Remote, "stack", string(debug.Stack()))
	c.end(CausePanic)
}

// finish tells the world that a session has lost its connection, also when
// that was by a panic.
func (c *conn) finish() {
	if r := recover(); r != nil {
		c.panicked(r)
	}
	if c.routingLocked {
		c.routingLocked = false
		c.b.routing.Unlock()
	}
	c.end(CauseLost)
	cause := c.endCause()
	expires := c.version < frame.V5 && c.session.Clean || c.version == frame.V5 && c.expiry == 0
	if expires {
		// The library cleans up after itself only when all went well.
		c.b.discard(c.session.Identity.ClientID)
	} else {
		c.leaveSession()
	}
	if !c.established.Swap(false) {
		return
	}
	c.b.counters.ended.add(cause)
	c.publishWill(cause)
	c.b.log.Debug("mqtt session ended", "client", c.session.Identity.ClientID, "cause", cause)
	c.b.cfg.Handler.Disconnected(c.session, cause)
}

// end ends the connection for the first cause that is given.
func (c *conn) end(cause Cause) { c.endWith(cause, "") }

// endWith is end with words for an MQTT 5 client.
func (c *conn) endWith(cause Cause, text string) {
	reason := frame.Unspecified
	switch cause {
	case CauseTakenOver:
		reason = frame.SessionTakenOver
	case CauseKicked:
		reason = frame.Administrative
	case CauseShutdown:
		reason = frame.ServerShuttingDown
	case CauseGoodbye, CauseLost:
		reason = frame.Success // nothing to say
	default:
	}
	c.endSaying(cause, reason, text)
}

// endSaying ends the connection and tells an MQTT 5 client why, if there is a
// reason code to tell.
func (c *conn) endSaying(cause Cause, reason byte, text string) {
	c.mu.Lock()
	first := c.cause == ""
	if first {
		c.cause = cause
	}
	c.mu.Unlock()
	if first && reason != frame.Success && c.established.Load() && c.version == frame.V5 {
		c.out.control(frame.BuildDisconnect(reason, text))
	}
	_ = c.Close()
}

func (c *conn) endCause() Cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// protocolError ends the connection for a packet that the client should not
// have sent.
func (c *conn) protocolError(err error) error {
	reason := frame.Malformed
	var e *frame.Error
	if errors.As(err, &e) {
		reason = e.Reason
	}
	c.b.log.Debug("mqtt protocol error", "client", c.session.Identity.ClientID, "remote", c.session.Remote, "error", err)
	c.endSaying(CauseProtocol, reason, err.Error())
	return errEnded
}

// deny counts and reports a decision against the client.
func (c *conn) deny(a access.Action, name, rule string) {
	c.b.counters.denied.add(a)
	c.object(Objection{Kind: ObjectionDenied, Action: a, Topic: name, Reason: rule})
}

// Close ends the connection: nothing is read any more, and what waits to be
// written has CloseTimeout. It does not block. Also the library calls it.
func (c *conn) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	if first {
		_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // wakes the reader
	}
	c.mu.Unlock()
	if first {
		c.cancel()
		c.out.close()
	}
	return nil
}

// LocalAddr is part of net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr is part of net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline and its two sisters do nothing: deadlines are the gate's, and the
// library's arithmetic with keepalives overflows.
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
