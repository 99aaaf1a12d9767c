package console

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

type jobShown struct {
	JobID       string         `json:"job_id"`
	Targets     int            `json:"targets"`
	Sites       int            `json:"sites"`
	States      map[string]int `json:"states"`
	Choosing    int            `json:"choosing"`
	Done        bool           `json:"done"`
	Retries     string         `json:"retries"`
	CancelledAt *time.Time     `json:"cancelled_at"`
}

type targetShown struct {
	SiteID      string     `json:"site_id"`
	DeviceID    string     `json:"device_id"`
	State       string     `json:"state"`
	CommandID   string     `json:"command_id"`
	Attempts    int        `json:"attempts"`
	Due         *time.Time `json:"due"`
	CancelSince *time.Time `json:"cancel_since"`
	Error       string     `json:"error"`
}

// job works on jobs until there is nothing more to do, and returns one.
func (r *rig) job(id string) jobShown {
	r.t.Helper()
	for range 5 {
		if err := r.c.dispatch.WorkOnJobs(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	}
	var j jobShown
	r.mustAPI(http.MethodGet, "/api/v1/jobs/"+id, nil, &j)
	return j
}

func (r *rig) targets(id, query string) []targetShown {
	r.t.Helper()
	var all []targetShown
	for cursor := ""; ; {
		var page struct {
			Items      []targetShown `json:"items"`
			NextCursor *string       `json:"next_cursor"`
		}
		r.mustAPI(http.MethodGet, "/api/v1/jobs/"+id+"/targets?limit=3&cursor="+cursor+query, nil, &page)
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			return all
		}
		cursor = *page.NextCursor
	}
}

// slowJobs leaves the work on jobs to the test.
var slowJobs = dispatch.Config{JobsEvery: time.Hour}

// fleetOf has two sites with watches and buttons.
func fleetOf(r *rig, watches int) (a, b *testHub) {
	r.t.Helper()
	hubs := map[string]*testHub{}
	for _, site := range []string{"a", "b"} {
		r.addSite(site)
		h := r.hub(site)
		h.mustHello()
		for i := range watches {
			h.device(fleet.DeviceID(fmt.Sprintf("watch-%d", i+1)), "watch")
		}
		h.device("btn-1", "button")
		h.pushAll()
		if _, err := r.c.fleet.Refresh(r.t.Context(), fleet.SiteID(site)); err != nil {
			r.t.Fatal(err)
		}
		hubs[site] = h
	}
	return hubs["a"], hubs["b"]
}

// step tells that a command of the hub's orders has come to a state.
func (h *testHub) steps(id fleet.CommandID, states ...fleet.CommandState) {
	at := fleet.Millis(h.r.c.c.Now())
	for _, s := range states {
		h.append(fleet.Record{At: at, ClockTrusted: true, Actor: fleet.System("test"), Body: fleet.CommandStepped{Command: id, State: s}})
	}
}

// takes has the hub store the commands of the orders that it has got, and returns
// their ids by device.
func (h *testHub) takes() map[fleet.DeviceID]fleet.CommandID {
	h.r.t.Helper()
	if _, err := h.pull(0); err != nil {
		h.r.t.Fatal(err)
	}
	ids := map[fleet.DeviceID]fleet.CommandID{}
	for _, o := range h.orders {
		if b, ok := o.Body.(fleet.SendCommand); ok {
			ids[b.Device] = b.Command
			h.append(fleet.Record{At: o.CreatedAt, ClockTrusted: true, Actor: o.Actor, Body: fleet.CommandStepped{
				Command: b.Command, State: fleet.CommandAtHub, Define: &fleet.CommandDefinition{
					Device: b.Device, Name: b.Name, Args: b.Args, IssuedBy: o.Actor, IssuedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt, Job: b.Job, Order: o.Number,
				},
			}})
		}
	}
	h.orders = nil
	return ids
}

func TestJobs_FollowEachTargetToItsEnd(t *testing.T) {
	r := start(t, Config{Dispatch: slowJobs})
	a, _ := fleetOf(r, 2)
	var preview struct {
		Targets    int            `json:"targets"`
		Sites      int            `json:"sites"`
		LinkStates map[string]int `json:"link_states"`
	}
	choice := map[string]any{"site_filter": "", "filter": "type:watch"}
	r.mustAPI(http.MethodPost, "/api/v1/jobs/preview", choice, &preview)
	if preview.Targets != 4 || preview.Sites != 2 || preview.LinkStates["online"] != 2 {
		t.Fatalf("preview is %+v", preview)
	}
	choice["name"] = "locate"
	var j jobShown
	r.mustAPI(http.MethodPost, "/api/v1/jobs", choice, &j)
	j = r.job(j.JobID)
	if d := cmp.Diff(map[string]int{"queued": 4}, j.States); d != "" || j.Done || j.Targets != 4 || j.Sites != 2 {
		t.Fatalf("after it was ordered: %+v\n%s", j, d)
	}
	ids := a.takes()
	a.pushAll()
	a.steps(ids["watch-1"], fleet.CommandSent, fleet.CommandDelivered, fleet.CommandSucceeded)
	a.steps(ids["watch-2"], fleet.CommandFailed)
	a.pushAll()
	if d := cmp.Diff(map[string]int{"queued": 2, "succeeded": 1, "failed": 1}, r.job(j.JobID).States); d != "" {
		t.Fatal(d)
	}
	failed := r.targets(j.JobID, "&state=failed")
	if len(failed) != 1 || failed[0].SiteID != "a" || failed[0].DeviceID != "watch-2" || failed[0].CommandID != string(ids["watch-2"]) {
		t.Fatalf("failed: %+v", failed)
	}
	if all := r.targets(j.JobID, ""); len(all) != 4 || all[0].SiteID != "a" || all[3].SiteID != "b" {
		t.Fatalf("targets: %+v", all)
	}

	var again jobShown
	r.mustAPI(http.MethodPost, "/api/v1/jobs/"+j.JobID+"/retry", nil, &again)
	again = r.job(again.JobID)
	if again.Targets != 1 || again.Retries != j.JobID || again.States["queued"] != 1 {
		t.Fatalf("the retry is %+v", again)
	}
	ids = a.takes()
	a.steps(ids["watch-2"], fleet.CommandSent, fleet.CommandSucceeded)
	a.pushAll()
	if again = r.job(again.JobID); !again.Done || again.States["succeeded"] != 1 {
		t.Fatalf("the retry is %+v", again)
	}
	if code := r.api(http.MethodPost, "/api/v1/jobs/"+again.JobID+"/retry", nil, nil); code != http.StatusConflict {
		t.Errorf("a retry of what has succeeded answers %d", code)
	}
}

func TestJobs_CancelTakesBackWhatHasNotEnded(t *testing.T) {
	r := start(t, Config{Dispatch: slowJobs})
	a, b := fleetOf(r, 2)
	var j jobShown
	r.mustAPI(http.MethodPost, "/api/v1/jobs", map[string]any{"filter": "type:watch", "name": "locate"}, &j)
	r.job(j.JobID)
	ids := a.takes() // site b has not asked
	a.steps(ids["watch-1"], fleet.CommandSent, fleet.CommandDelivered, fleet.CommandSucceeded)
	a.pushAll()
	r.mustAPI(http.MethodPost, "/api/v1/jobs/"+j.JobID+"/cancel", nil, nil)
	j = r.job(j.JobID)
	if d := cmp.Diff(map[string]int{"succeeded": 1, "at_hub": 1, "cancelled": 2}, j.States); d != "" || j.CancelledAt == nil || j.Done {
		t.Fatalf("%+v\n%s", j, d)
	}
	if v := r.targets(j.JobID, "&state=at_hub"); len(v) != 1 || v[0].CancelSince == nil {
		t.Fatalf("what the hub holds: %+v", v)
	}
	if _, err := a.pull(0); err != nil {
		t.Fatal(err)
	}
	cancel, ok := a.orders[len(a.orders)-1].Body.(fleet.CancelCommand)
	if !ok || cancel.Command != ids["watch-2"] {
		t.Fatalf("the hub was told %+v", a.orders)
	}
	a.steps(ids["watch-2"], fleet.CommandCancelled)
	a.pushAll()
	// What was taken back before the hub asked comes with no time left.
	if _, err := b.pull(0); err != nil {
		t.Fatal(err)
	}
	for _, o := range b.orders {
		if o.ExpiresAt.After(o.CreatedAt) {
			t.Errorf("order %d was cancelled and would be run", o.Number)
		}
	}
	if j = r.job(j.JobID); !j.Done || j.States["cancelled"] != 3 {
		t.Fatalf("%+v", j)
	}
	if code := r.api(http.MethodPost, "/api/v1/jobs/"+j.JobID+"/cancel", nil, nil); code != http.StatusConflict {
		t.Errorf("cancelled twice: %d", code)
	}
}

func TestJobs_WaitForTheWindowOfEachSite(t *testing.T) {
	now := time.Date(2026, 3, 1, 20, 0, 0, 0, time.UTC)
	r := start(t, Config{Dispatch: slowJobs, Now: func() time.Time { return now }})
	fleetOf(r, 1)
	change := func(site, zone string) {
		var s struct {
			ETag string `json:"etag"`
		}
		r.mustAPI(http.MethodGet, "/api/v1/sites/"+site, nil, &s)
		if _, err := r.c.store.PutSite(t.Context(), fleet.System("test"), fleet.SiteID(site), site, siteZone(zone), 0); err != nil {
			t.Fatal(err)
		}
	}
	change("a", "Europe/Paris")   // 21:00
	change("b", "Asia/Singapore") // 04:00
	var j jobShown
	r.mustAPI(http.MethodPost, "/api/v1/jobs", map[string]any{
		"filter": "type:watch", "name": "locate", "ttl_ms": 36 * 3600 * 1000, "window": map[string]string{"from": "23:00", "to": "05:00"},
	}, &j)
	j = r.job(j.JobID)
	if d := cmp.Diff(map[string]int{"scheduled": 1, "queued": 1}, j.States); d != "" {
		t.Fatal(d)
	}
	waits := r.targets(j.JobID, "&state=scheduled")
	if len(waits) != 1 || waits[0].SiteID != "a" || waits[0].Due == nil || !waits[0].Due.Equal(now.Add(2*time.Hour)) {
		t.Fatalf("scheduled: %+v", waits)
	}
	// At six in Singapore the window is over and nobody has asked: it is tried
	// again in the next.
	now = now.Add(2*time.Hour + time.Minute)
	if err := r.c.dispatch.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	j = r.job(j.JobID)
	if d := cmp.Diff(map[string]int{"scheduled": 1, "queued": 1}, j.States); d != "" {
		t.Fatal(d)
	}
	if waits = r.targets(j.JobID, "&state=scheduled"); waits[0].SiteID != "b" || waits[0].Attempts != 1 {
		t.Fatalf("scheduled: %+v", waits)
	}
	// With the time to live of the job all of it ends.
	now = now.Add(36 * time.Hour)
	if err := r.c.dispatch.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if j = r.job(j.JobID); !j.Done || j.States["expired"] != 2 {
		t.Fatalf("%+v", j)
	}
}

func TestJobs_GoOnAfterARestartAndOrderNothingTwice(t *testing.T) {
	dir := t.TempDir()
	r := start(t, Config{Data: dir, Dispatch: slowJobs})
	a, _ := fleetOf(r, 2)
	var j jobShown
	r.mustAPI(http.MethodPost, "/api/v1/jobs", map[string]any{"filter": "type:watch", "name": "locate"}, &j)
	// The first site was ordered, and then the program ended before that was noted.
	stored, err := r.c.store.Job(t.Context(), fleet.JobID(j.JobID))
	if err != nil || len(stored.Plan) != 2 {
		t.Fatalf("the job has %d sites to choose, %v", len(stored.Plan), err)
	}
	r.job(j.JobID)
	again, err := r.c.store.Job(t.Context(), fleet.JobID(j.JobID))
	if err != nil || len(again.Plan) != 0 {
		t.Fatal(again.Plan, err)
	}
	again.Plan = stored.Plan
	if _, err := r.c.store.PutJob(t.Context(), fleet.System("test"), "", again, again.Version); err != nil {
		t.Fatal(err)
	}
	r.stop()

	r = start(t, Config{Data: dir, Dispatch: dispatch.Config{JobsEvery: 10 * time.Millisecond}})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var now jobShown
		if r.mustAPI(http.MethodGet, "/api/v1/jobs/"+j.JobID, nil, &now); now.Choosing == 0 && now.States["queued"] == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the job did not go on")
		}
	}
	var orders struct{ Items []struct{ Number int } }
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/orders", nil, &orders)
	if len(orders.Items) != 2 {
		t.Errorf("site a has %d orders, want 2", len(orders.Items))
	}
	_ = a
}

func TestJobs_SayWhatIsWrong(t *testing.T) {
	r := start(t, Config{Dispatch: dispatch.Config{JobsEvery: time.Hour, MaxTargets: 3}})
	fleetOf(r, 2)
	for _, test := range []struct {
		in   map[string]any
		code int
	}{
		{map[string]any{"name": "locate"}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "filter": "colour:red"}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "site_filter": "colour:red"}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "filter": "type:sensor"}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "filter": "type:watch"}, http.StatusTooManyRequests},
		{map[string]any{"name": "lo cate", "filter": "type:button"}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "filter": "type:button", "ttl_ms": int64(400 * 24 * time.Hour / time.Millisecond)}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "filter": "type:button", "window": map[string]string{"from": "02:00", "to": "02:00"}}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "targets": []map[string]string{{"site_id": "a", "device_id": "nothing"}}}, http.StatusNotFound},
		{map[string]any{"name": "locate", "filter": "", "targets": []map[string]string{{"site_id": "a", "device_id": "btn-1"}}}, http.StatusUnprocessableEntity},
		{map[string]any{"name": "locate", "targets": []map[string]string{{"site_id": "a", "device_id": "btn-1"}}}, http.StatusAccepted},
	} {
		if code := r.api(http.MethodPost, "/api/v1/jobs", test.in, nil); code != test.code {
			t.Errorf("%v: %d, want %d", test.in, code, test.code)
		}
	}
}

func siteZone(zone string) store.SiteSettings { return store.SiteSettings{Zone: zone} }

// What a hub took that has lost its store may have been done: it is not ordered
// again by itself, and the job says so.
func TestJobs_WhatAHubHasLostIsToldAsSuch(t *testing.T) {
	r := start(t, Config{Dispatch: slowJobs})
	a, _ := fleetOf(r, 1)
	var j jobShown
	r.mustAPI(http.MethodPost, "/api/v1/jobs", map[string]any{"site_filter": "site:a", "filter": "type:watch", "name": "locate"}, &j)
	r.job(j.JobID)
	if _, err := a.pull(0); err != nil || len(a.orders) != 1 {
		t.Fatal(a.orders, err)
	}
	if err := r.c.store.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error { return r.c.dispatch.Lost(tx, a.orders[0].Number) }); err != nil {
		t.Fatal(err)
	}
	j = r.job(j.JobID)
	failed := r.targets(j.JobID, "&state=failed")
	if !j.Done || len(failed) != 1 || failed[0].Error == "" || failed[0].Attempts != 1 {
		t.Fatalf("%+v, %+v", j, failed)
	}
}
