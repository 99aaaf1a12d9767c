//go:build !race

package inprocess

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/consoletest"
	"github.com/obedio/obedio/edge/hubtest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

// hourly is what both programs say of a site: counts by the hour's beginning.
type hourly map[string]fleet.TrafficCounts

// hubHours asks the hub for hours that are over.
func hubHours(hub *hubtest.Hub, from, to time.Time) hourly {
	var v struct {
		Series []struct {
			Points []struct {
				At time.Time `json:"at"`
				fleet.TrafficCounts
			} `json:"points"`
		} `json:"series"`
	}
	q := url.Values{"bucket": {"1h"}, "from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	hub.Call(http.MethodGet, "/api/v1/traffic/metrics?"+q.Encode(), nil, &v)
	out := hourly{}
	for _, s := range v.Series {
		for _, p := range s.Points {
			out[p.At.UTC().Format(time.RFC3339)] = p.TrafficCounts
		}
	}
	return out
}

// consoleHours asks the console for the same; what it does not hold is not in
// the answer.
func consoleHours(console *consoletest.Console, from, to time.Time) (out hourly, gaps int) {
	var v struct {
		Buckets []struct {
			At     time.Time            `json:"at"`
			Counts *fleet.TrafficCounts `json:"counts"`
		} `json:"buckets"`
		Gaps []struct{ From, To time.Time } `json:"gaps"`
	}
	q := url.Values{"from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	console.Call(http.MethodGet, "/api/v1/sites/yacht-1/traffic?"+q.Encode(), nil, &v)
	out = hourly{}
	for _, b := range v.Buckets {
		if b.Counts != nil {
			out[b.At.UTC().Format(time.RFC3339)] = *b.Counts
		}
	}
	return out, len(v.Gaps)
}

// enrol gives the hub to a console.
func enrol(hub *hubtest.Hub, console *consoletest.Console) {
	var claim json.RawMessage
	console.Call(http.MethodPost, "/api/v1/sites", map[string]string{"site_id": "yacht-1"}, nil)
	console.Call(http.MethodPost, "/api/v1/sites/yacht-1/claim", nil, &claim)
	hub.Call(http.MethodPost, "/api/v1/sync/enrolment", claim, nil)
}

// sensor sends a status each five minutes, so many times.
func sensor(t *testing.T, broker *fleettest.Listener, times int) {
	t.Helper()
	o := mqtt.NewClientOptions().AddBroker("tcp://hub").SetClientID("sensor-1").SetUsername("sensor-1").SetPassword("a long one").
		SetAutoReconnect(false).SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
		return broker.Dial(t.Context())
	})
	c := mqtt.NewClient(o)
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer c.Disconnect(100)
	for n := range times {
		status := fmt.Sprintf(`{"battery":%d,"signal_strength":-60}`, 90-n)
		if token := c.Publish("obedio/yacht-1/engine/sensor/sensor-1/status", 1, false, status); token.Wait() && token.Error() != nil {
			t.Fatal(token.Error())
		}
		time.Sleep(5 * time.Minute)
	}
}

// A device talks for hours, the link is cut over some of them and the hub is
// stopped in between: ashore stand the sums that the hub has, hour by hour, and
// hours that have not come are gaps.
func TestTraffic_ConsoleShowsTheSumsOfTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)))
		began := time.Now().UTC()
		link, broker := fleettest.NewListener("hublink"), fleettest.NewListener("mqtt")
		console := consoletest.Start(t, link)
		defer console.Stop()
		settings := hubtest.Config{
			Site: "yacht-1", Disk: hubtest.NewDisk(), StateEvery: time.Minute, Retry: time.Minute, MQTT: broker,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return link.Dial(ctx) },
		}
		hub := hubtest.Start(t, settings)
		defer func() { hub.Stop() }()

		enrol(hub, console)
		hub.Call(http.MethodPost, "/api/v1/devices", map[string]any{
			"device_id": "sensor-1", "type": "sensor", "room": "engine", "password": "a long one",
		}, nil)

		// equal compares the hours that are over.
		equal := func(when string, wantGaps int) {
			t.Helper()
			now := time.Now().UTC().Truncate(time.Hour)
			want := hubHours(hub, began, now)
			got, gaps := consoleHours(console, began, now)
			if d := cmp.Diff(want, got); d != "" || len(want) == 0 {
				t.Errorf("%s: hours (-hub +console):\n%s", when, d)
			}
			if gaps != wantGaps {
				t.Errorf("%s: %d gaps, want %d", when, gaps, wantGaps)
			}
		}
		sensor(t, broker, 20) // an hour and two thirds
		time.Sleep(90 * time.Minute)
		equal("while the link works", 1) // the hour in which nobody spoke

		link.Cut(true)
		sensor(t, broker, 15)
		time.Sleep(2 * time.Hour)
		now := time.Now().UTC().Truncate(time.Hour)
		held, _ := consoleHours(console, began, now)
		if all := hubHours(hub, began, now); len(held) >= len(all) {
			t.Errorf("with the link cut the console holds %d hours, the hub %d", len(held), len(all))
		}
		var sync struct {
			Lanes []struct {
				Name    string `json:"name"`
				Backlog int    `json:"backlog"`
			} `json:"lanes"`
		}
		hub.Call(http.MethodGet, "/api/v1/sync", nil, &sync)
		if l := sync.Lanes[len(sync.Lanes)-1]; l.Name != "summaries" || l.Backlog == 0 {
			t.Errorf("the hub shows lane 4 as %+v", l)
		}

		hub.Stop()
		link.Cut(false)
		broker = fleettest.NewListener("mqtt")
		settings.MQTT = broker
		hub = hubtest.Start(t, settings)
		time.Sleep(10 * time.Minute)
		equal("when hub and link are back", 2)
		hub.Call(http.MethodGet, "/api/v1/sync", nil, &sync)
		if l := sync.Lanes[len(sync.Lanes)-1]; l.Backlog != 0 {
			t.Errorf("still pending: %+v", l)
		}
	})
}

// A console that was not there before gets the hours that another one has
// acknowledged.
func TestTraffic_AnotherConsoleGetsTheHoursToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)))
		began := time.Now().UTC()
		broker := fleettest.NewListener("mqtt")
		var link atomic.Pointer[fleettest.Listener]
		hub := hubtest.Start(t, hubtest.Config{
			Site: "yacht-1", Disk: hubtest.NewDisk(), StateEvery: time.Minute, Retry: time.Minute, MQTT: broker,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return link.Load().Dial(ctx) },
		})
		defer hub.Stop()
		hub.Call(http.MethodPost, "/api/v1/devices", map[string]any{
			"device_id": "sensor-1", "type": "sensor", "room": "engine", "password": "a long one",
		}, nil)
		for _, name := range []string{"first", "second"} {
			link.Store(fleettest.NewListener(name))
			console := consoletest.Start(t, link.Load())
			enrol(hub, console)
			if name == "first" {
				sensor(t, broker, 30)
				time.Sleep(2 * time.Hour)
			}
			time.Sleep(10 * time.Minute)
			now := time.Now().UTC().Truncate(time.Hour)
			want := hubHours(hub, began, now)
			got, _ := consoleHours(console, began, now)
			if d := cmp.Diff(want, got); d != "" || len(want) != 3 {
				t.Errorf("%s console: %d hours (-hub +console):\n%s", name, len(want), d)
			}
			console.Stop()
		}
	})
}
