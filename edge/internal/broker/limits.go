package broker

import "time"

// Limits bound what clients may cost. A zero field takes its default.
type Limits struct {
	// MaxConnections over all listeners, those that have not shown who they are
	// included. 1,200.
	MaxConnections int
	// MaxPerAddress connections of one remote address; loopback has no such
	// limit, as who is there is on the hub already. 256.
	MaxPerAddress int
	// MaxUnknown connections that have not said who they are; with more, the
	// one that has waited for longest is closed. 256.
	MaxUnknown int
	// AuthFailures of one address may come at once, and one more in each
	// AuthFailureEvery; the next ones ban it for BanTime. 30, 5 s and 5 min.
	AuthFailures              int
	AuthFailureEvery, BanTime time.Duration

	// HandshakeTimeout for TLS, and for the upgrade to WebSocket. 10 s.
	HandshakeTimeout time.Duration
	// ConnectTimeout for the whole CONNECT packet. 5 s.
	ConnectTimeout time.Duration
	// AuthTimeout for the Authenticator. 30 s.
	AuthTimeout time.Duration
	// TakeoverTimeout for the old connection of a client id to end. 10 s.
	TakeoverTimeout time.Duration
	// WriteTimeout after which a client that takes no byte is disconnected. 30 s.
	WriteTimeout time.Duration
	// CloseTimeout for what is still to be written to a connection that ends. 2 s.
	CloseTimeout time.Duration
	// DefaultKeepalive stands for a keepalive of 0. 300 s.
	DefaultKeepalive time.Duration
	// SessionExpiry is the longest life of a session without connection. 7 days.
	SessionExpiry time.Duration
	// Backpressure is how long a publisher waits, after a message, for a
	// subscriber that has fallen behind. 200 ms.
	Backpressure time.Duration
	// StallTime without an acknowledgement, after which a subscriber that has
	// fallen behind is not waited for any more. 1 s.
	StallTime time.Duration

	// MaxConnectBytes of the CONNECT packet. 8 KiB.
	MaxConnectBytes int
	// MaxPacketBytes of any other packet. 256 KiB.
	MaxPacketBytes int
	// MaxPayloadBytes of a message or a will. 64 KiB.
	MaxPayloadBytes int
	// MaxOutboundBytes that wait for one client's socket; beyond it QoS 0 is
	// dropped. 1 MiB.
	MaxOutboundBytes int

	// MaxInflight outbound messages of QoS 1 and 2 that one client has not
	// acknowledged; the client's Receive Maximum may lower it. 64.
	MaxInflight int
	// MaxQueued messages of QoS 1 and 2 of one session, in flight or waiting. 1,000.
	MaxQueued int
	// MaxQueuedBytes of the messages of one session, and MaxQueuedTotal of those
	// of all sessions. 1 MiB and 64 MiB.
	MaxQueuedBytes, MaxQueuedTotal int
	// MaxOutboundTotal that waits for all sockets; beyond it each client gets one
	// message after the other. 64 MiB.
	MaxOutboundTotal int
	// MaxSessions, with and without connection; beyond it the one that has been
	// absent for longest ends. One identity has at most one more than it may have
	// connections. 2,400.
	MaxSessions int
	// MaxRetained messages of one identity and MaxRetainedBytes of theirs, with
	// their names; MaxRetainedTotal and MaxRetainedTotalBytes of all. 100,
	// 256 KiB, 10,000 and 16 MiB.
	MaxRetained, MaxRetainedBytes, MaxRetainedTotal, MaxRetainedTotalBytes int
	// MessageRate that one client may publish, in messages a second, and
	// ByteRate in bytes of packets a second, unless its identity says otherwise.
	// 5,000 and 8 MiB.
	MessageRate, ByteRate float64
	// HandRate is how many messages a second all people together may publish by
	// hand. 10.
	HandRate float64
	// MaxInboundQoS2 messages of one session that wait for their PUBREL. 256.
	MaxInboundQoS2 int
	// MaxSubscriptions of one session. 50.
	MaxSubscriptions int
	// MaxFilters of one SUBSCRIBE or UNSUBSCRIBE. 10.
	MaxFilters int
}

// withDefaults returns l with every zero field replaced by its default.
func (l Limits) withDefaults() Limits {
	def(&l.MaxConnections, 1200)
	def(&l.MaxPerAddress, 256)
	def(&l.MaxUnknown, 256)
	def(&l.AuthFailures, 30)
	def(&l.AuthFailureEvery, 5*time.Second)
	def(&l.BanTime, 5*time.Minute)
	def(&l.HandshakeTimeout, 10*time.Second)
	def(&l.ConnectTimeout, 5*time.Second)
	def(&l.AuthTimeout, 30*time.Second)
	def(&l.TakeoverTimeout, 10*time.Second)
	def(&l.WriteTimeout, 30*time.Second)
	def(&l.CloseTimeout, 2*time.Second)
	def(&l.DefaultKeepalive, 300*time.Second)
	def(&l.SessionExpiry, 7*24*time.Hour)
	def(&l.Backpressure, 200*time.Millisecond)
	def(&l.StallTime, time.Second)
	def(&l.MaxConnectBytes, 8<<10)
	def(&l.MaxPacketBytes, 256<<10)
	def(&l.MaxPayloadBytes, 64<<10)
	def(&l.MaxOutboundBytes, 1<<20)
	def(&l.MaxInflight, 64)
	def(&l.MaxQueued, 1000)
	def(&l.MaxQueuedBytes, 1<<20)
	def(&l.MaxQueuedTotal, 64<<20)
	def(&l.MaxOutboundTotal, 64<<20)
	def(&l.MaxSessions, 2*l.MaxConnections)
	def(&l.MaxRetained, 100)
	def(&l.MaxRetainedBytes, 256<<10)
	def(&l.MaxRetainedTotal, 10_000)
	def(&l.MaxRetainedTotalBytes, 16<<20)
	def(&l.MessageRate, 5000)
	def(&l.ByteRate, 8<<20)
	def(&l.HandRate, 10)
	def(&l.MaxInboundQoS2, 256)
	def(&l.MaxSubscriptions, 50)
	def(&l.MaxFilters, 10)
	return l
}

func def[T int | float64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
