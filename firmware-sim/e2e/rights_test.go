package e2e

import (
	"context"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// heard is what came to a client, in its order.
type heard struct {
	mu  sync.Mutex // guards all
	all []string   // payloads
}

func (h *heard) take(_ string, payload []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, string(payload))
	return false
}

func (h *heard) has(payload string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range h.all {
		if v == payload {
			return true
		}
	}
	return false
}

// denied reports whether rights have said no to an action of a client.
func denied(api *api, client, action string) bool {
	for _, d := range api.denials(client) {
		if d.Kind == "denied" && d.Action == action {
			return true
		}
	}
	return false
}

// A change of the rules over REST reaches a client that is connected: it loses
// the subscription, and gets neither what is retained nor what is queued.
func TestRights_ChangeTakesASubscriptionRetainedAndQueuedMessagesAway(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	profile := map[string]any{"profile_name": "ears", "acl_pattern": []rule{
		{"subscribePattern", "obedio/${site}/+/sensor/#", true}, {"publishClientReceive", "obedio/${site}/+/sensor/#", true},
		{"subscribePattern", "obedio/${site}/${room}/${type}/${device_id}/cmd/#", true},
		{"publishClientReceive", "obedio/${site}/${room}/${type}/${device_id}/cmd/#", true},
	}}
	resp, b := api.do(http.MethodPost, "/api/v1/security/profiles", profile)
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s", resp.Status, b)
	}
	// Of three clients one is connected, one absent with a session, and one comes
	// afterwards to what is retained.
	live, absent, late := api.addTo("ears", "ear-live", "watch", "bridge"), api.addTo("ears", "ear-absent", "watch", "bridge"), api.addTo("ears", "ear-late", "watch", "bridge")
	liveC := dialWire(t, hub.Listeners["mqtt"], live, hello{version: 5})
	liveC.subscribe(t, "obedio/yacht-1/+/sensor/#", 1)
	got := &heard{}
	go func() { _ = liveC.read(got.take) }()
	absentC := dialWire(t, hub.Listeners["mqtt"], absent, hello{version: 5, keep: true})
	absentC.subscribe(t, "obedio/yacht-1/+/sensor/#", 1)
	_ = absentC.Close()
	waitFor(t, 20*time.Second, "the absent one to be absent", func() bool { return api.counters().Connected == 1 })

	sensor := dial(t, hub.Listeners["mqtt"], api.addDevice("sensor-001", "sensor", "store"))
	say := func(action, payload string, retain bool) {
		t.Helper()
		if tok := sensor.Publish(sensor.Base+"/"+action, 1, retain, payload); !tok.WaitTimeout(20*time.Second) || tok.Error() != nil {
			t.Fatalf("publish: %v", tok.Error())
		}
	}
	say("status", `{"battery":1}`, true)
	say("metrics", `{"n":1}`, false)
	waitFor(t, 20*time.Second, "both messages", func() bool { return got.has(`{"battery":1}`) && got.has(`{"n":1}`) })

	subscriptions := func(id string) []string {
		t.Helper()
		var d struct {
			Subscriptions []string `json:"mqtt_subscriptions"`
		}
		api.call(http.MethodGet, "/api/v1/devices/"+id, nil, &d)
		return d.Subscriptions
	}
	if s := subscriptions(live.ID); len(s) != 1 {
		t.Fatalf("subscriptions %v", s)
	}
	profile["acl_pattern"] = profile["acl_pattern"].([]rule)[2:]
	delete(profile, "profile_name")
	changed := time.Now()
	if resp, b := api.do(http.MethodPut, "/api/v1/security/profiles/ears", profile, "If-Match", resp.Header.Get("ETag")); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, b)
	}
	waitFor(t, 20*time.Second, "the subscription to be taken away", func() bool { return len(subscriptions(live.ID)) == 0 })
	took := time.Since(changed)
	t.Logf("the subscription was gone %s after the request to change the rules", took.Round(time.Millisecond))
	if !denied(api, live.ID, "subscribe") {
		t.Errorf("not among the denials: %+v", api.denials(live.ID))
	}

	// What is said now comes to none of them; what is meant for each comes after
	// it, in its place.
	say("metrics", `{"n":2}`, false)
	command := func(d device) string {
		t.Helper()
		var c commandView
		api.call(http.MethodPost, "/api/v1/devices/"+d.ID+"/command", map[string]any{"name": "locate"}, &c)
		return c.ID
	}
	if _, err := liveC.Write(liveC.subscription(7, 1, live.Base+"/cmd/#")); err != nil {
		t.Fatal(err)
	}
	id := command(live)
	hasCommand := func(h *heard, id string) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.all) > 0 && strings.Contains(h.all[len(h.all)-1], id)
	}
	waitFor(t, 20*time.Second, "the live one's command", func() bool { return hasCommand(got, id) })
	if got.has(`{"n":2}`) {
		t.Errorf("the live one still hears: %v", got.all)
	}

	// The absent one comes back to its session, and the late one for the first time.
	for _, d := range []device{absent, late} {
		c := dialWire(t, hub.Listeners["mqtt"], d, hello{version: 5, keep: true})
		h := &heard{}
		go func() { _ = c.read(h.take) }()
		if _, err := c.Write(c.subscription(3, 1, "obedio/yacht-1/+/sensor/#", d.Base+"/cmd/#")); err != nil {
			t.Fatal(err)
		}
		id := command(d)
		waitFor(t, 20*time.Second, "the command of "+d.ID, func() bool { return hasCommand(h, id) })
		h.mu.Lock()
		for _, payload := range h.all { // the command may come again until it is answered
			if !strings.Contains(payload, id) {
				t.Errorf("%s hears %s", d.ID, payload)
			}
		}
		h.mu.Unlock()
		t.Logf("%s got its command and nothing of what is retained or was queued; denials %+v", d.ID, api.denials(d.ID))
	}
	if !denied(api, absent.ID, "publish_receive") {
		t.Error("what was queued is gone, and nothing says so")
	}
}

// The tools for Mosquitto find its $SYS topics, if they may.
func TestSys_HasMosquittosNamesForWhoMayReadThem(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	reader, other := api.addTo(api.wide("wide"), "reader", "watch", "bridge"), api.addDevice("other", "watch", "bridge")
	host, port, err := net.SplitHostPort(hub.Listeners["mqtt"])
	if err != nil {
		t.Fatal(err)
	}
	sub := func(d device, more ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		args := append([]string{"-h", host, "-p", port, "-i", d.ID, "-u", d.ID, "-P", d.Password, "-t", "$SYS/broker/#"}, more...)
		out, _ := exec.CommandContext(ctx, "mosquitto_sub", args...).CombinedOutput() // its code is that of the time-out
		return string(out)
	}
	want := []string{
		"version", "uptime", "clients/total", "clients/connected", "clients/disconnected", "clients/maximum", "clients/expired",
		"messages/received", "messages/sent", "messages/stored", "store/messages/count", "store/messages/bytes",
		"publish/messages/received", "publish/messages/sent", "publish/messages/dropped", "publish/bytes/received", "publish/bytes/sent",
		"bytes/received", "bytes/sent", "retained messages/count", "subscriptions/count", "shared_subscriptions/count",
		"load/messages/received/1min", "load/bytes/sent/15min", "load/connections/5min",
	}
	out := sub(reader, "-F", "%t=%p", "-W", "2")
	values := map[string]string{}
	for line := range strings.Lines(out) {
		name, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[strings.TrimPrefix(name, "$SYS/broker/")] = v
	}
	for _, name := range want {
		if values[name] == "" {
			t.Errorf("no $SYS/broker/%s", name)
		}
	}
	t.Logf("%d topics; clients/connected %s, uptime %s, messages/received %s", len(values), values["clients/connected"], values["uptime"], values["messages/received"])
	if out := sub(other, "-W", "2"); strings.Contains(out, "uptime") || strings.Contains(out, "seconds") || !strings.Contains(out, "denied") {
		t.Errorf("who has no rule for it gets %q", out)
	}
	if n := api.denials("other"); len(n) == 0 || n[0].Action != "subscribe" || n[0].Topic != "$SYS/broker/#" {
		t.Errorf("denials %+v", n)
	}
}
