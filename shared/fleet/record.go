package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// Lane is one ordered stream of the sync protocol.
type Lane uint8

// The lanes. Lanes 0, 1 and 3 are logs of records; lane 2 is the map of the
// newest device states; lane 4 and 5 carry traffic.
const (
	LaneRequests  Lane = 0 // presses and request steps
	LaneCommands  Lane = 1 // command steps
	LaneState     Lane = 2 // newest device state
	LaneRegistry  Lane = 3 // every other record
	LaneSummaries Lane = 4 // traffic summaries
	LaneHistory   Lane = 5 // raw history, when asked for
)

// LogLanes are the lanes that carry records, most urgent first.
func LogLanes() []Lane { return []Lane{LaneRequests, LaneCommands, LaneRegistry} }

// String names the lane as metrics and pages do.
func (l Lane) String() string {
	switch l {
	case LaneRequests:
		return "requests"
	case LaneCommands:
		return "commands"
	case LaneState:
		return "state"
	case LaneRegistry:
		return "registry"
	case LaneSummaries:
		return "summaries"
	case LaneHistory:
		return "history"
	}
	return fmt.Sprintf("lane-%d", uint8(l))
}

// Kind says what a record is about.
type Kind string

// The kinds of records, under the lane that carries them.
const (
	KindPressed            Kind = "press"             // lane 0
	KindEpochOpened        Kind = "epoch_opened"      // lane 0
	KindRequestOpened      Kind = "request_opened"    // lane 0
	KindRequestStepped     Kind = "request_step"      // lane 0
	KindRequestEscalated   Kind = "request_escalated" // lane 0
	KindRequestOffered     Kind = "request_offered"   // lane 0
	KindRequestDeclined    Kind = "request_declined"  // lane 0
	KindCommandStepped     Kind = "command_step"      // lane 1
	KindJobChanged         Kind = "job"               // lane 1
	KindDeviceChanged      Kind = "device"            // lane 3
	KindRoomChanged        Kind = "room"              // lane 3
	KindOrderAnswered      Kind = "order_answer"      // lane 3
	KindPolicyChanged      Kind = "policy"            // lane 3
	KindCertificateChanged Kind = "certificate"       // lane 3
	KindAudited            Kind = "audit"             // lane 3
	KindAlertChanged       Kind = "alert"             // lane 3
	KindPolicyApplied      Kind = "policy_applied"    // lane 3
	KindRestated           Kind = "restated"          // the lane of the entity
	KindUnknown            Kind = "unknown"           // the lane it came on
)

// Body is what a record says; one of the types below.
type Body interface {
	Kind() Kind
	// Lane is the lane that carries records of this kind.
	Lane() Lane
}

// Record is one immutable fact of a hub. Its place, (hub, epoch, lane, seq),
// is not part of it: the journal gives it one when it is appended.
type Record struct {
	// At is when the hub appended it, by the hub's clock, in milliseconds.
	At time.Time
	// ClockTrusted says whether the hub believed its clock then.
	ClockTrusted bool
	Actor        Actor
	Body         Body
}

// Placed is a record in its place.
type Placed struct {
	Lane Lane
	Seq  Seq
	Record
}

// Pressed: a button was pressed. It opens a request or joins one.
type Pressed struct {
	Press
	// Room is where the button was at that time.
	Room RoomID
	// Opens says that the press opened Press.Request; else it joined it.
	Opens bool
	// HubMade says that BootID is an epoch that the hub opened.
	HubMade bool
	// Service, Team and Purpose are those of the request that it opens.
	Service string
	Team    string
	Purpose Purpose
}

// EpochOpened: the hub saw that a device without boot_id has restarted.
type EpochOpened struct {
	Device DeviceID
	BootID string
	// Cause is birth, uptime, sequence or first.
	Cause string
}

// RequestStepped: a request went to its next state.
type RequestStepped struct {
	Request RequestID
	// Version is the request's version after the step.
	Version uint64
	State   RequestState
	Reason  CancelReason
	Note    string
}

// CommandStepped: a command went to its next state. The first step that the
// hub records (at_hub, or an end when it came too late) defines the command.
type CommandStepped struct {
	Command CommandID
	State   CommandState
	Define  *CommandDefinition
	Result  json.RawMessage
	Error   string
}

// CommandDefinition is what a command is, apart from its state.
type CommandDefinition struct {
	Device    DeviceID
	Name      string
	Args      json.RawMessage
	IssuedBy  Actor
	IssuedAt  time.Time
	ExpiresAt time.Time
	Job       JobID
	Order     uint64
}

// DeviceChanged: a device was registered, changed, moved or removed (then a
// tombstone). The whole device is told.
type DeviceChanged struct{ Device Device }

// RoomChanged: a room was made, changed or removed (then a tombstone).
type RoomChanged struct{ Room Room }

// PolicyChanged: a policy document was made, changed or removed (then a
// tombstone). The whole document is told.
type PolicyChanged struct{ Document Document }

// OrderAnswered: what became of an order that is not a command.
type OrderAnswered struct {
	Number  uint64
	Order   OrderID
	Outcome OrderOutcome
	Detail  string
}

// Unknown is a record of a kind that this program does not know: kept as it
// came, shown as such, and without effect on state.
type Unknown struct {
	On    Lane
	Bytes []byte
}

// Kind implements Body.
func (Pressed) Kind() Kind        { return KindPressed }
func (EpochOpened) Kind() Kind    { return KindEpochOpened }
func (RequestStepped) Kind() Kind { return KindRequestStepped }
func (CommandStepped) Kind() Kind { return KindCommandStepped }
func (DeviceChanged) Kind() Kind  { return KindDeviceChanged }
func (RoomChanged) Kind() Kind    { return KindRoomChanged }
func (OrderAnswered) Kind() Kind  { return KindOrderAnswered }
func (PolicyChanged) Kind() Kind  { return KindPolicyChanged }
func (Unknown) Kind() Kind        { return KindUnknown }

// Lane implements Body.
func (Pressed) Lane() Lane        { return LaneRequests }
func (EpochOpened) Lane() Lane    { return LaneRequests }
func (RequestStepped) Lane() Lane { return LaneRequests }
func (CommandStepped) Lane() Lane { return LaneCommands }
func (DeviceChanged) Lane() Lane  { return LaneRegistry }
func (RoomChanged) Lane() Lane    { return LaneRegistry }
func (OrderAnswered) Lane() Lane  { return LaneRegistry }
func (PolicyChanged) Lane() Lane  { return LaneRegistry }
func (u Unknown) Lane() Lane      { return u.On }

// Millis returns t as records carry it: UTC, in whole milliseconds; the zero
// time stays zero.
func Millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}
