package fleet

import (
	"fmt"
	"time"
)

// PressType says how the button was pressed.
type PressType string

// The press types.
const (
	PressSingle PressType = "single"
	PressDouble PressType = "double"
	PressLong   PressType = "long"
	PressShake  PressType = "shake"
)

// ParsePressType returns s as a PressType, or ErrInvalid.
func ParsePressType(s string) (PressType, error) {
	switch t := PressType(s); t {
	case PressSingle, PressDouble, PressLong, PressShake:
		return t, nil
	}
	return "", fmt.Errorf("%w: press_type %q: want single, double, long or shake", ErrInvalid, s)
}

// Priority says how urgent a request is.
type Priority string

// The priorities, from the lowest.
const (
	Normal    Priority = "normal"
	Urgent    Priority = "urgent"
	Emergency Priority = "emergency"
)

// Priorities are all priorities, from the lowest.
func Priorities() []Priority { return []Priority{Normal, Urgent, Emergency} }

// ParsePriority returns s as a Priority, or ErrInvalid.
func ParsePriority(s string) (Priority, error) {
	for _, p := range Priorities() {
		if string(p) == s {
			return p, nil
		}
	}
	return "", fmt.Errorf("%w: priority %q: want normal, urgent or emergency", ErrInvalid, s)
}

// Rank orders priorities: 0 is normal.
func (p Priority) Rank() int {
	switch p {
	case Urgent:
		return 1
	case Emergency:
		return 2
	default:
		return 0
	}
}

// Max returns the higher of p and q.
func (p Priority) Max(q Priority) Priority {
	if q.Rank() > p.Rank() {
		return q
	}
	return p
}

// PressKey identifies a press for ever.
type PressKey struct {
	Device DeviceID `json:"device_id"`
	// BootID is the firmware's own, or the name of an epoch that the hub opened
	// for firmware that has none.
	BootID     string `json:"boot_id"`
	SequenceID uint64 `json:"sequence_id"`
}

// Press is an immutable fact from a button.
type Press struct {
	PressKey
	Type     PressType     `json:"press_type"`
	Priority Priority      `json:"priority"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	// DeviceTime is the device's own word: advisory, may be absent or absurd.
	DeviceTime time.Time `json:"device_time,omitzero"`
	// ReceivedAt is when the hub took it.
	ReceivedAt time.Time `json:"received_at"`
	// LateBy is how long the press was under way, when that can be told.
	LateBy time.Duration `json:"late_by_ns,omitempty"`
	// Request is what the press opened or joined.
	Request RequestID `json:"request_id"`
	// Fingerprint tells two messages with one number apart where the firmware
	// has no boot_id; 0 otherwise.
	Fingerprint uint64 `json:"fingerprint,omitempty"`
	// Via is the repeater that relayed the press, if one did.
	Via DeviceID `json:"via,omitempty"`
}

// PressCursor is what the hub remembers of a button's presses: enough to tell
// a new press from a repeated one, and the request that a further press joins.
type PressCursor struct {
	Device DeviceID `json:"device_id"`
	// BootID is the boot that the last press belongs to.
	BootID string `json:"boot_id"`
	// HubMade says that BootID is an epoch that the hub opened.
	HubMade bool `json:"hub_made,omitempty"`
	// Epochs counts the epochs that the hub opened for this device.
	Epochs  uint64    `json:"epochs,omitempty"`
	LastSeq uint64    `json:"last_seq"`
	LastAt  time.Time `json:"last_at,omitzero"`
	// Request is the newest request of the device.
	Request RequestID `json:"request_id,omitempty"`
}
