package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	// Listener takes connections; Run closes it.
	Listener net.Listener
	// Dial connects to the target.
	Dial func(context.Context) (net.Conn, error)
	// Profile at the start; the one called lan if empty.
	Profile Profile
	// Seed of the losses and the jitter.
	Seed uint64
	// Certificate is shown to TLS clients by the modes that answer themselves; one
	// that nobody trusts if nil.
	Certificate *tls.Certificate
	// MaxConnections at a time; further ones are refused. 20000.
	MaxConnections int
	// Window is how many bytes of a connection may be under way in one direction;
	// 1 MiB.
	Window int
	// Ended is how many connections that have ended are remembered; 100.
	Ended  int
	Logger *slog.Logger
}

// Link is a link that can be changed while it runs.
type Link struct {
	c        Config
	up, down *modem
	portal   *portal

	upMeter, downMeter                  meter
	connections, refused, answered, bad atomic.Int64

	mu      sync.Mutex // guards what follows
	profile Profile
	changed chan struct{} // closed by Set
	live    map[*conn]bool
	ended   []Connection // the newest last
}

// New checks the profile; nothing is carried before Run.
func New(c Config) (*Link, error) {
	if c.Listener == nil || c.Dial == nil {
		return nil, errors.New("link: no listener, or no target")
	}
	if c.Profile.Mode == "" {
		c.Profile = profiles()["lan"]
	}
	if err := c.Profile.check(); err != nil {
		return nil, err
	}
	c.MaxConnections = cmp.Or(c.MaxConnections, 20000)
	c.Window = cmp.Or(c.Window, 1<<20)
	c.Ended = cmp.Or(c.Ended, 100)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Link{
		c: c, profile: c.Profile, changed: make(chan struct{}), live: map[*conn]bool{}, portal: &portal{shown: c.Certificate},
		up: newModem(), down: newModem(),
	}, nil
}

// Set makes the link another one, for the connections that are open, too: a
// mode that carries nothing for good ends them.
func (l *Link) Set(p Profile) error {
	if err := p.check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c.Logger.Info("the link is another one", "profile", p.Name, "mode", p.Mode)
	l.profile = p
	close(l.changed)
	l.changed = make(chan struct{})
	l.up.reset()
	l.down.reset()
	if p.Mode != Open && p.Mode != HalfOpen {
		for k := range l.live {
			k.abort()
		}
	}
	return nil
}

// Profile is how the link is now.
func (l *Link) Profile() Profile {
	p, _ := l.now()
	return p
}

// now is the profile, and what is closed when it is another one.
func (l *Link) now() (Profile, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.profile, l.changed
}

// Counters are what has passed.
func (l *Link) Counters() Counters {
	c := Counters{
		Up: l.upMeter.read(), Down: l.downMeter.read(), Connections: l.connections.Load(),
		Refused: l.refused.Load(), Answered: l.answered.Load(), Failed: l.bad.Load(),
	}
	l.mu.Lock()
	c.Open = int64(len(l.live))
	l.mu.Unlock()
	c.HeaderBytes = headers(c.Up.Segments+c.Up.Lost+c.Down.Segments+c.Down.Lost, c.Connections)
	return c
}

// Connections are those that are open, and the last of those that have ended, in
// the order of their numbers.
func (l *Link) Connections() []Connection {
	l.mu.Lock()
	all := append([]Connection{}, l.ended...)
	for k := range l.live {
		all = append(all, k.read())
	}
	l.mu.Unlock()
	slices.SortFunc(all, func(a, b Connection) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// Run carries until ctx ends; then all connections end with a reset. nil after
// such an end.
func (l *Link) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.c.Listener.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for {
		c, err := l.c.Listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				reset(c)
			}
			return nil
		}
		var passing net.Error
		if errors.As(err, &passing) && !errors.Is(err, net.ErrClosed) { // no descriptors: those that are open go on
			l.c.Logger.Warn("connection not taken", "error", err)
			if !pause(ctx.Done(), time.Now().Add(100*time.Millisecond)) {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("link: take connections: %w", err)
		}
		wg.Go(func() { l.serve(ctx, c) })
	}
}

// serve serves one connection until its end.
func (l *Link) serve(ctx context.Context, from net.Conn) {
	k := l.enter(from)
	if k == nil {
		reset(from)
		return
	}
	defer l.leave(k)
	stop := context.AfterFunc(ctx, k.abort)
	defer stop()
	for {
		p, changed := l.now()
		switch p.Mode {
		case Cut:
			l.refused.Add(1)
			k.abort()
			return
		case HalfOpen:
			select {
			case <-changed:
				continue
			case <-k.done:
				return
			}
		case Open:
			// The kernel has opened the connection already; in life it takes a round
			// trip until the first byte may be sent.
			if !pause(k.done, time.Now().Add(p.RTT())) {
				return
			}
			l.carry(ctx, k)
			return
		default:
			l.answered.Add(1)
			l.portal.answer(ctx, k, p.Mode, l)
			return
		}
	}
}

// enter counts a connection; nil when there are too many.
func (l *Link) enter(from net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.connections.Add(1)
	if len(l.live) >= l.c.MaxConnections {
		l.refused.Add(1)
		return nil
	}
	k := &conn{number: n, since: time.Now(), from: from, name: from.RemoteAddr().String(), done: make(chan struct{})}
	l.live[k] = true
	return k
}

func (l *Link) leave(k *conn) {
	k.end(func(c net.Conn) { _ = c.Close() })
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.live, k)
	c := k.read()
	c.EndedAt = time.Now()
	if len(l.ended) >= l.c.Ended {
		l.ended = l.ended[1:]
	}
	l.ended = append(l.ended, c)
}

// conn is one connection.
type conn struct {
	number   int64
	since    time.Time
	name     string
	from     net.Conn
	up, down meter

	mu    sync.Mutex // guards to and ended
	to    net.Conn
	ended bool
	done  chan struct{} // closed when it is over
}

func (k *conn) read() Connection {
	return Connection{Number: k.number, From: k.name, Since: k.since, Up: k.up.read(), Down: k.down.read()}
}

// abort ends both sides at once, with a reset.
func (k *conn) abort() { k.end(reset) }

// end ends both sides, once.
func (k *conn) end(how func(net.Conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return
	}
	k.ended = true
	close(k.done)
	how(k.from)
	if k.to != nil {
		how(k.to)
	}
}

// reached keeps the connection to the target; false if it is over already.
func (k *conn) reached(to net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		reset(to)
		return false
	}
	k.to = to
	return true
}

// reset closes a connection so that the other end sees it as broken; what was
// not sent yet is lost.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// pause waits until a time; false if done closes before.
func pause(done <-chan struct{}, until time.Time) bool {
	left := time.Until(until)
	if left <= 0 {
		select {
		case <-done:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-done:
		return false
	case <-timer.C:
		return true
	}
}
