package fleet

import (
	"encoding/json"
	"fmt"
	"time"
)

// Job is one command for many devices. What became of each device is said by
// its command, whose Job is this one.
type Job struct {
	ID   JobID           `json:"job_id"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
	// Filter is what the devices were chosen by; empty when they were named.
	Filter string `json:"filter,omitempty"`
	// Targets is how many devices it was for.
	Targets   int       `json:"targets"`
	IssuedBy  Actor     `json:"issued_by"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// Retries is the job whose failures it tries again; empty for none.
	Retries JobID `json:"retries,omitempty"`
	// CancelledAt is when somebody took back what had not reached its device.
	CancelledAt time.Time `json:"cancelled_at,omitzero"`
	// Version counts the changes of the job, from 1.
	Version uint64 `json:"version"`
}

// Check reports as ErrInvalid what is wrong with a job.
func (j Job) Check() error {
	if j.Targets < 1 {
		return fmt.Errorf("%w: a job without targets", ErrInvalid)
	}
	if len(j.Filter) > 500 {
		return fmt.Errorf("%w: filter has %d bytes: want at most 500", ErrInvalid, len(j.Filter))
	}
	return CheckCommand("any", j.Name, j.Args, time.Second)
}

// Ref implements Entity.
func (j Job) Ref() Ref { return JobRef(j.ID) }

// JobRef names a job.
func JobRef(id JobID) Ref { return Ref{EntityJob, string(id)} }

// JobChanged: a job was begun or cancelled. The whole job is told.
type JobChanged struct{ Job Job }

// Kind implements Body.
func (JobChanged) Kind() Kind { return KindJobChanged }

// Lane implements Body.
func (JobChanged) Lane() Lane { return LaneCommands }
