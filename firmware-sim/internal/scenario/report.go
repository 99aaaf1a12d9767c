package scenario

import (
	"fmt"
	"io"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
)

// Report is what became of a run.
type Report struct {
	Scenario   string        `json:"scenario"`
	Seed       uint64        `json:"seed"`
	Speed      float64       `json:"speed"`
	Site       fleet.SiteID  `json:"site"`
	HubVersion string        `json:"hub_version"`
	StartedAt  time.Time     `json:"started_at"`
	DurationMS int64         `json:"duration_ms"`
	OK         bool          `json:"ok"`
	Checks     []Judged      `json:"checks"`
	Summary    Summary       `json:"summary"`
	Races      []Race        `json:"races,omitempty"`
	Devices    []DeviceFacts `json:"devices,omitempty"`
}

// Judged is one expectation with its verdict.
type Judged struct {
	Check string `json:"check"`
	Line  int    `json:"line"`
	OK    bool   `json:"ok"`
	Verdict
}

// DeviceFacts is the ledger of one device.
type DeviceFacts struct {
	DeviceID fleet.DeviceID `json:"device_id"`
	device.Facts
}

// Summary counts what happened.
type Summary struct {
	Devices  int `json:"devices"`
	Online   int `json:"online"`
	Presses  int `json:"presses"`
	Sends    int `json:"sends"`
	Receipts int `json:"receipts"`
	Accepts  int `json:"accepts"`
	Requests int `json:"requests"`
	Commands int `json:"commands"`
}

func (s *Summary) add(f *device.Facts) {
	s.Devices++
	if f.Online {
		s.Online++
	}
	s.Presses += len(f.Presses)
	for _, p := range f.Presses {
		s.Sends += p.Sent
		s.Receipts += len(p.Receipts)
	}
	for _, a := range f.Actions {
		if a.Action == "accept" {
			s.Accepts++
		}
	}
	s.Commands += len(f.Commands)
}

func (r *run) summary() Summary {
	var s Summary
	for _, m := range r.members {
		m.device.Ledger().Look(s.add)
	}
	return s
}

// judge judges all expectations of a script.
func (r *Report) judge(s *Script, e *Evidence) {
	for _, x := range s.Expect {
		v := x.check.judge(e)
		if v.Looked == 0 && len(v.Failures) == 0 {
			v.fail("", "something to look at", "nothing")
		}
		j := Judged{Check: x.Check, Line: x.Line, OK: len(v.Failures) == 0, Verdict: v}
		if j.Failures == nil {
			j.Failures = []Failure{}
		}
		r.OK = r.OK && j.OK
		r.Checks = append(r.Checks, j)
	}
	r.Summary.Requests = len(e.Requests)
	r.Races = e.Races
	for i := range e.Devices {
		r.Summary.add(&e.Devices[i].Facts)
		r.Devices = append(r.Devices, DeviceFacts{e.Devices[i].ID, e.Devices[i].Facts})
	}
}

// shown is how many failures of one check are printed.
const shown = 10

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	s := r.Summary
	fmt.Fprintf(w, "%s, seed %d: %d devices, %d presses (sent %d times), %d requests, %d accepts, %d commands, %.1f s\n",
		r.Scenario, r.Seed, s.Devices, s.Presses, s.Sends, s.Requests, s.Accepts, s.Commands, float64(r.DurationMS)/1000)
	failed := 0
	for _, c := range r.Checks {
		word := "ok    "
		if !c.OK {
			word = "FAILED"
			failed++
		}
		fmt.Fprintf(w, "  %s %s (line %d, looked at %d)\n", word, c.Check, c.Line, c.Looked)
		for i, f := range c.Failures {
			if i == shown {
				fmt.Fprintf(w, "         and %d more\n", len(c.Failures)-shown)
				break
			}
			fmt.Fprintf(w, "         %s\n", f)
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d expectations met\n", len(r.Checks)-failed, len(r.Checks))
	return err
}
