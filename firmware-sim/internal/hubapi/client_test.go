package hubapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

// calls is a hub that answers from a table, and keeps what it was asked.
type calls struct {
	mu   sync.Mutex
	seen []string
}

func serve(t *testing.T, answers map[string]func(w http.ResponseWriter, r *http.Request)) (*Client, *calls) {
	t.Helper()
	c := &calls{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.seen = append(c.seen, r.Method+" "+r.URL.RequestURI())
		c.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s %s without token", r.Method, r.URL)
		}
		if answer := answers[r.Method+" "+r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"type":"not-found","title":"Not found","status":404,"detail":"no such thing"}`)
	}))
	t.Cleanup(s.Close)
	client, err := New(Config{URL: s.URL + "/", Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return client, c
}

func text(s string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
}

func TestClient_ReadsEveryPageAndStopsWhereItHasSeenEnough(t *testing.T) {
	at := func(s int) string { return time.Unix(int64(s), 0).UTC().Format(time.RFC3339) }
	client, c := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /api/v1/requests": func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"": "p2", "p2": "p3"}[r.URL.Query().Get("cursor")]
			base := map[string]int{"": 50, "p2": 40, "p3": 30}[r.URL.Query().Get("cursor")]
			fmt.Fprintf(w, `{"items":[{"request_id":"a%d","opened_at":%q},{"request_id":"b%d","opened_at":%q}],"next_cursor":%q}`,
				base, at(base), base, at(base-5), next)
		},
	})
	all, err := client.Requests(t.Context(), time.Unix(38, 0))
	if err != nil {
		t.Fatal(err)
	}
	var ids []fleet.RequestID
	for _, r := range all {
		ids = append(ids, r.RequestID)
	}
	if diff := cmp.Diff([]fleet.RequestID{"a50", "b50", "a40"}, ids); diff != "" {
		t.Error(diff)
	}
	if len(c.seen) != 2 {
		t.Errorf("asked for %v", c.seen)
	}
}

func TestClient_AProblemIsAnErrorWithItsStatus(t *testing.T) {
	client, _ := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /api/v1/system": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
	})
	_, err := client.Command(t.Context(), "c-1")
	if !IsStatus(err, 404) || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("%v", err)
	}
	if _, err = client.System(t.Context()); !IsStatus(err, 502) || IsStatus(err, 404) {
		t.Errorf("%v", err)
	}
	if _, err := New(Config{URL: "127.0.0.1:8080"}); err == nil {
		t.Error("an address without scheme was taken")
	}
}

func TestClient_CancelsOnlyItsOwnRequests(t *testing.T) {
	var cancelled []string
	client, _ := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /api/v1/requests": text(`{"items":[{"request_id":"q1","device_id":"a","version":1},{"request_id":"q2","device_id":"b","version":2},
			{"request_id":"q3","device_id":"a","version":2}],"next_cursor":null}`),
		"POST /api/v1/requests/q1/cancel": func(w http.ResponseWriter, r *http.Request) {
			var in struct{ Version, Reason any }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			cancelled = append(cancelled, fmt.Sprint("q1 ", in.Version, in.Reason))
			fmt.Fprint(w, `{}`)
		},
		"POST /api/v1/requests/q3/cancel": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) },
	})
	n, err := client.CancelOpen(t.Context(), func(id fleet.DeviceID) bool { return id == "a" })
	if err != nil || n != 2 {
		t.Fatalf("%d %v", n, err)
	}
	if diff := cmp.Diff([]string{"q1 1other"}, cancelled); diff != "" {
		t.Error(diff)
	}
}

func TestClient_RemovesDevicesOfAPrefixAsTheyWereSeen(t *testing.T) {
	var mu sync.Mutex
	var removed []string
	remove := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		removed = append(removed, r.URL.Path+" "+r.Header.Get("If-Match"))
		w.WriteHeader(http.StatusNoContent)
	}
	client, _ := serve(t, map[string]func(http.ResponseWriter, *http.Request){
		"GET /api/v1/devices": text(`{"items":[{"device_id":"load-1","etag":"\"v1\""},{"device_id":"btn-1"},{"device_id":"load-2","etag":"\"v2\""},
			{"device_id":"load-3","etag":"\"v3\""}],"next_cursor":null}`),
		"DELETE /api/v1/devices/load-1": remove,
		"DELETE /api/v1/devices/load-2": remove, // load-3 is gone already
	})
	if err := client.RemoveDevices(t.Context(), "load-"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(removed)
	if diff := cmp.Diff([]string{`/api/v1/devices/load-1 "v1"`, `/api/v1/devices/load-2 "v2"`}, removed); diff != "" {
		t.Error(diff)
	}
}
