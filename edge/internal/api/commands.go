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
)

type commandOutput struct {
	Location string `header:"Location"`
	Body     resource.Command
}

type commandsOutput struct {
	Body rest.Page[resource.Command]
}

func commandOutputOf(c fleet.Command) *commandOutput {
	return &commandOutput{Location: "/api/v1/commands/" + string(c.ID), Body: resource.CommandOf(c)}
}

// CommandPath is the path of one command.
type CommandPath struct {
	ID string `path:"id" maxLength:"36" doc:"command_id"`
}

func (a *API) commandRoutes() {
	tags := []string{"commands"}
	rest.Register(a.rest, rest.Route{
		OperationID: "send-command", Method: http.MethodPost, Path: "/api/v1/devices/{id}/command", Permission: account.CommandsSend,
		Status: http.StatusAccepted, Idempotent: true, Summary: "Send a command to a device", Tags: tags,
		Description: "It is sent when the device listens, and ends expired when its time to live is over before.",
	}, func(ctx context.Context, in *struct {
		DevicePath
		Body struct {
			Name  string          `json:"name" maxLength:"64"`
			Args  json.RawMessage `json:"args,omitempty" doc:"Any JSON, at most 16 KiB."`
			TTLMS int64           `json:"ttl_ms,omitempty" minimum:"1" doc:"Time to live in milliseconds; 1 h if absent."`
		} `nameHint:"NewCommand"`
	}) (*commandOutput, error) {
		c, err := a.Commands.Send(ctx, actor(ctx), command.Want{
			Device: fleet.DeviceID(in.ID), Name: in.Body.Name, Args: in.Body.Args,
			TTL: time.Duration(in.Body.TTLMS) * time.Millisecond, Once: once(ctx),
		})
		if errors.Is(err, command.ErrKeyReused) {
			err = rest.NewProblem(rest.TypeKeyReused, "take a new key for each piece of work")
		}
		if err != nil {
			return nil, err
		}
		return commandOutputOf(c), nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "list-commands", Method: http.MethodGet, Path: "/api/v1/commands", Permission: account.CommandsRead,
		Summary: "Commands, newest first", Tags: tags,
	}, a.listCommands)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-command", Method: http.MethodGet, Path: "/api/v1/commands/{id}", Permission: account.CommandsRead,
		Summary: "One command", Tags: tags,
	}, func(_ context.Context, in *CommandPath) (*commandOutput, error) {
		id, err := fleet.ParseUUID[fleet.CommandID]("command_id", in.ID)
		if err != nil {
			return nil, err
		}
		c, found, err := fleet.Get[fleet.Command](a.Store, fleet.CommandRef(id))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("%w: command %s", fleet.ErrNotFound, id)
		}
		return commandOutputOf(c), nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "cancel-command", Method: http.MethodPost, Path: "/api/v1/commands/{id}/cancel", Permission: account.CommandsCancel,
		Summary: "Cancel a command that the device does not have yet", Tags: tags,
	}, func(ctx context.Context, in *CommandPath) (*commandOutput, error) {
		id, err := fleet.ParseUUID[fleet.CommandID]("command_id", in.ID)
		if err != nil {
			return nil, err
		}
		c, err := a.Commands.Cancel(ctx, actor(ctx), id, nil)
		if err != nil {
			return nil, err
		}
		return commandOutputOf(c), nil
	})
}

// once is the request of ctx as the commands know it.
func once(ctx context.Context) command.Once {
	o := rest.OnceOf(ctx)
	return command.Once{Subject: o.Subject, Key: o.Key, Fingerprint: o.Fingerprint}
}

func (a *API) listCommands(_ context.Context, in *struct {
	rest.PageInput
	DeviceID string `query:"device_id" maxLength:"64"`
	State    string `query:"state" maxLength:"20"`
}) (*commandsOutput, error) {
	if in.State != "" {
		if _, err := fleet.ParseCommandState(in.State); err != nil {
			return nil, err
		}
	}
	before, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []resource.Command
	err = store.EntitiesBefore(a.Store, "", before, func(c fleet.Command) bool {
		if (in.DeviceID == "" || string(c.Device) == in.DeviceID) && (in.State == "" || string(c.State) == in.State) {
			rows = append(rows, resource.CommandOf(c))
		}
		return len(rows) <= in.Limit
	})
	if err != nil {
		return nil, err
	}
	return &commandsOutput{Body: rest.PageOf(rows, in.Limit, func(c resource.Command) any { return c.CommandID })}, nil
}
