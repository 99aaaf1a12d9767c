package traffic

import "context"

// Compact brings the database into the form that it has after a while.
func (t *Traffic) Compact(ctx context.Context) error {
	return t.db.Compact(ctx, []byte{0}, []byte{0xff}, false)
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
