package presence

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// BatteryPoint is the battery of a device at a time, in per cent.
type BatteryPoint struct {
	At      time.Time
	Percent float64
}

// What a forecast needs and knows.
const (
	// leastHistory since the last charge.
	leastHistory = 24 * time.Hour
	// charge is the least rise, in per cent, that is a charge or a new battery and
	// not noise.
	charge = 5.0
	// slowest fall, in per cent a day, that can be told from none.
	slowest = 0.05
	// MostDays is what a forecast says for that and more.
	MostDays = 999
	// samples that a slope is taken from: the work grows with their square.
	samples = 48
)

// DaysLeft says in how many days a battery will be empty, from its values in the
// order of time. false when it cannot be said: less than a day is known since it
// was charged, or it does not fall.
//
// The slope is the median of those between all pairs of values, so that a few
// values that are wrong do not matter.
func DaysLeft(points []BatteryPoint) (int, bool) {
	points = sinceCharge(points)
	if len(points) < 2 || points[len(points)-1].At.Sub(points[0].At) < leastHistory {
		return 0, false
	}
	few := thin(points)
	var slopes []float64
	for i, p := range few {
		for _, q := range few[i+1:] {
			if days := q.At.Sub(p.At).Hours() / 24; days > 0 {
				slopes = append(slopes, (q.Percent-p.Percent)/days)
			}
		}
	}
	if len(slopes) == 0 {
		return 0, false
	}
	slope := median(slopes)
	if slope > -slowest {
		return 0, false
	}
	// Where the line through the values stands at the end, not the last value,
	// which may be wrong.
	last := few[len(few)-1]
	rest := make([]float64, len(few))
	for i, p := range few {
		rest[i] = p.Percent + slope*last.At.Sub(p.At).Hours()/24
	}
	return min(MostDays, max(0, int(median(rest)/-slope))), true
}

// sinceCharge cuts off what was before the last charge: a rise above the lowest
// value before it.
func sinceCharge(points []BatteryPoint) []BatteryPoint {
	points = smooth(points)
	start, low := 0, 0
	for i := range points {
		switch rise := points[i].Percent - points[low].Percent; {
		case rise <= 0:
			low = i
		case rise >= charge:
			start, low = i, i
		}
	}
	return points[start:]
}

// smooth gives each value the median of those around it: single ones that are
// wrong go, and steps stay where they are.
func smooth(points []BatteryPoint) []BatteryPoint {
	const around = 3
	out := slices.Clone(points)
	for i := range points {
		var values []float64
		for _, p := range points[max(0, i-around):min(len(points), i+around+1)] {
			values = append(values, p.Percent)
		}
		out[i].Percent = median(values)
	}
	return out
}

// thin takes means of neighbours until there are few.
func thin(points []BatteryPoint) []BatteryPoint {
	per := (len(points) + samples - 1) / samples
	if per <= 1 {
		return points
	}
	var out []BatteryPoint
	for group := range slices.Chunk(points, per) {
		values := make([]float64, len(group))
		for i, p := range group {
			values[i] = p.Percent
		}
		out = append(out, BatteryPoint{At: group[len(group)/2].At, Percent: median(values)})
	}
	return out
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n%2 == 1 {
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}

// ForecastConfig is what NewForecasts needs.
type ForecastConfig struct {
	// Batteries are the values of all devices by the hour, since a time.
	Batteries func(ctx context.Context, since time.Time) (map[fleet.DeviceID][]BatteryPoint, error)
	Now       func() time.Time
	// Window is how far they go back; 14 days. Every is how often they are read;
	// an hour.
	Window, Every time.Duration
	Logger        *slog.Logger
}

// Forecasts say how long batteries will last. Safe for use from any goroutine.
type Forecasts struct {
	c  ForecastConfig
	mu sync.Mutex // guards days
	// days left, of the devices of which they can be told.
	days map[fleet.DeviceID]int
}

// NewForecasts returns forecasts that know nothing yet.
func NewForecasts(c ForecastConfig) *Forecasts {
	c.Window, c.Every = cmp.Or(c.Window, 14*24*time.Hour), cmp.Or(c.Every, time.Hour)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Forecasts{c: c}
}

// DaysLeft of a device's battery; nil when that cannot be said.
func (f *Forecasts) DaysLeft(id fleet.DeviceID) *int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, ok := f.days[id]; ok {
		return &n
	}
	return nil
}

// Refresh reads the values anew.
func (f *Forecasts) Refresh(ctx context.Context) error {
	all, err := f.c.Batteries(ctx, f.c.Now().Add(-f.c.Window))
	if err != nil {
		return err
	}
	days := map[fleet.DeviceID]int{}
	for id, points := range all {
		if n, ok := DaysLeft(points); ok {
			days[id] = n
		}
	}
	f.mu.Lock()
	f.days = days
	f.mu.Unlock()
	return nil
}

// Run refreshes until ctx ends. History is no reason to end the hub: a forecast
// that cannot be made stays as it is.
func (f *Forecasts) Run(ctx context.Context) error {
	tick := time.NewTicker(f.c.Every)
	defer tick.Stop()
	for {
		if err := f.Refresh(ctx); err != nil && ctx.Err() == nil {
			f.c.Logger.Warn("batteries not forecast", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
