package frame

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// cursor reads fields one after the other; after the first field that is not
// there, short is set and every further field is zero.
type cursor struct {
	b     []byte
	short bool
	text  bool // a string was not UTF-8, or held a NUL
}

func (c *cursor) take(n int) []byte {
	if c.short || n > len(c.b) {
		c.short = true
		return nil
	}
	f := c.b[:n:n]
	c.b = c.b[n:]
	return f
}

func (c *cursor) u8() byte {
	if f := c.take(1); f != nil {
		return f[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if f := c.take(2); f != nil {
		return binary.BigEndian.Uint16(f)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if f := c.take(4); f != nil {
		return binary.BigEndian.Uint32(f)
	}
	return 0
}

// varint reads a variable byte integer of at most four bytes.
func (c *cursor) varint() int {
	v := 0
	for i := range 4 {
		x := c.u8()
		v |= int(x&0x7f) << (7 * i)
		if x&0x80 == 0 {
			return v
		}
	}
	c.short = true
	return 0
}

// binary reads two bytes of length and as many bytes.
func (c *cursor) binary() []byte { return c.take(int(c.u16())) }

// str reads a UTF-8 string [MQTT-1.5.4-1], [MQTT-1.5.4-2]. The bytes are those
// of the input.
func (c *cursor) str() []byte {
	f := c.binary()
	if !utf8.Valid(f) || bytes.IndexByte(f, 0) >= 0 {
		c.text = true
	}
	return f
}

// err says what went wrong so far.
func (c *cursor) err() error {
	switch {
	case c.short:
		return malformed("packet ends within a field")
	case c.text:
		return malformed("string that is not UTF-8, or with a NUL")
	default:
		return nil
	}
}

// end is err, and an error for bytes that are left.
func (c *cursor) end() error {
	if err := c.err(); err != nil {
		return err
	}
	if len(c.b) > 0 {
		return malformed("%d bytes after the last field", len(c.b))
	}
	return nil
}
