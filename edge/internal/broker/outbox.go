package broker

import (
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// outbox is what waits for one client's socket. Whoever adds to it never waits
// for the socket: a goroutine that exists only while there is something to
// write does. It also keeps the client's Receive Maximum: of the messages
// beyond it only the packet ids wait here, the messages are in the library's
// session.
type outbox struct {
	c    *conn
	done chan struct{} // closed when the socket is

	until time.Time // the socket's write deadline; the writer's

	window int // messages of QoS 1 and 2 in flight at most; fixed

	mu       sync.Mutex // guards what follows
	buf      []byte     // packets to write
	spare    []byte     // a buffer to write into next; nil, or empty
	writing  int        // bytes that the writer has taken and not yet written
	running  bool       // the writer exists
	closing  bool       // nothing is added any more; the writer closes the socket
	force    *time.Timer
	inflight map[uint16]flight
	flying   int // bytes of the payloads in inflight
	held     []heldID
	resuming bool // a resumed session is being resent: everything is held
	// For publishers that wait for this client to catch up: closed when it has;
	// when it last made progress; and whether they have given up.
	caughtUp chan struct{}
	progress time.Time
	slow     bool
	drained  chan struct{} // closed and replaced when the writer has written all
}

// writeChunk bounds one write, so that WriteTimeout is about progress.
const writeChunk = 16 << 10

func newOutbox(c *conn) *outbox {
	return &outbox{c: c, done: make(chan struct{}), inflight: make(map[uint16]flight)}
}

// control adds a packet and has it written.
func (o *outbox) control(packet []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return
	}
	o.add(packet)
	o.start()
}

// add appends to the buffer. o.mu is held.
func (o *outbox) add(packet []byte) {
	o.buf = append(o.buf, packet...)
	o.c.b.outbound.Add(int64(len(packet)))
	o.c.b.counters.packetsOut.Add(1)
}

// answer adds a packet that leaves when the connection's goroutine next waits
// for the client, so that a burst is answered in one write.
func (o *outbox) answer(packet []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing {
		o.add(packet)
	}
}

// answerAck is answer for a PUBACK or PUBREC of success, which needs no packet
// of its own.
func (o *outbox) answerAck(t frame.Type, id uint16) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing {
		o.buf = frame.AppendAck(o.buf, t, id)
		o.c.b.outbound.Add(frame.AckBytes)
		o.c.b.counters.packetsOut.Add(1)
	}
}

// flushed has the answers written. It waits while more than limit bytes wait
// for the socket, and reports whether the connection still lives. Only the
// connection's goroutine calls it.
func (o *outbox) flushed(limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closing {
		if len(o.buf) == 0 {
			return true
		}
		if !o.running {
			// The goroutine is about to wait for this client: it writes itself, and
			// leaves what comes meanwhile to a writer.
			o.running = true
			o.mu.Unlock()
			if o.step() {
				go o.run()
			}
			o.mu.Lock()
			continue
		}
		if len(o.buf)+o.writing <= limit {
			return true
		}
		if o.drained == nil {
			o.drained = make(chan struct{})
		}
		drained := o.drained
		o.mu.Unlock()
		select {
		case <-drained:
		case <-o.c.ctx.Done():
		}
		o.mu.Lock()
	}
	return false
}

// start has the buffer written. o.mu is held.
func (o *outbox) start() {
	if !o.running && len(o.buf) > 0 {
		o.running = true
		go o.run()
	}
}

// run writes until there is nothing left.
func (o *outbox) run() {
	for o.step() {
	}
}

// step writes what is in the buffer, and reports whether there is more. Whoever
// has set running calls it until it says no.
func (o *outbox) step() (more bool) {
	defer func() {
		if r := recover(); r != nil {
			o.c.b.counters.panics.Add(1)
			o.c.b.log.Error("mqtt writer panicked", "panic", r, "remote", o.c.session.Remote, "stack", string(debug.Stack()))
			o.stop()
			o.c.end(CausePanic)
			more = false
		}
	}()
	o.mu.Lock()
	chunk := o.buf
	o.buf, o.spare = o.spare, nil
	o.writing = len(chunk)
	o.mu.Unlock()
	if err := o.write(chunk); err != nil {
		o.stop()
		o.c.end(CauseLost)
		return false
	}
	o.mu.Lock()
	if cap(chunk) <= keptBuffer {
		o.spare = chunk[:0]
	}
	if o.drained != nil {
		close(o.drained)
		o.drained = nil
	}
	if len(o.buf) > 0 {
		o.mu.Unlock()
		return true
	}
	o.running = false
	closing := o.closing
	o.mu.Unlock()
	if closing {
		o.shut()
	}
	return false
}

// keptBuffer is how large a buffer an idle client may keep.
const keptBuffer = 1 << 10

// stop ends the writer for good after a failed write.
func (o *outbox) stop() {
	o.mu.Lock()
	o.c.b.outbound.Add(int64(-len(o.buf) - o.writing))
	o.closing, o.running, o.buf, o.writing = true, false, nil, 0
	if o.caughtUp != nil {
		close(o.caughtUp)
		o.caughtUp = nil
	}
	o.mu.Unlock()
	o.shut()
}

func (o *outbox) write(chunk []byte) error {
	limits := &o.c.b.limits
	for len(chunk) > 0 {
		part := chunk[:min(len(chunk), writeChunk)]
		o.mu.Lock()
		timeout := limits.WriteTimeout
		if o.closing {
			timeout = limits.CloseTimeout
		}
		o.mu.Unlock()
		// Setting it for each packet would cost more than most packets do.
		if until := time.Now().Add(timeout); until.Before(o.until) || until.Sub(o.until) > timeout/8 {
			o.until = until
			_ = o.c.raw.SetWriteDeadline(until) // a broken socket fails in the write
		}
		n, err := o.c.raw.Write(part)
		o.c.b.counters.bytesOut.Add(uint64(max(n, 0)))
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				o.c.limited(LimitWriteStall, "")
			}
			return err
		}
		o.mu.Lock()
		o.writing -= len(part)
		o.mu.Unlock()
		o.c.b.outbound.Add(int64(-len(part)))
		chunk = chunk[len(part):]
	}
	return nil
}

// close lets what is in the buffer be written within CloseTimeout, and closes
// the socket then. It does not wait.
func (o *outbox) close() {
	o.mu.Lock()
	if o.closing {
		o.mu.Unlock()
		return
	}
	o.closing = true
	if o.caughtUp != nil {
		close(o.caughtUp)
		o.caughtUp = nil
	}
	o.start()
	running := o.running
	if running {
		// The writer alone sets deadlines; the write that it is in may have a
		// long one.
		o.force = time.AfterFunc(o.c.b.limits.CloseTimeout, func() { _ = o.c.raw.Close() })
	}
	o.mu.Unlock()
	if !running {
		o.shut()
	}
}

// shut closes the socket. It is reached once: by the writer, or by close when
// there is none.
func (o *outbox) shut() {
	o.mu.Lock()
	if o.force != nil {
		o.force.Stop()
	}
	o.mu.Unlock()
	_ = o.c.raw.Close() // nothing follows that an error could spoil
	close(o.done)
}

// push adds a PUBLISH that may go now; false when it is of QoS 0 and the
// client is too far behind.
func (o *outbox) push(qos byte, packet []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return true
	}
	limits := &o.c.b.limits
	if qos == 0 && (len(o.buf)+o.writing+len(packet) > limits.MaxOutboundBytes || o.c.b.outbound.Load() > int64(limits.MaxOutboundTotal)) {
		return false
	}
	o.add(packet)
	o.start()
	return true
}
