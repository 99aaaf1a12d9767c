package fleet

import (
	"fmt"
	"time"
)

// AlertID names one occurrence of an alert.
type AlertID string

// AlertKind says which condition an alert is about. A program folds, stores and
// shows kinds that it does not know.
type AlertKind string

// AlertSeverity says how much an alert matters.
type AlertSeverity string

// The severities, the least first.
const (
	AlertInfo     AlertSeverity = "info"
	AlertWarning  AlertSeverity = "warning"
	AlertCritical AlertSeverity = "critical"
)

// AlertSeverities are all severities, the least first.
func AlertSeverities() []AlertSeverity {
	return []AlertSeverity{AlertInfo, AlertWarning, AlertCritical}
}

// Rank orders severities: the greater, the worse. 0 for one that is not known.
func (s AlertSeverity) Rank() int {
	for i, v := range AlertSeverities() {
		if v == s {
			return i + 1
		}
	}
	return 0
}

// ParseAlertSeverity returns s as a severity, or ErrInvalid.
func ParseAlertSeverity(s string) (AlertSeverity, error) {
	if v := AlertSeverity(s); v.Rank() > 0 {
		return v, nil
	}
	return "", fmt.Errorf("%w: severity %q: want info, warning or critical", ErrInvalid, s)
}

// AlertState is where an alert stands:
//
//	active → acknowledged → cleared
//	active, acknowledged → silenced → active, acknowledged, rectified, cleared
//	active → rectified → cleared, or active again
type AlertState string

// The alert states.
const (
	// AlertActive: the condition holds, and nobody has said that he has seen it.
	AlertActive AlertState = "active"
	// AlertAcknowledged: the condition holds, and somebody has seen it.
	AlertAcknowledged AlertState = "acknowledged"
	// AlertSilenced: the condition holds, and is not to be heard for a while.
	AlertSilenced AlertState = "silenced"
	// AlertRectified: the condition is gone, and nobody has seen that it was there.
	AlertRectified AlertState = "rectified"
	// AlertCleared: the condition is gone, and somebody has seen that it was there.
	AlertCleared AlertState = "cleared"
)

// AlertStates are all alert states.
func AlertStates() []AlertState {
	return []AlertState{AlertActive, AlertAcknowledged, AlertSilenced, AlertRectified, AlertCleared}
}

// ParseAlertState returns s as an alert state, or ErrInvalid.
func ParseAlertState(s string) (AlertState, error) {
	for _, v := range AlertStates() {
		if string(v) == s {
			return v, nil
		}
	}
	return "", fmt.Errorf("%w: alert state %q: want active, acknowledged, silenced, rectified or cleared", ErrInvalid, s)
}

// Ended reports whether no step leads out of s.
func (s AlertState) Ended() bool { return s == AlertCleared }

// Holds reports whether the condition is there.
func (s AlertState) Holds() bool {
	return s == AlertActive || s == AlertAcknowledged || s == AlertSilenced
}

// AlertSubject is what an alert is about.
type AlertSubject string

// The kinds of subjects.
const (
	AlertOfSite        AlertSubject = "site"
	AlertOfHub         AlertSubject = "hub"
	AlertOfDevice      AlertSubject = "device"
	AlertOfRoom        AlertSubject = "room"
	AlertOfCertificate AlertSubject = "certificate"
)

// Alert is one occurrence of a technical or safety condition of the site.
type Alert struct {
	ID       AlertID       `json:"alert_id"`
	Kind     AlertKind     `json:"kind"`
	Severity AlertSeverity `json:"severity"`
	// SubjectKind says what Subject names; Subject is empty for the site and the
	// hub.
	SubjectKind AlertSubject `json:"subject_kind"`
	Subject     string       `json:"subject,omitempty"`
	// Room where it is, when it is at one place.
	Room  RoomID     `json:"room,omitempty"`
	State AlertState `json:"state"`
	// Since is when the condition began, the last time it did.
	Since time.Time `json:"since"`
	// RaisedAt is when the alert was raised first, after the condition's delay.
	RaisedAt time.Time `json:"raised_at"`
	// Occurrences counts how often the condition came while the alert stood: one
	// that comes and goes is one alert.
	Occurrences uint64 `json:"occurrences"`
	// Count is how many things an alert for many is about, Members some of them.
	Count   int      `json:"count,omitempty"`
	Members []string `json:"members,omitempty"`

	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	AcknowledgedBy *Actor    `json:"acknowledged_by,omitempty"`
	// AcknowledgedCount is what Count was then.
	AcknowledgedCount int       `json:"acknowledged_count,omitempty"`
	SilencedUntil     time.Time `json:"silenced_until,omitzero"`
	// RectifiedAt is when the condition went.
	RectifiedAt time.Time `json:"rectified_at,omitzero"`
	ClearedAt   time.Time `json:"cleared_at,omitzero"`
	UpdatedAt   time.Time `json:"updated_at"`
	// Detail is for people: what was measured, and what the limit is.
	Detail map[string]string `json:"detail,omitempty"`
	// Version counts the changes of the alert, from 1.
	Version uint64 `json:"version"`
}

// Bounds of an alert, so that its record stays small on a slow link.
const (
	// MaxAlertMembers is how many of the things that it is about an alert names.
	MaxAlertMembers = 10
	maxAlertDetail  = 16
	maxAlertText    = 256
)

// Check reports as ErrInvalid what is wrong with an alert's data.
func (a Alert) Check() error {
	if _, err := ParseUUID[AlertID]("alert_id", string(a.ID)); err != nil {
		return err
	}
	if !ValidSegment(string(a.Kind)) || !ValidSegment(string(a.SubjectKind)) || len(a.Subject) > maxAlertText {
		return fmt.Errorf("%w: alert %s: kind %q of %s %q", ErrInvalid, a.ID, a.Kind, a.SubjectKind, a.Subject)
	}
	if _, err := ParseAlertSeverity(string(a.Severity)); err != nil {
		return err
	}
	if _, err := ParseAlertState(string(a.State)); err != nil {
		return err
	}
	if a.Version == 0 || a.Occurrences == 0 || a.Count < 0 || len(a.Members) > MaxAlertMembers || len(a.Detail) > maxAlertDetail {
		return fmt.Errorf("%w: alert %s: version, occurrences, members or detail are out of bounds", ErrInvalid, a.ID)
	}
	for k, v := range a.Detail {
		if k == "" || len(k) > 64 || len(v) > maxAlertText {
			return fmt.Errorf("%w: alert %s: detail %q is too short or too long", ErrInvalid, a.ID, k)
		}
	}
	if a.State == AlertSilenced && a.SilencedUntil.IsZero() || a.State == AlertAcknowledged && a.AcknowledgedBy == nil {
		return fmt.Errorf("%w: alert %s is %s, and does not say until when or by whom", ErrInvalid, a.ID, a.State)
	}
	return nil
}

// Acknowledge returns the alert after somebody has said that he has seen it.
// ErrState when that was said already, or the alert has ended.
func (a Alert) Acknowledge(by Actor, at time.Time) (Alert, error) {
	if a.State == AlertAcknowledged || a.State == AlertCleared {
		return a, fmt.Errorf("%w: alert %s is %s", ErrState, a.ID, a.State)
	}
	a.AcknowledgedAt, a.AcknowledgedBy, a.AcknowledgedCount = at, &by, a.Count
	a.SilencedUntil = time.Time{}
	if a.State == AlertRectified {
		a.State, a.ClearedAt = AlertCleared, at
	} else {
		a.State = AlertAcknowledged
	}
	return a.next(at), nil
}

// Silence returns the alert after somebody has said that it is not to be heard
// until then. ErrState when its condition is gone; ErrInvalid for a time that
// is over.
func (a Alert) Silence(until, at time.Time) (Alert, error) {
	switch {
	case !a.State.Holds():
		return a, fmt.Errorf("%w: alert %s is %s: there is nothing to silence", ErrState, a.ID, a.State)
	case !until.After(at):
		return a, fmt.Errorf("%w: until %s: want a time to come", ErrInvalid, until.Format(time.RFC3339))
	}
	a.State, a.SilencedUntil = AlertSilenced, Millis(until)
	return a.next(at), nil
}

// Expire returns the alert after the end of its silence, when its condition
// holds: it is to be heard again, whoever has seen it before.
func (a Alert) Expire(at time.Time) Alert {
	return a.alarm(at)
}

// Rectify returns the alert after its condition has gone.
func (a Alert) Rectify(at time.Time) Alert {
	a.RectifiedAt, a.SilencedUntil = at, time.Time{}
	if a.AcknowledgedAt.IsZero() {
		a.State = AlertRectified
	} else {
		a.State, a.ClearedAt = AlertCleared, at
	}
	return a.next(at)
}

// Recur returns the alert after its condition, which had gone, has come again.
func (a Alert) Recur(since, at time.Time) Alert {
	a.Since, a.RectifiedAt = since, time.Time{}
	a.Occurrences++
	return a.alarm(at)
}

// Worsen returns an alert that is to be looked at again, because it is about
// more, or about worse, than what somebody has acknowledged.
func (a Alert) Worsen(at time.Time) Alert { return a.alarm(at) }

func (a Alert) alarm(at time.Time) Alert {
	a.State, a.SilencedUntil = AlertActive, time.Time{}
	a.AcknowledgedAt, a.AcknowledgedBy, a.AcknowledgedCount = time.Time{}, nil, 0
	return a.next(at)
}

func (a Alert) next(at time.Time) Alert {
	a.UpdatedAt = at
	a.Version++
	return a
}

// Ref implements Entity.
func (a Alert) Ref() Ref { return AlertRef(a.ID) }

// AlertRef names an alert.
func AlertRef(id AlertID) Ref { return Ref{EntityAlert, string(id)} }

// AlertChanged: an alert was raised or has changed. The whole alert is told.
type AlertChanged struct{ Alert Alert }

// Kind implements Body.
func (AlertChanged) Kind() Kind { return KindAlertChanged }

// Lane implements Body.
func (AlertChanged) Lane() Lane { return LaneRegistry }

// alertAudit is the entry of the audit that somebody's step asks for; what
// alerts do by themselves has none.
func alertAudit(before, a Alert) (action, target string, detail map[string]string, ok bool) {
	seen := !a.AcknowledgedAt.IsZero() && !a.AcknowledgedAt.Equal(before.AcknowledgedAt)
	quiet := a.State == AlertSilenced && !a.SilencedUntil.Equal(before.SilencedUntil)
	if !seen && !quiet {
		return "", "", nil, false
	}
	detail = map[string]string{"kind": string(a.Kind), "severity": string(a.Severity)}
	if a.Subject != "" {
		detail["subject"] = a.Subject
	}
	if quiet {
		detail["until"] = a.SilencedUntil.Format(time.RFC3339)
		return "alert.silenced", string(a.ID), detail, true
	}
	return "alert.acknowledged", string(a.ID), detail, true
}
