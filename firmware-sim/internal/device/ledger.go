package device

import (
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Ledger holds what a device did and learnt. It is written when things happen,
// and may be read from any goroutine.
type Ledger struct {
	mu    sync.Mutex // guards facts
	keep  int
	facts Facts
	news  *Bell
}

// Facts are what a ledger holds. Times named …At are real times of this
// machine.
type Facts struct {
	Presses  []PressFact   `json:"presses,omitempty"`
	Notices  []NoticeFact  `json:"notices,omitempty"`
	Actions  []ActionFact  `json:"actions,omitempty"`
	Commands []CommandFact `json:"commands,omitempty"`
	// StrayReceipts name presses that the device does not know.
	StrayReceipts []Receipt `json:"stray_receipts,omitempty"`
	// Unheard counts receipts that the firmware has lost.
	Unheard int `json:"unheard,omitempty"`
	// Lamp of a button as it is now.
	Lamp Lamp `json:"lamp,omitempty"`
	// Online says that the device has a connection now.
	Online      bool `json:"online"`
	Boots       int  `json:"boots"`
	Connections int  `json:"connections"`
	// Lost counts the connections that ended without the device's wish.
	Lost int `json:"lost,omitempty"`
	// Renewed counts the certificates that the device has got after its first.
	Renewed int `json:"renewed,omitempty"`
	// Refused counts the connections that the hub refused.
	Refused int `json:"refused,omitempty"`
	// Failed counts all tries to connect that came to nothing.
	Failed int `json:"failed,omitempty"`
	// BrownOuts, Sleeps and Dozes count how often that happened.
	BrownOuts int `json:"brown_outs,omitempty"`
	Sleeps    int `json:"sleeps,omitempty"`
	Dozes     int `json:"dozes,omitempty"`
	// Ignored counts messages of the hub that reached the radio of a device that
	// answers nothing.
	Ignored int `json:"ignored,omitempty"`
	// Battery is what the device has told last, in per cent; nil before.
	Battery    *int   `json:"battery,omitempty"`
	LastError  string `json:"last_error,omitempty"`
	Statuses   Count  `json:"statuses"`
	Heartbeats Count  `json:"heartbeats"`
	Metrics    Count  `json:"metrics"`
	// Unreadable counts messages of the hub that the firmware could not read.
	Unreadable int `json:"unreadable,omitempty"`
}

// Count is a number of messages: handed to the connection, and acknowledged by
// the hub.
type Count struct {
	Sent         int `json:"sent"`
	Acknowledged int `json:"acknowledged"`
}

// PressFact is one press, made once, however often it was sent.
type PressFact struct {
	Press
	MadeAt time.Time `json:"made_at"`
	// Earlier says that the press was made in an earlier run of the simulator.
	Earlier bool `json:"earlier,omitempty"`
	// Refused says that the outbox was full: the press was never sent.
	Refused bool `json:"refused,omitempty"`
	// DeviceTime is the timestamp in the payload; zero when it has none.
	DeviceTime  time.Time `json:"device_time,omitzero"`
	FirstSentAt time.Time `json:"first_sent_at,omitzero"`
	// Age of the press when it was sent first, in simulated time.
	Age  time.Duration `json:"age_ns,omitempty"`
	Sent int           `json:"sent"`
	// Dup says that it was sent with the DUP flag too.
	Dup bool `json:"dup,omitempty"`
	// AcknowledgedAt is when the first PUBACK arrived.
	AcknowledgedAt time.Time `json:"acknowledged_at,omitzero"`
	Receipts       []Receipt `json:"receipts,omitempty"`
}

// Acknowledged reports whether a PUBACK has arrived.
func (p PressFact) Acknowledged() bool { return !p.AcknowledgedAt.IsZero() }

// Receipted reports whether a receipt has arrived.
func (p PressFact) Receipted() bool { return len(p.Receipts) > 0 }

// Receipt is one receipt as it arrived.
type Receipt struct {
	BootID   string    `json:"boot_id,omitempty"`
	Sequence uint64    `json:"sequence_id"`
	Stage    string    `json:"stage"`
	At       time.Time `json:"at"`
}

// NoticeFact is one notify as it arrived at a watch.
type NoticeFact struct {
	RequestID fleet.RequestID    `json:"request_id"`
	Version   uint64             `json:"version"`
	Stage     fleet.RequestState `json:"stage"`
	Priority  fleet.Priority     `json:"priority"`
	Room      fleet.RoomID       `json:"room"`
	Message   string             `json:"message"`
	TakenBy   string             `json:"taken_by,omitempty"`
	At        time.Time          `json:"at"`
}

// ActionFact is what the wearer of a watch did with a request.
type ActionFact struct {
	RequestID      fleet.RequestID `json:"request_id"`
	Action         string          `json:"action"`
	Version        uint64          `json:"version"`
	SentAt         time.Time       `json:"sent_at"`
	AcknowledgedAt time.Time       `json:"acknowledged_at,omitzero"`
}

// CommandFact is one command, however often it arrived.
type CommandFact struct {
	ID      fleet.CommandID `json:"command_id"`
	Name    string          `json:"name"`
	Times   int             `json:"times"`
	Acted   int             `json:"acted"`
	FirstAt time.Time       `json:"first_at"`
	LastAt  time.Time       `json:"last_at"`
	// ExpiresAt is what the command itself says.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Answers   []Answer  `json:"answers,omitempty"`
	// Answered says that the hub has acknowledged the last of them, which is how
	// the command ended.
	Answered bool `json:"answered,omitempty"`
}

func newLedger(keep int, news *Bell) *Ledger { return &Ledger{keep: keep, news: news} }

// Look calls fn with the facts as they are; fn must not keep or change them.
func (l *Ledger) Look(fn func(f *Facts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(&l.facts)
}

// Facts returns a copy of all facts.
func (l *Ledger) Facts() Facts {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.facts
	f.Presses = slices.Clone(f.Presses)
	for i := range f.Presses {
		f.Presses[i].Receipts = slices.Clone(f.Presses[i].Receipts)
	}
	f.Notices, f.Actions = slices.Clone(f.Notices), slices.Clone(f.Actions)
	f.Commands = slices.Clone(f.Commands)
	for i := range f.Commands {
		f.Commands[i].Answers = slices.Clone(f.Commands[i].Answers)
	}
	f.StrayReceipts = slices.Clone(f.StrayReceipts)
	return f
}

// note changes the facts under the lock.
func (l *Ledger) note(fn func(f *Facts)) {
	defer l.news.Ring()
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(&l.facts)
	if l.keep <= 0 {
		return
	}
	l.facts.Presses = newest(l.facts.Presses, l.keep)
	l.facts.Notices = newest(l.facts.Notices, l.keep)
	l.facts.Actions = newest(l.facts.Actions, l.keep)
	l.facts.Commands = newest(l.facts.Commands, l.keep)
	l.facts.StrayReceipts = newest(l.facts.StrayReceipts, l.keep)
}

// newest forgets the oldest entries, many at a time.
func newest[T any](all []T, keep int) []T {
	if len(all) < 2*keep {
		return all
	}
	return slices.Clone(all[len(all)-keep:])
}

// press changes the fact of a press, if the ledger still has it.
func (l *Ledger) press(p Press, fn func(f *PressFact)) {
	l.note(func(f *Facts) {
		for i := len(f.Presses) - 1; i >= 0; i-- {
			if x := &f.Presses[i]; x.Boot == p.Boot && x.Sequence == p.Sequence {
				fn(x)
				return
			}
		}
	})
}

// receipt gives a receipt to the press that the device took it for: kept is the
// one that left the outbox by it. Else it is the newest press of that name that
// was sent, as it is for the lamp.
func (l *Ledger) receipt(r Receipt, kept *Press) {
	l.note(func(f *Facts) {
		for i := len(f.Presses) - 1; i >= 0; i-- {
			p := &f.Presses[i]
			if p.BootID != r.BootID || p.Sequence != r.Sequence || p.Sent == 0 && !p.Earlier || kept != nil && p.Boot != kept.Boot {
				continue
			}
			p.Receipts = append(p.Receipts, r)
			return
		}
		f.StrayReceipts = append(f.StrayReceipts, r)
	})
}

func (l *Ledger) command(id fleet.CommandID, fn func(f *CommandFact)) {
	l.note(func(f *Facts) {
		for i := len(f.Commands) - 1; i >= 0; i-- {
			if f.Commands[i].ID == id {
				fn(&f.Commands[i])
				return
			}
		}
		f.Commands = append(f.Commands, CommandFact{ID: id, FirstAt: time.Now()})
		fn(&f.Commands[len(f.Commands)-1])
	})
}
