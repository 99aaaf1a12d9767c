package broker

import (
	"errors"
	"io"
	"os"
	"sync"
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
		if err := c.await(); err != nil {
			return c.readFailed(err)
		}
	}
	h, packet, err := c.readFrame(c.b.limits.MaxPacketBytes)
	if err != nil {
		return c.readFailed(err)
	}
	err = c.receive(h, packet)
	c.recycle(packet)
	return err
}

// await waits for the first byte of a packet, for one and a half times the
// keepalive [MQTT-3.1.2-22], and gives the rest of the packet as long again.
// The socket's deadline is not moved with every packet, which would cost more
// than most packets do, but when it has passed.
func (c *conn) await() error {
	patience := c.keepalive + c.keepalive/2
	began := time.Now()
	// A WebSocket does not go on after a deadline that has passed.
	_, ahead := c.raw.(*wsConn)
	for armed := ahead || !c.armed; c.in.Buffered() == 0; armed = true {
		if armed {
			if !c.readUntil(began.Add(patience)) {
				return errEnded
			}
			c.armed = true
		}
		_, err := c.in.Peek(1)
		if err != nil && (ahead || !errors.Is(err, os.ErrDeadlineExceeded) || c.isClosed() || time.Since(began) >= patience) {
			return err
		}
	}
	if !c.wholeBuffered() && !c.readUntil(time.Now().Add(patience)) {
		return errEnded
	}
	return nil
}

// readFailed ends the connection for an error of readFrame.
func (c *conn) readFailed(err error) error {
	var e *frame.Error
	switch {
	case errors.Is(err, errEnded):
	case errors.As(err, &e) && e.Reason == frame.PacketTooLarge:
		c.limited(LimitPacketBytes, e.Text)
		return c.protocolError(err)
	case errors.As(err, &e):
		c.limited(LimitMalformed, e.Text)
		return c.protocolError(err)
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.isClosed():
		c.limited(LimitKeepalive, "")
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

// frames holds buffers of firstRead bytes. Most packets are smaller, and are
// done with when they have been handled.
var frames = sync.Pool{New: func() any { return new([firstRead]byte) }}

// recycle gives a packet's buffer to another packet, unless somebody has kept
// the packet.
func (c *conn) recycle(packet []byte) {
	if c.keepPacket {
		c.keepPacket = false
		return
	}
	if cap(packet) == firstRead {
		frames.Put((*[firstRead]byte)(packet[:firstRead]))
	}
}

// readFrame reads one packet of at most limit bytes. It allocates as the bytes
// arrive, not as the length claims. The packet is the caller's until recycle.
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
	packet = frames.Get().(*[firstRead]byte)[:min(h.Total(), firstRead)]
	copy(packet, head[:h.Size])
	for have := h.Size; ; {
		n, err := io.ReadFull(c.in, packet[have:])
		c.b.counters.bytesIn.Add(uint64(n))
		if err != nil {
			return h, nil, err
		}
		if have = len(packet); have == h.Total() {
			c.b.counters.bytesIn.Add(uint64(h.Size))
			c.b.counters.packetsIn.Add(1)
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
