package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/topic"
)

const (
	// timeSetting is the name under which the store has the last certain time.
	timeSetting = "clock"
	// How often the time is stored, and how often the system is asked whether its
	// clock is kept in step.
	storeTimeEvery = 10 * time.Minute
	lookEvery      = 10 * time.Second
)

// rememberTime tells the clock what the store knows of the time.
func (h *Hub) rememberTime() error {
	at, found, err := store.Setting[time.Time](h.store, timeSetting)
	if err != nil {
		return fmt.Errorf("read the last known time: %w", err)
	}
	if found {
		h.clock.Raise(at)
	}
	return nil
}

// keepTime stores the time now and then, so that a board without a battery goes
// on from there, until ctx ends; and once more then.
func (h *Hub) keepTime(ctx context.Context) error {
	save := func(ctx context.Context) error {
		at := fleet.Millis(h.clock.Certain())
		h.clock.Raise(at)
		return h.store.Update(ctx, func(tx *store.Tx) error {
			tx.Essential()
			return tx.PutSetting(timeSetting, at)
		})
	}
	if err := save(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	look, keep := time.NewTicker(lookEvery), time.NewTicker(storeTimeEvery)
	defer look.Stop()
	defer keep.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := save(last); err != nil && h.store.Err() == nil {
				h.log.Warn("time not stored", "error", err)
			}
			return nil
		case <-look.C:
			h.clock.Look()
		case <-keep.C:
			if err := save(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// consoleTime takes what the console says that the time is.
func (h *Hub) consoleTime(t time.Time) {
	before := h.clock.Read()
	if err := h.clock.Tell(t, identity.ClockConsole); err != nil {
		h.log.Warn("console's time not taken", "time", t, "error", err)
		return
	}
	if off := t.Sub(before.Now); before.Source != identity.ClockNTP && off.Abs() > time.Minute {
		h.log.Warn("the console's time differs from the hub's", "console", t, "hub", before.Now, "source", before.Source)
	}
}

// timeMessage is the payload of system/time.
type timeMessage struct {
	Time    time.Time            `json:"time"`
	UnixMS  int64                `json:"unix_ms"`
	Source  identity.ClockSource `json:"source"`
	Trusted bool                 `json:"trusted"`
}

// tellEvery is how often devices are told the time.
const tellEvery = time.Minute

// tellTime tells devices the time, until ctx ends. The message is retained, so
// that one that has just connected need not wait; a hub that does not know the
// time says so.
func (h *Hub) tellTime(ctx context.Context) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	h.tellState(ctx, "online")
	for {
		h.tellTimeNow(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// stateMessage is the payload of system/hub.
type stateMessage struct {
	State     string    `json:"state"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
}

// tellState tells devices whether the hub takes work.
func (h *Hub) tellState(ctx context.Context, state string) {
	payload, err := json.Marshal(stateMessage{State: state, Version: h.c.Version, StartedAt: fleet.Millis(h.started)})
	if err == nil {
		err = h.broker.Send(ctx, broker.Message{Name: topic.System(h.identity.Site, topic.SystemHub), Payload: payload, QoS: 1, Retain: true})
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, fleet.ErrUnavailable) {
		h.log.Warn("state of the hub not told to devices", "error", err)
	}
}

func (h *Hub) tellTimeNow(ctx context.Context) {
	r := h.clock.Read()
	now := fleet.Millis(r.Now)
	payload, err := json.Marshal(timeMessage{Time: now, UnixMS: now.UnixMilli(), Source: r.Source, Trusted: r.Trusted})
	if err == nil {
		err = h.broker.Send(ctx, broker.Message{
			Name: topic.System(h.identity.Site, topic.SystemTime), Payload: payload, QoS: 1, Retain: true,
		})
	}
	if err != nil && ctx.Err() == nil {
		h.log.Warn("time not told to devices", "error", err)
	}
}

// tellLate tells the time because a device comes whose certificate has expired:
// what is retained may be of before that, and the device would take it that it may
// do what it always does. All devices are told, so not more than once a second.
func (h *Hub) tellLate(ctx context.Context) {
	h.late.mu.Lock()
	soon := time.Since(h.late.told) < time.Second
	if !soon {
		h.late.told = time.Now()
	}
	h.late.mu.Unlock()
	if !soon {
		h.tellTimeNow(ctx)
	}
}
