package fleettest

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// changeAlert raises an alert, or takes one a step on.
func (s *Story) changeAlert() fleet.Body {
	if len(s.alerts) == 0 || s.rng.IntN(3) == 0 {
		a := fleet.Alert{
			ID: fleet.AlertID(s.uuid()), Kind: "device_lost", Severity: fleet.AlertWarning, SubjectKind: fleet.AlertOfDevice,
			Subject: string(s.devices[0]), Room: s.room(), State: fleet.AlertActive, Since: s.now.Add(-time.Minute), RaisedAt: s.now,
			UpdatedAt: s.now, Occurrences: 1, Version: 1, Detail: map[string]string{"silent_s": "60", "via": "rep-1"},
		}
		if s.rng.IntN(2) == 0 {
			a.Kind, a.Severity, a.SubjectKind, a.Subject, a.Room = "devices_missing", fleet.AlertCritical, fleet.AlertOfSite, "", ""
			a.Count, a.Members = 700, []string{"btn-1", "btn-2"}
		}
		s.alerts = append(s.alerts, a.ID)
		return fleet.AlertChanged{Alert: a}
	}
	i, id := pick(s, s.alerts)
	a, _, err := fleet.Get[fleet.Alert](s.state, fleet.AlertRef(id))
	if err != nil {
		panic(err)
	}
	by := fleet.Actor{Kind: fleet.ActorUser, ID: s.uuid(), Name: "Mila"}
	switch n := s.rng.IntN(4); {
	case a.State == fleet.AlertRectified && n < 2:
		a = a.Recur(s.now, s.now)
	case a.State == fleet.AlertRectified || a.State == fleet.AlertActive && n < 2:
		if a, err = a.Acknowledge(by, s.now); err != nil {
			panic(err)
		}
	case n == 2:
		if a, err = a.Silence(s.now.Add(time.Hour), s.now); err != nil {
			panic(err)
		}
	default:
		a = a.Rectify(s.now)
	}
	if a.State.Ended() {
		s.alerts = append(s.alerts[:i], s.alerts[i+1:]...)
	}
	if err := a.Check(); err != nil {
		panic(fmt.Sprintf("story made an alert that is none: %v", err))
	}
	return fleet.AlertChanged{Alert: a}
}
