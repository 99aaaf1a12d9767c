package device

import (
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Press is one press of a button, as its firmware keeps it.
type Press struct {
	// Boot counts the boots of the device; it tells presses of firmware without
	// boot_id apart. The hub never hears of it.
	Boot     uint64          `json:"boot"`
	BootID   string          `json:"boot_id,omitempty"`
	Sequence uint64          `json:"sequence_id"`
	Type     fleet.PressType `json:"press_type"`
	Priority fleet.Priority  `json:"priority,omitempty"`
	Duration time.Duration   `json:"duration_ns,omitempty"`
}

// key is how a receipt names a press.
type key struct {
	bootID   string
	sequence uint64
}

func (p Press) key() key { return key{p.BootID, p.Sequence} }

// pending is a press without receipt. It is kept over a loss of power.
type pending struct {
	Press
	// MadeAt is when the button was pressed, in simulated time.
	MadeAt time.Duration `json:"made_at"`
	// Payload is what was sent first; it stays the same for ever.
	Payload []byte `json:"payload,omitempty"`
	// DeviceTime is the timestamp in it; zero when it has none.
	DeviceTime time.Time `json:"device_time,omitzero"`
	// Sent says that the payload has been handed to a connection.
	Sent  bool `json:"sent,omitempty"`
	tries int
	next  time.Duration // of the next try, in simulated time
}

// outbox keeps presses until the hub has given a receipt for them, in the
// order in which they were made. One goroutine owns it.
type outbox struct {
	size    int
	pending []*pending
}

// add keeps a press; false when there is no room: the lamp must not promise
// anything then.
func (o *outbox) add(p *pending) bool {
	if len(o.pending) >= o.size {
		return false
	}
	o.pending = append(o.pending, p)
	return true
}

// received removes the press that a receipt names, and returns it; nil when it
// is not there. Of several presses with that name (firmware without boot_id,
// after a restart of its counter) it is the oldest that has been sent.
func (o *outbox) received(k key) *pending {
	for i, p := range o.pending {
		if p.key() == k && p.Sent {
			o.pending = append(o.pending[:i], o.pending[i+1:]...)
			return p
		}
	}
	return nil
}

// due returns the presses to be sent now, oldest first, and when the next one
// will be, if any is waiting.
func (o *outbox) due(now time.Duration) (send []*pending, next time.Duration, waiting bool) {
	for _, p := range o.pending {
		switch {
		case p.next <= now:
			send = append(send, p)
		case !waiting || p.next < next:
			next, waiting = p.next, true
		}
	}
	return send, next, waiting
}

// sent plans the next try: each one waits twice as long as the one before.
func (p *pending) sent(now, first, most time.Duration) {
	pause := first << min(p.tries, 10)
	p.tries++
	p.next = now + min(pause, most)
}

// reconnected makes everything due.
func (o *outbox) reconnected() {
	for _, p := range o.pending {
		p.next, p.tries = 0, 0
	}
}
