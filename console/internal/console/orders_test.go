package console

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

type commandShown struct {
	ID     fleet.CommandID    `json:"command_id"`
	State  fleet.CommandState `json:"state"`
	Order  uint64             `json:"order"`
	Cancel uint64             `json:"cancel_order"`
	Steps  []struct {
		State fleet.CommandState `json:"state"`
	} `json:"steps"`
}

type orderShown struct {
	Number  uint64           `json:"number"`
	Kind    fleet.OrderKind  `json:"kind"`
	State   store.OrderState `json:"state"`
	Detail  string           `json:"detail"`
	Command *commandShown    `json:"command"`
}

func (h *testHub) send(device fleet.DeviceID, in map[string]any) commandShown {
	h.r.t.Helper()
	var c commandShown
	h.r.mustAPI(http.MethodPost, "/api/v1/sites/"+h.site+"/devices/"+string(device)+"/command", in, &c)
	return c
}

func (h *testHub) command(id fleet.CommandID) (c commandShown) {
	h.r.t.Helper()
	h.r.mustAPI(http.MethodGet, "/api/v1/sites/"+h.site+"/commands/"+string(id), nil, &c)
	return c
}

func (h *testHub) orderList() []orderShown {
	h.r.t.Helper()
	var page struct {
		Items []orderShown `json:"items"`
	}
	h.r.mustAPI(http.MethodGet, "/api/v1/sites/"+h.site+"/orders", nil, &page)
	slices.Reverse(page.Items)
	return page.Items
}

func (h *testHub) orderStates() (states []store.OrderState) {
	for _, o := range h.orderList() {
		states = append(states, o.State)
	}
	return states
}

// step appends what the hub does about a command that it was ordered.
func (h *testHub) step(o fleet.Order, s fleet.CommandState) {
	b := o.Body.(fleet.SendCommand)
	step := fleet.CommandStepped{Command: b.Command, State: s}
	if s == fleet.CommandAtHub || s == fleet.CommandExpired {
		step.Define = &fleet.CommandDefinition{
			Device: b.Device, Name: b.Name, Args: b.Args, IssuedBy: o.Actor, IssuedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt, Order: o.Number,
		}
	}
	h.append(fleet.Record{At: fleet.Millis(h.r.c.c.Now()), ClockTrusted: true, Actor: fleet.System("command"), Body: step})
}

func (h *testHub) answer(o fleet.Order, out fleet.OrderOutcome, detail string) {
	h.append(fleet.Record{At: fleet.Millis(h.r.c.c.Now()), ClockTrusted: true, Actor: fleet.System("uplink"), Body: fleet.OrderAnswered{
		Number: o.Number, Order: o.ID, Outcome: out, Detail: detail,
	}})
}

// ready returns a hub in session with one device.
func ready(t testing.TB, c Config) *testHub {
	t.Helper()
	r := start(t, c)
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	h.device("watch-1", fleet.Watch)
	h.pushAll()
	return h
}

func TestCommand_IsFollowedToItsEnd(t *testing.T) {
	h := ready(t, Config{})
	c := h.send("watch-1", map[string]any{"name": "locate", "args": map[string]int{"seconds": 5}})
	if got := h.command(c.ID); got.State != fleet.CommandQueued || len(got.Steps) != 1 {
		t.Errorf("at once it is %+v", got)
	}
	if _, err := h.pull(0); err != nil || len(h.orders) != 1 {
		t.Fatalf("%d orders, %v", len(h.orders), err)
	}
	if got := h.orderStates(); !slices.Equal(got, []store.OrderState{store.OrderQueued}) {
		t.Errorf("before the hub has said that it holds it: %v", got)
	}
	o := h.orders[0]
	for _, s := range []fleet.CommandState{fleet.CommandAtHub, fleet.CommandSent, fleet.CommandDelivered} {
		h.step(o, s)
		h.pushAll()
		if got := h.command(c.ID); got.State != s {
			t.Errorf("after %s it is %s", s, got.State)
		}
		if got := h.orderStates(); !slices.Equal(got, []store.OrderState{store.OrderTaken}) {
			t.Errorf("after %s the order is %v", s, got)
		}
	}
	h.step(o, fleet.CommandSucceeded)
	h.pushAll()
	if got := h.orderList(); got[0].State != store.OrderApplied || got[0].Command.State != fleet.CommandSucceeded {
		t.Errorf("at the end: %+v", got)
	}
	var page struct {
		Items []commandShown `json:"items"`
	}
	h.r.mustAPI(http.MethodGet, "/api/v1/sites/yacht-1/commands", nil, &page)
	if len(page.Items) != 1 || page.Items[0].State != fleet.CommandSucceeded {
		t.Errorf("it is listed as %+v", page.Items)
	}
	if code := h.r.api(http.MethodPost, "/api/v1/sites/yacht-1/commands/"+string(c.ID)+"/cancel", nil, nil); code != http.StatusConflict {
		t.Errorf("cancelling what has ended: %d", code)
	}
}

func TestCancel_IsAnOrderThatTheHubDecides(t *testing.T) {
	h := ready(t, Config{})
	c := h.send("watch-1", map[string]any{"name": "locate"})
	var shown commandShown
	for range 2 { // the second time it is the same
		h.r.mustAPI(http.MethodPost, "/api/v1/sites/yacht-1/commands/"+string(c.ID)+"/cancel", nil, &shown)
		if shown.State != fleet.CommandQueued || shown.Cancel != 2 {
			t.Errorf("shown as %+v", shown)
		}
	}
	if _, err := h.pull(0); err != nil || len(h.orders) != 2 {
		t.Fatalf("%d orders, %v", len(h.orders), err)
	}
	h.step(h.orders[0], fleet.CommandAtHub)
	h.step(h.orders[0], fleet.CommandCancelled)
	h.answer(h.orders[1], fleet.OrderApplied, "")
	h.pushAll()
	if got := h.orderStates(); !slices.Equal(got, []store.OrderState{store.OrderCancelled, store.OrderApplied}) {
		t.Errorf("orders are %v", got)
	}
	if got := h.command(c.ID); got.State != fleet.CommandCancelled || got.Cancel != 0 {
		t.Errorf("command is %+v", got)
	}
}

func TestOrders_RideOnThePushAndAreAnswered(t *testing.T) {
	h := ready(t, Config{})
	d := h.r.c.dispatch
	by := fleet.System("test")
	dev := fleet.Device{ID: "button-9", Type: fleet.Button, Room: "cabin-9", Profile: "button"}
	if _, err := d.PutDevice(t.Context(), by, "yacht-1", dev, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RemoveDevice(t.Context(), by, "yacht-1", "watch-1", 7, time.Hour); err != nil {
		t.Fatal(err)
	}
	h.device("button-1", fleet.Button)
	h.pushAll()
	if len(h.orders) != 2 {
		t.Fatalf("%d orders rode back", len(h.orders))
	}
	if b, ok := h.orders[0].Body.(fleet.PutDevice); !ok || b.Device.ID != "button-9" {
		t.Errorf("the first is %+v", h.orders[0])
	}
	h.answer(h.orders[0], fleet.OrderRefused, "no room")
	h.answer(h.orders[1], fleet.OrderConflict, "it has version 8")
	h.pushAll()
	if got := h.orderStates(); !slices.Equal(got, []store.OrderState{store.OrderRefused, store.OrderConflict}) {
		t.Errorf("orders are %v", got)
	}
	var site struct {
		Pending int `json:"orders_pending"`
	}
	h.r.mustAPI(http.MethodGet, "/api/v1/sites/yacht-1", nil, &site)
	if site.Pending != 0 {
		t.Errorf("%d are pending", site.Pending)
	}
}

func TestOrders_AreRefusedBeforeTheyAreMade(t *testing.T) {
	h := ready(t, Config{Dispatch: dispatch.Config{MaxPending: 2, MaxTTL: time.Hour, TTL: time.Minute}})
	path := "/api/v1/sites/yacht-1/devices/%s/command"
	for _, test := range []struct {
		device string
		in     map[string]any
		code   int
	}{
		{"nobody", map[string]any{"name": "locate"}, http.StatusNotFound},
		{"watch-1", map[string]any{"name": "a b"}, http.StatusUnprocessableEntity},
		{"watch-1", map[string]any{"name": "receipt"}, http.StatusUnprocessableEntity},
		{"watch-1", map[string]any{"name": "locate", "ttl_ms": 3_600_001}, http.StatusUnprocessableEntity},
		{"watch-1", map[string]any{"name": "locate", "ttl_ms": int64(1) << 62}, http.StatusUnprocessableEntity},
		{"watch-1", map[string]any{"name": "locate"}, http.StatusAccepted},
		{"watch-1", map[string]any{"name": "locate"}, http.StatusAccepted},
		{"watch-1", map[string]any{"name": "locate"}, http.StatusTooManyRequests},
	} {
		if code := h.r.api(http.MethodPost, fmt.Sprintf(path, test.device), test.in, nil); code != test.code {
			t.Errorf("%s %v: %d, want %d", test.device, test.in, code, test.code)
		}
	}
	h.r.mustAPI(http.MethodDelete, "/api/v1/sites/yacht-1", nil, nil)
	if code := h.r.api(http.MethodPost, fmt.Sprintf(path, "watch-1"), map[string]any{"name": "locate"}, nil); code != http.StatusConflict {
		t.Errorf("a revoked site: %d", code)
	}
	for _, path := range []string{"commands/" + fleet.NewUUID[string](time.Now()), "devices/nobody"} {
		if code := h.r.api(http.MethodGet, "/api/v1/sites/yacht-1/"+path, nil, nil); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestOrders_OfManyAtOnceHaveNoHoles(t *testing.T) {
	h := ready(t, Config{})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := h.r.c.dispatch.Send(t.Context(), fleet.System("test"), "yacht-1", dispatch.Want{Device: "watch-1", Name: "locate"})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for h.cursor < 100 {
		if _, err := h.pull(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	for i, o := range h.orders {
		if o.Number != uint64(i+1) {
			t.Fatalf("order %d has number %d", i+1, o.Number)
		}
	}
}

// bubble starts a console without a network, in a time of its own.
func bubble(t *testing.T, c Config) *rig {
	c.Listeners = Listeners{HubLink: newMemoryListener(), HTTP: newMemoryListener()}
	return start(t, c)
}

func TestOrders_EndAshoreOnlyWhenNoHubWasOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := bubble(t, Config{})
		defer r.stop()
		r.addSite("yacht-1")
		h := r.hub("yacht-1")
		h.mustHello()
		h.device("watch-1", fleet.Watch)
		h.pushAll()
		offered := h.send("watch-1", map[string]any{"name": "locate", "ttl_ms": 60_000})
		if _, err := h.pull(0); err != nil {
			t.Fatal(err)
		}
		waiting := h.send("watch-1", map[string]any{"name": "locate", "ttl_ms": 60_000})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := h.command(offered.ID); got.State != fleet.CommandQueued {
			t.Errorf("what the hub may hold is %s", got.State)
		}
		if got := h.command(waiting.ID); got.State != fleet.CommandExpired {
			t.Errorf("what no hub was offered is %s", got.State)
		}
		// The hub asks now: it gets the order with no time left, and says so.
		m, err := h.pull(0)
		if err != nil || len(h.orders) != 2 {
			t.Fatalf("%d orders, %v", len(h.orders), err)
		}
		if o := h.orders[1]; o.ExpiresAt.UnixMilli() > m.ConsoleTimeMs {
			t.Errorf("it has time until %s", o.ExpiresAt)
		}
		h.step(h.orders[0], fleet.CommandExpired)
		h.step(h.orders[1], fleet.CommandExpired)
		h.pushAll()
		for _, id := range []fleet.CommandID{offered.ID, waiting.ID} {
			if got := h.command(id); got.State != fleet.CommandExpired {
				t.Errorf("at the end %s is %s", id, got.State)
			}
		}
		if got := h.orderStates(); !slices.Equal(got, []store.OrderState{store.OrderExpired, store.OrderExpired}) {
			t.Errorf("orders are %v", got)
		}
	})
}

func TestOrders_WithAKnownEndGiveANewHubNothingToDo(t *testing.T) {
	h := ready(t, Config{})
	h.send("watch-1", map[string]any{"name": "locate"})
	if _, err := h.pull(0); err != nil {
		t.Fatal(err)
	}
	for _, s := range []fleet.CommandState{fleet.CommandAtHub, fleet.CommandSent, fleet.CommandSucceeded} {
		h.step(h.orders[0], s)
	}
	h.pushAll()
	fresh := h.r.hub("yacht-1") // a new disk: it knows of no order
	fresh.epoch = "epoch-2"
	fresh.mustHello()
	m, err := fresh.pull(0)
	if err != nil || len(fresh.orders) != 1 {
		t.Fatalf("%d orders, %v", len(fresh.orders), err)
	}
	if o := fresh.orders[0]; o.ExpiresAt.UnixMilli() > m.ConsoleTimeMs {
		t.Errorf("old work is given with time until %s", o.ExpiresAt)
	}
}
