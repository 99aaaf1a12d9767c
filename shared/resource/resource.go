// Package resource is how the REST faces of both programs show devices,
// presses, requests and commands: one shape, whoever serves it. The functions
// are pure.
package resource

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Presence is what is known of a device's being there.
type Presence struct {
	State fleet.Presence `json:"state" enum:"ready,sleeping,late,lost,disconnected,never_seen,retired"`
	Since time.Time      `json:"since" doc:"When the device came into this state."`
	AsOf  time.Time      `json:"as_of" doc:"The newest evidence behind it."`
}

// LastWill is what the broker publishes for the device when it is lost.
type LastWill struct {
	Topic   string `json:"topic"`
	Message string `json:"message"`
}

// Device is a registered device with its newest state.
type Device struct {
	DeviceID          fleet.DeviceID    `json:"device_id"`
	Site              fleet.SiteID      `json:"site"`
	Room              fleet.RoomID      `json:"room"`
	RoomName          string            `json:"room_name"`
	Type              fleet.DeviceType  `json:"type" enum:"button,watch,repeater,sensor"`
	Name              string            `json:"name,omitempty"`
	MQTTClientID      string            `json:"mqtt_client_id"`
	BaseTopic         string            `json:"base_topic"`
	LastWill          *LastWill         `json:"last_will,omitempty"`
	SecurityProfile   string            `json:"security_profile"`
	PressProfile      string            `json:"press_profile,omitempty" doc:"What its presses mean; the site's default if absent."`
	CreatedAt         time.Time         `json:"created_at"`
	UpdatedAt         time.Time         `json:"updated_at"`
	LegacyDeviceID    string            `json:"legacy_device_id,omitempty"`
	LastMQTTActivity  *time.Time        `json:"last_mqtt_activity,omitempty"`
	MQTTSubscriptions []string          `json:"mqtt_subscriptions,omitempty"`
	Presence          Presence          `json:"presence"`
	Battery           *int              `json:"battery,omitempty" doc:"Per cent."`
	BatteryDaysLeft   *int              `json:"battery_days_left,omitempty" doc:"Until it is empty, by the last days; absent when that cannot be said."`
	SignalStrength    *int              `json:"signal_strength,omitempty" doc:"dBm."`
	Via               fleet.DeviceID    `json:"via,omitempty" doc:"The repeater through which it was heard last, since the hub's start."`
	FirmwareVersion   string            `json:"firmware_version,omitempty"`
	BootID            string            `json:"boot_id,omitempty"`
	UptimeS           *int64            `json:"uptime_s,omitempty" doc:"Seconds."`
	Metadata          map[string]string `json:"metadata"`
	Tags              []string          `json:"tags" nullable:"false"`
	Version           uint64            `json:"version"`
	ETag              string            `json:"etag"`
}

// DeviceOf shows a device. s is its newest state; the zero value when there is
// none yet.
func DeviceOf(site fleet.SiteID, d fleet.Device, roomName string, s fleet.DeviceState) Device {
	r := Device{
		DeviceID: d.ID, Site: site, Room: d.Room, RoomName: roomName, Type: d.Type, Name: d.Name,
		MQTTClientID: string(d.ID), BaseTopic: d.BaseTopic(site), SecurityProfile: d.Profile, PressProfile: d.PressProfile,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, LegacyDeviceID: d.LegacyID,
		Presence: Presence{State: s.Presence, Since: s.Since, AsOf: s.LastSeen},
		Battery:  s.Battery, SignalStrength: s.Signal, FirmwareVersion: s.Firmware, BootID: s.BootID, UptimeS: s.UptimeS,
		Metadata: d.Metadata, Tags: d.Tags, Version: d.Version, ETag: fmt.Sprintf(`"v%d"`, d.Version),
	}
	if s.ID == "" {
		r.Presence = Presence{State: fleet.NeverSeen, Since: d.CreatedAt}
	}
	if r.Presence.AsOf.IsZero() {
		r.Presence.AsOf = r.Presence.Since
	} else {
		seen := s.LastSeen
		r.LastMQTTActivity = &seen
	}
	if r.RoomName == "" {
		r.RoomName = string(d.Room)
	}
	if r.Metadata == nil {
		r.Metadata = map[string]string{}
	}
	if r.Tags == nil {
		r.Tags = []string{}
	}
	return r
}

// Field returns the values of a field for the filter grammar: state, type,
// room, battery, signal, tag, profile, firmware, id, and what only a hub knows:
// battery_days_left, via; and for "" the words that a bare word is looked for in.
func (d Device) Field(name string) []string {
	number := func(n *int) []string {
		if n == nil {
			return nil
		}
		return []string{fmt.Sprint(*n)}
	}
	switch name {
	case "":
		return []string{string(d.DeviceID), string(d.Room), d.RoomName, d.Name, d.LegacyDeviceID}
	case "state":
		return []string{string(d.Presence.State)}
	case "type":
		return []string{string(d.Type)}
	case "room":
		return []string{string(d.Room)}
	case "site":
		return []string{string(d.Site)}
	case "id":
		return []string{string(d.DeviceID)}
	case "battery":
		return number(d.Battery)
	case "battery_days_left":
		return number(d.BatteryDaysLeft)
	case "via":
		if d.Via == "" {
			return nil
		}
		return []string{string(d.Via)}
	case "signal":
		return number(d.SignalStrength)
	case "tag":
		return d.Tags
	case "profile":
		return []string{d.SecurityProfile}
	case "firmware":
		return []string{d.FirmwareVersion}
	}
	return nil
}

// DeviceFields are the names that Field knows, but for what only a hub knows.
func DeviceFields() []string {
	return []string{"state", "type", "room", "site", "id", "battery", "signal", "tag", "profile", "firmware"}
}

// Press is one press of a button.
type Press struct {
	DeviceID   fleet.DeviceID  `json:"device_id"`
	BootID     string          `json:"boot_id"`
	SequenceID uint64          `json:"sequence_id"`
	PressType  fleet.PressType `json:"press_type" enum:"single,double,long,shake"`
	Priority   fleet.Priority  `json:"priority" enum:"normal,urgent,emergency"`
	DurationMS int64           `json:"duration_ms,omitempty"`
	DeviceTime *time.Time      `json:"device_time,omitempty"`
	ReceivedAt time.Time       `json:"received_at"`
	LateByMS   int64           `json:"late_by_ms,omitempty"`
	RequestID  fleet.RequestID `json:"request_id"`
	Via        fleet.DeviceID  `json:"via,omitempty"`
}

// PressOf shows a press.
func PressOf(p fleet.Press) Press {
	return Press{
		DeviceID: p.Device, BootID: p.BootID, SequenceID: p.SequenceID, PressType: p.Type, Priority: p.Priority,
		DurationMS: p.Duration.Milliseconds(), DeviceTime: optional(p.DeviceTime), ReceivedAt: p.ReceivedAt,
		LateByMS: p.LateBy.Milliseconds(), RequestID: p.Request, Via: p.Via,
	}
}

// Actor is who acted.
type Actor struct {
	Kind     fleet.ActorKind `json:"kind" enum:"user,device,system"`
	ID       string          `json:"id"`
	PersonID string          `json:"person_id,omitempty"`
	Name     string          `json:"name,omitempty"`
}

// ActorOf shows an actor.
func ActorOf(a fleet.Actor) Actor { return Actor(a) }

// AuditEntry is who changed what, or what happened to the security of a
// program. It has all that its hash is made of.
type AuditEntry struct {
	Chain        fleet.Epoch       `json:"chain" doc:"Each store writes one chain; one that was restored begins another, which continues it."`
	N            uint64            `json:"n" doc:"In its chain, from 1, without holes."`
	At           time.Time         `json:"at"`
	ClockTrusted bool              `json:"clock_trusted"`
	Actor        Actor             `json:"actor"`
	Action       string            `json:"action" doc:"noun.verb, such as device.moved"`
	Target       string            `json:"target,omitempty"`
	Detail       map[string]string `json:"detail,omitempty"`
	Prev         string            `json:"prev,omitempty" doc:"Hash of the entry before."`
	Hash         string            `json:"hash" doc:"SHA-256 over all other fields, in hexadecimal."`
}

// AuditEntryOf shows an entry of an audit.
func AuditEntryOf(e fleet.AuditEntry) AuditEntry {
	return AuditEntry{
		Chain: e.Chain, N: e.N, At: e.At, ClockTrusted: e.ClockTrusted, Actor: Actor(e.Actor), Action: e.Action,
		Target: e.Target, Detail: e.Detail, Prev: e.Prev, Hash: e.Hash,
	}
}

// Unreachable is a watch, or a person without one, that has not been told, and
// why.
type Unreachable struct {
	DeviceID fleet.DeviceID `json:"device_id,omitempty"`
	PersonID string         `json:"person_id,omitempty"`
	Name     string         `json:"name,omitempty"`
	Why      string         `json:"why" doc:"not connected, not subscribed, does not answer, no answer yet, wears no watch, declined"`
}

// Reached is a watch that has been told.
type Reached struct {
	DeviceID fleet.DeviceID `json:"device_id"`
	PersonID string         `json:"person_id,omitempty"`
	Name     string         `json:"name,omitempty"`
}

// Notified says which watches know of a request.
type Notified struct {
	Watches     int           `json:"watches"`
	Reached     int           `json:"reached"`
	Told        []Reached     `json:"told" nullable:"false"`
	Unreachable []Unreachable `json:"unreachable" nullable:"false"`
	Quiet       bool          `json:"quiet,omitempty" doc:"Nobody is told because the room is quiet."`
}

// Offer is a request offered to a person.
type Offer struct {
	PersonID  string    `json:"person_id"`
	Name      string    `json:"name,omitempty"`
	By        Actor     `json:"by"`
	At        time.Time `json:"at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Request is what the crew works on.
type Request struct {
	RequestID    fleet.RequestID    `json:"request_id"`
	DeviceID     fleet.DeviceID     `json:"device_id"`
	DeviceName   string             `json:"device_name,omitempty"`
	DeviceType   fleet.DeviceType   `json:"device_type,omitempty"`
	Room         fleet.RoomID       `json:"room"`
	RoomName     string             `json:"room_name"`
	Kind         string             `json:"kind,omitempty" doc:"The service that is wanted; absent for a plain call."`
	KindLabel    string             `json:"kind_label,omitempty"`
	Team         string             `json:"team,omitempty"`
	Purpose      string             `json:"purpose" enum:"call,drill,self_test,walk"`
	Level        uint32             `json:"level" doc:"Of the escalation, from 0."`
	ToldTo       fleet.Recipients   `json:"told_to,omitempty" enum:"duty,backup,lead,all" doc:"Who is told at that level."`
	Offer        *Offer             `json:"offer,omitempty"`
	Declined     []Actor            `json:"declined,omitempty"`
	Reopens      fleet.RequestID    `json:"reopens,omitempty"`
	State        fleet.RequestState `json:"state" enum:"open,accepted,completed,cancelled,missed"`
	Priority     fleet.Priority     `json:"priority" enum:"normal,urgent,emergency"`
	Version      uint64             `json:"version"`
	Entries      uint64             `json:"entries" doc:"Grows with all that happens to the request, so that of two the newer can be told."`
	Presses      uint64             `json:"presses"`
	OpenedAt     time.Time          `json:"opened_at"`
	LateByMS     int64              `json:"late_by_ms,omitempty" doc:"How long the press that opened it was under way."`
	LastPressAt  time.Time          `json:"last_press_at"`
	AcceptedAt   *time.Time         `json:"accepted_at,omitempty"`
	AcceptedBy   *Actor             `json:"accepted_by,omitempty"`
	EndedAt      *time.Time         `json:"ended_at,omitempty"`
	EndedBy      *Actor             `json:"ended_by,omitempty"`
	CancelReason fleet.CancelReason `json:"cancel_reason,omitempty"`
	Note         string             `json:"note,omitempty"`
	WaitingMS    int64              `json:"waiting_ms" doc:"From the opening to the accept, the end or now."`
	Notified     *Notified          `json:"notified,omitempty"`
}

// RequestOf shows a request as of now. d may be the zero value.
func RequestOf(r fleet.Request, d fleet.Device, roomName string, now time.Time) Request {
	until := now
	switch {
	case !r.AcceptedAt.IsZero():
		until = r.AcceptedAt
	case !r.EndedAt.IsZero():
		until = r.EndedAt
	}
	if roomName == "" {
		roomName = string(r.Room)
	}
	out := Request{
		Kind: r.Kind, Team: r.Team, Purpose: string(r.Purpose), Level: r.Level, ToldTo: r.To, Reopens: r.Reopens, Entries: r.Entries,
		RequestID: r.ID, DeviceID: r.Device, DeviceName: d.Name, DeviceType: d.Type, Room: r.Room, RoomName: roomName,
		State: r.State, Priority: r.Priority, Version: r.Version, Presses: r.Presses, OpenedAt: r.OpenedAt,
		LateByMS: r.LateBy.Milliseconds(), LastPressAt: r.LastPressAt,
		AcceptedAt: optional(r.AcceptedAt), AcceptedBy: actor(r.AcceptedBy),
		EndedAt: optional(r.EndedAt), EndedBy: actor(r.EndedBy), CancelReason: r.CancelledAs, Note: r.Note,
		WaitingMS: max(0, until.Sub(r.OpenedAt).Milliseconds()),
	}
	if out.Purpose == "" {
		out.Purpose = "call"
	}
	if o := r.Offer; o != nil {
		out.Offer = &Offer{PersonID: o.To, Name: o.Name, By: Actor(o.By), At: o.At, ExpiresAt: o.ExpiresAt}
	}
	for _, a := range r.Declined {
		out.Declined = append(out.Declined, Actor(a))
	}
	return out
}

// CommandStep is one entry of a command's timeline.
type CommandStep struct {
	State fleet.CommandState `json:"state"`
	At    time.Time          `json:"at"`
}

// Command is a wanted action on a device.
type Command struct {
	CommandID fleet.CommandID    `json:"command_id"`
	DeviceID  fleet.DeviceID     `json:"device_id"`
	Name      string             `json:"name"`
	Args      json.RawMessage    `json:"args,omitempty"`
	State     fleet.CommandState `json:"state" enum:"queued,at_hub,sent,delivered,acknowledged,succeeded,failed,expired,cancelled,superseded"`
	IssuedBy  Actor              `json:"issued_by"`
	IssuedAt  time.Time          `json:"issued_at"`
	ExpiresAt time.Time          `json:"expires_at"`
	JobID     fleet.JobID        `json:"job_id,omitempty"`
	Order     uint64             `json:"order,omitempty" doc:"Number of the console's order."`
	UpdatedAt time.Time          `json:"updated_at"`
	Steps     []CommandStep      `json:"steps" nullable:"false"`
	Result    json.RawMessage    `json:"result,omitempty"`
	Error     string             `json:"error,omitempty"`
	Anomaly   fleet.CommandState `json:"anomaly,omitempty" doc:"A second, different end that came after the first."`
}

// CommandOf shows a command.
func CommandOf(c fleet.Command) Command {
	steps := make([]CommandStep, len(c.Steps))
	for i, s := range c.Steps {
		steps[i] = CommandStep(s)
	}
	return Command{
		CommandID: c.ID, DeviceID: c.Device, Name: c.Name, Args: c.Args, State: c.State, IssuedBy: Actor(c.IssuedBy),
		IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt, JobID: c.Job, Order: c.Order, UpdatedAt: c.UpdatedAt,
		Steps: steps, Result: c.Result, Error: c.Error, Anomaly: c.Anomaly,
	}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func actor(a *fleet.Actor) *Actor {
	if a == nil {
		return nil
	}
	v := Actor(*a)
	return &v
}
