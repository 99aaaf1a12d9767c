package command

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// WantJob is one command for many devices.
type WantJob struct {
	// Filter is what the devices were chosen by, for people to read; empty when
	// they were named.
	Filter  string
	Devices []fleet.DeviceID
	Name    string
	Args    json.RawMessage
	// TTL is the time to live of each command; 0 for the default.
	TTL time.Duration
	// Retries is the job whose failures are tried again; empty for none.
	Retries fleet.JobID
	Once    Once
}

// Begin stores a job and the commands of all its devices, all or none.
// fleet.ErrInvalid, fleet.ErrLimit, ErrKeyReused.
func (m *Commands) Begin(ctx context.Context, by fleet.Actor, w WantJob) (fleet.Job, error) {
	var j fleet.Job
	if len(w.Devices) == 0 {
		return j, fmt.Errorf("%w: no device is meant", fleet.ErrInvalid)
	}
	if len(w.Devices) > m.c.MaxTargets {
		return j, fmt.Errorf("%w: %d devices: a job has at most %d", fleet.ErrLimit, len(w.Devices), m.c.MaxTargets)
	}
	ttl := m.ttl(w.TTL)
	if err := fleet.CheckCommand(w.Devices[0], w.Name, w.Args, ttl); err != nil {
		return j, err
	}
	var begun []fleet.CommandID
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		begun = nil
		known, err := w.Once.known(tx)
		if err != nil {
			return err
		}
		if known != "" {
			j, _, err = fleet.Get[fleet.Job](tx, fleet.JobRef(fleet.JobID(known)))
			return err
		}
		j = fleet.Job{
			ID: fleet.NewUUID[fleet.JobID](tx.Now()), Name: w.Name, Args: w.Args, Filter: w.Filter, Targets: len(w.Devices),
			IssuedBy: by, IssuedAt: tx.Now(), ExpiresAt: fleet.Millis(tx.Now().Add(ttl)), Retries: w.Retries, Version: 1,
		}
		if err := w.Once.done(tx, string(j.ID)); err != nil {
			return err
		}
		if err := j.Check(); err != nil {
			return err
		}
		if err := tx.Append(by, fleet.JobChanged{Job: j}); err != nil {
			return err
		}
		for _, d := range w.Devices {
			id := fleet.NewUUID[fleet.CommandID](tx.Now())
			begun = append(begun, id)
			err := m.begin(tx, by, id, fleet.CommandDefinition{
				Device: d, Name: w.Name, Args: w.Args, IssuedBy: by, IssuedAt: j.IssuedAt, ExpiresAt: j.ExpiresAt, Job: j.ID,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return j, err
	}
	for _, id := range begun {
		if _, err := m.started(id); err != nil {
			return j, err
		}
	}
	return j, nil
}

func (m *Commands) job(tx fleet.View, id fleet.JobID) (fleet.Job, error) {
	j, found, err := fleet.Get[fleet.Job](tx, fleet.JobRef(id))
	if err == nil && !found {
		err = fmt.Errorf("%w: job %s", fleet.ErrNotFound, id)
	}
	return j, err
}

// Retry begins a job for the devices of another one whose commands failed or
// expired. fleet.ErrNotFound; fleet.ErrState when there are none.
func (m *Commands) Retry(ctx context.Context, by fleet.Actor, id fleet.JobID, once Once) (fleet.Job, error) {
	old, err := m.job(m.c.Store, id)
	if err != nil {
		return old, err
	}
	var again []fleet.DeviceID
	err = m.c.Store.JobCommands(id, "", func(c fleet.Command) bool {
		if c.State == fleet.CommandFailed || c.State == fleet.CommandExpired {
			again = append(again, c.Device)
		}
		return true
	})
	if err != nil {
		return old, err
	}
	if len(again) == 0 {
		return old, fmt.Errorf("%w: nothing of job %s has failed or expired", fleet.ErrState, id)
	}
	return m.Begin(ctx, by, WantJob{
		Devices: again, Name: old.Name, Args: old.Args, TTL: old.ExpiresAt.Sub(old.IssuedAt), Retries: id, Once: once,
	})
}

// CancelJob takes back the commands of a job that have not reached their
// devices, and says how many those were. fleet.ErrNotFound; fleet.ErrState when
// it is cancelled already.
func (m *Commands) CancelJob(ctx context.Context, by fleet.Actor, id fleet.JobID) (fleet.Job, int, error) {
	m.sending.Lock()
	defer m.sending.Unlock()
	var j fleet.Job
	var gone []fleet.Command
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		gone = nil
		var err error
		if j, err = m.job(tx, id); err != nil {
			return err
		}
		if !j.CancelledAt.IsZero() {
			return fmt.Errorf("%w: job %s was cancelled at %s", fleet.ErrState, id, j.CancelledAt.Format(time.RFC3339))
		}
		j.CancelledAt = tx.Now()
		j.Version++
		if err := tx.Append(by, fleet.JobChanged{Job: j}); err != nil {
			return err
		}
		err = tx.JobCommands(id, func(c fleet.Command) bool {
			if c.State.Leads(fleet.CommandCancelled) {
				gone = append(gone, c)
			}
			return true
		})
		for i, c := range gone {
			if err != nil {
				return err
			}
			err = tx.AppendAlone(by, fleet.CommandStepped{Command: c.ID, State: fleet.CommandCancelled})
			gone[i].State = fleet.CommandCancelled
		}
		return err
	})
	if err != nil {
		return j, 0, err
	}
	for _, c := range gone {
		m.track(c, false)
	}
	return j, len(gone), nil
}

// Progress counts the commands of a job by their states.
func (m *Commands) Progress(id fleet.JobID) (map[fleet.CommandState]int, error) {
	n := map[fleet.CommandState]int{}
	err := m.c.Store.JobCommands(id, "", func(c fleet.Command) bool {
		n[c.State]++
		return true
	})
	return n, err
}
