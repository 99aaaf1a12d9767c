package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// jobView is a job with how far it has come.
type jobView struct {
	JobID       fleet.JobID                `json:"job_id"`
	Name        string                     `json:"name"`
	Args        json.RawMessage            `json:"args,omitempty"`
	Filter      string                     `json:"filter,omitempty" doc:"What the devices were chosen by."`
	Targets     int                        `json:"targets"`
	IssuedBy    resource.Actor             `json:"issued_by"`
	IssuedAt    time.Time                  `json:"issued_at"`
	ExpiresAt   time.Time                  `json:"expires_at"`
	Retries     fleet.JobID                `json:"retries,omitempty" doc:"The job whose failures it tries again."`
	CancelledAt *time.Time                 `json:"cancelled_at,omitempty"`
	States      map[fleet.CommandState]int `json:"states" doc:"How many of its commands are in each state."`
	Done        bool                       `json:"done" doc:"All of its commands have ended."`
}

type jobOutput struct {
	Location string `header:"Location"`
	Body     jobView
}

// JobPath is the path of one job.
type JobPath struct {
	ID string `path:"id" maxLength:"36" doc:"job_id"`
}

func (p JobPath) parse() (fleet.JobID, error) { return fleet.ParseUUID[fleet.JobID]("job_id", p.ID) }

func (a *API) jobView(j fleet.Job) (jobView, error) {
	states, err := a.Commands.Progress(j.ID)
	v := jobView{
		JobID: j.ID, Name: j.Name, Args: j.Args, Filter: j.Filter, Targets: j.Targets, IssuedBy: resource.ActorOf(j.IssuedBy),
		IssuedAt: j.IssuedAt, ExpiresAt: j.ExpiresAt, Retries: j.Retries, CancelledAt: optional(j.CancelledAt), States: states, Done: true,
	}
	for s := range states {
		v.Done = v.Done && s.Ended()
	}
	return v, err
}

func (a *API) jobAnswer(j fleet.Job, err error) (*jobOutput, error) {
	if errors.Is(err, command.ErrKeyReused) {
		err = rest.NewProblem(rest.TypeKeyReused, "take a new key for each piece of work")
	}
	if err != nil {
		return nil, err
	}
	v, err := a.jobView(j)
	return &jobOutput{Location: "/api/v1/jobs/" + string(j.ID), Body: v}, err
}

// bulkInput is a command for many devices.
type bulkInput struct {
	Body struct {
		Filter    *string          `json:"filter,omitempty" maxLength:"500" doc:"The typed grammar of /devices; an empty one is all devices."`
		DeviceIDs []fleet.DeviceID `json:"device_ids,omitempty" maxItems:"2000" doc:"Or these."`
		Name      string           `json:"name" maxLength:"64"`
		Args      json.RawMessage  `json:"args,omitempty" doc:"Any JSON, at most 16 KiB."`
		TTLMS     int64            `json:"ttl_ms,omitempty" minimum:"1" doc:"Time to live of each command in milliseconds; 1 h if absent."`
	} `nameHint:"BulkCommand"`
}

func (a *API) jobRoutes() {
	tags := []string{"commands"}
	rest.Register(a.rest, rest.Route{
		OperationID: "send-bulk-command", Method: http.MethodPost, Path: "/api/v1/devices/bulk/command", Permission: account.CommandsSend,
		Status: http.StatusAccepted, Idempotent: true, Summary: "Send a command to many devices", Tags: tags,
		Description: "All of the commands are stored or none is. The job says what became of each.",
	}, a.bulk)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/api/v1/jobs", Permission: account.JobsRead, Summary: "Jobs, newest first", Tags: tags,
	}, func(_ context.Context, in *rest.PageInput) (*struct{ Body rest.Page[jobView] }, error) {
		before, err := rest.DecodeCursor[string](in.Cursor)
		if err != nil {
			return nil, err
		}
		var rows []jobView
		var bad error
		err = store.EntitiesBefore(a.Store, "", before, func(j fleet.Job) bool {
			var v jobView
			v, bad = a.jobView(j)
			rows = append(rows, v)
			return bad == nil && len(rows) <= in.Limit
		})
		if err = errors.Join(err, bad); err != nil {
			return nil, err
		}
		return &struct{ Body rest.Page[jobView] }{rest.PageOf(rows, in.Limit, func(v jobView) any { return v.JobID })}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-job", Method: http.MethodGet, Path: "/api/v1/jobs/{id}", Permission: account.JobsRead, Summary: "One job", Tags: tags,
	}, func(_ context.Context, in *JobPath) (*jobOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		j, found, err := fleet.Get[fleet.Job](a.Store, fleet.JobRef(id))
		if err == nil && !found {
			err = fmt.Errorf("%w: job %s", fleet.ErrNotFound, id)
		}
		return a.jobAnswer(j, err)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "list-job-results", Method: http.MethodGet, Path: "/api/v1/jobs/{id}/results", Permission: account.JobsRead,
		Summary: "What became of each device of a job", Tags: tags,
	}, a.jobResults)
	rest.Register(a.rest, rest.Route{
		OperationID: "retry-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/retry", Permission: account.CommandsSend,
		Status: http.StatusAccepted, Idempotent: true, Summary: "Try again where a job failed or expired", Tags: tags,
	}, func(ctx context.Context, in *JobPath) (*jobOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.jobAnswer(a.Commands.Retry(ctx, actor(ctx), id, once(ctx)))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "cancel-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/cancel", Permission: account.CommandsCancel,
		Summary: "Take back what has not reached its device", Tags: tags,
	}, func(ctx context.Context, in *JobPath) (*jobOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		j, _, err := a.Commands.CancelJob(ctx, actor(ctx), id)
		return a.jobAnswer(j, err)
	})
}

func (a *API) bulk(ctx context.Context, in *bulkInput) (*jobOutput, error) {
	b := in.Body
	w := command.WantJob{Devices: b.DeviceIDs, Name: b.Name, Args: b.Args, TTL: time.Duration(b.TTLMS) * time.Millisecond, Once: once(ctx)}
	switch {
	case (b.Filter == nil) == (len(b.DeviceIDs) == 0):
		return nil, fmt.Errorf("%w: either filter or device_ids says which devices are meant", fleet.ErrInvalid)
	case b.Filter != nil:
		var err error
		if w.Devices, err = a.matching(*b.Filter); err != nil {
			return nil, err
		}
		if len(w.Devices) == 0 {
			return nil, fmt.Errorf("%w: filter %q matches no device", fleet.ErrInvalid, *b.Filter)
		}
		w.Filter = *b.Filter
	default:
		for _, id := range b.DeviceIDs {
			if _, err := a.device(string(id)); err != nil {
				return nil, err
			}
		}
	}
	return a.jobAnswer(a.Commands.Begin(ctx, actor(ctx), w))
}

// matching are the devices that a filter matches.
func (a *API) matching(text string) ([]fleet.DeviceID, error) {
	q, err := filter.Parse(text, deviceFields())
	if err != nil {
		return nil, err
	}
	names, err := a.roomNames()
	if err != nil {
		return nil, err
	}
	devices, err := a.Registry.Devices()
	var ids []fleet.DeviceID
	for _, d := range devices {
		if r := a.deviceResource(d, names); q.Match(r.Field) {
			ids = append(ids, d.ID)
		}
	}
	return ids, err
}

func (a *API) jobResults(_ context.Context, in *struct {
	JobPath
	rest.PageInput
	State string `query:"state" maxLength:"20"`
}) (*commandsOutput, error) {
	id, err := in.parse()
	if err != nil {
		return nil, err
	}
	if in.State != "" {
		if _, err := fleet.ParseCommandState(in.State); err != nil {
			return nil, err
		}
	}
	after, err := rest.DecodeCursor[fleet.CommandID](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []resource.Command
	err = a.Store.JobCommands(id, after, func(c fleet.Command) bool {
		if in.State == "" || string(c.State) == in.State {
			rows = append(rows, resource.CommandOf(c))
		}
		return len(rows) <= in.Limit
	})
	if err != nil {
		return nil, err
	}
	return &commandsOutput{Body: rest.PageOf(rows, in.Limit, func(c resource.Command) any { return c.CommandID })}, nil
}

// configurationView is what a device is wanted to be set to, and what it has
// said that it is.
type configurationView struct {
	DeviceID   fleet.DeviceID             `json:"device_id"`
	Settings   map[string]json.RawMessage `json:"settings" doc:"What is wanted."`
	Version    uint64                     `json:"version" doc:"Of what is wanted; 0 when nothing was ever wanted."`
	ChangedAt  *time.Time                 `json:"changed_at,omitempty"`
	Reported   *uint64                    `json:"reported_version,omitempty" doc:"What the device has said it has."`
	ReportedAt *time.Time                 `json:"reported_at,omitempty"`
	State      string                     `json:"state" enum:"none,in_sync,pending,differs" doc:"none: nothing is wanted. differs: the device has another version, and no command is on its way."`
	Command    *resource.Command          `json:"command,omitempty" doc:"What is to tell the device."`
	ETag       string                     `json:"etag"`
}

type configurationOutput struct {
	ETag string `header:"ETag"`
	Body configurationView
}

func (a *API) configurationRoutes() {
	tags := []string{"devices"}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-configuration", Method: http.MethodGet, Path: "/api/v1/devices/{id}/configuration", Permission: account.DevicesRead,
		Summary: "What a device is wanted to be set to, and what it reports", Tags: tags,
	}, func(_ context.Context, in *DevicePath) (*configurationOutput, error) { return a.configuration(in.ID) })
	rest.Register(a.rest, rest.Route{
		OperationID: "set-configuration", Method: http.MethodPut, Path: "/api/v1/devices/{id}/configuration", Permission: account.CommandsSend,
		IfMatch: true, Summary: "Set what a device is wanted to be set to", Tags: tags,
		Description: "The device is told by the command config, whose args are the settings and their version, as soon as it listens; it reports the version by its answer, or as config_version in its status.",
	}, func(ctx context.Context, in *struct {
		DevicePath
		Body struct {
			Settings map[string]json.RawMessage `json:"settings" doc:"Any JSON values; 16 KiB together."`
		} `nameHint:"ConfigurationChange"`
	}) (*configurationOutput, error) {
		now, err := a.configuration(in.ID)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Body.Version)
		}
		if err == nil {
			err = a.Commands.Configure(ctx, actor(ctx), now.Body.DeviceID, in.Body.Settings, now.Body.Version)
		}
		if err != nil {
			return nil, err
		}
		return a.configuration(in.ID)
	})
}

func (a *API) configuration(device string) (*configurationOutput, error) {
	d, err := a.device(device)
	if err != nil {
		return nil, err
	}
	c, err := a.Commands.Configuration(d.ID)
	if err != nil {
		return nil, err
	}
	v := configurationView{
		DeviceID: d.ID, Settings: c.Wanted, Version: c.Version, ChangedAt: optional(c.ChangedAt), ReportedAt: optional(c.Reported.At), State: "differs",
		ETag: rest.ETag(c.Version),
	}
	if v.Settings == nil {
		v.Settings = map[string]json.RawMessage{}
	}
	if !c.Reported.At.IsZero() {
		v.Reported = &c.Reported.Version
	}
	switch {
	case c.Version == 0:
		v.State = "none"
	case v.Reported != nil && *v.Reported == c.Version:
		v.State = "in_sync"
	case c.Pending != nil:
		v.State = "pending"
		shown := resource.CommandOf(*c.Pending)
		v.Command = &shown
	}
	return &configurationOutput{ETag: v.ETag, Body: v}, nil
}
