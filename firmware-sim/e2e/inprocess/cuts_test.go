//go:build !race

// Package inprocess runs a whole hub and a whole console in one bubble of
// testing/synctest. It is built without the race detector, whose runtime (Go
// 1.26) crashes in a bubble with the engines' many timers; both programs run
// under the detector in package e2e.
package inprocess

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/console/consoletest"
	"github.com/obedio/obedio/edge/hubtest"
	"github.com/obedio/obedio/shared/fleettest"
)

// A whole hub and a whole console in one process, on one bubble's time: hours
// pass in seconds, through TLS, Connect, both stores and both folds. (Weeks are
// for the pure core in shared/lane: the engines' own tickers keep a bubble busy.)
func TestCuts_LinkGoesAndComesAndBothFoldsBecomeEqualEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// A bubble begins in 2000, which no program of ours believes.
		time.Sleep(time.Until(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)))
		link := fleettest.NewListener("hublink")
		console := consoletest.Start(t, link)
		hub := hubtest.Start(t, hubtest.Config{
			Site: "yacht-1", Disk: hubtest.NewDisk(), StateEvery: time.Minute, Retry: time.Minute,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return link.Dial(ctx) },
		})
		defer console.Stop()
		defer hub.Stop()

		enrol(hub, console)
		equal := func(when string) {
			t.Helper()
			if h, c := hub.Digest(), console.Digest("yacht-1"); h != c {
				var link struct {
					Uplink struct {
						State     string `json:"state"`
						LastError string `json:"last_error"`
					} `json:"uplink"`
				}
				hub.Call(http.MethodGet, "/api/v1/sync", nil, &link)
				t.Errorf("%s: hub %s, console %s; link %s %s", when, h, c, link.Uplink.State, link.Uplink.LastError)
			}
		}
		began := time.Now()
		const rounds = 6
		for round := range rounds {
			id := fmt.Sprintf("watch-%d", round)
			hub.Call(http.MethodPost, "/api/v1/devices", map[string]string{"device_id": id, "type": "watch", "room": "bridge"}, nil)
			hub.Call(http.MethodPost, "/api/v1/devices/"+id+"/command", map[string]any{"name": "locate", "ttl_ms": 600_000}, nil)
			time.Sleep(20 * time.Minute)
			equal(fmt.Sprintf("round %d", round))

			link.Cut(true)
			hub.Call(http.MethodPost, "/api/v1/devices/"+id+"/command", map[string]any{"name": "config", "ttl_ms": 1000}, nil)
			console.Call(http.MethodPost, "/api/v1/sites/yacht-1/devices/"+id+"/command", map[string]any{"name": "reset", "ttl_ms": 60_000}, nil)
			time.Sleep(time.Hour)
			link.Cut(false)
			time.Sleep(10 * time.Minute)
			equal(fmt.Sprintf("round %d, after the cut", round))
		}
		if passed := time.Since(began); passed < rounds*time.Hour {
			t.Errorf("only %s passed", passed)
		}
		// The commands that were queued ashore while the link was cut came too late.
		var commands struct {
			Items []struct {
				ID    string `json:"command_id"`
				State string `json:"state"`
			} `json:"items"`
		}
		console.Call(http.MethodGet, "/api/v1/sites/yacht-1/commands?limit=500", nil, &commands)
		for _, c := range commands.Items {
			if c.State != "expired" {
				t.Errorf("command %s is %s", c.ID, c.State)
			}
		}
		if len(commands.Items) != 3*rounds {
			t.Errorf("%d commands, want %d", len(commands.Items), 3*rounds)
		}
	})
}
