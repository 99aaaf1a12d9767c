package fleettest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipe is a connection in memory whose writes do not wait for the reader, as
// those of a socket do not. (Over net.Pipe a TLS 1.3 server that writes its
// tickets and a client that writes its first request wait for each other.)
type pipe struct {
	in, out *stream
	addr    address
}

func newPipe(addr address) (a, b net.Conn) {
	x, y := &stream{}, &stream{}
	return &pipe{x, y, addr}, &pipe{y, x, addr}
}

// stream is one direction.
type stream struct {
	mu       sync.Mutex // guards all below
	buf      []byte
	ended    bool // by either end
	deadline time.Time
	wake     chan struct{}
}

// changed wakes the reader. The caller holds the lock.
func (s *stream) changed() {
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

func (s *stream) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.changed()
}

// Read implements net.Conn.
func (p *pipe) Read(b []byte) (int, error) {
	s := p.in
	for {
		s.mu.Lock()
		left := time.Duration(1 << 62)
		if !s.deadline.IsZero() {
			left = time.Until(s.deadline)
		}
		switch {
		case left <= 0:
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(b, s.buf)
			s.buf = s.buf[n:]
			s.mu.Unlock()
			return n, nil
		case s.ended:
			s.mu.Unlock()
			return 0, io.EOF
		}
		if s.wake == nil {
			s.wake = make(chan struct{})
		}
		wake := s.wake
		s.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Write implements net.Conn.
func (p *pipe) Write(b []byte) (int, error) {
	err := net.ErrClosed
	p.out.set(func() {
		if !p.out.ended {
			p.out.buf, err = append(p.out.buf, b...), nil
		}
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close implements net.Conn.
func (p *pipe) Close() error {
	p.in.set(func() { p.in.ended = true })
	p.out.set(func() { p.out.ended = true })
	return nil
}

// SetReadDeadline implements net.Conn.
func (p *pipe) SetReadDeadline(t time.Time) error {
	p.in.set(func() { p.in.deadline = t })
	return nil
}

// SetDeadline implements net.Conn; writes never wait.
func (p *pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn; writes never wait.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr implements net.Conn.
func (p *pipe) LocalAddr() net.Addr { return p.addr }

// RemoteAddr implements net.Conn.
func (p *pipe) RemoteAddr() net.Addr { return p.addr }
