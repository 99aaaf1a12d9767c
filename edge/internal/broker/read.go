package broker

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// Read gives the library the next packet that is its business. Everything else
// is handled on the way.
func (c *conn) Read(p []byte) (int, error) {
	for len(c.pending) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.pending)
	if c.pending = c.pending[n:]; len(c.pending) == 0 {
		c.pending = nil
	}
	return n, nil
}

// next reads one packet of an established session and handles it.
func (c *conn) next() error {
	if !c.sendRetained() {
		return errEnded
	}
	if !c.wholeBuffered() {
		// About to wait for the client: it gets its answers, and one that does
		// not take them is not read from.
		if !c.out.flushed(c.b.limits.MaxOutboundBytes) {
			return errEnded
		}
	}
	if !c.readUntil(time.Now().Add(c.keepalive + c.keepalive/2)) {
		return errEnded
	}
	h, packet, err := c.readFrame(c.b.limits.MaxPacketBytes)
	if err != nil {
		return c.readFailed(err)
	}
	return c.receive(h, packet)
}

// readFailed ends the connection for an error of readFrame.
func (c *conn) readFailed(err error) error {
	var e *frame.Error
	switch {
	case errors.As(err, &e) && e.Reason == frame.PacketTooLarge:
		c.b.counters.limits.add(LimitPacketBytes)
		return c.protocolError(err)
	case errors.As(err, &e):
		c.b.counters.limits.add(LimitMalformed)
		return c.protocolError(err)
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.isClosed():
		c.b.counters.limits.add(LimitKeepalive)
		c.endSaying(CauseLost, frame.KeepAliveTimeout, "keep alive timeout")
	default:
		c.end(CauseLost)
	}
	return errEnded
}

// wholeBuffered reports whether the next packet can be read without waiting.
func (c *conn) wholeBuffered() bool {
	n := c.in.Buffered()
	if n == 0 {
		return false
	}
	b, _ := c.in.Peek(min(n, 5))
	h, more, err := frame.ParseHeader(b)
	return err != nil || !more && h.Total() <= n
}

// firstRead is how much of a packet is allocated before its bytes arrive.
const firstRead = 4096

// readFrame reads one packet of at most limit bytes. It allocates as the bytes
// arrive, not as the length claims.
func (c *conn) readFrame(limit int) (h frame.Header, packet []byte, err error) {
	var head [5]byte
	for n := 0; ; {
		if head[n], err = c.in.ReadByte(); err != nil {
			return h, nil, err
		}
		n++
		var more bool
		if h, more, err = frame.ParseHeader(head[:n]); err != nil {
			return h, nil, err
		}
		if !more {
			break
		}
	}
	if h.Total() > limit {
		return h, nil, &frame.Error{Reason: frame.PacketTooLarge, Text: "packet too large"}
	}
	packet = make([]byte, min(h.Total(), firstRead))
	copy(packet, head[:h.Size])
	for have := h.Size; ; {
		n, err := io.ReadFull(c.in, packet[have:])
		c.b.counters.bytesIn.Add(uint64(n))
		if err != nil {
			return h, nil, err
		}
		if have = len(packet); have == h.Total() {
			c.b.counters.bytesIn.Add(uint64(h.Size))
			return h, packet, nil
		}
		larger := make([]byte, min(h.Total(), 2*have))
		copy(larger, packet)
		packet = larger
	}
}

// readUntil sets the time by which the next read has to succeed; false when
// the connection has ended.
func (c *conn) readUntil(t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	_ = c.raw.SetReadDeadline(t) // a broken socket fails in the read
	return true
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}
