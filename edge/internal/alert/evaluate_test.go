package alert

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// world is an evaluation with its alerts, as the journal would keep them.
type world struct {
	*testing.T
	rules
	state    State
	standing map[key]fleet.Alert
	ended    []fleet.Alert
	up       time.Duration
	made     int
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, standing: map[key]fleet.Alert{}}
	w.rules = rules{table: Conditions(), group: 5, updateEvery: 15 * time.Minute, flapHold: time.Hour, newID: func(at time.Time) fleet.AlertID {
		w.made++
		return fleet.NewUUID[fleet.AlertID](at)
	}}
	return w
}

func (w *world) now() moment { return moment{noon.Add(w.up), w.up} }

// after lets time pass, and evaluates e.
func (w *world) after(d time.Duration, e Evidence) []fleet.Alert {
	w.Helper()
	w.up += d
	next, changes := w.evaluate(w.state, w.standing, e, w.now())
	w.state = next
	for _, a := range changes {
		w.keep(a)
	}
	return changes
}

func (w *world) keep(a fleet.Alert) {
	w.Helper()
	if err := a.Check(); err != nil {
		w.Fatal(err)
	}
	k := key{a.Kind, a.Subject}
	if before, ok := w.standing[k]; ok && (before.ID != a.ID || before.Version+1 != a.Version) || !ok && a.Version != 1 {
		w.Fatalf("%+v follows %+v", a, before)
	}
	if w.standing[k] = a; a.State.Ended() {
		w.ended = append(w.ended, a)
		delete(w.standing, k)
	}
}

func (w *world) acknowledge(kind fleet.AlertKind, subject string) {
	w.Helper()
	a, err := w.standing[key{kind, subject}].Acknowledge(fleet.Actor{Kind: fleet.ActorUser, ID: "u"}, w.now().at)
	if err != nil {
		w.Fatal(err)
	}
	w.keep(a)
}

// restart forgets what is in memory only.
func (w *world) restart() { w.state = nil }

// is reports the state of an alert; "" for none that stands.
func (w *world) is(kind fleet.AlertKind, subject string) fleet.AlertState {
	return w.standing[key{kind, subject}].State
}

func (w *world) want(kind fleet.AlertKind, subject string, want fleet.AlertState) {
	w.Helper()
	if got := w.is(kind, subject); got != want {
		w.Errorf("%s of %q is %q, want %q", kind, subject, got, want)
	}
}

func battery(percent float64) Evidence {
	return Evidence{BatteryLow: {{Subject: "btn-1", Value: &percent}}}
}

func TestEvaluate_NumbersHaveDelaysAndHysteresis(t *testing.T) {
	w := newWorld(t)
	w.after(0, battery(14))
	w.after(9*time.Minute, battery(14))
	w.want(BatteryLow, "btn-1", "")
	w.after(time.Minute, battery(14))
	w.want(BatteryLow, "btn-1", fleet.AlertActive)
	if a := w.standing[key{BatteryLow, "btn-1"}]; !a.Since.Equal(noon) || a.Detail["value"] != "14 %" || a.Detail["limit"] != "15 %" {
		t.Errorf("%+v", a)
	}
	// Better, and not yet good.
	w.after(time.Hour, battery(20))
	w.after(time.Hour, battery(20))
	w.want(BatteryLow, "btn-1", fleet.AlertActive)
	w.after(time.Minute, battery(25))
	w.after(9*time.Minute, battery(25))
	w.want(BatteryLow, "btn-1", fleet.AlertActive)
	w.after(time.Minute, battery(25))
	w.want(BatteryLow, "btn-1", fleet.AlertRectified)
	w.acknowledge(BatteryLow, "btn-1")
	w.want(BatteryLow, "btn-1", "")
}

func TestEvaluate_WhatIsNotKnownIsNeverGood(t *testing.T) {
	w := newWorld(t)
	w.after(0, battery(5))
	w.after(time.Hour, battery(5))
	for range 3 {
		w.after(time.Hour, Evidence{})
		w.after(time.Hour, Evidence{BatteryLow: {{Subject: "btn-1"}}})
	}
	w.want(BatteryLow, "btn-1", fleet.AlertActive)
	// It was removed.
	w.after(time.Hour, Evidence{BatteryLow: {}})
	w.after(time.Hour, Evidence{BatteryLow: {}})
	w.want(BatteryLow, "btn-1", fleet.AlertRectified)
}

func TestEvaluate_UnacknowledgedSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	w.after(0, battery(5))
	w.after(time.Hour, battery(5))
	made := w.made
	w.restart()
	for _, e := range []Evidence{{}, battery(5), battery(20)} {
		if changes := w.after(time.Second, e); len(changes) > 0 {
			t.Errorf("after the restart: %+v", changes)
		}
	}
	w.want(BatteryLow, "btn-1", fleet.AlertActive)
	w.after(time.Second, battery(90))
	w.after(time.Hour, battery(90))
	w.want(BatteryLow, "btn-1", fleet.AlertRectified)
	w.restart()
	w.after(time.Hour, battery(90))
	w.want(BatteryLow, "btn-1", fleet.AlertRectified)
	if w.made != made {
		t.Errorf("%d alerts about one battery", w.made)
	}
}

func TestEvaluate_OneThatComesAndGoesIsOneAlertWithACount(t *testing.T) {
	w := newWorld(t)
	unsure := func(is bool) Evidence { return Evidence{ClockUntrusted: {{Truth: truth(is)}}} }
	w.after(0, unsure(true))
	w.after(10*time.Minute, unsure(true))
	for range 20 {
		w.after(5*time.Second, unsure(false))
		w.after(5*time.Second, unsure(true))
	}
	w.after(20*time.Minute, unsure(true))
	if a := w.standing[key{kind: ClockUntrusted}]; w.made != 1 || a.State != fleet.AlertActive || a.Occurrences != 21 {
		t.Fatalf("%d alerts, %+v", w.made, a)
	}
	// It has come so often that its being gone is not believed soon.
	w.after(0, unsure(false))
	w.after(3*time.Minute, unsure(false))
	w.want(ClockUntrusted, "", fleet.AlertActive)
	w.after(time.Hour, unsure(false))
	w.want(ClockUntrusted, "", fleet.AlertRectified)
	// It comes again before anybody has seen it.
	w.after(0, unsure(true))
	w.after(10*time.Minute, unsure(true))
	if a := w.standing[key{kind: ClockUntrusted}]; w.made != 1 || a.State != fleet.AlertActive || a.Occurrences != 22 {
		t.Errorf("%d alerts, %+v", w.made, a)
	}
}

func TestEvaluate_SilencedComesBackWhenItsTimeIsOver(t *testing.T) {
	w := newWorld(t)
	bad := Evidence{StorageFailing: {{Truth: Yes}}}
	w.after(0, bad)
	quiet, err := w.standing[key{kind: StorageFailing}].Silence(w.now().at.Add(time.Hour), w.now().at)
	if err != nil {
		t.Fatal(err)
	}
	w.keep(quiet)
	w.after(59*time.Minute, bad)
	w.want(StorageFailing, "", fleet.AlertSilenced)
	w.after(time.Minute, bad)
	w.want(StorageFailing, "", fleet.AlertActive)
}

func TestEvaluate_WhatGetsWorseIsHeardAgain(t *testing.T) {
	w := newWorld(t)
	disk := func(s fleet.AlertSeverity) Evidence {
		return Evidence{DiskLow: {{Truth: truth(s != ""), Severity: s, Detail: map[string]string{"level": "x"}}}}
	}
	w.after(0, disk(fleet.AlertWarning))
	w.after(time.Minute, disk(fleet.AlertWarning))
	w.acknowledge(DiskLow, "")
	w.after(time.Minute, disk(fleet.AlertCritical))
	w.want(DiskLow, "", fleet.AlertActive)
	w.acknowledge(DiskLow, "")
	w.after(time.Minute, disk(fleet.AlertWarning))
	w.want(DiskLow, "", fleet.AlertAcknowledged)
	if a := w.standing[key{kind: DiskLow}]; a.Severity != fleet.AlertWarning {
		t.Errorf("%+v", a)
	}
}

// gone is evidence that so many of 1,000 devices are lost.
func gone(n int) Evidence {
	rs := make([]Reading, 1000)
	for i := range rs {
		rs[i] = Reading{Subject: fmt.Sprintf("btn-%04d", i), Room: fleet.RoomID(fmt.Sprintf("cabin-%d", i%20)), Truth: truth(i < n)}
	}
	return Evidence{DeviceLost: rs}
}

func TestEvaluate_ABlackoutIsOneAlertThatRingsOnce(t *testing.T) {
	w := newWorld(t)
	w.after(0, gone(3))
	w.after(time.Minute, gone(3))
	if w.made != 3 {
		t.Fatalf("%d alerts for three devices", w.made)
	}
	w.after(time.Second, gone(1000))
	w.after(time.Minute, gone(1000))
	a := w.standing[key{kind: DevicesMissing}]
	if w.made != 4 || a.State != fleet.AlertActive || a.Count != 997 || len(a.Members) != fleet.MaxAlertMembers || a.Detail["rooms"] == "" {
		t.Fatalf("%d alerts; %+v", w.made, a)
	}
	w.acknowledge(DevicesMissing, "")
	// They come back one by one; nothing rings for the last ones.
	for n := 990; n > 3; n -= 10 {
		w.after(time.Minute, gone(n))
	}
	w.after(time.Minute, gone(4))
	w.after(5*time.Minute, gone(4))
	if a := w.standing[key{kind: DevicesMissing}]; w.made != 4 || a.Count != 1 || a.State != fleet.AlertAcknowledged {
		t.Fatalf("%d alerts; %+v", w.made, a)
	}
	w.restart()
	w.after(time.Minute, gone(4))
	w.after(time.Minute, gone(4))
	if w.made != 4 {
		t.Errorf("a restart made %d alerts more", w.made-4)
	}
	w.after(time.Minute, gone(3))
	w.after(5*time.Minute, gone(3))
	w.want(DevicesMissing, "", "")
	w.want(DeviceLost, "btn-0000", fleet.AlertActive)
}

func TestEvaluate_AWaveThatGrowsIsHeardAgain(t *testing.T) {
	w := newWorld(t)
	w.after(0, gone(10))
	w.after(time.Minute, gone(10))
	w.acknowledge(DevicesMissing, "")
	w.after(time.Minute, gone(19))
	w.after(time.Minute, gone(19))
	w.want(DevicesMissing, "", fleet.AlertAcknowledged)
	w.after(time.Minute, gone(20))
	w.after(time.Minute, gone(20))
	w.want(DevicesMissing, "", fleet.AlertActive)
}

func TestEvaluate_ALowBatteryWaveIsOneAlert(t *testing.T) {
	w := newWorld(t)
	e := Evidence{}
	for i := range 200 {
		v := float64(10 + i%3)
		e[BatteryLow] = append(e[BatteryLow], Reading{Subject: fmt.Sprintf("btn-%d", i), Value: &v})
	}
	w.after(0, e)
	w.after(10*time.Minute, e)
	if a := w.standing[key{kind: BatteriesLow}]; w.made != 1 || a.Count != 200 {
		t.Errorf("%d alerts; %+v", w.made, a)
	}
}

// The invariants, over random evidence, acknowledgements, silences and restarts.
func TestEvaluate_Properties(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		held := map[key]time.Duration{} // since when the evidence says yes, without a no
		for range 400 {
			e := Evidence{}
			if rng.IntN(10) > 0 {
				many := rng.IntN(4) == 0
				for i := range 30 {
					r := Reading{Subject: fmt.Sprintf("d-%02d", i), Truth: truth(many && rng.IntN(3) > 0 || rng.IntN(12) == 0)}
					if rng.IntN(20) == 0 {
						r.Truth = Unknown
					}
					k := key{DeviceLost, r.Subject}
					if r.Truth == No {
						delete(held, k)
					}
					e[DeviceLost] = append(e[DeviceLost], r)
				}
			}
			step := time.Duration(rng.IntN(90)) * time.Second
			for _, r := range e[DeviceLost] {
				if k := (key{DeviceLost, r.Subject}); r.Truth == Yes {
					if _, ok := held[k]; !ok {
						held[k] = w.up + step
					}
				}
			}
			for _, a := range w.after(step, e) {
				k := key{a.Kind, a.Subject}
				since, yes := held[k]
				if a.Version == 1 && a.Kind == DeviceLost && (!yes || w.up-since < time.Minute) {
					t.Fatalf("seed %d: raised before its delay was over: %+v", seed, a)
				}
				if a.State == fleet.AlertCleared && a.AcknowledgedBy == nil {
					t.Fatalf("seed %d: over, and nobody has seen it: %+v", seed, a)
				}
			}
			if changes := w.after(0, e); len(changes) > 0 {
				t.Fatalf("seed %d: the same evidence at the same time changes %+v", seed, changes)
			}
			alone := 0
			for k, a := range w.standing {
				if k.kind == DeviceLost && a.State.Holds() {
					alone++
				}
			}
			if alone > w.group {
				t.Fatalf("seed %d: %d single alerts", seed, alone)
			}
			for k, a := range w.standing {
				switch rng.IntN(40) {
				case 0:
					if a.State != fleet.AlertAcknowledged {
						w.acknowledge(k.kind, k.subject)
					}
				case 1:
					if a.State.Holds() {
						quiet, err := a.Silence(w.now().at.Add(time.Hour), w.now().at)
						if err != nil {
							t.Fatal(err)
						}
						w.keep(quiet)
					}
				}
			}
			if rng.IntN(50) == 0 {
				w.restart()
				before := len(w.standing)
				if changes := w.after(0, Evidence{}); len(w.standing) != before {
					t.Fatalf("seed %d: a restart changed %+v", seed, changes)
				}
				clear(held)
			}
		}
	}
}

// What a round costs on a site of 1,000 devices, all of them lost.
func BenchmarkEvaluate_Blackout(b *testing.B) {
	r := rules{table: Conditions(), group: 5, updateEvery: time.Minute, flapHold: time.Hour, newID: fleet.NewUUID[fleet.AlertID]}
	e, state, standing := gone(1000), State(nil), map[key]fleet.Alert{}
	up := time.Duration(0)
	for b.Loop() {
		up += 5 * time.Second
		next, changes := r.evaluate(state, standing, e, moment{noon.Add(up), up})
		state = next
		for _, a := range changes {
			standing[key{a.Kind, a.Subject}] = a
		}
	}
}
