package device

import (
	"encoding/json"

	"github.com/obedio/obedio/shared/fleet"
)

// Answer is what a device says of a command.
type Answer struct {
	State  fleet.CommandState `json:"state"` // acknowledged, succeeded or failed
	Error  string             `json:"error,omitempty"`
	Result json.RawMessage    `json:"result,omitempty"`
}

// remembered is a command that the device knows, with its newest answer.
type remembered struct {
	ID   fleet.CommandID `json:"command_id"`
	Name string          `json:"name"`
	// Boot in which it arrived.
	Boot uint64 `json:"boot"`
	// Told says that the hub has acknowledged the answer.
	Told bool `json:"told,omitempty"`
	Answer
}

// memory keeps the ids of the newest commands, so that one that arrives again
// is answered again and not carried out again. It is kept over a restart. One
// goroutine owns it.
type memory struct {
	size     int
	commands []remembered // oldest first
}

// find returns what is known of a command; nil for a new one.
func (m *memory) find(id fleet.CommandID) *remembered {
	for i := range m.commands {
		if m.commands[i].ID == id {
			return &m.commands[i]
		}
	}
	return nil
}

// put keeps the newest answer of a command. Beyond its size the memory forgets
// the oldest command.
func (m *memory) put(r remembered) {
	if known := m.find(r.ID); known != nil {
		*known = r
		return
	}
	if len(m.commands) >= m.size {
		m.commands = append(m.commands[:0], m.commands[1:]...)
	}
	m.commands = append(m.commands, r)
}
