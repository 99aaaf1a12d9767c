package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// Run sends and ends commands until ctx ends.
func (m *Commands) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		case <-timer.C:
		}
		wait, err := m.round(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		timer.Reset(wait)
	}
}

// idle is how long Run waits when nothing is due; a device that begins to
// listen wakes it.
const idle = time.Minute

// round does what is due, and returns how long nothing will be.
func (m *Commands) round(ctx context.Context) (time.Duration, error) {
	now, trusted := m.c.Clock.Now()
	if trusted && now.Sub(m.forgot) >= forgetEvery {
		m.forgot = now
		if err := m.c.Store.ForgetDone(ctx, now.Add(-keepDone)); err != nil && !errors.Is(err, fleet.ErrFull) {
			return 0, fmt.Errorf("forget requests for commands: %w", err)
		}
	}
	type due struct {
		id fleet.CommandID
		attempt
	}
	var expired, send []due
	wait := idle
	m.mu.Lock()
	for id, a := range m.live {
		if m.online[a.device] {
			a.next, a.pause = now, 0
		}
		if a.held && trusted {
			a.held = false
		}
		switch left := a.deadline.Sub(now); {
		case left <= 0 && !a.held:
			expired = append(expired, due{id, *a})
			continue
		case left > 0:
			wait = min(wait, left)
		}
		if a.answered || a.held {
			continue
		}
		if left := a.next.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		send = append(send, due{id, *a})
	}
	clear(m.online)
	m.mu.Unlock()

	for _, d := range expired {
		if err := m.expire(ctx, d.id); err != nil {
			return 0, err
		}
	}
	for _, d := range send {
		sent, err := m.send(ctx, d.id, d.deadline)
		if err != nil {
			return 0, err
		}
		pause := idle // until the device listens
		if sent {
			pause = min(max(2*d.pause, m.c.RepeatFirst), m.c.RepeatMost)
		}
		m.mu.Lock()
		if a, ok := m.live[d.id]; ok {
			a.next, a.pause = now.Add(pause), pause
			if !sent {
				a.pause = 0
			}
		}
		m.mu.Unlock()
		wait = min(wait, pause)
	}
	return max(wait, time.Millisecond), nil
}

func (m *Commands) expire(ctx context.Context, id fleet.CommandID) error {
	var after fleet.Command
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		c, found, err := fleet.Get[fleet.Command](tx, fleet.CommandRef(id))
		if err != nil {
			return err
		}
		after = c
		if !found || !c.State.Leads(fleet.CommandExpired) {
			return errNothing
		}
		if err := tx.Append(fleet.System("command"), fleet.CommandStepped{Command: id, State: fleet.CommandExpired}); err != nil {
			return err
		}
		after, _, err = fleet.Get[fleet.Command](tx, fleet.CommandRef(id))
		return err
	})
	if err != nil && !errors.Is(err, errNothing) {
		return fmt.Errorf("expire command %s: %w", id, err)
	}
	m.track(after, false)
	return nil
}

// payload is what a device gets with a command.
type payload struct {
	CommandID fleet.CommandID `json:"command_id"`
	Name      string          `json:"name"`
	Args      json.RawMessage `json:"args,omitempty"`
	IssuedAt  time.Time       `json:"issued_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// send publishes a command if its device listens, and records that.
func (m *Commands) send(ctx context.Context, id fleet.CommandID, deadline time.Time) (bool, error) {
	m.sending.Lock()
	c, found, err := fleet.Get[fleet.Command](m.c.Store, fleet.CommandRef(id))
	if err != nil || !found || c.State.Ended() || c.State == fleet.CommandAcknowledged {
		m.sending.Unlock()
		m.track(c, false)
		return false, err
	}
	d, err := m.c.Devices.Device(c.Device)
	if err != nil || !m.c.Sender.Listens(d, c.Name) {
		m.sending.Unlock()
		if errors.Is(err, fleet.ErrNotFound) {
			err = nil // removed: the command waits for its end
		}
		return false, err
	}
	body, err := json.Marshal(payload{CommandID: c.ID, Name: c.Name, Args: c.Args, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt})
	if err == nil {
		err = m.c.Sender.SendCommand(ctx, Outbound{Device: d, Name: c.Name, Payload: body, Ref: string(c.ID), Expires: deadline})
	}
	m.sending.Unlock()
	if err != nil {
		// The broker refuses or is stopping: not a reason to end the hub.
		m.c.Logger.Warn("command not sent", "command_id", id, "device_id", c.Device, "error", err)
		return false, nil
	}
	if c.State != fleet.CommandAtHub {
		return true, nil
	}
	err = m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		now, _, err := fleet.Get[fleet.Command](tx, fleet.CommandRef(id))
		if err != nil || now.State != fleet.CommandAtHub {
			return err // the device has answered already
		}
		return tx.Append(fleet.System("command"), fleet.CommandStepped{Command: id, State: fleet.CommandSent})
	})
	if err != nil {
		return true, fmt.Errorf("record that command %s was sent: %w", id, err)
	}
	return true, nil
}
