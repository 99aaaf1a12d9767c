package roster

import (
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Person is a member of the crew. Not everybody is a user of the hub: many
// only wear a watch.
type Person struct {
	Name string `json:"name"`
	// Teams that the person is in.
	Teams []string `json:"teams,omitempty"`
	// Lead: is told of requests that the team and its backup left.
	Lead bool `json:"lead,omitempty"`
	// User is the id of the person's account; empty for none.
	User string `json:"user_id,omitempty"`
	// Watch is the watch that the person wears; empty for none.
	Watch fleet.DeviceID `json:"watch,omitempty"`
}

// Member is a person with its id.
type Member struct {
	ID string `json:"person_id"`
	Person
}

func (p Person) check() error {
	if err := named("name", p.Name); err != nil {
		return err
	}
	if len(p.Teams) > 16 {
		return fmt.Errorf("%w: %d teams: want at most 16", fleet.ErrInvalid, len(p.Teams))
	}
	return nil
}

func named(what, s string) error {
	if s == "" || len(s) > 128 {
		return fmt.Errorf("%w: %s has %d bytes: want 1 to 128", fleet.ErrInvalid, what, len(s))
	}
	return nil
}

// Team is a part of the crew that does the same work.
type Team struct {
	Name string `json:"name"`
}

func (t Team) check() error { return named("name", t.Name) }

// Duty says what a shift makes of its people.
type Duty string

// The duties.
const (
	OnDuty Duty = "duty"   // told at once
	Backup Duty = "backup" // told when those on duty do not answer
	Off    Duty = "off"
)

// Shift says who is on duty when. From and To are times of day of the site, as
// 08:00; when To is not after From the shift ends on the next day, and the same
// From and To are the whole day. Around a change of the clocks the shift
// begins and ends by what a clock on the wall shows.
type Shift struct {
	Title  string   `json:"title"`
	People []string `json:"people,omitempty"`
	// Days on which it begins, as mon; none are all.
	Days []string `json:"days,omitempty"`
	From string   `json:"from"`
	To   string   `json:"to"`
	As   Duty     `json:"as"`
	// FirstDay and LastDay on which it begins, as 2026-05-01; empty for no end.
	FirstDay string `json:"first_day,omitempty"`
	LastDay  string `json:"last_day,omitempty"`
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (s Shift) check() error {
	if err := named("title", s.Title); err != nil {
		return err
	}
	if s.As != OnDuty && s.As != Backup {
		return fmt.Errorf("%w: as %q: want duty or backup", fleet.ErrInvalid, s.As)
	}
	if len(s.People) > 200 {
		return fmt.Errorf("%w: %d people in a shift: want at most 200", fleet.ErrInvalid, len(s.People))
	}
	for _, f := range []struct{ name, value string }{{"from", s.From}, {"to", s.To}} {
		if _, err := clockTime(f.value); err != nil {
			return fmt.Errorf("%w: %s %q: want a time of day such as 08:00", fleet.ErrInvalid, f.name, f.value)
		}
	}
	for _, d := range s.Days {
		if !slices.Contains(weekdays, d) {
			return fmt.Errorf("%w: day %q: want mon, tue, wed, thu, fri, sat or sun", fleet.ErrInvalid, d)
		}
	}
	for _, f := range []struct{ name, value string }{{"first_day", s.FirstDay}, {"last_day", s.LastDay}} {
		if _, err := time.Parse(time.DateOnly, f.value); f.value != "" && err != nil {
			return fmt.Errorf("%w: %s %q: want a day such as 2026-05-01", fleet.ErrInvalid, f.name, f.value)
		}
	}
	return nil
}

// clockTime reads a time of day, in minutes.
func clockTime(s string) (int, error) {
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}

// Override says of a person what shifts do not, until a time.
type Override struct {
	As    Duty      `json:"as"`
	Until time.Time `json:"until"`
	Note  string    `json:"note,omitempty"`
	// By is who said so.
	By string `json:"by,omitempty"`
}

// maxOverride is how long an override can last: what is for longer is a shift.
const maxOverride = 7 * 24 * time.Hour

func (o Override) check(now time.Time) error {
	if o.As != OnDuty && o.As != Backup && o.As != Off {
		return fmt.Errorf("%w: as %q: want duty, backup or off", fleet.ErrInvalid, o.As)
	}
	if left := o.Until.Sub(now); left <= 0 || left > maxOverride {
		return fmt.Errorf("%w: until %s: want a time within the next 7 days", fleet.ErrInvalid, o.Until.Format(time.RFC3339))
	}
	if len(o.Note) > 500 {
		return fmt.Errorf("%w: note has %d bytes: want at most 500", fleet.ErrInvalid, len(o.Note))
	}
	return nil
}

// maxNote is the greatest length of a handover note in bytes: all notes are one
// document.
const maxNote = 800

// Note is something that the next watch has to know.
type Note struct {
	ID   string      `json:"id"`
	At   time.Time   `json:"at"`
	By   fleet.Actor `json:"by"`
	Text string      `json:"text"`
}

// Handover is the board of notes.
type Handover struct {
	Notes []Note `json:"notes"`
}
