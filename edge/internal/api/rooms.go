package api

import (
	"context"
	"net/http"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// room is a place with what is in it.
type room struct {
	RoomID  fleet.RoomID `json:"room_id"`
	Name    string       `json:"name"`
	Version uint64       `json:"version"`
	Devices int          `json:"devices"`
}

type roomsOutput struct {
	Body rest.Page[room]
}

type roomOutput struct {
	ETag string `header:"ETag"`
	Body room
}

func (a *API) roomRoutes() {
	rest.Register(a.rest, rest.Route{
		OperationID: "list-rooms", Method: http.MethodGet, Path: "/api/v1/rooms", Permission: account.RoomsRead,
		Summary: "Rooms, by id", Tags: []string{"rooms"},
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
		OperationID: "name-room", Method: http.MethodPut, Path: "/api/v1/rooms/{id}", Permission: account.RoomsWrite,
		Summary: "Name a room, or make it", Tags: []string{"rooms"},
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"64"`
		Body struct {
			Name string `json:"name" minLength:"1" maxLength:"128"`
		} `nameHint:"RoomName"`
	}) (*roomOutput, error) {
		r, err := a.Registry.NameRoom(ctx, actor(ctx), fleet.RoomID(in.ID), in.Body.Name)
		if err != nil {
			return nil, err
		}
		return &roomOutput{ETag: rest.ETag(r.Version), Body: room{RoomID: r.ID, Name: r.Name, Version: r.Version}}, nil
	})
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
	var rows []room
	for _, r := range rooms {
		if r.ID > after && len(rows) < most {
			rows = append(rows, room{RoomID: r.ID, Name: r.Name, Version: r.Version, Devices: n[r.ID]})
		}
	}
	return rows, nil
}
