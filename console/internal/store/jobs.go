package store

import (
	"context"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Job is one command for many devices of many sites. What became of each is in
// its targets.
type Job struct {
	fleet.Job
	// SiteFilter is what the sites were chosen by, Filter the devices; both empty
	// when the targets were named.
	SiteFilter string `json:"site_filter,omitempty"`
	// NotBefore and Window say when commands may be ordered.
	NotBefore time.Time  `json:"not_before,omitzero"`
	Window    *JobWindow `json:"window,omitempty"`
	// Plan are the sites whose targets are not all chosen yet.
	Plan []JobSite `json:"plan,omitempty"`
	// CancelledBy is who has cancelled it.
	CancelledBy *fleet.Actor `json:"cancelled_by,omitempty"`
	// Once names the piece of work that it is, so that it is begun once.
	Once string `json:"once,omitempty"`
	// DoneAt is when the last target had ended; Final is how many ended how, by
	// site, then.
	DoneAt time.Time                            `json:"done_at,omitzero"`
	Final  map[fleet.SiteID]map[TargetState]int `json:"final,omitempty"`
}

// JobSite is a site of a job, with the devices that were named; none are those
// that the filter matches.
type JobSite struct {
	Site    fleet.SiteID     `json:"s"`
	Devices []fleet.DeviceID `json:"d,omitempty"`
}

// JobWindow is a time of the day, in the zone of each site.
type JobWindow struct {
	From string `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"In each site's time zone, such as 02:00."`
	To   string `json:"to" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$"`
}

// Check reports as fleet.ErrInvalid what is wrong with a window.
func (w JobWindow) Check() error {
	for name, s := range map[string]string{"from": w.From, "to": w.To} {
		if _, err := time.Parse("15:04", s); err != nil {
			return fmt.Errorf("%w: window.%s %q: want a time of the day, such as 02:00", fleet.ErrInvalid, name, s)
		}
	}
	if w.From == w.To {
		return fmt.Errorf("%w: window: from and to are the same: leave it out for any time", fleet.ErrInvalid)
	}
	return nil
}

// TargetState is where a target of a job stands: a command's state, or before.
type TargetState string

// TargetScheduled is the state of a target that is chosen and not ordered yet.
const TargetScheduled TargetState = "scheduled"

// TargetOf is the state of a target whose command has that state.
func TargetOf(s fleet.CommandState) TargetState { return TargetState(s) }

// TargetStates are all states of targets.
func TargetStates() []TargetState {
	all := []TargetState{TargetScheduled}
	for _, s := range fleet.CommandStates() {
		all = append(all, TargetOf(s))
	}
	return all
}

// Ended reports whether nothing follows s.
func (s TargetState) Ended() bool { return s != TargetScheduled && fleet.CommandState(s).Ended() }

// ParseTargetState returns s as a state of targets, or fleet.ErrInvalid.
func ParseTargetState(s string) (TargetState, error) {
	if s == string(TargetScheduled) {
		return TargetScheduled, nil
	}
	c, err := fleet.ParseCommandState(s)
	return TargetOf(c), err
}

// JobTarget is one device of a job.
type JobTarget struct {
	Job    fleet.JobID    `json:"job_id"`
	Site   fleet.SiteID   `json:"site_id"`
	Device fleet.DeviceID `json:"device_id"`
	State  TargetState    `json:"state"`
	// Command and Order are of the last attempt; empty before the first.
	Command fleet.CommandID `json:"command_id,omitempty"`
	Order   uint64          `json:"order,omitempty"`
	// Attempts counts how often it was ordered: once for each window in which
	// nothing came of it.
	Attempts int `json:"attempts,omitempty"`
	// Due is when it is to be ordered, while it is scheduled.
	Due time.Time `json:"due,omitzero"`
	// CancelSince is when somebody wanted it cancelled, while the hub has not
	// answered that.
	CancelSince time.Time `json:"cancel_since,omitzero"`
	UpdatedAt   time.Time `json:"updated_at"`
	// Error says why it failed, or ended otherwise.
	Error string `json:"error,omitempty"`
}

// TargetRef names a target of a job, and its place in the list of them.
type TargetRef struct {
	Site   fleet.SiteID   `json:"s"`
	Device fleet.DeviceID `json:"d"`
}

// Jobs is the part of Store with jobs.
type Jobs interface {
	// PutJob stores a job, if its version still is ifVersion (0: if there is none),
	// under the next one, and an entry of the audit unless action is empty.
	// fleet.ErrExists, fleet.ErrVersion, fleet.ErrNotFound.
	PutJob(ctx context.Context, by fleet.Actor, action string, j Job, ifVersion uint64) (Job, error)
	// Job returns a job; fleet.ErrNotFound.
	Job(ctx context.Context, id fleet.JobID) (Job, error)
	// Jobs lists jobs before the given one ("" for all), the newest first.
	Jobs(ctx context.Context, before fleet.JobID, limit int) ([]Job, error)
	// JobTargets calls fn with the targets of a job behind the given one (the zero
	// value for all), by site and device, until fn says false.
	JobTargets(ctx context.Context, id fleet.JobID, after TargetRef, fn func(JobTarget) bool) error
}
