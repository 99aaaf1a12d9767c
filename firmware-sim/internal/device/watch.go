package device

import (
	"encoding/json"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Wearer is who wears a watch. Durations are in simulated time.
type Wearer struct {
	// Attention is the chance that the wearer reacts to a ring at all.
	Attention float64
	// Reaction is the time from the ring to the accept.
	Reaction Span
	// Work is the time from having a request to completing it.
	Work Span
	// AtOnce is how many requests the wearer takes at once; 1 if 0.
	AtOnce int
	// LateAccepts is the chance that the wearer accepts a request of which the
	// watch has just learnt that it is over.
	LateAccepts float64
}

// ring is a request as a watch knows it.
type ring struct {
	version uint64
	stage   fleet.RequestState
	takenBy string
	// reacting says that the wearer is about to accept it, working that he is
	// about to complete it.
	reacting, working bool
	// waiting says that the wearer would take it, but is busy.
	waiting bool
	// mine says that the wearer works on it.
	mine bool
	// unsaid is what the wearer did and the hub has not acknowledged.
	unsaid string
	// saw is the version that it was about.
	saw uint64
}

// notified takes a notify of the hub.
func (d *Device) notified(payload []byte) {
	var n NoticeFact
	if json.Unmarshal(payload, &n) != nil || n.RequestID == "" || n.Stage == "" {
		d.unreadable()
		return
	}
	n.At = time.Now()
	d.ledger.note(func(f *Facts) { f.Notices = append(f.Notices, n) })
	r := d.rings[n.RequestID]
	if r == nil {
		r = &ring{}
		d.rings[n.RequestID] = r
	}
	if n.Version < r.version {
		return // older than what the watch knows
	}
	if n.Version > r.version {
		r.unsaid = "" // it was about an older version: the hub has answered it
	}
	saw := r.version
	r.version, r.stage, r.takenBy = n.Version, n.Stage, n.TakenBy
	switch {
	case r.stage.Ended():
		d.drop(n.RequestID, r)
		d.acceptLate(n.RequestID, r, saw)
	case r.stage == fleet.RequestOpen:
		d.react(n.RequestID, r)
	case r.stage == fleet.RequestAccepted && d.isMe(n.TakenBy):
		d.work(n.RequestID, r)
	}
}

func (d *Device) isMe(name string) bool {
	return name != "" && (name == d.c.Name || name == string(d.c.ID))
}

func (d *Device) drop(id fleet.RequestID, r *ring) {
	delete(d.rings, id)
	if r.mine {
		d.busy--
		d.next()
	}
}

func (d *Device) reaction() time.Duration {
	if d.c.Wearer == nil {
		return 5 * time.Second
	}
	return d.c.Wearer.Reaction.Draw(d.chances.wearer)
}

// react has the wearer accept an open request after a while, if nobody else
// does before.
func (d *Device) react(id fleet.RequestID, r *ring) {
	w := d.c.Wearer
	if w == nil || r.reacting || r.unsaid != "" || d.chances.wearer.Float64() >= w.Attention {
		return
	}
	r.reacting = true
	d.later(w.Reaction.Draw(d.chances.wearer), 0, func() {
		r.reacting = false
		switch {
		case d.rings[id] != r || r.stage != fleet.RequestOpen:
		case d.busy >= max(1, w.AtOnce):
			r.waiting = true
		default:
			d.act(id, r, "accept")
		}
	})
}

// next has the wearer turn to what rang while he was busy: the longest one
// first, which ids of requests tell, for they sort by time.
func (d *Device) next() {
	var oldest fleet.RequestID
	for id, r := range d.rings {
		if r.waiting && r.stage == fleet.RequestOpen && (oldest == "" || id < oldest) {
			oldest = id
		}
	}
	if r := d.rings[oldest]; r != nil {
		r.waiting = false
		d.react(oldest, r)
	}
}

// work has the wearer complete a request that is his.
func (d *Device) work(id fleet.RequestID, r *ring) {
	w := d.c.Wearer
	if !r.mine {
		r.mine = true
		d.busy++
	}
	if w == nil || r.working || r.unsaid != "" {
		return
	}
	r.working = true
	d.later(w.Work.Draw(d.chances.wearer), 0, func() {
		r.working = false
		if d.rings[id] == r && r.stage == fleet.RequestAccepted {
			d.act(id, r, "complete")
		}
	})
}

// goOn has the wearer go on with what is his after a restart of the watch.
func (d *Device) goOn() {
	for id, r := range d.rings {
		if r.mine {
			d.work(id, r)
		}
	}
}

// forgetRings forgets what rang; what is the wearer's own work is kept.
func (d *Device) forgetRings() {
	for id, r := range d.rings {
		if !r.mine {
			delete(d.rings, id)
			continue
		}
		r.reacting, r.working, r.waiting = false, false, false
	}
}

// Act has the wearer do something with a request at once: accept or complete,
// on the version that the wearer saw. A watch that was never told of the
// request does nothing.
func (d *Device) Act(id fleet.RequestID, action string, version uint64) {
	d.post(func() {
		if r := d.rings[id]; r != nil && d.power {
			d.actOn(id, r, action, version)
		}
	})
}

func (d *Device) act(id fleet.RequestID, r *ring, action string) { d.actOn(id, r, action, r.version) }

func (d *Device) actOn(id fleet.RequestID, r *ring, action string, version uint64) {
	r.unsaid, r.saw = action, version
	d.say(id, r)
}

// actAgain says what the last connection did not carry to its end.
func (d *Device) actAgain() {
	for id, r := range d.rings {
		if r.unsaid != "" {
			d.say(id, r)
		}
	}
}

func (d *Device) say(id fleet.RequestID, r *ring) {
	action, version := r.unsaid, r.saw
	d.hand(outgoing{
		message: message{topic: topic.Request(d.c.BaseTopic, id), payload: d.write.action(action, version), qos: 1},
		sending: func() {
			d.ledger.note(func(f *Facts) {
				f.Actions = append(f.Actions, ActionFact{RequestID: id, Action: action, Version: version, SentAt: time.Now()})
			})
		},
		answered: func(err error) {
			if err != nil {
				return
			}
			at := time.Now()
			d.ledger.note(func(f *Facts) {
				for i := len(f.Actions) - 1; i >= 0; i-- {
					if a := &f.Actions[i]; a.RequestID == id && a.Action == action && a.AcknowledgedAt.IsZero() {
						a.AcknowledgedAt = at
						return
					}
				}
			})
			d.post(func() {
				if r.unsaid == action {
					r.unsaid = ""
				}
			})
		},
	})
}
