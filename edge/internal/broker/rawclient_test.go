package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// raw is an MQTT client of a few lines that sends whatever a test wants.
type raw struct {
	t       testing.TB
	c       net.Conn
	r       *bufio.Reader
	version byte
}

// pkt is one packet from the broker.
type pkt struct {
	h    frame.Header
	body []byte
}

func (r *rig) dial(t testing.TB, version byte) *raw {
	t.Helper()
	if strings.HasSuffix(t.Name(), "/"+webSocketWay) {
		return r.dialWS(t, version)
	}
	c, err := net.Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, c, version)
}

func newRaw(t testing.TB, c net.Conn, version byte) *raw {
	t.Cleanup(func() { _ = c.Close() })
	return &raw{t: t, c: c, r: bufio.NewReader(c), version: version}
}

func str(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func cat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// build makes a packet of a first byte and a body.
func build(first byte, body ...[]byte) []byte {
	all := cat(body...)
	b := []byte{first}
	for n := len(all); ; {
		x := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			b = append(b, x|0x80)
			continue
		}
		b = append(b, x)
		return append(b, all...)
	}
}

type options struct {
	id, user, password string
	anonymous          bool
	persistent         bool
	keepalive          uint16
	willTopic          string
	will               string
	willFlags          byte // QoS<<3 | retain<<5
	willProps          []byte
	props              []byte
}

func connectPacket(version byte, o options) []byte {
	name := "MQTT"
	if version == frame.V31 {
		name = "MQIsdp"
	}
	flags := byte(0)
	if !o.persistent {
		flags |= 2
	}
	if !o.anonymous {
		flags |= 0xc0
	}
	var tail []byte
	if o.willTopic != "" {
		flags |= 4 | o.willFlags
		if version == frame.V5 {
			tail = append(append(tail, byte(len(o.willProps))), o.willProps...)
		}
		tail = cat(tail, str(o.willTopic), str(o.will))
	}
	if !o.anonymous {
		tail = cat(tail, str(o.user), str(o.password))
	}
	head := cat(str(name), []byte{version, flags}, binary.BigEndian.AppendUint16(nil, o.keepalive))
	if version == frame.V5 {
		head = append(append(head, byte(len(o.props))), o.props...)
	}
	return build(0x10, head, str(o.id), tail)
}

func (c *raw) send(b []byte) {
	c.t.Helper()
	if err := c.try(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *raw) try(b []byte) error {
	_ = c.c.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.c.Write(b)
	return err
}

// next reads one packet, or fails the test.
func (c *raw) next() pkt {
	c.t.Helper()
	p, err := c.read()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return p
}

func (c *raw) read() (pkt, error) {
	_ = c.c.SetReadDeadline(time.Now().Add(patience))
	var head []byte
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return pkt{}, err
		}
		head = append(head, b)
		h, more, err := frame.ParseHeader(head)
		if err != nil {
			return pkt{}, err
		}
		if !more {
			p := pkt{h, make([]byte, h.Remaining)}
			_, err = io.ReadFull(c.r, p.body)
			return p, err
		}
	}
}

// want reads one packet of a type.
func (c *raw) want(t frame.Type) pkt {
	c.t.Helper()
	p := c.next()
	if p.h.Type != t {
		c.t.Fatalf("packet of type %d, %x: want type %d", p.h.Type, p.body, t)
	}
	return p
}

// wantClosed reads until the broker closes and returns the packets before.
func (c *raw) wantClosed() []pkt {
	c.t.Helper()
	var all []pkt
	for {
		p, err := c.read()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				c.t.Fatalf("connection stays open")
			}
			return all
		}
		all = append(all, p)
	}
}

// signIn connects as a user whose name is also the client id.
func (c *raw) signIn(user string, change func(*options)) pkt {
	c.t.Helper()
	o := options{id: user, user: user, password: "pw-" + user, keepalive: 60}
	if change != nil {
		change(&o)
	}
	c.send(connectPacket(c.version, o))
	p := c.want(frame.CONNACK)
	if p.body[1] != 0 {
		c.t.Fatalf("connack %x", p.body)
	}
	return p
}

// refused connects and returns the CONNACK's code.
func (c *raw) refused(o options) byte {
	c.t.Helper()
	c.send(connectPacket(c.version, o))
	p := c.want(frame.CONNACK)
	if p.body[1] == 0 {
		c.t.Fatalf("connection accepted")
	}
	c.wantClosed()
	return p.body[1]
}

func publishPacket(version byte, name string, qos byte, id uint16, flags byte, payload string) []byte {
	body := str(name)
	if qos > 0 {
		body = binary.BigEndian.AppendUint16(body, id)
	}
	if version == frame.V5 {
		body = append(body, 0)
	}
	return build(0x30|qos<<1|flags, body, []byte(payload))
}

func (c *raw) publish(name string, qos byte, id uint16, payload string) {
	c.t.Helper()
	c.send(publishPacket(c.version, name, qos, id, 0, payload))
}

func ackPacket(t frame.Type, id uint16) []byte {
	flags := byte(0)
	if t == frame.PUBREL {
		flags = 2
	}
	return build(byte(t)<<4|flags, binary.BigEndian.AppendUint16(nil, id))
}

func subscribePacket(version byte, id uint16, qos byte, filters ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	if version == frame.V5 {
		body = append(body, 0)
	}
	for _, f := range filters {
		body = append(append(body, str(f)...), qos)
	}
	return build(0x82, body)
}

// subscribe returns the reason codes.
func (c *raw) subscribe(id uint16, qos byte, filters ...string) []byte {
	c.t.Helper()
	c.send(subscribePacket(c.version, id, qos, filters...))
	p := c.want(frame.SUBACK)
	if got := binary.BigEndian.Uint16(p.body); got != id {
		c.t.Fatalf("suback of %d: want %d", got, id)
	}
	skip := 2
	if c.version == frame.V5 {
		skip += 1 + int(p.body[2])
	}
	return p.body[skip:]
}

// message is what an inbound PUBLISH says.
type message struct {
	name    string
	id      uint16
	qos     byte
	dup     bool
	retain  bool
	payload string
}

func (c *raw) message() message {
	c.t.Helper()
	return c.parse(c.want(frame.PUBLISH))
}

func (c *raw) parse(p pkt) message {
	c.t.Helper()
	n := int(binary.BigEndian.Uint16(p.body))
	m := message{name: string(p.body[2 : 2+n]), qos: p.h.QoS(), dup: p.h.Dup(), retain: p.h.Retain()}
	rest := p.body[2+n:]
	if m.qos > 0 {
		m.id, rest = binary.BigEndian.Uint16(rest), rest[2:]
	}
	if c.version == frame.V5 {
		rest = rest[1+int(rest[0]):]
	}
	m.payload = string(rest)
	return m
}

// wantAck reads a PUBACK and the like and returns its reason code.
func (c *raw) wantAck(t frame.Type, id uint16) byte {
	c.t.Helper()
	p := c.want(t)
	if got := binary.BigEndian.Uint16(p.body); got != id {
		c.t.Fatalf("ack of %d: want %d", got, id)
	}
	if len(p.body) > 2 {
		return p.body[2]
	}
	return 0
}

// ping makes sure that the broker has handled everything before.
func (c *raw) ping() {
	c.t.Helper()
	c.send([]byte{0xc0, 0})
	c.want(frame.PINGRESP)
}
