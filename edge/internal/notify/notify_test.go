package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/notify"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// ship is a notifier with two watches and a button, whose connections are in
// the test's hand.
type ship struct {
	t       *testing.T
	store   *store.Store
	journal *journal.Journal
	*notify.Notifier
	stop func()

	mu       sync.Mutex
	away     map[fleet.DeviceID]string // why
	takes    bool                      // devices acknowledge at once
	messages []told
	refs     map[fleet.DeviceID]string // of the last message
}

type told struct {
	to   fleet.DeviceID
	name string
	body map[string]any
}

func newShip(t *testing.T, fs store.FileSystem) *ship { return newShipWith(t, fs, nil) }

func newShipWith(t *testing.T, fs store.FileSystem, route func(fleet.Request) notify.Routing) *ship {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	h := &ship{t: t, store: s, away: map[fleet.DeviceID]string{}, refs: map[fleet.DeviceID]string{}, takes: true}
	h.journal = journal.New(journal.Config{Store: s, Clock: h})
	h.Notifier = notify.New(notify.Config{Store: s, Journal: h.journal, Devices: h, Sender: (*sender)(h), Now: time.Now, Route: route})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	}
	synctest.Wait()
	return h
}

func (h *ship) Now() (time.Time, bool) { return time.Now(), true }

func (h *ship) Watches() []fleet.Device {
	return []fleet.Device{
		{ID: "watch-1", Type: fleet.Watch, Room: "bridge"}, {ID: "watch-2", Type: fleet.Watch, Room: "galley"},
	}
}

func (h *ship) Device(id fleet.DeviceID) (fleet.Device, error) {
	for _, d := range append(h.Watches(), fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "cabin-1"}) {
		if d.ID == id {
			return d, nil
		}
	}
	return fleet.Device{}, fleet.ErrNotFound
}

// sender is the ship as it takes messages.
type sender ship

func (h *sender) Why(d fleet.Device, _ string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.away[d.ID]
}

func (h *sender) Notify(_ context.Context, o notify.Outbound) error {
	var body map[string]any
	if err := json.Unmarshal(o.Payload, &body); err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, told{o.Device.ID, o.Name, body})
	h.refs[o.Device.ID] = o.Ref
	if h.takes {
		h.Delivered(o.Device.ID, o.Ref)
	}
	return nil
}

// count is how often a device was told something of that stage.
func (h *ship) count(to fleet.DeviceID, stage string) int {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, m := range h.messages {
		if m.to == to && m.body["stage"] == stage {
			n++
		}
	}
	return n
}

func (h *ship) is(to fleet.DeviceID, stage string, want int) {
	h.t.Helper()
	if got := h.count(to, stage); got != want {
		h.t.Errorf("%s was told %q %d times, want %d", to, stage, got, want)
	}
}

func (h *ship) set(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

func (h *ship) do(body ...fleet.Body) {
	h.t.Helper()
	h.doBy(fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Mila"}, body...)
}

func (h *ship) doBy(by fleet.Actor, body ...fleet.Body) {
	h.t.Helper()
	err := h.journal.Do(h.t.Context(), func(tx *journal.Tx) error {
		for _, b := range body {
			if err := tx.Append(by, b); err != nil {
				return err
			}
			if p, ok := b.(fleet.Pressed); ok {
				if err := h.owe(tx, p.PressKey); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

// owe queues a receipt as package request does.
func (h *ship) owe(tx *journal.Tx, press fleet.PressKey) error {
	return h.put(tx, store.Receipt{Press: press, Stage: store.StageStored, At: tx.Now()})
}

func (h *ship) put(tx *journal.Tx, r store.Receipt) error {
	tx.Then(func() { h.Owe(r) })
	return tx.PutReceipt(r)
}

func (h *ship) queue(r store.Receipt) {
	h.t.Helper()
	if err := h.journal.Do(h.t.Context(), func(tx *journal.Tx) error { return h.put(tx, r) }); err != nil {
		h.t.Fatal(err)
	}
}

const call = fleet.RequestID("0190163d-8694-739b-aea5-966c26f8ad91")

func (h *ship) press(p fleet.Priority) {
	h.do(fleet.Pressed{
		Press: fleet.Press{PressKey: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: 1}, Type: fleet.PressSingle, Priority: p, Request: call},
		Room:  "cabin-1", Opens: true,
	})
}

func TestWatches_AllRingAndAreToldWhoHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.press(fleet.Normal)
		h.is("watch-1", "open", 1)
		h.is("watch-2", "open", 1)
		h.is("btn-1", "stored", 1)
		h.do(fleet.RequestStepped{Request: call, Version: 2, State: fleet.RequestAccepted})
		h.is("watch-1", "accepted", 1)
		h.is("watch-2", "accepted", 1)
		h.mu.Lock()
		if last := h.messages[len(h.messages)-1]; last.body["taken_by"] != "Mila" {
			t.Errorf("told %v", last.body)
		}
		h.mu.Unlock()
		time.Sleep(time.Hour)
		h.is("watch-1", "open", 1)
		h.is("watch-1", "accepted", 1)
	})
}

func TestEmergency_RingsAgainUntilItIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.press(fleet.Emergency)
		time.Sleep(time.Minute)
		if n := h.count("watch-1", "open"); n < 6 || n > 8 {
			t.Errorf("rang %d times in a minute", n)
		}
		h.do(fleet.RequestStepped{Request: call, Version: 2, State: fleet.RequestAccepted})
		before := h.count("watch-1", "open")
		time.Sleep(time.Hour)
		h.is("watch-1", "open", before)
	})
}

func TestReach_NamesTheWatchesThatDoNotKnowAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.set(func() { h.away["watch-2"] = "not subscribed" })
		h.press(fleet.Normal)
		time.Sleep(time.Second)
		synctest.Wait()
		h.Wake("watch-1") // anything that makes it look again
		synctest.Wait()
		r := h.Reach(call)
		if r.Watches != 2 || r.Reached != 1 || len(r.Unreachable) != 1 || r.Unreachable[0].Why != "not subscribed" {
			t.Errorf("reach %+v", r)
		}
		h.set(func() { delete(h.away, "watch-2") })
		h.Wake("watch-2")
		h.is("watch-2", "open", 1)
	})
}

func TestRestart_OpenRequestsRingAgainAndReceiptsAreStillOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := store.InMemory()
		h := newShip(t, fs)
		h.set(func() { h.away["btn-1"] = "not connected" })
		h.press(fleet.Urgent)
		h.is("btn-1", "stored", 0)
		h.stop()
		h = newShip(t, fs)
		defer h.stop()
		h.is("watch-1", "open", 1)
		h.is("btn-1", "stored", 1)
		time.Sleep(time.Hour)
		h.is("btn-1", "stored", 1)
		owed, err := h.store.Receipts()
		if err != nil || len(owed) != 0 {
			t.Errorf("still owed: %v, %v", owed, err)
		}
	})
}

func TestReceipt_IsRepeatedUntilTheButtonTakesItAndAgainWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.set(func() { h.takes = false })
		h.press(fleet.Normal)
		time.Sleep(10 * time.Minute)
		n := h.count("btn-1", "stored")
		if n < 3 || n > 8 {
			t.Errorf("sent %d times to a button that does not take it", n)
		}
		h.set(func() { h.takes = true })
		h.Wake("btn-1")
		h.is("btn-1", "stored", n+1)
		time.Sleep(time.Hour)
		h.is("btn-1", "stored", n+1)
	})
}

func TestReceipt_IsSentOnceHoweverManyPressesComeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.press(fleet.Normal)
		const hands, presses = 8, 200
		var all sync.WaitGroup
		for hand := range hands {
			all.Go(func() {
				for i := range presses {
					key := fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: uint64(2 + hand*presses + i)}
					err := h.journal.Do(t.Context(), func(tx *journal.Tx) error {
						p := fleet.Pressed{Press: fleet.Press{PressKey: key, Type: fleet.PressSingle, Priority: fleet.Normal, Request: call}, Room: "cabin-1"}
						if err := tx.Append(fleet.ByDevice("btn-1"), p); err != nil {
							return err
						}
						return h.owe(tx, key)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		synctest.Wait()
		times := map[any]int{}
		h.set(func() {
			for _, m := range h.messages {
				if m.to == "btn-1" && m.body["stage"] == "stored" {
					times[m.body["sequence_id"]]++
				}
			}
		})
		if len(times) != hands*presses+1 {
			t.Errorf("%d presses were receipted, want %d", len(times), hands*presses+1)
		}
		for seq, n := range times {
			if n != 1 {
				t.Errorf("press %v was receipted %d times", seq, n)
			}
		}
	})
}

func TestReceipt_TheOneThatComesLaterCountsWhateverTheClockSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.set(func() { h.away["btn-1"] = "not connected" })
		h.press(fleet.Normal)
		accepted := store.Receipt{
			Press: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: 1}, Stage: store.StageAccepted, At: time.Now().Add(-time.Hour),
		}
		h.queue(accepted)
		h.set(func() { delete(h.away, "btn-1") })
		h.Wake("btn-1")
		h.is("btn-1", "accepted", 1)
		h.is("btn-1", "stored", 0)
	})
}

func TestReceipt_OneButtonIsOwedSoManyAtTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.set(func() { h.away["btn-1"] = "not subscribed" })
		for i := range 100 {
			h.queue(store.Receipt{Press: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: uint64(i)}, Stage: store.StageStored, At: time.Now()})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		if owed, err := h.store.Receipts(); err != nil || len(owed) != 64 || owed[0].Press.SequenceID != 36 {
			t.Errorf("owed are %d, %v", len(owed), err)
		}
	})
}

func TestReceipt_WhatAButtonHasTakenIsForgottenInOneWriteAndBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := store.InMemory()
		h := newShip(t, fs)
		for i := range 5 {
			h.queue(store.Receipt{Press: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: uint64(i)}, Stage: store.StageStored, At: time.Now()})
		}
		h.is("btn-1", "stored", 5)
		owed := func() int {
			all, err := h.store.Receipts()
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		if n := owed(); n != 5 {
			t.Errorf("%d are on disk at once", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := owed(); n != 0 {
			t.Errorf("%d are on disk a second later", n)
		}
		h.queue(store.Receipt{Press: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: 9}, Stage: store.StageStored, At: time.Now()})
		h.is("btn-1", "stored", 6)
		h.stop()
		h = newShip(t, fs)
		defer h.stop()
		h.is("btn-1", "stored", 0)
		if n := owed(); n != 0 {
			t.Errorf("%d are on disk after a clean stop", n)
		}
	})
}

// Of two things that come in one round, the raise is not put off by what the
// watch says of the time before.
func TestEmergency_RaisedPriorityRingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.set(func() { h.takes = false })
		h.press(fleet.Normal)
		h.is("watch-1", "open", 1)
		var first string
		h.set(func() { first = h.refs["watch-1"] })
		again := fleet.Press{PressKey: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: 2}, Type: fleet.PressSingle, Priority: fleet.Emergency, Request: call}
		err := h.journal.Do(t.Context(), func(tx *journal.Tx) error {
			tx.Then(func() { h.Delivered("watch-1", first) })
			return tx.Append(fleet.ByDevice("btn-1"), fleet.Pressed{Press: again, Room: "cabin-1"})
		})
		if err != nil {
			t.Fatal(err)
		}
		h.is("watch-1", "open", 2)
	})
}

func TestWatches_OneThatWasToldAndCouldNotSaySoLearnsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newShip(t, store.InMemory())
		defer h.stop()
		h.set(func() { h.takes = false }) // its radio goes before the PUBACK
		h.press(fleet.Normal)
		h.is("watch-1", "open", 1)
		h.set(func() { h.away["watch-1"], h.takes = "not connected", true })
		h.Wake("watch-1")
		time.Sleep(time.Second)
		h.do(fleet.RequestStepped{Request: call, Version: 2, State: fleet.RequestAccepted})
		time.Sleep(time.Second)
		h.do(fleet.RequestStepped{Request: call, Version: 3, State: fleet.RequestCompleted})
		time.Sleep(time.Second)
		h.set(func() { delete(h.away, "watch-1") })
		h.Wake("watch-1")
		h.is("watch-1", "completed", 1)
	})
}
