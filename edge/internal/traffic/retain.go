package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// maxGaps are kept; the oldest go first.
const maxGaps = 1000

// Retain drops what is older than its age, and then, in the order raw records,
// minutes, hours, the oldest until the database is within its budget. While the
// clock cannot be right nothing is too old.
func (t *Traffic) Retain(ctx context.Context) error {
	t.tending.Lock()
	defer t.tending.Unlock()
	if t.dead() {
		return errClosed
	}
	if now, trusted := t.c.Now(); trusted {
		if err := t.dropOld(ctx, now); err != nil {
			return fmt.Errorf("drop old traffic: %w", err)
		}
	}
	if err := t.dropGaps(); err != nil {
		return fmt.Errorf("drop old gaps of traffic: %w", err)
	}
	// A sixteenth is left for what comes until the next time, and for the
	// engine's own work.
	return t.dropTo(ctx, t.c.Budget-t.c.Budget/16)
}

func (t *Traffic) dropOld(ctx context.Context, now time.Time) error {
	before := now.Add(-t.c.RawAge).UnixMilli()
	var old []*segment
	for _, s := range t.allSegments() {
		if s.max < before {
			old = append(old, s)
		}
	}
	err := t.dropSegments(ctx, old)
	if err == nil {
		err = t.dropMinutes(ctx, hourOf(minuteOf(now.Add(-t.c.MinuteAge).UnixMilli())))
	}
	if err == nil {
		err = t.dropHours(ctx, hourOf(minuteOf(now.Add(-t.c.HourAge).UnixMilli())))
	}
	return err
}

func (t *Traffic) allSegments() []*segment {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.segments
}

// dropTo drops the oldest of each kind until at most that many bytes are live,
// or nothing is left. What the engine has yet to delete from the disk does not
// count. The caller holds tending.
func (t *Traffic) dropTo(ctx context.Context, most uint64) error {
	for ctx.Err() == nil {
		size := t.liveBytes()
		if size <= most {
			return nil
		}
		// Not too little at once: each time costs a compaction.
		dropped, err := t.dropOldest(ctx, max(size-most, most/64))
		if err != nil {
			return fmt.Errorf("drop traffic beyond its budget: %w", err)
		}
		if !dropped {
			return nil // what is left is the engine's own
		}
	}
	return ctx.Err()
}

func (t *Traffic) liveBytes() uint64 {
	m := t.db.Metrics()
	total := m.Total()
	return uint64(total.TablesSize) + m.WAL.Size
}

// dropOldest drops about that many bytes of the first kind that there is.
func (t *Traffic) dropOldest(ctx context.Context, excess uint64) (bool, error) {
	segments := t.allSegments()
	n, sum := 0, uint64(0)
	for n < len(segments) && sum < excess {
		sum += segments[n].bytes()
		n++
	}
	if n > 0 {
		return true, t.dropSegments(ctx, segments[:n])
	}
	for _, kind := range []struct {
		table byte
		per   int64 // numbers in an hour
		drop  func(context.Context, int64) error
	}{{tableMinute, 60, t.dropMinutes}, {tableHour, 1, t.dropHours}} {
		to, err := t.upTo(kind.table, excess, kind.per)
		if err != nil {
			return false, err
		}
		if to > 0 {
			return true, kind.drop(ctx, to)
		}
	}
	return false, nil
}

// upTo is the hour before which a table of summaries holds that many bytes, at
// least one hour after its first; 0 when nothing of it may go.
func (t *Traffic) upTo(which byte, size uint64, per int64) (int64, error) {
	t.writing.Lock()
	limit := t.firstOpen()
	t.writing.Unlock()
	var hour int64
	var sum uint64
	err := t.each(which, func(k, v []byte) error {
		n, ok := keyNumber(k)
		if !ok || sum >= size && int64(n)/per >= hour {
			return nil
		}
		if h := int64(n)/per + 1; h <= limit {
			hour = max(hour, h)
			sum += uint64(len(k) + len(v))
		}
		return nil
	})
	return hour, err
}

// firstOpen is the first hour that is not summed up yet: its minutes stay. The
// caller holds writing.
func (t *Traffic) firstOpen() int64 {
	first := hourOf(minuteOf(t.now().UnixMilli()))
	for h := range t.open {
		first = min(first, h)
	}
	return first
}

func (t *Traffic) dropSegments(ctx context.Context, segs []*segment) error {
	if len(segs) == 0 {
		return nil
	}
	b := t.db.NewBatch()
	gone := map[uint64]bool{}
	for _, s := range segs {
		gone[s.first] = true
		if err := errors.Join(
			b.DeleteRange(chunkKey(s.first, 0), numKey(tableChunk, s.last+1), nil),
			b.Delete(numKey(tableSegment, s.first), nil),
		); err != nil {
			return err
		}
	}
	if err := t.commit(b, false, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		var left []*segment
		for _, s := range t.segments {
			if !gone[s.first] {
				left = append(left, s)
			}
		}
		t.segments = left
	}); err != nil {
		return err
	}
	if err := t.forgetStreams(); err != nil {
		return err
	}
	return t.reclaim(ctx, chunkKey(segs[0].first, 0), numKey(tableChunk, segs[len(segs)-1].last+1))
}

// forgetStreams removes from the dictionary what nothing names any more.
func (t *Traffic) forgetStreams() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	t.mu.Lock()
	oldest := t.next
	if len(t.segments) > 0 {
		oldest = t.segments[0].first
	}
	ids := t.dict.forget(oldest)
	t.mu.Unlock()
	b := t.db.NewBatch()
	for _, id := range ids {
		if err := b.Delete(idKey(tableStream, id), nil); err != nil {
			return err
		}
	}
	return t.commit(b, false, func() {})
}

// dropMinutes drops the minutes before an hour, but none of an hour that is
// not summed up.
func (t *Traffic) dropMinutes(ctx context.Context, before int64) error {
	t.writing.Lock()
	before = min(before, t.firstOpen())
	floor := 60 * before
	if floor <= t.floor.Load() {
		t.writing.Unlock()
		return nil
	}
	from, to := timeKey(tableMinute, 0), timeKey(tableMinute, floor)
	b := t.db.NewBatch()
	err := errors.Join(b.DeleteRange(from, to, nil), b.Set(metaKey("floor"), encodeTime(fromMillis(floor*60_000)), nil))
	if err == nil {
		err = t.commit(b, false, func() { t.floor.Store(floor) })
	}
	t.writing.Unlock()
	if err != nil {
		return err
	}
	return t.reclaim(ctx, from, to)
}

func (t *Traffic) dropHours(ctx context.Context, before int64) error {
	if before <= 0 {
		return nil
	}
	b := t.db.NewBatch()
	from, to := timeKey(tableHour, 0), timeKey(tableHour, before)
	if err := errors.Join(
		b.DeleteRange(from, to, nil), b.DeleteRange(timeKey(tablePending, 0), timeKey(tablePending, before), nil),
	); err != nil {
		return err
	}
	if first, err := t.first(tableHour); err != nil || first == nil || bytes.Compare(first, to) >= 0 {
		return errors.Join(err, b.Close()) // there is none
	}
	if err := t.commit(b, false, func() {}); err != nil {
		return err
	}
	return t.reclaim(ctx, from, to)
}

// first is the first key of a table; nil when it is empty.
func (t *Traffic) first(which byte) (key []byte, err error) {
	from, to := table(which)
	it, err := t.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, err
	}
	if it.First() {
		key = bytes.Clone(it.Key())
	}
	return key, it.Close()
}

// dropGaps keeps the newest gaps.
func (t *Traffic) dropGaps() error {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.nextGap < t.firstGap+maxGaps+maxGaps/10 {
		return nil
	}
	first := t.nextGap - maxGaps
	b := t.db.NewBatch()
	if err := b.DeleteRange(numKey(tableGap, 0), numKey(tableGap, first), nil); err != nil {
		return err
	}
	t.firstGap = first
	return t.commit(b, false, func() {})
}

// reclaim gives the disk back what was dropped between two keys.
func (t *Traffic) reclaim(ctx context.Context, from, to []byte) error {
	if err := t.db.Compact(ctx, from, to, false); err != nil && ctx.Err() == nil {
		return fmt.Errorf("compact: %w", err)
	}
	return nil
}
