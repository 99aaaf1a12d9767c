package dispatch

import (
	"time"

	"github.com/obedio/obedio/console/internal/store"
)

// opening is the first time from a time on at which a window is open, and when
// it closes; at once and never for no window. It is a function of its arguments
// only.
func opening(w *store.JobWindow, from time.Time, zone *time.Location) (open, closes time.Time) {
	if w == nil {
		return from, time.Time{}
	}
	begin, err := time.Parse("15:04", w.From)
	if err != nil {
		return from, time.Time{} // Check has read it
	}
	end, err := time.Parse("15:04", w.To)
	if err != nil {
		return from, time.Time{}
	}
	local := from.In(zone)
	for day := -1; ; day++ {
		on := func(t time.Time, more int) time.Time {
			return time.Date(local.Year(), local.Month(), local.Day()+day+more, t.Hour(), t.Minute(), 0, 0, zone).UTC()
		}
		over := 0
		if !end.After(begin) {
			over = 1 // it goes over midnight
		}
		open, closes = on(begin, 0), on(end, over)
		if !closes.After(open) || !closes.After(from) {
			continue // it is over, or the clocks have gone over it
		}
		if open.Before(from) {
			open = from
		}
		return open, closes
	}
}
