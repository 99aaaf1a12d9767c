package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// crew tells the hub who wears the watches of groups with a duty, and who is on
// duty: the whole day, every day. The people stay when the simulator has gone.
func (r *run) crew(ctx context.Context, devices []planned) error {
	shifts := map[string][]string{}
	for _, p := range devices {
		if p.duty == "" {
			continue
		}
		person := hubapi.Person{PersonID: personID(p.config.Name), Name: p.config.Name, Watch: p.config.ID}
		if err := r.api.AddPerson(ctx, person); err != nil {
			return fmt.Errorf("watch %s is worn by %s: %w", p.config.ID, p.config.Name, err)
		}
		shifts[p.duty] = append(shifts[p.duty], person.PersonID)
	}
	for _, duty := range []string{"duty", "backup"} {
		people := shifts[duty]
		if len(people) == 0 {
			continue
		}
		slices.Sort(people)
		s := hubapi.Shift{
			ShiftID: "simulated-" + duty, Title: "Simulated crew: " + duty, People: slices.Compact(people), From: "00:00", To: "00:00", As: duty,
		}
		if err := r.api.SetShift(ctx, s); err != nil {
			return fmt.Errorf("shift %s: %w", s.ShiftID, err)
		}
	}
	return nil
}

// personID makes a name the id of a person.
func personID(name string) string {
	id := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
	if id = strings.Trim(id, "-"); !fleet.ValidSegment(id) {
		return "sim-person"
	}
	return id
}
