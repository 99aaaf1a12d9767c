package lane_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
)

// check is what holds at any moment, whatever happened.
func (w *world) check(t *rapid.T) {
	e, _ := w.shore.held.Epoch()
	life := w.hub.epoch
	if w.hub.life != "" {
		life = w.hub.life
	}
	if e != life {
		return // the hub has begun a life that the console has not heard of
	}
	for _, l := range fleet.LogLanes() {
		// 3. What is held of a log lane is a prefix of it, or has a gap record.
		var last fleet.Seq
		w.must(w.shore.held.RecordsOf(e, l, 0, func(n fleet.Seq, b []byte) bool {
			same := int(n) <= len(w.hub.lanes[l]) && string(b) == string(w.hub.lanes[l][n-1])
			if !same && !w.lost {
				t.Fatalf("3: lane %s: record %d is not what the hub has", l, n)
			}
			if last != 0 && n != last+1 && !w.gap(e, l, last+1, n-1) {
				t.Fatalf("3: lane %s: record %d follows %d without a gap record", l, n, last)
			}
			last = n
			return true
		}))
		// 4. The position speaks of what is stored.
		p, _ := w.shore.held.Position(l)
		if last > p.Seq {
			t.Fatalf("4: lane %s: record %d is held, the position is %d", l, last, p.Seq)
		}
	}
}

func (w *world) gap(e fleet.Epoch, l fleet.Lane, from, to fleet.Seq) bool {
	for n := from; n <= to; n++ {
		if !slices.ContainsFunc(w.shore.held.Gaps(), func(g lane.Gap) bool {
			return g.Epoch == e && g.Lane == l && g.From <= n && n <= g.To
		}) {
			return false
		}
	}
	return true
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

// same compares both folds, but for the audit: it is not given back, and after
// a restore both ends have a history of their own, which is shown.
func (w *world) same(t *rapid.T) {
	fold := func(m *fleettest.Memory) map[fleet.Ref]string {
		out := map[fleet.Ref]string{}
		for ref, b := range m.All() {
			if fleet.Restatable(ref.Kind) {
				out[ref] = string(b)
			}
		}
		return out
	}
	if d := cmp.Diff(fold(w.hub.fold), fold(w.shore.held)); d != "" {
		t.Fatalf("6: the folds differ (-hub +console):\n%s", d)
	}
	for id, s := range w.hub.states {
		if d := cmp.Diff(s, w.shore.held.States()[id]); d != "" {
			t.Fatalf("6: state of %s (-hub +console):\n%s", id, d)
		}
	}
}

// usual are the things that happen without anybody restoring anything.
func (w *world) usual() map[string]func(*rapid.T) {
	device := rapid.SampledFrom([]fleet.DeviceID{"d1", "d2", "d3", "d4", "d5"})
	return map[string]func(*rapid.T){
		"":                                 w.check,
		"append":                           func(*rapid.T) { w.happen() },
		"touch":                            func(t *rapid.T) { w.hub.touch(device.Draw(t, "device"), rapid.IntRange(0, 100).Draw(t, "battery")) },
		"order":                            func(*rapid.T) { w.order() },
		"sync":                             func(*rapid.T) { w.sync("") },
		"lose request":                     func(*rapid.T) { w.sync("request") },
		"lose answer":                      func(*rapid.T) { w.sync("answer") },
		"crash of the hub before it saves": func(*rapid.T) { w.sync("crash"); w.boot() },
		"crash of the hub":                 func(*rapid.T) { w.boot() },
		"crash of the console":             func(*rapid.T) { w.shore.ticket = "" },
		"stray request arrives": func(t *rapid.T) {
			if len(w.stray) > 0 {
				// Duplicate and out of order; its answer goes nowhere.
				_, _, _ = w.shore.push(w.stray[rapid.IntRange(0, len(w.stray)-1).Draw(t, "which")])
			}
		},
		"stray request of the open session arrives": func(t *rapid.T) {
			if len(w.stray) > 0 {
				p := w.stray[rapid.IntRange(0, len(w.stray)-1).Draw(t, "which")]
				p.Ticket = []byte(w.shore.ticket)
				if _, _, err := w.shore.push(p); err != nil && !errors.Is(err, lane.ErrTicket) && !errors.Is(err, lane.ErrDiverged) {
					t.Fatalf("stray: %v", err)
				}
			}
		},
	}
}

// TestSync_FoldsBecomeEqualWhateverTheLinkAndTheCrashesDo is invariants 1 to 7
// without a restore: nothing is lost, nothing twice, and nothing is set aside.
func TestSync_FoldsBecomeEqualWhateverTheLinkAndTheCrashesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.usual())
		w.settle()
		w.check(t)
		w.same(t)
		if d := cmp.Diff(w.hub.fold.Digest(), w.shore.held.Digest()); d != "" {
			t.Fatalf("6: the audits differ:\n%s", d)
		}
		for id := 1; id <= w.made; id++ {
			if w.ran[id] != 1 {
				t.Fatalf("8: order %d was done %d times", id, w.ran[id])
			}
		}
		if n := len(w.shore.held.DeadLetters()); n > 0 {
			t.Fatalf("%d records were set aside", n)
		}
	})
}

// TestSync_AfterAnyRestoreOfEitherEndFoldsBecomeEqualAndNothingIsDoneAgain is
// invariants 1 to 8 and 16 with everything that can be put back.
func TestSync_AfterAnyRestoreOfEitherEndFoldsBecomeEqualAndNothingIsDoneAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		disks, backups := []*hub{w.hub.clone()}, []*console{w.shore.clone()}
		actions := w.usual()
		// With the ticket of another life no push comes.
		delete(actions, "stray request of the open session arrives")
		actions["image of the hub's disk"] = func(*rapid.T) { disks = append(disks, w.hub.clone()) }
		actions["backup of the console"] = func(*rapid.T) { backups = append(backups, w.shore.clone()) }
		actions["hub restored"] = func(t *rapid.T) {
			w.restoreHub(disks[rapid.IntRange(0, len(disks)-1).Draw(t, "image")], rapid.Bool().Draw(t, "told"))
		}
		actions["console restored"] = func(t *rapid.T) {
			w.restoreConsole(backups[rapid.IntRange(0, len(backups)-1).Draw(t, "backup")])
		}
		actions["hub drops old records"] = func(t *rapid.T) { w.drop(t, false) }
		actions["hub drops records that nobody has"] = func(t *rapid.T) { w.drop(t, true) }
		t.Repeat(actions)
		w.settle()
		w.check(t)
		w.same(t)
	})
}

// drop drops the oldest records of a lane: those that were acknowledged, or
// others too.
func (w *world) drop(t *rapid.T, others bool) {
	l := rapid.SampledFrom(fleet.LogLanes()).Draw(t, "lane")
	most := len(w.hub.lanes[l])
	if !others {
		most = min(most, int(w.hub.saved.Acked[l]))
	}
	if most > w.hub.base[l] {
		w.hub.base[l] = rapid.IntRange(w.hub.base[l], most).Draw(t, "base")
	}
	w.boot() // it is done in the session's own goroutine, or before it
}

// TestSync_16_ACloneIsFencedAtOnceAndItsCallsStillComeThrough is invariant 16.
func TestSync_16_ACloneIsFencedAndItsCallsStillComeThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range 10 {
			w.happen()
		}
		w.settle()
		twin := &world{t: t, story: fleettest.NewStory(7), hub: w.hub.clone(), shore: w.shore, lives: 100, boots: 100, ran: map[int]int{}}
		twin.story.GoOn(twin.hub.fold, "twin")
		twin.boot()
		w.happen()
		for range 12 {
			twin.once()
			w.once()
		}
		seen, _ := w.shore.held.Seen()
		if !seen.Fenced {
			t.Fatal("16: two hubs with one identity are not told apart")
		}
		before := len(w.shore.held.States())
		var presses []fleet.PressKey
		for _, h := range []*world{w, twin} {
			press := fleet.Pressed{Press: fleet.Press{
				PressKey: fleet.PressKey{Device: "button-900", BootID: h.send.Saved().ConsoleID, SequenceID: uint64(h.boots)},
				Request:  fleet.NewUUID[fleet.RequestID](time.Now()), Type: fleet.PressLong, Priority: fleet.Emergency, ReceivedAt: time.UnixMilli(1),
			}, Opens: true, Room: "cabin-1"}
			h.append(press)
			presses = append(presses, press.PressKey)
			h.hub.touch("d1", 50)
			for range 6 {
				h.once()
			}
			if _, found, _ := fleet.Get[fleet.Press](w.shore.held, press.PressKey.Ref()); !found {
				t.Fatal("10: an emergency of a fenced hub has not come ashore")
			}
		}
		if len(w.shore.held.States()) != before {
			t.Fatal("16: a fenced hub has changed states")
		}

		// A person says which of the two it is, whichever has spoken last: that one
		// gets what the other one told.
		stays := w
		if rapid.Bool().Draw(t, "the other one stays") {
			stays = twin
		}
		w.shore.hub = "enrolled anew"
		for range 12 {
			stays.once()
		}
		for _, press := range presses {
			if _, found, _ := fleet.Get[fleet.Press](stays.hub.fold, press.Ref()); !found {
				t.Fatal("the hub that stays has not got what the other one told")
			}
		}
	})
}

// once is what a hub does when its pause is over.
func (w *world) once() {
	if w.send.Fenced() {
		w.send.Close()
	}
	w.sync("")
	w.sync("")
}

func (w *world) append(body fleet.Body) {
	r := fleet.Record{At: time.UnixMilli(1), Actor: fleet.System("test"), Body: body}
	b, err := wireRecord(r)
	w.must(err)
	changes, err := fleet.Apply(w.hub.fold, r)
	w.must(err)
	for _, c := range changes {
		w.must(w.hub.fold.PutEntity(c.After))
	}
	w.hub.append(body.Lane(), b)
}
