package device

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Transport carries MQTT.
type Transport string

// The transports.
const (
	TCP       Transport = "tcp"
	WebSocket Transport = "ws"
)

// Version is the MQTT version that a firmware speaks.
type Version string

// The MQTT versions.
const (
	MQTT311 Version = "3.1.1"
	MQTT5   Version = "5"
)

// Broker says where the hub takes MQTT, host:port each; for WebSocket also whole
// addresses.
type Broker struct{ MQTT, MQTTS, MQTTWS, MQTTWSS string }

// BrokerAt is what the addresses say that a device gets when it joins, such as
// mqtts://host:port; of two for the same way the first counts.
func BrokerAt(urls []string) (b Broker) {
	for _, u := range urls {
		scheme, rest, _ := strings.Cut(u, "://")
		at, text := map[string]*string{"mqtt": &b.MQTT, "mqtts": &b.MQTTS, "ws": &b.MQTTWS, "wss": &b.MQTTWSS}[scheme], u
		if scheme == "mqtt" || scheme == "mqtts" {
			text = rest
		}
		if at != nil && *at == "" {
			*at = text
		}
	}
	return b
}

// Or returns b with what other has for what b leaves out.
func (b Broker) Or(other Broker) Broker {
	return Broker{
		MQTT: cmp.Or(b.MQTT, other.MQTT), MQTTS: cmp.Or(b.MQTTS, other.MQTTS),
		MQTTWS: cmp.Or(b.MQTTWS, other.MQTTWS), MQTTWSS: cmp.Or(b.MQTTWSS, other.MQTTWSS),
	}
}

// at is the address for a transport, with a certificate or without.
func (b Broker) at(t Transport, secure bool) string {
	switch {
	case t == WebSocket && secure:
		return b.MQTTWSS
	case t == WebSocket:
		return b.MQTTWS
	case secure:
		return b.MQTTS
	}
	return b.MQTT
}

// message is one publish, or a last will.
type message struct {
	topic   string
	payload []byte
	qos     byte
	retain  bool
	// again: it is sent once more at once, with the DUP flag.
	again bool
}

// link is one MQTT connection. All methods may be called from any goroutine.
type link interface {
	// publish returns when the broker has acknowledged the message (QoS 1), or
	// when it is written (QoS 0).
	publish(ctx context.Context, m message) error
	// subscribe has the broker send what matches a filter, besides what dialing
	// named.
	subscribe(ctx context.Context, filter string) error
	// goodbye ends the connection by MQTT's DISCONNECT: no will is sent.
	goodbye()
	// cut ends the connection without a word, as a lost radio link does.
	cut()
	// lost is closed when the connection has ended, whoever ended it.
	lost() <-chan struct{}
}

// dialing is what a connection needs.
type dialing struct {
	transport   Transport
	broker      Broker
	version     Version
	clientID    string
	credentials Credentials
	now         func() time.Time // for certificates
	will        message
	subscribe   string
	time        string // the hub's topic of that name
	keepalive   time.Duration
	timeout     time.Duration
	deaf        bool // does not subscribe to subscribe
	mute        bool // acknowledges nothing
	receive     func(topic string, payload []byte, retained bool)
}

// ErrRefused says that the hub did not let the device in.
var ErrRefused = errors.New("the hub refused the connection")

// dial connects and subscribes.
func dial(ctx context.Context, d dialing) (link, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := open(ctx, d)
	if err != nil {
		return nil, err
	}
	var l link
	if d.version == MQTT5 {
		l, err = dial5(ctx, d, conn)
	} else {
		l, err = dial311(ctx, d, conn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect %s with MQTT %s: %w", d.clientID, d.version, err)
	}
	return l, nil
}

func open(ctx context.Context, d dialing) (net.Conn, error) {
	secure, err := d.credentials.TLS(d.now)
	if err != nil {
		return nil, err
	}
	addr := d.broker.at(d.transport, secure != nil)
	if addr == "" {
		with := "a password"
		if secure != nil {
			with = "a certificate"
		}
		return nil, fmt.Errorf("connect %s: the hub has no address for MQTT over %s with %s", d.clientID, d.transport, with)
	}
	if d.transport == WebSocket {
		url := addr
		if !strings.Contains(addr, "://") {
			scheme := "ws"
			if secure != nil {
				scheme = "wss"
			}
			url = scheme + "://" + addr + "/mqtt"
		}
		c, err := mqtt.NewWebsocket(url, secure, d.timeout, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", url, d.certificateRefused(err))
		}
		return c, nil
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	if secure == nil {
		return c, nil
	}
	t := tls.Client(c, secure)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("connect to %s: %w", addr, d.certificateRefused(err))
	}
	return t, nil
}

// certificateRefused tells the hub's word against a certificate, which is an
// alert of TLS, from other errors.
func (d dialing) certificateRefused(err error) error {
	var told *net.OpError
	if d.credentials.Certificate != "" && errors.As(err, &told) && told.Op == "remote error" {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}
