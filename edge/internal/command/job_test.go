package command_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// watches registers further ones, up to watch-n.
func (b *bridge) watches(n int) []fleet.DeviceID {
	b.t.Helper()
	ids := []fleet.DeviceID{"watch-1"}
	err := b.journal.Do(b.t.Context(), func(tx *journal.Tx) error {
		for i := 2; i <= n; i++ {
			id := fleet.DeviceID(fmt.Sprint("watch-", i))
			d := fleet.Device{ID: id, Type: fleet.Watch, Room: "bridge", Profile: "watch", Version: 1}
			if err := tx.Append(by, fleet.DeviceChanged{Device: d}); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return ids
}

func (b *bridge) commandsOf(j fleet.JobID) map[fleet.DeviceID]fleet.Command {
	b.t.Helper()
	all := map[fleet.DeviceID]fleet.Command{}
	if err := b.store.JobCommands(j, "", func(c fleet.Command) bool { all[c.Device] = c; return true }); err != nil {
		b.t.Fatal(err)
	}
	return all
}

func TestJob_HasAResultPerDeviceAndItsFailuresAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		want := command.WantJob{Devices: b.watches(3), Filter: "type:watch", Name: "locate", TTL: time.Minute, Once: command.Once{Subject: "u", Key: "k"}}
		j, err := b.Begin(t.Context(), by, want)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := b.Begin(t.Context(), by, want); err != nil || again.ID != j.ID {
			t.Errorf("the same request made job %s and %s, %v", j.ID, again.ID, err)
		}
		b.connect(true)
		commands := b.commandsOf(j.ID)
		if len(commands) != 3 {
			t.Fatalf("%d commands", len(commands))
		}
		b.answer(commands["watch-1"].ID, succeeded)
		if err := b.Answer(t.Context(), "watch-2", answerOf(commands["watch-2"].ID, fleet.CommandFailed)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute) // watch-3 says nothing
		synctest.Wait()
		n, err := b.Progress(j.ID)
		if err != nil || n[succeeded] != 1 || n[fleet.CommandFailed] != 1 || n[expired] != 1 {
			t.Errorf("progress %v, %v", n, err)
		}
		again, err := b.Retry(t.Context(), by, j.ID, command.Once{})
		if err != nil || again.Retries != j.ID || again.Targets != 2 {
			t.Fatalf("%+v, %v", again, err)
		}
		if c := b.commandsOf(again.ID); c["watch-1"].ID != "" || c["watch-2"].ID == "" || c["watch-3"].ID == "" {
			t.Errorf("tried again on %v", c)
		}
	})
}

func TestJob_CancelTakesBackWhatHasNotReachedItsDeviceAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		j, err := b.Begin(t.Context(), by, command.WantJob{Devices: b.watches(3), Name: "locate", TTL: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		b.connect(true)
		b.answer(b.commandsOf(j.ID)["watch-1"].ID, acknowledged)
		after, n, err := b.CancelJob(t.Context(), by, j.ID)
		if err != nil || n != 2 || after.CancelledAt.IsZero() {
			t.Errorf("cancelled %d of %+v, %v", n, after, err)
		}
		if _, _, err := b.CancelJob(t.Context(), by, j.ID); !errors.Is(err, fleet.ErrState) {
			t.Errorf("cancelled twice: %v", err)
		}
		published := b.published()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if b.published() != published {
			t.Error("it is still sent")
		}
		b.answer(b.commandsOf(j.ID)["watch-1"].ID, succeeded)
		b.timeline(b.commandsOf(j.ID)["watch-1"].ID, queued, atHub, sent, acknowledged, succeeded)
	})
}

func TestJob_IsAllOrNothingAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		for name, w := range map[string]command.WantJob{
			"no device":       {Name: "locate"},
			"a name":          {Name: "receipt", Devices: []fleet.DeviceID{"watch-1"}},
			"too many":        {Name: "locate", Devices: make([]fleet.DeviceID, 2001)},
			"too long a life": {Name: "locate", Devices: []fleet.DeviceID{"watch-1"}, TTL: 365 * 24 * time.Hour},
		} {
			if j, err := b.Begin(t.Context(), by, w); !errors.Is(err, fleet.ErrInvalid) && !errors.Is(err, fleet.ErrLimit) {
				t.Errorf("%s: %+v, %v", name, j, err)
			}
		}
		j, err := b.Begin(t.Context(), by, command.WantJob{Name: "locate", Devices: []fleet.DeviceID{"watch-1", "watch-9"}})
		if err != nil {
			t.Fatal(err)
		}
		if c := b.commandsOf(j.ID)["watch-9"]; c.State != fleet.CommandFailed {
			t.Errorf("a device that is not there: %+v", c)
		}
	})
}

func settings(s string) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		panic(err)
	}
	return m
}

func TestConfiguration_IsWantedUntilTheDeviceReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		if err := b.Configure(t.Context(), by, "watch-1", settings(`{"volume":3}`), 0); err != nil {
			t.Fatal(err)
		}
		if err := b.Configure(t.Context(), by, "watch-1", settings(`{"volume":5}`), 0); !errors.Is(err, fleet.ErrVersion) {
			t.Errorf("a change of what was not seen: %v", err)
		}
		if err := b.Configure(t.Context(), by, "watch-1", settings(`{"brightness":5}`), 1); err != nil {
			t.Fatal(err)
		}
		b.connect(true)
		b.mu.Lock()
		if len(b.sent) != 1 {
			t.Errorf("%d configurations were sent", len(b.sent))
		}
		var p struct {
			Args map[string]int `json:"args"`
		}
		if err := json.Unmarshal(b.sent[0].Payload, &p); err != nil || p.Args["version"] != 2 || p.Args["brightness"] != 5 {
			t.Errorf("it was told %v (%v)", p.Args, err)
		}
		b.mu.Unlock()
		c, err := b.Configuration("watch-1")
		if err != nil || c.Version != 2 || c.Reported.Version != 0 || c.Pending == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		b.answer(c.Pending.ID, acknowledged)
		b.answer(c.Pending.ID, succeeded)
		if c, err = b.Configuration("watch-1"); err != nil || c.Reported.Version != 2 || c.Pending != nil {
			t.Errorf("%+v, %v", c, err)
		}
		published := b.published()
		for range 3 { // it was reset, and says so again and again
			if err := b.Reports(t.Context(), "watch-1", 0); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := b.published() - published; n != 1 {
			t.Errorf("a device that was reset is told %d times", n)
		}
		if c, err = b.Configuration("watch-1"); err != nil || c.Reported.Version != 0 || c.Pending == nil {
			t.Errorf("%+v, %v", c, err)
		}
		for _, wrong := range []string{`{"version":1}`, `{"base_topic":"a"}`, `{"a b":1}`} {
			if err := b.Configure(t.Context(), by, "watch-1", settings(wrong), 2); !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%s: %v", wrong, err)
			}
		}
	})
}

// A device that is moved is told so by the same command: settings must not take
// its place.
func TestConfiguration_DoesNotSupersedeWhatItDoesNotSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBridge(t)
		defer func() { b.stop() }()
		moved, err := b.Send(t.Context(), by, command.Want{Device: "watch-1", Name: "config", Args: json.RawMessage(`{"base_topic":"a/b"}`)})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Configure(t.Context(), by, "watch-1", settings(`{"volume":3}`), 0); err != nil {
			t.Fatal(err)
		}
		b.connect(true)
		b.timeline(moved.ID, queued, atHub, sent)
	})
}
