package traffic

import (
	"context"
	"slices"
	"time"
)

// Replay gives fn the records of a time, both ends included, the oldest first;
// where the clock was set, in the order in which they came. It looks at one
// moment of the record, and ends with the error of fn. Payloads are left out.
func (t *Traffic) Replay(ctx context.Context, from, to time.Time, fn func(Message) error) error {
	return t.Export(ctx, Filter{From: from, To: to}, false, fn)
}

// Export is Replay of the records that f wants, with their payloads if asked.
func (t *Traffic) Export(ctx context.Context, f Filter, payloads bool, fn func(Message) error) error {
	if err := f.Check(); err != nil {
		return err
	}
	v, err := t.view(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	want := v.selection(f)
	from, to := bounds(f)
	var part []record
	take := func(r record) {
		if r.at >= from && r.at <= to {
			part = append(part, r)
		}
	}
	give := func() error {
		slices.SortStableFunc(part, func(a, b record) int { return less(a.at, b.at) })
		for _, r := range part {
			m := v.message(r)
			if !payloads {
				m.Payload, m.Truncated = nil, false
			}
			if err := fn(m); err != nil {
				return err
			}
		}
		clear(part)
		part = part[:0]
		return ctx.Err()
	}
	for _, s := range v.segments {
		if !s.overlaps(from, to) {
			continue
		}
		if err := v.scan(s, payloads, want, take); err != nil {
			return err
		}
		if err := give(); err != nil {
			return err
		}
	}
	for i := range v.tails {
		for _, page := range v.tails[i] {
			for _, r := range page {
				if want == nil || want.wanted[r.stream] {
					take(r)
				}
			}
		}
	}
	return give()
}
