package device

import (
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// receive takes a message of the hub.
func (d *Device) receive(name string, payload []byte, retained bool) {
	cmd, ok := strings.CutPrefix(name, d.c.BaseTopic+"/cmd/")
	switch {
	case name == d.timeTopic:
		d.toldTime(payload, retained)
	case d.c.Hearing == Unanswering:
		d.ledger.note(func(f *Facts) { f.Ignored++ })
	case d.relay.pass(name, payload, retained):
	case cmd == topic.Certificate && d.credentials.Certificate != "":
		d.certified(payload)
	case !ok:
		d.unreadable()
	case cmd == topic.Receipt && d.c.Type == fleet.Button:
		d.receipted(payload)
	case cmd == topic.Notify && d.c.Type == fleet.Watch:
		d.notified(payload)
	default:
		d.command(payload)
	}
}

// order is a command as the device reads it.
type order struct {
	ID        fleet.CommandID `json:"command_id"`
	Name      string          `json:"name"`
	Args      json.RawMessage `json:"args"`
	ExpiresAt time.Time       `json:"expires_at"`
}

func (d *Device) command(payload []byte) {
	var o order
	if json.Unmarshal(payload, &o) != nil || o.ID == "" || o.Name == "" {
		d.unreadable()
		return
	}
	now := time.Now()
	d.ledger.command(o.ID, func(f *CommandFact) {
		f.Name, f.LastAt, f.ExpiresAt = o.Name, now, o.ExpiresAt
		f.Times++
	})
	if known := d.memory.find(o.ID); known != nil {
		if known.State != "" { // else it is still thinking
			known.Told = false
			d.sendAnswer(*known)
		}
		return
	}
	act, ok := d.skills()[o.Name]
	switch {
	case d.c.Time == Wall && !o.ExpiresAt.IsZero() && now.After(o.ExpiresAt):
		d.answer(o, Answer{State: fleet.CommandFailed, Error: "its time was over when it arrived"})
		return
	case !ok:
		d.answer(o, Answer{State: fleet.CommandFailed, Error: "this firmware does not know the command"})
		return
	}
	if d.c.AnswerAfter.Most > 0 {
		d.later(d.c.AnswerAfter.Draw(d.chances.habit), 0, func() { d.begin(o, act) })
		d.memory.put(remembered{ID: o.ID, Name: o.Name, Boot: d.boots, Told: true})
		return
	}
	d.begin(o, act)
}

// begin says that the device has begun with a command, and begins.
func (d *Device) begin(o order, act func(*Device, order)) {
	d.answer(o, Answer{State: fleet.CommandAcknowledged})
	if d.chances.fault.Float64() < d.c.CommandFailures {
		d.later(time.Second, 0, func() { d.answer(o, Answer{State: fleet.CommandFailed, Error: "simulated fault"}) })
		return
	}
	act(d, o)
}

// skills are the commands that a firmware knows.
func (d *Device) skills() map[string]func(*Device, order) {
	s := map[string]func(*Device, order){"locate": (*Device).locate, "config": (*Device).configure, "reset": (*Device).reset}
	if d.c.Type == fleet.Watch {
		s["message"] = (*Device).showMessage
	}
	return s
}

// acted notes that a command was carried out.
func (d *Device) acted(o order) { d.ledger.command(o.ID, func(f *CommandFact) { f.Acted++ }) }

// locate rings and blinks for a while.
func (d *Device) locate(o order) {
	d.acted(o)
	d.later(3*time.Second, 0, func() { d.succeed(o, map[string]any{"rang_s": 3}) })
}

// configure keeps new settings. Those with a version are all that there are;
// others, such as where the device is, are added to what it has.
func (d *Device) configure(o order) {
	var settings map[string]json.RawMessage
	if json.Unmarshal(o.Args, &settings) != nil || settings == nil {
		d.answer(o, Answer{State: fleet.CommandFailed, Error: "args are no JSON object"})
		return
	}
	d.acted(o)
	d.settings = encode(d.withKept(settings))
	d.applySettings()
	base := d.movedTo(o.Args)
	d.later(500*time.Millisecond, 0, func() {
		d.succeed(o, map[string]any{"settings": len(settings)})
		if base != "" {
			d.move(base)
		}
	})
}

// withKept adds to settings without a version those that the device has.
func (d *Device) withKept(settings map[string]json.RawMessage) map[string]json.RawMessage {
	var kept map[string]json.RawMessage
	if _, whole := settings["version"]; whole || json.Unmarshal(d.settings, &kept) != nil {
		return settings
	}
	maps.Copy(kept, settings)
	return kept
}

// configVersion is the version of the settings that the device has; 0 when it
// was never told one.
func (d *Device) configVersion() uint64 {
	var s struct {
		Version uint64 `json:"version"`
	}
	if len(d.settings) == 0 || json.Unmarshal(d.settings, &s) != nil {
		return 0
	}
	return s.Version
}

// applySettings puts the kept settings into force.
func (d *Device) applySettings() {
	var s struct {
		HeartbeatS float64 `json:"heartbeat_s"`
	}
	if len(d.settings) == 0 || json.Unmarshal(d.settings, &s) != nil {
		return
	}
	if s.HeartbeatS >= 1 && s.HeartbeatS <= 86400 {
		d.interval = time.Duration(s.HeartbeatS * float64(time.Second))
	}
}

// reset restarts the device. It says that it has done so when it is back.
func (d *Device) reset(o order) {
	d.later(time.Second, 200*time.Millisecond, func() {
		d.acted(o)
		d.reboot(2*time.Second, bootCommand)
	})
}

// showMessage shows a text until its reader has seen it.
func (d *Device) showMessage(o order) {
	d.acted(o)
	d.later(d.reaction(), 0, func() { d.succeed(o, map[string]any{"read": true}) })
}

func (d *Device) succeed(o order, result map[string]any) {
	d.answer(o, Answer{State: fleet.CommandSucceeded, Result: encode(result)})
}

// answer keeps the answer and sends it.
func (d *Device) answer(o order, a Answer) {
	r := remembered{ID: o.ID, Name: o.Name, Boot: d.boots, Answer: a}
	d.memory.put(r)
	d.stir()
	d.sendAnswer(r)
	if d.c.AnswersTwice {
		d.sendAnswer(r)
	}
	if d.c.StrayAnswers {
		r.ID = fleet.NewUUID[fleet.CommandID](time.Now())
		d.sendAnswer(r)
	}
}

// answerAgain sends all answers that the hub has not acknowledged. What a
// restart has cut short has its end now: a reset has succeeded by it, anything
// else has failed.
func (d *Device) answerAgain() {
	for i := range d.memory.commands {
		r := &d.memory.commands[i]
		if r.State == "" && r.Boot == d.boots {
			continue // it is still thinking
		}
		if (r.State == fleet.CommandAcknowledged || r.State == "") && r.Boot != d.boots {
			begun := r.State != ""
			r.Answer = Answer{State: fleet.CommandSucceeded, Result: encode(map[string]any{"reset_reason": d.reason})}
			if r.Name != "reset" || !begun {
				r.Answer = Answer{State: fleet.CommandFailed, Error: "the device restarted in the middle"}
			}
			r.Told = false
		}
		if !r.Told {
			d.sendAnswer(*r)
		}
	}
}

func (d *Device) sendAnswer(r remembered) {
	m := message{topic: topic.Action(d.c.BaseTopic, topic.Ack), payload: d.write.ack(r.ID, r.Answer), qos: 1}
	d.hand(outgoing{message: m,
		sending: func() {
			d.ledger.command(r.ID, func(f *CommandFact) { f.Answers = append(f.Answers, r.Answer) })
		},
		answered: func(err error) {
			if err != nil {
				return // it is sent again on the next connection
			}
			if r.State != fleet.CommandAcknowledged {
				d.ledger.command(r.ID, func(f *CommandFact) { f.Answered = true })
			}
			d.post(func() {
				if known := d.memory.find(r.ID); known != nil && known.State == r.State {
					known.Told = true
				}
			})
		},
	})
}
