package device

import (
	"context"
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

// Broker says where the hub takes MQTT: host:port.
type Broker struct {
	MQTT   string
	MQTTWS string
}

// message is one publish, or a last will.
type message struct {
	topic   string
	payload []byte
	qos     byte
	retain  bool
}

// link is one MQTT connection. All methods may be called from any goroutine.
type link interface {
	// publish returns when the broker has acknowledged the message (QoS 1), or
	// when it is written (QoS 0).
	publish(ctx context.Context, m message) error
	// goodbye ends the connection by MQTT's DISCONNECT: no will is sent.
	goodbye()
	// cut ends the connection without a word, as a lost radio link does.
	cut()
	// lost is closed when the connection has ended, whoever ended it.
	lost() <-chan struct{}
}

// dialing is what a connection needs.
type dialing struct {
	transport Transport
	broker    Broker
	version   Version
	clientID  string
	username  string
	password  string
	will      message
	subscribe string
	keepalive time.Duration
	timeout   time.Duration
	receive   func(topic string, payload []byte)
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
	addr := d.broker.MQTT
	if d.transport == WebSocket {
		addr = d.broker.MQTTWS
	}
	if addr == "" {
		return nil, fmt.Errorf("connect %s: no address for MQTT over %s is given", d.clientID, d.transport)
	}
	if d.transport == WebSocket {
		url := addr
		if !strings.Contains(addr, "://") {
			url = "ws://" + addr + "/mqtt"
		}
		c, err := mqtt.NewWebsocket(url, nil, d.timeout, nil, nil)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", url, err)
		}
		return c, nil
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return c, nil
}
