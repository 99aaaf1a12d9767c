package lane

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// TrafficPart is one part of an hour of traffic on its way, or all of it. Its
// rows are those of the part.
type TrafficPart struct {
	// Number counts the parts of a session, from 1.
	Number uint64
	// Part is from 0, below Parts.
	Part, Parts int
	fleet.TrafficHour
	size int // about what its rows take
}

// TrafficMark says how far lane 4 is.
type TrafficMark struct {
	// Number is the highest of a part in the session.
	Number uint64 `json:"number,omitempty"`
	// Taken counts how often an hour was acknowledged in the epoch. It tells a
	// console that was restored from one that was not.
	Taken uint64 `json:"taken,omitempty"`
}

// receiveTraffic stores parts of hours. An hour is held when all its parts are
// there, and then replaces what was held of it; the version says that it is
// another, the number that it is the newer one: hours have no order of their
// own, as a clock that comes back changes them.
func receiveTraffic(h Holder, parts []TrafficPart, a *Applied) error {
	if len(parts) == 0 {
		return nil
	}
	mark, err := h.TrafficMark()
	if err != nil {
		return err
	}
	for _, p := range parts {
		stray := p.Number <= mark.Number
		mark.Number = max(mark.Number, p.Number)
		held, found, err := h.TrafficHeld(p.Start)
		if err != nil {
			return err
		}
		if found && held == p.Version {
			if !stray {
				mark.Taken++
			}
			a.Receipt.Hours = append(a.Receipt.Hours, p.TrafficRef)
			continue
		}
		if stray {
			continue
		}
		whole, err := h.PutTraffic(p)
		if err != nil {
			return err
		}
		if whole {
			mark.Taken++
			a.Receipt.Hours = append(a.Receipt.Hours, p.TrafficRef)
			a.Hours = append(a.Hours, p.TrafficRef)
		}
	}
	return h.SetTrafficMark(mark)
}

// HourLog is what the TrafficSender reads of the hub's record of traffic.
type HourLog interface {
	// PendingHours returns the newest hours, at most most, that are over and that
	// the console has not acknowledged; the newest first.
	PendingHours(ctx context.Context, most int) ([]fleet.TrafficRef, error)
	// Hour returns an hour; fleet.ErrNotFound when it is there no more.
	Hour(ctx context.Context, start time.Time) (fleet.TrafficHour, error)
}

// hoursAtOnce are asked for at once.
const hoursAtOnce = 32

// TrafficSender sends hours of traffic, round by round: in a round each
// pending hour goes up once, the newest first. What the console does not
// acknowledge stays pending and goes up in the next round. One goroutine owns
// it; it holds no more hours than fill one call.
type TrafficSender struct {
	number uint64 // of the last part of the session
	on     bool   // a round is under way
	todo   []fleet.TrafficRef
	parts  []TrafficPart // of the hours under way
	// sending is how many of parts are on their way.
	sending int
	sent    map[fleet.TrafficRef]bool
}

// Open begins a session: no round is under way, and numbers begin anew.
func (s *TrafficSender) Open() { *s = TrafficSender{} }

// Begin begins a round, unless one is under way.
func (s *TrafficSender) Begin() {
	if !s.on {
		s.on, s.todo, s.parts, s.sending, s.sent = true, nil, nil, 0, map[fleet.TrafficRef]bool{}
	}
}

// End gives the round up.
func (s *TrafficSender) End() { *s = TrafficSender{number: s.number} }

// Busy reports whether a round is under way.
func (s *TrafficSender) Busy() bool { return s.on }

// Next returns the parts to send next, each of about maxBytes and together of
// about most, and one at least; none when the round is over. The same parts are
// returned until OnPush is called.
func (s *TrafficSender) Next(ctx context.Context, log HourLog, maxBytes, most int) ([]TrafficPart, error) {
	if s.sending > 0 {
		return s.parts[:s.sending], nil
	}
	for s.on && s.waiting() < most {
		if len(s.todo) == 0 {
			done, err := s.more(ctx, log)
			if err != nil {
				return nil, err
			}
			if done {
				break
			}
		}
		ref := s.todo[0]
		s.todo = s.todo[1:]
		s.sent[ref] = true
		hour, err := log.Hour(ctx, ref.Start)
		if errors.Is(err, fleet.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.sent[hour.TrafficRef] = true // it may have changed since it was listed
		s.parts = append(s.parts, split(hour, maxBytes)...)
	}
	if len(s.parts) == 0 {
		s.End()
		return nil, nil
	}
	for size := 0; s.sending < len(s.parts) && (s.sending == 0 || size < most); s.sending++ {
		s.number++
		s.parts[s.sending].Number = s.number
		size += s.parts[s.sending].size
	}
	return s.parts[:s.sending], nil
}

// waiting is about what the parts take that were not sent yet.
func (s *TrafficSender) waiting() int {
	n := 0
	for _, p := range s.parts {
		n += max(1, p.size)
	}
	return n
}

// more asks for pending hours that were not sent in this round; done when there
// is none.
func (s *TrafficSender) more(ctx context.Context, log HourLog) (done bool, err error) {
	// Those that were sent and are pending still come first: they must not hide
	// the others.
	most := hoursAtOnce
	for {
		refs, err := log.PendingHours(ctx, most)
		if err != nil {
			return false, err
		}
		full := len(refs) == most
		refs = slices.DeleteFunc(refs, func(r fleet.TrafficRef) bool { return s.sent[r] })
		if len(refs) > 0 {
			s.todo = refs
			return false, nil
		}
		if !full {
			return true, nil
		}
		most *= 2
	}
}

// OnPush takes the answer to the push of the parts that Next has returned. The
// rest of an hour that is held already is not sent.
func (s *TrafficSender) OnPush(r Receipt) {
	s.parts, s.sending = s.parts[s.sending:], 0
	s.parts = slices.DeleteFunc(slices.Clone(s.parts), func(p TrafficPart) bool { return slices.Contains(r.Hours, p.TrafficRef) })
}

// split cuts an hour into parts of about maxBytes, and at most
// fleet.MaxTrafficParts.
func split(h fleet.TrafficHour, maxBytes int) []TrafficPart {
	sizes, all := make([]int, len(h.Rows)), 0
	for i, r := range h.Rows {
		sizes[i] = proto.Size(wire.EncodeTrafficRow(r)) + 4
		all += sizes[i]
	}
	// Twice, as a part may end half empty before a large row.
	maxBytes = max(maxBytes, 2*all/fleet.MaxTrafficParts+1)
	parts := []TrafficPart{{TrafficHour: fleet.TrafficHour{TrafficRef: h.TrafficRef}}}
	left := maxBytes
	for i, r := range h.Rows {
		last := &parts[len(parts)-1]
		if left -= sizes[i]; left < 0 && len(last.Rows) > 0 {
			parts = append(parts, TrafficPart{Part: len(parts), TrafficHour: fleet.TrafficHour{TrafficRef: h.TrafficRef}})
			last, left = &parts[len(parts)-1], maxBytes-sizes[i]
		}
		last.Rows = append(last.Rows, r)
		last.size += sizes[i]
	}
	for i := range parts {
		parts[i].Parts = len(parts)
	}
	return parts
}
