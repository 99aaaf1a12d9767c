package presence_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/presence"
	"github.com/obedio/obedio/shared/fleet"
)

var morning = time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC)

// discharge is a battery by the hour: what it has first and loses a day.
func discharge(hours int, first, perDay float64) []presence.BatteryPoint {
	var ps []presence.BatteryPoint
	for h := range hours {
		ps = append(ps, presence.BatteryPoint{At: morning.Add(time.Duration(h) * time.Hour), Percent: first - perDay*float64(h)/24})
	}
	return ps
}

// then appends ps, shifted to an hour after the end of before.
func then(before, ps []presence.BatteryPoint) []presence.BatteryPoint {
	shift := before[len(before)-1].At.Add(time.Hour).Sub(ps[0].At)
	out := slices.Clone(before)
	for _, p := range ps {
		out = append(out, presence.BatteryPoint{At: p.At.Add(shift), Percent: p.Percent})
	}
	return out
}

func TestDaysLeft_IsTheSlopeOfTheLastDays(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noisy := discharge(14*24, 90, 2)
	for i := range noisy {
		noisy[i].Percent = float64(int(noisy[i].Percent + rng.Float64()*2 - 1)) // whole per cents, as devices tell
	}
	wrong := discharge(14*24, 90, 2)
	for i := range wrong {
		if rng.IntN(20) == 0 {
			wrong[i].Percent = float64(rng.IntN(3)) // a bad reading
		}
	}
	for name, c := range map[string]struct {
		points      []presence.BatteryPoint
		least, most int
	}{
		"a line":            {discharge(14*24, 90, 2), 30, 31},
		"noise":             {noisy, 28, 34},
		"bad readings":      {wrong, 28, 34},
		"a day is enough":   {discharge(25, 50, 10), 4, 4},
		"empty":             {discharge(48, 10, 6), 0, 0},
		"very slow":         {discharge(14*24, 100, 0.06), 999, 999},
		"since a charge":    {then(discharge(7*24, 80, 10), discharge(3*24, 100, 5)), 16, 17},
		"since slow charge": {then(then(discharge(48, 60, 10), slices.Clone(rising(24))), discharge(48, 100, 10)), 7, 8},
	} {
		t.Run(name, func(t *testing.T) {
			if n, ok := presence.DaysLeft(c.points); !ok || n < c.least || n > c.most {
				t.Errorf("%d %t, want %d to %d", n, ok, c.least, c.most)
			}
		})
	}
}

// rising is a charge from 40 to 100 in so many hours.
func rising(hours int) []presence.BatteryPoint {
	return discharge(hours, 40, -24*60/float64(hours))
}

func TestDaysLeft_IsNotSaidWithoutADayOrWithoutAFall(t *testing.T) {
	for name, ps := range map[string][]presence.BatteryPoint{
		"none":          nil,
		"one":           discharge(1, 50, 1),
		"23 hours":      discharge(24, 50, 10),
		"mains":         discharge(14*24, 100, 0),
		"being charged": rising(30),
		"just charged":  then(discharge(14*24, 90, 3), discharge(5, 100, 3)),
	} {
		if n, ok := presence.DaysLeft(ps); ok {
			t.Errorf("%s: %d days", name, n)
		}
	}
}

func TestForecasts_KeepWhatTheyKnewWhenHistoryCannotBeRead(t *testing.T) {
	var fail error
	f := presence.NewForecasts(presence.ForecastConfig{
		Now: func() time.Time { return morning },
		Batteries: func(_ context.Context, since time.Time) (map[fleet.DeviceID][]presence.BatteryPoint, error) {
			if want := morning.Add(-14 * 24 * time.Hour); !since.Equal(want) {
				t.Errorf("since %s", since)
			}
			return map[fleet.DeviceID][]presence.BatteryPoint{"btn-1": discharge(48, 50, 10), "btn-2": discharge(3, 50, 10)}, fail
		},
	})
	if f.DaysLeft("btn-1") != nil {
		t.Error("known before anything was read")
	}
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	fail = errors.New("no history")
	if err := f.Refresh(t.Context()); !errors.Is(err, fail) {
		t.Errorf("%v", err)
	}
	if n := f.DaysLeft("btn-1"); n == nil || *n != 3 || f.DaysLeft("btn-2") != nil {
		t.Errorf("%v %v", n, f.DaysLeft("btn-2"))
	}
}

func TestSetPolicies_SettingsChangeATypeOrSayWhatIsWrong(t *testing.T) {
	all, err := presence.SetPolicies(presence.DefaultPolicies(), []string{"button=10m/48h", "watch=30s"})
	if err != nil {
		t.Fatal(err)
	}
	if b, w := all[fleet.Button], all[fleet.Watch]; b.Interval != 10*time.Minute || b.LostAfter != 100*time.Minute || b.SleepsFor != 48*time.Hour ||
		w.Interval != 30*time.Second || w.SleepsFor != 0 {
		t.Errorf("%+v %+v", b, w)
	}
	for _, s := range []string{"button", "boat=1m", "button=x", "button=0s", "button=1m/x", "button=1m/-1h"} {
		if _, err := presence.SetPolicies(presence.DefaultPolicies(), []string{s}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
