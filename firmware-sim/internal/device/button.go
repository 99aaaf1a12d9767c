package device

import (
	"encoding/json"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// PressKind is what a guest does with a button.
type PressKind struct {
	Type     fleet.PressType // single
	Priority fleet.Priority  // normal
	Duration time.Duration
}

// Press presses the button. A button that is switched off knows nothing of it.
func (d *Device) Press(k PressKind) {
	d.post(func() {
		if !d.power || d.c.Type != fleet.Button {
			return
		}
		d.pushed(k)
	})
}

func (d *Device) press(k PressKind) {
	if k.Type == "" {
		k.Type = fleet.PressSingle
	}
	d.sequence++
	p := &pending{
		Press: Press{
			Boot: d.boots, BootID: d.bootID, Sequence: d.sequence, Type: k.Type, Priority: k.Priority, Duration: k.Duration,
		},
		MadeAt: d.c.Clock.Now(),
	}
	kept := d.outbox.add(p)
	if kept {
		d.light.pressed(p.Press)
	}
	d.ledger.note(func(f *Facts) {
		f.Presses = append(f.Presses, PressFact{Press: p.Press, MadeAt: time.Now(), Refused: !kept})
		f.Lamp = d.light.lamp
	})
	d.stir()
	d.wake(bootPower)
	d.sendPresses()
}

// sendPresses sends what is due, and plans the next try.
func (d *Device) sendPresses() {
	if d.link == nil || d.muted {
		return
	}
	now := d.c.Clock.Now()
	due, _, _ := d.outbox.due(now)
	if len(due) > 0 && d.sags() {
		return
	}
	for _, p := range due {
		copies, again := 1, false
		if len(p.Payload) == 0 {
			d.stamp(p, now)
			if d.chances.fault.Float64() < d.c.Duplicates {
				copies++
			}
			again = d.chances.habit.Float64() < d.c.Dup
		}
		for range copies {
			d.handPress(p, again)
		}
		// The hub's time is real: a press is not sent again in a storm when
		// simulated time runs fast.
		least := time.Duration(float64(500*time.Millisecond) * d.c.Clock.speed)
		p.sent(now, max(least, d.c.ResendFirst), max(least, d.c.ResendMost))
	}
	if _, next, waiting := d.outbox.due(now); waiting {
		d.later(next-now, 0, d.sendPresses)
	}
}

// stamp writes the payload of a press when it is sent for the first time: the
// device knows how old the press is, and the time now, so its timestamp is now
// minus the age. Sent again, the payload is the same, byte for byte.
func (d *Device) stamp(p *pending, now time.Duration) {
	age, sent := now-p.MadeAt, time.Now()
	at := d.wall().Add(-age).Truncate(time.Millisecond)
	p.Payload = d.write.press(p.Press, at, max(0, d.uptime()-age))
	if d.telling() {
		p.DeviceTime = at
	}
	d.ledger.press(p.Press, func(f *PressFact) { f.FirstSentAt, f.Age, f.DeviceTime = sent, age, p.DeviceTime })
}

func (d *Device) handPress(p *pending, again bool) {
	press := p.Press
	d.hand(outgoing{
		message: message{topic: topic.Action(d.c.BaseTopic, topic.Press), payload: p.Payload, qos: 1, again: again},
		sending: func() {
			d.ledger.press(press, func(f *PressFact) {
				f.Sent++
				if again {
					f.Sent++
					f.Dup = true
				}
			})
			d.post(func() { p.Sent = true }) // before any receipt for it can come in
		},
		answered: func(err error) {
			if err != nil {
				return // it stays in the outbox
			}
			at := time.Now()
			d.ledger.press(press, func(f *PressFact) {
				if f.AcknowledgedAt.IsZero() {
					f.AcknowledgedAt = at
				}
			})
		},
	})
}

// receipted takes a receipt of the hub: the only thing that removes a press
// from the outbox.
func (d *Device) receipted(payload []byte) {
	var r struct {
		BootID     string  `json:"boot_id"`
		SequenceID *uint64 `json:"sequence_id"`
		Stage      string  `json:"stage"`
	}
	if json.Unmarshal(payload, &r) != nil || r.SequenceID == nil {
		d.unreadable()
		return
	}
	k := key{r.BootID, *r.SequenceID}
	switch r.Stage {
	case stageStored, stageAccepted, stageCompleted:
	default:
		d.unreadable()
		return
	}
	if d.chances.deaf.Float64() < d.c.Deafness {
		d.ledger.note(func(f *Facts) { f.Unheard++ })
		return
	}
	var kept *Press
	if p := d.outbox.received(k); p != nil {
		kept = &p.Press
	}
	d.ledger.receipt(Receipt{BootID: r.BootID, Sequence: *r.SequenceID, Stage: r.Stage, At: time.Now()}, kept)
	d.stir()
	d.light.receipt(k, r.Stage)
	d.ledger.note(func(f *Facts) { f.Lamp = d.light.lamp })
}

func (d *Device) unreadable() { d.ledger.note(func(f *Facts) { f.Unreadable++ }) }
