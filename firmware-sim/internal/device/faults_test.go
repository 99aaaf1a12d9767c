package device

import (
	"bytes"
	"context"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

// stored gives a button the receipts of all its presses, as a hub does.
func stored(t *testing.T, d *Device, a *air) {
	t.Helper()
	for _, p := range d.Ledger().Facts().Presses {
		if !p.Receipted() && p.Sent > 0 {
			a.say(t, d.c.BaseTopic, "receipt", map[string]any{"boot_id": p.BootID, "sequence_id": p.Sequence, "stage": "stored"})
		}
	}
}

func TestSleep_WithNothingToDoItSleepsAndAPressWakesItAfterADelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{
			Type: fleet.Button, SleepAfter: 10 * time.Second, WakeDelay: Span{2 * time.Second, 2 * time.Second}, Heartbeat: time.Hour,
		})
		defer end()
		d.PowerOn()
		time.Sleep(time.Second)
		if d.Ledger().Facts().Online {
			t.Fatal("connected before its radio was up")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if f := d.Ledger().Facts(); f.Online || f.Sleeps != 1 || f.Connections != 1 || a.goodbyes != 1 || f.Lost != 0 {
			t.Fatalf("does not sleep: %+v, %d goodbyes", f, a.goodbyes)
		}
		d.Press(PressKind{})
		time.Sleep(time.Second)
		if len(a.sent("/press")) != 0 {
			t.Fatal("sent before its radio was up")
		}
		time.Sleep(30 * time.Second)
		if f := d.Ledger().Facts(); !f.Online || len(a.sent("/press")) == 0 {
			t.Fatalf("sleeps with a press that has no receipt: %+v", f)
		}
		stored(t, d, a)
		time.Sleep(30 * time.Second)
		if f := d.Ledger().Facts(); f.Online || f.Sleeps != 2 {
			t.Fatalf("%+v", f)
		}
		time.Sleep(time.Hour)
		if f := d.Ledger().Facts(); f.Connections < 3 || f.Online {
			t.Fatalf("its heartbeat did not wake it: %+v", f)
		}
	})
}

func TestBrownOut_AWeakBatteryRestartsTheDeviceWhichSaysWhyAndLosesNoPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, Battery: 4, BrownOutBelow: 10, BrownOuts: 0.4, Seed: 3})
		defer end()
		d.PowerOn()
		time.Sleep(30 * time.Second)
		d.Press(PressKind{})
		time.Sleep(30 * time.Second)
		f := d.Ledger().Facts()
		if f.BrownOuts == 0 || f.Boots < 2 || len(a.sent("/press")) == 0 {
			t.Fatalf("%d brown-outs, %d boots, %d sends", f.BrownOuts, f.Boots, len(a.sent("/press")))
		}
		if reasons := field(t, a.sent("/status"), "reset_reason"); !slices.Contains(reasons, "brown_out") {
			t.Errorf("reasons %v", reasons)
		}
		if levels := field(t, a.sent("/status"), "battery"); levels[0] != "4" || f.Battery == nil || *f.Battery != 4 {
			t.Errorf("battery %v", levels)
		}
	})
}

func TestBrownOut_AGoodBatteryHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, end := live(t, Config{Type: fleet.Button, Battery: 60, BrownOutBelow: 10, BrownOuts: 1})
		defer end()
		d.PowerOn()
		d.Press(PressKind{})
		time.Sleep(time.Minute)
		if f := d.Ledger().Facts(); f.BrownOuts != 0 || f.Boots != 1 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestBattery_DrainsAndTheHeartbeatsSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, Battery: 20, Drain: 600, Heartbeat: 10 * time.Second})
		defer end()
		d.PowerOn()
		time.Sleep(65 * time.Second)
		levels := field(t, a.sent("/heartbeat"), "battery")
		if len(levels) < 5 || *d.Ledger().Facts().Battery > 12 {
			t.Fatalf("%v", levels)
		}
	})
}

func TestStuck_PressesForEverAlsoAfterARestartUntilItIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, StuckEvery: Span{2 * time.Second, 2 * time.Second}})
		defer end()
		d.PowerOn()
		time.Sleep(time.Minute)
		if len(a.sent("/press")) != 0 {
			t.Fatal("presses before anybody did")
		}
		d.Press(PressKind{})
		time.Sleep(21 * time.Second)
		if n := len(d.Ledger().Facts().Presses); n != 11 {
			t.Fatalf("%d presses", n)
		}
		stored(t, d, a)
		d.Crash(time.Second)
		time.Sleep(10 * time.Second)
		if n := len(d.Ledger().Facts().Presses); n < 14 {
			t.Fatalf("%d presses after the restart", n)
		}
		d.Mend()
		synctest.Wait()
		n := len(d.Ledger().Facts().Presses)
		time.Sleep(time.Minute)
		d.Press(PressKind{})
		time.Sleep(time.Minute)
		if now := len(d.Ledger().Facts().Presses); now != n+1 {
			t.Fatalf("%d presses, then %d", n, now)
		}
	})
}

func TestBounce_OnePushIsSeveralPressesWithinMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, BootIDs: true, Bounces: Amount{2, 2}, Clock: NewClock(100)})
		defer end()
		d.PowerOn()
		synctest.Wait()
		d.Press(PressKind{})
		time.Sleep(30 * time.Millisecond)
		if diff := cmp.Diff([]string{"1", "2", "3"}, field(t, a.sent("/press"), "sequence_id")); diff != "" {
			t.Fatal(diff)
		}
		p := d.Ledger().Facts().Presses
		if apart := p[2].MadeAt.Sub(p[0].MadeAt); apart == 0 || apart > 20*time.Millisecond {
			t.Errorf("%s apart", apart)
		}
	})
}

func TestImpatience_TheGuestPressesAgainUntilTheLampSaysThatSomebodyComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{
			Type: fleet.Button, BootIDs: true, Impatience: Amount{4, 4}, ImpatientEvery: Span{time.Second, time.Second},
		})
		defer end()
		d.PowerOn()
		d.Press(PressKind{})
		time.Sleep(1500 * time.Millisecond)
		newest := d.Ledger().Facts().Presses[1]
		a.say(t, d.c.BaseTopic, "receipt", map[string]any{"boot_id": newest.BootID, "sequence_id": 2, "stage": "accepted"})
		time.Sleep(10 * time.Second)
		if n := len(d.Ledger().Facts().Presses); n != 2 {
			t.Fatalf("%d presses", n)
		}
		d.Press(PressKind{})
		time.Sleep(10 * time.Second)
		if n := len(d.Ledger().Facts().Presses); n != 7 {
			t.Fatalf("%d presses when nobody came", n)
		}
	})
}

func TestDoze_TheRadioIsOffForAWhileWithoutAWordAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{
			Type: fleet.Watch, DozeAfter: Span{20 * time.Second, 20 * time.Second}, DozeFor: Span{10 * time.Second, 10 * time.Second},
		})
		defer end()
		d.PowerOn()
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if f := d.Ledger().Facts(); f.Online || f.Dozes != 1 || f.Lost != 0 || a.goodbyes != 0 {
			t.Fatalf("%+v, %d goodbyes", f, a.goodbyes)
		}
		time.Sleep(10 * time.Second)
		if f := d.Ledger().Facts(); !f.Online || f.Connections != 2 {
			t.Fatalf("%+v", f)
		}
		time.Sleep(time.Minute)
		if f := d.Ledger().Facts(); f.Dozes != 3 {
			t.Fatalf("%d dozes", f.Dozes)
		}
	})
}

func TestHearing_UnsubscribedAndUnansweringWatchesHearOfNothing(t *testing.T) {
	for _, hearing := range []Hearing{Unsubscribed, Unanswering} {
		synctest.Test(t, func(t *testing.T) {
			w := &Wearer{Attention: 1}
			d, a, end := live(t, Config{Type: fleet.Watch, Hearing: hearing, Wearer: w, Heartbeat: 10 * time.Second})
			defer end()
			d.PowerOn()
			synctest.Wait()
			if a.asked.deaf != (hearing == Unsubscribed) || a.asked.mute != (hearing == Unanswering) {
				t.Errorf("%s: connects with %+v", hearing, a.asked)
			}
			if hearing == Unanswering {
				a.say(t, d.c.BaseTopic, "notify", map[string]any{"request_id": "r-1", "version": 1, "stage": "open"})
				a.say(t, d.c.BaseTopic, "locate", map[string]any{"command_id": "c-1", "name": "locate"})
			}
			time.Sleep(time.Minute)
			f := d.Ledger().Facts()
			if len(a.sent("/request/r-1"))+len(a.sent("/ack"))+len(f.Notices)+len(f.Commands) != 0 {
				t.Errorf("%s: took notice", hearing)
			}
			if f.Ignored != map[Hearing]int{Unsubscribed: 0, Unanswering: 2}[hearing] || f.Heartbeats.Sent < 5 || !f.Online {
				t.Errorf("%s: %+v", hearing, f)
			}
		})
	}
}

func TestLateAccept_AcceptsOnceWhatTheWatchKnowsToBeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &Wearer{LateAccepts: 1, Reaction: Span{time.Second, time.Second}}
		d, a, end := live(t, Config{Type: fleet.Watch, Wearer: w})
		defer end()
		d.PowerOn()
		synctest.Wait()
		notify := func(version int, stage string) {
			a.say(t, d.c.BaseTopic, "notify", map[string]any{"request_id": "r-1", "version": version, "stage": stage, "taken_by": "Anna"})
		}
		notify(1, "open")
		notify(2, "accepted")
		notify(3, "completed")
		time.Sleep(2 * time.Second)
		notify(3, "completed") // how the hub answers
		time.Sleep(time.Minute)
		said := a.sent("/request/r-1")
		if diff := cmp.Diff([]string{"accept"}, field(t, said, "action")); diff != "" {
			t.Fatal(diff)
		}
		if v := field(t, said, "version"); v[0] != "2" {
			t.Errorf("on version %s", v[0])
		}
	})
}

func TestClock_WritesWhatItSaysAndKeepsTheAgeOfAPress(t *testing.T) {
	for _, c := range []struct {
		fault   ClockFault
		dialect Dialect
		want    func(now time.Time) time.Time // 100 s after the boot
		read    bool                          // can be read as a time
	}{
		{ClockRight, Seed, func(now time.Time) time.Time { return now }, true},
		{ClockZero, Seed, func(time.Time) time.Time { return time.Unix(100, 0) }, true},
		{ClockZero, Camel, func(time.Time) time.Time { return time.Unix(100, 0) }, false},
		{ClockFuture, Seed, func(now time.Time) time.Time { return now.AddDate(10, 0, 0) }, true},
		{ClockDrifts, Seed, func(now time.Time) time.Time { return now.Add(25 * time.Second) }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, a, end := live(t, Config{Type: fleet.Button, ClockFault: c.fault, ClockDrift: 0.25, Dialect: c.dialect})
			defer end()
			d.PowerOn()
			d.Network(false)
			time.Sleep(70 * time.Second)
			d.Press(PressKind{})
			time.Sleep(30 * time.Second)
			now := time.Now()
			d.Network(true)
			synctest.Wait()
			want := c.want(now).Add(-30 * time.Second)
			f := d.Ledger().Facts().Presses[0]
			if c.read != f.DeviceTime.Equal(want) || !c.read && !f.DeviceTime.IsZero() || f.Age != 30*time.Second || !f.FirstSentAt.Equal(now) {
				t.Errorf("%s %s: want %s, got %+v", c.fault, c.dialect, want, f)
			}
			if got := fields(t, []byte(a.sent("/press")[0]))["timestamp"]; c.dialect == Camel && got != float64(want.UnixMilli()) ||
				c.dialect == Seed && got != want.UTC().Format("2006-01-02T15:04:05.000Z07:00") {
				t.Errorf("%s %s: wrote %v", c.fault, c.dialect, got)
			}
		})
	}
}

func TestHub_WhileNobodyIsThereTheDeviceTriesWithItsBackoffAndComesWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, BackoffFirst: time.Second, BackoffMost: 4 * time.Second})
		defer end()
		d.Hub(false)
		d.PowerOn()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if f := d.Ledger().Facts(); a.dials != 0 || f.Online || f.Failed < 7 || f.Failed > 20 || f.Refused != 0 {
			t.Fatalf("before the hub: %d dials, %+v", a.dials, f)
		}
		d.Hub(true)
		time.Sleep(5 * time.Second)
		if f := d.Ledger().Facts(); !f.Online {
			t.Fatalf("%+v", f)
		}
		d.Hub(false)
		time.Sleep(time.Second)
		if f := d.Ledger().Facts(); f.Online || f.Lost != 1 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestAnswers_LateTwiceAndToCommandsThatNobodySent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{
			Type: fleet.Watch, AnswerAfter: Span{30 * time.Second, 30 * time.Second}, AnswersTwice: true, StrayAnswers: true,
		})
		defer end()
		d.PowerOn()
		synctest.Wait()
		locate := map[string]any{"command_id": "c-1", "name": "locate", "expires_at": time.Now().Add(5 * time.Second)}
		a.say(t, d.c.BaseTopic, "locate", locate)
		a.say(t, d.c.BaseTopic, "locate", locate)
		d.DropLink()
		time.Sleep(29 * time.Second)
		if n := len(a.sent("/ack")); n != 0 {
			t.Fatalf("%d answers too early", n)
		}
		time.Sleep(10 * time.Second)
		ids := field(t, a.sent("/ack"), "command_id")
		known := 0
		for _, id := range ids {
			if id == "c-1" {
				known++
			}
		}
		if len(ids) != 6 || known != 4 { // acknowledged and succeeded: twice each, and once for nothing
			t.Fatalf("answers to %v", ids)
		}
		c := d.Ledger().Facts().Commands
		if at := slices.IndexFunc(c, func(c CommandFact) bool { return c.ID == "c-1" }); c[at].Acted != 1 || c[at].Times != 2 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestAnswers_ACommandThatARestartCutShortBeforeItsBeginHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Watch, AnswerAfter: Span{30 * time.Second, 30 * time.Second}})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.say(t, d.c.BaseTopic, "reset", map[string]any{"command_id": "c-1", "name": "reset"})
		d.Crash(time.Second)
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"failed"}, field(t, a.sent("/ack"), "status")); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRelay_ChildrenSpeakThroughTheRepeaterAndLoseTheirWayWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		repeater, a, end := live(t, Config{Type: fleet.Repeater})
		defer end()
		child, err := New(Config{
			ID: "btn-1", Type: fleet.Button, BaseTopic: base + "button/btn-1", BootIDs: true, BackoffFirst: time.Second, BackoffMost: 2 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		child.dial = func(context.Context, dialing) (link, error) {
			t.Error("connects by itself")
			return nil, errNobody
		}
		child.Through(repeater)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- child.Run(ctx) }()
		defer func() { cancel(); <-ended }()

		child.PowerOn()
		time.Sleep(10 * time.Second)
		if f := child.Ledger().Facts(); f.Online || f.Failed == 0 {
			t.Fatalf("without the repeater: %+v", f)
		}
		repeater.PowerOn()
		time.Sleep(5 * time.Second)
		child.Press(PressKind{})
		synctest.Wait()
		if f := child.Ledger().Facts(); !f.Online || len(a.sent("button/btn-1/press")) != 1 || !f.Presses[0].Acknowledged() {
			t.Fatalf("through the repeater: %+v", f)
		}
		if diff := cmp.Diff([]string{base + "button/btn-1/cmd/#"}, a.filters); diff != "" {
			t.Error(diff)
		}
		p := child.Ledger().Facts().Presses[0]
		a.say(t, child.c.BaseTopic, "receipt", map[string]any{"boot_id": p.BootID, "sequence_id": 1, "stage": "stored"})
		if f := child.Ledger().Facts(); f.Lamp != LampStored {
			t.Fatalf("the receipt did not come through: %+v", f)
		}
		repeater.PowerOff()
		time.Sleep(time.Second)
		child.Press(PressKind{})
		time.Sleep(10 * time.Second)
		if f := child.Ledger().Facts(); f.Online || f.Lost != 1 || len(a.sent("button/btn-1/press")) != 1 {
			t.Fatalf("the repeater is dead: %+v", f)
		}
		repeater.PowerOn()
		time.Sleep(5 * time.Second)
		if f := child.Ledger().Facts(); !f.Online || len(a.sent("button/btn-1/press")) != 2 {
			t.Fatalf("the repeater is back: %+v", f)
		}
		child.DropLink()
		time.Sleep(5 * time.Second)
		if f := child.Ledger().Facts(); !f.Online || f.Lost != 2 || !repeater.Ledger().Facts().Online {
			t.Fatalf("%+v", f)
		}
	})
}

// written keeps what is written to a connection.
type written struct {
	net.Conn
	bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) { return w.Buffer.Write(b) }

func (w *written) Read(b []byte) (int, error) { return w.Buffer.Read(b) }

func TestDup_OnlyThePublishThatIsMeantIsWrittenAgainWithTheFlag(t *testing.T) {
	w := &written{}
	c := &repeating{Conn: w}
	publish := func(topic string) []byte {
		return append([]byte{0x32, byte(len(topic)), 0, byte(len(topic))}, topic...)
	}
	for _, p := range [][]byte{publish("a/press"), {0xc0, 0}} {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	c.repeat("a/press")
	for _, p := range [][]byte{{0xc0, 0}, publish("a/status"), publish("a/press"), publish("a/press")} {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	again := publish("a/press")
	again[0] |= 0x08
	want := slices.Concat(publish("a/press"), []byte{0xc0, 0}, []byte{0xc0, 0}, publish("a/status"), publish("a/press"), again, publish("a/press"))
	if diff := cmp.Diff(want, w.Bytes()); diff != "" {
		t.Fatal(diff)
	}
}

func TestDup_APressSaysThatItGoesOutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, Dup: 1})
		defer end()
		d.PowerOn()
		d.Press(PressKind{})
		time.Sleep(35 * time.Second) // sent again twice, without
		synctest.Wait()              // for whoever writes taken
		again := []bool{}
		for _, m := range a.taken {
			if m.topic == d.c.BaseTopic+"/press" {
				again = append(again, m.again)
			}
		}
		if diff := cmp.Diff([]bool{true, false, false}, again); diff != "" {
			t.Fatal(diff)
		}
		if p := d.Ledger().Facts().Presses[0]; !p.Dup || p.Sent != 4 {
			t.Fatalf("%+v", p)
		}
	})
}
