package hub

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// meters count what happens; gauges read what is.
type meters struct {
	commit   prometheus.Histogram
	accept   prometheus.Histogram
	commands *prometheus.CounterVec
	// linkIn and linkOut are the bytes of the link to the console, TLS included.
	linkIn, linkOut atomic.Uint64
}

func newMeters() *meters {
	return &meters{
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "journal_commit_seconds", Help: "From a decision to its being on disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		accept: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_accept_seconds", Help: "From the opening of a request to its being accepted.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800},
		}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "commands_total", Help: "Commands that have ended.",
		}, []string{"result"}),
	}
}

func (m *meters) register(r *prometheus.Registry) {
	bytes := func(direction string, n *atomic.Uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "uplink_bytes_total", Help: "Bytes of the link to the console, with TLS, at the socket.",
			ConstLabels: prometheus.Labels{"direction": direction},
		}, func() float64 { return float64(n.Load()) })
	}
	r.MustRegister(m.commit, m.accept, m.commands, bytes("in", &m.linkIn), bytes("out", &m.linkOut))
}

// event counts what a record of the journal says.
func (m *meters) event(e journal.Event) {
	for _, c := range e.Changes {
		switch after := c.After.(type) {
		case fleet.Request:
			if before, _ := c.Before.(fleet.Request); after.State == fleet.RequestAccepted && before.State == fleet.RequestOpen && after.Purpose == fleet.PurposeCall {
				m.accept.Observe(after.AcceptedAt.Sub(after.OpenedAt).Seconds())
			}
		case fleet.Command:
			if before, _ := c.Before.(fleet.Command); after.State.Ended() && !before.State.Ended() {
				m.commands.WithLabelValues(string(after.State)).Inc()
			}
		}
	}
}

// dialer counts the bytes of the connections that dial opens; a net.Dialer
// when it is nil.
func (m *meters) dialer(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	if dial == nil {
		dial = (&net.Dialer{Timeout: 15 * time.Second, KeepAlive: -1}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{c, m}, nil
	}
}

type countedConn struct {
	net.Conn
	m *meters
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.m.linkIn.Add(uint64(max(n, 0)))
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.m.linkOut.Add(uint64(max(n, 0)))
	return n, err
}
