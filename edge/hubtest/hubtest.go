// Package hubtest runs a whole hub inside a test, also of another module: the
// real program but its command line, over a file system and listeners that may
// be in memory. For tests only.
package hubtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/fleet"
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
	t      testing.TB
	hub    *hub.Hub
	local  *http.Server
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
	out := &Hub{t: t, hub: h, local: h.API().LocalServer(), cancel: cancel, done: make(chan error, 1)}
	go func() { out.done <- h.Run(ctx) }()
	<-h.Ready()
	return out
}

// Stop stops the hub and waits until all of it has ended.
func (h *Hub) Stop() {
	h.t.Helper()
	h.cancel()
	if err := <-h.done; err != nil {
		h.t.Errorf("stop hub: %v", err)
	}
}

// Call makes a request to the API as the machine itself, and reads the answer
// into out (nil for none). It fails the test on an error answer.
func (h *Hub) Call(method, path string, in, out any) {
	h.t.Helper()
	if code, body := h.Try(method, path, in, out); code >= 400 {
		h.t.Fatalf("%s %s: %d %s", method, path, code, body)
	}
}

// Try is Call that returns the status and the body.
func (h *Hub) Try(method, path string, in, out any) (int, string) {
	h.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		h.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(h.local.ConnContext(h.t.Context(), nil), method, "http://localhost"+path, bytes.NewReader(b))
	r.RemoteAddr = "@"
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	w := httptest.NewRecorder()
	h.local.Handler.ServeHTTP(w, r)
	if out != nil && w.Code < 400 {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			h.t.Fatal(fmt.Errorf("%s %s: %w in %s", method, path, err, w.Body))
		}
	}
	return w.Code, w.Body.String()
}

// Digest sums up the hub's folded state.
func (h *Hub) Digest() string {
	h.t.Helper()
	d, err := h.hub.Store().Digest()
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}
