package traffic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Group says what the series of Metrics stand for.
type Group string

// The groups.
const (
	GroupNone      Group = ""
	GroupDevice    Group = "device"
	GroupType      Group = "type"
	GroupRoom      Group = "room"
	GroupDirection Group = "direction"
)

// MetricsQuery says what Metrics sums up. Zero fields take the defaults.
type MetricsQuery struct {
	// From is rounded down to a bucket; To is now by default, From a day before.
	From, To time.Time
	// Bucket is the width of a point: whole minutes, whole hours from an hour
	// on; by default such that there are about a hundred.
	Bucket time.Duration
	Group  Group
	// Top is how many series there are at the most, the largest first; what is
	// beyond is one series, Others. 10.
	Top int
	// Device narrows to one device and adds its numeric fields.
	Device string
}

// maxPoints and maxTop bound an answer.
const (
	maxPoints = 2000
	maxTop    = 100
)

// Others is the key of the series of what is beyond Top.
const Others = "~others"

// Point is one bucket.
type Point struct {
	At     time.Time
	Counts Counts
}

// Series is what one member of the group did. Points without messages, drops,
// denials or reconnects are left out.
type Series struct {
	Key    string
	Totals Counts
	Points []Point
}

// FieldPoint is a numeric field in one bucket.
type FieldPoint struct {
	At time.Time
	fleet.TrafficField
}

// FieldSeries is a numeric field of a device.
type FieldSeries struct {
	Name   string
	Points []FieldPoint
}

// Metrics is the answer. Bucket may be wider than asked for: minutes are kept
// for less time than hours.
type Metrics struct {
	From, To time.Time
	Bucket   time.Duration
	Totals   Counts
	Series   []Series
	Fields   []FieldSeries
	Gaps     []Gap
}

// Metrics sums up a time from the summaries, which are as new as the last
// write (FlushEvery).
func (t *Traffic) Metrics(ctx context.Context, q MetricsQuery) (Metrics, error) {
	q, err := t.complete(q)
	if err != nil {
		return Metrics{}, err
	}
	v, err := t.view(ctx)
	if err != nil {
		return Metrics{}, err
	}
	defer v.close()
	out := Metrics{From: q.From, To: q.To, Bucket: q.Bucket}
	totals := map[string]*Counts{}
	if err := v.blocks(ctx, q, func(_ time.Time, s *subject, r *row) {
		out.Totals.Add(r.Counts)
		for key, c := range q.split(s, r) {
			if totals[key] == nil {
				totals[key] = &Counts{}
			}
			totals[key].Add(c)
		}
	}); err != nil {
		return Metrics{}, err
	}
	top := largest(totals, q.Top)
	points, fields := map[string]map[time.Time]*Counts{}, map[string][]FieldPoint{}
	if err := v.blocks(ctx, q, func(at time.Time, s *subject, r *row) {
		for key, c := range q.split(s, r) {
			if !slices.Contains(top, key) {
				key = Others
			}
			if points[key] == nil {
				points[key] = map[time.Time]*Counts{}
			}
			if points[key][at] == nil {
				points[key][at] = &Counts{}
			}
			points[key][at].Add(c)
		}
		if q.Device != "" {
			addFields(fields, at, r)
		}
	}); err != nil {
		return Metrics{}, err
	}
	if points[Others] != nil {
		top = append(top, Others)
	}
	for _, key := range top {
		out.Series = append(out.Series, seriesOf(key, points[key]))
	}
	for name, ps := range fields {
		out.Fields = append(out.Fields, FieldSeries{name, ps})
	}
	slices.SortFunc(out.Fields, func(a, b FieldSeries) int { return cmp.Compare(a.Name, b.Name) })
	out.Gaps, err = v.gaps(q.From.UnixMilli(), q.To.UnixMilli())
	return out, err
}

// complete fills in the defaults of a query, or says what is wrong with it.
func (t *Traffic) complete(q MetricsQuery) (MetricsQuery, error) {
	if q.To.IsZero() {
		q.To = t.now()
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-24 * time.Hour)
	}
	q.Top = cmp.Or(q.Top, 10)
	span := q.To.Sub(q.From)
	switch {
	case span <= 0 || q.From.Unix() < 0 || span == math.MaxInt64:
		return q, fmt.Errorf("%w: time range: want from before to", fleet.ErrInvalid)
	case q.Top < 0 || q.Top > maxTop:
		return q, fmt.Errorf("%w: top %d: want 1 to %d", fleet.ErrInvalid, q.Top, maxTop)
	case !slices.Contains([]Group{GroupNone, GroupDevice, GroupType, GroupRoom, GroupDirection}, q.Group):
		return q, fmt.Errorf("%w: group %q: want device, type, room or direction", fleet.ErrInvalid, q.Group)
	}
	if q.Bucket == 0 {
		for _, q.Bucket = range []time.Duration{
			time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour,
		} {
			if span/q.Bucket <= 150 {
				break
			}
		}
	}
	if unit := min(max(q.Bucket.Truncate(time.Hour), time.Minute), time.Hour); q.Bucket < time.Minute || q.Bucket%unit != 0 {
		return q, fmt.Errorf("%w: bucket %s: want whole minutes, or whole hours", fleet.ErrInvalid, q.Bucket)
	}
	if q.Bucket < time.Hour && minuteOf(q.From.UnixMilli()) < t.floor.Load() {
		q.Bucket = time.Hour
	}
	if span/q.Bucket > maxPoints {
		return q, fmt.Errorf("%w: %d buckets: want at most %d", fleet.ErrInvalid, span/q.Bucket, maxPoints)
	}
	q.From = q.From.UTC().Truncate(q.Bucket)
	return q, nil
}

// split says which series a row belongs to.
func (q *MetricsQuery) split(s *subject, r *row) map[string]Counts {
	switch q.Group {
	case GroupDevice:
		return map[string]Counts{s.device: r.Counts}
	case GroupType:
		return map[string]Counts{string(s.kind): r.Counts}
	case GroupRoom:
		return map[string]Counts{string(s.room): r.Counts}
	case GroupDirection:
		return map[string]Counts{
			Inbound.String():  {MessagesIn: r.MessagesIn, BytesIn: r.BytesIn},
			Outbound.String(): {MessagesOut: r.MessagesOut, BytesOut: r.BytesOut},
		}
	case GroupNone:
	}
	return map[string]Counts{"": r.Counts}
}

// blocks gives fn every row of the time, with the bucket that it falls into:
// from hours where buckets are hours and the hour is over, else from minutes.
func (v *view) blocks(ctx context.Context, q MetricsQuery, fn func(bucket time.Time, s *subject, r *row)) error {
	give := func(start time.Time, b []byte) error {
		all, err := decodeSummaries(b)
		if err != nil {
			return err
		}
		for id, r := range all {
			if s := v.subject(id); q.Device == "" || s.device == q.Device {
				fn(start.Truncate(q.Bucket), s, r)
			}
		}
		return ctx.Err()
	}
	from, to := minuteOf(q.From.UnixMilli()), minuteOf(q.To.UnixMilli()-1)
	if q.Bucket < time.Hour {
		return v.t.eachIn(v.snap, timeKey(tableMinute, from), timeKey(tableMinute, to+1), func(k, b []byte) error {
			m, _ := keyNumber(k)
			return give(fromMillis(int64(m)*60_000), b)
		})
	}
	open := map[int64]bool{}
	if err := v.t.eachIn(v.snap, timeKey(tableOpen, hourOf(from)), timeKey(tableOpen, hourOf(to)+1), func(k, _ []byte) error {
		h, _ := keyNumber(k)
		open[int64(h)] = true
		return nil
	}); err != nil {
		return err
	}
	if err := v.t.eachIn(v.snap, timeKey(tableHour, hourOf(from)), timeKey(tableHour, hourOf(to)+1), func(k, b []byte) error {
		h, _ := keyNumber(k)
		if open[int64(h)] {
			return nil // its minutes know more
		}
		return give(hourStart(int64(h)), b)
	}); err != nil {
		return err
	}
	for h := range open {
		if err := v.t.eachIn(v.snap, timeKey(tableMinute, 60*h), timeKey(tableMinute, 60*h+60), func(k, b []byte) error {
			m, _ := keyNumber(k)
			return give(fromMillis(int64(m)*60_000), b)
		}); err != nil {
			return err
		}
	}
	return nil
}

// largest are the keys with the most messages, at most n.
func largest(totals map[string]*Counts, n int) []string {
	keys := make([]string, 0, len(totals))
	for k := range totals {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(totals[b].Messages(), totals[a].Messages()), cmp.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}

func seriesOf(key string, points map[time.Time]*Counts) Series {
	s := Series{Key: key}
	for at, c := range points {
		if *c != (Counts{}) {
			s.Points = append(s.Points, Point{at, *c})
			s.Totals.Add(*c)
		}
	}
	slices.SortFunc(s.Points, func(a, b Point) int { return a.At.Compare(b.At) })
	return s
}

// addFields adds the fields of a row; rows come in the order of time, but for
// open hours, which come last.
func addFields(fields map[string][]FieldPoint, at time.Time, r *row) {
	for _, f := range r.fields {
		ps := fields[f.Name]
		i, found := slices.BinarySearchFunc(ps, at, func(p FieldPoint, at time.Time) int { return p.At.Compare(at) })
		if found {
			ps[i].TrafficField = ps[i].Then(f)
		} else {
			ps = slices.Insert(ps, i, FieldPoint{at, f})
		}
		fields[f.Name] = ps
	}
}
