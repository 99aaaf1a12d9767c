package wire

import (
	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
)

var alertSeverities = names[pb.AlertSeverity, fleet.AlertSeverity]{
	fleet.AlertInfo:     pb.AlertSeverity_ALERT_SEVERITY_INFO,
	fleet.AlertWarning:  pb.AlertSeverity_ALERT_SEVERITY_WARNING,
	fleet.AlertCritical: pb.AlertSeverity_ALERT_SEVERITY_CRITICAL,
}

var alertStates = names[pb.AlertState, fleet.AlertState]{
	fleet.AlertActive:       pb.AlertState_ALERT_STATE_ACTIVE,
	fleet.AlertAcknowledged: pb.AlertState_ALERT_STATE_ACKNOWLEDGED,
	fleet.AlertSilenced:     pb.AlertState_ALERT_STATE_SILENCED,
	fleet.AlertRectified:    pb.AlertState_ALERT_STATE_RECTIFIED,
	fleet.AlertCleared:      pb.AlertState_ALERT_STATE_CLEARED,
}

func alert(a fleet.Alert) *pb.Alert {
	m := &pb.Alert{
		AlertId: uuid(a.ID), Kind: string(a.Kind), Severity: alertSeverities.number(a.Severity),
		SubjectKind: string(a.SubjectKind), Subject: a.Subject, RoomId: string(a.Room), State: alertStates.number(a.State),
		SinceMs: ms(a.Since), RaisedAtMs: ms(a.RaisedAt), Occurrences: a.Occurrences, Count: uint32(a.Count), Members: a.Members,
		AcknowledgedAtMs: ms(a.AcknowledgedAt), AcknowledgedCount: uint32(a.AcknowledgedCount), SilencedUntilMs: ms(a.SilencedUntil),
		RectifiedAtMs: ms(a.RectifiedAt), ClearedAtMs: ms(a.ClearedAt), UpdatedAtMs: ms(a.UpdatedAt), Detail: a.Detail, Version: a.Version,
	}
	if a.AcknowledgedBy != nil {
		m.AcknowledgedBy = actor(*a.AcknowledgedBy)
	}
	return m
}

func fromAlert(m *pb.Alert) (fleet.Alert, error) {
	id, err := fromUUID[fleet.AlertID]("alert_id", m.GetAlertId())
	if err != nil {
		return fleet.Alert{}, err
	}
	severity, err := alertSeverities.word("alert severity", m.GetSeverity())
	if err != nil {
		return fleet.Alert{}, err
	}
	state, err := alertStates.word("alert state", m.GetState())
	if err != nil {
		return fleet.Alert{}, err
	}
	a := fleet.Alert{
		ID: id, Kind: fleet.AlertKind(m.GetKind()), Severity: severity, SubjectKind: fleet.AlertSubject(m.GetSubjectKind()),
		Subject: m.GetSubject(), Room: fleet.RoomID(m.GetRoomId()), State: state, Since: fromMS(m.GetSinceMs()), RaisedAt: fromMS(m.GetRaisedAtMs()),
		Occurrences: m.GetOccurrences(), Count: int(m.GetCount()), Members: m.GetMembers(),
		AcknowledgedAt: fromMS(m.GetAcknowledgedAtMs()), AcknowledgedCount: int(m.GetAcknowledgedCount()),
		SilencedUntil: fromMS(m.GetSilencedUntilMs()), RectifiedAt: fromMS(m.GetRectifiedAtMs()), ClearedAt: fromMS(m.GetClearedAtMs()),
		UpdatedAt: fromMS(m.GetUpdatedAtMs()), Detail: m.GetDetail(), Version: m.GetVersion(),
	}
	if m.GetAcknowledgedBy() != nil {
		by, err := fromActor(m.GetAcknowledgedBy())
		if err != nil {
			return fleet.Alert{}, err
		}
		a.AcknowledgedBy = &by
	}
	return a, a.Check()
}
