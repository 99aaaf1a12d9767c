package hublink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// meter counts the bytes at the sockets of the link, by hub: what a metered
// link is paid for, TLS and all tries included. What is counted is stored now
// and then; a kill loses what was not.
type meter struct {
	mu    sync.Mutex // guards all below
	conns map[*meteredConn]bool
	// ended is what connections that are closed have carried and is not stored.
	ended map[fleet.HubID]carried
}

type carried struct{ in, out, calls uint64 }

// meteredConn is a connection with its counts. hub is set by its first call that
// shows a certificate; what comes from nobody is nobody's.
type meteredConn struct {
	net.Conn
	m       *meter
	hub     atomic.Value // fleet.HubID
	in, out atomic.Uint64
	// told is what of it was stored; m.mu guards it.
	told carried
	end  sync.Once
}

type meterKey struct{}

// Metered is a listener of the link whose connections are counted.
func (l *Link) Metered(of net.Listener) net.Listener { return meteredListener{of, &l.meter} }

type meteredListener struct {
	net.Listener
	m *meter
}

// Accept implements net.Listener.
func (l meteredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &meteredConn{Conn: c, m: l.m}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.m.conns == nil {
		l.m.conns = map[*meteredConn]bool{}
	}
	l.m.conns[v] = true
	return v, nil
}

// Read implements net.Conn.
func (c *meteredConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(uint64(n))
	return n, err
}

// Write implements net.Conn.
func (c *meteredConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.Add(uint64(n))
	return n, err
}

// Close implements net.Conn.
func (c *meteredConn) Close() error {
	err := c.Conn.Close()
	c.end.Do(func() {
		c.m.mu.Lock()
		defer c.m.mu.Unlock()
		delete(c.m.conns, c)
		c.m.take(c)
	})
	return err
}

// take adds what of a connection was not told to what is to be stored. The
// caller holds the lock.
func (m *meter) take(c *meteredConn) {
	hub, ok := c.hub.Load().(fleet.HubID)
	if !ok {
		return
	}
	now := carried{c.in.Load(), c.out.Load(), 1}
	if m.ended == nil {
		m.ended = map[fleet.HubID]carried{}
	}
	v := m.ended[hub]
	m.ended[hub] = carried{v.in + now.in - c.told.in, v.out + now.out - c.told.out, v.calls + now.calls - c.told.calls}
	c.told = now
}

// collect is what was carried since the last call.
func (m *meter) collect() map[fleet.HubID]carried {
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		m.take(c)
	}
	out := m.ended
	m.ended = nil
	return out
}

// back gives back what could not be stored.
func (m *meter) back(hub fleet.HubID, v carried) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended == nil {
		m.ended = map[fleet.HubID]carried{}
	}
	w := m.ended[hub]
	m.ended[hub] = carried{w.in + v.in, w.out + v.out, w.calls + v.calls}
}

// connContext puts the connection's counts into the context of its calls.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if v, ok := c.(*meteredConn); ok {
		return context.WithValue(ctx, meterKey{}, v)
	}
	return ctx
}

// belongs notes whose the connection of ctx is.
func belongs(ctx context.Context, hub fleet.HubID) {
	if c, ok := ctx.Value(meterKey{}).(*meteredConn); ok {
		c.hub.Store(hub)
	}
}

// RunMeter stores what was counted, until ctx ends.
func (l *Link) RunMeter(ctx context.Context) error {
	tick := time.NewTicker(l.c.UsageEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.StoreUsage(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
				return err
			}
			l.c.Logger.Warn("usage not stored", "error", err)
		}
	}
}

// StoreUsage stores what was counted since it was called last.
func (l *Link) StoreUsage(ctx context.Context) error {
	now := l.now()
	var failed error
	for hub, v := range l.meter.collect() {
		if v == (carried{}) {
			continue
		}
		err := l.storeUsage(ctx, hub, store.Usage{Day: now, In: v.in, Out: v.out, Calls: v.calls})
		if err != nil && !errors.Is(err, fleet.ErrNotFound) {
			l.meter.back(hub, v)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (l *Link) storeUsage(ctx context.Context, hub fleet.HubID, u store.Usage) error {
	h, err := l.c.Store.Hub(ctx, hub)
	if err == nil {
		err = l.c.Store.UpdateSite(ctx, h.Site, func(tx store.SiteTx) error { return tx.AddUsage(u) })
	}
	if err != nil {
		return fmt.Errorf("store usage of hub %s: %w", hub, err)
	}
	l.c.Used(h.Site)
	return nil
}
