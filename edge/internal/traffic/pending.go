package traffic

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

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
