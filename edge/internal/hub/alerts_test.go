package hub

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleettest"
)

// quiet runs a hub in memory until the test ends; the caller waits with
// synctest.
func quiet(t *testing.T, c Config) (*Hub, fleettest.Caller) {
	t.Helper()
	c.Data, c.Site, c.Version = "hub", "yacht-1", "test"
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
