package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

// air is the other end of all connections of a device: it takes messages, and
// acknowledges them unless it is told not to.
type air struct {
	mu       sync.Mutex
	taken    []message
	goodbyes int
	up       *airLink
	dials    int
	refuse   error
	silent   bool // no PUBACK
	asked    dialing
	filters  []string // besides those of dialing
}

type airLink struct {
	air     *air
	receive func(string, []byte, bool)
	gone    chan struct{}
	once    sync.Once
}

func (a *air) dial(_ context.Context, d dialing) (link, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dials++
	if a.refuse != nil {
		return nil, a.refuse
	}
	a.asked = d
	a.up = &airLink{air: a, receive: d.receive, gone: make(chan struct{})}
	return a.up, nil
}

func (l *airLink) publish(ctx context.Context, m message) error {
	l.air.mu.Lock()
	silent := l.air.silent
	l.air.taken = append(l.air.taken, m)
	l.air.mu.Unlock()
	if silent {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.gone:
			return errLost
		}
	}
	return nil
}

func (l *airLink) subscribe(_ context.Context, filter string) error {
	l.air.mu.Lock()
	defer l.air.mu.Unlock()
	l.air.filters = append(l.air.filters, filter)
	return nil
}

func (l *airLink) goodbye() {
	l.air.mu.Lock()
	l.air.goodbyes++
	l.air.mu.Unlock()
	l.cut()
}

func (l *airLink) cut() { l.once.Do(func() { close(l.gone) }) }

func (l *airLink) lost() <-chan struct{} { return l.gone }

// say sends the device a message, as the hub does.
func (a *air) say(t *testing.T, base, name string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	up := a.up
	a.mu.Unlock()
	up.receive(base+"/cmd/"+name, b, false)
	synctest.Wait()
}

// sent returns the payloads on topics that end so.
func (a *air) sent(tail string) (payloads []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.taken {
		if strings.HasSuffix(m.topic, tail) {
			payloads = append(payloads, string(m.payload))
		}
	}
	return payloads
}

// field is one field of each payload, as text.
func field(t *testing.T, payloads []string, name string) (values []string) {
	t.Helper()
	for _, p := range payloads {
		values = append(values, fmt.Sprint(fields(t, []byte(p))[name]))
	}
	return values
}

const base = "obedio/yacht-1/cabin-101/"

// live starts a device in the bubble of a test.
func live(t *testing.T, c Config) (*Device, *air, func()) {
	t.Helper()
	c.ID, c.BaseTopic = "dev-1", base+string(c.Type)+"/dev-1"
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	a := &air{}
	d.dial = a.dial
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, a, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("device ended with %v", err)
		}
		synctest.Wait()
	}
}

func TestButton_SendsTheSamePressUntilItsReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, BootIDs: true})
		defer end()
		d.PowerOn()
		d.Press(PressKind{})
		time.Sleep(45 * time.Second)
		presses := a.sent("/press")
		if len(presses) != 3 { // at 0, 10 and 30 s
			t.Fatalf("%d sends", len(presses))
		}
		if slices.ContainsFunc(presses, func(p string) bool { return p != presses[0] }) {
			t.Fatalf("the payload changed: %v", presses)
		}
		if f := d.Ledger().Facts(); f.Lamp != LampWaiting || !f.Presses[0].Acknowledged() || f.Presses[0].Receipted() {
			t.Fatalf("a PUBACK is no receipt: %+v", f)
		}
		press := d.Ledger().Facts().Presses[0]
		a.say(t, d.c.BaseTopic, "receipt", map[string]any{"boot_id": press.BootID, "sequence_id": 1, "stage": "stored"})
		time.Sleep(time.Hour)
		if n := len(a.sent("/press")); n != 3 {
			t.Fatalf("%d sends after the receipt", n)
		}
		if f := d.Ledger().Facts(); f.Lamp != LampStored || f.Presses[0].Sent != 3 || len(f.Presses[0].Receipts) != 1 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestButton_ALatePressSaysWhenItWasMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		d, a, end := live(t, Config{Type: fleet.Button})
		defer end()
		d.Network(false)
		d.PowerOn()
		time.Sleep(10 * time.Second)
		d.Press(PressKind{})
		time.Sleep(2 * time.Minute)
		if len(a.sent("/press")) != 0 {
			t.Fatal("sent without a network")
		}
		d.Network(true)
		synctest.Wait()
		at := field(t, a.sent("/press"), "timestamp")
		if len(at) == 0 || at[0] != began.Add(10*time.Second).UTC().Format("2006-01-02T15:04:05.000Z07:00") {
			t.Fatalf("timestamps %v", at)
		}
		if p := d.Ledger().Facts().Presses[0]; p.Age != 2*time.Minute {
			t.Fatalf("age %s", p.Age)
		}
	})
}

func TestButton_InFastTimeALatePressIsAsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button, Clock: NewClock(60)})
		defer end()
		d.Network(false)
		d.PowerOn()
		d.Press(PressKind{})
		time.Sleep(5 * time.Second) // five minutes for the device
		now := time.Now()
		d.Network(true)
		synctest.Wait()
		if at := field(t, a.sent("/press"), "timestamp"); len(at) == 0 || at[0] != now.Add(-5*time.Minute).UTC().Format("2006-01-02T15:04:05.000Z07:00") {
			t.Fatalf("timestamps %v at %s", at, now)
		}
	})
}

func TestButton_WithoutBootIDCountsFromOneAfterARestartAndKeepsItsPresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button})
		d.PowerOn()
		d.Press(PressKind{})
		d.Press(PressKind{})
		synctest.Wait()
		d.Crash(time.Second)
		time.Sleep(2 * time.Second)
		d.Press(PressKind{})
		synctest.Wait()
		end()
		if diff := cmp.Diff([]string{"1", "2", "1", "2", "1"}, field(t, a.sent("/press"), "sequence_id")); diff != "" {
			t.Fatal(diff)
		}
		reasons := field(t, a.sent("/status"), "reset_reason")
		if diff := cmp.Diff([]string{"power_on", "panic", "<nil>"}, reasons); diff != "" { // the last one is the goodbye
			t.Fatal(diff)
		}
		if saved := d.Saved(); len(saved.Outbox) != 3 || saved.Boots != 2 {
			t.Fatalf("%+v", saved)
		}
	})
}

func TestDevice_ConnectsAgainWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Sensor, BackoffFirst: time.Second, BackoffMost: 8 * time.Second})
		defer end()
		a.refuse = errors.New("nobody there")
		d.PowerOn()
		time.Sleep(time.Minute)
		a.mu.Lock()
		dials := a.dials
		a.refuse = nil
		a.mu.Unlock()
		// At least 8 s/2 apart in the end, at most 8 s: 1+2+4 and then 6 to 13 more.
		if dials < 8 || dials > 20 {
			t.Fatalf("%d tries in a minute", dials)
		}
		time.Sleep(9 * time.Second)
		if f := d.Ledger().Facts(); !f.Online || f.Connections != 1 || f.LastError == "" {
			t.Fatalf("%+v", f)
		}
		d.DropLink()
		time.Sleep(2 * time.Second)
		if f := d.Ledger().Facts(); !f.Online || f.Connections != 2 || f.Lost != 1 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestDevice_GivesUpAConnectionWithoutPUBACKs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button})
		defer end()
		a.silent = true
		d.PowerOn()
		time.Sleep(11 * time.Second)
		if f := d.Ledger().Facts(); f.Lost != 1 || f.Statuses.Acknowledged != 0 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestDevice_EndsWithAGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button})
		d.PowerOn()
		synctest.Wait()
		end()
		if online := field(t, a.sent("/status"), "online"); a.goodbyes != 1 || online[len(online)-1] != "false" {
			t.Fatalf("%d goodbyes, online %v", a.goodbyes, online)
		}
		d.PowerOn() // does nothing, and does not hang
	})
}

func TestWatch_AcceptsAfterAWhileAndCompletesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &Wearer{Attention: 1, Reaction: Span{5 * time.Second, 5 * time.Second}, Work: Span{time.Minute, time.Minute}}
		d, a, end := live(t, Config{Type: fleet.Watch, Name: "Anna", Wearer: w})
		defer end()
		d.PowerOn()
		synctest.Wait()
		notify := func(version int, stage, by string) {
			a.say(t, d.c.BaseTopic, "notify", map[string]any{"request_id": "r-1", "version": version, "stage": stage, "taken_by": by})
		}
		notify(1, "open", "")
		time.Sleep(4 * time.Second)
		if len(a.sent("/request/r-1")) != 0 {
			t.Fatal("reacted too early")
		}
		time.Sleep(2 * time.Second)
		notify(1, "open", "") // crosses the accept on its way
		notify(2, "accepted", "Anna")
		time.Sleep(2 * time.Minute)
		said := a.sent("/request/r-1")
		if diff := cmp.Diff([]string{"accept", "complete"}, field(t, said, "action")); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff([]string{"1", "2"}, field(t, said, "version")); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestWatch_IsSilentWhenSomebodyElseHasTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &Wearer{Attention: 1, Reaction: Span{5 * time.Second, 5 * time.Second}}
		d, a, end := live(t, Config{Type: fleet.Watch, Wearer: w})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.say(t, d.c.BaseTopic, "notify", map[string]any{"request_id": "r-1", "version": 1, "stage": "open"})
		a.say(t, d.c.BaseTopic, "notify", map[string]any{"request_id": "r-1", "version": 2, "stage": "accepted", "taken_by": "watch-9"})
		time.Sleep(time.Hour)
		if said := a.sent("/request/r-1"); len(said) != 0 {
			t.Fatalf("said %v", said)
		}
		if n := d.Ledger().Facts().Notices; len(n) != 2 || n[1].TakenBy != "watch-9" {
			t.Fatalf("%+v", n)
		}
	})
}

func TestWatch_ABusyWearerTakesTheNextRequestAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &Wearer{Attention: 1, Reaction: Span{time.Second, time.Second}, Work: Span{time.Minute, time.Minute}, AtOnce: 1}
		d, a, end := live(t, Config{Type: fleet.Watch, Wearer: w})
		defer end()
		d.PowerOn()
		synctest.Wait()
		notify := func(id string, version int, stage, by string) {
			a.say(t, d.c.BaseTopic, "notify", map[string]any{"request_id": id, "version": version, "stage": stage, "taken_by": by})
		}
		notify("r-1", 1, "open", "")
		time.Sleep(2 * time.Second)
		notify("r-1", 2, "accepted", "dev-1")
		notify("r-2", 1, "open", "")
		time.Sleep(30 * time.Second)
		if len(a.sent("/request/r-2")) != 0 {
			t.Fatal("took a second one while busy")
		}
		time.Sleep(time.Minute)
		notify("r-1", 3, "completed", "dev-1")
		time.Sleep(2 * time.Second)
		if diff := cmp.Diff([]string{"accept"}, field(t, a.sent("/request/r-2"), "action")); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCommand_IsCarriedOutOnceAndAnsweredEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Watch})
		defer end()
		d.PowerOn()
		synctest.Wait()
		locate := map[string]any{"command_id": "c-1", "name": "locate", "expires_at": time.Now().Add(time.Hour)}
		a.say(t, d.c.BaseTopic, "locate", locate)
		time.Sleep(5 * time.Second)
		a.say(t, d.c.BaseTopic, "locate", locate)
		if diff := cmp.Diff([]string{"acknowledged", "succeeded", "succeeded"}, field(t, a.sent("/ack"), "status")); diff != "" {
			t.Fatal(diff)
		}
		if c := d.Ledger().Facts().Commands; len(c) != 1 || c[0].Times != 2 || c[0].Acted != 1 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestCommand_ResetSucceedsWhenTheDeviceIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Button})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.say(t, d.c.BaseTopic, "reset", map[string]any{"command_id": "c-1", "name": "reset", "expires_at": time.Now().Add(time.Hour)})
		time.Sleep(10 * time.Second)
		if diff := cmp.Diff([]string{"acknowledged", "succeeded"}, field(t, a.sent("/ack"), "status")); diff != "" {
			t.Fatal(diff)
		}
		if f := d.Ledger().Facts(); f.Boots != 2 || f.Commands[0].Acted != 1 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestCommand_UnknownOrTooLateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Sensor})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.say(t, d.c.BaseTopic, "dance", map[string]any{"command_id": "c-1", "name": "dance"})
		a.say(t, d.c.BaseTopic, "locate", map[string]any{"command_id": "c-2", "name": "locate", "expires_at": time.Now().Add(-time.Second)})
		a.say(t, d.c.BaseTopic, "locate", "no object")
		if diff := cmp.Diff([]string{"failed", "failed"}, field(t, a.sent("/ack"), "status")); diff != "" {
			t.Fatal(diff)
		}
		if f := d.Ledger().Facts(); f.Unreadable != 1 || f.Commands[0].Acted+f.Commands[1].Acted != 0 {
			t.Fatalf("%+v", f)
		}
	})
}

func TestCommand_ConfigChangesTheHeartbeatAndIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Watch, Heartbeat: time.Minute})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.say(t, d.c.BaseTopic, "config", map[string]any{"command_id": "c-1", "name": "config", "args": map[string]any{"heartbeat_s": 5}})
		d.Crash(time.Second)
		time.Sleep(time.Minute + 2*time.Second)
		if n := len(a.sent("/heartbeat")); n < 9 || n > 15 {
			t.Fatalf("%d heartbeats in a minute", n)
		}
	})
}

func TestCommand_ConfigVersionIsReportedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Watch, Heartbeat: time.Minute})
		defer end()
		d.PowerOn()
		synctest.Wait()
		a.say(t, d.c.BaseTopic, "config", map[string]any{"command_id": "c-1", "name": "config", "args": map[string]any{"heartbeat_s": 5, "version": 3}})
		// What says only where the device is leaves the rest as it was.
		a.say(t, d.c.BaseTopic, "config", map[string]any{"command_id": "c-2", "name": "config", "args": map[string]any{"room": "bridge"}})
		d.Crash(time.Second)
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"0", "3"}, field(t, a.sent("/status"), "config_version")); diff != "" {
			t.Fatal(diff)
		}
		if n := len(a.sent("/heartbeat")); n < 9 {
			t.Errorf("%d heartbeats in a minute", n)
		}
		a.say(t, d.c.BaseTopic, "config", map[string]any{"command_id": "c-3", "name": "config", "args": "no object"})
		if s := field(t, a.sent("/ack"), "status"); s[len(s)-1] != "failed" {
			t.Errorf("answered %v", s)
		}
	})
}

func TestCommand_ConfigThatMovesTheDeviceIsAnsweredAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Watch, Heartbeat: time.Minute})
		defer end()
		d.PowerOn()
		synctest.Wait()
		old := d.c.BaseTopic
		base := strings.Replace(old, "/"+strings.Split(old, "/")[2]+"/", "/bridge/", 1)
		a.say(t, old, "config", map[string]any{"command_id": "c-1", "name": "config", "args": map[string]any{"base_topic": base + "-of-another"}})
		a.say(t, old, "config", map[string]any{"command_id": "c-2", "name": "config", "args": map[string]any{"base_topic": base}})
		time.Sleep(2 * time.Minute)
		if d.Saved().BaseTopic != base {
			t.Fatalf("is in %s", d.Saved().BaseTopic)
		}
		if n := len(a.sent(base + "/heartbeat")); n == 0 {
			t.Error("sends nothing from its new place")
		}
		if states := field(t, a.sent("/ack"), "status"); !slices.Contains(states, "succeeded") {
			t.Errorf("answered %v", states)
		}
	})
}

func TestSensor_SendsBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, end := live(t, Config{Type: fleet.Sensor, Metrics: time.Second, Batch: 3})
		defer end()
		d.PowerOn()
		time.Sleep(10 * time.Second)
		sent := a.sent("/metrics")
		if len(sent) < 2 {
			t.Fatalf("%d messages", len(sent))
		}
		var batch []map[string]any
		if err := json.Unmarshal([]byte(sent[0]), &batch); err != nil || len(batch) != 3 || batch[0]["temperature_c"] == nil {
			t.Fatalf("%s: %v", sent[0], err)
		}
	})
}

func TestNew_RefusesABaseTopicOfAnotherDevice(t *testing.T) {
	_, err := New(Config{ID: "btn-1", Type: fleet.Button, BaseTopic: "obedio/yacht-1/cabin-101/button/btn-2"})
	if !errors.Is(err, fleet.ErrInvalid) {
		t.Fatalf("%v", err)
	}
}
