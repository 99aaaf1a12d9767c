package device

import (
	"bytes"
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
	conn   *repeating
	gone   chan struct{}
	once   sync.Once
}

func dial311(ctx context.Context, d dialing, conn net.Conn) (link, error) {
	l := &link311{conn: &repeating{Conn: conn}, gone: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker("tcp://hub").SetProtocolVersion(4).
		SetClientID(d.clientID).SetUsername(d.credentials.Username).SetPassword(d.credentials.Password).
		SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(true).SetAutoAckDisabled(d.mute).
		SetKeepAlive(d.keepalive).SetPingTimeout(d.timeout).SetWriteTimeout(d.timeout).SetConnectTimeout(d.timeout).
		SetBinaryWill(d.will.topic, d.will.payload, d.will.qos, d.will.retain).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return l.conn, nil }).
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
	filters := map[string]byte{d.subscribe: 1, d.time: 1}
	if d.deaf {
		delete(filters, d.subscribe)
	}
	if err := l.subscribeTo(ctx, d.subscribe, filters); err != nil {
		l.cut()
		return nil, err
	}
	return l, nil
}

// subscribeTo subscribes to filters, of which needed must be granted.
func (l *link311) subscribeTo(ctx context.Context, needed string, filters map[string]byte) error {
	subscribed := l.client.SubscribeMultiple(filters, nil)
	err := wait(ctx, subscribed)
	if t, ok := subscribed.(*mqtt.SubscribeToken); err == nil && ok && t.Result()[needed] > 1 {
		err = errors.New("denied")
	}
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

func (l *link311) subscribe(ctx context.Context, filter string) error {
	return l.subscribeTo(ctx, filter, map[string]byte{filter: 1})
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
	if m.again {
		l.conn.repeat(m.topic)
	}
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

// repeating is a connection that writes a PUBLISH packet once more, with the DUP
// flag, when it was told to: what firmware of MQTT 3.1.1 does that has waited for
// its PUBACK too briefly. The library cannot.
type repeating struct {
	net.Conn
	mu    sync.Mutex // guards topic
	topic string
}

// repeat has the next message to a topic written twice.
func (r *repeating) repeat(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topic = topic
}

// Write implements net.Conn; the library writes each packet with one call.
func (r *repeating) Write(b []byte) (int, error) {
	n, err := r.Conn.Write(b)
	if err != nil || !r.takes(b) {
		return n, err
	}
	b = bytes.Clone(b)
	b[0] |= dupFlag
	_, err = r.Conn.Write(b)
	return n, err
}

const dupFlag = 0x08

func (r *repeating) takes(packet []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	const publish = 3
	if r.topic == "" || packet[0]>>4 != publish || !bytes.Contains(packet, []byte(r.topic)) {
		return false
	}
	r.topic = ""
	return true
}

func (l *link311) cut() {
	_ = l.conn.Close()
	l.end()
}

func (l *link311) end() { l.once.Do(func() { close(l.gone) }) }

func (l *link311) lost() <-chan struct{} { return l.gone }
