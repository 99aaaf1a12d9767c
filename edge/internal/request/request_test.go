package request_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// tester is *testing.T or *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Error(...any)
	Context() context.Context
}

// desk is call handling over a store in memory, with a clock in the test's
// hand.
type desk struct {
	t     tester
	now   time.Time
	fs    store.FileSystem
	store *store.Store
	*request.Requests
}

func newDesk(t tester) *desk {
	d := &desk{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), fs: store.InMemory()}
	d.open()
	return d
}

func (d *desk) Now() (time.Time, bool) { return d.now, true }

func (d *desk) open() {
	d.t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: d.fs})
	if err != nil {
		d.t.Fatal(err)
	}
	d.store = s
	if d.Requests, err = request.New(request.Config{Store: s, Journal: journal.New(journal.Config{Store: s, Clock: d})}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) close() {
	if err := d.store.Close(); err != nil {
		d.t.Error(err)
	}
}

var button = fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "cabin-1", Profile: "button", Version: 1}

// press presses; the fields of p that are zero get values of a plain press.
func (d *desk) press(p dialect.Press, dup bool) (duplicate bool) {
	d.t.Helper()
	if p.Type == "" {
		p.Type = fleet.PressSingle
	}
	if p.Priority == "" {
		p.Priority = fleet.Normal
	}
	again, err := d.Press(d.t.Context(), request.Incoming{Device: button, Press: p, Dup: dup})
	if err != nil {
		d.t.Fatal(err)
	}
	return again
}

func (d *desk) presses() []fleet.Press {
	d.t.Helper()
	all, err := d.store.PressesOf(button.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func (d *desk) open1() fleet.Request {
	d.t.Helper()
	open, err := d.store.OpenRequests()
	if err != nil || len(open) != 1 {
		d.t.Fatalf("%d requests wait, want 1 (%v)", len(open), err)
	}
	return open[0]
}

func TestPress_ComesAgainAndIsStoredOnce(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	p := dialect.Press{SequenceID: 1, BootID: "b1", At: d.now}
	if d.press(p, false) {
		t.Error("the first one is called a duplicate")
	}
	d.close()
	d.open() // a restart in between changes nothing
	d.now = d.now.Add(time.Hour)
	if !d.press(p, true) {
		t.Error("the second one is not")
	}
	if n := len(d.presses()); n != 1 {
		t.Errorf("%d presses", n)
	}
	if r := d.open1(); r.Presses != 1 {
		t.Errorf("request counts %d presses", r.Presses)
	}
}

// Defect 2 of the product: the counter restarts at boot.
func TestPress_CounterThatRestartsAtBootLosesNothingAndDoublesNothing(t *testing.T) {
	for name, evidence := range map[string]func(*desk){
		"birth with a reset reason": func(d *desk) {
			d.observe(dialect.Telemetry{ResetReason: "power"}, true)
		},
		"uptime goes back": func(d *desk) {
			d.observe(dialect.Telemetry{UptimeS: ptr(9000)}, false)
			d.observe(dialect.Telemetry{UptimeS: ptr(3)}, false)
		},
		"the time in the message only": func(*desk) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			defer d.close()
			for seq := range uint64(5) {
				d.now = d.now.Add(time.Minute)
				p := dialect.Press{SequenceID: seq + 1, At: d.now, Fingerprint: uint64(d.now.Unix())}
				d.press(p, false)
				d.press(p, true) // QoS 1: the PUBACK was lost
			}
			evidence(d)
			for seq := range uint64(3) {
				d.now = d.now.Add(time.Minute)
				p := dialect.Press{SequenceID: seq + 1, At: d.now, Fingerprint: uint64(d.now.Unix())}
				if d.press(p, false) {
					t.Errorf("press %d after the restart was taken for an old one", seq+1)
				}
				if !d.press(p, true) {
					t.Errorf("press %d after the restart was taken twice", seq+1)
				}
			}
			if n := len(d.presses()); n != 8 {
				t.Errorf("%d presses are stored, want 8", n)
			}
		})
	}
}

func TestPress_KeptOverARestartOfItsButtonIsTheSamePress(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	first := dialect.Press{SequenceID: 1, At: d.now, Fingerprint: 11}
	d.press(first, false)
	d.now = d.now.Add(time.Minute)
	d.press(dialect.Press{SequenceID: 2, At: d.now, Fingerprint: 12}, false)
	d.observe(dialect.Telemetry{ResetReason: "power"}, true)
	d.now = d.now.Add(time.Minute)
	if !d.press(dialect.Press{SequenceID: 2, At: d.now.Add(-time.Minute), Fingerprint: 12}, false) {
		t.Error("the press that the button sends again after its restart is a second one")
	}
	if n := len(d.presses()); n != 2 {
		t.Errorf("%d presses are stored, want 2", n)
	}
}

// Whatever a firmware with boot_id does, each of its presses is there once.
func TestPress_WithBootIDIsStoredExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk(t)
		defer d.close()
		boot, seq := 1, uint64(0)
		sent := map[string]dialect.Press{}
		var order []string
		t.Repeat(map[string]func(*rapid.T){
			"press": func(t *rapid.T) {
				seq++
				p := dialect.Press{SequenceID: seq, BootID: fmt.Sprint("b", boot), At: d.now}
				key := fmt.Sprint(boot, "/", seq)
				sent[key] = p
				order = append(order, key)
				d.press(p, false)
			},
			"send again": func(t *rapid.T) {
				if len(order) > 0 {
					d.press(sent[rapid.SampledFrom(order).Draw(t, "which")], rapid.Bool().Draw(t, "dup"))
				}
			},
			"restart of the button": func(*rapid.T) { boot, seq = boot+1, 0 },
			"restart of the hub": func(*rapid.T) {
				d.close()
				d.open()
			},
			"time passes": func(t *rapid.T) {
				d.now = d.now.Add(time.Duration(rapid.IntRange(1, 3600).Draw(t, "s")) * time.Second)
			},
		})
		if got := len(d.presses()); got != len(sent) {
			t.Fatalf("%d presses are stored, %d were made", got, len(sent))
		}
	})
}

func TestPress_LateOneSaysHowLateAndAnAbsurdClockSaysNothing(t *testing.T) {
	for name, c := range map[string]struct {
		at   time.Duration
		want time.Duration
	}{
		"in time":              {-2 * time.Second, 0},
		"ten minutes late":     {-10 * time.Minute, 10 * time.Minute},
		"clock ahead":          {time.Hour, 0},
		"clock at 1970":        {-56 * 365 * 24 * time.Hour, 0},
		"a week and a day":     {-8 * 24 * time.Hour, 0},
		"just worth a mention": {-31 * time.Second, 31 * time.Second},
	} {
		d := newDesk(t)
		d.press(dialect.Press{SequenceID: 1, BootID: "b", At: d.now.Add(c.at)}, false)
		if got := d.presses()[0].LateBy; got != c.want {
			t.Errorf("%s: late by %s, want %s", name, got, c.want)
		}
		d.close()
	}
}

// Defect 5 of the product: two watches accept; the last one wins.
func TestTake_OfTwoWhoAcceptAtOnceOneWinsAndTheOtherLearnsWho(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	for i := range 200 {
		d.now = d.now.Add(time.Hour)
		d.press(dialect.Press{SequenceID: uint64(i + 1), BootID: "b"}, false)
		r := d.open1()
		var both sync.WaitGroup
		errs := make([]error, 2)
		for n := range errs {
			both.Go(func() {
				by := fleet.Actor{Kind: fleet.ActorUser, ID: fmt.Sprint("user-", n)}
				_, errs[n] = d.Take(t.Context(), by, request.Step{Request: r.ID, Version: r.Version, To: fleet.RequestAccepted})
			})
		}
		both.Wait()
		loser := errs[0]
		if errs[0] == nil {
			loser = errs[1]
		}
		var conflict *request.Conflict
		if (errs[0] == nil) == (errs[1] == nil) || !errors.As(loser, &conflict) || conflict.Request.AcceptedBy == nil {
			t.Fatalf("round %d: %v, %v", i, errs[0], errs[1])
		}
		now := d.open1()
		if now.Version != 2 || !now.AcceptedBy.Same(*conflict.Request.AcceptedBy) {
			t.Fatalf("round %d: %+v", i, now)
		}
		if _, err := d.Take(t.Context(), *now.AcceptedBy, request.Step{Request: r.ID, Version: 2, To: fleet.RequestCompleted}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTake_ButtonIsOwedAReceiptOfEachStage(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	d.press(dialect.Press{SequenceID: 1, BootID: "b"}, false)
	stage := func(want store.Stage) {
		t.Helper()
		owed, err := d.store.Receipts()
		if err != nil || len(owed) != 1 || owed[0].Stage != want {
			t.Errorf("owed %v (%v), want %s", owed, err, want)
		}
	}
	stage(store.StageStored)
	by := fleet.Actor{Kind: fleet.ActorUser, ID: "u"}
	id := d.open1().ID
	for _, s := range []struct {
		to    fleet.RequestState
		stage store.Stage
	}{{fleet.RequestAccepted, store.StageAccepted}, {fleet.RequestCompleted, store.StageCompleted}} {
		r, _, err := fleet.Get[fleet.Request](d.store, fleet.RequestRef(id))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Take(t.Context(), by, request.Step{Request: id, Version: r.Version, To: s.to}); err != nil {
			t.Fatal(err)
		}
		stage(s.stage)
	}
}

func (d *desk) observe(t dialect.Telemetry, first bool) {
	d.t.Helper()
	if err := d.Observe(d.t.Context(), button.ID, t, first); err != nil {
		d.t.Fatal(err)
	}
}

func ptr(n int64) *int64 { return &n }

func TestTake_ButtonThatHasRestartedIsToldNothingOfAPressItDoesNotKnow(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	d.press(dialect.Press{SequenceID: 4, At: d.now, Fingerprint: 4}, false) // firmware without boot_id
	r := d.open1()
	d.observe(dialect.Telemetry{ResetReason: "power"}, true)
	if _, err := d.Take(t.Context(), fleet.Actor{Kind: fleet.ActorUser, ID: "u"}, request.Step{Request: r.ID, Version: 1, To: fleet.RequestAccepted}); err != nil {
		t.Fatal(err)
	}
	owed, err := d.store.Receipts()
	if err != nil || len(owed) != 1 || owed[0].Stage != store.StageStored || !owed[0].HubMade {
		t.Errorf("owed %+v, %v", owed, err)
	}
}

func TestObserve_OneRestartOpensOneEpoch(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	d.observe(dialect.Telemetry{UptimeS: ptr(9000)}, false)
	d.press(dialect.Press{SequenceID: 7, At: d.now, Fingerprint: 7}, false)
	d.observe(dialect.Telemetry{ResetReason: "power"}, true)
	d.press(dialect.Press{SequenceID: 1, At: d.now.Add(time.Second), Fingerprint: 1}, false)
	d.observe(dialect.Telemetry{UptimeS: ptr(5)}, false)
	c, _, err := fleet.Get[fleet.PressCursor](d.store, fleet.PressCursorRef(button.ID))
	if err != nil || c.Epochs != 2 || c.LastSeq != 1 {
		t.Errorf("cursor %+v, %v", c, err)
	}
}

func TestPress_SentAgainAfterTheButtonHasPressedOnWithANewCounterIsTheSamePress(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	lost := dialect.Press{SequenceID: 4, At: d.now, Fingerprint: 44}
	d.press(lost, false)
	for boot := range 3 {
		d.observe(dialect.Telemetry{ResetReason: "power"}, true)
		for seq := range uint64(5) {
			d.now = d.now.Add(time.Minute)
			d.press(dialect.Press{SequenceID: seq + 1, At: d.now, Fingerprint: uint64(100*boot) + seq}, false)
		}
	}
	if !d.press(lost, false) {
		t.Error("the press is a second one")
	}
	if n := len(d.presses()); n != 16 {
		t.Errorf("%d presses are stored, want 16", n)
	}
}
