package wire

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
)

var actorKinds = names[pb.ActorKind, fleet.ActorKind]{
	fleet.ActorUser:   pb.ActorKind_ACTOR_KIND_USER,
	fleet.ActorDevice: pb.ActorKind_ACTOR_KIND_DEVICE,
	fleet.ActorSystem: pb.ActorKind_ACTOR_KIND_SYSTEM,
}

var priorities = names[pb.Priority, fleet.Priority]{
	fleet.Normal:    pb.Priority_PRIORITY_NORMAL,
	fleet.Urgent:    pb.Priority_PRIORITY_URGENT,
	fleet.Emergency: pb.Priority_PRIORITY_EMERGENCY,
}

var pressTypes = names[pb.PressType, fleet.PressType]{
	fleet.PressSingle: pb.PressType_PRESS_TYPE_SINGLE,
	fleet.PressDouble: pb.PressType_PRESS_TYPE_DOUBLE,
	fleet.PressLong:   pb.PressType_PRESS_TYPE_LONG,
	fleet.PressShake:  pb.PressType_PRESS_TYPE_SHAKE,
}

var requestStates = names[pb.RequestState, fleet.RequestState]{
	fleet.RequestOpen:      pb.RequestState_REQUEST_STATE_OPEN,
	fleet.RequestAccepted:  pb.RequestState_REQUEST_STATE_ACCEPTED,
	fleet.RequestCompleted: pb.RequestState_REQUEST_STATE_COMPLETED,
	fleet.RequestCancelled: pb.RequestState_REQUEST_STATE_CANCELLED,
	fleet.RequestMissed:    pb.RequestState_REQUEST_STATE_MISSED,
}

var cancelReasons = names[pb.CancelReason, fleet.CancelReason]{
	"":                     pb.CancelReason_CANCEL_REASON_UNSPECIFIED,
	fleet.CancelGuest:      pb.CancelReason_CANCEL_REASON_GUEST,
	fleet.CancelFalsePress: pb.CancelReason_CANCEL_REASON_FALSE_PRESS,
	fleet.CancelDuplicate:  pb.CancelReason_CANCEL_REASON_DUPLICATE,
	fleet.CancelOther:      pb.CancelReason_CANCEL_REASON_OTHER,
}

var purposes = names[pb.Purpose, fleet.Purpose]{
	fleet.PurposeCall:     pb.Purpose_PURPOSE_UNSPECIFIED,
	fleet.PurposeDrill:    pb.Purpose_PURPOSE_DRILL,
	fleet.PurposeSelfTest: pb.Purpose_PURPOSE_SELF_TEST,
	fleet.PurposeWalk:     pb.Purpose_PURPOSE_WALK,
}

var escalationCauses = names[pb.EscalationCause, fleet.EscalationCause]{
	fleet.CauseTime:     pb.EscalationCause_ESCALATION_CAUSE_TIME,
	fleet.CauseNobody:   pb.EscalationCause_ESCALATION_CAUSE_NOBODY_REACHABLE,
	fleet.CauseDeclined: pb.EscalationCause_ESCALATION_CAUSE_DECLINED,
}

var offerEnds = names[pb.OfferEnd, fleet.OfferEnd]{
	"":                   pb.OfferEnd_OFFER_END_UNSPECIFIED,
	fleet.OfferDeclined:  pb.OfferEnd_OFFER_END_DECLINED,
	fleet.OfferExpired:   pb.OfferEnd_OFFER_END_EXPIRED,
	fleet.OfferWithdrawn: pb.OfferEnd_OFFER_END_WITHDRAWN,
}

var commandStates = names[pb.CommandState, fleet.CommandState]{
	fleet.CommandQueued:       pb.CommandState_COMMAND_STATE_QUEUED,
	fleet.CommandAtHub:        pb.CommandState_COMMAND_STATE_AT_HUB,
	fleet.CommandSent:         pb.CommandState_COMMAND_STATE_SENT,
	fleet.CommandDelivered:    pb.CommandState_COMMAND_STATE_DELIVERED,
	fleet.CommandAcknowledged: pb.CommandState_COMMAND_STATE_ACKNOWLEDGED,
	fleet.CommandSucceeded:    pb.CommandState_COMMAND_STATE_SUCCEEDED,
	fleet.CommandFailed:       pb.CommandState_COMMAND_STATE_FAILED,
	fleet.CommandExpired:      pb.CommandState_COMMAND_STATE_EXPIRED,
	fleet.CommandCancelled:    pb.CommandState_COMMAND_STATE_CANCELLED,
	fleet.CommandSuperseded:   pb.CommandState_COMMAND_STATE_SUPERSEDED,
}

var orderOutcomes = names[pb.OrderOutcome, fleet.OrderOutcome]{
	fleet.OrderApplied:  pb.OrderOutcome_ORDER_OUTCOME_APPLIED,
	fleet.OrderConflict: pb.OrderOutcome_ORDER_OUTCOME_CONFLICT,
	fleet.OrderRefused:  pb.OrderOutcome_ORDER_OUTCOME_REFUSED,
	fleet.OrderExpired:  pb.OrderOutcome_ORDER_OUTCOME_EXPIRED,
}

var certificateKinds = names[pb.CertificateKind, fleet.CertificateKind]{
	fleet.CertificateDevice:    pb.CertificateKind_CERTIFICATE_KIND_DEVICE,
	fleet.CertificateServer:    pb.CertificateKind_CERTIFICATE_KIND_SERVER,
	fleet.CertificateAuthority: pb.CertificateKind_CERTIFICATE_KIND_AUTHORITY,
}

var revocationReasons = names[pb.RevocationReason, fleet.RevocationReason]{
	"":                       pb.RevocationReason_REVOCATION_REASON_UNSPECIFIED,
	fleet.RevokedUnspecified: pb.RevocationReason_REVOCATION_REASON_UNSTATED,
	fleet.RevokedCompromised: pb.RevocationReason_REVOCATION_REASON_COMPROMISED,
	fleet.RevokedSuperseded:  pb.RevocationReason_REVOCATION_REASON_SUPERSEDED,
	fleet.RevokedCeased:      pb.RevocationReason_REVOCATION_REASON_CEASED,
}

// EncodeRecord returns the bytes that are stored, hashed and sent for r. A
// fleet.Unknown gives back the bytes that it came with.
func EncodeRecord(r fleet.Record) ([]byte, error) {
	if u, ok := r.Body.(fleet.Unknown); ok {
		return u.Bytes, nil
	}
	m := &pb.Record{AtMs: ms(r.At), ClockTrusted: r.ClockTrusted, Actor: actor(r.Actor)}
	switch b := r.Body.(type) {
	case fleet.Pressed:
		m.Body = &pb.Record_Pressed{Pressed: &pb.Pressed{
			DeviceId: string(b.Device), BootId: b.BootID, SequenceId: b.SequenceID,
			Type: pressTypes.number(b.Type), Priority: priorities.number(b.Priority),
			DurationMs: uint32(b.Duration.Milliseconds()), DeviceTimeMs: ms(b.DeviceTime),
			LateByMs: uint64(b.LateBy.Milliseconds()), RequestId: uuid(b.Press.Request), RoomId: string(b.Room),
			Opens: b.Opens, HubMade: b.HubMade, Fingerprint: b.Fingerprint, Via: string(b.Via),
			Kind: b.Service, Team: b.Team, Purpose: purposes.number(b.Purpose),
		}}
	case fleet.EpochOpened:
		m.Body = &pb.Record_EpochOpened{EpochOpened: &pb.EpochOpened{
			DeviceId: string(b.Device), BootId: b.BootID, Cause: b.Cause,
		}}
	case fleet.RequestStepped:
		m.Body = &pb.Record_RequestStepped{RequestStepped: &pb.RequestStepped{
			RequestId: uuid(b.Request), Version: b.Version, State: requestStates.number(b.State),
			Reason: cancelReasons.number(b.Reason), Note: b.Note,
		}}
	case fleet.RequestOpened:
		m.Body = &pb.Record_RequestOpened{RequestOpened: &pb.RequestOpened{
			RequestId: uuid(b.Request), DeviceId: string(b.Device), RoomId: string(b.Room), Kind: b.Service, Team: b.Team,
			Priority: priorities.number(b.Priority), Purpose: purposes.number(b.Purpose), Reopens: uuid(b.Reopens), Note: b.Note,
		}}
	case fleet.RequestEscalated:
		m.Body = &pb.Record_RequestEscalated{RequestEscalated: &pb.RequestEscalated{
			RequestId: uuid(b.Request), Level: b.Level, To: string(b.To), Cause: escalationCauses.number(b.Cause), Number: b.Number,
		}}
	case fleet.RequestOffered:
		m.Body = &pb.Record_RequestOffered{RequestOffered: &pb.RequestOffered{
			RequestId: uuid(b.Request), PersonId: b.Person, Name: b.Name, ExpiresAtMs: ms(b.ExpiresAt), Number: b.Number,
		}}
	case fleet.RequestDeclined:
		m.Body = &pb.Record_RequestDeclined{RequestDeclined: &pb.RequestDeclined{
			RequestId: uuid(b.Request), Offer: offerEnds.number(b.Offer), Number: b.Number,
		}}
	case fleet.CommandStepped:
		step := &pb.CommandStepped{
			CommandId: uuid(b.Command), State: commandStates.number(b.State), Result: b.Result, Error: b.Error,
		}
		if d := b.Define; d != nil {
			step.Define = &pb.CommandDefinition{
				DeviceId: string(d.Device), Name: d.Name, Args: d.Args, IssuedBy: actor(d.IssuedBy),
				IssuedAtMs: ms(d.IssuedAt), ExpiresAtMs: ms(d.ExpiresAt), JobId: uuid(d.Job), Order: d.Order,
			}
		}
		m.Body = &pb.Record_CommandStepped{CommandStepped: step}
	case fleet.JobChanged:
		j := b.Job
		m.Body = &pb.Record_JobChanged{JobChanged: &pb.JobChanged{
			JobId: uuid(j.ID), Name: j.Name, Args: j.Args, Filter: j.Filter, Targets: uint32(j.Targets), IssuedBy: actor(j.IssuedBy),
			IssuedAtMs: ms(j.IssuedAt), ExpiresAtMs: ms(j.ExpiresAt), Retries: uuid(j.Retries), CancelledAtMs: ms(j.CancelledAt), Version: j.Version,
		}}
	case fleet.DeviceChanged:
		m.Body = &pb.Record_DeviceChanged{DeviceChanged: &pb.DeviceChanged{Device: device(b.Device)}}
	case fleet.RoomChanged:
		m.Body = &pb.Record_RoomChanged{RoomChanged: &pb.RoomChanged{Room: &pb.Room{
			RoomId: string(b.Room.ID), Name: b.Room.Name, UpdatedAtMs: ms(b.Room.UpdatedAt),
			Version: b.Room.Version, Removed: b.Room.Removed, Deck: b.Room.Deck, Zone: b.Room.Zone, Position: b.Room.Position,
			Quiet: b.Room.Quiet, QuietUntilMs: ms(b.Room.QuietUntil),
		}}}
	case fleet.PolicyChanged:
		m.Body = &pb.Record_PolicyChanged{PolicyChanged: &pb.PolicyChanged{Document: &pb.Document{
			Kind: string(b.Document.Kind), Name: b.Document.Name, UpdatedAtMs: ms(b.Document.UpdatedAt),
			Version: b.Document.Version, Removed: b.Document.Removed, Body: b.Document.Body,
		}}}
	case fleet.CertificateChanged:
		c := b.Certificate
		m.Body = &pb.Record_CertificateChanged{CertificateChanged: &pb.CertificateChanged{
			Serial: unhex(c.Serial), Kind: certificateKinds.number(c.Kind), DeviceId: string(c.Device),
			Fingerprint: unhex(c.Fingerprint), Key: unhex(c.Key), Authority: unhex(c.Authority), IssuedAtMs: ms(c.IssuedAt),
			NotBeforeMs: ms(c.NotBefore), NotAfterMs: ms(c.NotAfter), RevokedAtMs: ms(c.RevokedAt),
			Reason: revocationReasons.number(c.Reason), Version: c.Version,
		}}
	case fleet.AlertChanged:
		m.Body = &pb.Record_AlertChanged{AlertChanged: &pb.AlertChanged{Alert: alert(b.Alert)}}
	case fleet.Audited:
		m.Body = &pb.Record_Audited{Audited: &pb.Audited{
			Chain: string(b.Chain), N: b.N, Action: b.Action, Target: b.Target, Detail: b.Detail, Prev: unhex(b.Prev),
		}}
	case fleet.OrderAnswered:
		m.Body = &pb.Record_OrderAnswered{OrderAnswered: &pb.OrderAnswered{
			Number: b.Number, OrderId: uuid(b.Order), Outcome: orderOutcomes.number(b.Outcome), Detail: b.Detail,
		}}
	case fleet.PolicyApplied:
		m.Body = &pb.Record_PolicyApplied{PolicyApplied: &pb.PolicyApplied{
			Version: b.Version, Outcome: policyOutcomes.number(b.Outcome), Detail: b.Detail, Overrides: b.Overrides,
		}}
	case fleet.Restated:
		e, err := EncodeRestated(b)
		if err != nil {
			return nil, err
		}
		m.Body = &pb.Record_Restated{Restated: e}
	default:
		return nil, fmt.Errorf("%w: record body %T", fleet.ErrInvalid, r.Body)
	}
	// Deterministic: the chain's hash is over these bytes, and a map must not
	// change them between two runs.
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode record %s: %w", r.Body.Kind(), err)
	}
	return out, nil
}

// DecodeRecord reads the bytes of a record that came on the given lane. An
// error is a record that breaks a rule of its kind, or a kind on the wrong
// lane.
func DecodeRecord(lane fleet.Lane, b []byte) (fleet.Record, error) {
	var m pb.Record
	if err := proto.Unmarshal(b, &m); err != nil {
		return fleet.Record{}, fmt.Errorf("%w: record: %w", fleet.ErrInvalid, err)
	}
	r := fleet.Record{At: fromMS(m.AtMs), ClockTrusted: m.ClockTrusted}
	if m.Body == nil {
		// A newer program's kind; the actor may be of a newer kind too.
		r.Body = fleet.Unknown{On: lane, Bytes: b}
		if a, err := fromActor(m.Actor); err == nil {
			r.Actor = a
		}
		return r, nil
	}
	var err error
	if r.Actor, err = fromActor(m.Actor); err != nil {
		return fleet.Record{}, err
	}
	switch body := m.Body.(type) {
	case *pb.Record_Pressed:
		r.Body, err = fromPressed(r.At, body.Pressed)
	case *pb.Record_EpochOpened:
		e := body.EpochOpened
		_, err = fleet.ParseDeviceID(e.DeviceId)
		r.Body = fleet.EpochOpened{Device: fleet.DeviceID(e.DeviceId), BootID: e.BootId, Cause: e.Cause}
	case *pb.Record_RequestStepped:
		r.Body, err = fromRequestStepped(body.RequestStepped)
	case *pb.Record_RequestOpened:
		r.Body, err = fromRequestOpened(body.RequestOpened)
	case *pb.Record_RequestEscalated:
		r.Body, err = fromRequestEscalated(body.RequestEscalated)
	case *pb.Record_RequestOffered:
		m := body.RequestOffered
		o := fleet.RequestOffered{Person: m.PersonId, Name: m.Name, ExpiresAt: fromMS(m.ExpiresAtMs), Number: m.Number}
		o.Request, err = fromUUID[fleet.RequestID]("request_id", m.RequestId)
		r.Body = o
	case *pb.Record_RequestDeclined:
		r.Body, err = fromRequestDeclined(body.RequestDeclined)
	case *pb.Record_CommandStepped:
		r.Body, err = fromCommandStepped(body.CommandStepped)
	case *pb.Record_JobChanged:
		r.Body, err = fromJobChanged(body.JobChanged)
	case *pb.Record_DeviceChanged:
		var d fleet.Device
		d, err = fromDevice(body.DeviceChanged.GetDevice())
		r.Body = fleet.DeviceChanged{Device: d}
	case *pb.Record_RoomChanged:
		m := body.RoomChanged.GetRoom()
		room := fleet.Room{
			ID: fleet.RoomID(m.GetRoomId()), Name: m.GetName(), UpdatedAt: fromMS(m.GetUpdatedAtMs()),
			Version: m.GetVersion(), Removed: m.GetRemoved(), Deck: m.GetDeck(), Zone: m.GetZone(), Position: m.GetPosition(),
			Quiet: m.GetQuiet(), QuietUntil: fromMS(m.GetQuietUntilMs()),
		}
		err = room.Check()
		r.Body = fleet.RoomChanged{Room: room}
	case *pb.Record_PolicyChanged:
		m := body.PolicyChanged.GetDocument()
		d := fleet.Document{
			Kind: fleet.DocumentKind(m.GetKind()), Name: m.GetName(), UpdatedAt: fromMS(m.GetUpdatedAtMs()),
			Version: m.GetVersion(), Removed: m.GetRemoved(), Body: rawJSON(m.GetBody()),
		}
		err = d.Check()
		r.Body = fleet.PolicyChanged{Document: d}
	case *pb.Record_CertificateChanged:
		r.Body, err = fromCertificateChanged(body.CertificateChanged)
	case *pb.Record_AlertChanged:
		var a fleet.Alert
		a, err = fromAlert(body.AlertChanged.GetAlert())
		r.Body = fleet.AlertChanged{Alert: a}
	case *pb.Record_Audited:
		a := body.Audited
		audited := fleet.Audited{
			Chain: fleet.Epoch(a.Chain), N: a.N, Action: a.Action, Target: a.Target, Detail: a.Detail, Prev: hex.EncodeToString(a.Prev),
		}
		err = audited.Entry(r).Check()
		r.Body = audited
	case *pb.Record_OrderAnswered:
		r.Body, err = fromOrderAnswered(body.OrderAnswered)
	case *pb.Record_PolicyApplied:
		m := body.PolicyApplied
		p := fleet.PolicyApplied{Version: m.Version, Detail: m.Detail, Overrides: m.Overrides}
		p.Outcome, err = policyOutcomes.word("outcome", m.Outcome)
		r.Body = p
	case *pb.Record_Restated:
		r.Body, err = DecodeRestated(body.Restated)
	}
	if err != nil {
		return fleet.Record{}, err
	}
	if r.Body.Lane() != lane {
		return fleet.Record{}, fmt.Errorf("%w: record %s on lane %s", fleet.ErrInvalid, r.Body.Kind(), lane)
	}
	return r, nil
}

func fromPressed(at time.Time, m *pb.Pressed) (fleet.Pressed, error) {
	var p fleet.Pressed
	dev, err := fleet.ParseDeviceID(m.DeviceId)
	if err != nil {
		return p, err
	}
	room, err := fleet.ParseRoomID(m.RoomId)
	if err != nil {
		return p, err
	}
	typ, err := pressTypes.word("press type", m.Type)
	if err != nil {
		return p, err
	}
	prio, err := priorities.word("priority", m.Priority)
	if err != nil {
		return p, err
	}
	req, err := fromUUID[fleet.RequestID]("request_id", m.RequestId)
	if err != nil {
		return p, err
	}
	purpose, err := purposes.word("purpose", m.Purpose)
	if err != nil {
		return p, err
	}
	if m.BootId == "" {
		return p, fmt.Errorf("%w: press of %s without boot_id", fleet.ErrInvalid, dev)
	}
	return fleet.Pressed{
		Press: fleet.Press{
			PressKey: fleet.PressKey{Device: dev, BootID: m.BootId, SequenceID: m.SequenceId},
			Type:     typ, Priority: prio,
			Duration:   time.Duration(m.DurationMs) * time.Millisecond,
			DeviceTime: fromMS(m.DeviceTimeMs), ReceivedAt: at,
			LateBy: time.Duration(m.LateByMs) * time.Millisecond, Request: req,
			Fingerprint: m.Fingerprint, Via: fleet.DeviceID(m.Via),
		},
		Room: room, Opens: m.Opens, HubMade: m.HubMade, Service: m.Kind, Team: m.Team, Purpose: purpose,
	}, nil
}

func fromRequestOpened(m *pb.RequestOpened) (fleet.RequestOpened, error) {
	o := fleet.RequestOpened{Device: fleet.DeviceID(m.DeviceId), Service: m.Kind, Team: m.Team, Note: m.Note}
	var err error
	if o.Request, err = fromUUID[fleet.RequestID]("request_id", m.RequestId); err != nil {
		return o, err
	}
	if o.Room, err = fleet.ParseRoomID(m.RoomId); err != nil {
		return o, err
	}
	if o.Priority, err = priorities.word("priority", m.Priority); err != nil {
		return o, err
	}
	if o.Purpose, err = purposes.word("purpose", m.Purpose); err != nil {
		return o, err
	}
	o.Reopens, err = fromOptionalUUID[fleet.RequestID]("reopens", m.Reopens)
	return o, err
}

func fromRequestEscalated(m *pb.RequestEscalated) (fleet.RequestEscalated, error) {
	e := fleet.RequestEscalated{Level: m.Level, Number: m.Number}
	var err error
	if e.Request, err = fromUUID[fleet.RequestID]("request_id", m.RequestId); err != nil {
		return e, err
	}
	if e.To, err = fleet.ParseRecipients(m.To); err != nil {
		return e, err
	}
	e.Cause, err = escalationCauses.word("escalation cause", m.Cause)
	return e, err
}

func fromRequestDeclined(m *pb.RequestDeclined) (fleet.RequestDeclined, error) {
	d := fleet.RequestDeclined{Number: m.Number}
	var err error
	if d.Request, err = fromUUID[fleet.RequestID]("request_id", m.RequestId); err != nil {
		return d, err
	}
	d.Offer, err = offerEnds.word("end of an offer", m.Offer)
	return d, err
}

func fromRequestStepped(m *pb.RequestStepped) (fleet.RequestStepped, error) {
	id, err := fromUUID[fleet.RequestID]("request_id", m.RequestId)
	if err != nil {
		return fleet.RequestStepped{}, err
	}
	state, err := requestStates.word("request state", m.State)
	if err != nil {
		return fleet.RequestStepped{}, err
	}
	reason, err := cancelReasons.word("cancel reason", m.Reason)
	if err != nil {
		return fleet.RequestStepped{}, err
	}
	return fleet.RequestStepped{Request: id, Version: m.Version, State: state, Reason: reason, Note: m.Note}, nil
}

func fromCommandStepped(m *pb.CommandStepped) (fleet.CommandStepped, error) {
	var s fleet.CommandStepped
	id, err := fromUUID[fleet.CommandID]("command_id", m.CommandId)
	if err != nil {
		return s, err
	}
	state, err := commandStates.word("command state", m.State)
	if err != nil {
		return s, err
	}
	s = fleet.CommandStepped{Command: id, State: state, Result: rawJSON(m.Result), Error: m.Error}
	if len(m.Result) > 0 && !json.Valid(m.Result) {
		return s, fmt.Errorf("%w: result of command %s is not JSON", fleet.ErrInvalid, id)
	}
	if d := m.Define; d != nil {
		def := fleet.CommandDefinition{
			Device: fleet.DeviceID(d.DeviceId), Name: d.Name, Args: rawJSON(d.Args),
			IssuedAt: fromMS(d.IssuedAtMs), ExpiresAt: fromMS(d.ExpiresAtMs), Order: d.Order,
		}
		if err := fleet.CheckCommand(def.Device, def.Name, def.Args, time.Second); err != nil {
			return s, err
		}
		if def.IssuedBy, err = fromActor(d.IssuedBy); err != nil {
			return s, err
		}
		if def.Job, err = fromOptionalUUID[fleet.JobID]("job_id", d.JobId); err != nil {
			return s, err
		}
		s.Define = &def
	}
	return s, nil
}

func fromJobChanged(m *pb.JobChanged) (fleet.JobChanged, error) {
	j := fleet.Job{
		Name: m.Name, Args: rawJSON(m.Args), Filter: m.Filter, Targets: int(m.Targets), IssuedAt: fromMS(m.IssuedAtMs),
		ExpiresAt: fromMS(m.ExpiresAtMs), CancelledAt: fromMS(m.CancelledAtMs), Version: m.Version,
	}
	var err error
	if j.ID, err = fromUUID[fleet.JobID]("job_id", m.JobId); err != nil {
		return fleet.JobChanged{}, err
	}
	if j.Retries, err = fromOptionalUUID[fleet.JobID]("retries", m.Retries); err != nil {
		return fleet.JobChanged{}, err
	}
	if j.IssuedBy, err = fromActor(m.IssuedBy); err != nil {
		return fleet.JobChanged{}, err
	}
	return fleet.JobChanged{Job: j}, j.Check()
}

func fromOrderAnswered(m *pb.OrderAnswered) (fleet.OrderAnswered, error) {
	id, err := fromUUID[fleet.OrderID]("order_id", m.OrderId)
	if err != nil {
		return fleet.OrderAnswered{}, err
	}
	outcome, err := orderOutcomes.word("order outcome", m.Outcome)
	if err != nil {
		return fleet.OrderAnswered{}, err
	}
	return fleet.OrderAnswered{Number: m.Number, Order: id, Outcome: outcome, Detail: m.Detail}, nil
}

func fromCertificateChanged(m *pb.CertificateChanged) (fleet.CertificateChanged, error) {
	kind, err := certificateKinds.word("certificate kind", m.Kind)
	if err != nil {
		return fleet.CertificateChanged{}, err
	}
	reason, err := revocationReasons.word("revocation reason", m.Reason)
	if err != nil {
		return fleet.CertificateChanged{}, err
	}
	c := fleet.Certificate{
		Serial: hex.EncodeToString(m.Serial), Kind: kind, Device: fleet.DeviceID(m.DeviceId),
		Fingerprint: hex.EncodeToString(m.Fingerprint), Key: hex.EncodeToString(m.Key), Authority: hex.EncodeToString(m.Authority),
		IssuedAt: fromMS(m.IssuedAtMs), NotBefore: fromMS(m.NotBeforeMs), NotAfter: fromMS(m.NotAfterMs),
		RevokedAt: fromMS(m.RevokedAtMs), Reason: reason, Version: m.Version,
	}
	return fleet.CertificateChanged{Certificate: c}, c.Check()
}

// unhex reads the digits of a hash or a serial number; those of a record are
// checked when they are read back.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

func rawJSON(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	return json.RawMessage(b)
}

func actor(a fleet.Actor) *pb.Actor {
	return &pb.Actor{Kind: actorKinds.number(a.Kind), Id: a.ID, PersonId: a.PersonID, Name: a.Name}
}

func fromActor(m *pb.Actor) (fleet.Actor, error) {
	kind, err := actorKinds.word("actor kind", m.GetKind())
	if err != nil {
		return fleet.Actor{}, err
	}
	a := fleet.Actor{Kind: kind, ID: m.GetId(), PersonID: m.GetPersonId(), Name: m.GetName()}
	return a, a.Check()
}

func device(d fleet.Device) *pb.Device {
	return &pb.Device{
		DeviceId: string(d.ID), Type: string(d.Type), RoomId: string(d.Room), Name: d.Name,
		SecurityProfile: d.Profile, Tags: d.Tags, Metadata: d.Metadata, LegacyDeviceId: d.LegacyID,
		CreatedAtMs: ms(d.CreatedAt), UpdatedAtMs: ms(d.UpdatedAt), Version: d.Version, Removed: d.Removed, PressProfile: d.PressProfile,
	}
}

func fromDevice(m *pb.Device) (fleet.Device, error) {
	d := fleet.Device{
		ID: fleet.DeviceID(m.GetDeviceId()), Type: fleet.DeviceType(m.GetType()), Room: fleet.RoomID(m.GetRoomId()),
		Name: m.GetName(), Profile: m.GetSecurityProfile(), Tags: m.GetTags(), Metadata: m.GetMetadata(),
		LegacyID: m.GetLegacyDeviceId(), CreatedAt: fromMS(m.GetCreatedAtMs()), UpdatedAt: fromMS(m.GetUpdatedAtMs()),
		Version: m.GetVersion(), Removed: m.GetRemoved(), PressProfile: m.GetPressProfile(),
	}
	return d, d.Check()
}
