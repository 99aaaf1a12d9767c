package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var by = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Chief"}

// bridge is the commands of a hub with one watch, whose connection is in the
// test's hand.
type bridge struct {
	t       *testing.T
	fs      store.FileSystem
	store   *store.Store
	journal *journal.Journal
	*command.Commands
	stop func()

	mu        sync.Mutex
	listening bool
	sent      []command.Outbound
	trusted   bool
}

func newBridge(t *testing.T) *bridge {
	b := &bridge{t: t, fs: store.InMemory(), trusted: true}
	b.open()
	return b
}

func (b *bridge) open() {
	b.t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: b.fs})
	if err != nil {
		b.t.Fatal(err)
	}
	b.store, b.journal = s, journal.New(journal.Config{Store: s, Clock: b})
	if b.Commands, err = command.New(command.Config{Store: s, Journal: b.journal, Clock: b, Devices: b, Sender: b}); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Device("watch-1"); errors.Is(err, fleet.ErrNotFound) {
		d := fleet.Device{ID: "watch-1", Type: fleet.Watch, Room: "bridge", Profile: "watch", Version: 1}
		err := b.journal.Do(b.t.Context(), func(tx *journal.Tx) error { return tx.Append(by, fleet.DeviceChanged{Device: d}) })
		if err != nil {
			b.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			b.t.Error(err)
		}
	}
}

func (b *bridge) Now() (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now(), b.trusted
}

func (b *bridge) Device(id fleet.DeviceID) (fleet.Device, error) {
	d, found, err := fleet.Get[fleet.Device](b.store, fleet.DeviceRef(id))
	if err == nil && !found {
		err = fleet.ErrNotFound
	}
	return d, err
}

func (b *bridge) Listens(fleet.Device, string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listening
}

func (b *bridge) SendCommand(_ context.Context, o command.Outbound) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, o)
	return nil
}

// connect makes the watch listen, and returns how often it was sent something
// so far.
func (b *bridge) connect(listening bool) {
	b.mu.Lock()
	b.listening = listening
	b.mu.Unlock()
	if listening {
		b.Wake("watch-1")
	}
	synctest.Wait()
}

func (b *bridge) published() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent)
}

func (b *bridge) send(ttl time.Duration) fleet.CommandID {
	b.t.Helper()
	c, err := b.Send(b.t.Context(), by, command.Want{Device: "watch-1", Name: "locate", Args: json.RawMessage(`{"s":5}`), TTL: ttl})
	if err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
	return c.ID
}

func (b *bridge) command(id fleet.CommandID) fleet.Command {
	b.t.Helper()
	c, _, err := fleet.Get[fleet.Command](b.store, fleet.CommandRef(id))
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bridge) timeline(id fleet.CommandID, want ...fleet.CommandState) {
	b.t.Helper()
	var got []fleet.CommandState
	for _, s := range b.command(id).Steps {
		got = append(got, s.State)
	}
	if d := cmp.Diff(want, got); d != "" {
		b.t.Errorf("timeline (-want +got):\n%s", d)
	}
}

func (b *bridge) answer(id fleet.CommandID, s fleet.CommandState) {
	b.t.Helper()
	if err := b.Answer(b.t.Context(), "watch-1", answerOf(id, s)); err != nil {
		b.t.Fatal(err)
	}
	synctest.Wait()
}

const (
	queued, atHub, sent, delivered = fleet.CommandQueued, fleet.CommandAtHub, fleet.CommandSent, fleet.CommandDelivered
	acknowledged, succeeded        = fleet.CommandAcknowledged, fleet.CommandSucceeded
	expired, cancelled             = fleet.CommandExpired, fleet.CommandCancelled
)

func TestCommand_GoesThroughItsWholeLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		b.connect(true)
		id := b.send(time.Minute)
		b.timeline(id, queued, atHub, sent)
		if err := b.Delivered(t.Context(), "watch-1", string(id)); err != nil {
			t.Fatal(err)
		}
		b.answer(id, acknowledged)
		b.answer(id, succeeded)
		b.answer(id, succeeded) // QoS 1: again
		b.timeline(id, queued, atHub, sent, delivered, acknowledged, succeeded)
		time.Sleep(time.Hour)
		if n := b.published(); n != 1 {
			t.Errorf("published %d times", n)
		}
	})
}

// Defect 10 of the product: executed days late.
func TestCommand_ToAnAbsentDeviceExpiresAndIsNeverPublishedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		id := b.send(2 * time.Second)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		b.timeline(id, queued, atHub, expired)
		b.connect(true)
		time.Sleep(time.Hour)
		if n := b.published(); n != 0 {
			t.Errorf("published %d times after its end", n)
		}
		b.answer(id, succeeded) // out of nowhere
		if c := b.command(id); c.State != expired || c.Anomaly != succeeded {
			t.Errorf("state %s, anomaly %s", c.State, c.Anomaly)
		}
	})
}

func TestCommand_IsRepeatedUntilTheDeviceAnswersAndAtOnceWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		id := b.send(24 * time.Hour)
		if n := b.published(); n != 0 {
			t.Fatalf("published %d times to an absent device", n)
		}
		b.connect(true)
		if n := b.published(); n != 1 {
			t.Fatalf("published %d times to a device that came", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		many := b.published()
		if many < 3 || many > 8 {
			t.Errorf("published %d times in the first minute", many)
		}
		b.connect(false)
		time.Sleep(time.Hour)
		if n := b.published(); n != many {
			t.Errorf("published %d times to an absent device", n-many)
		}
		b.connect(true)
		if n := b.published(); n != many+1 {
			t.Errorf("published %d times at its return", n-many)
		}
		b.answer(id, acknowledged)
		time.Sleep(2 * time.Hour)
		if n := b.published(); n != many+1 {
			t.Errorf("published %d times after its answer", n-many-1)
		}
	})
}

func TestCancel_EndsACommandThatTheDeviceDoesNotHaveAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		id := b.send(time.Hour)
		if _, err := b.Cancel(t.Context(), by, id, nil); err != nil {
			t.Fatal(err)
		}
		b.connect(true)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		b.timeline(id, queued, atHub, cancelled)
		if n := b.published(); n != 0 {
			t.Errorf("published %d times after its cancel", n)
		}
		other := b.send(time.Hour)
		b.answer(other, acknowledged)
		if _, err := b.Cancel(t.Context(), by, other, nil); !errors.Is(err, fleet.ErrState) {
			t.Errorf("cancel of what the device is doing: %v", err)
		}
	})
}

func TestCommand_SurvivesARestartAndWaitsForATrustedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		id := b.send(time.Hour)
		b.stop()
		b.mu.Lock()
		b.trusted, b.listening = false, true
		b.mu.Unlock()
		b.open()
		b.connect(true)
		if n := b.published(); n != 0 {
			t.Errorf("published %d times by a hub that does not know the time", n)
		}
		b.mu.Lock()
		b.trusted = true
		b.mu.Unlock()
		b.connect(true)
		if n := b.published(); n != 1 {
			t.Errorf("published %d times", n)
		}
		b.timeline(id, queued, atHub, sent)
	})
}

func TestAnswer_FasterThanTheRecordOfThePublishCountsAsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		id := b.send(time.Hour) // not published: the answer comes first
		b.answer(id, succeeded)
		b.timeline(id, queued, atHub, sent, succeeded)
	})
}

func TestAnswer_ToAnotherDevicesCommandChangesNothingAndIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		id := b.send(time.Hour)
		for _, c := range []struct {
			device fleet.DeviceID
			id     fleet.CommandID
		}{{"watch-2", id}, {"watch-1", fleet.NewUUID[fleet.CommandID](time.Now())}} {
			if err := b.Answer(t.Context(), c.device, dialect.Answer{Command: c.id, State: succeeded}); err != nil {
				t.Fatal(err)
			}
		}
		b.timeline(id, queued, atHub)
		if n := b.Stray(); n != 2 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestAccept_OrderIsTakenOnceWhateverIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		b.connect(true)
		now := time.Now()
		w := fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](now), Device: "watch-1", Name: "locate"}
		o := fleet.Order{Number: 1, Actor: by, CreatedAt: fleet.Millis(now), Body: w}
		moved := 0
		for range 3 {
			if err := b.Accept(t.Context(), o, w, time.Minute, func(*journal.Tx) error { moved++; return nil }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		b.timeline(w.Command, queued, atHub, sent)
		if moved != 3 || b.published() != 1 {
			t.Errorf("cursor moved %d times, published %d times", moved, b.published())
		}
		late := fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](now), Device: "watch-1", Name: "locate"}
		if err := b.Accept(t.Context(), o, late, -time.Second, func(*journal.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		b.timeline(late.Command, queued, expired)
		nobody := fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](now), Device: "watch-9", Name: "locate"}
		if err := b.Accept(t.Context(), o, nobody, time.Minute, func(*journal.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		b.timeline(nobody.Command, queued, atHub, fleet.CommandFailed)
	})
}

func TestSend_NewerConfigurationSupersedesAnOlderOneOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		var ids []fleet.CommandID
		for range 2 {
			c, err := b.Send(t.Context(), by, command.Want{Device: "watch-1", Name: "config", TTL: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, c.ID)
		}
		b.connect(true)
		b.timeline(ids[0], queued, atHub, fleet.CommandSuperseded)
		b.timeline(ids[1], queued, atHub, sent)
	})
}

func TestSend_TheSameRequestAfterARestartIsTheSameCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		ask := func(key string, print byte) (fleet.CommandID, error) {
			c, err := b.Send(t.Context(), by, command.Want{
				Device: "watch-1", Name: "locate", Once: command.Once{Subject: "u", Key: key, Fingerprint: [32]byte{print}},
			})
			return c.ID, err
		}
		first, err := ask("k1", 1)
		if err != nil {
			t.Fatal(err)
		}
		restart := func() {
			b.stop()
			b.open()
		}
		restart()
		if again, err := ask("k1", 1); err != nil || again != first {
			t.Errorf("asked again: %s, %v; the first was %s", again, err, first)
		}
		if _, err := ask("k1", 2); !errors.Is(err, command.ErrKeyReused) {
			t.Errorf("another request with the same key: %v", err)
		}
		if other, err := ask("k2", 1); err != nil || other == first {
			t.Errorf("another key: %s, %v", other, err)
		}
		time.Sleep(26 * time.Hour)
		synctest.Wait()
		if again, err := ask("k1", 1); err != nil || again == first {
			t.Errorf("a day later the key is new: %s, %v", again, err)
		}
	})
}

func answerOf(id fleet.CommandID, s fleet.CommandState) dialect.Answer {
	return dialect.Answer{Command: id, State: s}
}
