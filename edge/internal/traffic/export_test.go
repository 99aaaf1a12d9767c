package traffic

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// Compact brings the database into the form that it has after a while.
func (t *Traffic) Compact(ctx context.Context) error {
	return t.db.Compact(ctx, []byte{0}, []byte{0xff}, false)
}

// DropTo is Retain for a budget of that many bytes, whatever the ages.
func (t *Traffic) DropTo(ctx context.Context, bytes uint64) error {
	t.tending.Lock()
	defer t.tending.Unlock()
	return t.dropTo(ctx, bytes)
}

// Sizes are the bytes on disk of the raw records with headers and dictionary,
// and of the summaries.
func (t *Traffic) Sizes() (raw, summaries uint64) {
	for _, k := range []byte{tableSubject, tableStream, tableSegment, tableChunk, tableMinute, tableHour} {
		from, to := table(k)
		n, err := t.db.EstimateDiskUsage(from, to)
		if err != nil {
			panic(err)
		}
		if k == tableMinute || k == tableHour {
			summaries += n
		} else {
			raw += n
		}
	}
	return raw, summaries
}

// GapsOver returns the gaps of a view that is open while fn runs.
func (t *Traffic) GapsOver(ctx context.Context, fn func()) ([]Gap, error) {
	v, err := t.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	fn()
	return v.gaps(math.MinInt64, math.MaxInt64)
}

// MostPayload is how many bytes of payloads there are in one segment at the most.
func (t *Traffic) MostPayload(ctx context.Context) (most int, err error) {
	v, err := t.view(ctx)
	if err != nil {
		return 0, err
	}
	defer v.close()
	for _, s := range v.segments {
		n := 0
		if err := v.scan(s, true, nil, func(r record) { n += len(r.payload) }); err != nil {
			return 0, err
		}
		most = max(most, n)
	}
	return most, nil
}

// Segments is how many there are.
func (t *Traffic) Segments() int { return len(t.allSegments()) }

// Streams is how many the dictionary knows.
func (t *Traffic) Streams() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dict.live
}

// RefreshUse makes uses of topics old after n flushes.
func (t *Traffic) RefreshUse(n uint64) { t.dict.refresh = n }

// Recount counts the raw records on disk anew and says where the minutes say
// something else.
func (t *Traffic) Recount(ctx context.Context) error {
	v, err := t.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	want := map[int64]summaries{}
	for _, s := range v.segments {
		if err := v.scan(s, true, nil, func(r record) {
			m := minuteOf(r.at)
			if want[m] == nil {
				want[m] = summaries{}
			}
			count(want[m].row(r.subject), &r, v.streams[r.stream])
		}); err != nil {
			return err
		}
	}
	if len(v.damaged) > 0 {
		return fmt.Errorf("damaged: %v", v.damaged)
	}
	from, to := table(tableMinute)
	if err := t.eachIn(v.snap, from, to, func(k, b []byte) error {
		n, _ := keyNumber(k)
		got, err := decodeSummaries(b)
		for id, r := range got {
			r.fields = nil // not of the records
			if r.Counts == (Counts{}) {
				delete(got, id)
			}
		}
		if err == nil && !got.equal(want[int64(n)]) {
			err = fmt.Errorf("minute %d says %v, the records %v", n, got, want[int64(n)])
		}
		delete(want, int64(n))
		return err
	}); err != nil {
		return err
	}
	if len(want) > 0 {
		return fmt.Errorf("records of %d minutes without a summary", len(want))
	}
	return nil
}

// Damage flips a bit in the middle of every value of a table that fn wants.
func (t *Traffic) Damage(which byte, want func(i int) bool) int {
	from, to := table(which)
	type pair struct{ k, v []byte }
	var all []pair
	i := 0
	if err := t.eachIn(t.db, from, to, func(k, v []byte) error {
		if want(i) {
			p := pair{bytes.Clone(k), bytes.Clone(v)}
			p.v[len(p.v)/2] ^= 1
			all = append(all, p)
		}
		i++
		return nil
	}); err != nil {
		panic(err)
	}
	for _, p := range all {
		if err := t.db.Set(p.k, p.v, pebble.NoSync); err != nil {
			panic(err)
		}
	}
	return len(all)
}

// MergePayload is where merging stops.
const MergePayload = mergePayload

// Tables, for Damage.
const (
	ChunkTable   = tableChunk
	MinuteTable  = tableMinute
	SegmentTable = tableSegment
	StreamTable  = tableStream
	SubjectTable = tableSubject
)
