package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// room is a place with what is in it.
type room struct {
	RoomID     fleet.RoomID `json:"room_id"`
	Name       string       `json:"name"`
	Deck       string       `json:"deck,omitempty"`
	Zone       string       `json:"zone,omitempty" doc:"Rooms of one zone are tested together by the hub's test of itself."`
	Position   uint32       `json:"position,omitempty" doc:"Orders the rooms of a deck, from 1; those without one come last."`
	Quiet      bool         `json:"quiet" doc:"Do not disturb: only emergencies ring."`
	QuietUntil *time.Time   `json:"quiet_until,omitempty"`
	Version    uint64       `json:"version"`
	Devices    int          `json:"devices"`
	// LastCall is when a guest called last.
	LastCall *time.Time `json:"last_call,omitempty"`
}

type roomsOutput struct {
	Body rest.Page[room]
}

type roomOutput struct {
	ETag string `header:"ETag"`
	Body room
}

// RoomPath is the path of one room.
type RoomPath struct {
	ID string `path:"id" maxLength:"64" doc:"room_id"`
}

func (a *API) roomRoutes() {
	tags := []string{"rooms"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-rooms", Method: http.MethodGet, Path: "/api/v1/rooms", Permission: account.RoomsRead,
		Summary: "Rooms, by id", Tags: tags,
	}, func(_ context.Context, in *rest.PageInput) (*roomsOutput, error) {
		after, err := rest.DecodeCursor[fleet.RoomID](in.Cursor)
		if err != nil {
			return nil, err
		}
		rows, err := a.listRooms(after, in.Limit+1)
		if err != nil {
			return nil, err
		}
		return &roomsOutput{Body: rest.PageOf(rows, in.Limit, func(r room) any { return r.RoomID })}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "change-room", Method: http.MethodPut, Path: "/api/v1/rooms/{id}", Permission: account.RoomsWrite,
		Summary: "Change a room, or make it", Tags: tags, Description: "What is absent stays as it is.",
	}, func(ctx context.Context, in *struct {
		RoomPath
		Body struct {
			Name     *string `json:"name,omitempty" minLength:"1" maxLength:"128"`
			Deck     *string `json:"deck,omitempty" maxLength:"128"`
			Zone     *string `json:"zone,omitempty" maxLength:"128"`
			Position *uint32 `json:"position,omitempty"`
		} `nameHint:"RoomChange"`
	}) (*roomOutput, error) {
		b := in.Body
		r, err := a.Registry.ChangeRoom(ctx, actor(ctx), fleet.RoomID(in.ID), registry.RoomChange{
			Name: b.Name, Deck: b.Deck, Zone: b.Zone, Position: b.Position,
		})
		return a.roomOutput(r, err)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "order-rooms", Method: http.MethodPost, Path: "/api/v1/rooms/order", Permission: account.RoomsWrite,
		Summary: "Put rooms on a deck, in an order", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Deck  string         `json:"deck" maxLength:"128"`
			Rooms []fleet.RoomID `json:"rooms" minItems:"1" maxItems:"2000"`
		} `nameHint:"RoomOrder"`
	}) (*struct{}, error) {
		return nil, a.Registry.OrderRooms(ctx, actor(ctx), in.Body.Deck, in.Body.Rooms)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "set-room-quiet", Method: http.MethodPut, Path: "/api/v1/rooms/{id}/quiet", Permission: account.RequestsWrite,
		Summary: "Make a room quiet, or end that", Tags: tags,
		Description: "Calls from a quiet room are shown and ring nobody, but for emergencies. When the quiet ends, those that are open ring.",
	}, func(ctx context.Context, in *struct {
		RoomPath
		Body struct {
			Quiet bool      `json:"quiet"`
			Until time.Time `json:"until,omitzero" doc:"When it ends by itself; until somebody ends it if absent."`
		} `nameHint:"RoomQuiet"`
	}) (*roomOutput, error) {
		r, err := a.Registry.Quiet(ctx, actor(ctx), fleet.RoomID(in.ID), in.Body.Quiet, in.Body.Until)
		return a.roomOutput(r, err)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-room", Method: http.MethodDelete, Path: "/api/v1/rooms/{id}", Permission: account.RoomsWrite,
		Summary: "Remove a room without devices", Tags: tags,
	}, func(ctx context.Context, in *RoomPath) (*struct{}, error) {
		return nil, a.Registry.RemoveRoom(ctx, actor(ctx), fleet.RoomID(in.ID))
	})
}

func (a *API) roomOutput(r fleet.Room, err error) (*roomOutput, error) {
	if err != nil {
		return nil, err
	}
	return &roomOutput{ETag: rest.ETag(r.Version), Body: a.roomView(r)}, nil
}

func (a *API) roomView(r fleet.Room) room {
	v := room{
		RoomID: r.ID, Name: r.Name, Deck: r.Deck, Zone: r.Zone, Position: r.Position, Version: r.Version, Quiet: r.QuietAt(a.now()),
		LastCall: a.Requests.LastCall(r.ID),
	}
	if v.Quiet && !r.QuietUntil.IsZero() {
		v.QuietUntil = &r.QuietUntil
	}
	return v
}

func (a *API) listRooms(after fleet.RoomID, most int) ([]room, error) {
	rooms, err := a.Registry.Rooms()
	if err != nil {
		return nil, err
	}
	devices, err := a.Registry.Devices()
	if err != nil {
		return nil, err
	}
	n := map[fleet.RoomID]int{}
	for _, d := range devices {
		n[d.Room]++
	}
	slices.SortFunc(rooms, func(x, y fleet.Room) int { return cmp.Compare(x.ID, y.ID) })
	var rows []room
	for _, r := range rooms {
		if r.ID > after && len(rows) < most {
			v := a.roomView(r)
			v.Devices = n[r.ID]
			rows = append(rows, v)
		}
	}
	return rows, nil
}
