package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

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

// addTo registers a device with a security profile.
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
