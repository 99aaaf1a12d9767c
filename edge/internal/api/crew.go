package api

import (
	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/roster"
	"github.com/obedio/obedio/shared/account"
)

// NewPerson is a member of the crew with an id.
type NewPerson struct {
	PersonID string `json:"person_id" maxLength:"64"`
	roster.Person
}

type personView struct {
	PersonID string `json:"person_id"`
	roster.Person
	DocumentView
}

// NewTeam is a team with its id.
type NewTeam struct {
	TeamID string `json:"team_id" maxLength:"64"`
	roster.Team
}

type teamView struct {
	TeamID string `json:"team_id"`
	roster.Team
	DocumentView
}

// NewShift is a shift with its id.
type NewShift struct {
	ShiftID string `json:"shift_id" maxLength:"64"`
	roster.Shift
}

type shiftView struct {
	ShiftID string `json:"shift_id"`
	roster.Shift
	DocumentView
}

func (a *API) crewRoutes() {
	documents[roster.Person, NewPerson, personView]{
		path: "/api/v1/crew", noun: "person", plural: "people", tag: "crew",
		read: account.CrewRead, write: account.CrewWrite, set: a.Roster.People,
		named: func(n NewPerson) (string, roster.Person) { return n.PersonID, n.Person },
		view: func(d document.Of[roster.Person]) personView {
			return personView{d.Name, d.Value, documentViewOf(d)}
		},
	}.register(a)
	documents[roster.Team, NewTeam, teamView]{
		path: "/api/v1/teams", noun: "team", plural: "teams", tag: "crew",
		read: account.CrewRead, write: account.CrewWrite, set: a.Roster.Teams,
		named: func(n NewTeam) (string, roster.Team) { return n.TeamID, n.Team },
		view: func(d document.Of[roster.Team]) teamView {
			return teamView{d.Name, d.Value, documentViewOf(d)}
		},
	}.register(a)
	documents[roster.Shift, NewShift, shiftView]{
		path: "/api/v1/shifts", noun: "shift", plural: "shifts", tag: "crew",
		read: account.CrewRead, write: account.CrewWrite, set: a.Roster.Shifts,
		named: func(n NewShift) (string, roster.Shift) { return n.ShiftID, n.Shift },
		view: func(d document.Of[roster.Shift]) shiftView {
			return shiftView{d.Name, d.Value, documentViewOf(d)}
		},
	}.register(a)
}
