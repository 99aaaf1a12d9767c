package traffic

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Filter is which records a query wants; zero fields are any.
type Filter struct {
	Device    string
	Topic     string // an MQTT filter
	Direction Direction
	// From and To bound the time, both included.
	From, To time.Time
}

// Check reports as ErrInvalid what is wrong with f.
func (f Filter) Check() error {
	if f.Topic != "" {
		if err := topic.CheckFilter(f.Topic); err != nil {
			return err
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.To.Before(f.From) {
		return fmt.Errorf("%w: time range: want from before to", fleet.ErrInvalid)
	}
	return nil
}

// Cursor is a place in the order of History: how many records of one stream in
// one millisecond were shown, with all newer ones. The zero Cursor is before
// the newest.
type Cursor struct {
	At     int64  `json:"a"`
	Stream uint32 `json:"s"`
	Shown  int    `json:"n"`
}

// maxShown bounds what a cursor may ask to skip.
const maxShown = 1 << 20

// History is one page, the newest first.
type History struct {
	Messages []Message
	// Next is for the page after this one; nil on the last.
	Next *Cursor
	// Gaps in the time of the page: messages are, or may be, missing.
	Gaps []Gap
}

// History returns at most limit records, newest first; those of one
// millisecond by stream. Records that come in later do not shift the pages of
// what was there.
func (t *Traffic) History(ctx context.Context, f Filter, limit int, c Cursor) (History, error) {
	if err := f.Check(); err != nil {
		return History{}, err
	}
	if limit <= 0 || c.Shown < 0 || c.Shown > maxShown {
		return History{}, fmt.Errorf("%w: limit or cursor of a page of traffic", fleet.ErrInvalid)
	}
	v, err := t.view(ctx)
	if err != nil {
		return History{}, err
	}
	defer v.close()
	from, to := bounds(f)
	if c != (Cursor{}) {
		to = min(to, c.At)
	}
	n := &newest{most: limit + 1 + c.Shown, cursor: c, from: from, to: to}
	if err := v.newest(ctx, v.selection(f), n); err != nil {
		return History{}, err
	}
	return v.page(n.result(), limit, c, from, to)
}

func bounds(f Filter) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if !f.From.IsZero() {
		from = f.From.UnixMilli()
	}
	if !f.To.IsZero() {
		to = f.To.UnixMilli()
	}
	return from, to
}

// newest gathers the newest records of what it is given.
type newest struct {
	most     int
	cursor   Cursor
	from, to int64
	kept     []record // sorted up to the last trim
}

// later is the order of History.
func later(a, b record) int {
	if a.at != b.at {
		return less(b.at, a.at)
	}
	return less(b.stream, a.stream)
}

func (n *newest) take(r record) {
	if r.at < n.from || r.at > n.to {
		return
	}
	if c := n.cursor; c != (Cursor{}) && r.at == c.At && r.stream > c.Stream {
		return
	}
	n.kept = append(n.kept, r)
	if len(n.kept) >= 2*n.most+chunkRecords {
		n.trim()
	}
}

// trim keeps the newest. What comes first of records that the order does not
// tell apart stays first: parts are scanned from the newest, and each is given
// backwards.
func (n *newest) trim() {
	slices.SortStableFunc(n.kept, later)
	if len(n.kept) > n.most {
		clear(n.kept[n.most:])
		n.kept = n.kept[:n.most]
		n.from = max(n.from, n.kept[n.most-1].at)
	}
}

// settled reports whether nothing at or before at can matter any more.
func (n *newest) settled(at int64) bool {
	if len(n.kept) < n.most {
		return false
	}
	n.trim()
	return at < n.kept[n.most-1].at
}

// result is what is behind the cursor.
func (n *newest) result() []record {
	n.trim()
	out, skip := n.kept, n.cursor.Shown
	for skip > 0 && len(out) > 0 && out[0].at == n.cursor.At && out[0].stream == n.cursor.Stream {
		out, skip = out[1:], skip-1
	}
	return out
}

// selection is which streams f wants; nil for all.
func (v *view) selection(f Filter) *selection {
	if f.Device == "" && f.Topic == "" && f.Direction == Both {
		return nil
	}
	s := &selection{wanted: map[uint32]bool{}}
	for _, st := range v.streams {
		if st == nil || f.Device != "" && st.subject.device != f.Device ||
			f.Direction != Both && st.out != (f.Direction == Outbound) ||
			f.Topic != "" && !topic.Match(f.Topic, st.topic) {
			continue
		}
		s.wanted[st.id] = true
		s.ranges = append(s.ranges, st.subject.id)
	}
	slices.Sort(s.ranges)
	s.ranges = slices.Compact(s.ranges)
	return s
}

// newest gives n the records of the view, the newest parts first, until no
// other part can have a newer one.
func (v *view) newest(ctx context.Context, want *selection, n *newest) error {
	if want != nil && len(want.wanted) == 0 {
		return nil
	}
	for i := len(v.tails) - 1; i >= 0; i-- {
		v.tailBackwards(i, want, n.take)
	}
	segs := slices.Clone(v.segments)
	slices.Reverse(segs)
	slices.SortStableFunc(segs, func(a, b *segment) int { return less(b.max, a.max) })
	var part []record
	for _, s := range segs {
		if n.settled(s.max) || s.max < n.from {
			break
		}
		if !s.overlaps(n.from, n.to) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// Chunk by chunk: a segment with its payloads can be large.
		for i, c := range slices.Backward(s.chunks) {
			if !want.mayHold(c) {
				continue
			}
			part = part[:0]
			if err := v.scanChunk(s, i, true, want, func(r record) { part = append(part, r) }); err != nil {
				return err
			}
			for _, r := range slices.Backward(part) {
				n.take(r)
			}
		}
	}
	return nil
}

func (v *view) tailBackwards(i int, want *selection, emit func(record)) {
	pages := v.tails[i]
	for p := len(pages) - 1; p >= 0; p-- {
		for j := len(pages[p]) - 1; j >= 0; j-- {
			if r := pages[p][j]; want == nil || want.wanted[r.stream] {
				emit(r)
			}
		}
	}
}

// page makes a page of records, of which there is one more than limit when
// there is another page.
func (v *view) page(rs []record, limit int, before Cursor, from, to int64) (History, error) {
	h := History{Messages: make([]Message, 0, min(len(rs), limit)), Gaps: v.damaged}
	more := len(rs) > limit
	if more {
		rs = rs[:limit]
		last := rs[limit-1]
		c := Cursor{At: last.at, Stream: last.stream}
		for i := limit - 1; i >= 0 && rs[i].at == last.at && rs[i].stream == last.stream; i-- {
			c.Shown++
		}
		if c.Shown == limit && c.At == before.At && c.Stream == before.Stream {
			c.Shown += before.Shown // the page was all of one stream and millisecond
		}
		h.Next = &c
		from = last.at
	}
	for _, r := range rs {
		h.Messages = append(h.Messages, v.message(r))
	}
	gaps, err := v.gaps(from, to)
	h.Gaps = append(h.Gaps, gaps...)
	return h, err
}

// message shows a record.
func (v *view) message(r record) Message {
	m := Message{
		At: fromMillis(r.at), Direction: Inbound, QoS: r.flags & flagQoS, Retain: r.flags&flagRetain != 0,
		Size: int(r.size), Payload: r.payload, Truncated: r.flags&flagTruncated != 0,
		Device: other, Topic: other,
	}
	if s := at(v.streams, r.stream); s != nil {
		m.Device, m.Topic, m.Type, m.Room = s.subject.device, s.topic, s.subject.kind, s.subject.room
		if s.out {
			m.Direction = Outbound
		}
	}
	return m
}

// gaps are those that overlap a time, the oldest first.
func (v *view) gaps(from, to int64) ([]Gap, error) {
	var out []Gap
	keep := func(g Gap) {
		if g.From.UnixMilli() <= to && g.To.UnixMilli() >= from {
			out = append(out, g)
		}
	}
	lo, hi := table(tableGap)
	err := v.t.eachIn(v.snap, lo, hi, func(_, b []byte) error {
		g, err := decodeGap(b)
		if err == nil {
			keep(g)
		}
		return err
	})
	for _, g := range v.waiting {
		keep(g)
	}
	return out, err
}
