package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

type commandOutput struct {
	Location string `header:"Location"`
	Body     siteCommand
}

type commandsOutput struct {
	Body rest.Page[siteCommand]
}

// orderView is an order with its end.
type orderView struct {
	Number    uint64           `json:"number"`
	OrderID   fleet.OrderID    `json:"order_id"`
	Kind      fleet.OrderKind  `json:"kind" enum:"command,cancel_command,put_device,remove_device"`
	CreatedAt time.Time        `json:"created_at"`
	ExpiresAt time.Time        `json:"expires_at"`
	Actor     resource.Actor   `json:"actor"`
	State     store.OrderState `json:"state" enum:"queued,taken,applied,conflict,refused,expired,cancelled"`
	Detail    string           `json:"detail,omitempty"`
	EndedAt   *time.Time       `json:"ended_at,omitempty"`
	DeviceID  fleet.DeviceID   `json:"device_id,omitempty"`
	Command   *siteCommand     `json:"command,omitempty" doc:"For command and cancel_command."`
}

type ordersOutput struct {
	Body rest.Page[orderView]
}

func commandPath(site fleet.SiteID, id fleet.CommandID) string {
	return "/api/v1/sites/" + string(site) + "/commands/" + string(id)
}

func (a *API) commandRoutes() {
	tags := []string{"commands"}
	rest.Register(a.rest, rest.Route{
		OperationID: "send-command", Method: http.MethodPost, Path: "/api/v1/sites/{id}/devices/{device_id}/command",
		Permission: account.CommandsSend, Site: "id", Status: http.StatusAccepted, Idempotent: true,
		Summary: "Order a command for a device", Tags: tags,
		Description: "It is queued here until the hub asks for it; past its time to live it is not sent.",
	}, a.sendCommand)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-site-commands", Method: http.MethodGet, Path: "/api/v1/sites/{id}/commands", Permission: account.CommandsRead, Site: "id",
		Summary: "Commands of a site, newest first", Tags: tags,
	}, a.listCommands)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-site-command", Method: http.MethodGet, Path: "/api/v1/sites/{id}/commands/{command_id}",
		Permission: account.CommandsRead, Site: "id", Summary: "One command of a site", Tags: tags,
	}, a.oneCommand)
	rest.Register(a.rest, rest.Route{
		OperationID: "cancel-command", Method: http.MethodPost, Path: "/api/v1/sites/{id}/commands/{command_id}/cancel",
		Permission: account.CommandsCancel, Site: "id", Status: http.StatusAccepted,
		Summary: "Order that a command is not sent any more", Tags: tags,
		Description: "The hub decides: until it answers, the command shows cancel_order.",
	}, a.cancelCommand)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-site-orders", Method: http.MethodGet, Path: "/api/v1/sites/{id}/orders", Permission: account.OrdersRead, Site: "id",
		Summary: "Orders for a site, newest first", Tags: tags,
	}, a.listOrders)
}

func (a *API) sendCommand(ctx context.Context, in *struct {
	SiteDevicePath
	Body struct {
		Name  string          `json:"name" maxLength:"64"`
		Args  json.RawMessage `json:"args,omitempty" doc:"Any JSON, at most 16 KiB."`
		TTLMS int64           `json:"ttl_ms,omitempty" minimum:"1" doc:"Time to live in milliseconds; 24 h if absent, 30 days at most."`
	} `nameHint:"NewCommand"`
}) (*commandOutput, error) {
	site, err := in.site()
	if err != nil {
		return nil, err
	}
	c, err := a.Dispatch.Send(ctx, actor(ctx), site, dispatch.Want{
		Device: fleet.DeviceID(in.DeviceID), Name: in.Body.Name, Args: in.Body.Args, TTL: milliseconds(in.Body.TTLMS),
	})
	if err != nil {
		return nil, err
	}
	return &commandOutput{Location: commandPath(site, c.ID), Body: commandOf(c)}, nil
}

// milliseconds is n ms; what does not fit is more than any limit.
func milliseconds(n int64) time.Duration {
	return time.Duration(min(n, int64(fleet.MaxTTL/time.Millisecond)+1)) * time.Millisecond
}

// SiteCommandPath is the path of everything about one command of a site.
type SiteCommandPath struct {
	SitePath
	CommandID string `path:"command_id" maxLength:"36"`
}

func (p SiteCommandPath) parse() (fleet.SiteID, fleet.CommandID, error) {
	site, err := p.site()
	if err != nil {
		return "", "", err
	}
	id, err := fleet.ParseUUID[fleet.CommandID]("command_id", p.CommandID)
	return site, id, err
}

func (a *API) oneCommand(ctx context.Context, in *SiteCommandPath) (*commandOutput, error) {
	_, id, err := in.parse()
	if err != nil {
		return nil, err
	}
	out := &commandOutput{}
	err = a.view(ctx, in.SitePath, func(_ fleet.SiteID, v store.SiteView) error {
		c, err := dispatch.Find(v, id)
		out.Body = commandOf(c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *API) cancelCommand(ctx context.Context, in *SiteCommandPath) (*commandOutput, error) {
	site, id, err := in.parse()
	if err != nil {
		return nil, err
	}
	c, err := a.Dispatch.Cancel(ctx, actor(ctx), site, id)
	if err != nil {
		return nil, err
	}
	return &commandOutput{Location: commandPath(site, id), Body: commandOf(c)}, nil
}

func (a *API) listCommands(ctx context.Context, in *struct {
	SitePath
	rest.PageInput
	DeviceID string `query:"device_id" maxLength:"64"`
	State    string `query:"state" maxLength:"20"`
}) (*commandsOutput, error) {
	if in.State != "" {
		if _, err := fleet.ParseCommandState(in.State); err != nil {
			return nil, err
		}
	}
	before, err := rest.DecodeCursor[fleet.CommandID](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []siteCommand
	err = a.view(ctx, in.SitePath, func(_ fleet.SiteID, v store.SiteView) error {
		found, err := dispatch.List(v, before, in.Limit+1, func(c fleet.Command) bool {
			return (in.DeviceID == "" || string(c.Device) == in.DeviceID) && (in.State == "" || string(c.State) == in.State)
		})
		for _, c := range found {
			rows = append(rows, commandOf(c))
		}
		return err
	})
	return &commandsOutput{Body: rest.PageOf(rows, in.Limit, func(c siteCommand) any { return c.CommandID })}, err
}

func (a *API) listOrders(ctx context.Context, in *struct {
	SitePath
	rest.PageInput
}) (*ordersOutput, error) {
	before, err := rest.DecodeCursor[uint64](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []orderView
	err = a.view(ctx, in.SitePath, func(_ fleet.SiteID, v store.SiteView) error {
		var orders []store.Order
		if err := v.OrdersBefore(before, func(o store.Order) bool {
			orders = append(orders, o)
			return len(orders) <= in.Limit
		}); err != nil {
			return err
		}
		for _, o := range orders {
			one, err := orderOf(v, o)
			if err != nil {
				return err
			}
			rows = append(rows, one)
		}
		return nil
	})
	return &ordersOutput{Body: rest.PageOf(rows, in.Limit, func(o orderView) any { return o.Number })}, err
}

func orderOf(v store.SiteView, o store.Order) (orderView, error) {
	m, err := v.Marks()
	if err != nil {
		return orderView{}, err
	}
	out := orderView{
		Number: o.Number, OrderID: o.ID, Kind: o.Body.OrderKind(), CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt,
		Actor: resource.ActorOf(o.Actor), State: m.State(o), Detail: o.Detail, EndedAt: optional(o.EndedAt),
	}
	var id fleet.CommandID
	switch b := o.Body.(type) {
	case fleet.SendCommand:
		id, out.DeviceID = b.Command, b.Device
	case fleet.CancelCommand:
		id = b.Command
	case fleet.PutDevice:
		out.DeviceID = b.Device.ID
	case fleet.RemoveDevice:
		out.DeviceID = b.Device
	}
	if id == "" {
		return out, nil
	}
	c, err := dispatch.Find(v, id)
	if err != nil {
		return out, err
	}
	shown := commandOf(c)
	out.Command = &shown
	if out.DeviceID == "" {
		out.DeviceID = c.Device
	}
	return out, nil
}
