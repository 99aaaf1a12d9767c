package fleettest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Listener is a net.Listener in memory, for whole programs inside a
// testing/synctest bubble.
type Listener struct {
	name    string
	conns   chan net.Conn
	closing sync.Once
	closed  chan struct{}

	mu   sync.Mutex // guards cut and live
	cut  bool
	live map[net.Conn]bool
}

// NewListener returns a listener whose address is name.
func NewListener(name string) *Listener {
	return &Listener{name: name, conns: make(chan net.Conn), closed: make(chan struct{}), live: map[net.Conn]bool{}}
}

// ErrCut is the error of a dial while the link is cut.
var ErrCut = errors.New("no route to host: the link is cut")

// Dial connects to the listener.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut {
		return nil, ErrCut
	}
	client, server := newPipe(address(l.name))
	select {
	case l.conns <- server:
		l.mu.Lock()
		l.live[client] = true
		l.mu.Unlock()
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Cut ends all connections and refuses new ones; with false the link is back.
func (l *Listener) Cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.live {
			_ = c.Close()
		}
		clear(l.live)
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return address(l.name) }

type address string

func (a address) Network() string { return "memory" }
func (a address) String() string  { return string(a) }
