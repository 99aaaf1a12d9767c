package fleet_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

func TestTrafficRow_BoundedKeepsTheCounts(t *testing.T) {
	bad := fleet.TrafficRow{
		Device: "\x00", Type: "a\nb", Counts: fleet.TrafficCounts{MessagesIn: 3},
		Fields: []fleet.TrafficField{{Name: "ok", Count: 1}, {Name: "nan", Last: math.NaN()}, {Name: ""}},
	}
	want := fleet.TrafficRow{
		Device: fleet.TrafficOther, Counts: fleet.TrafficCounts{MessagesIn: 3}, Fields: []fleet.TrafficField{{Name: "ok", Count: 1}},
	}
	got := bad.Bounded()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if err := got.Check(); err != nil || !errors.Is(bad.Check(), fleet.ErrInvalid) {
		t.Errorf("bounded %v, as it was %v", err, bad.Check())
	}
}
