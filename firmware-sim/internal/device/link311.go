package device

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// link311 speaks MQTT 3.1.1.
type link311 struct {
	client mqtt.Client
	conn   net.Conn
	gone   chan struct{}
	once   sync.Once
}

func dial311(ctx context.Context, d dialing, conn net.Conn) (link, error) {
	l := &link311{conn: conn, gone: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker("tcp://hub").SetProtocolVersion(4).
		SetClientID(d.clientID).SetUsername(d.credentials.Username).SetPassword(d.credentials.Password).
		SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).
		SetKeepAlive(d.keepalive).SetPingTimeout(d.timeout).SetWriteTimeout(d.timeout).SetConnectTimeout(d.timeout).
		SetBinaryWill(d.will.topic, d.will.payload, d.will.qos, d.will.retain).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return conn, nil }).
		SetConnectionLostHandler(func(mqtt.Client, error) { l.end() }).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { d.receive(m.Topic(), m.Payload(), m.Retained()) })
	l.client = mqtt.NewClient(o)
	if err := wait(ctx, l.client.Connect()); err != nil {
		if errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword) || errors.Is(err, packets.ErrorRefusedNotAuthorised) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, d.certificateRefused(err)
	}
	// In one packet: the library takes no answer while a message waits for the
	// device, which waits for this function. A profile may leave the time out; the
	// device goes on without.
	subscribed := l.client.SubscribeMultiple(map[string]byte{d.subscribe: 1, d.time: 1}, nil)
	err := wait(ctx, subscribed)
	if t, ok := subscribed.(*mqtt.SubscribeToken); err == nil && ok && t.Result()[d.subscribe] > 1 {
		err = errors.New("denied")
	}
	if err != nil {
		l.cut()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return l, nil
}

// wait waits for what the library does, or until ctx ends.
func wait(ctx context.Context, t mqtt.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link311) publish(ctx context.Context, m message) error {
	t := l.client.Publish(m.topic, m.qos, m.retain, m.payload)
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-l.gone:
		// The token is the better witness: the PUBACK may have come just before.
		if t.WaitTimeout(time.Millisecond) {
			return t.Error()
		}
		return errLost
	}
}

// errLost is the error of a message whose connection ended before its PUBACK.
var errLost = errors.New("connection lost")

// goodbyeWithin is how long a clean end may take.
const goodbyeWithin = 500 * time.Millisecond

func (l *link311) goodbye() {
	l.client.Disconnect(uint(goodbyeWithin.Milliseconds()))
	_ = l.conn.Close()
	l.end()
}

func (l *link311) cut() {
	_ = l.conn.Close()
	l.end()
}

func (l *link311) end() { l.once.Do(func() { close(l.gone) }) }

func (l *link311) lost() <-chan struct{} { return l.gone }
