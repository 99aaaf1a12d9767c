package device

import (
	"fmt"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
)

func TestMemory_KnowsTheNewestCommandsAndTheirNewestAnswers(t *testing.T) {
	m := memory{size: 3}
	for i := range 4 {
		m.put(remembered{ID: fleet.CommandID(fmt.Sprint("c", i)), Answer: Answer{State: fleet.CommandAcknowledged}})
	}
	if m.find("c0") != nil {
		t.Error("c0 should be forgotten")
	}
	m.put(remembered{ID: "c1", Answer: Answer{State: fleet.CommandSucceeded}})
	if got := m.find("c1"); got == nil || got.State != fleet.CommandSucceeded {
		t.Errorf("c1 is %+v", got)
	}
	if len(m.commands) != 3 {
		t.Errorf("%d commands, want 3", len(m.commands))
	}
}
