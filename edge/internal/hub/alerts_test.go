package hub

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/courier"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleettest"
)

// quiet runs a hub in memory until the test ends; the caller waits with
// synctest.
func quiet(t *testing.T, c Config) (*Hub, fleettest.Caller) {
	t.Helper()
	c.Data, c.Site, c.Version = "hub", "yacht-1", "test"
	c.SelfTest.Every = -1 // it would ring its own alerts
	if c.FS == nil {
		c.FS = store.InMemory()
	}
	h, err := New(t.Context(), c)
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
			t.Error(err)
		}
	})
	return h, fleettest.Caller{T: t, Local: h.API().LocalServer()}
}

type alertPage struct {
	Items []struct {
		ID       string `json:"alert_id"`
		Kind     string `json:"kind"`
		Title    string `json:"title"`
		Severity string `json:"severity"`
		State    string `json:"state"`
	} `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// TestDefect6: nobody on duty, so nobody is told. A running hub with a watch
// that is not there says so by itself.
func TestDefect6_AHubWhoseWatchesAreAwayRaisesAnAlertAndAPersonAcknowledgesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := quiet(t, Config{})
		c.Call("POST", "/api/v1/devices", map[string]any{"device_id": "watch-1", "type": "watch", "room": "bridge"}, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var page alertPage
		c.Call("GET", "/api/v1/alerts?state=open&severity=critical", nil, &page)
		if len(page.Items) != 1 || page.Items[0].Kind != string(alert.NobodyReachable) || page.Items[0].State != "active" || page.Items[0].Title == "" {
			t.Fatalf("%+v", page)
		}
		path := "/api/v1/alerts/" + page.Items[0].ID
		for _, body := range []map[string]any{{}, {"minutes": 5, "until": time.Now().Add(time.Hour)}, {"until": time.Now().Add(-time.Hour)}} {
			if code, text := c.Try("POST", path+"/silence", body, nil); code != http.StatusUnprocessableEntity && code != http.StatusBadRequest {
				t.Errorf("silenced with %v: %d %s", body, code, text)
			}
		}
		c.Call("POST", path+"/silence", map[string]any{"minutes": 5}, nil)
		c.Call("POST", path+"/acknowledge", nil, nil)
		c.Call("GET", "/api/v1/alerts?state=acknowledged&kind=nobody_reachable", nil, &page)
		if len(page.Items) != 1 {
			t.Errorf("%+v", page)
		}
		var metrics strings.Builder
		if err := h.writeMetrics(&metrics); err != nil || !strings.Contains(metrics.String(), `obedio_hub_alerts{severity="critical",state="acknowledged"} 1`) {
			t.Errorf("%v: %s", err, metrics.String())
		}
		var audit struct {
			Items []struct{ Action, Target string }
		}
		c.Call("GET", "/api/v1/audit?limit=2", nil, &audit)
		if len(audit.Items) != 2 || audit.Items[0].Action != "alert.acknowledged" || audit.Items[1].Action != "alert.silenced" || audit.Items[0].Target != page.Items[0].ID {
			t.Errorf("%+v", audit)
		}
	})
}

// A hub that knows nothing of its site is not green.
func TestTrust_UnknownIsNeverGreenAndAnAlertShowsWhatToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := quiet(t, Config{})
		type item struct {
			ID, State, Action string
			Since             *time.Time
			AsOf              *time.Time `json:"as_of"`
			Alerts            []string
		}
		look := func() (string, map[string]item) {
			t.Helper()
			var v struct {
				State string
				Items []item
			}
			c.Call("GET", "/api/v1/trust", nil, &v)
			all := map[string]item{}
			for _, i := range v.Items {
				all[i.ID] = i
				if i.State == "ok" && i.AsOf == nil {
					t.Errorf("%s is green without evidence", i.ID)
				}
			}
			return v.State, all
		}
		state, all := look()
		if state == "ok" {
			t.Error("a hub without devices, backups and test calls is green")
		}
		for _, id := range []string{"broker", "backups", "devices", "watches", "self_test", "updates"} {
			if all[id].State != "unknown" {
				t.Errorf("%s is %q", id, all[id].State)
			}
		}
		c.Call("POST", "/api/v1/devices", map[string]any{"device_id": "watch-1", "type": "watch", "room": "bridge"}, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		state, all = look()
		if w := all["watches"]; state != "bad" || w.State != "bad" || w.Action == "" || len(w.Alerts) != 1 || w.Since == nil {
			t.Errorf("%s, %+v", state, w)
		}
		if a := all["audit"]; a.State != "ok" {
			t.Errorf("%+v", a)
		}
	})
}

func TestNotifications_RulesAreChangedOnAVersionAndNeverShowTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, c := quiet(t, Config{Courier: courier.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("network is unreachable")}
		}}})
		rule := map[string]any{
			"name": "shore", "on": []string{"alert", "emergency"}, "min_severity": "critical", "sound": "alarm", "buzzer": true,
			"webhook": map[string]any{"url": "https://hooks.example/secret-path"}, "webhook_secret": "a-key-that-nobody-may-see",
		}
		c.Call("POST", "/api/v1/notifications/rules", rule, nil)
		code, body := c.Try("GET", "/api/v1/notifications/rules/shore", nil, nil)
		if code != http.StatusOK || strings.Contains(body, "nobody-may-see") || !strings.Contains(body, `"signed":true`) {
			t.Errorf("%d %s", code, body)
		}
		delete(rule, "name")
		if code, body := c.Try("PUT", "/api/v1/notifications/rules/shore", rule, nil); code != http.StatusPreconditionRequired {
			t.Errorf("changed without If-Match: %d %s", code, body)
		}
		c.Call("POST", "/api/v1/notifications/rules/shore/test", nil, nil)
		c.Call("POST", "/api/v1/devices", map[string]any{"device_id": "watch-1", "type": "watch", "room": "bridge"}, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var page struct {
			Items []struct {
				Event, State, To, Error string
				Tries                   int
			}
		}
		c.Call("GET", "/api/v1/notifications/deliveries", nil, &page)
		if len(page.Items) != 2 || page.Items[0].Event != "alert.raised" || page.Items[1].Event != "test" || page.Items[0].State != "waiting" ||
			page.Items[0].To != "hooks.example" || page.Items[0].Tries == 0 || page.Items[0].Error == "" || strings.Contains(page.Items[0].Error, "secret-path") {
			t.Errorf("%+v", page)
		}
		if r, err := h.store.Verify(); err != nil || len(r.Findings) > 0 {
			t.Errorf("%+v %v", r.Findings, err)
		}
	})
}
