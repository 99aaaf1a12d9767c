package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// screen follows the hub's events as its pages do: it reads the requests that are
// open when it begins and whenever it is told to, and takes every event for what
// it says.
type screen struct {
	api   *api
	ended chan struct{} // closed when the hub has ended the stream

	mu      sync.Mutex // guards what follows
	open    map[string]string
	shown   int // events and readings so far
	resyncs int
	lastID  string
}

// watchScreen opens a screen; lastID is of the one before, if there was one.
func watchScreen(t *testing.T, api *api, lastID string) *screen {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, api.base+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+api.token)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("events: %s", resp.Status)
	}
	s := &screen{api: api, ended: make(chan struct{}), open: map[string]string{}, lastID: lastID}
	if lastID == "" {
		s.read()
	}
	go func() {
		defer close(s.ended)
		defer resp.Body.Close()
		var name, data string
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				name = value
			case "data":
				data += value
			case "id":
				s.set(func() { s.lastID = value })
			case "":
				s.take(name, data)
				name, data = "", ""
			}
		}
	}()
	return s
}

func (s *screen) set(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *screen) take(name, data string) {
	switch name {
	case "resync":
		s.set(func() { s.resyncs++ })
		s.read()
	case "request":
		var q requestView
		if json.Unmarshal([]byte(data), &q) != nil {
			return
		}
		s.set(func() {
			s.shown++
			delete(s.open, q.ID)
			if q.State == "open" {
				s.open[q.ID] = q.Priority
			}
		})
	}
}

// read reads the open requests. The hub may be gone: then it is read later.
func (s *screen) read() {
	resp, body, err := s.api.try(http.MethodGet, "/api/v1/requests?state=open", nil)
	var page struct{ Items []requestView }
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(body, &page) != nil {
		return
	}
	s.set(func() {
		s.shown++
		clear(s.open)
		for _, q := range page.Items {
			s.open[q.ID] = q.Priority
		}
	})
}

// shows reports whether a request of a priority is on the screen, and open.
func (s *screen) shows(id, priority string) (is bool) {
	s.set(func() { is = s.open[id] == priority })
	return is
}

func (s *screen) last() (id string) {
	s.set(func() { id = s.lastID })
	return id
}
