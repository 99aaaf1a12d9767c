package device

import (
	"context"
	"errors"
	"sync"
	"time"
)

// sender sends the messages of one connection one after the other, each after
// the PUBACK of the one before, as small firmware does.
type sender struct {
	queue   chan outgoing
	cancel  context.CancelFunc
	stopped chan struct{} // closed when nothing is sent any more
}

type outgoing struct {
	message
	// sending is called just before the message is handed to the connection, and
	// answered when its fate is known: nil for a PUBACK. Both come from the
	// sender's goroutine.
	sending  func()
	answered func(error)
}

// queued is how many messages may wait; beyond it the firmware drops what it
// wanted to say, but for presses, which wait in the outbox.
const queued = 256

func newSender(ctx context.Context, l link, timeout time.Duration, wg *sync.WaitGroup) *sender {
	ctx, cancel := context.WithCancel(ctx)
	s := &sender{queue: make(chan outgoing, queued), cancel: cancel, stopped: make(chan struct{})}
	wg.Go(func() {
		defer close(s.stopped)
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case o := <-s.queue:
				if ctx.Err() != nil {
					return
				}
				if o.sending != nil {
					o.sending()
				}
				wait, done := context.WithTimeout(ctx, timeout)
				err := l.publish(wait, o.message)
				done()
				o.answered(err)
				if errors.Is(err, context.DeadlineExceeded) {
					l.cut() // a connection without PUBACKs is none
					return
				}
			}
		}
	})
	return s
}

func (s *sender) stop() { s.cancel() }

// send sends a message if there is a connection; answered runs on Run's
// goroutine.
func (d *Device) send(m message, answered func(error)) {
	d.hand(outgoing{message: m, answered: func(err error) { d.post(func() { answered(err) }) }})
}

func (d *Device) hand(o outgoing) {
	if d.muted {
		return
	}
	d.handAnyway(o)
}

// handAnyway is hand also on a connection that may be good for a new certificate
// only.
func (d *Device) handAnyway(o outgoing) {
	if d.sender == nil {
		return
	}
	select {
	case d.sender.queue <- o:
	default:
		d.log.Warn("device has too much to say", "device_id", d.c.ID, "topic", o.topic)
	}
}
