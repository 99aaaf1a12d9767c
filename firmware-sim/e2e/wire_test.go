package e2e

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// The packet types of MQTT that the tests write and read by hand.
const (
	connack    = 2
	publish    = 3
	puback     = 4
	suback     = 9
	disconnect = 14
)

// wire is a client that speaks MQTT byte by byte, so that it can do what no
// library lets one do. One goroutine writes, one reads.
type wire struct {
	net.Conn
	in      *bufio.Reader
	version byte
}

// hello is what a client says of itself in CONNECT.
type hello struct {
	version    byte   // 4 if 0
	keepalive  uint16 // seconds; 300 if 0
	keep       bool   // the session outlives the connection
	receiveMax uint16 // MQTT 5; 0 says nothing
	will       string // retained at QoS 1 on the device's status topic; "" for none
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// packet is one MQTT packet.
func packet(first byte, body []byte) []byte {
	b, n := []byte{first}, len(body)
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(append(b, byte(n)), body...)
}

func (h hello) packet(d device) []byte {
	if h.version == 0 {
		h.version = 4
	}
	if h.keepalive == 0 {
		h.keepalive = 300
	}
	flags := byte(0xc0)
	if !h.keep {
		flags |= 2
	}
	if h.will != "" {
		flags |= 0x04 | 1<<3 | 0x20
	}
	b := append(text(nil, "MQTT"), h.version, flags)
	b = binary.BigEndian.AppendUint16(b, h.keepalive)
	if h.version == 5 {
		var props []byte
		if h.keep {
			props = binary.BigEndian.AppendUint32(append(props, 0x11), 3600)
		}
		if h.receiveMax > 0 {
			props = binary.BigEndian.AppendUint16(append(props, 0x21), h.receiveMax)
		}
		b = append(append(b, byte(len(props))), props...)
	}
	b = text(b, d.ID)
	if h.will != "" {
		if h.version == 5 {
			b = append(b, 0)
		}
		b = text(text(b, d.Base+"/status"), h.will)
	}
	return packet(0x10, text(text(b, d.ID), d.Password))
}

// tryWire connects; it needs no test to fail, so it may run in any goroutine.
func tryWire(addr string, d device, h hello) (*wire, error) {
	c, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	return greet(c, d, h)
}

// greet begins MQTT on a connection.
func greet(c net.Conn, d device, h hello) (*wire, error) {
	w := &wire{Conn: c, in: bufio.NewReader(c), version: max(h.version, 4)}
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	_, err := c.Write(h.packet(d))
	if err == nil {
		var kind byte
		var body []byte
		kind, body, err = w.next()
		if err == nil && (kind>>4 != connack || len(body) < 2 || body[1] != 0) {
			err = fmt.Errorf("%s: answer %x %x to CONNECT", d.ID, kind, body)
		}
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	_ = c.SetDeadline(time.Time{})
	return w, nil
}

// dialWire connects; the connection is closed with the test.
func dialWire(t *testing.T, addr string, d device, h hello) *wire {
	t.Helper()
	w, err := tryWire(addr, d, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// next reads one packet.
func (w *wire) next() (first byte, body []byte, err error) {
	if first, err = w.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(w.in)
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<20 {
		return 0, nil, errors.New("the hub sent a packet of more than a megabyte")
	}
	body = make([]byte, n)
	_, err = io.ReadFull(w.in, body)
	return first, body, err
}

// publication is the PUBLISH packet of a message; id counts from QoS 1 on.
func (w *wire) publication(topic string, payload []byte, qos byte, retain bool, id uint16) []byte {
	b := text(nil, topic)
	if qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if w.version == 5 {
		b = append(b, 0)
	}
	first := byte(publish<<4) | qos<<1
	if retain {
		first |= 1
	}
	return packet(first, append(b, payload...))
}

// arrived takes a PUBLISH apart.
func (w *wire) arrived(first byte, body []byte) (topic string, id uint16, payload []byte) {
	n := int(binary.BigEndian.Uint16(body))
	topic, payload = string(body[2:2+n]), body[2+n:]
	if first>>1&3 > 0 {
		id, payload = binary.BigEndian.Uint16(payload), payload[2:]
	}
	if w.version == 5 {
		props, size := binary.Uvarint(payload)
		payload = payload[size+int(props):]
	}
	return topic, id, payload
}

func (w *wire) subscription(id uint16, qos byte, filters ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	if w.version == 5 {
		b = append(b, 0)
	}
	for _, f := range filters {
		b = append(text(b, f), qos)
	}
	return packet(0x82, b)
}

// subscribe subscribes and reads the answer, which must grant it.
func (w *wire) subscribe(t *testing.T, filter string, qos byte) {
	t.Helper()
	_ = w.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := w.Write(w.subscription(1, qos, filter)); err != nil {
		t.Fatal(err)
	}
	for {
		first, body, err := w.next()
		if err != nil {
			t.Fatalf("subscribe %s: %v", filter, err)
		}
		if first>>4 == suback {
			if code := body[len(body)-1]; code != qos {
				t.Fatalf("subscribe %s: granted %#x", filter, code)
			}
			break
		}
	}
	_ = w.SetDeadline(time.Time{})
}

// ack acknowledges a message of QoS 1.
func (w *wire) ack(id uint16) error {
	_, err := w.Write([]byte{puback << 4, 2, byte(id >> 8), byte(id)})
	return err
}

// read calls fn with every message until it says stop or the connection ends,
// and acknowledges those of QoS 1.
func (w *wire) read(fn func(topic string, payload []byte) (stop bool)) error {
	for {
		first, body, err := w.next()
		if err != nil {
			return err
		}
		if first>>4 == disconnect {
			return fmt.Errorf("the hub disconnects: %x", body)
		}
		if first>>4 != publish {
			continue
		}
		topic, id, payload := w.arrived(first, body)
		if id != 0 {
			if err := w.ack(id); err != nil {
				return err
			}
		}
		if fn(topic, payload) {
			return nil
		}
	}
}
