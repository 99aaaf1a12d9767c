package traffic

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// flush writes what waits as one segment, the minutes that it feeds, and what
// the dictionary has learnt: one batch.
func (t *Traffic) flush(sync bool) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	if t.dead() {
		return errClosed
	}
	now := t.now()
	cut := t.cut(now)
	b := t.db.NewBatch()
	wrote := &pending{b: b, minutes: map[int64]summaries{}, open: map[int64]bool{}}
	seg := t.writeRecords(wrote, cut)
	err := t.writeSummaries(wrote, cut, now)
	for _, s := range cut.subjects {
		wrote.set(idKey(tableSubject, s.id), encodeSubject(s))
	}
	for _, s := range cut.streams {
		wrote.set(idKey(tableStream, s.id), encodeStream(s))
	}
	for _, g := range cut.gaps {
		wrote.set(numKey(tableGap, t.nextGap), encodeGap(g))
		t.nextGap++
	}
	if !cut.paused && (b.Count() > 0 || now.Sub(t.alive).Abs() >= time.Minute) {
		wrote.set(metaKey("alive"), encodeTime(now))
	}
	if err != nil {
		wrote.err = err
	}
	if wrote.err == nil && b.Empty() {
		t.publish(nil, cut)
		return b.Close()
	}
	sync = sync || now.Sub(t.synced).Abs() >= t.c.SyncEvery
	if err = wrote.err; err == nil {
		err = t.commit(b, sync, func() { t.publish(seg, cut) })
	}
	if err != nil {
		// The counts in memory are ahead of the disk now: no more is written.
		err = fmt.Errorf("write traffic: %w", err)
		t.fail(err)
		return err
	}
	t.alive, t.minutes = now, wrote.minutes
	if sync {
		t.synced = now
	}
	for h, open := range wrote.open {
		if open {
			t.open[h] = true
		} else {
			delete(t.open, h)
		}
	}
	return nil
}

// pending is what a flush is about to write.
type pending struct {
	b       *pebble.Batch
	err     error
	minutes map[int64]summaries
	open    map[int64]bool // hours that become open, or (false) closed
}

func (w *pending) set(k, v []byte) {
	if w.err == nil {
		w.err = w.b.Set(k, v, nil)
	}
}

func (w *pending) delete(k []byte) {
	if w.err == nil {
		w.err = w.b.Delete(k, nil)
	}
}

// cut is what one flush writes.
type cut struct {
	tail
	streams  []*stream
	subjects []*subject
	byID     []*stream
	seq      uint64
	paused   bool
}

// cut takes what waits. Until publish, readers find it in flushing.
func (t *Traffic) cut(now time.Time) *cut {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting.lost > 0 {
		t.waiting.gaps = append(t.waiting.gaps, Gap{From: t.waiting.from, To: now, Reason: GapOverflow, Lost: t.waiting.lost})
	}
	c := &cut{tail: t.waiting, seq: t.next, paused: t.off != ""}
	t.flushing, t.waiting = t.waiting, tail{}
	c.subjects, t.dict.unsavedSubjects = t.dict.unsavedSubjects, nil
	c.streams, t.dict.unsaved = t.dict.unsaved, nil
	for _, s := range c.streams {
		s.used, s.unsaved = c.seq, false
	}
	seen := map[uint32]bool{}
	for _, page := range c.pages {
		for i := range page {
			seen[page[i].stream] = true
		}
	}
	for id := range seen {
		s := t.dict.streams[id]
		s.waiting = false
		t.dict.placeAgain(s)
		if s.used+t.dict.refresh <= c.seq {
			s.used = c.seq
			c.streams = append(c.streams, s)
		}
	}
	c.byID = t.dict.streams
	return c
}

// publish shows what was written, and forgets what waited for it.
func (t *Traffic) publish(seg *segment, c *cut) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seg != nil {
		t.segments = append(t.segments[:len(t.segments):len(t.segments)], seg)
		t.next = seg.last + 1
	}
	t.flushing = tail{}
	if t.readers > 0 {
		return // somebody may still look at the pages
	}
	for _, p := range c.pages {
		if len(t.pages) < t.c.BlockRecords/pageRecords+1 {
			clear(p)
			t.pages = append(t.pages, p[:0])
		}
	}
}

// writeRecords adds the segment to the batch; nil when there are no records.
func (t *Traffic) writeRecords(w *pending, c *cut) *segment {
	if c.records == 0 {
		return nil
	}
	rs := make([]record, 0, c.records)
	for _, p := range c.pages {
		rs = append(rs, p...)
	}
	seg, values := buildSegment(c.seq, c.seq, 0, rs)
	for i, v := range values {
		w.set(chunkKey(seg.first, i), v)
	}
	w.set(numKey(tableSegment, seg.first), encodeSegment(seg))
	return seg
}

// commit commits b and then calls done, with nobody looking in between. When
// the engine stalls, as on a full disk, it waits until that is over or the hub
// ends.
func (t *Traffic) commit(b *pebble.Batch, sync bool, done func()) error {
	select {
	case t.gate <- struct{}{}:
	case <-t.failure:
		return errClosed
	case <-t.stopped:
		return errClosed
	}
	defer func() { <-t.gate }()
	opts := pebble.NoSync
	if sync {
		opts = pebble.Sync
	}
	result := make(chan error, 1)
	go func() { result <- b.Commit(opts) }() // of its own: it may never return
	select {
	case err := <-result:
		if err != nil {
			return err
		}
		done()
		return b.Close()
	case <-t.failure:
		return errClosed
	case <-t.stopped:
		return fmt.Errorf("%w: the disk did not take it in time", errClosed)
	}
}
