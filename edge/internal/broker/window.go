package broker

import (
	"slices"
	"time"
)

// The window keeps the client's Receive Maximum [MQTT-4.9.0-2]. It is part of
// the outbox and guarded by its mutex.

// flight is an outbound message that the client has not acknowledged.
type flight struct {
	note note
	size int // of its payload
}

// heldID is an outbound message that waits for room in the window.
type heldID struct {
	id   uint16
	note note
	size int // of its payload
}

// await makes room in the window for a QoS 2 message of a resumed session that
// waits for its PUBCOMP.
func (o *outbox) await(pubrel []byte) {
	if len(pubrel) < 4 {
		return
	}
	id := uint16(pubrel[2])<<8 | uint16(pubrel[3])
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.inflight[id]; !ok && o.resuming {
		o.inflight[id] = flight{}
	}
}

// admit reports whether a PUBLISH of QoS 1 or 2 may go now; otherwise its id is
// held. size is that of its payload: also bytes count, but one message may
// always be under way.
func (o *outbox) admit(id uint16, about note, size int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.resuming || len(o.held) > 0 || !o.room() {
		o.held = append(o.held, heldID{id, about, size})
		return false
	}
	o.inflight[id] = flight{about, size}
	o.flying += size
	return true
}

// room reports whether the window takes one more message. o.mu is held.
func (o *outbox) room() bool {
	if len(o.inflight) == 0 {
		return true
	}
	limits := &o.c.b.limits
	return len(o.inflight) < o.window && o.flying < limits.MaxOutboundBytes &&
		o.c.b.outbound.Load() < int64(limits.MaxOutboundTotal)
}

// settled takes a message out of the window and returns what was noted of it.
func (o *outbox) settled(id uint16) (note, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f, ok := o.inflight[id]
	delete(o.inflight, id)
	o.flying -= f.size
	if o.caughtUp != nil {
		o.progress = time.Now()
	}
	return f.note, ok
}

// unacknowledged are the packet ids in the window.
func (o *outbox) unacknowledged() []uint16 {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := make([]uint16, 0, len(o.inflight))
	for id := range o.inflight {
		ids = append(ids, id)
	}
	return ids
}

// grant takes the next held message into the window.
func (o *outbox) grant() (heldID, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.resuming || o.closing || len(o.held) == 0 || !o.room() {
		return heldID{}, false
	}
	next := o.held[0]
	o.held = o.held[1:]
	if len(o.held) == 0 {
		o.held = nil // its array has grown with the backlog
	}
	o.inflight[next.id] = flight{next.note, next.size}
	o.flying += next.size
	return next, true
}

// resume holds every message until resumed has put them in order.
func (o *outbox) resume() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resuming = true
}

func (o *outbox) resumed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.resuming = false
	slices.SortStableFunc(o.held, func(a, b heldID) int {
		switch {
		case a.note.order < b.note.order:
			return -1
		case a.note.order > b.note.order:
			return 1
		}
		return 0
	})
}
