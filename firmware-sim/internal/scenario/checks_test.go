package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// pressed is a press that went well: made late after a while, sent twice,
// acknowledged, and given its receipts.
func pressed(boot string, seq uint64, age time.Duration) device.PressFact {
	sent := noon.Add(time.Duration(seq) * time.Second)
	return device.PressFact{
		Press: device.Press{Boot: 1, BootID: boot, Sequence: seq, Type: fleet.PressSingle}, MadeAt: sent, DeviceTime: sent.Add(-age),
		FirstSentAt: sent, Age: age, Sent: 2, AcknowledgedAt: sent.Add(10 * time.Millisecond),
		Receipts: []device.Receipt{{BootID: boot, Sequence: seq, Stage: "stored", At: sent.Add(20 * time.Millisecond)}},
	}
}

func onHub(id fleet.DeviceID, boot string, f device.PressFact, request fleet.RequestID) hubapi.Press {
	p := hubapi.Press{
		DeviceID: id, BootID: boot, SequenceID: f.Sequence, DeviceTime: f.DeviceTime, ReceivedAt: f.FirstSentAt.Add(5 * time.Millisecond), RequestID: request,
	}
	if late := p.ReceivedAt.Sub(f.DeviceTime); late > 30*time.Second {
		p.LateByMS = late.Milliseconds()
	}
	return p
}

// allIsWell is evidence of a run that went as it should: a button with boot_id
// pressed twice, one without pressed late, and two watches that raced for the
// first request.
func allIsWell() *Evidence {
	first, second, late := pressed("b1", 1, 0), pressed("b1", 2, 0), pressed("", 1, 2*time.Minute)
	anna := &hubapi.Actor{Kind: fleet.ActorDevice, ID: "watch-1", Name: "Anna"}
	watch := func(id fleet.DeviceID, name string, acts ...string) DeviceEvidence {
		d := DeviceEvidence{Group: "crew", ID: id, Type: fleet.Watch, Name: name, Presence: fleet.Ready}
		d.Facts.Online, d.Facts.Connections = true, 2
		for _, q := range []fleet.RequestID{"r-1", "r-2"} {
			for i, stage := range []fleet.RequestState{fleet.RequestOpen, fleet.RequestAccepted, fleet.RequestCompleted} {
				n := device.NoticeFact{RequestID: q, Version: uint64(i + 1), Stage: stage, At: noon}
				if i > 0 {
					n.TakenBy = "Anna"
				}
				d.Facts.Notices = append(d.Facts.Notices, n)
			}
		}
		for _, a := range acts {
			action, request, _ := strings.Cut(a, " ")
			d.Facts.Actions = append(d.Facts.Actions, device.ActionFact{RequestID: fleet.RequestID(request), Action: action, Version: 1, SentAt: noon, AcknowledgedAt: noon})
		}
		d.Facts.Commands = []device.CommandFact{{ID: "c-1", Name: "locate", Times: 2, Acted: 1, LastAt: noon, ExpiresAt: noon.Add(time.Hour)}}
		return d
	}
	button := func(id fleet.DeviceID, bootIDs bool, presses ...device.PressFact) DeviceEvidence {
		d := DeviceEvidence{Group: "cabins", ID: id, Type: fleet.Button, BootIDs: bootIDs, Presence: fleet.Ready}
		d.Facts = device.Facts{Online: true, Connections: 2, Lamp: device.LampOff, Presses: presses}
		return d
	}
	quarter, low := 25, 8
	one, two := button("btn-1", true, first, second), button("btn-2", false, late)
	one.Presses = []hubapi.Press{onHub("btn-1", "b1", second, "r-1"), onHub("btn-1", "b1", first, "r-1")}
	two.Presses = []hubapi.Press{onHub("btn-2", "hub.1", late, "r-2")}
	one.Facts.Battery, one.Battery, two.Facts.Battery, two.Battery = &quarter, &quarter, &low, &low
	one.Group = "clocks"
	two.Via, two.Presses[0].Via = "rpt-1", "rpt-1"
	two.Facts.BrownOuts, two.Facts.Presses[0].Dup = 3, true
	// A deaf watch, and one whose wearer accepted when it was over.
	deaf := DeviceEvidence{Group: "deaf", ID: "watch-3", Type: fleet.Watch, Presence: fleet.Ready}
	deaf.Facts.Online, deaf.Facts.Connections, deaf.Facts.Ignored = true, 2, 2
	slow := watch("watch-4", "Chloe", "accept r-1")
	slow.Group = "slow"
	slow.Facts.Actions[0].SentAt = noon.Add(time.Minute)
	again := slow.Facts.Notices[2]
	again.At = noon.Add(2 * time.Minute)
	slow.Facts.Notices = append(slow.Facts.Notices, again)
	slow.Facts.Commands = nil
	history := newHistory()
	for _, q := range []hubapi.Request{
		reached("r-1", hubapi.LevelBackup, "watch-1"), reached("r-1", hubapi.LevelDuty, "watch-2"), reached("r-2", hubapi.LevelAll, "watch-1", "watch-2"),
	} {
		history.request(q)
	}
	for i, s := range []fleet.Presence{fleet.Ready, fleet.Late, fleet.Ready} {
		d := hubapi.Device{DeviceID: "btn-2"}
		d.Presence.State, d.Presence.Since = s, noon.Add(time.Duration(i)*time.Minute)
		history.device(d)
	}
	history.Alerts["a-1"] = hubapi.Alert{AlertID: "a-1", Kind: "battery_low", Subject: "btn-2", State: "active", Since: noon.Add(20 * time.Second)}
	return &Evidence{
		History: history, Since: noon, Until: noon.Add(time.Hour), TakenAt: noon.Add(time.Hour),
		Devices: []DeviceEvidence{
			one, two, watch("watch-1", "Anna", "accept r-1", "accept r-2", "complete r-1"), watch("watch-2", "Bram", "accept r-1"),
			deaf, slow,
		},
		Requests: []hubapi.Request{
			{RequestID: "r-1", DeviceID: "btn-1", State: fleet.RequestCompleted, Version: 3, Presses: 2, AcceptedBy: anna, OpenedAt: noon},
			{RequestID: "r-2", DeviceID: "btn-2", State: fleet.RequestCompleted, Version: 3, Presses: 1, AcceptedBy: anna, OpenedAt: noon},
		},
		Commands: []hubapi.Command{
			{CommandID: "c-1", DeviceID: "watch-1", Name: "locate", State: fleet.CommandSucceeded},
			{CommandID: "c-2", DeviceID: "watch-3", Name: "locate", State: fleet.CommandExpired},
			{CommandID: "c-3", DeviceID: "watch-4", Name: "message", State: fleet.CommandExpired, Anomaly: fleet.CommandSucceeded},
		},
		Races: []Race{{RequestID: "r-1", Button: "btn-1", Watches: []fleet.DeviceID{"watch-1", "watch-2"}}},
	}
}

// expectation parses one entry of expect.
func expectation(t *testing.T, text string) Expectation {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	e, err := parseExpectation(n.Content[0], map[string]bool{"all": true, "cabins": true, "crew": true, "deaf": true, "slow": true, "clocks": true})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// Each check is met by evidence of a good run, and is not met when one thing
// in the evidence is wrong; the failure names the device.
func TestChecks_FailWhenTheEvidenceIsWrong(t *testing.T) {
	type ledger = *Evidence
	tested := map[string]bool{}
	for _, c := range []struct {
		check  string
		spoil  func(e ledger)
		device fleet.DeviceID
		found  string
	}{
		{"{check: presses_made, at_least: 3}", func(e ledger) { e.Devices[1].Facts.Presses = nil }, "", "2"},
		{"every_press_stored", func(e ledger) { e.Devices[0].Presses = e.Devices[0].Presses[:1] }, "btn-1", "not on the hub"},
		{"every_press_stored", func(e ledger) {
			e.Devices[1].Presses, e.Devices[1].Facts.Presses[0].AcknowledgedAt = nil, time.Time{}
		}, "btn-2", "not on the hub"},
		{"acknowledged_stored", func(e ledger) { e.Devices[1].Presses = nil }, "btn-2", "acknowledged true"},
		{"stored_once", func(e ledger) {
			twice := e.Devices[0].Presses[0]
			e.Devices[0].Presses = append(e.Devices[0].Presses, twice)
		}, "btn-1", "2 on the hub"},
		{"stored_once", func(e ledger) { // in another epoch, which the hub made
			twice := e.Devices[1].Presses[0]
			twice.BootID = "hub.2"
			e.Devices[1].Presses = append(e.Devices[1].Presses, twice)
		}, "btn-2", "hub.2/1"},
		{"{check: stored_once, repeated: 3}", func(e ledger) { e.Devices[0].Facts.Presses[0].Sent = 1 }, "", "2"},
		{"no_phantom_presses", func(e ledger) {
			e.Devices[0].Presses = append(e.Devices[0].Presses, hubapi.Press{DeviceID: "btn-1", BootID: "b0", SequenceID: 1, ReceivedAt: noon})
		}, "btn-1", "b0/1"},
		{"no_phantom_presses", func(e ledger) { e.Devices[1].Presses[0].SequenceID = 9 }, "btn-2", "hub.1/9"},
		{"no_phantom_presses", func(e ledger) {
			e.Requests = append(e.Requests, hubapi.Request{RequestID: "r-9", DeviceID: "btn-2"})
		}, "btn-2", "r-9"},
		{"every_press_receipted", func(e ledger) { e.Devices[0].Facts.Presses[1].Receipts = nil }, "btn-1", "none"},
		{"receipts_true", func(e ledger) { e.Devices[1].Presses = nil }, "btn-2", "not on the hub"},
		{"receipts_true", func(e ledger) {
			e.Devices[1].Facts.StrayReceipts = []device.Receipt{{BootID: "hub.1", Sequence: 1, Stage: "completed"}}
		}, "btn-2", "hub.1/1"},
		{"{check: lateness, at_least: 1}", func(e ledger) { e.Devices[1].Presses[0].LateByMS = 0 }, "btn-2", "late by 0s"},
		{"{check: lateness, at_least: 1}", func(e ledger) { e.Devices[1].Presses[0].LateByMS = 600_000 }, "btn-2", "late by 10m0s"},
		{"{check: lateness, at_least: 1}", func(e ledger) { e.Devices[0].Presses[0].LateByMS = 40_000 }, "btn-1", "late by 40s"},
		{"{check: lateness, at_least: 1}", func(e ledger) { e.Devices[1].Facts.Presses = nil }, "", "0"},
		{"presses_counted", func(e ledger) { e.Requests[0].Presses = 3 }, "btn-1", "×3"},
		{"{check: requests_per_device, most: 1, least: 1}", func(e ledger) { e.Requests[1].DeviceID = "btn-1" }, "btn-1", "2"},
		{"{check: requests_per_device, most: 1, least: 1, collapsed: 1}", func(e ledger) { e.Requests[0].Presses = 1 }, "", "0"},
		{"{check: requests_per_device, most: 1}", func(e ledger) { e.Devices[1].Facts.Presses = nil }, "btn-2", "1"},
		{"{check: requests_are, state: completed}", func(e ledger) { e.Requests[1].State = fleet.RequestAccepted }, "btn-2", "accepted at version 3"},
		{"one_winner", func(e ledger) { e.Devices[3].Facts.Notices[1].TakenBy = "Bram" }, "watch-2", "taken_by Bram"},
		{"one_winner", func(e ledger) { e.Devices[2].Facts.Actions = nil }, "btn-1", "watch-1, which did not"},
		{"{check: races_decided, races: 1}", func(e ledger) { e.Races[0].Broken = "nobody was told" }, "btn-1", "nobody was told"},
		{"{check: races_decided, races: 1}", func(e ledger) { e.Devices[3].Facts.Notices = nil }, "watch-2", "it was not"},
		{"{check: races_decided, races: 1}", func(e ledger) { e.Devices[3].Facts.Actions = nil }, "watch-2", "it did not"},
		{"{check: races_decided, races: 1}", func(e ledger) { e.Requests[0].AcceptedBy.ID = "watch-9" }, "btn-1", "watch-9"},
		{"{check: races_decided, races: 1}", func(e ledger) { e.Requests[0].AcceptedBy = nil }, "btn-1", "is not"},
		{"{check: races_decided, races: 1}", func(e ledger) { e.Races = nil }, "", "0"},
		{"{check: races_decided, races: 1, within: 50ms}", func(e ledger) {
			e.Devices[3].Facts.Actions[0].SentAt = noon.Add(time.Second)
		}, "", "1"},
		{"{check: watches_told, who: crew}", func(e ledger) { e.Devices[3].Facts.Notices = e.Devices[3].Facts.Notices[3:] }, "watch-2", "it was not"},
		{"{check: watches_told, who: crew}", func(e ledger) { e.Devices[3].Facts.Notices = e.Devices[3].Facts.Notices[:5] }, "watch-2", "accepted at version 2"},
		{"{check: watches_told, known: true}", func(e ledger) { e.Devices[3].Facts.Notices = e.Devices[3].Facts.Notices[:5] }, "watch-2", "accepted at version 2"},
		{"lamps", func(e ledger) { e.Devices[1].Facts.Lamp = device.LampStored }, "btn-2", "stored"},
		{"connected", func(e ledger) { e.Devices[3].Facts.Online = false }, "watch-2", "not connected"},
		{"connected", func(e ledger) { e.Devices[3].Facts.Refused = 1 }, "watch-2", "refused 1 times"},
		{"{check: connected, who: crew, again: true}", func(e ledger) { e.Devices[3].Facts.Connections = 1 }, "watch-2", "1 connection"},
		{"{check: presence, who: all, state: ready}", func(e ledger) { e.Devices[0].Presence = fleet.Lost }, "btn-1", "lost"},
		{"{check: commands, who: crew}", func(e ledger) { e.Commands[0].State = fleet.CommandExpired }, "watch-1", "expired"},
		{"{check: commands, who: crew}", func(e ledger) { e.Commands[0].Anomaly = fleet.CommandFailed }, "watch-1", "failed"},
		{"commands_once", func(e ledger) { e.Devices[2].Facts.Commands[0].Acted = 2 }, "watch-1", "2 times"},
		{"{check: commands, who: deaf, state: expired}", func(e ledger) { e.Commands[1].State = fleet.CommandSucceeded }, "watch-3", "succeeded"},
		{"{check: commands, who: slow, state: expired, anomaly: succeeded}", func(e ledger) { e.Commands[2].Anomaly = "" }, "watch-4", "expired"},
		{"{check: commands, name: locate, who: crew}", func(e ledger) { e.Commands[0].Name = "reset" }, "", "nothing"},
		{"{check: commands_never_came, who: deaf}", func(e ledger) {
			e.Devices[4].Facts.Commands = []device.CommandFact{{ID: "c-2", Times: 1}}
		}, "watch-3", "it came"},
		{"{check: commands_never_came, who: deaf}", func(e ledger) { e.Commands[1].State = fleet.CommandSucceeded }, "", "nothing"},
		{"{check: was_present, who: cabins, state: [ready]}", func(e ledger) { delete(e.History.Presence, "btn-2") }, "btn-2", "[]"},
		{"{check: never_present, who: crew, state: [lost]}", func(e ledger) {
			e.History.Presence["watch-2"] = []PresenceAt{{fleet.Lost, noon}}
		}, "watch-2", "lost since"},
		{"{check: alert, kind: battery_low}", func(e ledger) { clear(e.History.Alerts) }, "", "none"},
		{"{check: alert, kind: battery_low, state: active}", func(e ledger) { e.change("a-1", func(a *hubapi.Alert) { a.State = "cleared" }) }, "", "cleared"},
		{"{check: alert, kind: battery_low, within: 30s}", func(e ledger) {
			e.change("a-1", func(a *hubapi.Alert) { a.Since = noon.Add(time.Minute) })
		}, "", "after 1m0s"},
		{"{check: alert, kind: battery_low, most: 1}", func(e ledger) { e.History.Alerts["a-2"] = e.History.Alerts["a-1"] }, "", "2"},
		{"{check: no_alert, kind: battery_low, who: crew}", func(e ledger) {
			e.change("a-1", func(a *hubapi.Alert) { a.Subject = "watch-1" })
		}, "watch-1", "one since"},
		{"{check: requests_reach, who: all, level: backup}", func(e ledger) { e.History.Requests["r-1"] = Reach{} }, "btn-1", "duty"},
		{"{check: requests_reach, who: all, told: crew}", func(e ledger) { delete(e.History.Requests["r-1"].Told, "watch-2") }, "watch-2", "it does not"},
		{"{check: requests_reach, who: all, unreachable: deaf, why: not subscribed}", func(e ledger) {
			e.History.Requests["r-2"].Missing["watch-3"] = "not connected"
		}, "watch-3", "true not connected"},
		{"{check: requests_reach, who: all, unreachable: deaf}", func(e ledger) { delete(e.History.Requests["r-2"].Missing, "watch-3") }, "watch-3", "false"},
		{"{check: watches_not_told, who: deaf}", func(e ledger) { e.Devices[4].Facts.Notices = e.Devices[3].Facts.Notices[:1] }, "watch-3", "it was"},
		{"{check: late_accepts_refused, who: slow}", func(e ledger) { e.Requests[0].Version = 4 }, "watch-4", "at version 4"},
		{"{check: late_accepts_refused, who: slow}", func(e ledger) { e.Devices[5].Facts.Notices = e.Devices[5].Facts.Notices[:6] }, "watch-4", "it was not"},
		{"{check: late_accepts_refused, who: slow}", func(e ledger) { e.Devices[5].Facts.Actions = nil }, "", "0"},
		{"{check: clocks_ignored, who: clocks}", func(e ledger) { e.Devices[0].Presses[0].LateByMS = 60_000 }, "btn-1", "late by 1m0s"},
		{"{check: clocks_ignored, who: clocks}", func(e ledger) { e.Devices[0].Presses[0].ReceivedAt = time.UnixMilli(0) }, "btn-1", "1970"},
		{"{check: clocks_ignored, who: clocks}", func(e ledger) { e.Requests[0].OpenedAt = noon.AddDate(10, 0, 0) }, "btn-1", "2036"},
		{"{check: relayed, who: cabins}", func(e ledger) { e.Devices[1].Presses[0].Via = "" }, "btn-2", `""`},
		{"{check: relayed, who: cabins}", func(e ledger) { e.Devices[1].Presses[0].Via = "rpt-2" }, "btn-2", `"rpt-2"`},
		{"batteries", func(e ledger) { e.Devices[0].Battery = nil }, "btn-1", "none"},
		{"batteries", func(e ledger) { v := 30; e.Devices[0].Battery = &v }, "btn-1", "30 %"},
		{"{check: batteries, below: 30}", func(e ledger) {
			v := 40
			e.Devices[0].Facts.Battery, e.Devices[0].Battery = &v, &v
		}, "btn-1", "40 %"},
		{"{check: happened, what: brown_outs, at_least: 3}", func(e ledger) { e.Devices[1].Facts.BrownOuts = 2 }, "", "2"},
		{"{check: happened, what: dup_presses, at_least: 1}", func(e ledger) { e.Devices[1].Facts.Presses[0].Dup = false }, "", "0"},
		{"{check: happened, what: ignored_messages, who: deaf, at_least: 2}", func(e ledger) { e.Devices[4].Facts.Ignored = 1 }, "", "1"},
		{"commands_once", func(e ledger) { e.Devices[2].Facts.Commands[0].LastAt = noon.Add(2 * time.Hour) }, "watch-1", "it arrived at"},
	} {
		x := expectation(t, c.check)
		tested[x.Check] = true
		v := judged(x, allIsWell())
		if len(v.Failures) > 0 || v.Looked == 0 {
			t.Errorf("%s: looked at %d and failed on a good run: %v", c.check, v.Looked, v.Failures)
		}
		e := allIsWell()
		c.spoil(e)
		v = judged(x, e)
		if !slices.ContainsFunc(v.Failures, func(f Failure) bool {
			return f.Device == c.device && f.Expected != "" && strings.Contains(f.Found, c.found)
		}) {
			t.Errorf("%s: want a failure of %q with %q, got %v", c.check, c.device, c.found, v.Failures)
		}
	}
	for name := range checks {
		if !tested[name] {
			t.Errorf("check %s is not tested", name)
		}
	}
}

// judged is how a report judges one expectation.
func judged(x Expectation, e *Evidence) Verdict {
	r := Report{}
	r.judge(&Script{Expect: []Expectation{x}}, e)
	return r.Checks[0].Verdict
}

// reached is a request that came to a level, of which these watches know; the
// deaf one does not.
func reached(id fleet.RequestID, level hubapi.Level, told ...fleet.DeviceID) hubapi.Request {
	q := hubapi.Request{RequestID: id, ToldTo: &level}
	for _, w := range told {
		q.Notified.Told = append(q.Notified.Told, hubapi.Watch{DeviceID: w})
	}
	q.Notified.Unreachable = []hubapi.Watch{{DeviceID: "watch-3", Why: "not subscribed"}}
	return q
}

// change changes an alert of the history.
func (e *Evidence) change(id string, fn func(*hubapi.Alert)) {
	a := e.History.Alerts[id]
	fn(&a)
	e.History.Alerts[id] = a
}

func TestReport_ACheckWithNothingToLookAtHasFailed(t *testing.T) {
	s := &Script{Expect: []Expectation{expectation(t, "stored_once")}}
	r := Report{OK: true}
	r.judge(s, &Evidence{})
	if r.OK || r.Checks[0].OK || r.Checks[0].Failures[0].Found != "nothing" {
		t.Fatalf("%+v", r)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "FAILED stored_once") || !strings.Contains(out.String(), "0 of 1 expectations met") {
		t.Fatalf("%v: %s", err, out.String())
	}
}

func TestMatch_TellsPressesWithoutNameOrTimeApartByTheirOrder(t *testing.T) {
	d := DeviceEvidence{ID: "btn-3", Type: fleet.Button}
	for boot := range uint64(2) {
		f := pressed("", 1, 0)
		f.Boot, f.DeviceTime = boot+1, time.Time{}
		d.Facts.Presses = append(d.Facts.Presses, f)
		d.Presses = append(d.Presses, hubapi.Press{SequenceID: 1, BootID: fmt.Sprint("hub.", boot+1), ReceivedAt: noon.Add(time.Duration(boot) * time.Minute)})
	}
	all, phantoms := d.match()
	if len(phantoms) != 0 || len(all) != 2 || len(all[0].hub) != 1 || all[0].hub[0].BootID != "hub.1" || len(all[1].hub) != 1 {
		t.Fatalf("%+v %+v", all, phantoms)
	}
	d.Presses = append(d.Presses, hubapi.Press{SequenceID: 1, BootID: "hub.3", ReceivedAt: noon.Add(time.Hour)})
	if all, phantoms = d.match(); len(phantoms) != 0 || len(all[0].hub)+len(all[1].hub) != 3 {
		t.Fatalf("a third one is one of the two, stored twice: %+v %+v", all, phantoms)
	}
}
