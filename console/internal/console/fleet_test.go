package console

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

type siteShown struct {
	ID          string     `json:"site_id"`
	Link        string     `json:"link_state"`
	LinkSince   time.Time  `json:"link_since"`
	LastContact *time.Time `json:"last_contact"`
	DataAsOf    *time.Time `json:"data_as_of"`
	HubID       string     `json:"hub_id"`
	Counts      struct {
		Devices, Ready, Late, Lost, Other int
	} `json:"counts"`
	Requests struct {
		Open, Accepted, Emergency int
	} `json:"requests"`
	Backlog   *struct{ Requests, Commands, State, Registry uint64 } `json:"backlog"`
	Attention int                                                   `json:"attention"`
	Reasons   []string                                              `json:"attention_reasons"`
}

func (r *rig) site(id string) (s siteShown) {
	r.t.Helper()
	r.mustAPI(http.MethodGet, "/api/v1/sites/"+id, nil, &s)
	return s
}

func TestSite_LinkAndDataAgeAreTwoThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := bubble(t, Config{})
		defer r.stop()
		r.addSite("yacht-1")
		if s := r.site("yacht-1"); s.Link != "never_connected" || s.DataAsOf != nil || s.LastContact != nil {
			t.Errorf("a new site is %+v", s)
		}
		h := r.hub("yacht-1")
		h.mustHello()
		h.device("watch-1", fleet.Watch)
		h.device("button-1", fleet.Button)
		h.pushAll()
		h.states(fleet.Lost, "button-1")
		fresh := time.Now()
		s := r.site("yacht-1")
		if s.Link != "online" || s.HubID != string(h.id) || !s.DataAsOf.Equal(fresh) || s.Counts.Devices != 2 || s.Counts.Lost != 1 || s.Counts.Other != 1 {
			t.Errorf("in session it is %+v", s)
		}
		if len(s.Reasons) != 1 || s.Reasons[0] != "1 device lost" {
			t.Errorf("it needs somebody because of %v", s.Reasons)
		}
		for range 10 { // contact without new data
			time.Sleep(time.Minute)
			if _, err := h.pull(0); err != nil {
				t.Fatal(err)
			}
		}
		if s = r.site("yacht-1"); s.Link != "online" || !s.DataAsOf.Equal(fresh) {
			t.Errorf("after ten quiet minutes it is %s with data of %s", s.Link, s.DataAsOf)
		}
		last := time.Now()
		for _, step := range []struct {
			after time.Duration
			link  string
			since time.Duration
		}{{299 * time.Second, "online", 0}, {301 * time.Second, "late", 5 * time.Minute}, {901 * time.Second, "offline", 15 * time.Minute}} {
			time.Sleep(time.Until(last.Add(step.after)))
			s := r.site("yacht-1")
			if s.Link != step.link || step.since > 0 && !s.LinkSince.Equal(last.Add(step.since)) {
				t.Errorf("after %s of silence it is %s since %s", step.after, s.Link, s.LinkSince)
			}
			if !s.DataAsOf.Equal(fresh) || !s.LastContact.Equal(last) {
				t.Errorf("after %s data is of %s, contact of %s", step.after, s.DataAsOf, s.LastContact)
			}
		}
		// It comes back with something to tell, and does not tell it.
		h.device("button-2", fleet.Button)
		h.mustHello()
		if s = r.site("yacht-1"); s.Link != "online" || s.Backlog.Registry != 1 {
			t.Errorf("back it is %s with %+v", s.Link, s.Backlog)
		}
		for range 6 {
			time.Sleep(time.Minute)
			if _, err := h.pull(0); err != nil {
				t.Fatal(err)
			}
		}
		if s = r.site("yacht-1"); s.Link != "stalled" || s.Reasons[0] != "data does not move" {
			t.Errorf("with data that does not come it is %s: %v", s.Link, s.Reasons)
		}
		h.pushAll()
		if s = r.site("yacht-1"); s.Link != "online" {
			t.Errorf("after the push it is %s", s.Link)
		}
		r.mustAPI(http.MethodDelete, "/api/v1/sites/yacht-1", nil, nil)
		if s = r.site("yacht-1"); s.Link != "revoked" || s.Attention != 0 {
			t.Errorf("revoked it is %s", s.Link)
		}
	})
}

func TestSite_DataAgeIsOfTheConsolesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := bubble(t, Config{})
		defer r.stop()
		r.addSite("yacht-1")
		h := r.hub("yacht-1")
		m := h.helloMessage()
		ahead := 3 * time.Hour
		m.HubTimeMs = time.Now().Add(ahead).UnixMilli()
		w, err := h.cl.Hello(t.Context(), connect.NewRequest(m))
		if err != nil {
			t.Fatal(err)
		}
		h.ticket = w.Msg.Ticket
		asOf := time.Now().Add(ahead - 20*time.Second)
		_, err = h.push(lane.Push{State: &lane.StateBatch{Upto: 1, AsOfMS: asOf.UnixMilli(), States: []fleet.DeviceState{
			{ID: "button-1", Presence: fleet.Ready, Version: 1},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if s := r.site("yacht-1"); !s.DataAsOf.Equal(time.Now().Add(-20 * time.Second)) {
			t.Errorf("data is of %s, now is %s", s.DataAsOf, time.Now())
		}
	})
}

func TestSites_AreListedByAttentionInPages(t *testing.T) {
	r := start(t, Config{})
	for _, id := range []string{"a", "b", "c", "d"} {
		r.addSite(id)
	}
	h := r.hub("c")
	h.mustHello()
	h.device("button-1", fleet.Button)
	at := fleet.Millis(time.Now())
	h.append(fleet.Record{At: at, ClockTrusted: true, Actor: fleet.ByDevice("button-1"), Body: fleet.Pressed{
		Press: fleet.Press{
			PressKey: fleet.PressKey{Device: "button-1", BootID: "b", SequenceID: 1}, Type: fleet.PressLong, Priority: fleet.Emergency,
			ReceivedAt: at, Request: fleet.NewUUID[fleet.RequestID](at),
		},
		Room: "cabin-1", Opens: true,
	}})
	h.pushAll()
	if _, err := r.c.fleet.Refresh(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for cursor := ""; ; {
		var page struct {
			Items []siteShown `json:"items"`
			Next  *string     `json:"next_cursor"`
		}
		r.mustAPI(http.MethodGet, "/api/v1/sites?limit=2&filter=-site:d&cursor="+cursor, nil, &page)
		for _, s := range page.Items {
			got = append(got, s.ID)
		}
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if strings.Join(got, " ") != "c a b" {
		t.Errorf("sites are %v", got)
	}
	var open struct {
		Items []struct {
			Priority string `json:"priority"`
		} `json:"items"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/sites/c/requests?state=open", nil, &open)
	if len(open.Items) != 1 || open.Items[0].Priority != "emergency" {
		t.Errorf("open requests are %+v", open.Items)
	}
	var system struct {
		Address string `json:"hublink_address"`
		Counts  struct {
			Sites        map[string]int `json:"sites"`
			Devices      int            `json:"devices"`
			OpenRequests int            `json:"open_requests"`
		} `json:"counts"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/system", nil, &system)
	if n := system.Counts; n.Sites["online"] != 1 || n.Sites["never_connected"] != 3 || n.Devices != 1 || n.OpenRequests != 1 || !strings.HasPrefix(system.Address, "https://127.0.0.1:") {
		t.Errorf("system is %+v", system)
	}
}

func TestDevices_OfAllSitesInPages(t *testing.T) {
	r := start(t, Config{})
	for _, id := range []string{"a", "b"} {
		r.addSite(id)
		h := r.hub(id)
		h.mustHello()
		for _, d := range []fleet.DeviceID{"button-1", "button-2", "watch-1"} {
			h.device(d, fleet.DeviceType(strings.Split(string(d), "-")[0]))
		}
		h.pushAll()
		h.states(fleet.Lost, "button-2")
	}
	list := func(path string) (got []string) {
		for cursor := ""; ; {
			var page struct {
				Items []struct {
					Site string     `json:"site"`
					ID   string     `json:"device_id"`
					AsOf *time.Time `json:"as_of"`
				} `json:"items"`
				Next *string `json:"next_cursor"`
			}
			r.mustAPI(http.MethodGet, path+"&limit=2&cursor="+cursor, nil, &page)
			for _, d := range page.Items {
				if (d.ID == "button-2") != (d.AsOf != nil) {
					t.Errorf("%s is as of %v", d.ID, d.AsOf)
				}
				got = append(got, d.Site+"/"+d.ID)
			}
			if page.Next == nil {
				return got
			}
			cursor = *page.Next
		}
	}
	for path, want := range map[string]string{
		"/api/v1/devices?filter=":                        "a/button-1 a/button-2 a/watch-1 b/button-1 b/button-2 b/watch-1",
		"/api/v1/devices?filter=state:lost":              "a/button-2 b/button-2",
		"/api/v1/devices/search?q=watch%20site:b":        "b/watch-1",
		"/api/v1/sites/a/devices?filter=type:button":     "a/button-1 a/button-2",
		"/api/v1/devices?filter=site:a%20-type:button":   "a/watch-1",
		"/api/v1/devices?filter=state:ready%20type:none": "",
	} {
		if got := strings.Join(list(path), " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestEvents_TellEachChangeOnceToThoseWhoMay(t *testing.T) {
	h := ready(t, Config{})
	r := h.r
	r.addSite("yacht-2")
	local := r.c.accounts.Policy().Local()
	_, token, err := r.c.accounts.AddToken(t.Context(), local, account.NewToken{Name: "t", Role: account.Viewer, Sites: []fleet.SiteID{"yacht-1"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.c.c.Listeners.HTTP.Addr().String()+"/api/v1/events?events=request,command,mqtt:device-status,sync,site", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	other := r.hub("yacht-2") // nothing of it is told
	other.mustHello()
	other.device("watch-9", fleet.Watch)
	other.pushAll()
	c := h.send("watch-1", map[string]any{"name": "locate"})
	if _, err := h.pull(0); err != nil {
		t.Fatal(err)
	}
	for _, s := range []fleet.CommandState{fleet.CommandAtHub, fleet.CommandSent, fleet.CommandSucceeded} {
		h.step(h.orders[0], s)
	}
	h.pushAll()
	var commands []string
	name := ""
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			name = v
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e struct {
			Site    string       `json:"site"`
			SiteID  string       `json:"site_id"`
			Command commandShown `json:"command"`
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		if e.Site+e.SiteID != "yacht-1" {
			t.Errorf("told of %s: %s %s", e.Site+e.SiteID, name, data)
		}
		if name == "command" && e.Command.ID == c.ID {
			commands = append(commands, string(e.Command.State))
		}
		if name == "sync" && len(commands) > 0 {
			break
		}
	}
	if got := strings.Join(commands, " "); got != "queued succeeded" {
		t.Errorf("the command was told %s", got)
	}
}

func TestRestart_FindsTheFleetAgain(t *testing.T) {
	dir := t.TempDir()
	r := start(t, Config{Data: dir})
	r.addSite("yacht-1")
	h := r.hub("yacht-1")
	h.mustHello()
	h.grow(50)
	h.pushAll()
	before, digest := r.site("yacht-1"), h.digest()
	r.stop()

	again := start(t, Config{Data: dir})
	s := again.site("yacht-1")
	if s.Link != "online" || !s.DataAsOf.Equal(*before.DataAsOf) || s.Counts != before.Counts || s.Requests != before.Requests {
		t.Errorf("after the restart it is %+v, before %+v", s, before)
	}
	h.dials(again)
	var v struct {
		Digest string `json:"digest"`
	}
	again.mustAPI(http.MethodGet, "/api/v1/sites/yacht-1/sync", nil, &v)
	if v.Digest != digest {
		t.Error("the digest is another")
	}
	h.grow(5)
	h.pushAll() // with the ticket of before
	if again.c.identity != r.c.identity || again.c.pki.Fingerprint() != r.c.pki.Fingerprint() {
		t.Error("the console is another")
	}
	again.stop()

	// An authority that has got lost is not made again.
	lost := filepath.Join(dir, "pki")
	moveAway(t, lost)
	_, err := New(t.Context(), Config{Data: dir, Store: badger.Config{MemTableBytes: 2 << 20}})
	if err == nil || !strings.Contains(err.Error(), lost) {
		t.Errorf("without the authorities: %v", err)
	}
}

func moveAway(t *testing.T, path string) {
	t.Helper()
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
}
