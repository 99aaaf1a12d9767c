package load

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The packet types of MQTT 3.1.1 that are used here.
const (
	typeConnect    = 1
	typeConnack    = 2
	typePublish    = 3
	typePuback     = 4
	typeSubscribe  = 8
	typeSuback     = 9
	typePingreq    = 12
	typePingresp   = 13
	typeDisconnect = 14
)

// maxPacket is the largest packet that is read; hubs send small ones.
const maxPacket = 1 << 20

// packet is one packet as it was read.
type packet struct {
	kind  byte
	flags byte
	body  []byte
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// appendHeader appends the fixed header of a packet with n bytes behind it.
func appendHeader(b []byte, first byte, n int) []byte {
	b = append(b, first)
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func appendConnect(b []byte, clientID, username, password string, keepaliveS uint16) []byte {
	var body []byte
	body = appendText(body, "MQTT")
	flags := byte(0x02) // clean session
	if username != "" {
		flags |= 0xc0 // user name, password
	}
	body = append(body, 4, flags) // level 4
	body = binary.BigEndian.AppendUint16(body, keepaliveS)
	body = appendText(body, clientID)
	if username != "" {
		body = appendText(appendText(body, username), password)
	}
	return append(appendHeader(b, typeConnect<<4, len(body)), body...)
}

func appendSubscribe(b []byte, id uint16, filter string, qos byte) []byte {
	b = appendHeader(b, typeSubscribe<<4|2, 2+2+len(filter)+1)
	b = binary.BigEndian.AppendUint16(b, id)
	return append(appendText(b, filter), qos)
}

// appendPublish appends a PUBLISH; id counts for QoS 1 only.
func appendPublish(b []byte, topic string, payload []byte, qos byte, id uint16) []byte {
	n := 2 + len(topic) + len(payload)
	if qos > 0 {
		n += 2
	}
	b = appendHeader(b, typePublish<<4|qos<<1, n)
	b = appendText(b, topic)
	if qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return append(b, payload...)
}

func appendPuback(b []byte, id uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, typePuback<<4, 2), id)
}

var errMalformed = errors.New("the hub sent a malformed packet")

// readPacket reads one packet; its body is valid until the next call with the
// same buf.
func readPacket(r *bufio.Reader, buf []byte) (packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return packet{}, err
	}
	n := 0
	for shift := 0; ; shift += 7 {
		c, err := r.ReadByte()
		if err != nil {
			return packet{}, err
		}
		if shift > 21 {
			return packet{}, errMalformed
		}
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	if n > maxPacket {
		return packet{}, fmt.Errorf("%w: %d bytes", errMalformed, n)
	}
	if n > len(buf) {
		buf = make([]byte, n)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return packet{}, err
	}
	return packet{kind: first >> 4, flags: first & 15, body: buf[:n]}, nil
}

// publish takes a PUBLISH apart.
func (p packet) publish() (topic string, payload []byte, qos byte, id uint16, err error) {
	b := p.body
	if len(b) < 2 || len(b) < 2+int(binary.BigEndian.Uint16(b)) {
		return "", nil, 0, 0, errMalformed
	}
	n := int(binary.BigEndian.Uint16(b))
	topic, b, qos = string(b[2:2+n]), b[2+n:], p.flags>>1&3
	if qos > 0 {
		if len(b) < 2 {
			return "", nil, 0, 0, errMalformed
		}
		id, b = binary.BigEndian.Uint16(b), b[2:]
	}
	return topic, b, qos, id, nil
}

// id is the packet id of a PUBACK or SUBACK.
func (p packet) id() (uint16, error) {
	if len(p.body) < 2 {
		return 0, errMalformed
	}
	return binary.BigEndian.Uint16(p.body), nil
}
