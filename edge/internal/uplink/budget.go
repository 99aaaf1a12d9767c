package uplink

import (
	"fmt"
	"time"
)

// Budget is what the link may carry, both directions together, in bytes as the
// socket counts them; 0 for no bound. Days and months are those of UTC.
type Budget struct {
	PerDay   uint64 `json:"per_day,omitempty"`
	PerMonth uint64 `json:"per_month,omitempty"`
	// Reserve is the part of each that is kept for calls and commands, in percent.
	Reserve int `json:"reserve_percent,omitempty"`
}

// Rung is how much goes up while the budget lasts: each says less than the one
// before.
type Rung string

// The rungs of the ladder.
const (
	// RungFull: everything, at the intervals that are set.
	RungFull Rung = "full"
	// RungEconomy: states five times as rarely, and only what has moved twice as
	// far.
	RungEconomy Rung = "economy"
	// RungCrisis: states once an hour; no traffic.
	RungCrisis Rung = "crisis"
	// RungCalls: calls and commands only, out of the reserve.
	RungCalls Rung = "calls"
	// RungSilent: the reserve is spent too.
	RungSilent Rung = "silent"
)

// Ladder is where the link stands, and why.
type Ladder struct {
	Rung Rung
	// Cause in words; empty on RungFull.
	Cause     string
	Budget    Budget
	UsedDay   uint64
	UsedMonth uint64
}

// spent is what has passed the socket, as it is stored.
type spent struct {
	Day        string `json:"day"`
	DayBytes   uint64 `json:"day_bytes"`
	Month      string `json:"month"`
	MonthBytes uint64 `json:"month_bytes"`
}

// add counts n bytes at a time.
func (s spent) add(n uint64, now time.Time) spent {
	now = now.UTC()
	if day := now.Format(time.DateOnly); day != s.Day {
		s.Day, s.DayBytes = day, 0
	}
	if month := now.Format("2006-01"); month != s.Month {
		s.Month, s.MonthBytes = month, 0
	}
	s.DayBytes += n
	s.MonthBytes += n
	return s
}

// climb says which rung a budget leads to. It is a function of its arguments.
// Bytes that are spent evenly over the day and the month are within it.
func climb(b Budget, s spent, now time.Time) Ladder {
	s = s.add(0, now)
	now = now.UTC()
	l := Ladder{Rung: RungFull, Budget: b, UsedDay: s.DayBytes, UsedMonth: s.MonthBytes}
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for _, v := range []struct {
		name   string
		budget uint64
		used   uint64
		passed float64 // of the time that the budget is for
	}{
		{"day", b.PerDay, s.DayBytes, now.Sub(midnight).Hours() / 24},
		{"month", b.PerMonth, s.MonthBytes, now.Sub(first).Hours() / first.AddDate(0, 1, 0).Sub(first).Hours()},
	} {
		if v.budget == 0 {
			continue
		}
		rung := rungOf(float64(v.used)/float64(v.budget), v.passed, float64(b.Reserve)/100)
		if rank(rung) > rank(l.Rung) {
			l.Rung = rung
			l.Cause = fmt.Sprintf("%d of %d bytes of this %s are used after %.0f %% of it", v.used, v.budget, v.name, 100*v.passed)
		}
	}
	return l
}

// ahead is how far use may be ahead of the time, as part of the whole: a
// morning may cost more than its share.
const ahead = 0.1

func rungOf(used, passed, reserve float64) Rung {
	ordinary := 1 - reserve
	switch {
	case used >= 1:
		return RungSilent
	case used >= ordinary:
		return RungCalls
	case used > ordinary*min(1, passed+3*ahead):
		return RungCrisis
	case used > ordinary*min(1, passed+ahead):
		return RungEconomy
	}
	return RungFull
}

func rank(r Rung) int {
	for i, v := range []Rung{RungFull, RungEconomy, RungCrisis, RungCalls, RungSilent} {
		if v == r {
			return i
		}
	}
	return 0
}

// stateEvery is how often states go up on a rung; 0 for never.
func (r Rung) stateEvery(set time.Duration) time.Duration {
	switch r {
	case RungEconomy:
		return 5 * set
	case RungCrisis:
		return max(time.Hour, set)
	case RungCalls, RungSilent:
		return 0
	case RungFull:
	}
	return set
}

// bands is how many times wider the bands of states are on a rung.
func (r Rung) bands() int {
	switch r {
	case RungEconomy:
		return 2
	case RungCrisis, RungCalls, RungSilent:
		return 4
	case RungFull:
	}
	return 1
}

// traffic reports whether hours of traffic go up on a rung.
func (r Rung) traffic() bool { return r == RungFull || r == RungEconomy }
