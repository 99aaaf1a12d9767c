package scenario

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// History is what the hub has said in the course of a run. Alerts come and go,
// escalations end and devices come back: what is so in the end is not all. Every
// answer of the hub is noted, whoever asked.
type History struct {
	mu sync.Mutex // guards what follows, while the run goes on
	// Alerts as they were last, by their ids.
	Alerts map[string]hubapi.Alert
	// Requests by their ids.
	Requests map[fleet.RequestID]Reach
	// Presence has each state of a device with the time since when it was in it.
	Presence map[fleet.DeviceID][]PresenceAt
}

// Reach is how far a request came: the highest level of its escalation, and all
// watches that were told of it and that could not be, with the newest reason.
type Reach struct {
	Level   hubapi.Level
	Told    map[fleet.DeviceID]bool
	Missing map[fleet.DeviceID]string
}

// PresenceAt is one state of a device.
type PresenceAt struct {
	State fleet.Presence
	Since time.Time
}

func newHistory() *History {
	return &History{
		Alerts: map[string]hubapi.Alert{}, Requests: map[fleet.RequestID]Reach{}, Presence: map[fleet.DeviceID][]PresenceAt{},
	}
}

func (h *History) request(q hubapi.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	reach, ok := h.Requests[q.RequestID]
	if !ok {
		reach = Reach{Told: map[fleet.DeviceID]bool{}, Missing: map[fleet.DeviceID]string{}}
	}
	if q.ToldTo != nil {
		reach.Level = max(reach.Level, *q.ToldTo)
	}
	for _, w := range q.Notified.Told {
		reach.Told[w.DeviceID] = true
	}
	for _, w := range q.Notified.Unreachable {
		reach.Missing[w.DeviceID] = w.Why
	}
	h.Requests[q.RequestID] = reach
}

func (h *History) alert(a hubapi.Alert) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Alerts[a.AlertID] = a
}

func (h *History) device(d hubapi.Device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := PresenceAt{d.Presence.State, d.Presence.Since}
	if all := h.Presence[d.DeviceID]; !slices.Contains(all, now) {
		h.Presence[d.DeviceID] = append(all, now)
	}
}

// historic is a check that wants a History.
type historic interface{ historic() }

// lookEvery is how often the hub is asked, in real time.
const lookEvery = 250 * time.Millisecond

// observe keeps the history until ctx ends, if an expectation wants it.
func (r *run) observe(ctx context.Context) {
	if !slices.ContainsFunc(r.c.Script.Expect, func(e Expectation) bool { _, wants := e.check.(historic); return wants }) {
		return
	}
	r.begin(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			if err := r.look(ctx); err != nil && ctx.Err() == nil {
				r.c.Logger.Warn("the hub does not tell how it is", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// look asks the hub once.
func (r *run) look(ctx context.Context) error {
	_, err := r.requests(ctx)
	if err == nil {
		_, err = r.devices(ctx)
	}
	if err == nil {
		_, err = r.alerts(ctx)
	}
	return err
}

// devices are those of this run, as the hub shows them.
func (r *run) devices(ctx context.Context) ([]hubapi.Device, error) {
	all, err := r.api.Devices(ctx)
	all = slices.DeleteFunc(all, func(d hubapi.Device) bool { return r.byID[d.DeviceID] == nil })
	for _, d := range all {
		r.history.device(d)
	}
	return all, err
}

// alerts are the hub's since the run's begin; none of a hub that knows none.
func (r *run) alerts(ctx context.Context) ([]hubapi.Alert, error) {
	all, err := r.api.Alerts(ctx, "")
	if hubapi.IsStatus(err, 404) {
		return nil, nil
	}
	all = slices.DeleteFunc(all, func(a hubapi.Alert) bool { return a.Since.Before(r.since) })
	for _, a := range all {
		r.history.alert(a)
	}
	return all, err
}
