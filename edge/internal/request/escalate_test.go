package request_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// watch is a hub's call handling under the bubble's clock, whose crew is in the
// test's hand.
type watch struct {
	*desk
	stop func()

	skew time.Duration // of the hub's clock, against the machine's running one

	mu        sync.Mutex
	standings map[fleet.Recipients]request.Standing
	all       request.Standing // where standings says nothing
}

func newWatch(t *testing.T) *watch {
	w := &watch{desk: &desk{t: t, fs: store.InMemory()}, standings: map[fleet.Recipients]request.Standing{}}
	w.all = request.Standing{People: 2, Reachable: 2}
	w.start()
	return w
}

func (w *watch) Now() (time.Time, bool) { return time.Now().Add(w.skew), true }

func (w *watch) start() {
	s, err := store.Open(store.Config{Dir: "hub", FS: w.fs})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = s
	w.Requests, err = request.New(request.Config{
		Store: s, Journal: journal.New(journal.Config{Store: s, Clock: w}),
		Told: func(_ fleet.Request, to fleet.Recipients) request.Standing {
			w.mu.Lock()
			defer w.mu.Unlock()
			if v, ok := w.standings[to]; ok {
				return v
			}
			return w.all
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *watch) set(to fleet.Recipients, s request.Standing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.standings[to] = s
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *watch) call(p fleet.Priority) fleet.RequestID {
	w.t.Helper()
	r, err := w.Open(w.t.Context(), mila, request.ByHand{Room: "cabin-1", Priority: p})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.ID
}

func (w *watch) get(id fleet.RequestID) fleet.Request {
	w.t.Helper()
	r, found, err := fleet.Get[fleet.Request](w.store, fleet.RequestRef(id))
	if err != nil || !found {
		w.t.Fatal(found, err)
	}
	return r
}

func (w *watch) room() {
	w.t.Helper()
	j := journal.New(journal.Config{Store: w.store, Clock: w})
	err := j.Do(w.t.Context(), func(tx *journal.Tx) error {
		return tx.Append(mila, fleet.RoomChanged{Room: fleet.Room{ID: "cabin-1", Name: "Cabin 1", Version: 1}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

var (
	mila = fleet.Actor{Kind: fleet.ActorUser, ID: "u-mila", PersonID: "mila", Name: "Mila"}
	ante = fleet.Actor{Kind: fleet.ActorDevice, ID: "watch-2", PersonID: "ante", Name: "Ante"}
)

func inWatch(t *testing.T, fn func(t *testing.T, w *watch)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatch(t)
		defer func() { w.stop() }()
		w.room()
		after(time.Minute) // past the grace of a start
		fn(t, w)
	})
}

func TestEscalation_GoesFromDutyToBackupToLeadToAllAndIsMissedAtLast(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		for _, want := range []fleet.Recipients{fleet.ToDuty, fleet.ToBackup, fleet.ToLead, fleet.ToAll} {
			if got := w.Recipients(w.get(id)); got != want {
				t.Errorf("told to %s, want %s", got, want)
			}
			after(2*time.Minute + 2*time.Second)
		}
		after(time.Hour)
		r := w.get(id)
		if r.State != fleet.RequestMissed || r.EndedBy.Kind != fleet.ActorSystem {
			t.Errorf("an hour after everybody was told it is %s by %+v", r.State, r.EndedBy)
		}
		var events []fleet.RequestEvent
		for _, s := range r.Steps {
			events = append(events, s.Event)
		}
		want := []fleet.RequestEvent{fleet.EventOpened, fleet.EventEscalated, fleet.EventEscalated, fleet.EventEscalated, fleet.EventMissed}
		if !slices.Equal(events, want) {
			t.Errorf("its history is %v", events)
		}
	})
}

func TestEscalation_EndsWithTheAcceptAndNeverTakesItFromWhoWasFirst(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		seen := w.get(id).Version
		after(3 * time.Minute) // the request escalates while Mila looks at it
		if w.get(id).Level == 0 {
			t.Fatal("it did not escalate")
		}
		if _, err := w.Take(t.Context(), mila, request.Step{Request: id, Version: seen, To: fleet.RequestAccepted}); err != nil {
			t.Fatal(err)
		}
		level := w.get(id).Level
		after(6 * time.Hour)
		if r := w.get(id); r.Level != level || r.State != fleet.RequestAccepted {
			t.Errorf("it went on to level %d, %s", r.Level, r.State)
		}
	})
}

// Defect 6 of the product: nobody on duty, so nobody is told.
func TestDefect6_NobodyReachableGoesOnToAllAtOnce(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		for _, to := range []fleet.Recipients{fleet.ToDuty, fleet.ToBackup, fleet.ToLead} {
			w.set(to, request.Standing{People: 1})
		}
		id := w.call(fleet.Normal)
		after(20 * time.Second)
		r := w.get(id)
		if w.Recipients(r) != fleet.ToAll || r.Steps[1].Cause != fleet.CauseNobody {
			t.Errorf("told to %s, history %+v", w.Recipients(r), r.Steps)
		}
	})
}

func TestEscalation_AWatchThatIsAwayForAMomentRingsNobodyElse(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		w.set(fleet.ToDuty, request.Standing{People: 1})
		id := w.call(fleet.Normal)
		after(2 * time.Second)
		w.set(fleet.ToDuty, request.Standing{People: 1, Reachable: 1})
		after(30 * time.Second)
		if r := w.get(id); r.Level != 0 {
			t.Errorf("it is at level %d", r.Level)
		}
	})
}

func TestEscalation_GoesOnWhenEverybodyToldHasDeclined(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		if _, err := w.Decline(t.Context(), ante, id); err != nil {
			t.Fatal(err)
		}
		w.set(fleet.ToDuty, request.Standing{People: 1, Declined: 1})
		after(2 * time.Second)
		r := w.get(id)
		if r.Level != 1 || r.Steps[len(r.Steps)-1].Cause != fleet.CauseDeclined || !r.HasDeclined("ante", "") {
			t.Errorf("%+v", r)
		}
	})
}

func TestEscalation_EmergencyIsEverybodysFromTheFirstMomentAndNeverGivenUp(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		w.all = request.Standing{People: 1, Everybody: true}
		id := w.call(fleet.Emergency)
		after(6 * time.Hour)
		if r := w.get(id); r.State != fleet.RequestOpen || w.Recipients(r) != fleet.ToAll {
			t.Errorf("after six hours it is %s, told to %s", r.State, w.Recipients(r))
		}
	})
}

func TestEscalation_OfAQuietRoomBeginsWhenTheQuietEnds(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		w.set(fleet.ToDuty, request.Standing{People: 1, Reachable: 1, Quiet: true})
		id := w.call(fleet.Normal)
		after(5 * time.Hour)
		if r := w.get(id); r.Level != 0 || r.State != fleet.RequestOpen {
			t.Errorf("in the quiet it went to level %d, %s", r.Level, r.State)
		}
		w.set(fleet.ToDuty, request.Standing{People: 1, Reachable: 1})
		after(time.Minute)
		if r := w.get(id); r.Level != 0 {
			t.Errorf("a minute after the quiet it is at level %d", r.Level)
		}
		after(2 * time.Minute)
		if r := w.get(id); r.Level != 1 {
			t.Errorf("three minutes after the quiet it is at level %d", r.Level)
		}
	})
}

func TestEscalation_AJumpOfTheClockRingsNobodyAndGivesNobodyUp(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		after(10 * time.Second)
		w.skew = 10 * 365 * 24 * time.Hour
		after(10 * time.Second)
		w.skew = -50 * 365 * 24 * time.Hour
		after(10 * time.Second)
		if r := w.get(id); r.Level != 0 || r.State != fleet.RequestOpen {
			t.Errorf("it is at level %d, %s", r.Level, r.State)
		}
	})
}

func TestEscalation_GoesOnAfterARestartWhereItWas(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		after(90 * time.Second)
		w.stop()
		w.start()
		after(35 * time.Second)
		if r := w.get(id); r.Level != 1 {
			t.Errorf("two minutes after it was opened, with a restart between, it is at level %d", r.Level)
		}
	})
}

func TestOffer_IsTakenByThePersonOnlyAndEndsByItself(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		r, err := w.Take(t.Context(), mila, request.Step{Request: id, Version: 1, To: fleet.RequestAccepted})
		if err != nil {
			t.Fatal(err)
		}
		accepted := r.AcceptedAt
		if r, err = w.Offer(t.Context(), mila, id, r.Version, "ante", "Ante"); err != nil || r.Offer == nil || r.AcceptedBy.PersonID != "mila" {
			t.Fatalf("%+v, %v", r, err)
		}
		stranger := fleet.Actor{Kind: fleet.ActorUser, ID: "u-zoe", PersonID: "zoe", Name: "Zoe"}
		var conflict *request.Conflict
		if _, err := w.Take(t.Context(), stranger, request.Step{Request: id, Version: r.Version, To: fleet.RequestAccepted}); !errors.As(err, &conflict) {
			t.Errorf("somebody to whom it was not offered took it: %v", err)
		}
		after(time.Minute + 2*time.Second)
		if r = w.get(id); r.Offer != nil || r.Steps[len(r.Steps)-1].End != fleet.OfferExpired || r.AcceptedBy.PersonID != "mila" {
			t.Errorf("a minute later: %+v", r)
		}
		if _, err := w.Take(t.Context(), ante, request.Step{Request: id, Version: r.Version, To: fleet.RequestAccepted}); !errors.As(err, &conflict) {
			t.Errorf("an offer that has expired was taken: %v", err)
		}
		if r, err = w.Offer(t.Context(), mila, id, r.Version, "ante", "Ante"); err != nil {
			t.Fatal(err)
		}
		if r, err = w.Take(t.Context(), ante, request.Step{Request: id, Version: r.Version, To: fleet.RequestAccepted}); err != nil {
			t.Fatal(err)
		}
		if r.AcceptedBy.PersonID != "ante" || !r.AcceptedAt.Equal(accepted) || r.Offer != nil || r.Steps[len(r.Steps)-1].Event != fleet.EventHandedOver {
			t.Errorf("handed over: %+v", r)
		}
	})
}

func TestOffer_IsDeclinedOrWithdrawn(t *testing.T) {
	inWatch(t, func(t *testing.T, w *watch) {
		id := w.call(fleet.Normal)
		for _, c := range []struct {
			by   fleet.Actor
			want fleet.OfferEnd
		}{{ante, fleet.OfferDeclined}, {mila, fleet.OfferWithdrawn}} {
			if _, err := w.Offer(t.Context(), mila, id, 1, "ante", "Ante"); err != nil {
				t.Fatal(err)
			}
			r, err := w.Decline(t.Context(), c.by, id)
			if err != nil || r.Offer != nil || r.Steps[len(r.Steps)-1].End != c.want || len(r.Declined) != 0 {
				t.Errorf("%s: %+v, %v", c.want, r, err)
			}
		}
	})
}

func TestReopen_MakesANewRequestThatFurtherPressesJoin(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	d.press(dialect.Press{SequenceID: 1, BootID: "b"}, false)
	first := d.open1()
	for version, to := range []fleet.RequestState{fleet.RequestAccepted, fleet.RequestCompleted} {
		if _, err := d.Take(t.Context(), mila, request.Step{Request: first.ID, Version: uint64(version + 1), To: to}); err != nil {
			t.Fatal(err)
		}
	}
	again, err := d.Reopen(t.Context(), mila, first.ID, "the guest still waits")
	if err != nil || again.Reopens != first.ID || again.ID == first.ID || again.State != fleet.RequestOpen {
		t.Fatalf("%+v, %v", again, err)
	}
	if _, err := d.Reopen(t.Context(), mila, again.ID, ""); !errors.Is(err, fleet.ErrState) {
		t.Errorf("one that has not ended was reopened: %v", err)
	}
	d.now = d.now.Add(10 * time.Minute)
	d.press(dialect.Press{SequenceID: 2, BootID: "b"}, false)
	if r := d.open1(); r.ID != again.ID || r.Presses != 1 {
		t.Errorf("the next press opened another request: %+v", r)
	}
}

func TestPress_MeansWhatItsProfileSaysAndThePayloadMayRaiseIt(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	if err := d.Services.Add(t.Context(), mila, "spa", request.Service{Label: "Spa", Team: "wellness", Priority: fleet.Urgent}); err != nil {
		t.Fatal(err)
	}
	profile := request.PressProfile{Types: map[fleet.PressType]request.Meaning{
		fleet.PressSingle: {Priority: fleet.Normal}, fleet.PressDouble: {Service: "spa", Priority: fleet.Normal},
	}}
	if err := d.Profiles.Add(t.Context(), mila, "poolside", profile); err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	for _, c := range []struct {
		profile    string
		press      fleet.PressType
		said       fleet.Priority
		kind, team string
		want       fleet.Priority
	}{
		{"poolside", fleet.PressSingle, fleet.Normal, "", "", fleet.Normal},
		{"poolside", fleet.PressSingle, fleet.Emergency, "", "", fleet.Emergency},
		{"poolside", fleet.PressDouble, fleet.Normal, "spa", "wellness", fleet.Urgent},
		{"poolside", fleet.PressLong, fleet.Normal, "", "", fleet.Normal}, // it says nothing of long ones
		{"", fleet.PressLong, fleet.Normal, "", "", fleet.Emergency},
		{"no such profile", fleet.PressSingle, fleet.Normal, "", "", fleet.Normal},
	} {
		seq++
		dev := button
		dev.ID, dev.PressProfile = fleet.DeviceID("btn-"+string('a'+rune(seq))), c.profile
		in := request.Incoming{Device: dev, Press: dialect.Press{SequenceID: seq, BootID: "b", Type: c.press, Priority: c.said}}
		if _, err := d.Press(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		open, err := d.store.OpenRequests()
		if err != nil {
			t.Fatal(err)
		}
		r := open[slices.IndexFunc(open, func(r fleet.Request) bool { return r.Device == dev.ID })]
		if r.Kind != c.kind || r.Team != c.team || r.Priority != c.want {
			t.Errorf("%+v: %s for %s, %s", c, r.Kind, r.Team, r.Priority)
		}
	}
}

func TestPress_ImpatienceIsOneRequestAndRaisesIt(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	for n := range uint64(5) {
		d.now = d.now.Add(time.Second)
		d.press(dialect.Press{SequenceID: n + 1, BootID: "b"}, false)
		want := fleet.Normal
		if n == 4 {
			want = fleet.Urgent
		}
		if r := d.open1(); r.Presses != n+1 || r.Priority != want || r.Version != 1 {
			t.Errorf("press %d: ×%d, %s, version %d", n+1, r.Presses, r.Priority, r.Version)
		}
	}
}

func TestPress_ThatComesTooLateIsShownAsMissedButForEmergencies(t *testing.T) {
	for p, want := range map[fleet.Priority]fleet.RequestState{
		fleet.Normal: fleet.RequestMissed, fleet.Urgent: fleet.RequestMissed, fleet.Emergency: fleet.RequestOpen,
	} {
		d := newDesk(t)
		d.press(dialect.Press{SequenceID: 1, BootID: "b", Priority: p, At: d.now.Add(-2 * time.Hour)}, false)
		var r fleet.Request
		if err := store.Entities(d.store, "", func(v fleet.Request) bool { r = v; return true }); err != nil {
			t.Fatal(err)
		}
		if r.State != want || r.LateBy != 2*time.Hour {
			t.Errorf("%s: %s, late by %s", p, r.State, r.LateBy)
		}
		d.close()
	}
}

func TestDrill_MarksWhatIsOpenedMeanwhileAndStaysOutOfStatistics(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	if err := d.SetDrill(t.Context(), mila, d.now.Add(5*time.Hour)); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a drill of five hours: %v", err)
	}
	if err := d.SetDrill(t.Context(), mila, d.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	d.press(dialect.Press{SequenceID: 1, BootID: "b"}, false)
	r := d.open1()
	if r.Purpose != fleet.PurposeDrill {
		t.Errorf("it is %q", r.Purpose)
	}
	if _, err := d.Take(t.Context(), mila, request.Step{Request: r.ID, Version: 1, To: fleet.RequestCancelled, Reason: fleet.CancelOther}); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(2 * time.Hour) // over
	d.press(dialect.Press{SequenceID: 2, BootID: "b"}, false)
	if r := d.open1(); r.Purpose != fleet.PurposeCall {
		t.Errorf("after the drill it is %q", r.Purpose)
	}
	s, err := d.Statistics(d.now.Add(-24*time.Hour), d.now.Add(time.Minute), request.ByRoom, time.UTC)
	if err != nil || s.Total.Requests != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWalk_FirstPressOfAButtonInTheRoomIsWrittenDownAndIsNoCall(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	rooms := []request.WalkRoom{
		{Room: "cabin-1", Buttons: []request.WalkButton{{Device: button.ID, State: request.WalkWaiting}}},
		{Room: "cabin-2", Buttons: []request.WalkButton{{Device: "btn-2", State: request.WalkWaiting}}},
	}
	if _, err := d.StartWalk(t.Context(), mila, rooms); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartWalk(t.Context(), mila, rooms); !errors.Is(err, fleet.ErrState) {
		t.Errorf("two walks at once: %v", err)
	}
	signal := -61
	in := request.Incoming{Device: button, Signal: &signal, Press: dialect.Press{SequenceID: 1, BootID: "b", Type: fleet.PressSingle, Priority: fleet.Normal}}
	if _, err := d.Press(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	w, err := d.Walk()
	if err != nil || w.Rooms[0].Buttons[0].State != request.WalkHeard || *w.Rooms[0].Buttons[0].Signal != -61 {
		t.Errorf("%+v, %v", w, err)
	}
	if open, err := d.store.OpenRequests(); err != nil || len(open) != 0 {
		t.Errorf("%d calls are open (%v)", len(open), err)
	}
	owed, err := d.store.Receipts()
	if err != nil || len(owed) != 1 || owed[0].Stage != store.StageCompleted {
		t.Errorf("the button is owed %+v (%v)", owed, err)
	}
	d.now = d.now.Add(10 * time.Minute)
	d.press(dialect.Press{SequenceID: 2, BootID: "b"}, false)
	if r := d.open1(); r.Purpose != fleet.PurposeCall {
		t.Errorf("the second press is %q", r.Purpose)
	}
	other := button
	other.ID, other.Room = "btn-2", "cabin-2"
	if _, err := d.Press(t.Context(), request.Incoming{Device: other, Press: in.Press}); err != nil {
		t.Fatal(err)
	}
	if open, err := d.store.OpenRequests(); err != nil || len(open) != 2 {
		t.Errorf("a press in a room that is not walked now is no call: %d open (%v)", len(open), err)
	}
	if w, err = d.EndWalk(t.Context(), mila); err != nil || w.EndedAt.IsZero() {
		t.Errorf("%+v, %v", w, err)
	}
	if _, err := d.EnterRoom(t.Context(), "cabin-2"); !errors.Is(err, fleet.ErrState) {
		t.Errorf("after its end: %v", err)
	}
}

func TestStatistics_AreTimesThatHappenedByRoomAndHour(t *testing.T) {
	d := newDesk(t)
	defer d.close()
	zone, err := time.LoadLocation("Europe/Zagreb")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		d.press(dialect.Press{SequenceID: uint64(n + 1), BootID: "b"}, false)
		r := d.open1()
		begun := d.now
		d.now = begun.Add(time.Duration(n+1) * time.Second)
		if _, err := d.Take(t.Context(), mila, request.Step{Request: r.ID, Version: 1, To: fleet.RequestAccepted}); err != nil {
			t.Fatal(err)
		}
		d.now = begun.Add(time.Minute)
		if _, err := d.Take(t.Context(), mila, request.Step{Request: r.ID, Version: 2, To: fleet.RequestCompleted}); err != nil {
			t.Fatal(err)
		}
		d.now = begun.Add(2 * time.Minute)
	}
	s, err := d.Statistics(d.now.Add(-time.Hour), d.now, request.ByHour, zone)
	if err != nil {
		t.Fatal(err)
	}
	if a := s.Total.Accept; a.N != 20 || a.Median != 10*time.Second || a.P95 != 19*time.Second || s.Total.Complete.Median != time.Minute {
		t.Errorf("%+v", s.Total)
	}
	if len(s.Groups) != 1 || s.Groups[0].Key != "14" { // noon UTC in May
		t.Errorf("%+v", s.Groups)
	}
	if _, err := d.Statistics(d.now, d.now.Add(-time.Hour), request.ByRoom, zone); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a range that ends before it begins: %v", err)
	}
	if _, err := d.Statistics(d.now.Add(-time.Hour), d.now, "moon", zone); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("by moon: %v", err)
	}
}

// Whatever happens to a request, it never has fewer recipients than before, is
// taken by nobody but who was first or to whom it was offered, and ends once.
func TestRequest_WhateverPeopleDoNobodyIsUntoldAndOnlyOneHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk(t)
		defer d.close()
		d.press(dialect.Press{SequenceID: 1, BootID: "b"}, false)
		r := d.open1()
		people := map[string]fleet.Actor{"mila": mila, "ante": ante}
		ended := false
		holder := ""
		who := rapid.SampledFrom(slices.Sorted(maps.Keys(people)))
		get := func() fleet.Request {
			now, _, err := fleet.Get[fleet.Request](d.store, fleet.RequestRef(r.ID))
			if err != nil {
				t.Fatal(err)
			}
			return now
		}
		t.Repeat(map[string]func(*rapid.T){
			"accept": func(t *rapid.T) {
				before, by := get(), people[who.Draw(t, "who")]
				version := before.Version - uint64(rapid.IntRange(0, 1).Draw(t, "behind"))
				after, err := d.Take(t.Context(), by, request.Step{Request: r.ID, Version: version, To: fleet.RequestAccepted})
				may := version == before.Version && (before.State == fleet.RequestOpen || before.State == fleet.RequestAccepted && before.OfferedTo(by.PersonID, d.now))
				if may != (err == nil) {
					t.Fatalf("accept of %s at version %d of %+v: %v", by.Name, version, before, err)
				}
				if err == nil {
					holder = after.AcceptedBy.PersonID
				}
			},
			"offer": func(t *rapid.T) {
				to := who.Draw(t, "to")
				_, _ = d.Offer(t.Context(), mila, r.ID, get().Version, to, to)
			},
			"decline": func(t *rapid.T) { _, _ = d.Decline(t.Context(), people[who.Draw(t, "who")], r.ID) },
			"complete": func(t *rapid.T) {
				if rapid.IntRange(0, 4).Draw(t, "seldom") > 0 {
					return
				}
				_, err := d.Take(t.Context(), mila, request.Step{Request: r.ID, Version: get().Version, To: fleet.RequestCompleted})
				if err == nil && ended {
					t.Fatal("it ended twice")
				}
				ended = ended || err == nil
			},
			"restart of the hub": func(*rapid.T) {
				d.close()
				d.open()
			},
			"time passes": func(t *rapid.T) {
				d.now = d.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "s")) * time.Second)
			},
			"": func(t *rapid.T) {
				now := get()
				if now.AcceptedBy != nil && now.AcceptedBy.PersonID != holder || ended != now.State.Ended() {
					t.Fatalf("%+v: held by %q, ended %t", now, holder, ended)
				}
			},
		})
	})
}
