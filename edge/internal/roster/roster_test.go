package roster_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/roster"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var chief = fleet.Actor{Kind: fleet.ActorUser, ID: "u-chief", Name: "Chief"}

// ship is a roster in Zagreb whose clock is in the test's hand.
type ship struct {
	*roster.Roster
	now time.Time
}

func (s *ship) Now() (time.Time, bool) { return s.now, true }

func newShip(t *testing.T, now string, people ...string) *ship {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Zagreb")
	if err != nil {
		t.Fatal(err)
	}
	s := &ship{}
	s.at(t, zone, now)
	st, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Roster, err = roster.New(roster.Config{
		Store: st, Journal: journal.New(journal.Config{Store: st, Clock: s}),
		Now: func() time.Time { return s.now }, Zone: func() *time.Location { return zone },
		Watch: func(_ *journal.Tx, id fleet.DeviceID) error {
			if !strings.HasPrefix(string(id), "watch-") {
				return fmt.Errorf("%w: watch %s is not registered", fleet.ErrInvalid, id)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range people {
		s.add(t, id, roster.Person{Name: strings.ToUpper(id[:1]) + id[1:]})
	}
	return s
}

func (s *ship) at(t *testing.T, zone *time.Location, now string) {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", now, zone)
	if err != nil {
		t.Fatal(err)
	}
	s.now = at
}

func (s *ship) add(t *testing.T, id string, p roster.Person) {
	t.Helper()
	if err := s.People.Add(t.Context(), chief, id, p); err != nil {
		t.Fatal(err)
	}
}

func (s *ship) shift(t *testing.T, id string, v roster.Shift) {
	t.Helper()
	v.Title = id
	if err := s.Shifts.Add(t.Context(), chief, id, v); err != nil {
		t.Fatal(err)
	}
}

// told are the ids of who is told of a request of a team at a level.
func told(c roster.Crew, team string, to fleet.Recipients) []string {
	people, _ := c.Told(team, to)
	ids := []string{}
	for _, p := range people {
		ids = append(ids, p.ID)
	}
	return ids
}

func TestDuty_FollowsTheShiftsInTheSitesTimeZoneOverMidnightAndTheChangeOfTheClocks(t *testing.T) {
	s := newShip(t, "2026-10-24 12:00", "mila", "ante")
	s.shift(t, "night", roster.Shift{People: []string{"ante"}, Days: []string{"sat"}, From: "22:00", To: "06:00", As: roster.OnDuty})
	s.shift(t, "day", roster.Shift{People: []string{"mila"}, From: "06:00", To: "22:00", As: roster.OnDuty})
	zone := s.now.Location()
	for _, c := range []struct{ at, want, until string }{
		{"2026-10-24 12:00", "mila", "2026-10-24 22:00"},
		{"2026-10-24 21:59", "mila", "2026-10-24 22:00"},
		{"2026-10-24 22:00", "ante", "2026-10-25 06:00"},
		{"2026-10-25 05:59", "ante", "2026-10-25 06:00"}, // an hour longer: the clocks went back
		{"2026-10-25 06:00", "mila", "2026-10-25 22:00"},
		{"2026-10-25 23:00", "", ""}, // a Sunday: nobody
	} {
		s.at(t, zone, c.at)
		crew := s.Roster.Now()
		if got := strings.Join(told(crew, "", fleet.ToDuty), ","); got != c.want {
			t.Errorf("%s: %q is on duty, want %q", c.at, got, c.want)
		}
		for _, p := range crew.People {
			if p.ID == c.want && p.Until.In(zone).Format("2006-01-02 15:04") != c.until {
				t.Errorf("%s: until %s, want %s", c.at, p.Until.In(zone), c.until)
			}
		}
	}
}

func TestDuty_WithoutShiftsEverybodyIsOnDuty(t *testing.T) {
	s := newShip(t, "2026-05-01 12:00", "mila", "ante")
	if got := told(s.Roster.Now(), "", fleet.ToDuty); !slices.Equal(got, []string{"ante", "mila"}) {
		t.Errorf("%v", got)
	}
}

func TestDuty_OverrideCountsUntilItEnds(t *testing.T) {
	s := newShip(t, "2026-05-01 12:00", "mila", "ante")
	s.shift(t, "day", roster.Shift{People: []string{"mila"}, From: "08:00", To: "20:00", As: roster.OnDuty})
	for person, as := range map[string]roster.Duty{"mila": roster.Off, "ante": roster.OnDuty} {
		if err := s.Override(t.Context(), chief, person, &roster.Override{As: as, Until: s.now.Add(time.Hour), Note: "swapped"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(s.Roster.Now(), "", fleet.ToDuty); !slices.Equal(got, []string{"ante"}) {
		t.Errorf("with the overrides %v are on duty", got)
	}
	s.now = s.now.Add(time.Hour)
	if got := told(s.Roster.Now(), "", fleet.ToDuty); !slices.Equal(got, []string{"mila"}) {
		t.Errorf("after them %v are", got)
	}
	if err := s.Override(t.Context(), chief, "mila", &roster.Override{As: roster.Off, Until: s.now.Add(-time.Minute)}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("an override that has ended: %v", err)
	}
	if err := s.Override(t.Context(), chief, "mila", nil); err != nil {
		t.Error(err)
	}
}

func TestTold_EachLevelHasThoseOfTheLevelsBelow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c roster.Crew
		for i := range rapid.IntRange(0, 8).Draw(t, "people") {
			p := roster.Serving{Duty: rapid.SampledFrom([]roster.Duty{roster.OnDuty, roster.Backup, roster.Off}).Draw(t, "duty")}
			p.ID, p.Lead = fmt.Sprint("p", i), rapid.Bool().Draw(t, "lead")
			p.Teams = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"deck", "galley"}), rapid.ID).Draw(t, "teams")
			c.People = append(c.People, p)
		}
		team := rapid.SampledFrom([]string{"", "deck", "galley", "nobody's"}).Draw(t, "team")
		var before []string
		for _, to := range []fleet.Recipients{fleet.ToDuty, fleet.ToBackup, fleet.ToLead, fleet.ToAll} {
			now := told(c, team, to)
			for _, id := range before {
				if !slices.Contains(now, id) {
					t.Fatalf("%s is told at a level below %s and not there", id, to)
				}
			}
			before = now
		}
		if len(before) != len(c.People) {
			t.Fatalf("all are %d of %d", len(before), len(c.People))
		}
	})
}

func TestTold_ATeamsRequestIsItsOwnUntilItsLeadsAndAllAreTold(t *testing.T) {
	s := newShip(t, "2026-05-01 12:00")
	for _, team := range []string{"deck", "galley"} {
		if err := s.Teams.Add(t.Context(), chief, team, roster.Team{Name: team}); err != nil {
			t.Fatal(err)
		}
	}
	s.add(t, "mila", roster.Person{Name: "Mila", Teams: []string{"deck"}})
	s.add(t, "ante", roster.Person{Name: "Ante", Teams: []string{"galley"}})
	s.add(t, "zoe", roster.Person{Name: "Zoe", Teams: []string{"deck"}})
	s.add(t, "boss", roster.Person{Name: "Boss", Lead: true})
	s.shift(t, "on", roster.Shift{People: []string{"mila", "ante"}, From: "00:00", To: "00:00", As: roster.OnDuty})
	s.shift(t, "backup", roster.Shift{People: []string{"zoe"}, From: "00:00", To: "00:00", As: roster.Backup})
	for to, want := range map[fleet.Recipients][]string{
		fleet.ToDuty: {"mila"}, fleet.ToBackup: {"mila", "zoe"}, fleet.ToLead: {"boss", "mila", "zoe"},
		fleet.ToAll: {"ante", "boss", "mila", "zoe"},
	} {
		if got := told(s.Roster.Now(), "deck", to); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", to, got, want)
		}
	}
}

func TestWear_AWatchIsOnOneWristAndAPersonWearsOne(t *testing.T) {
	s := newShip(t, "2026-05-01 12:00", "mila", "ante")
	wear := func(watch fleet.DeviceID, person string) {
		t.Helper()
		if err := s.Wear(t.Context(), chief, watch, person); err != nil {
			t.Fatal(err)
		}
	}
	wear("watch-1", "mila")
	wear("watch-2", "ante")
	wear("watch-1", "ante") // he takes hers
	if p, ok := s.WornBy("watch-1"); !ok || p.ID != "ante" {
		t.Errorf("watch-1 is worn by %+v", p)
	}
	if _, ok := s.WornBy("watch-2"); ok {
		t.Error("he wears two")
	}
	wear("watch-1", "")
	if _, ok := s.WornBy("watch-1"); ok {
		t.Error("it is still worn")
	}
	if err := s.Wear(t.Context(), chief, "btn-1", "mila"); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("she wears a button: %v", err)
	}
	wear("watch-1", "mila")
	if err := s.People.Add(t.Context(), chief, "zoe", roster.Person{Name: "Zoe", Watch: "watch-1"}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a watch that somebody wears: %v", err)
	}
}

func TestPeople_WhoIsInAShiftDoesNotGoAndWhatIsWrongIsNamed(t *testing.T) {
	s := newShip(t, "2026-05-01 12:00", "mila")
	s.shift(t, "day", roster.Shift{People: []string{"mila"}, From: "08:00", To: "20:00", As: roster.OnDuty})
	now, err := s.People.Get("mila")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.People.Remove(t.Context(), chief, "mila", now.Version); !errors.Is(err, fleet.ErrState) {
		t.Errorf("she went: %v", err)
	}
	for name, v := range map[string]roster.Shift{
		"time of day":    {From: "25:00", To: "20:00", As: roster.OnDuty},
		"mon, tue, wed":  {From: "08:00", To: "20:00", As: roster.OnDuty, Days: []string{"monday"}},
		"does not exist": {From: "08:00", To: "20:00", As: roster.OnDuty, People: []string{"nobody"}},
		"duty or backup": {From: "08:00", To: "20:00", As: "boss"},
		"2026-05-01":     {From: "08:00", To: "20:00", As: roster.OnDuty, FirstDay: "tomorrow"},
	} {
		v.Title = "x"
		if err := s.Shifts.Add(t.Context(), chief, "x", v); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v", v, err)
		}
	}
}

func TestHandover_NotesStayUntilSomebodyTakesThemOffAndAreBounded(t *testing.T) {
	s := newShip(t, "2026-05-01 12:00")
	var first roster.Note
	for i := range 35 {
		n, err := s.HandOver(t.Context(), chief, fmt.Sprint("note ", i, " ", strings.Repeat("x", 780)))
		if err != nil {
			t.Fatal(err)
		}
		if i == 10 {
			first = n
		}
	}
	notes := s.Notes()
	if len(notes) != 30 || !strings.HasPrefix(notes[0].Text, "note 34") {
		t.Errorf("%d notes, the newest %q", len(notes), notes[0].Text)
	}
	if err := s.Done(t.Context(), chief, first.ID); err != nil || len(s.Notes()) != 29 {
		t.Errorf("%d notes, %v", len(s.Notes()), err)
	}
	if err := s.Done(t.Context(), chief, first.ID); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("taken off twice: %v", err)
	}
}
