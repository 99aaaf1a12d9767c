package traffic

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/fleet"
)

// Summary is what one device did in an hour, in the room where it was.
type Summary struct {
	Device string
	Type   fleet.DeviceType
	Room   fleet.RoomID
	Counts Counts
	Fields []fleet.TrafficField
}

// HourRef names an hour as it stands. A clock that is set back may change an
// hour; then its version is another.
type HourRef struct {
	Start   time.Time
	Version uint32
}

// HourSummary is an hour that is over.
type HourSummary struct {
	HourRef
	// Rows are sorted by device, type and room.
	Rows []Summary
}

// PendingCount is how many hours are over and not acknowledged by the console.
func (t *Traffic) PendingCount(ctx context.Context) (int, error) {
	v, err := t.view(ctx)
	if err != nil {
		return 0, err
	}
	defer v.close()
	from, to := table(tablePending)
	it, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return 0, fmt.Errorf("count pending hours: %w", err)
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil {
		return 0, fmt.Errorf("count pending hours: %w", err)
	}
	return n, nil
}

// PendingHours returns the newest hours, at most most, that are over and that
// the console has not acknowledged; newest first. It survives restarts.
func (t *Traffic) PendingHours(ctx context.Context, most int) ([]HourRef, error) {
	v, err := t.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	from, to := table(tablePending)
	it, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, fmt.Errorf("read pending hours: %w", err)
	}
	var out []HourRef
	for ok := it.Last(); ok && len(out) < most; ok = it.Prev() {
		n, ok := keyNumber(it.Key())
		if !ok {
			continue
		}
		if b, err := get(v.snap, timeKey(tableHour, int64(n))); err == nil && b != nil {
			out = append(out, HourRef{hourStart(int64(n)), version(b)})
		}
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("read pending hours: %w", err)
	}
	return out, nil
}

// HourSummaries returns the hour that begins at start. ErrNotFound when it is
// not over, or was dropped.
func (t *Traffic) HourSummaries(ctx context.Context, start time.Time) (HourSummary, error) {
	v, err := t.view(ctx)
	if err != nil {
		return HourSummary{}, err
	}
	defer v.close()
	hour := hourOf(minuteOf(start.UnixMilli()))
	b, err := get(v.snap, timeKey(tableHour, hour))
	if err != nil {
		return HourSummary{}, fmt.Errorf("read hour: %w", err)
	}
	if b == nil {
		return HourSummary{}, fmt.Errorf("hour %s: %w", start.Format(time.RFC3339), fleet.ErrNotFound)
	}
	s, err := decodeSummaries(b)
	if err != nil {
		return HourSummary{}, fmt.Errorf("read hour %s: %w", start.Format(time.RFC3339), err)
	}
	return HourSummary{HourRef{hourStart(hour), version(b)}, v.rows(s)}, nil
}

// AckHours notes, durably, that the console holds those hours. One that has
// changed meanwhile stays pending.
func (t *Traffic) AckHours(ctx context.Context, hours []HourRef) error {
	t.writing.Lock() // no hour is summed up meanwhile
	defer t.writing.Unlock()
	if t.dead() {
		return errClosed
	}
	b := t.db.NewBatch()
	for _, h := range hours {
		hour := hourOf(minuteOf(h.Start.UnixMilli()))
		v, err := get(t.db, timeKey(tableHour, hour))
		if err != nil {
			return fmt.Errorf("acknowledge hours: %w", err)
		}
		if v == nil || version(v) == h.Version {
			if err := b.Delete(timeKey(tablePending, hour), nil); err != nil {
				return fmt.Errorf("acknowledge hours: %w", err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.commit(b, true, func() {}); err != nil {
		return fmt.Errorf("acknowledge hours: %w", err)
	}
	return nil
}

// ResendHours notes, durably, that the console does not hold the hours that
// began at since or later.
func (t *Traffic) ResendHours(ctx context.Context, since time.Time) error {
	t.writing.Lock() // no hour is summed up meanwhile
	defer t.writing.Unlock()
	if t.dead() {
		return errClosed
	}
	_, to := table(tableHour)
	it, err := t.db.NewIter(&pebble.IterOptions{
		LowerBound: timeKey(tableHour, hourOf(minuteOf(max(0, since.UnixMilli())))), UpperBound: to,
	})
	if err != nil {
		return fmt.Errorf("send hours again: %w", err)
	}
	b := t.db.NewBatch()
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if n, known := keyNumber(it.Key()); known {
			err = b.Set(timeKey(tablePending, int64(n)), nil, nil)
		}
	}
	if closed := it.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = t.commit(b, true, func() {})
	}
	if err != nil {
		return fmt.Errorf("send hours again: %w", err)
	}
	return nil
}

func hourStart(hour int64) time.Time { return fromMillis(hour * 3_600_000) }

// version is of an hour's content: the checksum that it ends with.
func version(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b[len(b)-4:])
}

// rows shows summaries with their subjects' names.
func (v *view) rows(s summaries) []Summary {
	out := make([]Summary, 0, len(s))
	for id, r := range s {
		sub := v.subject(id)
		out = append(out, Summary{sub.device, sub.kind, sub.room, r.Counts, r.fields})
	}
	slices.SortFunc(out, func(a, b Summary) int {
		return slices.Compare(
			[]string{a.Device, string(a.Type), string(a.Room)}, []string{b.Device, string(b.Type), string(b.Room)})
	})
	return out
}

func (v *view) subject(id uint32) *subject {
	if s := at(v.subjects, id); s != nil {
		return s
	}
	return &subject{id: id, device: other, kind: other}
}
