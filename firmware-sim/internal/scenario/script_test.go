package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

func TestBuiltin_AllCanBeReadAndResized(t *testing.T) {
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name {
			t.Errorf("%s calls itself %s", name, s.Name)
		}
		ids := map[fleet.DeviceID]bool{}
		plans, _ := s.plan("p-", 1, 1)
		for _, p := range plans {
			if ids[p.config.ID] {
				t.Errorf("%s: device %s twice", name, p.config.ID)
			}
			ids[p.config.ID] = true
			if _, err := fleet.ParseDeviceID(string(p.config.ID)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := fleet.ParseRoomID(string(p.room)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, n := range []int{s.Devices() + 17, 2 * s.Devices(), 500} {
			if err := s.Resize(n); err != nil || s.Devices() != n {
				t.Errorf("%s: %d devices of %d: %v", name, s.Devices(), n, err)
			}
		}
		if err := s.Resize(1); err == nil {
			t.Errorf("%s: took 1 device", name)
		}
	}
}

const good = `name: tale
story: Once upon a time.
devices:
  - {group: cabins, type: button, count: 3, boot_ids: [yes, no], mqtt: ["5", "3.1.1"], battery: 5..7}
  - {type: watch, reaction: 2s..8s, names: [Anna]}
timeline:
  - {at: 0s, do: connect, who: all, spread: 3s}
  - {at: 2s, do: press, who: cabins, times: 1..3, every: 1s..2s, pick: 2}
  - {at: 2s, do: wait, for: receipts, who: cabins, within: 5s}
expect:
  - stored_once
  - {check: lateness, late_after: 1m}
`

func TestParse_ReadsAScript(t *testing.T) {
	s, err := Parse("tale.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if s.Devices() != 4 || len(s.Timeline) != 3 || len(s.Expect) != 2 {
		t.Fatalf("%+v", s)
	}
	p := s.Timeline[1].act.(*press)
	if p.Who != "cabins" || p.Pick != 2 || p.Times != (Range{1, 3}) || p.Every.Span != (device.Span{Least: time.Second, Most: 2 * time.Second}) {
		t.Errorf("%+v", p)
	}
	if c := s.Expect[1].check.(*lateness); c.LateAfter != time.Minute || c.Tolerance != 5*time.Second {
		t.Errorf("%+v", c)
	}
	plans := s.Groups[0].plan("x-", 1)
	var got []string
	for _, p := range plans {
		boot := "no"
		if p.config.BootIDs {
			boot = "yes"
		}
		if p.config.Battery < 5 || p.config.Battery > 7 {
			t.Errorf("battery %g", p.config.Battery)
		}
		got = append(got, string(p.config.ID)+" "+string(p.room)+" "+boot+" "+string(p.config.MQTT))
	}
	want := []string{"x-btn-001 cabin-101 yes 5", "x-btn-002 cabin-102 no 3.1.1", "x-btn-003 cabin-103 yes 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w := s.Groups[1].plan("", 1)[0].config; w.Wearer == nil || w.Wearer.Attention != 1 || w.Name != "Anna" {
		t.Errorf("%+v", w)
	}
}

func TestParse_NamesTheLineOfAnError(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"spread: 3s", "sprawl: 3s", `tale.yaml: line 7: unknown key "sprawl"`},
		{"story:", "storey:", `tale.yaml: line 2: unknown key "storey"`},
		{"boot_ids:", "boots:", `tale.yaml: line 4: unknown key "boots"`},
		{"late_after", "late_atfer", `tale.yaml: line 12: unknown key "late_atfer"`},
		{"do: connect", "do: conect", `tale.yaml: line 7: do "conect": want one of brown_out, calls,`},
		{"stored_once", "stored_twice", `tale.yaml: line 11: check "stored_twice": want one of`},
		{"who: all", "who: everybody", `tale.yaml: line 7: connect: who "everybody": there is no such group`},
		{"for: receipts", "for: godot", `tale.yaml: line 9: wait: for "godot": want one of`},
		{"1..3", "3..1", `line 8: "3..1": want a number from 0, or two such as 1..3`},
		{"2s..8s", "soon", `line 5: span "soon"`},
		{"[yes, no]", "[maybe]", `tale.yaml: line 4: boot_ids: "maybe": want one of yes, no`},
		{"type: watch", "type: clock", `tale.yaml: line 5: `},
		{"at: 2s, do: wait", "at: 1s, do: wait", `tale.yaml: line 9: at 1s: is before the step above it`},
		{"{type: watch,", "{group: cabins, type: watch,", `tale.yaml: line 5: group "cabins": this name is taken`},
		{"late_after: 1m", "late_after: soon", `line 12`},
		{"spread: 3s", "spread: 3s, spread: 4s", `line 7`},
		{"expect:", "endless: true\nexpect:", `want expect, or endless: true and no expect`},
		{"name: tale", "name: [", `tale.yaml: yaml: line`},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%q is not in the script", c.from)
		}
		if _, err := Parse("tale.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.to, err, c.want)
		}
	}
}

const realSite = `name: site
story: As it is.
devices:
  - {group: near, type: button, count: 3, sleep_after: 30s, wake_delay: 1s..3s, brown_out_below: 12, brown_outs: 0.2, bounces: 1..3,
     impatience: 0..4, impatient_every: 1s, dup: 0.5, clock: [zero, drifts], clock_drift: 0.1, via: radio, reports_every: 30s}
  - {group: worn, type: button, stuck_every: 2s..3s, id: worn}
  - {group: radio, type: repeater, count: 2}
  - {type: watch, doze_after: 20s, doze_for: 10s, hearing: [well, unsubscribed, unanswering], answer_after: 5s, answers_twice: true,
     stray_answers: true, reaction: 1s, late_accepts: 0.5}
timeline:
  - {at: 0s, do: connect, who: all}
  - {at: 1s, do: hub_away, who: all}
  - {at: 2s, do: hub_back, who: all}
  - {at: 2s, do: brown_out, who: near, away: 2s}
  - {at: 2s, do: mend, who: worn}
  - {at: 3s, do: wait, for: presence, who: near, state: [late, lost], within: 90s}
  - {at: 3s, do: wait, for: alert, kind: button_stuck, who: worn}
  - {at: 3s, do: wait, for: level, level: all}
  - {at: 3s, do: wait, for: told, who: watch}
expect:
  - stored_once
  - {check: was_present, who: near, state: late}
  - {check: requests_reach, level: backup}
  - {check: happened, what: dozes, at_least: 1}
`

func TestParse_WhatDevicesOfARealSiteAreLikeReachesTheDevice(t *testing.T) {
	s, err := Parse("site.yaml", []byte(realSite))
	if err != nil {
		t.Fatal(err)
	}
	plans, profiles := s.plan("x-", 1, 10)
	near, worn, watch := plans[1].config, plans[3].config, plans[6].config
	every := func(d time.Duration) device.Span { return device.Span{Least: d, Most: d} }
	want := device.Config{
		ID: "x-btn-002", Type: fleet.Button, Seed: 1, BootIDs: true, Heartbeat: 30 * time.Second,
		SleepAfter: 30 * time.Second, WakeDelay: device.Span{Least: time.Second, Most: 3 * time.Second}, BrownOutBelow: 12, BrownOuts: 0.2,
		Bounces: device.Amount{Least: 1, Most: 3}, Impatience: device.Amount{Most: 4}, ImpatientEvery: every(time.Second), Dup: 0.5,
		ClockFault: device.ClockDrifts, ClockDrift: 0.1,
	}
	if diff := cmp.Diff(want, near); diff != "" {
		t.Error(diff)
	}
	if worn.StuckEvery != (device.Span{Least: 2 * time.Second, Most: 3 * time.Second}) {
		t.Errorf("%+v", worn.StuckEvery)
	}
	if watch.DozeAfter != every(20*time.Second) || watch.DozeFor != every(10*time.Second) || watch.Hearing != device.HearsWell ||
		watch.AnswerAfter != every(5*time.Second) || !watch.AnswersTwice || !watch.StrayAnswers || watch.Wearer.LateAccepts != 0.5 {
		t.Errorf("%+v", watch)
	}
	var ways []string
	for _, p := range plans {
		ways = append(ways, string(p.config.ID)+" "+string(p.via)+" "+p.profile)
	}
	if diff := cmp.Diff([]string{
		"x-btn-001 x-rpt-01 sim-reports-5s", "x-btn-002 x-rpt-02 sim-reports-5s", "x-btn-003 x-rpt-01 sim-reports-5s", "x-worn  ",
		"x-rpt-01  sim-relay-x-rpt-01", "x-rpt-02  sim-relay-x-rpt-02", "x-watch-01  ",
	}, ways); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]hubapi.Profile{
		{Name: "sim-reports-5s", ReportingInterval: 5},
		{Name: "sim-relay-x-rpt-01", Relay: []fleet.DeviceID{"x-btn-001", "x-btn-003"}},
		{Name: "sim-relay-x-rpt-02", Relay: []fleet.DeviceID{"x-btn-002"}},
	}, profiles); diff != "" {
		t.Error(diff)
	}
}

func TestParse_WhatADeviceCannotBeIsAnErrorWithItsLine(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"via: radio", "via: wire", `line 5: via "wire": there is no such group of repeaters`},
		{"id: worn}", "id: worn, doze_for: 3s}", `line 6: doze_for: only a watch dozes`},
		{"{type: watch,", "{type: watch, stuck_every: 1s,", `line 8: stuck_every: only a button sticks`},
		{"dup: 0.5", `dup: 0.5, mqtt: "5"`, `line 5: dup: a client of MQTT 5`},
		{"unsubscribed,", "numb,", `line 8: hearing: "numb": want one of well, unsubscribed, unanswering`},
		{"[zero,", "[late,", `line 5: clock: "late": want one of right, zero, future, drifts`},
		{"reports_every: 30s", "reports_every: 30s, heartbeat: 5s", `line 5: heartbeat: reports_every says it already`},
		{"count: 2}", "count: 2, via: radio}", `line 7: via: a repeater does not speak through another`},
		{"state: [late, lost], within", "state: [tired], within", `line 16: wait: state "tired" is no presence`},
		{"who: near, state: [late, lost], within", "who: near, within", `line 16: wait: state: want one presence or several`},
		{"kind: button_stuck, who", "kind: Stuck, who", `line 17: wait: kind "Stuck": want one of the hub's alerts`},
		{"level: all}", "level: captain}", `line 18: wait: level "captain": want one of duty, backup, lead, all`},
		{"who: watch}", "who: nobody}", `line 19: wait: who "nobody": there is no such group`},
		{"state: late}", "state: tired}", `line 22: was_present: state "tired" is no presence`},
		{"level: backup}", "missed: true}", `line 23: unknown key "missed"`},
		{"{check: requests_reach, level: backup}", "requests_reach", `line 23: requests_reach: want level, told or unreachable`},
		{"what: dozes, at_least: 1", "what: dozes", `line 24: happened: at_least 0: want 1 or more`},
		{"what: dozes", "what: dreams", `line 24: happened: what "dreams": want one of`},
	} {
		text := strings.Replace(realSite, c.from, c.to, 1)
		if text == realSite {
			t.Fatalf("%q is not in the script", c.from)
		}
		if _, err := Parse("site.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.to, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("name: x\ndevices: [1]\n")
	f.Add("")
	f.Add("- &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz.yaml", []byte(text))
		if (s == nil) == (err == nil) {
			t.Fatalf("%v %v", s, err)
		}
	})
}
