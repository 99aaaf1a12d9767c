package config

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/shared/fleet"
)

// MQTT is what clients of the broker may cost.
type MQTT struct {
	MaxConnections int `name:"max-connections" default:"1200" help:"MQTT connections."`
	MaxPerAddress  int `name:"max-connections-per-address" default:"256" help:"MQTT connections of one address; loopback has no such limit."`
	MaxUnknown     int `name:"max-connections-unknown" default:"256" help:"Connections that have not shown who they are; with more, the one that has waited for longest is closed."`
	MaxSessions    int `name:"max-sessions" default:"2400" help:"MQTT sessions, with and without connection."`

	AuthFailures     int           `name:"auth-failures" default:"30" help:"Failed sign-ins of one address that may come at once; more ban it."`
	AuthFailureEvery time.Duration `name:"auth-failure-every" default:"5s" help:"In each such time one more failed sign-in is allowed."`
	BanTime          time.Duration `name:"ban-time" default:"5m" help:"How long an address is not let in after too many failed sign-ins."`

	ConnectTimeout   time.Duration `name:"connect-timeout" default:"5s" help:"For a client to say who it is."`
	HandshakeTimeout time.Duration `name:"handshake-timeout" default:"10s" help:"For TLS, and for the upgrade to WebSocket."`
	WriteTimeout     time.Duration `name:"write-timeout" default:"30s" help:"After which a client that reads nothing is disconnected."`
	DefaultKeepalive time.Duration `name:"default-keepalive" default:"5m" help:"Stands for a keepalive of 0."`
	SessionExpiry    time.Duration `name:"session-expiry" default:"168h" help:"The longest life of an MQTT session without connection."`
	Backpressure     time.Duration `name:"backpressure" default:"200ms" help:"How long a publisher waits, after a message, for a subscriber that has fallen behind."`

	MessageRate      float64 `name:"message-rate" default:"5000" help:"Messages that one client may publish in a second, unless its profile says otherwise."`
	ByteRate         float64 `name:"byte-rate" default:"8388608" help:"Bytes of packets that one client may publish in a second, unless its profile says otherwise."`
	HandRate         float64 `name:"hand-rate" default:"10" help:"Messages that all people together may publish by hand in a second."`
	MaxPacketBytes   int     `name:"max-packet-bytes" default:"262144" help:"One MQTT packet."`
	MaxPayloadBytes  int     `name:"max-payload-bytes" default:"65536" help:"The payload of one message, also after decompression."`
	MaxSubscriptions int     `name:"max-subscriptions" default:"50" help:"Subscriptions of one session."`
	MaxFilters       int     `name:"max-filters" default:"10" help:"Filters of one SUBSCRIBE or UNSUBSCRIBE."`
	MaxInboundQoS2   int     `name:"max-inbound-qos2" default:"256" help:"Messages of QoS 2 of one session that wait for their PUBREL."`

	MaxInflight      int `name:"max-inflight" default:"64" help:"Messages that one client has not acknowledged."`
	MaxQueued        int `name:"max-queued" default:"1000" help:"Messages of QoS 1 and 2 in one session, in flight or waiting."`
	MaxQueuedBytes   int `name:"max-queued-bytes" default:"1048576" help:"What those messages may take."`
	MaxQueuedTotal   int `name:"max-queued-total" default:"67108864" help:"What the messages of all sessions may take."`
	MaxOutboundBytes int `name:"max-outbound-bytes" default:"1048576" help:"What may wait for one client's socket before QoS 0 is dropped."`
	MaxOutboundTotal int `name:"max-outbound-total" default:"67108864" help:"What may wait for all sockets before QoS 0 is dropped."`

	MaxRetained           int `name:"max-retained" default:"100" help:"Retained messages of one client."`
	MaxRetainedBytes      int `name:"max-retained-bytes" default:"262144" help:"What those may take."`
	MaxRetainedTotal      int `name:"max-retained-total" default:"10000" help:"Retained messages of all clients."`
	MaxRetainedTotalBytes int `name:"max-retained-total-bytes" default:"16777216" help:"What those may take."`
}

// limits are the settings as the broker takes them.
func (m MQTT) limits() broker.Limits {
	return broker.Limits{
		MaxConnections: m.MaxConnections, MaxPerAddress: m.MaxPerAddress, MaxUnknown: m.MaxUnknown, MaxSessions: m.MaxSessions,
		AuthFailures: m.AuthFailures, AuthFailureEvery: m.AuthFailureEvery, BanTime: m.BanTime,
		ConnectTimeout: m.ConnectTimeout, HandshakeTimeout: m.HandshakeTimeout, WriteTimeout: m.WriteTimeout,
		DefaultKeepalive: m.DefaultKeepalive, SessionExpiry: m.SessionExpiry, Backpressure: m.Backpressure,
		MessageRate: m.MessageRate, ByteRate: m.ByteRate, HandRate: m.HandRate, MaxPacketBytes: m.MaxPacketBytes, MaxPayloadBytes: m.MaxPayloadBytes,
		MaxSubscriptions: m.MaxSubscriptions, MaxFilters: m.MaxFilters, MaxInboundQoS2: m.MaxInboundQoS2,
		MaxInflight: m.MaxInflight, MaxQueued: m.MaxQueued, MaxQueuedBytes: m.MaxQueuedBytes, MaxQueuedTotal: m.MaxQueuedTotal,
		MaxOutboundBytes: m.MaxOutboundBytes, MaxOutboundTotal: m.MaxOutboundTotal,
		MaxRetained: m.MaxRetained, MaxRetainedBytes: m.MaxRetainedBytes,
		MaxRetainedTotal: m.MaxRetainedTotal, MaxRetainedTotalBytes: m.MaxRetainedTotalBytes,
	}
}

// check says what is wrong with the settings.
func (m MQTT) check() error {
	if err := positive(map[string]int{
		"max-connections": m.MaxConnections, "max-connections-per-address": m.MaxPerAddress, "max-connections-unknown": m.MaxUnknown,
		"max-sessions": m.MaxSessions, "auth-failures": m.AuthFailures, "max-packet-bytes": m.MaxPacketBytes,
		"max-payload-bytes": m.MaxPayloadBytes, "max-subscriptions": m.MaxSubscriptions, "max-filters": m.MaxFilters,
		"max-inbound-qos2": m.MaxInboundQoS2, "max-inflight": m.MaxInflight, "max-queued": m.MaxQueued,
		"max-queued-bytes": m.MaxQueuedBytes, "max-queued-total": m.MaxQueuedTotal, "max-outbound-bytes": m.MaxOutboundBytes,
		"max-outbound-total": m.MaxOutboundTotal, "max-retained": m.MaxRetained, "max-retained-bytes": m.MaxRetainedBytes,
		"max-retained-total": m.MaxRetainedTotal, "max-retained-total-bytes": m.MaxRetainedTotalBytes,
	}); err != nil {
		return err
	}
	if err := positive(map[string]float64{"message-rate": m.MessageRate, "byte-rate": m.ByteRate, "hand-rate": m.HandRate}); err != nil {
		return err
	}
	for name, v := range map[string]int{"max-inflight": m.MaxInflight, "max-queued": m.MaxQueued, "max-inbound-qos2": m.MaxInboundQoS2} {
		if v > 65535 {
			return fmt.Errorf("%w: --%s %d: want at most 65535, as many as there are packet ids", fleet.ErrInvalid, name, v)
		}
	}
	if m.MaxPayloadBytes > m.MaxPacketBytes {
		return fmt.Errorf("%w: --max-payload-bytes %d: want at most --max-packet-bytes %d", fleet.ErrInvalid, m.MaxPayloadBytes, m.MaxPacketBytes)
	}
	return positive(map[string]time.Duration{
		"auth-failure-every": m.AuthFailureEvery, "ban-time": m.BanTime, "connect-timeout": m.ConnectTimeout,
		"handshake-timeout": m.HandshakeTimeout, "write-timeout": m.WriteTimeout, "default-keepalive": m.DefaultKeepalive,
		"session-expiry": m.SessionExpiry, "backpressure": m.Backpressure,
	})
}
