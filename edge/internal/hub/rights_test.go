package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/store"
)

// rig is a hub that runs, with MQTT on a real socket.
type rig struct {
	*testing.T
	hub   *hub.Hub
	mqtt  string
	local string // address of the API as the machine itself has it
}

func start(t *testing.T) *rig { return startWith(t, func(*hub.Config) {}) }

func startWith(t *testing.T, change func(*hub.Config)) *rig {
	t.Helper()
	var ls [2]net.Listener
	for i := range ls {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ls[i] = l
	}
	c := hub.Config{Data: "hub", Site: "yacht-1", FS: store.InMemory(), Listeners: hub.Listeners{MQTT: ls[0], Local: ls[1]}}
	change(&c)
	h, err := hub.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	<-h.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop hub: %v", err)
		}
	})
	return &rig{T: t, hub: h, mqtt: "tcp://" + ls[0].Addr().String(), local: "http://" + ls[1].Addr().String()}
}

// answer is an HTTP answer.
type answer struct {
	code int
	etag string
	body map[string]any
}

// ask makes a request as the machine itself does; header is name, value, ….
func (r *rig) ask(method, path string, in any, header ...string) answer {
	r.Helper()
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			r.Fatal(err)
		}
	}
	server := r.hub.API().LocalServer()
	q := httptest.NewRequestWithContext(server.ConnContext(r.Context(), nil), method, "http://localhost/api/v1"+path, bytes.NewReader(body))
	q.RemoteAddr = "@"
	if in == nil {
		q.Body, q.ContentLength = http.NoBody, 0
	} else {
		q.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	server.Handler.ServeHTTP(w, q)
	a := answer{code: w.Code, etag: w.Header().Get("ETag")}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			r.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return a
}

// want asks and fails unless the answer has the status.
func (r *rig) want(code int, method, path string, in any, header ...string) answer {
	r.Helper()
	a := r.ask(method, path, in, header...)
	if a.code != code {
		r.Fatalf("%s %s: %d, want %d: %v", method, path, a.code, code, a.body)
	}
	return a
}

// device registers a button with a password.
func (r *rig) device(id string) {
	r.Helper()
	r.want(http.StatusCreated, "POST", "/devices", map[string]any{
		"device_id": id, "type": "button", "room": "deck-3", "password": "pass-" + id,
	})
}

// client is an MQTT client of a device.
type client struct {
	mqtt.Client
	got  chan mqtt.Message
	lost chan struct{}
}

func (r *rig) connect(id string) (*client, error) { return r.connectWith(id, "pass-"+id) }

func (r *rig) connectWith(id, password string) (*client, error) {
	c := &client{got: make(chan mqtt.Message, 64), lost: make(chan struct{})}
	o := mqtt.NewClientOptions().AddBroker(r.mqtt).SetClientID(id).SetUsername(id).SetPassword(password).
		SetAutoReconnect(false).SetConnectTimeout(5 * time.Second).SetProtocolVersion(4).
		SetConnectionLostHandler(func(mqtt.Client, error) { close(c.lost) }).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { c.got <- m })
	c.Client = mqtt.NewClient(o)
	t := c.Connect()
	t.Wait()
	return c, t.Error()
}

func (r *rig) dial(id string) *client {
	r.Helper()
	c, err := r.connect(id)
	if err != nil {
		r.Fatalf("connect %s: %v", id, err)
	}
	r.Cleanup(func() { c.Disconnect(0) })
	return c
}

// subscribe returns the granted QoS, 128 for no.
func (r *rig) subscribe(c *client, filter string) byte {
	r.Helper()
	t := c.Subscribe(filter, 1, nil).(*mqtt.SubscribeToken)
	t.Wait() // a refusal is an error of the token too
	return t.Result()[filter]
}

// until waits for something that must happen; what it takes is logged, and the
// limit is only there so that a test which fails ends.
func (r *rig) until(what string, happened func() bool) {
	r.Helper()
	begun := time.Now()
	for !happened() {
		if time.Since(begun) > 20*time.Second {
			r.Fatalf("not %s", what)
		}
		runtime.Gosched()
	}
	r.Logf("%s after %v", what, time.Since(begun).Round(time.Millisecond))
}

const base = "obedio/yacht-1/deck-3/button/"

func TestProfiles_ChangeNeedsTheETagThatItWasMadeOn(t *testing.T) {
	r := start(t)
	one := r.want(200, "GET", "/security/profiles/button", nil)
	if one.etag != `"v0"` || one.body["built_in"] != true || one.body["max_qos"] != 1.0 {
		t.Fatalf("%+v", one)
	}
	change := map[string]any{"max_qos": 0, "sign_messages": true}
	r.want(428, "PUT", "/security/profiles/button", change)
	r.want(412, "PUT", "/security/profiles/button", change, "If-Match", `"v7"`)
	two := r.want(200, "PUT", "/security/profiles/button", change, "If-Match", one.etag)
	if two.etag != `"v1"` || two.body["built_in"] != false || two.body["max_qos"] != 0.0 || two.body["sign_messages"] != true || len(two.body["acl_pattern"].([]any)) == 0 {
		t.Fatalf("%+v", two)
	}
	r.want(412, "DELETE", "/security/profiles/button", nil, "If-Match", one.etag)
	r.want(204, "DELETE", "/security/profiles/button", nil, "If-Match", two.etag)
	if back := r.want(200, "GET", "/security/profiles/button", nil); back.body["built_in"] != true || back.etag != `"v2"` {
		t.Fatalf("%+v", back)
	}

	made := r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "quiet", "retain": "nothing"}, "Idempotency-Key", "k-1")
	if again := r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "quiet", "retain": "nothing"}, "Idempotency-Key", "k-1"); again.etag != made.etag {
		t.Errorf("the same key: %+v", again)
	}
	r.want(409, "POST", "/security/profiles", map[string]any{"profile_name": "quiet"})
	wrong := r.want(422, "POST", "/security/profiles", map[string]any{
		"profile_name": "p", "acl_pattern": []any{map[string]any{"acltype": "publishClientSend", "topic": "a/${rom}", "allow": true}},
	})
	if at := wrong.body["errors"].([]any)[0].(map[string]any)["location"]; at != "body.acl_pattern[0].topic" {
		t.Errorf("%v", wrong.body)
	}
	r.device("btn-001")
	d := r.want(200, "GET", "/devices/btn-001", nil)
	r.want(200, "PUT", "/devices/btn-001", map[string]any{"room": "deck-3", "security_profile": "quiet"}, "If-Match", d.etag)
	if used := r.want(409, "DELETE", "/security/profiles/quiet", nil, "If-Match", made.etag); !strings.Contains(used.body["detail"].(string), "btn-001") {
		t.Errorf("%v", used.body)
	}
	r.want(422, "PUT", "/devices/btn-001", map[string]any{"room": "deck-3", "security_profile": "nobody"}, "If-Match", "*")
	list := r.want(200, "GET", "/security/profiles?limit=3", nil)
	rest := r.want(200, "GET", fmt.Sprintf("/security/profiles?cursor=%s", list.body["next_cursor"]), nil)
	if len(list.body["items"].([]any)) != 3 || len(rest.body["items"].([]any)) != 2 || rest.body["next_cursor"] != nil {
		t.Errorf("%v %v", list.body, rest.body)
	}
}

func TestACL_SeedsDeviceACLIsTaken(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	made := r.want(201, "POST", "/security/acl", map[string]any{
		"deviceId": "btn-001", "site": "yacht-1", "room": "deck-3", "type": "button",
		"permissions": map[string]any{
			"publish": []string{base + "btn-001/status", base + "btn-001/press"}, "subscribe": []string{base + "btn-001/cmd/#"},
			"retain": false, "maxQoS": 1,
		},
	})
	if made.body["id"] != "btn-001" || made.body["replaces_profile"] != true || made.body["retain"] != "nothing" || made.body["max_qos"] != 1.0 {
		t.Fatalf("%v", made.body)
	}
	test := func(in map[string]any) map[string]any {
		t.Helper()
		in["client"] = "btn-001"
		return r.want(200, "POST", "/security/acl/test", in).body
	}
	for _, c := range []struct {
		in   map[string]any
		want bool
		rule string
	}{
		{map[string]any{"action": "publish", "topic": base + "btn-001/press"}, true, "device btn-001: publishClientSend obedio/${site}/${room}/${type}/${device_id}/press"},
		{map[string]any{"action": "publish", "topic": base + "btn-001/heartbeat"}, false, "default: deny"},
		{map[string]any{"action": "publish", "topic": base + "btn-001/status", "retain": true}, false, "retain"},
		{map[string]any{"action": "publish", "topic": base + "btn-001/status", "qos": 2}, false, "max_qos"},
		{map[string]any{"action": "subscribe", "topic": "#"}, false, "default: deny"},
		{map[string]any{"action": "subscribe", "topic": base + "btn-001/cmd/#"}, true, ""},
		{map[string]any{"action": "publish", "topic": "a//b"}, false, "invalid topic"},
	} {
		if got := test(c.in); got["allowed"] != c.want || c.rule != "" && got["rule"] != c.rule {
			t.Errorf("%v: %v", c.in, got)
		}
	}
	// Asked of a draft, nothing is saved.
	draft := map[string]any{"acl": map[string]any{"device_id": "btn-001", "permissions": map[string]any{"publish": []string{"other"}}}}
	if got := test(map[string]any{"action": "publish", "topic": "other", "draft": draft}); got["allowed"] != true {
		t.Errorf("%v", got)
	}
	if got := test(map[string]any{"action": "publish", "topic": "other"}); got["allowed"] != false {
		t.Errorf("the draft was saved: %v", got)
	}
	if got := r.want(200, "POST", "/security/acl/test", map[string]any{"profile": "watch", "type": "watch", "room": "spa", "action": "publish", "topic": "obedio/yacht-1/spa/watch/any-device/status"}); got.body["allowed"] != true {
		t.Errorf("%v", got.body)
	}
	r.want(404, "POST", "/security/acl/test", map[string]any{"client": "nobody", "action": "publish", "topic": "a"})
	r.want(422, "POST", "/security/acl/test", map[string]any{"action": "publish", "topic": "a"})
	r.want(200, "POST", "/security/acl/replay", map[string]any{"draft": draft})

	r.want(409, "POST", "/security/acl", map[string]any{"device_id": "btn-001", "permissions": map[string]any{}})
	for _, bad := range []map[string]any{
		{"deviceId": "btn-001", "site": "yacht-2", "permissions": map[string]any{}},
		{"device_id": "btn-001"},
		{"id": "x", "roles": []any{}, "permissions": map[string]any{}},
		{"id": "x", "retain": "nothing"},
	} {
		r.want(422, "POST", "/security/acl", bad)
	}
	r.want(428, "DELETE", "/security/acl/btn-001", nil)
	r.want(204, "DELETE", "/security/acl/btn-001", nil, "If-Match", made.etag)
	r.want(404, "GET", "/security/acl/btn-001", nil)
}

// The broker as it is ends the connection of a client whose rights have
// changed, and may change them in place; either way the client has the new
// rights, and others are left alone.
func TestRights_ChangeReachesALiveClientAtOnce(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	r.device("btn-002")
	r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "quiet"})
	r.want(200, "PUT", "/devices/btn-002", map[string]any{"room": "deck-3", "security_profile": "quiet"}, "If-Match", "*")
	touched, other := r.dial("btn-001"), r.dial("btn-002")
	if got := r.subscribe(touched, base+"btn-001/cmd/#"); got != 1 {
		t.Fatalf("granted %d", got)
	}
	if got := r.subscribe(other, "obedio/yacht-1/system/security/acl-update"); got != 1 {
		t.Fatalf("granted %d", got)
	}
	r.want(200, "PUT", "/security/profiles/button", map[string]any{
		"acl_pattern": []any{map[string]any{"acltype": "publishClientSend", "topic": "only/this", "allow": true}},
	}, "If-Match", "*")
	select {
	case m := <-other.got:
		var update map[string]any
		if err := json.Unmarshal(m.Payload(), &update); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]any{"version": 2.0, "changed_profiles": []any{"button"}, "changed_acls": []any{}}, update); d != "" {
			t.Error(d)
		}
		if m.Retained() || m.Qos() != 1 {
			t.Errorf("retained %v, qos %d", m.Retained(), m.Qos())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("devices are not told")
	}
	r.until("its subscription is gone", func() bool {
		subs, _ := r.want(200, "GET", "/devices/btn-001", nil).body["mqtt_subscriptions"].([]any)
		return len(subs) == 0
	})
	select {
	case <-other.lost:
		t.Error("a client with another profile was disconnected")
	default:
	}
	if !touched.IsConnectionOpen() {
		touched = r.dial("btn-001")
	}
	if got := r.subscribe(touched, base+"btn-001/cmd/#"); got != 128 {
		t.Errorf("granted %d under the new profile", got)
	}
}

func TestAuthenticate_ProfileThatRequiresACertificateRefusesPasswords(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	r.dial("btn-001")
	r.want(200, "PUT", "/security/profiles/button", map[string]any{"client_cert_required": true}, "If-Match", "*")
	if _, err := r.connect("btn-001"); err == nil || !strings.Contains(strings.ToLower(err.Error()), "not auth") {
		t.Errorf("connect: %v", err)
	}
	r.until("who was connected is let go", func() bool {
		return r.want(200, "GET", "/devices/btn-001/status", nil).body["connected"] == false
	})
}

func TestDenials_AreGroupedAndListed(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	c := r.dial("btn-001")
	for range 5 {
		if got := r.subscribe(c, "#"); got != 128 {
			t.Fatalf("granted %d", got)
		}
	}
	r.subscribe(c, base+"btn-002/#")
	got := r.want(200, "GET", "/security/denials?client_id=btn-001&action=subscribe&kind=denied", nil)
	items := got.body["items"].([]any)
	if len(items) != 2 {
		t.Fatalf("%v", got.body)
	}
	first, second := items[1].(map[string]any), items[0].(map[string]any)
	if first["count"] != 5.0 || first["topic"] != "#" || first["reason"] != "default: deny" || first["remote"] != "127.0.0.1" || second["topic"] != base+"btn-002/#" {
		t.Errorf("%v", items)
	}
	page := r.want(200, "GET", "/security/denials?limit=1", nil)
	next := r.want(200, "GET", fmt.Sprintf("/security/denials?limit=1&cursor=%s", page.body["next_cursor"]), nil)
	if next.body["items"].([]any)[0].(map[string]any)["topic"] != "#" || next.body["next_cursor"] != nil {
		t.Errorf("%v", next.body)
	}
	if none := r.want(200, "GET", "/security/denials?since=2099-01-01T00:00:00Z", nil); len(none.body["items"].([]any)) != 0 {
		t.Errorf("%v", none.body)
	}
}

func TestMosquitto_GoesThroughTheAPI(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	out := r.want(200, "GET", "/security/mosquitto/export", nil)
	if !strings.HasPrefix(out.body["passwd"].(string), "btn-001:$7$10000$") {
		t.Fatalf("%v", out.body)
	}
	in := map[string]any{"passwd": out.body["passwd"], "dynsec": out.body["dynsec"], "dry_run": true}
	if got := r.want(200, "POST", "/security/mosquitto/import", in); len(got.body["acls"].([]any)) != 1 || got.body["dry_run"] != true {
		t.Errorf("%v", got.body)
	}
	if c, err := r.connect("btn-001"); err != nil {
		t.Error(err)
	} else {
		c.Disconnect(0)
	}
}

func TestDenials_AreALiveEventOfTheirGroup(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.local+"/api/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	c := r.dial("btn-001")
	for range 20 {
		r.subscribe(c, "#")
	}
	r.subscribe(c, "obedio/#")
	// One event for twenty denials of the first group, then one of the second.
	var topics []string
	lines := bufio.NewScanner(resp.Body)
	for event := ""; len(topics) < 2 && lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event:"); ok {
			event = strings.TrimSpace(name)
		}
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok || event != "mqtt:security-alert" {
			continue
		}
		var d struct{ Kind, Topic, Reason string }
		if err := json.Unmarshal([]byte(data), &d); err != nil {
			t.Fatal(err)
		}
		if d.Kind != "denied" || d.Reason != "default: deny" {
			t.Errorf("%s", data)
		}
		topics = append(topics, d.Topic)
	}
	if d := cmp.Diff([]string{"#", "obedio/#"}, topics); d != "" {
		t.Error(d, lines.Err())
	}
}
