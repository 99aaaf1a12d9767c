package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"
)

// client is one connection. One goroutine publishes, another reads.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	// acked is called for each PUBACK with the time between, before the id is
	// used again; received for each message of the hub. Both come from the
	// reader.
	acked    func(took time.Duration, known bool)
	received func(topic string, payload []byte)

	window chan struct{} // room for messages without PUBACK

	mu     sync.Mutex // guards all below, and writing
	out    []byte
	nextID uint16
	sentAt map[uint16]time.Time
}

type connecting struct {
	addr               string
	tls                *tls.Config // nil for plain TCP
	id                 string
	username, password string
	subscribe          string // empty for nothing
	window             int
	timeout            time.Duration
	reached            func() // is called when something has answered at addr; may be nil
}

// dial connects, and subscribes if asked to.
func dial(ctx context.Context, c connecting) (*client, error) {
	conn, err := (&net.Dialer{Timeout: c.timeout}).DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", c.id, err)
	}
	if c.reached != nil {
		c.reached()
	}
	if c.tls != nil {
		secure := tls.Client(conn, c.tls)
		shaking, cancel := context.WithTimeout(ctx, c.timeout)
		err := secure.HandshakeContext(shaking)
		cancel()
		if err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("connect %s: %w", c.id, err)
		}
		conn = secure
	}
	k := &client{
		conn: conn, in: bufio.NewReaderSize(conn, 4096), window: make(chan struct{}, c.window), sentAt: map[uint16]time.Time{},
	}
	if err := k.open(c); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect %s: %w", c.id, err)
	}
	return k, nil
}

func (k *client) open(c connecting) error {
	if err := k.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	if _, err := k.conn.Write(appendConnect(nil, c.id, c.username, c.password, 300)); err != nil {
		return err
	}
	p, err := readPacket(k.in, nil)
	if err != nil {
		return err
	}
	if p.kind != typeConnack || len(p.body) != 2 || p.body[1] != 0 {
		return fmt.Errorf("refused: packet %d, %x", p.kind, p.body)
	}
	if c.subscribe != "" {
		if _, err := k.conn.Write(appendSubscribe(nil, 1, c.subscribe, 1)); err != nil {
			return err
		}
		if p, err = readPacket(k.in, nil); err != nil {
			return err
		}
		if p.kind != typeSuback || len(p.body) != 3 || p.body[2] > 1 {
			return fmt.Errorf("subscribe %s refused: packet %d, %x", c.subscribe, p.kind, p.body)
		}
	}
	return k.conn.SetDeadline(time.Time{})
}

// publish sends one message. With QoS 1 it waits for room in the window.
func (k *client) publish(ctx context.Context, topic string, payload []byte, qos byte) error {
	if qos > 0 {
		select {
		case k.window <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	id := uint16(0)
	if qos > 0 {
		id = k.freeID()
		k.sentAt[id] = time.Now()
	}
	k.out = appendPublish(k.out[:0], topic, payload, qos, id)
	if _, err := k.conn.Write(k.out); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// freeID is called with the lock held; the window is far smaller than there
// are ids.
func (k *client) freeID() uint16 {
	for {
		if k.nextID++; k.nextID == 0 {
			k.nextID = 1
		}
		if _, used := k.sentAt[k.nextID]; !used {
			return k.nextID
		}
	}
}

// read takes what the hub sends until the connection ends; the error says how,
// and is never nil.
func (k *client) read() error {
	buf := make([]byte, 4096)
	for {
		p, err := readPacket(k.in, buf)
		if err != nil {
			return err
		}
		switch p.kind {
		case typePuback:
			id, err := p.id()
			if err != nil {
				return err
			}
			now := time.Now()
			k.mu.Lock()
			sent, known := k.sentAt[id]
			delete(k.sentAt, id)
			k.mu.Unlock()
			k.acked(now.Sub(sent), known)
			if known {
				<-k.window
			}
		case typePublish:
			topic, payload, qos, id, err := p.publish()
			if err != nil {
				return err
			}
			k.received(topic, payload)
			if qos > 0 {
				if err := k.write(appendPuback(nil, id)); err != nil {
					return err
				}
			}
		}
	}
}

func (k *client) write(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.conn.Write(b)
	return err
}

// unacknowledged counts messages without PUBACK.
func (k *client) unacknowledged() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.sentAt)
}

// close says goodbye.
func (k *client) close() {
	_ = k.write([]byte{typeDisconnect << 4, 0}) // the connection ends either way
	_ = k.conn.Close()
}
