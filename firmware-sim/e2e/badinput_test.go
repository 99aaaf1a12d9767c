package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What comes in broken gets a clear error, is counted, and makes no noise.
func TestBadInput_GetsAClearErrorIsCountedAndMakesNoNoise(t *testing.T) {
	hub, api, _ := startHub(t)
	b := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))

	rest := []struct {
		name, method, path, contentType, body string
		header                                []string
		want                                  int
	}{
		{"bad JSON", "POST", "/api/v1/devices", "application/json", `{"device_id":`, nil, 400},
		{"no body", "POST", "/api/v1/devices", "application/json", ``, nil, 400},
		{"wrong types", "POST", "/api/v1/devices", "application/json", `{"device_id":7,"type":[],"room":{}}`, nil, 422},
		{"unknown member", "POST", "/api/v1/devices", "application/json", `{"device_id":"a","type":"button","room":"r","colour":"red"}`, nil, 422},
		{"bad id", "POST", "/api/v1/devices", "application/json", `{"device_id":"a/b","type":"button","room":"r"}`, nil, 422},
		{"exists", "POST", "/api/v1/devices", "application/json", `{"device_id":"btn-001","type":"button","room":"r"}`, nil, 409},
		{"too large", "POST", "/api/v1/devices", "application/json", `{"device_id":"` + strings.Repeat("x", 2<<20) + `"}`, nil, 413},
		{"wrong content type", "POST", "/api/v1/devices", "text/plain", `{}`, nil, 415},
		{"unknown route", "GET", "/api/v1/nonesuch", "", ``, nil, 404},
		{"unknown device", "GET", "/api/v1/devices/nobody", "", ``, nil, 404},
		{"wrong method", "PATCH", "/api/v1/devices", "application/json", `{}`, nil, 405},
		{"no If-Match", "PUT", "/api/v1/devices/btn-001", "application/json", `{"room":"r"}`, nil, 428},
		{"old If-Match", "PUT", "/api/v1/devices/btn-001", "application/json", `{"room":"r"}`, []string{"If-Match", `"v99"`}, 412},
		{"bad cursor", "GET", "/api/v1/devices?cursor=%21%21", "", ``, nil, 400},
		{"bad limit", "GET", "/api/v1/devices?limit=0x", "", ``, nil, 422},
		{"bad filter", "GET", "/api/v1/devices?filter=state%3A", "", ``, nil, 422},
		{"bad uuid", "POST", "/api/v1/requests/1/accept", "application/json", `{"version":1}`, nil, 422},
		{"wrong sign-in", "POST", "/api/v1/sessions", "application/json", `{"username":"captain","password":"wrong"}`, nil, 401},
		{"bad token", "GET", "/api/v1/devices", "", ``, []string{"Authorization", "Bearer obd_wrong"}, 401},
		{"foreign host", "GET", "/api/v1/devices", "", ``, []string{"Host", "evil.example.com"}, 421},
	}
	for _, c := range rest {
		req, err := http.NewRequestWithContext(t.Context(), c.method, api.base+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+api.token)
		if c.contentType != "" {
			req.Header.Set("Content-Type", c.contentType)
		}
		for i := 0; i < len(c.header); i += 2 {
			if c.header[i] == "Host" {
				req.Host = c.header[i+1]
			}
			req.Header.Set(c.header[i], c.header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var p struct {
			Type, Title, Detail string
			Status              int
			RequestID           string `json:"request_id"`
		}
		err = json.Unmarshal(body, &p)
		if resp.StatusCode != c.want || err != nil || resp.Header.Get("Content-Type") != "application/problem+json" ||
			p.Status != c.want || p.Title == "" || p.RequestID == "" {
			t.Errorf("%s: %s %s (want %d)", c.name, resp.Status, body, c.want)
		}
	}

	// The same over MQTT: acknowledged, since sent again it would be no better.
	for _, payload := range []string{
		`{`, `[]`, `"press"`, `{}`, `{"sequence_id":"x"}`, `{"sequence_id":1,"device_id":"btn-002"}`, "\xff\xfe", "\x1f\x8b broken gzip",
	} {
		tok := b.Publish(b.Base+"/press", 1, false, []byte(payload))
		if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			t.Errorf("payload %q: %v", payload, tok.Error())
		}
	}
	b.send("status", map[string]any{"battery": []int{1}, "signal": "loud", "unknown": true})
	b.send("nonesuch", map[string]any{})
	// A megabyte, and bytes that are no MQTT at all: each ends its connection.
	for name, raw := range map[string][]byte{
		"1 MB payload": append([]byte{0x30, 0x80, 0x80, 0x40, 0, 4, 'a', '/', 'b', '/'}, make([]byte, 1<<20)...),
		"not MQTT":     []byte("GET / HTTP/1.1\r\nHost: hub\r\n\r\n"),
		"huge length":  {0x10, 0xff, 0xff, 0xff, 0x7f},
	} {
		c, err := net.Dial("tcp", hub.Listeners["mqtt"])
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.Copy(c, bytes.NewReader(raw))
		if n, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: the connection stays open after %d bytes: %v", name, n, err)
		}
		_ = c.Close()
	}

	if n := len(list[requestView](api, "/api/v1/requests")); n != 0 {
		t.Errorf("%d requests came of it", n)
	}
	var system struct {
		Messages struct {
			BadPayloads map[string]int `json:"bad_payloads"`
			Refused     map[string]int `json:"refused"`
		} `json:"messages"`
	}
	api.call(http.MethodGet, "/api/v1/system", nil, &system)
	if n := system.Messages.BadPayloads["btn-001"]; n < 8 {
		t.Errorf("bad payloads counted: %d", n)
	}
	if len(system.Messages.Refused) == 0 {
		t.Error("no refused connection counted")
	}
	for _, line := range strings.Split(hub.log.String(), "\n") {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			t.Errorf("noise: %s", line)
		}
	}
	// And it all still works.
	if !b.send("press", press(1)) || len(list[requestView](api, "/api/v1/requests")) != 1 {
		t.Error("a good press after all that is not a request")
	}
}
