// Package consoletest runs a whole console inside a test, also of another
// module: the real program but its command line, over a store and listeners
// that may be in memory. For tests only.
package consoletest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/identity"
)

// Console is a console that runs, with its store in memory.
type Console struct {
	fleettest.Caller
	console *console.Console
	cancel  context.CancelFunc
	done    chan error
}

// Start starts a console that hubs reach through link. The test must Stop it.
func Start(t testing.TB, link net.Listener) *Console {
	t.Helper()
	v, err := console.New(t.Context(), console.Config{
		InMemory: true, Version: "test", Listeners: console.Listeners{HubLink: link},
		HubLinkURL: "https://" + identity.HubLinkName + ":8444", Now: time.Now,
	})
	if err != nil {
		t.Fatalf("start console: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := &Console{
		Caller: fleettest.Caller{T: t, Local: v.API().LocalServer()}, console: v, cancel: cancel, done: make(chan error, 1),
	}
	go func() { c.done <- v.Run(ctx) }()
	<-v.Ready()
	return c
}

// Stop stops the console and waits until all of it has ended.
func (c *Console) Stop() {
	c.T.Helper()
	c.cancel()
	if err := <-c.done; err != nil {
		c.T.Errorf("stop console: %v", err)
	}
}

// Digest sums up the console's folded state of a site.
func (c *Console) Digest(site fleet.SiteID) string {
	c.T.Helper()
	var v struct {
		Digest string `json:"digest"`
	}
	c.Call("GET", "/api/v1/sites/"+string(site)+"/sync", nil, &v)
	return v.Digest
}
