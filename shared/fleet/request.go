package fleet

import (
	"fmt"
	"slices"
	"time"
)

// RequestState is where a request stands:
//
//	open → accepted → completed
//	open, accepted → cancelled
//	open → missed
type RequestState string

// The request states.
const (
	RequestOpen      RequestState = "open"
	RequestAccepted  RequestState = "accepted"
	RequestCompleted RequestState = "completed"
	RequestCancelled RequestState = "cancelled"
	RequestMissed    RequestState = "missed"
)

// RequestStates are all request states.
func RequestStates() []RequestState {
	return []RequestState{RequestOpen, RequestAccepted, RequestCompleted, RequestCancelled, RequestMissed}
}

// ParseRequestState returns s as a RequestState, or ErrInvalid.
func ParseRequestState(s string) (RequestState, error) {
	for _, v := range RequestStates() {
		if string(v) == s {
			return v, nil
		}
	}
	return "", fmt.Errorf("%w: request state %q", ErrInvalid, s)
}

// Ended reports whether no step leads out of s.
func (s RequestState) Ended() bool {
	switch s {
	case RequestCompleted, RequestCancelled, RequestMissed:
		return true
	case RequestOpen, RequestAccepted:
	}
	return false
}

// Leads reports whether a step leads from s to next.
func (s RequestState) Leads(next RequestState) bool {
	switch s {
	case RequestOpen:
		return next == RequestAccepted || next == RequestCancelled || next == RequestMissed
	case RequestAccepted:
		return next == RequestCompleted || next == RequestCancelled
	case RequestCompleted, RequestCancelled, RequestMissed:
	}
	return false
}

// CancelReason says why a request was cancelled.
type CancelReason string

// The cancel reasons.
const (
	CancelGuest      CancelReason = "guest"
	CancelFalsePress CancelReason = "false_press"
	CancelDuplicate  CancelReason = "duplicate"
	CancelOther      CancelReason = "other"
)

// ParseCancelReason returns s as a CancelReason, or ErrInvalid.
func ParseCancelReason(s string) (CancelReason, error) {
	switch r := CancelReason(s); r {
	case CancelGuest, CancelFalsePress, CancelDuplicate, CancelOther:
		return r, nil
	}
	return "", fmt.Errorf("%w: cancel reason %q: want guest, false_press, duplicate or other", ErrInvalid, s)
}

// Purpose says what a request is for. All but calls stay out of statistics.
type Purpose string

// The purposes.
const (
	PurposeCall     Purpose = ""          // a guest calls
	PurposeDrill    Purpose = "drill"     // the crew practises
	PurposeSelfTest Purpose = "self_test" // the hub tries whether a call would come through
	PurposeWalk     Purpose = "walk"      // a button is tried while the site is commissioned
)

// ForPeople reports whether people are told of such a request and work on it:
// calls and drills. The others are the hub's own business.
func (p Purpose) ForPeople() bool { return p == PurposeCall || p == PurposeDrill }

// Recipients says who is told of a request at a level of its escalation: each
// has those of the ones before.
type Recipients string

// The recipients, from the fewest.
const (
	ToDuty   Recipients = "duty"   // the request's team, as far as it is on duty
	ToBackup Recipients = "backup" // and its backup
	ToLead   Recipients = "lead"   // and its leads
	ToAll    Recipients = "all"    // everybody
)

// ParseRecipients returns s as Recipients, or ErrInvalid.
func ParseRecipients(s string) (Recipients, error) {
	switch r := Recipients(s); r {
	case ToDuty, ToBackup, ToLead, ToAll:
		return r, nil
	}
	return "", fmt.Errorf("%w: recipients %q: want duty, backup, lead or all", ErrInvalid, s)
}

// Rank orders recipients: each rank has those of the ranks below.
func (r Recipients) Rank() int {
	switch r {
	case ToBackup:
		return 1
	case ToLead:
		return 2
	case ToAll:
		return 3
	case ToDuty:
	}
	return 0
}

// EscalationCause says why a request went to more people.
type EscalationCause string

// The causes of an escalation.
const (
	CauseTime     EscalationCause = "time"             // nobody took it in time
	CauseNobody   EscalationCause = "nobody_reachable" // nobody of those before can be told
	CauseDeclined EscalationCause = "declined"         // all of those before have declined
)

// OfferEnd says how an offer ended that was not taken.
type OfferEnd string

// The ends of an offer.
const (
	OfferDeclined  OfferEnd = "declined"
	OfferExpired   OfferEnd = "expired"
	OfferWithdrawn OfferEnd = "withdrawn"
)

// Offer is a request offered to a person. It takes nothing from those who have
// the request until it is taken, and ends by itself.
type Offer struct {
	To        string    `json:"person_id"`
	Name      string    `json:"name,omitempty"`
	By        Actor     `json:"by"`
	At        time.Time `json:"at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// RequestEvent says what one entry of a request's history is about.
type RequestEvent string

// The events of a request; its presses are entities of their own.
const (
	EventOpened     RequestEvent = "opened"
	EventEscalated  RequestEvent = "escalated"
	EventOffered    RequestEvent = "offered"
	EventOfferEnded RequestEvent = "offer_ended"
	EventDeclined   RequestEvent = "declined"
	EventAccepted   RequestEvent = "accepted"
	EventHandedOver RequestEvent = "handed_over"
	EventCompleted  RequestEvent = "completed"
	EventCancelled  RequestEvent = "cancelled"
	EventMissed     RequestEvent = "missed"
)

// RequestStep is one entry of a request's history.
type RequestStep struct {
	Event RequestEvent `json:"event"`
	At    time.Time    `json:"at"`
	By    Actor        `json:"by"`
	// Level, To and Cause are of an escalation.
	Level uint32          `json:"level,omitempty"`
	To    Recipients      `json:"to,omitempty"`
	Cause EscalationCause `json:"cause,omitempty"`
	// Person is to whom it was offered, and End how the offer ended.
	Person string   `json:"person_id,omitempty"`
	Name   string   `json:"name,omitempty"`
	End    OfferEnd `json:"offer_end,omitempty"`
	Note   string   `json:"note,omitempty"`
}

// maxSteps of a request's history. Of more, the oldest but the first go.
const maxSteps = 64

// Request is what the crew works on: opened by a press or a person, joined by
// more presses.
type Request struct {
	ID RequestID `json:"request_id"`
	// Device that was pressed; empty for a request that a person opened.
	Device DeviceID `json:"device_id"`
	Room   RoomID   `json:"room"`
	// Kind is the service that is wanted, and Team who gives it; empty for a
	// plain call, which is everybody's.
	Kind     string       `json:"kind,omitempty"`
	Team     string       `json:"team,omitempty"`
	Purpose  Purpose      `json:"purpose,omitempty"`
	State    RequestState `json:"state"`
	Priority Priority     `json:"priority"`
	// Version counts the steps of the request, from 1. A step names the version
	// that its actor saw; the first one wins. Presses, escalations and offers do
	// not change it: they must not take an accept from whoever was first.
	Version uint64 `json:"version"`
	// Level of the escalation of an open request, from 0, and who is told at it.
	Level uint32     `json:"level,omitempty"`
	To    Recipients `json:"to,omitempty"`
	// LevelAt is when it came to that level.
	LevelAt time.Time `json:"level_at,omitzero"`
	// Presses counts the presses that opened and joined it.
	Presses uint64 `json:"presses"`
	// OpenedAt is when the hub took the press that opened it.
	OpenedAt time.Time `json:"opened_at"`
	// LateBy is how long that press was under way, when that can be told.
	LateBy      time.Duration `json:"late_by_ns,omitempty"`
	LastPressAt time.Time     `json:"last_press_at"`
	// LastPress names the newest press, to which receipts are sent.
	LastPress PressKey `json:"last_press"`
	Offer     *Offer   `json:"offer,omitempty"`
	// Declined are those who will not take it.
	Declined []Actor `json:"declined,omitempty"`
	// AcceptedAt is when it was first taken, and AcceptedBy who has it now.
	AcceptedAt  time.Time    `json:"accepted_at,omitzero"`
	AcceptedBy  *Actor       `json:"accepted_by,omitempty"`
	EndedAt     time.Time    `json:"ended_at,omitzero"`
	EndedBy     *Actor       `json:"ended_by,omitempty"`
	CancelledAs CancelReason `json:"cancel_reason,omitempty"`
	Note        string       `json:"note,omitempty"`
	Reopens     RequestID    `json:"reopens,omitempty"`
	// Steps are the request's history, and Entries counts what was ever in it.
	Steps   []RequestStep `json:"steps,omitempty"`
	Entries uint64        `json:"entries,omitempty"`
}

// Step returns the record body that takes r to next, if r still has the
// version that the actor saw. ErrVersion: somebody was faster; look at r.
// ErrState: no step leads from r's state to next.
func (r Request) Step(version uint64, next RequestState, reason CancelReason, note string) (RequestStepped, error) {
	if version != r.Version {
		return RequestStepped{}, fmt.Errorf("%w: request %s has version %d, not %d", ErrVersion, r.ID, r.Version, version)
	}
	if !r.leads(next) {
		return RequestStepped{}, fmt.Errorf("%w: request %s is %s and cannot become %s", ErrState, r.ID, r.State, next)
	}
	if (next == RequestCancelled) != (reason != "") {
		return RequestStepped{}, fmt.Errorf("%w: a cancelled request has a reason, another has none", ErrInvalid)
	}
	return RequestStepped{Request: r.ID, Version: r.Version + 1, State: next, Reason: reason, Note: note}, nil
}

// leads is State.Leads, and the taking of an accepted request that is offered.
func (r Request) leads(next RequestState) bool {
	return r.State.Leads(next) || r.Offer != nil && r.State == RequestAccepted && next == RequestAccepted
}

// OfferedTo reports whether the request is offered to a person at a time.
func (r Request) OfferedTo(person string, now time.Time) bool {
	return r.Offer != nil && person != "" && r.Offer.To == person && now.Before(r.Offer.ExpiresAt)
}

// HasDeclined reports whether a person, or a watch that nobody wears, has
// declined.
func (r Request) HasDeclined(person string, watch DeviceID) bool {
	return slices.ContainsFunc(r.Declined, func(a Actor) bool {
		return person != "" && a.PersonID == person || a.Kind == ActorDevice && a.ID == string(watch)
	})
}

// note adds an entry to the history of a copy of r.
func (r Request) note(s RequestStep) Request {
	steps := append(slices.Clone(r.Steps), s)
	if len(steps) > maxSteps {
		steps = slices.Delete(steps, 1, len(steps)-maxSteps+1)
	}
	r.Steps = steps
	r.Entries++
	return r
}

// RequestOpened: a request was opened without a press: by a person, by the
// hub's test of itself, or again.
type RequestOpened struct {
	Request  RequestID
	Device   DeviceID
	Room     RoomID
	Service  string
	Team     string
	Priority Priority
	Purpose  Purpose
	Reopens  RequestID
	Note     string
}

// RequestEscalated: an open request goes to more people. Number is that of the
// entry in the request's history, from 1: it tells a record that comes again.
type RequestEscalated struct {
	Request RequestID
	Number  uint64
	Level   uint32
	To      Recipients
	Cause   EscalationCause
}

// RequestOffered: a request is offered to a person until a time. It takes the
// place of an offer before.
type RequestOffered struct {
	Request   RequestID
	Number    uint64
	Person    string
	Name      string
	ExpiresAt time.Time
}

// RequestDeclined: the actor will not take a request. When Offer says so, it is
// the offer that ended.
type RequestDeclined struct {
	Request RequestID
	Number  uint64
	Offer   OfferEnd
}

// Kind implements Body.
func (RequestOpened) Kind() Kind    { return KindRequestOpened }
func (RequestEscalated) Kind() Kind { return KindRequestEscalated }
func (RequestOffered) Kind() Kind   { return KindRequestOffered }
func (RequestDeclined) Kind() Kind  { return KindRequestDeclined }

// Lane implements Body.
func (RequestOpened) Lane() Lane    { return LaneRequests }
func (RequestEscalated) Lane() Lane { return LaneRequests }
func (RequestOffered) Lane() Lane   { return LaneRequests }
func (RequestDeclined) Lane() Lane  { return LaneRequests }

func applyOpened(v View, r Record, b RequestOpened) ([]Change, error) {
	if _, found, err := Get[Request](v, RequestRef(b.Request)); err != nil || found {
		return nil, err
	}
	req := Request{
		ID: b.Request, Device: b.Device, Room: b.Room, Kind: b.Service, Team: b.Team, Purpose: b.Purpose,
		State: RequestOpen, Priority: b.Priority, Version: 1, OpenedAt: r.At, LevelAt: r.At, LastPressAt: r.At,
		Note: b.Note, Reopens: b.Reopens,
	}
	old, _, err := Get[Request](v, RequestRef(b.Reopens))
	if err != nil {
		return nil, err
	}
	req.LastPress = old.LastPress // whose button is told how it goes on
	req = req.note(RequestStep{Event: EventOpened, At: r.At, By: r.Actor, Note: b.Note})
	changes := changed(false, Request{}, req)
	cursor, found, err := Get[PressCursor](v, PressCursorRef(b.Device))
	if err != nil || !found || b.Device == "" {
		return changes, err
	}
	next := cursor
	next.Request = b.Request // a further press of the button joins it
	return append(changes, changed(true, cursor, next)...), nil
}

// known is the request that a record speaks of; ErrState when nothing opened
// it.
func known(v View, id RequestID, kind Kind) (Request, error) {
	req, found, err := Get[Request](v, RequestRef(id))
	if err == nil && !found {
		err = fmt.Errorf("%w: %s of request %s, which nothing opened", ErrState, kind, id)
	}
	return req, err
}

// entry is known for a record that adds the entry of that number; false when it
// has it already.
func entry(v View, id RequestID, kind Kind, number uint64) (Request, bool, error) {
	req, err := known(v, id, kind)
	if err == nil && number > req.Entries+1 {
		err = fmt.Errorf("%w: %s is entry %d of request %s, which has %d", ErrState, kind, number, id, req.Entries)
	}
	return req, err == nil && number > req.Entries, err
}

func applyEscalated(v View, r Record, b RequestEscalated) ([]Change, error) {
	before, isNew, err := entry(v, b.Request, b.Kind(), b.Number)
	if !isNew {
		return nil, err
	}
	next := before.note(RequestStep{Event: EventEscalated, At: r.At, By: r.Actor, Level: b.Level, To: b.To, Cause: b.Cause})
	next.Level, next.To, next.LevelAt = b.Level, b.To, r.At
	return changed(true, before, next), nil
}

func applyOffered(v View, r Record, b RequestOffered) ([]Change, error) {
	before, isNew, err := entry(v, b.Request, b.Kind(), b.Number)
	if !isNew {
		return nil, err
	}
	next := before.note(RequestStep{Event: EventOffered, At: r.At, By: r.Actor, Person: b.Person, Name: b.Name})
	next.Offer = &Offer{To: b.Person, Name: b.Name, By: r.Actor, At: r.At, ExpiresAt: b.ExpiresAt}
	return changed(true, before, next), nil
}

func applyDeclined(v View, r Record, b RequestDeclined) ([]Change, error) {
	before, isNew, err := entry(v, b.Request, b.Kind(), b.Number)
	if !isNew {
		return nil, err
	}
	if b.Offer == "" {
		next := before.note(RequestStep{Event: EventDeclined, At: r.At, By: r.Actor})
		next.Declined = append(slices.Clone(before.Declined), r.Actor)
		return changed(true, before, next), nil
	}
	step := RequestStep{Event: EventOfferEnded, At: r.At, By: r.Actor, End: b.Offer}
	if before.Offer != nil {
		step.Person, step.Name = before.Offer.To, before.Offer.Name
	}
	next := before.note(step)
	next.Offer = nil
	return changed(true, before, next), nil
}

func applyRequest(v View, r Record, b RequestStepped) ([]Change, error) {
	before, err := known(v, b.Request, b.Kind())
	if err != nil || b.Version <= before.Version {
		return nil, err
	}
	if b.Version != before.Version+1 || !before.leads(b.State) {
		return nil, fmt.Errorf("%w: request %s is %s at version %d: no step to %s at version %d",
			ErrState, b.Request, before.State, before.Version, b.State, b.Version)
	}
	event := RequestEvent(b.State) // the steps are called as the states that they lead to
	if before.State == RequestAccepted && b.State == RequestAccepted {
		event = EventHandedOver
	}
	next := before.note(RequestStep{Event: event, At: r.At, By: r.Actor, Note: b.Note})
	next.State, next.Version, next.Offer = b.State, b.Version, nil
	if b.Note != "" {
		next.Note = b.Note
	}
	actor := r.Actor
	switch {
	case event == EventHandedOver:
		next.AcceptedBy = &actor
	case b.State == RequestAccepted:
		next.AcceptedAt, next.AcceptedBy = r.At, &actor
	default:
		next.EndedAt, next.EndedBy, next.CancelledAs = r.At, &actor, b.Reason
	}
	return changed(true, before, next), nil
}
