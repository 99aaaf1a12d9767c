package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// CommandState is where a command stands. It moves only on evidence, and only
// forward; a state may be skipped where the evidence of a later one arrives
// first (a device that answers has been reached).
//
//	queued → at_hub → sent → delivered → acknowledged → succeeded | failed
//	at_hub → failed (the hub finds that it cannot be done)
//	any of these → expired
//	queued, at_hub, sent → cancelled | superseded
type CommandState string

// The command states.
const (
	CommandQueued       CommandState = "queued"       // at its origin
	CommandAtHub        CommandState = "at_hub"       // stored durably on the hub
	CommandSent         CommandState = "sent"         // published to a connected device
	CommandDelivered    CommandState = "delivered"    // the device's PUBACK
	CommandAcknowledged CommandState = "acknowledged" // the device says it has begun
	CommandSucceeded    CommandState = "succeeded"
	CommandFailed       CommandState = "failed"
	CommandExpired      CommandState = "expired"
	CommandCancelled    CommandState = "cancelled"
	CommandSuperseded   CommandState = "superseded"
)

// CommandStates are all command states.
func CommandStates() []CommandState {
	return []CommandState{
		CommandQueued, CommandAtHub, CommandSent, CommandDelivered, CommandAcknowledged,
		CommandSucceeded, CommandFailed, CommandExpired, CommandCancelled, CommandSuperseded,
	}
}

// ParseCommandState returns s as a CommandState, or ErrInvalid.
func ParseCommandState(s string) (CommandState, error) {
	for _, v := range CommandStates() {
		if string(v) == s {
			return v, nil
		}
	}
	return "", fmt.Errorf("%w: command state %q", ErrInvalid, s)
}

// Rank orders the states; all ends share the highest rank.
func (s CommandState) Rank() int {
	switch s {
	case CommandQueued:
		return 0
	case CommandAtHub:
		return 1
	case CommandSent:
		return 2
	case CommandDelivered:
		return 3
	case CommandAcknowledged:
		return 4
	case CommandSucceeded, CommandFailed, CommandExpired, CommandCancelled, CommandSuperseded:
		return 5
	}
	return -1
}

// Ended reports whether no step leads out of s.
func (s CommandState) Ended() bool { return s.Rank() == 5 }

// Leads reports whether a step leads from s to next.
func (s CommandState) Leads(next CommandState) bool {
	if s.Rank() < 0 || s.Ended() || next.Rank() <= s.Rank() {
		return false
	}
	switch next {
	case CommandExpired:
		return true
	case CommandCancelled, CommandSuperseded:
		return s.Rank() <= CommandSent.Rank()
	case CommandAtHub, CommandSent:
		return s.Rank() == next.Rank()-1 // the hub knows each of these by itself
	case CommandDelivered, CommandAcknowledged, CommandSucceeded:
		return s.Rank() >= CommandSent.Rank() // nothing comes back from what was not sent
	case CommandFailed:
		return s.Rank() >= CommandAtHub.Rank() // the hub may find that it cannot be done
	case CommandQueued:
	}
	return false
}

// Command is a wanted action on a device, with a time to live. It ends in
// exactly one final state.
type Command struct {
	ID     CommandID       `json:"command_id"`
	Device DeviceID        `json:"device_id"`
	Name   string          `json:"name"`
	Args   json.RawMessage `json:"args,omitempty"`
	State  CommandState    `json:"state"`
	// IssuedBy is who wanted it.
	IssuedBy Actor     `json:"issued_by"`
	IssuedAt time.Time `json:"issued_at"`
	// ExpiresAt ends its time to live, by the hub's clock.
	ExpiresAt time.Time `json:"expires_at"`
	Job       JobID     `json:"job_id,omitempty"`
	// Order is the number of the console's order; 0 for a command from on board.
	Order     uint64          `json:"order,omitempty"`
	UpdatedAt time.Time       `json:"updated_at"`
	Steps     []CommandStep   `json:"steps"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     string          `json:"error,omitempty"`
	// Anomaly is a second, different end that came after the first.
	Anomaly CommandState `json:"anomaly,omitempty"`
}

// CommandStep is one entry of a command's timeline.
type CommandStep struct {
	State CommandState `json:"state"`
	At    time.Time    `json:"at"`
}

// MaxArgs is the greatest size of a command's arguments and of its result, in
// bytes of JSON.
const MaxArgs = 16 << 10

// MaxTTL is the longest time to live of a command.
const MaxTTL = 30 * 24 * time.Hour

// Step returns the record body that takes c to next, or ErrState. A device's
// answer after the end is not an error of the fold (it is shown as an
// anomaly), so it is appended without Step.
func (c Command) Step(next CommandState) (CommandStepped, error) {
	if !c.State.Leads(next) {
		return CommandStepped{}, fmt.Errorf("%w: command %s is %s and cannot become %s", ErrState, c.ID, c.State, next)
	}
	return CommandStepped{Command: c.ID, State: next}, nil
}

// CheckCommand reports as ErrInvalid what is wrong with a command that
// somebody wants to send.
func CheckCommand(device DeviceID, name string, args json.RawMessage, ttl time.Duration) error {
	if _, err := ParseDeviceID(string(device)); err != nil {
		return err
	}
	if !ValidSegment(name) {
		return fmt.Errorf("%w: command name %q: want 1 to %d of A-Z a-z 0-9 . _ -", ErrInvalid, name, MaxSegment)
	}
	switch name {
	case "receipt", "notify", "certificate":
		return fmt.Errorf("%w: command name %q belongs to the hub itself", ErrInvalid, name)
	}
	if len(args) > MaxArgs {
		return fmt.Errorf("%w: args have %d bytes: want at most %d", ErrInvalid, len(args), MaxArgs)
	}
	if len(args) > 0 && !json.Valid(args) {
		return fmt.Errorf("%w: args are not JSON", ErrInvalid)
	}
	if ttl <= 0 || ttl > MaxTTL {
		return fmt.Errorf("%w: ttl %s: want more than 0 and at most %s", ErrInvalid, ttl, MaxTTL)
	}
	return nil
}
