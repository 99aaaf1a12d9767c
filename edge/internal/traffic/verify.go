package traffic

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Problem is something that is wrong with the database.
type Problem struct {
	Key  string // in hexadecimal; empty when it is the whole
	What string
}

// maxProblems are named; one more says that there are others.
const maxProblems = 200

// VerifyDir is Verify for the database in a data directory that no hub uses. It
// changes nothing. There may be none, which is no problem.
func VerifyDir(ctx context.Context, dir string) ([]Problem, error) {
	if _, err := os.Stat(filepath.Join(dir, Name)); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	t := newTraffic(Config{Dir: dir, readOnly: true}.withDefaults())
	if err := t.tryOpen(vfs.Default); err != nil {
		return []Problem{{What: err.Error()}}, nil //nolint:nilerr // that it does not open is the finding
	}
	problems, err := t.Verify(ctx)
	return problems, errors.Join(err, t.db.Close())
}

// Verify reads everything and says what is wrong; nil when nothing is. An
// error only tells that it could not look.
func (t *Traffic) Verify(ctx context.Context) ([]Problem, error) {
	v, err := t.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	c := &check{v: v, ctx: ctx, segments: map[uint64]*segment{}}
	c.dictionary()
	c.records()
	c.summaries()
	c.table(tableGap, func(_, b []byte) error {
		_, err := decodeGap(b)
		return err
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.found, nil
}

// check gathers what is wrong.
type check struct {
	v        *view
	ctx      context.Context
	segments map[uint64]*segment
	found    []Problem
}

func (c *check) report(k []byte, what string, args ...any) {
	switch {
	case len(c.found) < maxProblems:
		c.found = append(c.found, Problem{fmt.Sprintf("%x", k), fmt.Sprintf(what, args...)})
	case len(c.found) == maxProblems:
		c.found = append(c.found, Problem{What: "there is more"})
	}
}

// table reads a table; what fn returns is reported.
func (c *check) table(which byte, fn func(k, b []byte) error) {
	from, to := table(which)
	it, err := c.v.snap.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		c.report(from, "table %c cannot be read: %v", which, err)
		return
	}
	for ok := it.First(); ok && c.ctx.Err() == nil; ok = it.Next() {
		b, err := it.ValueAndErr()
		if err == nil {
			err = fn(it.Key(), b)
		}
		if err != nil {
			c.report(it.Key(), "%v", err)
		}
	}
	if err := it.Close(); err != nil {
		c.report(from, "table %c cannot be read to its end: %v", which, err)
	}
}

func (c *check) dictionary() {
	subjects := map[uint32]*subject{}
	c.table(tableSubject, func(k, b []byte) error {
		id, _ := keyID(k)
		s, err := decodeSubject(id, b)
		subjects[id] = s
		return err
	})
	c.table(tableStream, func(k, b []byte) error {
		id, _ := keyID(k)
		_, err := decodeStream(id, b, func(id uint32) *subject { return subjects[id] })
		return err
	})
}

// records checks that every segment holds what its header says.
func (c *check) records() {
	c.table(tableSegment, func(k, b []byte) error {
		seq, _ := keyNumber(k)
		s, err := decodeSegment(seq, b)
		if err != nil {
			return err
		}
		c.segments[seq] = s
		for i, info := range s.chunks {
			c.chunk(s, i, info)
		}
		return nil
	})
	c.table(tableChunk, func(k, _ []byte) error {
		seq, ok := keyNumber(k[:min(len(k), 9)])
		if s := c.segments[seq]; !ok || s == nil {
			return errors.New("chunk without a segment")
		}
		return nil
	})
}

func (c *check) chunk(s *segment, i int, info chunkInfo) {
	k := chunkKey(s.first, i)
	b, err := get(c.v.snap, k)
	if err != nil || b == nil {
		c.report(k, "chunk of %d records is missing: %v", info.records, err)
		return
	}
	n := 0
	if err := decodeChunk(b, true, nil, func(r record) {
		n++
		if st := at(c.v.streams, r.stream); st == nil {
			c.report(k, "record on the unknown stream %d", r.stream)
		} else if id := st.subject.id; id < info.firstSubject || id > info.lastSubject || r.at < s.min || r.at > s.max {
			c.report(k, "record outside of what the header says")
		}
	}); err != nil {
		c.report(k, "%v", err)
	} else if n != info.records {
		c.report(k, "%d records, the header says %d", n, info.records)
	}
}

// summaries checks minutes and hours, and that each hour is the sum of its
// minutes where these are kept.
func (c *check) summaries() {
	known := func(b []byte) error {
		s, err := decodeSummaries(b)
		for _, id := range slices.Sorted(maps.Keys(s)) {
			if at(c.v.subjects, id) == nil {
				return fmt.Errorf("summary of the unknown subject %d", id)
			}
		}
		return err
	}
	c.table(tableMinute, func(_, b []byte) error { return known(b) })
	open := map[uint64]bool{}
	c.table(tableOpen, func(k, _ []byte) error {
		h, _ := keyNumber(k)
		open[h] = true
		return nil
	})
	c.table(tableHour, func(k, b []byte) error {
		h, _ := keyNumber(k)
		if err := known(b); err != nil || open[h] || int64(60*h) < c.v.t.floor.Load() {
			return err
		}
		hour, err := decodeSummaries(b)
		if err != nil {
			return err
		}
		sum, err := c.v.t.sumMinutes(c.v.snap, int64(h), nil)
		if err == nil && !sum.equal(hour) {
			err = errors.New("the hour is not the sum of its minutes")
		}
		return err
	})
}
