// Package hubtest runs a whole hub inside a test, also of another module: the
// real program but its command line, over a file system and listeners that may
// be in memory. For tests only.
package hubtest

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

// Config is what Start needs.
type Config struct {
	Site fleet.SiteID
	// Dir of the data; in memory, see Disk, when empty.
	Dir string
	// Disk holds the data between two starts.
	Disk *Disk
	// MQTT takes devices; nil for none.
	MQTT net.Listener
	// Dial reaches the console's hub link.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// StateEvery and Retry make the link as quick as the test wants.
	StateEvery, Retry time.Duration
}

// Disk is a file system in memory.
type Disk struct{ fs store.FileSystem }

// NewDisk returns an empty disk.
func NewDisk() *Disk { return &Disk{store.InMemory()} }

// Hub is a hub that runs.
type Hub struct {
	fleettest.Caller
	hub    *hub.Hub
	cancel context.CancelFunc
	done   chan error
}

// Start starts a hub. The test must Stop it.
func Start(t testing.TB, c Config) *Hub {
	t.Helper()
	settings := hub.Config{
		Data: c.Dir, Site: c.Site, Version: "test", Listeners: hub.Listeners{MQTT: c.MQTT},
		Uplink: uplink.Config{Dial: c.Dial, StateEvery: c.StateEvery, RetryFirst: c.Retry, RetryMost: 4 * c.Retry},
	}
	if c.Dir == "" {
		settings.Data, settings.FS = "hub", c.Disk.fs
	}
	h, err := hub.New(t.Context(), settings)
	if err != nil {
		t.Fatalf("start hub: %v", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out := &Hub{Caller: fleettest.Caller{T: t, Local: h.API().LocalServer()}, hub: h, cancel: cancel, done: make(chan error, 1)}
	go func() { out.done <- h.Run(ctx) }()
	<-h.Ready()
	return out
}

// Stop stops the hub and waits until all of it has ended.
func (h *Hub) Stop() {
	h.T.Helper()
	h.cancel()
	if err := <-h.done; err != nil {
		h.T.Errorf("stop hub: %v", err)
	}
}

// Digest sums up the hub's folded state but for the audit.
func (h *Hub) Digest() string {
	h.T.Helper()
	d, err := h.hub.Store().SyncDigest()
	if err != nil {
		h.T.Fatal(err)
	}
	return d
}
