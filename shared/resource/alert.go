package resource

import (
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Alert is one occurrence of a condition of the site.
type Alert struct {
	AlertID     fleet.AlertID       `json:"alert_id"`
	Kind        fleet.AlertKind     `json:"kind"`
	Title       string              `json:"title,omitempty" doc:"In English, for programs that know no better words for kind."`
	Action      string              `json:"action,omitempty" doc:"What to do, in English."`
	Severity    fleet.AlertSeverity `json:"severity" enum:"info,warning,critical"`
	SubjectKind fleet.AlertSubject  `json:"subject_kind" enum:"site,hub,device,room,certificate"`
	Subject     string              `json:"subject,omitempty" doc:"Id of what it is about; none for the site and the hub."`
	Room        fleet.RoomID        `json:"room,omitempty"`
	RoomName    string              `json:"room_name,omitempty"`
	State       fleet.AlertState    `json:"state" enum:"active,acknowledged,silenced,rectified,cleared" doc:"rectified: its condition is gone, and nobody has acknowledged it."`
	Since       time.Time           `json:"since" doc:"When its condition came, the last time."`
	RaisedAt    time.Time           `json:"raised_at"`
	UpdatedAt   time.Time           `json:"updated_at"`
	Occurrences uint64              `json:"occurrences" doc:"How often its condition came while it stood."`
	Count       int                 `json:"count,omitempty" doc:"How many things it is about, for an alert about many."`
	Members     []string            `json:"members" nullable:"false" doc:"Some of them."`

	AcknowledgedAt *time.Time        `json:"acknowledged_at,omitempty"`
	AcknowledgedBy *Actor            `json:"acknowledged_by,omitempty"`
	SilencedUntil  *time.Time        `json:"silenced_until,omitempty"`
	RectifiedAt    *time.Time        `json:"rectified_at,omitempty"`
	ClearedAt      *time.Time        `json:"cleared_at,omitempty"`
	Detail         map[string]string `json:"detail"`
	Version        uint64            `json:"version"`
}

// AlertOf shows an alert.
func AlertOf(a fleet.Alert) Alert {
	r := Alert{
		AlertID: a.ID, Kind: a.Kind, Severity: a.Severity, SubjectKind: a.SubjectKind, Subject: a.Subject, Room: a.Room,
		State: a.State, Since: a.Since, RaisedAt: a.RaisedAt, UpdatedAt: a.UpdatedAt, Occurrences: a.Occurrences, Count: a.Count, Members: a.Members,
		AcknowledgedAt: optional(a.AcknowledgedAt), AcknowledgedBy: actor(a.AcknowledgedBy), SilencedUntil: optional(a.SilencedUntil),
		RectifiedAt: optional(a.RectifiedAt), ClearedAt: optional(a.ClearedAt), Detail: a.Detail, Version: a.Version,
	}
	if r.Members == nil {
		r.Members = []string{}
	}
	if r.Detail == nil {
		r.Detail = map[string]string{}
	}
	return r
}
