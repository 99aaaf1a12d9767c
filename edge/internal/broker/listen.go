package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// listen serves one listener until it is closed. An error means that it broke
// while the broker was not stopping.
func (b *Broker) listen(l *Listener) error {
	ways := &doorkeeper{Listener: l.Net, b: b, l: l}
	if l.Kind == WebSocket {
		return b.serveWebSocket(l, ways)
	}
	for {
		raw, err := ways.Accept()
		if err != nil {
			return b.unlessStopping(err)
		}
		b.work.Go(func() { b.serveTCP(l, raw.(*socket)) })
	}
}

func (b *Broker) unlessStopping(err error) error {
	if b.isStopping() {
		return nil
	}
	return err
}

// serveTCP completes a TLS handshake, if it is TLS, and serves MQTT.
func (b *Broker) serveTCP(l *Listener, s *socket) {
	if _, ok := s.Conn.(*tls.Conn); !ok {
		b.serve(l, s, s, nil)
		return
	}
	state, err := b.shakeHands(s)
	if err != nil {
		_ = s.Close()
		return
	}
	b.serve(l, s, s, state)
}

// shakeHands completes the TLS handshake of a socket, and tells the hub of a
// client certificate that does not count.
func (b *Broker) shakeHands(s *socket) (*tls.ConnectionState, error) {
	t := s.Conn.(*tls.Conn)
	ctx, cancel := context.WithTimeout(context.Background(), b.limits.HandshakeTimeout)
	defer cancel()
	err := b.untilStop(s, func() error { return t.HandshakeContext(ctx) })
	if err == nil {
		state := t.ConnectionState()
		return &state, nil
	}
	why := RefusedHandshake
	if errors.Is(err, fleet.ErrUnauthenticated) {
		why = RefusedCertificate
		b.object(Objection{
			At: b.now(), Kind: ObjectionRefused, Remote: s.remote, Listener: s.listener, Reason: string(why), Detail: err.Error(),
		})
	}
	b.counters.refused.add(why)
	b.log.Debug("mqtt tls handshake failed", "listener", s.listener, "remote", s.remote, "error", err)
	return nil, err
}

// untilStop runs f, and closes the socket under it when the broker stops.
func (b *Broker) untilStop(s *socket, f func() error) error {
	b.mu.Lock()
	if b.stopping {
		b.mu.Unlock()
		return net.ErrClosed
	}
	b.shaking[s] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.shaking, s)
		b.mu.Unlock()
	}()
	return f()
}

// doorkeeper accepts connections as long as the limits allow, and goes on after
// errors: a moment without file descriptors must not close the door for ever.
type doorkeeper struct {
	net.Listener
	b *Broker
	l *Listener
}

// The pauses after errors of Accept.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// Accept returns the next admitted connection, a *socket. Its error is final.
func (d *doorkeeper) Accept() (net.Conn, error) {
	pause := firstPause
	for {
		raw, err := d.Listener.Accept()
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed), d.b.isStopping():
			return nil, err
		default:
			d.b.log.Warn("mqtt accept failed", "listener", d.l.Name, "error", err, "pause", pause)
			if !d.b.pause(pause) {
				return nil, err
			}
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		s, refused := d.b.admit(raw, d.l.Name)
		if refused != "" {
			d.b.counters.refused.add(refused)
			d.b.object(Objection{
				At: d.b.now(), Kind: ObjectionRefused, Remote: addrPort(raw.RemoteAddr()), Listener: d.l.Name, Reason: string(refused),
			})
			d.b.log.Debug("mqtt connection refused", "reason", string(refused), "listener", d.l.Name, "remote", raw.RemoteAddr())
			_ = raw.Close()
			continue
		}
		return s, nil
	}
}

// pause waits; false when the broker stops meanwhile.
func (b *Broker) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.stopped:
		return false
	}
}

// socket is an admitted connection. Closing it gives its place to another.
type socket struct {
	net.Conn
	b        *Broker
	listener string
	remote   netip.AddrPort // zero for an in-memory connection
	number   uint64         // of the connection, in the order of their acceptance
	first    func() error   // to be done before the first read; may be nil
	once     sync.Once
	out      bool // counted out; Broker.mu guards it
}

// Read reads; the reading goroutine is one.
func (s *socket) Read(p []byte) (int, error) {
	if s.first != nil {
		if err := s.first(); err != nil {
			return 0, err
		}
		s.first = nil
	}
	return s.Conn.Read(p)
}

// admit counts a connection in, or says which limit refuses it.
func (b *Broker) admit(raw net.Conn, listener string) (*socket, Refusal) {
	s := &socket{Conn: raw, b: b, listener: listener, remote: addrPort(raw.RemoteAddr())}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopping {
		return nil, RefusedUnavailable
	}
	if b.bans.isBanned(s.remote.Addr()) {
		return nil, RefusedBanned
	}
	if b.sockets >= b.limits.MaxConnections || len(b.unknown) >= b.limits.MaxUnknown {
		// Who has said nothing for longest makes room.
		if !b.evict() && b.sockets >= b.limits.MaxConnections {
			return nil, RefusedConnections
		}
	}
	if s.limited() && b.byAddr[s.remote.Addr()] >= b.limits.MaxPerAddress {
		return nil, RefusedAddress
	}
	if s.limited() {
		b.byAddr[s.remote.Addr()]++
	}
	b.sockets++
	b.unknown[s] = struct{}{}
	b.counters.sockets.Add(1)
	b.lastSocket++
	s.number = b.lastSocket
	b.work.Add(1)
	return s, ""
}

// evict closes the connection that has not shown for longest who it is, if
// there is one. b.mu is held.
func (b *Broker) evict() bool {
	var oldest *socket
	for s := range b.unknown {
		if oldest == nil || s.number < oldest.number {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	delete(b.unknown, oldest)
	b.countOut(oldest)
	b.counters.refused.add(RefusedSilent)
	b.object(Objection{
		At: b.now(), Kind: ObjectionRefused, Remote: oldest.remote, Listener: oldest.listener, Reason: string(RefusedSilent),
		Detail: "made room for another connection",
	})
	b.work.Go(func() { _ = oldest.Close() })
	return true
}

// heardFrom: the client behind a socket has said who it is.
func (b *Broker) heardFrom(s *socket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.unknown, s)
}

// limited reports whether the socket counts against its address.
func (s *socket) limited() bool { return s.remote.IsValid() && !s.remote.Addr().IsLoopback() }

// Close closes the connection and counts it out, once.
func (s *socket) Close() error {
	err := s.Conn.Close()
	s.once.Do(func() {
		s.b.mu.Lock()
		s.b.countOut(s)
		s.b.mu.Unlock()
		s.b.work.Done()
	})
	return err
}

// countOut gives a socket's place to another, once. b.mu is held.
func (b *Broker) countOut(s *socket) {
	if s.out {
		return
	}
	s.out = true
	b.sockets--
	delete(b.unknown, s)
	if s.limited() {
		if addr := s.remote.Addr(); b.byAddr[addr] > 1 {
			b.byAddr[addr]--
		} else {
			delete(b.byAddr, addr)
		}
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case nil:
	case *net.TCPAddr:
		p = a.AddrPort()
	default:
		p, _ = netip.ParseAddrPort(a.String()) // zero for what has no address
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
