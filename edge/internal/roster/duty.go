package roster

import (
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// input is what decides who is on duty.
type input struct {
	at        time.Time // in the site's time zone
	people    []Member
	shifts    []Shift
	overrides map[string]Override
}

// Serving is a person with the duty of a moment.
type Serving struct {
	Member
	Duty Duty `json:"duty"`
	// Until is when that ends by what is known now; zero for no end.
	Until time.Time `json:"until,omitzero"`
	// Overridden: somebody said so; else it is by the shifts.
	Overridden bool   `json:"overridden,omitempty"`
	Note       string `json:"note,omitempty"`
}

// Crew is everybody, with the duty of one moment.
type Crew struct {
	People []Serving
	// Rostered: there are shifts. Without, everybody is on duty.
	Rostered bool
}

// compute finds who is on duty. It is pure.
func compute(in input) Crew {
	c := Crew{Rostered: len(in.shifts) > 0}
	for _, p := range in.people {
		s := Serving{Member: p, Duty: Off}
		if !c.Rostered {
			s.Duty = OnDuty
		}
		for _, shift := range in.shifts {
			if !slices.Contains(shift.People, p.ID) {
				continue
			}
			until, on := shift.covers(in.at)
			switch {
			case !on:
			case s.Duty == Off, shift.As == OnDuty && s.Duty == Backup:
				s.Duty, s.Until = shift.As, until
			case shift.As == s.Duty && until.After(s.Until):
				s.Until = until
			}
		}
		if o, ok := in.overrides[p.ID]; ok && in.at.Before(o.Until) {
			s.Duty, s.Until, s.Overridden, s.Note = o.As, o.Until, true, o.Note
		}
		c.People = append(c.People, s)
	}
	return c
}

// covers reports whether the shift has begun and not ended at a time, and when
// it ends. One that begins on the day before may still last.
func (s Shift) covers(at time.Time) (until time.Time, on bool) {
	from, errFrom := clockTime(s.From)
	to, errTo := clockTime(s.To)
	if errFrom != nil || errTo != nil {
		return time.Time{}, false
	}
	for back := range 2 {
		day := time.Date(at.Year(), at.Month(), at.Day()-back, 0, 0, 0, 0, at.Location())
		if !s.begins(day) {
			continue
		}
		begin, end := onDay(day, from), onDay(day, to)
		if to <= from {
			end = onDay(day.AddDate(0, 0, 1), to)
		}
		if !at.Before(begin) && at.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

// onDay is a time of day as the clock on the wall shows it.
func onDay(day time.Time, minutes int) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), minutes/60, minutes%60, 0, 0, day.Location())
}

func (s Shift) begins(day time.Time) bool {
	if len(s.Days) > 0 && !slices.Contains(s.Days, weekdays[day.Weekday()]) {
		return false
	}
	date := day.Format(time.DateOnly)
	return (s.FirstDay == "" || date >= s.FirstDay) && (s.LastDay == "" || date <= s.LastDay)
}

// Told are the people that are told of a request of a team at a level ("" is
// of no team: everybody's), and whether watches that nobody wears are told too.
func (c Crew) Told(team string, to fleet.Recipients) (people []Serving, everybody bool) {
	for _, p := range c.People {
		if to == fleet.ToAll || c.told(p, team, to) {
			people = append(people, p)
		}
	}
	return people, to == fleet.ToAll || len(c.People) == 0
}

func (c Crew) told(p Serving, team string, to fleet.Recipients) bool {
	in := team == "" || slices.Contains(p.Teams, team)
	switch to {
	case fleet.ToLead:
		if p.Lead && (in || len(p.Teams) == 0) {
			return true
		}
		fallthrough
	case fleet.ToBackup:
		if p.Duty == Backup && in {
			return true
		}
	case fleet.ToDuty, fleet.ToAll:
	}
	return p.Duty == OnDuty && in
}
