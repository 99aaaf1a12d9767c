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

// alert: the hub has raised an alert about each of these devices; without who,
// one about anything.
type alert struct {
	anyone `yaml:",inline"`
	Kind   string `yaml:"kind"`
	// State that it is in at the end; any if empty.
	State string `yaml:"state"`
	// Within this time of the run's begin, by the hub's clock; at any time if 0.
	Within time.Duration `yaml:"within"`
	// Most: so many alerts of the kind at the most, about whatever; no limit if 0.
	Most int `yaml:"most"`
}

func (c *alert) historic() {}

func (c *alert) valid(groups map[string]bool) error {
	if err := alertKind(c.Kind); err != nil {
		return err
	}
	if c.State != "" && !slices.Contains(alertStates, c.State) {
		return fmt.Errorf("state %q: want one of %s", c.State, strings.Join(alertStates, ", "))
	}
	return c.anyone.valid(groups)
}

var alertStates = []string{"active", "acknowledged", "silenced", "rectified", "cleared"}

// alertKind checks the form only: which kinds there are is the hub's to say.
func alertKind(kind string) error {
	if kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return fmt.Errorf("kind %q: want one of the hub's alerts, such as battery_low", kind)
	}
	return nil
}

func (c *alert) judge(e *Evidence) (v Verdict) {
	var all []hubapi.Alert
	for _, a := range e.History.Alerts {
		if a.Kind == c.Kind {
			all = append(all, a)
		}
	}
	about := func(id fleet.DeviceID) {
		v.Looked++
		want := "alert " + c.Kind
		at := slices.IndexFunc(all, func(a hubapi.Alert) bool { return id == "" || a.Subject == string(id) })
		switch {
		case at < 0:
			v.fail(id, want, "none")
		case c.State != "" && all[at].State != c.State:
			v.fail(id, want+" to be "+c.State, "%s", all[at].State)
		case c.Within > 0 && all[at].Since.Sub(e.Since) > c.Within:
			v.fail(id, fmt.Sprintf("%s within %s", want, c.Within), "after %s", all[at].Since.Sub(e.Since))
		}
	}
	if c.Who == "" {
		about("")
	} else {
		for _, d := range c.of(e, "") {
			about(d.ID)
		}
	}
	if c.Most > 0 && len(all) > c.Most {
		v.fail("", fmt.Sprintf("at most %d alerts %s", c.Most, c.Kind), "%d", len(all))
	}
	return v
}

// noAlert: the hub has raised no alert of this kind about these devices.
type noAlert struct {
	anyone `yaml:",inline"`
	Kind   string `yaml:"kind"`
}

func (c *noAlert) historic() {}

func (c *noAlert) valid(groups map[string]bool) error {
	if err := alertKind(c.Kind); err != nil {
		return err
	}
	return c.anyone.valid(groups)
}

func (c *noAlert) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		v.Looked++
		for _, a := range e.History.Alerts {
			if a.Kind == c.Kind && a.Subject == string(d.ID) {
				v.fail(d.ID, "no alert "+c.Kind, "one since %s, %s", a.Since.Format("15:04:05.000"), a.State)
			}
		}
	}
	return v
}

// reach: the requests of these buttons came so far, were told to these watches,
// and name those that could not be told.
type reach struct {
	anyone `yaml:",inline"`
	// Level that the escalation came to.
	Level string `yaml:"level"`
	// Told and Unreachable are groups of watches. Why is part of the reason.
	Told        string `yaml:"told"`
	Unreachable string `yaml:"unreachable"`
	Why         string `yaml:"why"`
}

func (c *reach) historic() {}

func (c *reach) valid(groups map[string]bool) error {
	if c.Level != "" {
		if _, err := hubapi.ParseLevel(c.Level); err != nil {
			return err
		}
	}
	if c.Level == "" && c.Told == "" && c.Unreachable == "" {
		return fmt.Errorf("want level, told or unreachable")
	}
	for _, g := range []string{c.Told, c.Unreachable} {
		if err := (anyone{g}).valid(groups); err != nil {
			return err
		}
	}
	return c.anyone.valid(groups)
}

func (c *reach) judge(e *Evidence) (v Verdict) {
	buttons := c.of(e, fleet.Button)
	watches := func(group string) []DeviceEvidence {
		if group == "" {
			return nil
		}
		return anyone{group}.of(e, fleet.Watch)
	}
	for _, q := range e.Requests {
		if !slices.ContainsFunc(buttons, func(d DeviceEvidence) bool { return d.ID == q.DeviceID }) {
			continue
		}
		v.Looked++
		h := e.History.Requests[q.RequestID]
		if c.Level != "" {
			if want, _ := hubapi.ParseLevel(c.Level); h.Level < want {
				v.fail(q.DeviceID, fmt.Sprintf("request %s to come to level %s", q.RequestID, c.Level), "%s", h.Level)
			}
		}
		for _, w := range watches(c.Told) {
			if !h.Told[w.ID] {
				v.fail(w.ID, fmt.Sprintf("the hub to say that it was told of request %s", q.RequestID), "it does not")
			}
		}
		for _, w := range watches(c.Unreachable) {
			if why, ok := h.Missing[w.ID]; !ok || !strings.Contains(why, c.Why) {
				v.fail(w.ID, fmt.Sprintf("the hub to say that it could not be told of request %s: %s", q.RequestID, c.Why), "%t %s", ok, why)
			}
		}
	}
	return v
}

// notTold: these watches were told of no request of the run.
type notTold struct {
	anyone `yaml:",inline"`
}

func (c *notTold) judge(e *Evidence) (v Verdict) {
	for _, w := range c.of(e, fleet.Watch) {
		v.Looked++
		for _, q := range e.Requests {
			if slices.ContainsFunc(w.Facts.Notices, func(n device.NoticeFact) bool { return n.RequestID == q.RequestID }) {
				v.fail(w.ID, fmt.Sprintf("not to be told of request %s", q.RequestID), "it was")
			}
		}
	}
	return v
}

// lateAccepts: an accept of a request that the watch knew to be over changed
// nothing, and was answered.
type lateAccepts struct {
	anyone  `yaml:",inline"` // the watches
	AtLeast int              `yaml:"at_least"`
}

// underWay is how old an accept must be to have had its answer.
const underWay = 2 * time.Second

func (c *lateAccepts) judge(e *Evidence) (v Verdict) {
	for _, w := range c.of(e, fleet.Watch) {
		for _, a := range w.Facts.Actions {
			over := slices.IndexFunc(w.Facts.Notices, func(n device.NoticeFact) bool {
				return n.RequestID == a.RequestID && n.Stage.Ended() && n.At.Before(a.SentAt)
			})
			if a.Action != "accept" || over < 0 {
				continue
			}
			answered := slices.ContainsFunc(w.Facts.Notices, func(n device.NoticeFact) bool {
				return n.RequestID == a.RequestID && n.Stage.Ended() && n.At.After(a.SentAt)
			})
			if !answered && e.TakenAt.Sub(a.SentAt) < underWay {
				continue
			}
			v.Looked++
			told := w.Facts.Notices[over]
			at := slices.IndexFunc(e.Requests, func(q hubapi.Request) bool { return q.RequestID == a.RequestID })
			if at < 0 || e.Requests[at].State != told.Stage || e.Requests[at].Version != told.Version {
				found := "it is gone"
				if at >= 0 {
					found = describe(e.Requests[at])
				}
				v.fail(w.ID, fmt.Sprintf("request %s to stay %s at version %d after a late accept", a.RequestID, told.Stage, told.Version), "%s", found)
			}
			if !answered {
				v.fail(w.ID, fmt.Sprintf("to be told again that request %s is over", a.RequestID), "it was not")
			}
		}
	}
	if v.Looked < c.AtLeast {
		v.fail("", fmt.Sprintf("at least %d late accepts", c.AtLeast), "%d", v.Looked)
	}
	return v
}

// clocksIgnored: whatever the clocks of these buttons say, the hub's own time
// counts: no press is called late by it, and each was received when it came.
type clocksIgnored struct {
	anyone `yaml:",inline"`
}

func (c *clocksIgnored) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, p := range d.Presses {
			v.Looked++
			if p.LateByMS != 0 {
				v.fail(d.ID, fmt.Sprintf("press %s/%d with the time %s not called late", p.BootID, p.SequenceID, p.DeviceTime.Format(time.RFC3339)),
					"late by %s", time.Duration(p.LateByMS)*time.Millisecond)
			}
			if p.ReceivedAt.Before(e.Since) || p.ReceivedAt.After(e.Until) {
				v.fail(d.ID, fmt.Sprintf("press %s/%d received in this run", p.BootID, p.SequenceID), "%s", p.ReceivedAt.Format(time.RFC3339))
			}
		}
		for _, q := range e.Requests {
			if q.DeviceID == d.ID && (q.OpenedAt.Before(e.Since) || q.OpenedAt.After(e.Until)) {
				v.fail(d.ID, fmt.Sprintf("request %s opened in this run", q.RequestID), "%s", q.OpenedAt.Format(time.RFC3339))
			}
		}
	}
	return v
}

// batteries: the hub shows what each device has told last.
type batteries struct {
	anyone `yaml:",inline"`
	// Below: all have come below that many per cent; no matter if 0.
	Below int `yaml:"below"`
	// Tolerance in per cent, of what was under way; 1.
	Tolerance int `yaml:"tolerance"`
}

func (c *batteries) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		if d.Facts.Battery == nil {
			continue
		}
		v.Looked++
		told := *d.Facts.Battery
		switch {
		case d.Battery == nil:
			v.fail(d.ID, fmt.Sprintf("a battery of %d %%", told), "none")
		case max(*d.Battery-told, told-*d.Battery) > c.Tolerance:
			v.fail(d.ID, fmt.Sprintf("a battery of %d %%", told), "%d %%", *d.Battery)
		case c.Below > 0 && *d.Battery >= c.Below:
			v.fail(d.ID, fmt.Sprintf("a battery below %d %%", c.Below), "%d %%", *d.Battery)
		}
	}
	return v
}

// happened: the story took place: what devices of this kind do has come to pass
// so often, all of them together.
type happened struct {
	anyone  `yaml:",inline"`
	What    string `yaml:"what"`
	AtLeast int    `yaml:"at_least"`
}

// countable is what can happen to a device.
var countable = map[string]func(f device.Facts) int{
	"brown_outs":       func(f device.Facts) int { return f.BrownOuts },
	"sleeps":           func(f device.Facts) int { return f.Sleeps },
	"dozes":            func(f device.Facts) int { return f.Dozes },
	"ignored_messages": func(f device.Facts) int { return f.Ignored },
	"failed_connects":  func(f device.Facts) int { return f.Failed },
	"dup_presses":      func(f device.Facts) int { return count(f.Presses, func(p device.PressFact) bool { return p.Dup }) },
	"late_presses": func(f device.Facts) int {
		return count(f.Presses, func(p device.PressFact) bool { return p.Age > 30*time.Second })
	},
}

func count[T any](all []T, is func(T) bool) (n int) {
	for _, v := range all {
		if is(v) {
			n++
		}
	}
	return n
}

func (c *happened) valid(groups map[string]bool) error {
	if countable[c.What] == nil {
		return fmt.Errorf("what %q: want one of %s", c.What, words(countable))
	}
	if c.AtLeast < 1 {
		return fmt.Errorf("at_least %d: want 1 or more", c.AtLeast)
	}
	return c.anyone.valid(groups)
}

func (c *happened) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		v.Looked += countable[c.What](d.Facts)
	}
	if v.Looked < c.AtLeast {
		v.fail("", fmt.Sprintf("at least %d %s", c.AtLeast, strings.ReplaceAll(c.What, "_", " ")), "%d", v.Looked)
	}
	return v
}

// neverCame: these devices got none of the run's commands for them that have
// expired, neither in time nor afterwards.
type neverCame struct {
	anyone `yaml:",inline"`
}

func (c *neverCame) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, "") {
		for _, k := range e.Commands {
			if k.DeviceID != d.ID || k.State != fleet.CommandExpired {
				continue
			}
			v.Looked++
			if slices.ContainsFunc(d.Facts.Commands, func(f device.CommandFact) bool { return f.ID == k.CommandID && f.Times > 0 }) {
				v.fail(d.ID, fmt.Sprintf("command %s %s, which has expired, not to come", k.Name, k.CommandID), "it came")
			}
		}
	}
	return v
}

// viaRepeater: the hub says of each press through which repeater it came.
type viaRepeater struct {
	anyone `yaml:",inline"`
}

func (c *viaRepeater) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, p := range d.Presses {
			v.Looked++
			if p.Via != d.Via || p.Via == "" {
				v.fail(d.ID, fmt.Sprintf("press %s/%d by way of %q", p.BootID, p.SequenceID, d.Via), "%q", p.Via)
			}
		}
	}
	return v
}
