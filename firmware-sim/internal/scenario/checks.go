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

// check is one kind of expectation. judge is a function of the evidence.
type check interface {
	valid(groups map[string]bool) error
	judge(e *Evidence) Verdict
}

// checks make an empty check by the word that a script uses.
var checks = map[string]func() check{
	"presses_made":          func() check { return &pressesMade{} },
	"every_press_stored":    func() check { return &stored{all: true} },
	"acknowledged_stored":   func() check { return &stored{} },
	"stored_once":           func() check { return &storedOnce{} },
	"no_phantom_presses":    func() check { return &noPhantoms{} },
	"every_press_receipted": func() check { return &receipted{} },
	"receipts_true":         func() check { return &receiptsTrue{} },
	"lateness":              func() check { return &lateness{LateAfter: 30 * time.Second, Tolerance: 5 * time.Second} },
	"presses_counted":       func() check { return &counted{} },
	"requests_per_device":   func() check { return &perDevice{} },
	"requests_are":          func() check { return &requestsAre{} },
	"one_winner":            func() check { return &oneWinner{} },
	"races_decided":         func() check { return &racesDecided{} },
	"watches_told":          func() check { return &told{} },
	"lamps":                 func() check { return &lamps{Lamp: device.LampOff} },
	"connected":             func() check { return &connected{} },
	"presence":              func() check { return &presence{} },
	"was_present":           func() check { return &wasPresent{} },
	"never_present":         func() check { return &wasPresent{never: true} },
	"commands":              func() check { return &commands{State: fleet.CommandSucceeded} },
	"commands_once":         func() check { return &commandsOnce{} },
	"commands_never_came":   func() check { return &neverCame{} },
	"alert":                 func() check { return &alert{} },
	"no_alert":              func() check { return &noAlert{} },
	"requests_reach":        func() check { return &reach{} },
	"watches_not_told":      func() check { return &notTold{} },
	"late_accepts_refused":  func() check { return &lateAccepts{AtLeast: 1} },
	"clocks_ignored":        func() check { return &clocksIgnored{} },
	"batteries":             func() check { return &batteries{Tolerance: 1} },
	"happened":              func() check { return &happened{} },
	"relayed":               func() check { return &viaRepeater{} },
}

// Verdict is what a check found.
type Verdict struct {
	// Looked is how many things were looked at.
	Looked int `json:"looked"`
	// Failures are what was not as expected; none is success.
	Failures []Failure `json:"failures"`
}

// Failure is one thing that was not as expected.
type Failure struct {
	Device   fleet.DeviceID `json:"device_id,omitempty"`
	Expected string         `json:"expected"`
	Found    string         `json:"found"`
}

// String implements fmt.Stringer.
func (f Failure) String() string {
	s := "expected " + f.Expected + ", found " + f.Found
	if f.Device != "" {
		s = string(f.Device) + ": " + s
	}
	return s
}

func (v *Verdict) fail(id fleet.DeviceID, expected, found string, args ...any) {
	v.Failures = append(v.Failures, Failure{id, expected, fmt.Sprintf(found, args...)})
}

// anyone is for checks about all devices, or those of a group.
type anyone struct {
	Who string `yaml:"who"`
}

func (a anyone) valid(groups map[string]bool) error {
	if a.Who != "" && !groups[a.Who] {
		return fmt.Errorf("who %q: there is no such group", a.Who)
	}
	return nil
}

// of returns the devices that are meant, of a type if one is given.
func (a anyone) of(e *Evidence, kind fleet.DeviceType) []DeviceEvidence {
	return slices.DeleteFunc(slices.Clone(e.Devices), func(d DeviceEvidence) bool {
		return a.Who != "" && a.Who != "all" && d.Group != a.Who || kind != "" && d.Type != kind
	})
}

// names of a press, for people.
func name(p device.PressFact) string {
	if p.BootID != "" {
		return fmt.Sprintf("press %d of boot %s", p.Sequence, p.BootID)
	}
	return fmt.Sprintf("press %d of its boot %d", p.Sequence, p.Boot)
}

// ours are the presses that this run made and sent.
func ours(d DeviceEvidence) []matched {
	all, _ := d.match()
	return slices.DeleteFunc(all, func(m matched) bool { return m.fact.Earlier })
}

// pressesMade: the story took place at all.
type pressesMade struct {
	anyone  `yaml:",inline"`
	AtLeast int `yaml:"at_least"`
}

func (c *pressesMade) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, p := range d.Facts.Presses {
			if !p.Earlier && !p.Refused {
				v.Looked++
			}
		}
	}
	if v.Looked < c.AtLeast {
		v.fail("", fmt.Sprintf("at least %d presses made", c.AtLeast), "%d", v.Looked)
	}
	return v
}

// stored: a press that was acknowledged (or each one that was made) is stored.
type stored struct {
	anyone `yaml:",inline"`
	all    bool
}

func (c *stored) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, m := range ours(d) {
			if m.fact.Refused || !c.all && !m.fact.Acknowledged() {
				continue
			}
			v.Looked++
			if len(m.hub) == 0 {
				v.fail(d.ID, name(m.fact)+" stored", "it is not on the hub (sent %d times, acknowledged %t)", m.fact.Sent, m.fact.Acknowledged())
			}
		}
	}
	return v
}

// storedOnce: no press is stored twice, however often it was sent.
type storedOnce struct {
	anyone `yaml:",inline"`
	// Repeated: at least so many presses were sent more than once.
	Repeated int `yaml:"repeated"`
}

func (c *storedOnce) judge(e *Evidence) (v Verdict) {
	repeated := 0
	for _, d := range c.of(e, fleet.Button) {
		for _, m := range ours(d) {
			v.Looked++
			if m.fact.Sent > 1 {
				repeated++
			}
			if len(m.hub) > 1 {
				v.fail(d.ID, name(m.fact)+" stored once", "%s", places(m))
			}
		}
	}
	if repeated < c.Repeated {
		v.fail("", fmt.Sprintf("at least %d presses sent more than once", c.Repeated), "%d", repeated)
	}
	return v
}

// places says as what the hub has a press.
func places(m matched) string {
	s := fmt.Sprintf("%d on the hub, after %d sends:", len(m.hub), m.fact.Sent)
	for _, p := range m.hub {
		s += fmt.Sprintf(" %s/%d at %s in request %s;", p.BootID, p.SequenceID, p.ReceivedAt.Format("15:04:05.000"), p.RequestID)
	}
	return s[:len(s)-1]
}

// noPhantoms: the hub has no press that nobody made.
type noPhantoms struct {
	anyone `yaml:",inline"`
}

func (c *noPhantoms) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		_, phantoms := d.match()
		v.Looked += len(d.Presses)
		for _, p := range phantoms {
			v.fail(d.ID, "only presses that were made", "press %s/%d, received at %s, which nobody made", p.BootID, p.SequenceID,
				p.ReceivedAt.Format("15:04:05.000"))
		}
	}
	known := map[fleet.RequestID]bool{}
	for _, d := range e.Devices {
		for _, p := range d.Presses {
			known[p.RequestID] = true
		}
	}
	for _, q := range e.Requests {
		if !known[q.RequestID] {
			v.fail(q.DeviceID, "requests with a press", "request %s, which no press belongs to", q.RequestID)
		}
	}
	return v
}

// receipted: each press that was made has its receipt.
type receipted struct {
	anyone `yaml:",inline"`
}

func (c *receipted) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, p := range d.Facts.Presses {
			if p.Refused {
				continue
			}
			v.Looked++
			if !p.Receipted() {
				v.fail(d.ID, "a receipt for "+name(p), "none (sent %d times, acknowledged %t)", p.Sent, p.Acknowledged())
			}
		}
	}
	return v
}

// receiptsTrue: a receipt says "stored" only of what is stored.
type receiptsTrue struct {
	anyone `yaml:",inline"`
}

func (c *receiptsTrue) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, m := range ours(d) {
			if !m.fact.Receipted() {
				continue
			}
			v.Looked++
			if len(m.hub) == 0 {
				v.fail(d.ID, "receipts for stored presses only", "a receipt for %s, which is not on the hub", name(m.fact))
			}
		}
		for _, s := range d.Facts.StrayReceipts {
			v.fail(d.ID, "receipts for presses that were made", "%s for %s/%d", s.Stage, s.BootID, s.Sequence)
		}
	}
	return v
}

// lateness: a press that was under way for long shows how long, and no other
// does.
type lateness struct {
	anyone `yaml:",inline"`
	// LateAfter is the hub's setting. Tolerance of the comparison.
	LateAfter time.Duration `yaml:"late_after"`
	Tolerance time.Duration `yaml:"tolerance"`
	// AtLeast so many presses were late.
	AtLeast int `yaml:"at_least"`
}

func (c *lateness) judge(e *Evidence) (v Verdict) {
	for _, d := range c.of(e, fleet.Button) {
		for _, m := range ours(d) {
			if len(m.hub) == 0 || m.fact.DeviceTime.IsZero() {
				continue
			}
			// The press was on the hub between its first send and its PUBACK.
			least, most := m.fact.Age, m.fact.Age+m.fact.AcknowledgedAt.Sub(m.fact.FirstSentAt)
			if !m.fact.Acknowledged() {
				most = m.fact.Age + time.Hour
			}
			for _, p := range m.hub {
				late := time.Duration(p.LateByMS) * time.Millisecond
				switch {
				case least > c.LateAfter+c.Tolerance:
					v.Looked++
					if late < least-c.Tolerance || late > most+c.Tolerance {
						v.fail(d.ID, fmt.Sprintf("%s late by about %s", name(m.fact), least.Round(time.Second)), "late by %s", late)
					}
				case most < c.LateAfter-c.Tolerance && late != 0:
					v.fail(d.ID, name(m.fact)+" not late", "late by %s", late)
				}
			}
		}
	}
	if v.Looked < c.AtLeast {
		v.fail("", fmt.Sprintf("at least %d late presses", c.AtLeast), "%d", v.Looked)
	}
	return v
}

// counted: each request counts the presses that belong to it.
type counted struct {
	anyone `yaml:",inline"`
}

func (c *counted) judge(e *Evidence) (v Verdict) {
	presses := map[fleet.RequestID]uint64{}
	ids := map[fleet.DeviceID]bool{}
	for _, d := range c.of(e, fleet.Button) {
		ids[d.ID] = true
		for _, p := range d.Presses {
			presses[p.RequestID]++
		}
	}
	for _, q := range e.Requests {
		if !ids[q.DeviceID] {
			continue
		}
		v.Looked++
		if q.Presses != presses[q.RequestID] {
			v.fail(q.DeviceID, fmt.Sprintf("request %s to count its %d presses", q.RequestID, presses[q.RequestID]), "×%d", q.Presses)
		}
	}
	return v
}

// perDevice: the presses of a button collapse into so many requests.
type perDevice struct {
	anyone `yaml:",inline"`
	Least  int `yaml:"least"`
	Most   int `yaml:"most"`
	// Collapsed: at least so many requests have more than one press.
	Collapsed int `yaml:"collapsed"`
}

func (c *perDevice) valid(groups map[string]bool) error {
	if c.Most < c.Least || c.Most == 0 {
		return fmt.Errorf("least %d, most %d: want a range", c.Least, c.Most)
	}
	return c.anyone.valid(groups)
}

func (c *perDevice) judge(e *Evidence) (v Verdict) {
	collapsed := 0
	for _, d := range c.of(e, fleet.Button) {
		made := slices.ContainsFunc(d.Facts.Presses, func(p device.PressFact) bool { return !p.Refused && !p.Earlier })
		n := 0
		for _, q := range e.Requests {
			if q.DeviceID == d.ID {
				n++
				if q.Presses > 1 {
					collapsed++
				}
			}
		}
		if !made {
			if n > 0 {
				v.fail(d.ID, "no request, as nobody pressed", "%d", n)
			}
			continue
		}
		v.Looked++
		if n < c.Least || n > c.Most {
			v.fail(d.ID, fmt.Sprintf("%d to %d requests", c.Least, c.Most), "%d", n)
		}
	}
	if collapsed < c.Collapsed {
		v.fail("", fmt.Sprintf("at least %d requests with several presses", c.Collapsed), "%d", collapsed)
	}
	return v
}

// requestsAre: every request has come to one of these states.
type requestsAre struct {
	anyone `yaml:",inline"`
	State  List `yaml:"state"`
}

func (c *requestsAre) valid(groups map[string]bool) error {
	for _, s := range c.State {
		if _, err := fleet.ParseRequestState(s); err != nil {
			return err
		}
	}
	if len(c.State) == 0 {
		return fmt.Errorf("state: want one state or several")
	}
	return c.anyone.valid(groups)
}

func (c *requestsAre) judge(e *Evidence) (v Verdict) {
	devices := c.of(e, "")
	for _, q := range e.Requests {
		if !slices.ContainsFunc(devices, func(d DeviceEvidence) bool { return d.ID == q.DeviceID }) {
			continue
		}
		v.Looked++
		if !slices.Contains(c.State, string(q.State)) {
			v.fail(q.DeviceID, fmt.Sprintf("request %s to be %s", q.RequestID, strings.Join(c.State, " or ")), "%s", describe(q))
		}
	}
	return v
}

func describe(q hubapi.Request) string {
	s := fmt.Sprintf("%s at version %d with %d presses", q.State, q.Version, q.Presses)
	if q.AcceptedBy != nil {
		s += ", accepted by " + q.AcceptedBy.ID
	}
	return s
}
