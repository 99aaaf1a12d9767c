package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// api is a client of a program's REST face.
type api struct {
	t        *testing.T
	base     string
	token    string
	patience time.Duration // with an answer; 20 s if 0
}

// face returns a client with an administrator's token.
func (p *program) face(data string) *api {
	p.t.Helper()
	role := "admin"
	if p.name == "obedio-console" {
		role = "owner"
	}
	out := cli(p.t, "", p.name, "token", "create", "--data", data, "--name", "e2e", "--role", role, "--json")
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Token == "" {
		p.t.Fatalf("token: %v in %s", err, out)
	}
	return &api{t: p.t, base: "http://" + p.Listeners["http"], token: made.Token}
}

// do makes a request; header is alternating names and values.
func (a *api) do(method, path string, in any, header ...string) (*http.Response, []byte) {
	a.t.Helper()
	resp, b, err := a.try(method, path, in, header...)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, b
}

// try is do for a hub that may die meanwhile, in any goroutine. in is sent as
// it is if it is an io.Reader.
func (a *api) try(method, path string, in any, header ...string) (*http.Response, []byte, error) {
	body, raw := in.(io.Reader)
	if in != nil && !raw {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, nil, err
		}
		body = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), cmp.Or(a.patience, 20*time.Second))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// call makes a request that must succeed, and reads the answer into out.
func (a *api) call(method, path string, in, out any) {
	a.t.Helper()
	resp, b := a.do(method, path, in)
	if resp.StatusCode >= 400 {
		a.t.Fatalf("%s %s: %s %s", method, path, resp.Status, b)
	}
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			a.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
}

// list reads all pages of a list.
func list[T any](a *api, path string) []T {
	a.t.Helper()
	var all []T
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for cursor := ""; ; {
		var page struct {
			Items []T     `json:"items"`
			Next  *string `json:"next_cursor"`
		}
		a.call(http.MethodGet, path+sep+"limit=500&cursor="+cursor, nil, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
		cursor = *page.Next
	}
}

// device is a registered device with its password.
type device struct{ ID, Password, Base string }

// addDevice registers a device with the profile of its type.
func (a *api) addDevice(id, kind, room string) device {
	a.t.Helper()
	return a.addTo("", id, kind, room)
}

// addTo registers a device with a security profile; "" is that of its type.
func (a *api) addTo(profile, id, kind, room string) device {
	a.t.Helper()
	var made struct {
		BaseTopic   string `json:"base_topic"`
		Credentials struct{ Password string }
	}
	a.call(http.MethodPost, "/api/v1/devices", map[string]any{
		"device_id": id, "type": kind, "room": room, "generate_password": true, "security_profile": profile,
	}, &made)
	return device{ID: id, Password: made.Credentials.Password, Base: made.BaseTopic}
}

// counters are the broker's, as GET /system shows them.
type counters struct {
	In, Out     uint64
	Connected   int
	Refused     map[string]uint64
	Denied      map[string]uint64
	Dropped     map[string]uint64
	Limits      map[string]uint64
	BadPayloads map[string]uint64 `json:"bad_payloads"`
}

func (a *api) counters() counters {
	a.t.Helper()
	var system struct{ Messages counters }
	a.call(http.MethodGet, "/api/v1/system", nil, &system)
	return system.Messages
}

// denialGroup is one of GET /security/denials.
type denialGroup struct {
	Kind, Action, Topic, Reason string
	ClientID                    string `json:"client_id"`
	Count                       uint64
}

// denials are what the hub held against a client; all clients if it is "".
func (a *api) denials(client string) []denialGroup {
	a.t.Helper()
	path := "/api/v1/security/denials"
	if client != "" {
		path += "?client_id=" + client
	}
	return list[denialGroup](a, path)
}

// held is how often the hub held a reason against a client.
func (a *api) held(client, reason string) (n uint64) {
	a.t.Helper()
	for _, d := range a.denials(client) {
		if d.Reason == reason {
			n += d.Count
		}
	}
	return n
}

type rule struct {
	Kind  string `json:"acltype"`
	Topic string `json:"topic"`
	Allow bool   `json:"allow"`
}

// wide makes a profile whose devices may read all that passes at the site, and
// $SYS, and publish and retain below their own base topics.
func (a *api) wide(name string) string {
	a.t.Helper()
	a.call(http.MethodPost, "/api/v1/security/profiles", map[string]any{
		"profile_name": name, "retain": "anything", "max_qos": 2,
		"rate": map[string]any{"messages_per_second": 1e6, "bytes_per_second": 1e9},
		"acl_pattern": []rule{
			{"publishClientSend", "obedio/${site}/${room}/${type}/${device_id}/#", true},
			{"subscribePattern", "obedio/${site}/#", true}, {"publishClientReceive", "obedio/${site}/#", true},
			{"subscribePattern", "$SYS/#", true}, {"publishClientReceive", "$SYS/#", true},
			{"unsubscribePattern", "#", true},
		},
	}, nil)
	return name
}

// addMany registers devices at once.
func (a *api) addMany(n int, prefix, kind, room string) []device {
	a.t.Helper()
	var rows strings.Builder
	rows.WriteString("device_id,type,room\n")
	for i := range n {
		fmt.Fprintf(&rows, "%s%04d,%s,%s\n", prefix, i, kind, room)
	}
	resp, b := a.do(http.MethodPost, "/api/v1/devices/import", strings.NewReader(rows.String()), "Content-Type", "text/csv")
	if resp.StatusCode != http.StatusOK {
		a.t.Fatalf("import: %s %s", resp.Status, b)
	}
	var all []device
	for line := range strings.Lines(string(b)) {
		var row struct {
			DeviceID  string `json:"device_id"`
			Password  string `json:"password"`
			BaseTopic string `json:"base_topic"`
			Error     string
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Error != "" {
			a.t.Fatalf("import: %v %s", err, line)
		}
		all = append(all, device{ID: row.DeviceID, Password: row.Password, Base: row.BaseTopic})
	}
	return all
}

// get reads what is there; false while a program begins anew, and for what is not
// there.
func (a *api) get(path string, out any) bool {
	a.t.Helper()
	resp, b, err := a.try(http.MethodGet, path, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	decode(a.t, b, out)
	return true
}

// decode reads an answer.
func decode(t *testing.T, b []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}
