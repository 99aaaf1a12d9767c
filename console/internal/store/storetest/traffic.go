package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// TrafficPart is part n of parts of an hour, with the given rows.
func TrafficPart(start time.Time, version uint32, n, parts int, rows ...fleet.TrafficRow) lane.TrafficPart {
	return lane.TrafficPart{
		Number: 1, Part: n, Parts: parts,
		TrafficHour: fleet.TrafficHour{TrafficRef: fleet.TrafficRef{Start: start, Version: version}, Rows: rows},
	}
}

// TrafficRow is a row in which a device has sent so many messages.
func TrafficRow(device string, messages uint64) fleet.TrafficRow {
	return fleet.TrafficRow{
		Device: device, Type: fleet.Button, Room: "cabin-1",
		Counts: fleet.TrafficCounts{MessagesIn: messages, BytesIn: 10 * messages},
		Fields: []fleet.TrafficField{{Name: "battery", Count: messages, Min: 1.5, Max: 99, Last: 50}},
	}
}

func putTraffic(t *testing.T, s store.Store, site fleet.SiteID, parts ...lane.TrafficPart) (whole bool) {
	t.Helper()
	update(t, s, site, func(tx store.SiteTx) error {
		for _, p := range parts {
			var err error
			if whole, err = tx.PutTraffic(p); err != nil {
				return err
			}
		}
		return nil
	})
	return whole
}

func traffic(t *testing.T, s store.Store, site fleet.SiteID, from, to time.Time, rows bool) (out []store.TrafficHour) {
	t.Helper()
	view(t, s, site, func(v store.SiteView) error {
		return v.Traffic(from, to, rows, func(h store.TrafficHour) bool {
			out = append(out, h)
			return true
		})
	})
	return out
}

func trafficReplaced(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	AddSite(t, s, "a-1")
	update(t, s, "a", func(tx store.SiteTx) error { return tx.BeginEpoch("e1", lane.Life{}) })
	at := At.Truncate(time.Hour)
	one, two := TrafficRow("d-1", 3), TrafficRow("d-2", 4)
	same(t, putTraffic(t, s, "a", TrafficPart(at, 7, 0, 1, one)), true)
	held := func() []store.TrafficHour { return traffic(t, s, "a", at, at.Add(time.Hour), true) }
	want := store.TrafficHour{
		TrafficRef: fleet.TrafficRef{Start: at, Version: 7}, Epoch: "e1", Totals: one.Counts, Rows: []fleet.TrafficRow{one},
	}
	same(t, held(), []store.TrafficHour{want})

	// Another version counts only when it is whole, in a new life of the hub too.
	update(t, s, "a", func(tx store.SiteTx) error { return tx.BeginEpoch("e2", lane.Life{}) })
	same(t, putTraffic(t, s, "a", TrafficPart(at, 8, 0, 2, one)), false)
	same(t, held(), []store.TrafficHour{want})
	same(t, putTraffic(t, s, "a", TrafficPart(at, 8, 1, 2, two)), true)
	want.Version, want.Epoch, want.Rows = 8, "e2", []fleet.TrafficRow{one, two}
	want.Totals.Add(two.Counts)
	same(t, held(), []store.TrafficHour{want})
	same(t, traffic(t, s, "a-1", time.Time{}, At.Add(1000*time.Hour), true), []store.TrafficHour(nil))
	view(t, s, "a", func(v store.SiteView) error {
		c, err := v.Counts()
		must(t, err)
		same(t, c.TrafficHours, 1)
		again, err := v.Recount()
		same(t, again.TrafficHours, 1)
		return err
	})
}

func trafficParts(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	at := At.Truncate(time.Hour)
	row := TrafficRow("d", 1)
	put := func(version uint32, n, parts int) bool {
		return putTraffic(t, s, "a", TrafficPart(at, version, n, parts, row))
	}
	for _, whole := range []bool{
		put(1, 1, 2),               // nothing has begun
		put(1, 0, 3), put(1, 2, 3), // a hole
		put(1, 1, 2),                             // in other parts
		put(2, 1, 3),                             // of another version
		put(1, 1, 3), put(1, 0, 3), put(1, 2, 3), // begun anew
	} {
		same(t, whole, false)
	}
	same(t, traffic(t, s, "a", at, at.Add(time.Hour), true), []store.TrafficHour(nil))
	view(t, s, "a", func(v store.SiteView) error {
		_, _, found, err := v.TrafficSpan()
		same(t, found, false)
		return err
	})
	put(1, 1, 3)
	same(t, put(1, 2, 3), true)
	same(t, len(traffic(t, s, "a", at, at.Add(time.Hour), true)[0].Rows), 3)
}

func trafficRanges(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	day := At.Truncate(24 * time.Hour)
	for i := range 50 {
		putTraffic(t, s, "a", TrafficPart(day.Add(time.Duration(i)*time.Hour), 1, 0, 1, TrafficRow("d", uint64(i))))
	}
	starts := func(from, to time.Time) (out []int) {
		for _, h := range traffic(t, s, "a", from, to, false) {
			same(t, h.Rows, []fleet.TrafficRow(nil))
			out = append(out, int(h.Totals.MessagesIn))
		}
		return out
	}
	same(t, starts(day.Add(time.Hour), day.Add(3*time.Hour)), []int{1, 2})
	same(t, starts(day.Add(time.Minute), day.Add(3*time.Hour+time.Minute)), []int{1, 2, 3})
	same(t, len(starts(time.Time{}, day.Add(1000*time.Hour))), 50)
	n := 0
	view(t, s, "a", func(v store.SiteView) error {
		first, last, found, err := v.TrafficSpan()
		must(t, err)
		same(t, []any{first, last, found}, []any{day, day.Add(49 * time.Hour), true})
		return v.Traffic(time.Time{}, last, true, func(store.TrafficHour) bool {
			n++
			return n < 3
		})
	})
	same(t, n, 3)
}

func trafficDropped(t *testing.T, s store.Store) {
	AddSite(t, s, "a")
	AddSite(t, s, "b")
	day := At.Truncate(24 * time.Hour)
	for _, site := range []fleet.SiteID{"a", "b"} {
		for d := range 4 {
			for h := range 3 {
				at := day.AddDate(0, 0, d).Add(time.Duration(h) * time.Hour)
				putTraffic(t, s, site, TrafficPart(at, 1, 0, 2, TrafficRow("d", 1)), TrafficPart(at, 1, 1, 2, TrafficRow("e", 1)))
			}
		}
		putTraffic(t, s, site, TrafficPart(day, 2, 0, 2, TrafficRow("d", 1))) // has begun
	}
	drop := func(before time.Time, most int) (days int) {
		update(t, s, "a", func(tx store.SiteTx) (err error) {
			days, err = tx.DropTraffic(before, most)
			return err
		})
		return days
	}
	same(t, drop(day.Add(23*time.Hour), 10), 0) // the day is not over
	same(t, drop(day.AddDate(0, 0, 3).Add(time.Hour), 1), 1)
	same(t, drop(day.AddDate(0, 0, 3).Add(time.Hour), 10), 2)
	same(t, drop(day.AddDate(0, 0, 3).Add(time.Hour), 10), 0)
	var left []time.Time
	for _, h := range traffic(t, s, "a", time.Time{}, At.AddDate(1, 0, 0), true) {
		left = append(left, h.Start)
	}
	last := day.AddDate(0, 0, 3)
	same(t, left, []time.Time{last, last.Add(time.Hour), last.Add(2 * time.Hour)})
	same(t, len(traffic(t, s, "b", time.Time{}, At.AddDate(1, 0, 0), true)), 12)
	view(t, s, "a", func(v store.SiteView) error {
		c, err := v.Counts()
		same(t, c.TrafficHours, 3)
		return err
	})
	// What was dropped may come again, and then is all that there is of it.
	same(t, putTraffic(t, s, "a", TrafficPart(day, 3, 0, 1, TrafficRow("f", 9))), true)
	same(t, traffic(t, s, "a", day, day.Add(time.Hour), true)[0].Rows, []fleet.TrafficRow{TrafficRow("f", 9)})
}

// traffic is a push of some part of some hour: most do not follow the one
// before, or are strays.
func (h *held) traffic(r *rapid.T) lane.Push {
	n := rapid.IntRange(1, 3).Draw(r, "parts")
	p := TrafficPart(At.Truncate(time.Hour).Add(time.Duration(rapid.IntRange(0, 2).Draw(r, "hour"))*time.Hour),
		uint32(rapid.IntRange(1, 2).Draw(r, "version")), rapid.IntRange(0, n-1).Draw(r, "part"), n)
	p.Number = uint64(rapid.IntRange(1, 40).Draw(r, "number"))
	for i := range rapid.IntRange(0, 3).Draw(r, "rows") {
		p.Rows = append(p.Rows, TrafficRow(fmt.Sprint("d-", i), p.Number))
	}
	return lane.Push{Traffic: []lane.TrafficPart{p}}
}

// compareTraffic looks whether both hold the same hours.
func (h *held) compareTraffic(v store.SiteView) {
	want, got := h.memory.Hours(), map[time.Time]fleet.TrafficHour{}
	h.must(v.Traffic(time.Time{}, At.AddDate(1, 0, 0), true, func(x store.TrafficHour) bool {
		var sum fleet.TrafficCounts
		for _, r := range x.Rows {
			sum.Add(r.Counts)
		}
		if sum != x.Totals {
			h.t.Fatalf("hour %s: totals are %+v, the rows' sum %+v", x.Start, x.Totals, sum)
		}
		got[x.Start] = fleet.TrafficHour{TrafficRef: x.TrafficRef, Rows: x.Rows}
		return true
	}))
	if d := cmp.Diff(want, got); d != "" {
		h.t.Fatalf("hours of traffic differ:\n%s", d)
	}
}
