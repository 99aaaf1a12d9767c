package fleet

import (
	"fmt"
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

// Request is what the crew works on: opened by a press, joined by more.
type Request struct {
	ID       RequestID    `json:"request_id"`
	Device   DeviceID     `json:"device_id"`
	Room     RoomID       `json:"room"`
	State    RequestState `json:"state"`
	Priority Priority     `json:"priority"`
	// Version counts the steps of the request, from 1. A step names the version
	// that its actor saw; the first one wins.
	Version uint64 `json:"version"`
	// Presses counts the presses that opened and joined it.
	Presses uint64 `json:"presses"`
	// OpenedAt is when the hub took the press that opened it.
	OpenedAt time.Time `json:"opened_at"`
	// LateBy is how long that press was under way, when that can be told.
	LateBy      time.Duration `json:"late_by_ns,omitempty"`
	LastPressAt time.Time     `json:"last_press_at"`
	// LastPress names the newest press, to which receipts are sent.
	LastPress   PressKey     `json:"last_press"`
	AcceptedAt  time.Time    `json:"accepted_at,omitzero"`
	AcceptedBy  *Actor       `json:"accepted_by,omitempty"`
	EndedAt     time.Time    `json:"ended_at,omitzero"`
	EndedBy     *Actor       `json:"ended_by,omitempty"`
	CancelledAs CancelReason `json:"cancel_reason,omitempty"`
	Note        string       `json:"note,omitempty"`
}

// Step returns the record body that takes r to next, if r still has the
// version that the actor saw. ErrVersion: somebody was faster; look at r.
// ErrState: no step leads from r's state to next.
func (r Request) Step(version uint64, next RequestState, reason CancelReason, note string) (RequestStepped, error) {
	if version != r.Version {
		return RequestStepped{}, fmt.Errorf("%w: request %s has version %d, not %d", ErrVersion, r.ID, r.Version, version)
	}
	if !r.State.Leads(next) {
		return RequestStepped{}, fmt.Errorf("%w: request %s is %s and cannot become %s", ErrState, r.ID, r.State, next)
	}
	if (next == RequestCancelled) != (reason != "") {
		return RequestStepped{}, fmt.Errorf("%w: a cancelled request has a reason, another has none", ErrInvalid)
	}
	return RequestStepped{Request: r.ID, Version: r.Version + 1, State: next, Reason: reason, Note: note}, nil
}
