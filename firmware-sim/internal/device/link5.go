package device

import (
	"context"
	"fmt"
	"net"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// link5 speaks MQTT 5.
type link5 struct {
	client *paho.Client
	conn   net.Conn
	gone   chan struct{}
}

func dial5(ctx context.Context, d dialing, conn net.Conn) (link, error) {
	l := &link5{conn: packets.NewThreadSafeConn(conn), gone: make(chan struct{})}
	l.client = paho.NewClient(paho.ClientConfig{
		ClientID: d.clientID, Conn: l.conn, PacketTimeout: d.timeout, EnableManualAcknowledgment: d.mute,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			d.receive(r.Packet.Topic, r.Packet.Payload, r.Packet.Retain)
			return true, nil
		}},
		OnClientError:      func(error) {},
		OnServerDisconnect: func(*paho.Disconnect) {},
	})
	// The library keeps room for as many messages as it says it takes at once.
	receiveMaximum := uint16(20)
	answer, err := l.client.Connect(ctx, &paho.Connect{
		Properties: &paho.ConnectProperties{ReceiveMaximum: &receiveMaximum},
		ClientID:   d.clientID, CleanStart: true, KeepAlive: uint16(d.keepalive.Seconds()),
		Username: d.credentials.Username, UsernameFlag: d.credentials.Username != "",
		Password: []byte(d.credentials.Password), PasswordFlag: d.credentials.Password != "",
		WillMessage: &paho.WillMessage{Topic: d.will.topic, Payload: d.will.payload, QoS: d.will.qos, Retain: d.will.retain},
	})
	if err != nil {
		if answer != nil && (answer.ReasonCode == packets.ConnackBadUsernameOrPassword || answer.ReasonCode == packets.ConnackNotAuthorized) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, d.certificateRefused(err)
	}
	go func() {
		<-l.client.Done()
		_ = l.conn.Close()
		close(l.gone)
	}()
	// A profile may leave the time out; the device goes on without.
	filters := []paho.SubscribeOptions{{Topic: d.subscribe, QoS: 1}, {Topic: d.time, QoS: 1}}
	if d.deaf {
		filters = filters[1:]
	}
	granted, err := l.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: filters})
	if err != nil && (granted == nil || granted.Reasons[0] > 1 && !d.deaf) {
		l.cut()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	return l, nil
}

func (l *link5) subscribe(ctx context.Context, filter string) error {
	_, err := l.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

func (l *link5) publish(ctx context.Context, m message) error {
	_, err := l.client.Publish(ctx, &paho.Publish{Topic: m.topic, Payload: m.payload, QoS: m.qos, Retain: m.retain})
	return err
}

func (l *link5) goodbye() {
	_ = l.client.Disconnect(&paho.Disconnect{}) // the connection ends either way
	_ = l.conn.Close()
}

func (l *link5) cut() { _ = l.conn.Close() }

func (l *link5) lost() <-chan struct{} { return l.gone }
