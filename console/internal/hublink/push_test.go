package hublink

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

func records(n, size int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = make([]byte, size)
	}
	return out
}

func TestCut_LeavesTheBeginning(t *testing.T) {
	p := lane.Push{Batches: []lane.Batch{
		{Lane: fleet.LaneRequests, First: 1, Records: records(5, 10)}, {Lane: fleet.LaneRegistry, First: 9, Records: records(5, 10)},
	}}
	for _, test := range []struct {
		records, bytes int
		want           string
	}{
		{100, 1000, "5 5"}, {7, 1000, "5 2"}, {5, 1000, "5"}, {1, 1000, "1"}, {100, 31, "4"}, {100, 1, "1"}, {100, 0, "1"},
	} {
		var got string
		for i, b := range cut(p, test.records, test.bytes, 10).Batches {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprint(len(b.Records))
		}
		if got != test.want {
			t.Errorf("%d records, %d bytes: %s, want %s", test.records, test.bytes, got, test.want)
		}
	}
	if len(p.Batches[0].Records) != 5 || len(p.Batches[1].Records) != 5 {
		t.Error("the push itself was cut")
	}
}

func TestCut_LeavesTheStatesThatChangedFirst(t *testing.T) {
	b := &lane.StateBatch{After: 0, Upto: 9}
	for _, v := range []uint64{9, 2, 7, 4} {
		b.States = append(b.States, fleet.DeviceState{Version: v})
	}
	got := cut(lane.Push{State: b}, 10, 10, 2).State
	if got.Upto != 4 || len(got.States) != 2 || got.States[0].Version != 2 {
		t.Errorf("got %+v", got)
	}
	if b.Upto != 9 || b.States[0].Version != 9 {
		t.Error("the batch itself was cut")
	}
	if all := cut(lane.Push{State: b}, 10, 10, 4).State; all.Upto != 9 {
		t.Errorf("got %+v", all)
	}
}

func TestLimits_AreForEachAddressAndForAll(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	l := newLimits(Config{EnrolEvery: time.Minute, EnrolBurst: 2, EnrolAll: 1, EnrolAllBurst: 4})
	take := func(addr string, ok bool) {
		t.Helper()
		if err := l.take(addr, now); ok != (err == nil) || err != nil && !errors.Is(err, fleet.ErrLimit) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	take("192.0.2.1:1", true)
	take("192.0.2.1:2", true)
	take("192.0.2.1:3", false)
	take("[2001:db8::1]:1", true)
	take("[2001:db8::2]:1", true) // the same customer
	take("[2001:db8:0:1::2]:1", false)
	now = now.Add(time.Minute)
	take("192.0.2.1:1", true)
	take("192.0.2.1:1", false)
	now = now.Add(time.Hour)
	l.forget(now)
	if len(l.by) != 0 {
		t.Errorf("%d addresses are remembered", len(l.by))
	}
}
