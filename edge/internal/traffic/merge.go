package traffic

import (
	"context"
	"errors"
	"fmt"
)

// mergeFactor is how many segments of one level become one of the next.
const mergeFactor = 16

// mergeSpan is the longest time in a merged segment, in milliseconds, so that
// ages are kept to a day.
const mergeSpan = 24 * 60 * 60 * 1000

// mergePayload bytes of payloads are in memory for one merge, and a little
// more: what reaches them is not merged further.
const mergePayload = 16 << 20

// Merge brings small segments together until none are left to bring together.
func (t *Traffic) Merge(ctx context.Context) error {
	t.tending.Lock()
	defer t.tending.Unlock()
	for ctx.Err() == nil && !t.dead() {
		group, level := t.mergeable()
		if len(group) == 0 {
			return nil
		}
		if err := t.merge(ctx, group, level); err != nil {
			return fmt.Errorf("merge traffic: %w", err)
		}
	}
	return ctx.Err()
}

// mergeable returns the newest segments that should become one, and its level.
func (t *Traffic) mergeable() ([]*segment, uint8) {
	t.mu.Lock()
	all := t.segments
	t.mu.Unlock()
	for end := len(all); end > 0; {
		level := all[end-1].level
		begin, records := end, 0
		for begin > 0 && all[begin-1].level == level {
			begin--
			records += all[begin].records
		}
		if level < full && (end-begin >= mergeFactor || records >= t.c.SegmentRecords) {
			return t.oldestGroup(all[begin:end], level)
		}
		end = begin
	}
	return nil, 0
}

// oldestGroup takes from the front of segments of one level what makes one of
// the next.
func (t *Traffic) oldestGroup(all []*segment, level uint8) ([]*segment, uint8) {
	n, records, lo, hi := 0, 0, all[0].min, all[0].max
	for n < len(all) && n < 4*mergeFactor && records < t.c.SegmentRecords {
		s := all[n]
		if lo, hi = min(lo, s.min), max(hi, s.max); n > 0 && hi-lo > mergeSpan {
			level = full - 1
			break
		}
		records += s.records
		n++
	}
	if records >= t.c.SegmentRecords {
		level = full - 1
	}
	if n == 1 {
		// Large, or long, by itself: it is written once more, as full, and then
		// not looked at again.
		return all[:1], full
	}
	return all[:n], min(level+1, full)
}

// merge writes the records of group as one segment in their place; with large
// payloads, those of the first in group.
func (t *Traffic) merge(ctx context.Context, group []*segment, level uint8) error {
	v, err := t.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	var rs []record
	payload := 0
	for i, s := range group {
		if err := v.scan(s, true, nil, func(r record) {
			rs = append(rs, r)
			payload += len(r.payload)
		}); err != nil {
			return err
		}
		if payload >= mergePayload {
			group, level = group[:i+1], full
			break
		}
	}
	b := t.db.NewBatch()
	first, last := group[0].first, group[len(group)-1].last
	if err := errors.Join(
		b.DeleteRange(chunkKey(first, 0), numKey(tableChunk, last+1), nil),
		b.DeleteRange(numKey(tableSegment, first), numKey(tableSegment, last+1), nil),
	); err != nil {
		return err
	}
	var seg *segment
	if len(rs) > 0 {
		var values [][]byte
		seg, values = buildSegment(first, last, level, rs)
		for i, v := range values {
			err = errors.Join(err, b.Set(chunkKey(first, i), v, nil))
		}
		if err = errors.Join(err, b.Set(numKey(tableSegment, first), encodeSegment(seg), nil)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return errors.Join(err, b.Close())
	}
	return t.commit(b, false, func() {
		t.replace(first, last, seg)
		t.mu.Lock()
		t.waiting.gaps = append(t.waiting.gaps, v.damaged...)
		t.mu.Unlock()
	})
}

// replace puts seg in the place of the segments first to last; nil removes
// them.
func (t *Traffic) replace(first, last uint64, seg *segment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*segment, 0, len(t.segments))
	for _, s := range t.segments {
		switch {
		case s.first < first || s.first > last:
			out = append(out, s)
		case s.first == first && seg != nil:
			out = append(out, seg)
		}
	}
	t.segments = out
}
