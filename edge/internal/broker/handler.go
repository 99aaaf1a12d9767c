package broker

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"time"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Credentials are what a client has shown. Password is valid during the call
// only, and must never be logged.
type Credentials struct {
	ClientID string // as the client wrote it; empty when it left the choice to the hub
	Username string
	Password []byte // nil when the client sent none
	Remote   netip.AddrPort
	Listener string // the listener's name
	TLS      bool
	// Certificate is what the client has shown in the TLS handshake; nil for none.
	// The listener's TLS settings have checked it.
	Certificate *x509.Certificate
}

// ErrKnown is what Handler.Publish says of a message that has come before.
var ErrKnown = errors.New("message has come before")

// Authenticator settles who a client is.
type Authenticator interface {
	// Authenticate returns the identity behind the credentials. Its errors
	// decide the answer: fleet.ErrUnauthenticated and fleet.ErrNotFound (bad
	// user name or password), fleet.ErrForbidden (not authorised),
	// fleet.ErrLimit (over a limit; come back later); anything else means that
	// the hub cannot tell now and is logged. It may block; ctx ends with the
	// time that a connection has for it.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

// Identity is who a client is and what it may do, fixed for one connection.
type Identity struct {
	// Device is the registered device; zero for a service client.
	Device fleet.Device
	// ClientID names the session. It must equal Device.ID when there is one. A
	// client that wrote another client id is refused; one that wrote none gets
	// this one.
	ClientID string
	Username string
	// Token is the id of the provisioning token that a client has come with which
	// is no device yet.
	Token string
	// Signed: what the client publishes is signed; the Handler looks at that.
	Signed bool
	// Certificate is the serial number of the certificate that shows who it is;
	// empty for one that came with a password.
	Certificate string
	Rules       *access.Rules
	MaxQoS      byte
	// MaxConnections is how many service clients of one Username may be
	// connected at once; 0 means 1. A device has one client id and so one
	// connection.
	MaxConnections int
	Retain         access.Retain
	// NoWill: the client's will is left alone: neither kept, nor a reason to
	// refuse it.
	NoWill bool
	// Rate bounds what the client publishes; zero fields take the broker's
	// defaults.
	Rate access.Rate
	// Legacy translates the topics of old firmware; the zero value translates
	// nothing. Rights, the hub and other clients see the standard topics only.
	Legacy topic.Legacy
}

// Session is one connection of one client. It does not change.
type Session struct {
	Identity Identity
	// Generation grows by one with every connection to the broker, so of two
	// sessions of a client the greater one is the newer.
	Generation uint64
	Remote     netip.AddrPort
	Listener   string
	// Version is MQTT's protocol level: 3 (3.1), 4 (3.1.1) or 5.
	Version byte
	// Clean is Clean Session, and Clean Start of MQTT 5.
	Clean bool
	// Resumed: the library had a session of this client and goes on with it.
	Resumed bool
	// Keepalive is what the gate enforces, with half of it added.
	Keepalive time.Duration
	// Will is the will that the client has left with the hub; nil for none.
	Will        *Will
	ConnectedAt time.Time
}

// Will is what is published for a client whose connection is lost.
type Will struct {
	Name    string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Message is one application message, in either direction.
type Message struct {
	// Topic is the parsed Name; zero when the name is outside the grammar, which
	// only the rules of service clients can allow.
	Topic topic.Topic
	Name  string
	// Payload is valid during the call that it is an argument of, and nobody
	// changes it.
	Payload []byte
	QoS     byte
	Retain  bool
	// Dup: the client says that it sends this again.
	Dup bool
	// Will: the client did not send this now; its connection was lost.
	Will     bool
	Received time.Time
	// Ref, in Send: asks for Handler.Delivered with it when the device that the
	// topic names has acknowledged. A message with a Ref is for that device's
	// present connection: it is not kept for a later one.
	Ref string
	// Through, in Send with Ref: the client whose connection carries the message,
	// and who acknowledges it: a repeater, for a device behind it. The device's own
	// if empty.
	Through string
	// Expires, in Send: the broker does not begin to send the message to anyone
	// after this time. Zero: never expires.
	Expires time.Time
}

// Cause says why a connection ended.
type Cause string

// The causes.
const (
	// CauseGoodbye: the client sent DISCONNECT.
	CauseGoodbye Cause = "goodbye"
	// CauseLost: the connection broke, went silent or did not take its data. A
	// will is published.
	CauseLost Cause = "lost"
	// CauseProtocol: the client broke the protocol or a limit. A will is
	// published.
	CauseProtocol Cause = "protocol"
	// CauseRefused: a publish was refused and the client's version of MQTT has
	// no other answer. A will is published.
	CauseRefused Cause = "refused"
	// CauseTakenOver: the same client id connected again. A will is published,
	// unless it is delayed.
	CauseTakenOver Cause = "taken_over"
	// CauseKicked: the hub ended the connection. No will.
	CauseKicked Cause = "kicked"
	// CauseShutdown: the hub stops. No will.
	CauseShutdown Cause = "shutdown"
	// CausePanic: a defect of the program in the connection's own goroutine.
	CausePanic Cause = "panic"
)

// Handler is the hub behind the broker. Its methods are called from the
// connection's goroutine, for one connection in this order: Connected, then
// any of the others, then Disconnected once. A will that was delayed, and
// subscriptions that Reauthorize took away, may come after that, from others.
type Handler interface {
	// Connected is called when the client has its CONNACK. Send reaches it from
	// now on.
	Connected(Session)
	// Disconnected is called when nothing more will come from this connection.
	// Its will has been published, unless the client asked for a delay.
	Disconnected(Session, Cause)
	// Subscribed and Unsubscribed name the filters that were granted or taken
	// back, with their $share prefix.
	Subscribed(Session, []string)
	Unsubscribed(Session, []string)
	// Publish is given every message that rules and limits allow, before it is
	// acknowledged and before anybody else sees it. nil: as durable as it has
	// to be. An error refuses it: it is delivered to nobody; at QoS 1 and 2 an
	// MQTT 5 client gets a reason code (fleet.ErrInvalid: payload format
	// invalid; ErrForbidden: not authorised; ErrLimit: quota exceeded; others:
	// implementation specific error) and an older client loses its connection,
	// so return nil for what should not be sent again. ErrKnown: it has come
	// before; it is acknowledged, and delivered to nobody. ctx ends with the
	// connection, except for a will. s and m are valid during the call, and
	// nobody changes them.
	Publish(ctx context.Context, s *Session, m *Message) error
	// Delivered is called when the device clientID has acknowledged (PUBACK, or
	// PUBREC at QoS 2) a message that was sent with Ref. It is called while the
	// device waits: hand it on.
	Delivered(clientID, ref string)
}
