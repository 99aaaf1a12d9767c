package hubapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

func TestAlerts_AreThoseOfTheStateThatWasAskedFor(t *testing.T) {
	client, c := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /api/v1/alerts": text(`{"items":[{"alert_id":"a-1","kind":"stuck_button","severity":"warning","subject":"btn-1","state":"active",
			"since":"2026-11-23T12:00:00Z","detail":{"presses":40}}],"next_cursor":null}`),
	})
	got, err := client.Alerts(t.Context(), "active")
	if err != nil || len(got) != 1 || got[0].Kind != "stuck_button" || got[0].Subject != "btn-1" || got[0].Since.IsZero() {
		t.Fatalf("%+v %v", got, err)
	}
	if diff := cmp.Diff([]string{"GET /api/v1/alerts?limit=500&state=active"}, c.seen); diff != "" {
		t.Error(diff)
	}
}

func TestRequest_SaysWhomItCameToAndWhoKnows(t *testing.T) {
	var q Request
	text := `{"told_to":"lead","notified":{"told":[{"device_id":"w-1"}],"unreachable":[{"device_id":"w-3","why":"not subscribed"}]}}`
	if err := json.Unmarshal([]byte(text), &q); err != nil || *q.ToldTo != LevelLead || q.ToldTo.String() != "lead" {
		t.Fatalf("%+v %v", q, err)
	}
	if diff := cmp.Diff([]Watch{{DeviceID: "w-1"}}, q.Notified.Told); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Watch{{"w-3", "not subscribed"}}, q.Notified.Unreachable); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`{"told_to":"captain"}`), &q); err == nil {
		t.Error("took a level that there is not")
	}
}

func TestPutProfile_ReplacesOneOfItsName(t *testing.T) {
	var put map[string]any
	client, _ := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"POST /api/v1/security/profiles":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) },
		"GET /api/v1/security/profiles/sim-1": text(`{"etag":"\"v7\""}`),
		"PUT /api/v1/security/profiles/sim-1": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-Match") != `"v7"` {
				t.Errorf("If-Match %s", r.Header.Get("If-Match"))
			}
			if err := json.NewDecoder(r.Body).Decode(&put); err != nil {
				t.Error(err)
			}
			fmt.Fprint(w, `{}`)
		},
	})
	err := client.PutProfile(t.Context(), Profile{Name: "sim-1", ReportingInterval: 5, Relay: []fleet.DeviceID{"btn-1"}})
	if err != nil || fmt.Sprint(put["relay"], put["reporting_interval_s"]) != "[btn-1] 5" || put["acl_pattern"] == nil {
		t.Fatalf("%v %v", err, put)
	}
}
