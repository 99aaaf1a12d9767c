package device

import (
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Saved is what a device keeps over a loss of power, and what keeps it the
// same device between two runs of the simulator.
type Saved struct {
	Boots    uint64       `json:"boots"`
	Sequence uint64       `json:"sequence_id"`
	Battery  float64      `json:"battery"`
	Outbox   []pending    `json:"outbox,omitempty"`
	Commands []remembered `json:"commands,omitempty"`
	Settings []byte       `json:"settings,omitempty"` // of the newest config command
	Credentials
	// BaseTopic is where the device was moved to; empty for where it has joined.
	BaseTopic string `json:"base_topic,omitempty"`
	// Tasks are the requests that the wearer of a watch works on.
	Tasks []Task `json:"tasks,omitempty"`
}

// Task is a request that a wearer has accepted and not completed.
type Task struct {
	RequestID fleet.RequestID `json:"request_id"`
	Version   uint64          `json:"version"`
}

// Saved returns what the device would find after a loss of power. The presses
// in it say how old they are, so that they can go on aging.
func (d *Device) Saved() Saved {
	var s Saved
	if !d.ask(func() { s = d.save() }) {
		return d.final
	}
	return s
}

func (d *Device) save() Saved {
	s := Saved{
		Boots: d.boots, Sequence: d.sequence, Battery: d.battery.level, Commands: slices.Clone(d.memory.commands), Settings: d.settings,
		Credentials: d.credentials, BaseTopic: d.base,
	}
	for id, r := range d.rings {
		if r.mine {
			s.Tasks = append(s.Tasks, Task{id, r.version})
		}
	}
	now := d.c.Clock.Now()
	for _, p := range d.outbox.pending {
		kept := *p
		kept.MadeAt = p.MadeAt - now // before now: negative
		s.Outbox = append(s.Outbox, kept)
	}
	return s
}

func (d *Device) restore(s Saved) {
	d.boots, d.sequence, d.settings, d.credentials = s.Boots, s.Sequence, s.Settings, s.Credentials
	if s.BaseTopic != "" {
		d.c.BaseTopic, d.base = s.BaseTopic, s.BaseTopic
	}
	if s.Battery > 0 {
		d.battery.level = s.Battery
	}
	d.memory.commands = slices.Clone(s.Commands)
	for _, t := range s.Tasks {
		d.rings[t.RequestID] = &ring{version: t.Version, stage: fleet.RequestAccepted, mine: true}
		d.busy++
	}
	now := d.c.Clock.Now()
	for _, p := range s.Outbox {
		p.MadeAt += now
		p.next, p.tries = 0, 0
		d.outbox.pending = append(d.outbox.pending, &p)
		// The ledger of this run begins with what is still under way.
		d.ledger.note(func(f *Facts) {
			f.Presses = append(f.Presses, PressFact{
				Press: p.Press, MadeAt: time.Now().Add(-d.c.Clock.Real(now - p.MadeAt)), Earlier: true, DeviceTime: p.DeviceTime,
			})
		})
	}
}
