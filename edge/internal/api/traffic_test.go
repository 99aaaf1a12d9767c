package api_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/gorilla/websocket"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

// running is a whole hub on loopback sockets.
type running struct {
	fleettest.Caller
	http, mqtt string
}

func start(t *testing.T) *running {
	t.Helper()
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	ls := hub.Listeners{HTTP: listen(), MQTT: listen()}
	h, err := hub.New(t.Context(), hub.Config{
		Data: "hub", Site: "yacht-1", FS: store.InMemory(), Listeners: ls, TrustedOrigins: []string{"https://trusted.example"},
		Traffic: traffic.Config{Payloads: []fleet.DeviceType{"all"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop hub: %v", err)
		}
	})
	<-h.Ready()
	return &running{
		Caller: fleettest.Caller{T: t, Local: h.API().LocalServer()}, http: ls.HTTP.Addr().String(), mqtt: ls.MQTT.Addr().String(),
	}
}

// token is a new API token of a role.
func (h *running) token(role string) string {
	h.T.Helper()
	var out struct{ Token string }
	h.Call("POST", "/api/v1/tokens", map[string]any{"name": "test " + role, "role": role}, &out)
	return out.Token
}

// button adds a device and connects it.
func (h *running) button(id string) (publish func(action, payload string)) {
	h.T.Helper()
	h.Call("PUT", "/api/v1/rooms/cabin-101", map[string]any{"name": "Cabin 101"}, nil)
	var added struct {
		BaseTopic   string `json:"base_topic"`
		Credentials struct{ Username, Password string }
	}
	h.Call("POST", "/api/v1/devices", map[string]any{
		"device_id": id, "type": "button", "room": "cabin-101", "generate_password": true,
	}, &added)
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + h.mqtt).SetClientID(id).
		SetUsername(added.Credentials.Username).SetPassword(added.Credentials.Password).SetAutoReconnect(false))
	wait := func(tok mqtt.Token) {
		h.T.Helper()
		if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			h.T.Fatalf("mqtt: %v", tok.Error())
		}
	}
	wait(c.Connect())
	h.T.Cleanup(func() { c.Disconnect(0) })
	wait(c.Subscribe(added.BaseTopic+"/cmd/#", 1, func(mqtt.Client, mqtt.Message) {}))
	return func(action, payload string) {
		h.T.Helper()
		wait(c.Publish(added.BaseTopic+"/"+action, 1, false, payload))
	}
}

// get asks over the network and returns status, content type and body.
func (h *running) get(path, token, accept string) (int, string, []byte) {
	h.T.Helper()
	r, err := http.NewRequestWithContext(h.T.Context(), http.MethodGet, "http://"+h.http+path, nil)
	if err != nil {
		h.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		h.T.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.T.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), body
}

// live opens the WebSocket; it subscribes unless there is no filter.
func (h *running) live(token, filter string) *websocket.Conn {
	h.T.Helper()
	ws, res, err := h.dial(token, "")
	if err != nil {
		h.T.Fatalf("open live traffic: %v", err)
	}
	_ = res.Body.Close()
	h.T.Cleanup(func() { _ = ws.Close() })
	if filter != "" {
		h.op(ws, `{"op":"subscribe","filter":`+filter+`}`)
		h.op(ws, `{"op":"nonsense"}`) // answered in order: it has subscribed then
		if got := h.read(ws); got.Error == "" {
			h.T.Fatalf("nonsense is answered with %+v", got)
		}
	}
	return ws
}

func (h *running) dial(token, origin string) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{Subprotocols: []string{"obedio.traffic.v1"}, HandshakeTimeout: 10 * time.Second}
	header := http.Header{"Authorization": {"Bearer " + token}}
	if origin != "" {
		header.Set("Origin", origin)
	}
	return d.DialContext(h.T.Context(), "ws://"+h.http+"/api/v1/traffic/live", header)
}

func (h *running) op(ws *websocket.Conn, text string) {
	h.T.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		h.T.Fatal(err)
	}
}

type liveMessage struct {
	At        time.Time
	Direction string
	DeviceID  string `json:"device_id"`
	Topic     string
	QoS       int
	Size      int
	Payload   *string
}

type liveBatch struct {
	Messages []liveMessage
	Dropped  *uint64
	Error    string
}

func (h *running) read(ws *websocket.Conn) (b liveBatch) {
	h.T.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	if err := ws.ReadJSON(&b); err != nil {
		h.T.Fatal(err)
	}
	return b
}

// until reads messages until n have come.
func (h *running) until(ws *websocket.Conn, n int) (out []liveMessage) {
	h.T.Helper()
	for len(out) < n {
		b := h.read(ws)
		if b.Dropped == nil || b.Error != "" {
			h.T.Fatalf("not a batch: %+v", b)
		}
		out = append(out, b.Messages...)
	}
	return out
}

func TestTraffic_PressAppearsLiveAndInHistory(t *testing.T) {
	h := start(t)
	admin, viewer := h.token("admin"), h.token("viewer")
	publish := h.button("btn-001")
	presses := h.live(admin, `{"topic":"obedio/+/cabin-101/#","device_id":"btn-001","direction":"inbound","contains":"single"}`)
	receipts := h.live(viewer, `{"direction":"outbound"}`)
	if presses.Subprotocol() != "obedio.traffic.v1" {
		t.Errorf("subprotocol %q", presses.Subprotocol())
	}
	press := `{"press_type":"single","sequence_id":1,"boot_id":"b1"}`
	publish("press", press)
	publish("status", `{"battery":77,"signal_strength":-60}`)

	const topic = "obedio/yacht-1/cabin-101/button/btn-001/"
	got := h.until(presses, 1)[0]
	if got.Topic != topic+"press" || got.Direction != "inbound" || got.DeviceID != "btn-001" || got.QoS != 1 ||
		got.Size != len(press) || got.Payload == nil || *got.Payload != press || got.At.IsZero() {
		t.Errorf("live press: %+v", got)
	}
	if got := h.until(receipts, 1)[0]; got.Topic != topic+"cmd/receipt" || got.Direction != "outbound" || got.Payload != nil {
		t.Errorf("live receipt for who may not see payloads: %+v", got)
	}

	var page struct {
		Items []struct {
			Topic, Direction, Type, Room string
			Payload                      *string
		}
		NextCursor *string `json:"next_cursor"`
		Gaps       []traffic.Gap
	}
	path := "/api/v1/traffic/history?device=btn-001&direction=inbound&limit=1&topic=obedio/%2B/%2B/%2B/%2B/press"
	for token, want := range map[string]bool{admin: true, viewer: false} {
		page.Items = nil
		code, _, body := h.get(path, token, "")
		if err := json.Unmarshal(body, &page); err != nil || code != 200 || len(page.Items) != 1 || page.Gaps == nil {
			t.Fatalf("history: %d %s, %v", code, body, err)
		}
		i := page.Items[0]
		if i.Topic != topic+"press" || i.Type != "button" || i.Room != "cabin-101" || (i.Payload != nil) != want {
			t.Errorf("history, payload wanted: %t: %s", want, body)
		}
	}
	code, _, body := h.get("/api/v1/traffic/devices/btn-001", viewer, "")
	if code != 200 || !bytes.Contains(body, []byte(topic+"press")) {
		t.Errorf("device: %d %s", code, body)
	}
	if code, _, _ := h.get("/api/v1/traffic/devices/nobody", viewer, ""); code != 404 {
		t.Errorf("a device that nobody knows: %d, want 404", code)
	}
}

func TestTraffic_ExportIsTheWholeHistory(t *testing.T) {
	h := start(t)
	admin := h.token("admin")
	publish := h.button("btn-001")
	for i := range 30 {
		publish("press", fmt.Sprintf(`{"press_type":"single","sequence_id":%d,"boot_id":"b1"}`, i+1))
	}
	code, kind, body := h.get("/api/v1/traffic/history?direction=inbound", admin, "text/csv")
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if code != 200 || !strings.HasPrefix(kind, "text/csv") || err != nil || len(rows) != 31 || rows[0][0] != "at" || rows[1][2] != "btn-001" {
		t.Errorf("csv: %d %s, %d rows, %v", code, kind, len(rows), err)
	}
	code, kind, body = h.get("/api/v1/traffic/history?direction=inbound&format=ndjson", admin, "")
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	if code != 200 || !strings.HasPrefix(kind, "application/x-ndjson") || len(lines) != 30 || !bytes.Contains(lines[29], []byte(`\"sequence_id\":30`)) {
		t.Errorf("ndjson: %d %s, %d lines, the last %s", code, kind, len(lines), lines[len(lines)-1])
	}
	// All pages together are the same.
	n, cursor := 0, ""
	for {
		var page struct {
			Items      []json.RawMessage
			NextCursor *string `json:"next_cursor"`
		}
		_, _, body := h.get("/api/v1/traffic/history?direction=inbound&limit=7&cursor="+cursor, admin, "")
		if err := json.Unmarshal(body, &page); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if n += len(page.Items); page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if n != 30 {
		t.Errorf("%d messages in pages, want 30", n)
	}
	code, _, body = h.get("/api/v1/traffic/metrics?group_by=device&format=csv", admin, "")
	if code != 200 || !strings.HasPrefix(string(body), "at,key,messages_in") {
		t.Errorf("metrics: %d %s", code, body)
	}
}

func TestTraffic_WrongQuestionsAreProblems(t *testing.T) {
	h := start(t)
	admin := h.token("admin")
	for query, want := range map[string]int{
		"history?topic=a/%23/b":  422,
		"history?direction=up":   422,
		"history?from=yesterday": 422,
		"history?from=2026-07-02T00:00:00Z&to=2026-07-01T00:00:00Z": 422,
		"history?limit=0":            422,
		"history?limit=100000":       422,
		"history?cursor=%25%25":      400,
		"history?format=xml":         422,
		"history?format=csv&limit=5": 422,
		"metrics?bucket=soon":        422,
		"metrics?group_by=colour":    422,
		"metrics?from=2026-07-02T00:00:00Z&to=2026-07-01T00:00:00Z":           422,
		"metrics?from=2020-07-02T00:00:00Z&to=2026-07-01T00:00:00Z&bucket=1m": 422,
		"live": 422,
	} {
		code, kind, body := h.get("/api/v1/traffic/"+query, admin, "")
		if code != want || kind != "application/problem+json" {
			t.Errorf("%s: %d %s %s, want %d", query, code, kind, body, want)
		}
	}
	if code, kind, body := h.get("/api/v1/traffic/metrics", admin, ""); code != 200 || !strings.HasPrefix(kind, "application/json") {
		t.Errorf("metrics of nothing: %d %s %s", code, kind, body)
	}
}

func TestTrafficLive_ClientThatFallsBehindGetsNoMoreUntilItAnswers(t *testing.T) {
	h := start(t)
	publish := h.button("btn-001")
	ws := h.live(h.token("admin"), `{"direction":"inbound"}`)
	ws.SetPingHandler(func(string) error { return nil })
	n := 0
	send := func() {
		publish("status", fmt.Sprintf(`{"battery":%d}`, n%100))
		n++
	}
	for range 8 { // what may be under way
		send()
		h.until(ws, 1)
	}
	for range 2000 { // time for many batches, if it were sent any
		send()
		h.op(ws, `{"op":"nonsense"}`)
		if b := h.read(ws); b.Error == "" {
			t.Fatalf("a batch of %d came to a client that has not answered for eight", len(b.Messages))
		}
	}
	if err := ws.WriteControl(websocket.PongMessage, []byte("8"), time.Now().Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
	got := 8
	for got < n {
		b := h.read(ws)
		got += len(b.Messages) + int(*b.Dropped)
	}
	if got != n {
		t.Errorf("of %d messages %d came or were told as dropped", n, got)
	}
}

func TestTrafficLive_OnlyForThoseWhoMay(t *testing.T) {
	h := start(t)
	admin, viewer := h.token("admin"), h.token("viewer")
	for name, c := range map[string]struct {
		token, origin string
		want          int
	}{
		"a page of another site": {admin, "https://evil.example", 403},
		"nobody":                 {"obd_wrong", "", 401},
		"a trusted page":         {admin, "https://trusted.example", 101},
		"the hub's own page":     {admin, "http://" + h.http, 101},
	} {
		ws, res, err := h.dial(c.token, c.origin)
		if res == nil || res.StatusCode != c.want {
			t.Errorf("%s: %v, %v; want %d", name, res, err, c.want)
		}
		if err == nil {
			_ = ws.Close()
		}
	}
	ws := h.live(viewer, "")
	for _, op := range []string{
		`{"op":"subscribe","filter":{"contains":"emergency"}}`, `{"op":"subscribe","filter":{"topic":"a/#/b"}}`,
		`{"op":"subscribe","filter":{"direction":"up"}}`, `no json`, `{"op":"subscribe","max_rate":-1}`,
	} {
		h.op(ws, op)
		if got := h.read(ws); got.Error == "" {
			t.Errorf("%s is answered with %+v, want an error", op, got)
		}
	}
}

func TestTrafficLive_PausesAndGoesOn(t *testing.T) {
	h := start(t)
	publish := h.button("btn-001")
	ws := h.live(h.token("admin"), `{"direction":"inbound","topic":"obedio/#"}`)
	press := func(i int) {
		publish("press", fmt.Sprintf(`{"press_type":"single","sequence_id":%d,"boot_id":"b1"}`, i))
	}
	step := func(op string) {
		h.op(ws, op)
		h.op(ws, `{"op":"nonsense"}`)
		for h.read(ws).Error == "" {
		}
	}
	press(1)
	h.until(ws, 1)
	step(`{"op":"pause"}`)
	h.op(ws, `{"op":"subscribe","filter":{"topic":"a/#/b"}}`) // refused: the pause goes on
	if got := h.read(ws); got.Error == "" {
		t.Fatalf("a wrong filter is answered with %+v", got)
	}
	press(2)
	step(`{"op":"resume"}`)
	press(3)
	if got := h.until(ws, 1); !strings.Contains(*got[0].Payload, `"sequence_id":3`) {
		t.Errorf("after a pause comes %s, want the third press", *got[0].Payload)
	}
}

func TestTraffic_PublishedByHandIsSeenLiveAndAudited(t *testing.T) {
	h := start(t)
	admin := h.token("admin")
	h.button("btn-001")
	live := h.live(admin, `{"topic":"obedio/yacht-1/cabin-101/button/btn-001/cmd/hello"}`)
	const topic = "obedio/yacht-1/cabin-101/button/btn-001/cmd/hello"
	var out struct{ Subscribers int }
	h.Call("POST", "/api/v1/traffic/publish", map[string]any{"topic": topic, "payload": "hello", "qos": 1}, &out)
	if out.Subscribers != 1 {
		t.Errorf("%d subscribers", out.Subscribers)
	}
	got := h.until(live, 2)
	if got[0].Direction != "inbound" || got[0].DeviceID != "$hub" || got[1].Direction != "outbound" || got[1].DeviceID != "btn-001" ||
		got[1].Payload == nil || *got[1].Payload != "hello" {
		t.Errorf("live: %+v", got)
	}
	var audit struct {
		Items []struct {
			Action, Target string
			Detail         map[string]string
		}
	}
	h.Call("GET", "/api/v1/audit?action=traffic.published", nil, &audit)
	if len(audit.Items) != 1 || audit.Items[0].Target != topic || audit.Items[0].Detail["bytes"] != "5" {
		t.Errorf("audit: %+v", audit)
	}
}

func TestSync_TellsTheOldestThatIsNotAshore(t *testing.T) {
	h := start(t)
	before := time.Now().Add(-time.Second)
	h.button("btn-001")
	var out struct {
		Lanes []struct {
			Name     string
			Backlog  uint64
			OldestAt *time.Time `json:"oldest_at"`
		}
	}
	h.Call("GET", "/api/v1/sync", nil, &out)
	for _, l := range out.Lanes {
		switch {
		case l.Name == "registry" && (l.Backlog == 0 || l.OldestAt == nil || l.OldestAt.Before(before)):
			t.Errorf("registry: %+v", l)
		case (l.Name == "state" || l.Backlog == 0) && l.OldestAt != nil:
			t.Errorf("%s has no records that wait, and yet an oldest one: %s", l.Name, l.OldestAt)
		}
	}
}
