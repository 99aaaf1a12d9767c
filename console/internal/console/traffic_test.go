package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// trafficAnswer is what these tests read of an answer.
type trafficAnswer struct {
	AsOf    time.Time           `json:"as_of"`
	Since   time.Time           `json:"since"`
	Hours   int                 `json:"hours"`
	Held    int                 `json:"held"`
	Totals  fleet.TrafficCounts `json:"totals"`
	LeftOut int                 `json:"left_out"`
	Buckets []struct {
		At     time.Time            `json:"at"`
		Hours  int                  `json:"hours"`
		Held   int                  `json:"held"`
		Counts *fleet.TrafficCounts `json:"counts"`
	} `json:"buckets"`
	Top []struct {
		Key    string              `json:"key"`
		Known  bool                `json:"known"`
		Totals fleet.TrafficCounts `json:"totals"`
		Fields []struct {
			Name string  `json:"name"`
			Last float64 `json:"last"`
		} `json:"fields"`
	} `json:"top"`
	Others *fleet.TrafficCounts `json:"others"`
	Gaps   []struct {
		From time.Time `json:"from"`
		To   time.Time `json:"to"`
	} `json:"gaps"`
}

// trafficNow is when these tests happen: a quarter past eight.
var trafficNow = time.Date(2026, 3, 4, 8, 15, 0, 0, time.UTC)

// hours pushes hours of traffic, and returns those that are acknowledged.
func (h *testHub) hours(parts ...lane.TrafficPart) []fleet.TrafficRef {
	h.r.t.Helper()
	for i := range parts {
		h.number++
		parts[i].Number = h.number
	}
	r, err := h.push(lane.Push{Traffic: parts})
	if err != nil {
		h.r.t.Fatal(err)
	}
	return r.Hours
}

func startTraffic(t *testing.T, c Config) (*rig, *testHub) {
	t.Helper()
	if c.Now == nil {
		c.Now = func() time.Time { return trafficNow }
	}
	r := start(t, c)
	r.addSite("a")
	h := r.hub("a")
	h.mustHello()
	return r, h
}

func TestTraffic_IsShownWithItsGaps(t *testing.T) {
	r, h := startTraffic(t, Config{})
	h.device("d-1", fleet.Button)
	h.pushAll()
	eight := trafficNow.Truncate(time.Hour)
	h.hours(
		storetest.TrafficPart(eight.Add(-time.Hour), 1, 0, 1, storetest.TrafficRow("d-1", 5), storetest.TrafficRow("client", 9)),
		storetest.TrafficPart(eight.Add(-4*time.Hour), 1, 0, 1, storetest.TrafficRow("d-1", 2), storetest.TrafficRow("~other", 1)),
		storetest.TrafficPart(eight.Add(-26*time.Hour), 1, 0, 1, storetest.TrafficRow("d-1", 100)),
	)
	var got trafficAnswer
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/traffic?group=device&limit=2&from=2026-03-04T03:30:00Z", nil, &got)
	if got.Hours != 5 || got.Held != 2 || len(got.Buckets) != 5 || got.Totals.MessagesIn != 17 || !got.AsOf.Equal(eight) || !got.Since.Equal(eight.Add(-26*time.Hour)) {
		t.Errorf("got %+v", got)
	}
	for i, b := range got.Buckets {
		want := map[int]uint64{1: 3, 4: 14}[i]
		if (b.Counts == nil) != (want == 0) || b.Counts != nil && b.Counts.MessagesIn != want || b.Hours != 1 {
			t.Errorf("bucket %d is %+v, want %d messages or none known", i, b, want)
		}
	}
	var gaps []string
	for _, g := range got.Gaps {
		gaps = append(gaps, g.From.Format("15")+" to "+g.To.Format("15"))
	}
	if d := cmp.Diff([]string{"03 to 04", "05 to 07"}, gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	if len(got.Top) != 2 || got.Top[0].Key != "client" || got.Top[0].Known || got.Top[1].Key != "d-1" || !got.Top[1].Known ||
		got.Top[1].Totals.MessagesIn != 7 || len(got.Top[1].Fields) != 1 || got.Top[1].Fields[0].Last != 50 || got.Others == nil || got.Others.MessagesIn != 1 {
		t.Errorf("top is %+v, others %+v", got.Top, got.Others)
	}

	got = trafficAnswer{}
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/traffic?bucket=day&from=2026-03-02T12:00:00Z", nil, &got)
	var days []string
	for _, b := range got.Buckets {
		n := "-"
		if b.Counts != nil {
			n = fmt.Sprint(b.Counts.MessagesIn)
		}
		days = append(days, fmt.Sprint(b.At.Day(), ": ", b.Held, " of ", b.Hours, ", ", n))
	}
	if d := cmp.Diff([]string{"2: 0 of 24, -", "3: 1 of 24, 100", "4: 2 of 8, 17"}, days); d != "" {
		t.Errorf("days (-want +got):\n%s", d)
	}

	got = trafficAnswer{}
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/traffic?group=room", nil, &got)
	if len(got.Top) != 1 || got.Top[0].Key != "cabin-1" || got.Top[0].Fields != nil {
		t.Errorf("rooms are %+v", got.Top)
	}
	for query, code := range map[string]int{
		"bucket=week": 422, "group=deck": 422, "limit=0": 422, "limit=101": 422, "format=xml": 422, "from=yesterday": 422,
		"from=2026-03-05T00:00:00Z": 422, "group=device&from=2025-01-01T00:00:00Z": 422, "from=2020-01-01T00:00:00Z": 422,
		"bucket=day&from=2025-01-01T00:00:00Z": 200,
	} {
		if got := r.api(http.MethodGet, "/api/v1/sites/a/traffic?"+query, nil, nil); got != code {
			t.Errorf("%s: %d, want %d", query, got, code)
		}
	}
	if got := r.api(http.MethodGet, "/api/v1/sites/nowhere/traffic", nil, nil); got != http.StatusNotFound {
		t.Errorf("a site that is not there: %d", got)
	}
	var sync struct {
		Lanes []struct {
			Name    string `json:"name"`
			Durable int    `json:"durable"`
		} `json:"lanes"`
	}
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/sync", nil, &sync)
	if l := sync.Lanes[len(sync.Lanes)-1]; l.Name != "summaries" || l.Durable != 3 {
		t.Errorf("lane 4 is %+v", l)
	}
}

func TestTraffic_IsExportedAsCSV(t *testing.T) {
	r, h := startTraffic(t, Config{})
	eight := trafficNow.Truncate(time.Hour)
	h.hours(storetest.TrafficPart(eight.Add(-2*time.Hour), 1, 0, 1, storetest.TrafficRow("=cmd()", 5), storetest.TrafficRow("d", 1)))
	read := func(query, accept string) [][]string {
		t.Helper()
		s := r.c.API().LocalServer()
		req := httptest.NewRequestWithContext(s.ConnContext(t.Context(), nil), http.MethodGet,
			"http://localhost/api/v1/sites/a/traffic?from=2026-03-04T06:00:00Z"+query, http.NoBody)
		req.Header.Set("Accept", accept)
		rec := httptest.NewRecorder()
		s.Handler.ServeHTTP(rec, req)
		if kind := rec.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/csv") {
			t.Errorf("content type is %s", kind)
		}
		rows, err := csv.NewReader(rec.Body).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	counted := []string{"messages_in", "messages_out", "bytes_in", "bytes_out", "dropped", "denied", "reconnects"}
	if d := cmp.Diff([][]string{
		append([]string{"at", "hours", "held"}, counted...),
		{"2026-03-04T06:00:00Z", "1", "1", "6", "0", "60", "0", "0", "0", "0"},
		{"2026-03-04T07:00:00Z", "1", "0", "", "", "", "", "", "", ""},
	}, read("&format=csv", "")); d != "" {
		t.Errorf("buckets (-want +got):\n%s", d)
	}
	if d := cmp.Diff([][]string{
		append([]string{"device", "name"}, counted...),
		{"'=cmd()", "", "5", "0", "50", "0", "0", "0", "0"},
		{"~others", "", "1", "0", "10", "0", "0", "0", "0"},
	}, read("&group=device&limit=1", "text/csv")); d != "" {
		t.Errorf("top (-want +got):\n%s", d)
	}
}

func TestTraffic_WhatIsNotWantedIsAcknowledgedAndCounted(t *testing.T) {
	r, h := startTraffic(t, Config{})
	at := func(d time.Duration) time.Time { return trafficNow.Truncate(time.Hour).Add(d) }
	old, ahead := at(-401*24*time.Hour), at(48*time.Hour) // the hub's clock was wrong
	acked := h.hours(
		storetest.TrafficPart(old, 1, 0, 1, storetest.TrafficRow("d", 1)),
		storetest.TrafficPart(ahead, 1, 0, 1, storetest.TrafficRow("d", 1), storetest.TrafficRow("e", 1)),
		storetest.TrafficPart(at(time.Hour), 1, 0, 1, storetest.TrafficRow("d", 1)),
		storetest.TrafficPart(at(-time.Hour), 1, 0, 2, storetest.TrafficRow("d", 1)),
	)
	if len(acked) != 3 {
		t.Errorf("acknowledged: %v, want all but the hour that is not whole", acked)
	}
	// A row that breaks a rule is left out, and its hour is taken.
	part := lane.EncodePush(lane.Push{Ticket: h.ticket, Traffic: []lane.TrafficPart{
		storetest.TrafficPart(at(-2*time.Hour), 1, 0, 1, storetest.TrafficRow("d", 1)),
	}})
	part.Summaries[0].Number = 100
	part.Summaries[0].Rows = append(part.Summaries[0].Rows, &pb.SummaryRow{})
	if _, err := h.cl.Push(t.Context(), connect.NewRequest(part)); err != nil {
		t.Fatal(err)
	}
	var got trafficAnswer
	r.mustAPI(http.MethodGet, "/api/v1/sites/a/traffic", nil, &got)
	if got.LeftOut != 4 || got.Held != 1 {
		t.Errorf("%d left out, %d held, want 4 and 1", got.LeftOut, got.Held)
	}
	if n := r.c.link.TrafficLeftOut(); n != 4 {
		t.Errorf("%d left out in all", n)
	}
}

func TestTraffic_OldDaysAreDropped(t *testing.T) {
	var now atomic.Int64
	now.Store(trafficNow.Unix())
	r, h := startTraffic(t, Config{TrafficAge: 48 * time.Hour, Now: func() time.Time { return time.Unix(now.Load(), 0).UTC() }})
	h.hours(
		storetest.TrafficPart(trafficNow.Truncate(time.Hour).Add(-time.Hour), 1, 0, 1, storetest.TrafficRow("d", 1)),
		storetest.TrafficPart(trafficNow.Truncate(time.Hour).Add(-30*time.Hour), 1, 0, 1, storetest.TrafficRow("d", 1)),
	)
	held := func() (n int) {
		if err := r.c.Store().ViewSite(t.Context(), "a", func(v store.SiteView) error {
			return v.Traffic(time.Time{}, trafficNow, false, func(store.TrafficHour) bool {
				n++
				return true
			})
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, step := range []struct {
		after      time.Duration
		days, left int
	}{{0, 0, 2}, {40 * time.Hour, 1, 1}, {40 * time.Hour, 0, 1}, {80 * time.Hour, 1, 0}} {
		days, err := r.c.dropTrafficBefore(t.Context(), trafficNow.Add(step.after-48*time.Hour))
		if err != nil || days != step.days || held() != step.left {
			t.Errorf("after %s: %d days dropped, %d hours left, %v", step.after, days, held(), err)
		}
	}
}
