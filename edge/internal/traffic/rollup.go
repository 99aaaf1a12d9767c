package traffic

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// writeSummaries adds to the batch the minutes that the cut feeds, and the
// hours that are over.
func (t *Traffic) writeSummaries(w *pending, c *cut, now time.Time) error {
	late := map[int64]summaries{} // hours whose minutes were dropped
	for minute, add := range c.summaries() {
		if minute < t.floor.Load() {
			hour := hourOf(minute)
			if late[hour] == nil {
				late[hour] = summaries{}
			}
			late[hour].add(add, t.c.MaxFieldNames)
			continue
		}
		all, err := t.minute(minute)
		if err != nil {
			return err
		}
		all.add(add, t.c.MaxFields)
		w.minutes[minute] = all
		w.set(timeKey(tableMinute, minute), encodeSummaries(all))
		if hour := hourOf(minute); !t.open[hour] && !w.open[hour] {
			w.open[hour] = true
			w.set(timeKey(tableOpen, hour), nil)
		}
	}
	for hour, add := range late {
		all, err := t.stored(t.db, tableHour, hour)
		if err != nil {
			return err
		}
		all.add(add, t.c.MaxFieldNames)
		w.hour(hour, all)
	}
	return t.closeHours(w, hourOf(minuteOf(now.UnixMilli())))
}

func (w *pending) hour(hour int64, s summaries) {
	w.set(timeKey(tableHour, hour), encodeSummaries(s))
	w.set(timeKey(tablePending, hour), nil)
}

// closeHours sums up every open hour but the present one from its minutes,
// which are all there: Retain leaves those of an open hour. An hour to which a
// clock came back is opened, and summed up, again.
func (t *Traffic) closeHours(w *pending, present int64) error {
	hours := map[int64]bool{}
	for h := range t.open {
		hours[h] = true
	}
	for h := range w.open {
		hours[h] = true
	}
	for h := range hours {
		if h == present {
			continue
		}
		sum, err := t.sumMinutes(t.db, h, w.minutes)
		if err != nil {
			return err
		}
		w.hour(h, sum)
		w.open[h] = false
		w.delete(timeKey(tableOpen, h))
	}
	return nil
}

// sumMinutes adds up the minutes of an hour; those in newer are not yet, or
// not as new, in r.
func (t *Traffic) sumMinutes(r pebble.Reader, hour int64, newer map[int64]summaries) (summaries, error) {
	sum := summaries{}
	for m := 60 * hour; m < 60*hour+60; m++ {
		s, ok := newer[m]
		if !ok {
			var err error
			if s, err = t.stored(r, tableMinute, m); err != nil {
				return nil, err
			}
		}
		sum.add(s, t.c.MaxFieldNames) // all of them: which ones come first must not matter
	}
	return sum, nil
}

// minute is what the summaries of a minute are so far.
func (t *Traffic) minute(minute int64) (summaries, error) {
	if s, ok := t.minutes[minute]; ok {
		return s, nil
	}
	return t.stored(t.db, tableMinute, minute)
}

// stored reads a minute or an hour; empty when there is none. One that is
// damaged is logged and begun anew: the rest must go on.
func (t *Traffic) stored(r pebble.Reader, table byte, n int64) (summaries, error) {
	v, err := get(r, timeKey(table, n))
	if err != nil {
		return nil, fmt.Errorf("read summaries: %w", err)
	}
	if v == nil {
		return summaries{}, nil
	}
	s, err := decodeSummaries(v)
	if errors.Is(err, errDamaged) {
		t.log.Error("traffic summary is damaged and left out", "table", string(table), "number", n, "error", err)
		return summaries{}, nil
	}
	return s, err
}

// summaries are what the cut adds, by minute. The records that are written are
// counted, and nothing else.
func (c *cut) summaries() map[int64]summaries {
	out := map[int64]summaries{}
	of := func(minute int64) summaries {
		s := out[minute]
		if s == nil {
			s = summaries{}
			out[minute] = s
		}
		return s
	}
	for _, page := range c.pages {
		for i := range page {
			r := &page[i]
			count(of(minuteOf(r.at)).row(r.subject), r, c.byID[r.stream])
		}
	}
	for k, extra := range c.extra {
		of(k.minute).row(k.subject).add(extra, len(extra.fields))
	}
	return out
}

func count(to *row, r *record, s *stream) {
	if s.out {
		to.MessagesOut++
		to.BytesOut += uint64(r.size)
	} else {
		to.MessagesIn++
		to.BytesIn += uint64(r.size)
	}
	to.Actions[s.action]++
}

// get copies the value of k; nil when there is none.
func get(r pebble.Reader, k []byte) ([]byte, error) {
	v, closer, err := r.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(v)), v...)
	return out, closer.Close()
}
