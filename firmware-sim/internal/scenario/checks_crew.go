package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// oneWinner: an accepted request has one taker; the hub and every watch name
// the same one.
type oneWinner struct {
	anyone `yaml:",inline"` // the watches
}

func (c *oneWinner) judge(e *Evidence) (v Verdict) {
	watches := c.of(e, fleet.Watch)
	for _, q := range e.Requests {
		if q.AcceptedBy == nil {
			continue
		}
		v.Looked++
		for _, w := range watches {
			for _, n := range w.Facts.Notices {
				if n.RequestID == q.RequestID && n.TakenBy != "" && !named(n.TakenBy, fleet.DeviceID(q.AcceptedBy.ID), q.AcceptedBy.Name) {
					v.fail(w.ID, fmt.Sprintf("to be told that %s took request %s", q.AcceptedBy.ID, q.RequestID), "taken_by %s", n.TakenBy)
				}
			}
		}
		if q.AcceptedBy.Kind == fleet.ActorDevice && !hasAction(watches, fleet.DeviceID(q.AcceptedBy.ID), q.RequestID, "accept") {
			v.fail(q.DeviceID, "request "+string(q.RequestID)+" accepted by one who accepted it", "%s, which did not", q.AcceptedBy.ID)
		}
	}
	return v
}

func hasAction(watches []DeviceEvidence, id fleet.DeviceID, request fleet.RequestID, action string) bool {
	return slices.ContainsFunc(watches, func(w DeviceEvidence) bool {
		return w.ID == id && slices.ContainsFunc(w.Facts.Actions, func(a device.ActionFact) bool {
			return a.RequestID == request && a.Action == action
		})
	})
}

// racesDecided: of the watches that accepted at once, one won, and all were
// told who.
type racesDecided struct {
	anyone `yaml:",inline"`
	Races  int `yaml:"races"`
	// Within: all accepts of a race were sent within this time, but for so many
	// races as Slower allows.
	Within time.Duration `yaml:"within"`
	Slower int           `yaml:"slower"`
}

func (c *racesDecided) judge(e *Evidence) (v Verdict) {
	slower := 0
	for i, r := range e.Races {
		v.Looked++
		if r.Broken != "" {
			v.fail(r.Button, fmt.Sprintf("race %d decided", i+1), "%s", r.Broken)
			continue
		}
		at := slices.IndexFunc(e.Requests, func(q hubapi.Request) bool { return q.RequestID == r.RequestID })
		if at < 0 || e.Requests[at].AcceptedBy == nil {
			v.fail(r.Button, fmt.Sprintf("the request of race %d accepted", i+1), "%s is not", r.RequestID)
			continue
		}
		winner := e.Requests[at].AcceptedBy
		if !slices.Contains(r.Watches, fleet.DeviceID(winner.ID)) {
			v.fail(r.Button, "one of the watches in the race to win", "%s", winner.ID)
		}
		if c.judgeRace(e, r, winner, &v) {
			slower++
		}
	}
	if v.Looked < c.Races {
		v.fail("", fmt.Sprintf("%d races", c.Races), "%d", v.Looked)
	}
	if slower > c.Slower {
		v.fail("", fmt.Sprintf("at most %d races with accepts further apart than %s", c.Slower, c.Within), "%d", slower)
	}
	return v
}

// judgeRace looks at each watch; slow says that the accepts were too far apart.
func (c *racesDecided) judgeRace(e *Evidence, r Race, winner *hubapi.Actor, v *Verdict) (slow bool) {
	var first, last time.Time
	for _, id := range r.Watches {
		at := slices.IndexFunc(e.Devices, func(d DeviceEvidence) bool { return d.ID == id })
		if at < 0 {
			continue
		}
		w := e.Devices[at]
		accepts := 0
		for _, a := range w.Facts.Actions {
			if a.RequestID == r.RequestID && a.Action == "accept" {
				accepts++
				if first.IsZero() || a.SentAt.Before(first) {
					first = a.SentAt
				}
				if a.SentAt.After(last) {
					last = a.SentAt
				}
			}
		}
		if accepts == 0 {
			v.fail(id, fmt.Sprintf("to have accepted request %s", r.RequestID), "it did not")
		}
		heard := slices.ContainsFunc(w.Facts.Notices, func(n device.NoticeFact) bool {
			return n.RequestID == r.RequestID && named(n.TakenBy, fleet.DeviceID(winner.ID), winner.Name)
		})
		if !heard {
			v.fail(id, fmt.Sprintf("to be told that %s has request %s", winner.ID, r.RequestID), "it was not")
		}
	}
	return c.Within > 0 && last.Sub(first) > c.Within
}

// told: every watch was told of every request, and how it stands in the end.
type told struct {
	anyone `yaml:",inline"`
	// Known: only of the requests that the watch has heard of at all: none goes on
	// ringing.
	Known bool `yaml:"known"`
}

func (c *told) judge(e *Evidence) (v Verdict) {
	for _, w := range c.of(e, fleet.Watch) {
		newest := map[fleet.RequestID]device.NoticeFact{}
		for _, n := range w.Facts.Notices {
			if n.Version >= newest[n.RequestID].Version {
				newest[n.RequestID] = n
			}
		}
		for _, q := range e.Requests {
			n, ok := newest[q.RequestID]
			if !ok && c.Known {
				continue
			}
			v.Looked++
			switch {
			case !ok:
				v.fail(w.ID, fmt.Sprintf("to be told of request %s", q.RequestID), "it was not")
			case n.Stage != q.State || n.Version != q.Version:
				v.fail(w.ID, fmt.Sprintf("to be told that request %s is %s at version %d", q.RequestID, q.State, q.Version),
					"told last: %s at version %d", n.Stage, n.Version)
			}
		}
	}
	return v
}

// lamps: the lamp of each button that was pressed shows this.
type lamps struct {
	anyone `yaml:",inline"`
	Lamp   device.Lamp `yaml:"lamp"`
}

func (c *lamps) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		if len(d.Facts.Presses) == 0 {
			continue
		}
		v.Looked++
		if d.Facts.Lamp != c.Lamp {
			v.fail(d.ID, "lamp "+string(c.Lamp), "%s", d.Facts.Lamp)
		}
	}
	return v
}

// connected: each device has a connection, and none was refused.
type connected struct {
	anyone `yaml:",inline"`
	// Again: each had more than one connection in this run.
	Again bool `yaml:"again"`
}

func (c *connected) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		v.Looked++
		f := d.Facts
		switch {
		case !f.Online:
			v.fail(d.ID, "connected", "not connected; last error: %s", f.LastError)
		case f.Refused > 0:
			v.fail(d.ID, "let in", "refused %d times; last error: %s", f.Refused, f.LastError)
		case c.Again && f.Connections < 2:
			v.fail(d.ID, "connected again", "%d connection", f.Connections)
		}
	}
	return v
}

// presence: the hub says one of these of each device, in the end.
type presence struct {
	anyone `yaml:",inline"`
	State  List `yaml:"state"`
}

func (c *presence) valid(groups map[string]bool) error {
	if err := presences(c.State); err != nil {
		return err
	}
	return c.anyone.valid(groups)
}

func presences(states List) error {
	if len(states) == 0 {
		return fmt.Errorf("state: want one presence or several")
	}
	for _, s := range states {
		if !slices.Contains(fleet.Presences(), fleet.Presence(s)) {
			return fmt.Errorf("state %q is no presence", s)
		}
	}
	return nil
}

func (c *presence) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		v.Looked++
		if !slices.Contains(c.State, string(d.Presence)) {
			v.fail(d.ID, "presence "+strings.Join(c.State, " or "), "%s", d.Presence)
		}
	}
	return v
}

// wasPresent: the hub has said one of these of each device at some time of the
// run, or of none.
type wasPresent struct {
	presence `yaml:",inline"`
	// Within this time of the run's begin, by the hub's clock; at any time if 0.
	Within time.Duration `yaml:"within"`
	never  bool
}

func (c *wasPresent) historic() {}

func (c *wasPresent) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		v.Looked++
		was := e.History.Presence[d.ID]
		at := slices.IndexFunc(was, func(p PresenceAt) bool { return slices.Contains(c.State, string(p.State)) })
		want := "once to be " + strings.Join(c.State, " or ")
		switch {
		case c.never && at >= 0:
			v.fail(d.ID, "never to be "+strings.Join(c.State, " or "), "%s since %s", was[at].State, was[at].Since.Format("15:04:05.000"))
		case c.never:
		case at < 0:
			v.fail(d.ID, want, "%v", was)
		case c.Within > 0 && was[at].Since.Sub(e.Since) > c.Within:
			v.fail(d.ID, fmt.Sprintf("%s within %s", want, c.Within), "after %s", was[at].Since.Sub(e.Since))
		}
	}
	return v
}

// commands: each command of the run has ended so.
type commands struct {
	anyone `yaml:",inline"`
	State  fleet.CommandState `yaml:"state"`
	// Anomaly is what the device has said after the end, which the hub shows
	// beside it; nothing if empty.
	Anomaly fleet.CommandState `yaml:"anomaly"`
	// Name of the commands that are meant; all if empty.
	Name string `yaml:"name"`
}

func (c *commands) valid(groups map[string]bool) error {
	for _, s := range []fleet.CommandState{c.State, c.Anomaly} {
		if _, err := fleet.ParseCommandState(string(s)); err != nil && s != "" {
			return err
		}
	}
	return c.anyone.valid(groups)
}

func (c *commands) judge(e *Evidence) (v Verdict) {
	devices := c.of(e, "")
	for _, k := range e.Commands {
		if c.Name != "" && k.Name != c.Name || !slices.ContainsFunc(devices, func(d DeviceEvidence) bool { return d.ID == k.DeviceID }) {
			continue
		}
		v.Looked++
		if k.State != c.State || k.Anomaly != c.Anomaly {
			v.fail(k.DeviceID, fmt.Sprintf("command %s %s %s %s", k.Name, k.CommandID, c.State, c.Anomaly), "%s %s %s", k.State, k.Error, k.Anomaly)
		}
	}
	return v
}

// commandsOnce: no device acted twice on one command.
type commandsOnce struct {
	anyone `yaml:",inline"`
}

func (c *commandsOnce) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		for _, k := range d.Facts.Commands {
			v.Looked++
			if k.Acted > 1 {
				v.fail(d.ID, fmt.Sprintf("command %s %s carried out once", k.Name, k.ID), "%d times", k.Acted)
			}
			if !k.ExpiresAt.IsZero() && k.LastAt.After(k.ExpiresAt.Add(time.Second)) {
				v.fail(d.ID, fmt.Sprintf("command %s %s not sent after %s", k.Name, k.ID, k.ExpiresAt.Format(time.RFC3339)),
					"it arrived at %s", k.LastAt.Format(time.RFC3339))
			}
		}
	}
	return v
}
