package traffic

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// LiveFilter is what a reader of the live view wants; zero fields are any.
type LiveFilter struct {
	Device    string
	Topic     string // an MQTT filter
	Direction Direction
	// Contains is a text that the payload must have.
	Contains string
	// MaxRate is how many messages a second are wanted; what is beyond counts as
	// dropped. 0 is all.
	MaxRate int
	// Payloads are wanted.
	Payloads bool
}

// Check reports as ErrInvalid what is wrong with f.
func (f LiveFilter) Check() error {
	if f.Topic != "" {
		if err := topic.CheckFilter(f.Topic); err != nil {
			return err
		}
	}
	if f.MaxRate < 0 || len(f.Contains) > 256 || len(f.Device) > 256 {
		return fmt.Errorf("%w: live filter: want a rate from 0 and texts of at most 256 bytes", fleet.ErrInvalid)
	}
	return nil
}

// live hands messages to those who watch. Without readers it costs one load.
type live struct {
	max     int
	readers atomic.Pointer[[]*Reader]
	dropped atomic.Uint64

	mu     sync.Mutex // guards changes of readers
	closed bool
}

// pass gives m to every reader that wants it. A payload is copied once, and
// only when somebody takes it.
func (l *live) pass(m *Message, s *stream, mostPayload int) {
	readers := l.readers.Load()
	if readers == nil {
		return
	}
	var payload []byte
	for _, r := range *readers {
		if !r.wants(m, s) {
			continue
		}
		out := *m
		out.Device, out.Type, out.Room = s.subject.device, s.subject.kind, s.subject.room
		out.Size = max(m.Size, len(m.Payload))
		out.Payload, out.Truncated = nil, false
		if r.payloads.Load() && len(m.Payload) > 0 {
			if payload == nil {
				payload = bytes.Clone(m.Payload[:min(len(m.Payload), mostPayload)])
			}
			out.Payload, out.Truncated = payload, len(payload) < len(m.Payload)
		}
		if !r.push(out) {
			l.dropped.Add(1)
		}
	}
}

func (l *live) stats() (dropped uint64, readers int) {
	if rs := l.readers.Load(); rs != nil {
		readers = len(*rs)
	}
	return l.dropped.Load(), readers
}

func (l *live) change(by func([]*Reader) []*Reader) {
	var rs []*Reader
	if old := l.readers.Load(); old != nil {
		rs = append(rs, *old...)
	}
	if rs = by(rs); len(rs) == 0 {
		l.readers.Store(nil)
		return
	}
	l.readers.Store(&rs)
}

// close ends all readers.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.change(func(rs []*Reader) []*Reader {
		for _, r := range rs {
			r.end()
		}
		return nil
	})
}

// Reader is one view of what passes now. Its methods may be called from any
// goroutine.
type Reader struct {
	l        *live
	payloads atomic.Bool

	mu      sync.Mutex // guards all below
	filter  LiveFilter
	paused  bool
	streams map[*stream]bool // what the filter says of them
	ring    []Message
	head, n int
	dropped uint64
	tokens  float64
	filled  time.Time
	wake    chan struct{} // has an element when there is something
	ended   bool
}

// Live returns a new reader. ErrLimit: there are too many; ErrUnavailable: the
// hub stops. It must be closed.
func (t *Traffic) Live(f LiveFilter) (*Reader, error) {
	r := &Reader{l: &t.live, ring: make([]Message, t.c.LiveMessages), wake: make(chan struct{}, 1)}
	if err := r.Filter(f); err != nil {
		return nil, err
	}
	t.live.mu.Lock()
	defer t.live.mu.Unlock()
	if t.live.closed {
		return nil, errClosed
	}
	if _, n := t.live.stats(); n >= t.live.max {
		return nil, fmt.Errorf("watch traffic: %w: %d others do", fleet.ErrLimit, n)
	}
	t.live.change(func(rs []*Reader) []*Reader { return append(rs, r) })
	return r, nil
}

// Filter changes what the reader wants from now on. ErrInvalid for a bad one.
func (r *Reader) Filter(f LiveFilter) error {
	if err := f.Check(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.filter, r.streams = f, map[*stream]bool{}
	r.tokens, r.filled = float64(f.MaxRate), time.Now()
	r.payloads.Store(f.Payloads)
	return nil
}

// Pause makes the reader skip what passes, which does not count as dropped, or
// go on.
func (r *Reader) Pause(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = on
}

// maxRemembered bounds what a reader remembers of streams.
const maxRemembered = 1 << 15

func (r *Reader) wants(m *Message, s *stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paused || r.ended {
		return false
	}
	ok, known := r.streams[s]
	if !known || s.topic == other {
		f := &r.filter
		ok = (f.Device == "" || f.Device == m.Device) && (f.Direction == Both || f.Direction == m.Direction) &&
			(f.Topic == "" || topic.Match(f.Topic, m.Topic))
		if len(r.streams) >= maxRemembered {
			clear(r.streams)
		}
		r.streams[s] = ok
	}
	return ok && (r.filter.Contains == "" || bytes.Contains(m.Payload, []byte(r.filter.Contains)))
}

// push adds a message; false when the reader is too slow, or wants no more in
// this second.
func (r *Reader) push(m Message) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.filter.MaxRate > 0 {
		now := time.Now()
		r.tokens = min(float64(r.filter.MaxRate), r.tokens+now.Sub(r.filled).Seconds()*float64(r.filter.MaxRate))
		r.filled = now
		if r.tokens < 1 {
			r.drop()
			return false
		}
		r.tokens--
	}
	if r.n == len(r.ring) {
		r.drop()
		return false
	}
	r.ring[(r.head+r.n)%len(r.ring)] = m
	r.n++
	r.signal()
	return true
}

func (r *Reader) drop() {
	r.dropped++
	r.signal()
}

func (r *Reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // woken already
	}
}

// Next waits for messages and returns at most most of them in room, which it
// makes larger if it must, and how many were dropped since the last call.
// fleet.ErrUnavailable when the hub stops.
func (r *Reader) Next(ctx context.Context, room []Message, most int) (messages []Message, dropped uint64, err error) {
	messages = room[:0]
	for {
		r.mu.Lock()
		for r.n > 0 && len(messages) < most {
			messages = append(messages, r.ring[r.head])
			r.ring[r.head] = Message{}
			r.head, r.n = (r.head+1)%len(r.ring), r.n-1
		}
		dropped, r.dropped = r.dropped, 0
		if r.n > 0 {
			r.signal()
		}
		ended := r.ended
		r.mu.Unlock()
		if len(messages) > 0 || dropped > 0 {
			return messages, dropped, nil
		}
		if ended {
			return nil, 0, errClosed
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

func (r *Reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.signal()
}

// Close ends the reader.
func (r *Reader) Close() {
	r.end()
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.l.change(func(rs []*Reader) []*Reader {
		for i, o := range rs {
			if o == r {
				return append(rs[:i:i], rs[i+1:]...)
			}
		}
		return rs
	})
}
