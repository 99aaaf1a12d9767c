package traffic

import (
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// view is one moment of the record: what is on disk and what waits.
type view struct {
	t        *Traffic
	snap     *pebble.Snapshot
	segments []*segment
	tails    [2][][]record // flushing, waiting
	streams  []*stream
	subjects []*subject
	waiting  []Gap // not on disk
	damaged  []Gap
}

// view takes a moment. It must be closed.
func (t *Traffic) view(ctx context.Context) (*view, error) {
	select {
	case t.gate <- struct{}{}:
	case <-t.failure:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-t.gate }()
	if t.dead() {
		return nil, errClosed
	}
	v := &view{t: t, snap: t.db.NewSnapshot()}
	t.mu.Lock()
	defer t.mu.Unlock()
	v.segments = t.segments
	v.tails = [2][][]record{clonePages(t.flushing.pages), clonePages(t.waiting.pages)}
	v.streams, v.subjects = t.dict.streams, t.dict.subjects
	v.waiting = slices.Concat(t.flushing.gaps, t.waiting.gaps)
	if t.off != "" {
		v.waiting = append(v.waiting, Gap{From: t.offSince, To: t.now(), Reason: t.off, Lost: t.offLost})
	}
	t.readers++
	return v, nil
}

func clonePages(pages [][]record) [][]record { return append([][]record(nil), pages...) }

func (v *view) close() {
	v.t.mu.Lock()
	v.t.readers--
	v.t.mu.Unlock()
	_ = v.snap.Close()
}

// scan gives emit the records of a segment: of those chunks that may hold
// subjects from want, and of its streams. A damaged chunk is a gap, not an
// error.
func (v *view) scan(s *segment, payloads bool, want *selection, emit func(record)) error {
	for i, c := range s.chunks {
		if !want.mayHold(c) {
			continue
		}
		if err := v.scanChunk(s, i, payloads, want, emit); err != nil {
			return err
		}
	}
	return nil
}

func (v *view) scanChunk(s *segment, i int, payloads bool, want *selection, emit func(record)) error {
	b, closer, err := v.snap.Get(chunkKey(s.first, i))
	if err == nil {
		err = decodeChunk(b, payloads, want.streams(), func(r record) {
			if st := at(v.streams, r.stream); st != nil {
				r.subject = st.subject.id
			}
			emit(r)
		})
		err = errors.Join(err, closer.Close())
	}
	if errors.Is(err, errDamaged) || errors.Is(err, pebble.ErrNotFound) || pebble.IsCorruptionError(err) {
		v.t.log.Error("traffic chunk is damaged and left out", "segment", s.first, "chunk", i, "error", err)
		v.damaged = append(v.damaged, Gap{
			From: fromMillis(s.min), To: fromMillis(s.max), Reason: GapDamaged, Lost: uint64(s.chunks[i].records),
		})
		return nil
	}
	return err
}

// selection is which streams a query wants; nil for all.
type selection struct {
	wanted map[uint32]bool // streams
	ranges []uint32        // their subjects, sorted
}

func (s *selection) mayHold(c chunkInfo) bool {
	if s == nil {
		return true
	}
	for _, id := range s.ranges {
		if id >= c.firstSubject && id <= c.lastSubject {
			return true
		}
	}
	return false
}

func (s *selection) streams() func(uint32) bool {
	if s == nil {
		return nil
	}
	return func(id uint32) bool { return s.wanted[id] }
}
