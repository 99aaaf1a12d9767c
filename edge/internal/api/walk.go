package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

type walkButton struct {
	DeviceID       fleet.DeviceID    `json:"device_id"`
	Name           string            `json:"name,omitempty"`
	State          request.WalkState `json:"state" enum:"waiting,heard,failed"`
	At             *time.Time        `json:"at,omitempty"`
	PressType      fleet.PressType   `json:"press_type,omitempty"`
	Via            fleet.DeviceID    `json:"via,omitempty" doc:"The repeater that relayed the press."`
	SignalStrength *int              `json:"signal_strength,omitempty" doc:"dBm, when it was heard."`
	Battery        *int              `json:"battery,omitempty" doc:"Per cent, when it was heard."`
	Note           string            `json:"note,omitempty"`
}

type walkRoom struct {
	Room    fleet.RoomID `json:"room"`
	Name    string       `json:"name"`
	Deck    string       `json:"deck,omitempty"`
	Buttons []walkButton `json:"buttons" nullable:"false"`
}

type walkView struct {
	WalkID    string         `json:"walk_id"`
	StartedAt time.Time      `json:"started_at"`
	By        resource.Actor `json:"by"`
	EndedAt   *time.Time     `json:"ended_at,omitempty" doc:"Absent while the walk is under way."`
	Room      fleet.RoomID   `json:"room,omitempty" doc:"The room that is walked now."`
	Rooms     []walkRoom     `json:"rooms" nullable:"false" doc:"In the order of the walk."`
	Buttons   int            `json:"buttons"`
	Heard     int            `json:"heard"`
	Failed    int            `json:"failed"`
}

type walkOutput struct{ Body walkView }

func (a *API) walkAnswer(w request.Walk, err error) (*walkOutput, error) {
	if err != nil {
		return nil, err
	}
	v := walkView{
		WalkID: w.ID, StartedAt: w.StartedAt, By: resource.ActorOf(w.By), EndedAt: optional(w.EndedAt), Room: w.Room, Rooms: []walkRoom{},
	}
	for _, r := range w.Rooms {
		known, err := a.Registry.Room(r.Room)
		if err != nil {
			known.Name = string(r.Room) // removed since
		}
		row := walkRoom{Room: r.Room, Name: known.Name, Deck: known.Deck, Buttons: []walkButton{}}
		for _, b := range r.Buttons {
			d, _ := a.Registry.Device(b.Device) // one that was removed since has no name
			row.Buttons = append(row.Buttons, walkButton{
				DeviceID: b.Device, Name: d.Name, State: b.State, At: optional(b.At), PressType: b.PressType, Via: b.Via,
				SignalStrength: b.Signal, Battery: b.Battery, Note: b.Note,
			})
			v.Buttons++
			switch b.State {
			case request.WalkHeard:
				v.Heard++
			case request.WalkFailed:
				v.Failed++
			case request.WalkWaiting:
			}
		}
		v.Rooms = append(v.Rooms, row)
	}
	return &walkOutput{v}, nil
}

// walkChanged is walkAnswer for a step of a person; other screens are told. A
// button that was heard is an event of its request.
func (a *API) walkChanged(w request.Walk, err error) (*walkOutput, error) {
	if err == nil {
		a.publish(eventConfig, account.RequestsRead, removed{Kind: "walk", ID: w.ID})
	}
	return a.walkAnswer(w, err)
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// walkRoutes are the commissioning walk: the one under way, or the last one.
func (a *API) walkRoutes() {
	tags := []string{"requests"}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-walk", Method: http.MethodGet, Path: "/api/v1/walk", Permission: account.RequestsRead,
		Summary: "The commissioning walk: which buttons were pressed and heard", Tags: tags,
	}, func(context.Context, *struct{}) (*walkOutput, error) { return a.walkAnswer(a.Requests.Walk()) })
	rest.Register(a.rest, rest.Route{
		OperationID: "start-walk", Method: http.MethodPost, Path: "/api/v1/walk", Permission: account.DevicesWrite,
		Status: http.StatusCreated, Summary: "Begin a commissioning walk", Tags: tags,
		Description: "The first press of each button, in the room that is walked, is no call. All rooms with buttons if none are named.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Rooms []fleet.RoomID `json:"rooms,omitempty" maxItems:"2000" doc:"In the order of the walk."`
		} `nameHint:"NewWalk"`
	}) (*walkOutput, error) {
		rooms, err := a.walkRooms(in.Body.Rooms)
		if err != nil {
			return nil, err
		}
		return a.walkChanged(a.Requests.StartWalk(ctx, a.crewActor(ctx), rooms))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "walk-into-room", Method: http.MethodPut, Path: "/api/v1/walk/room", Permission: account.DevicesWrite,
		Summary: "Say which room is walked now", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Room fleet.RoomID `json:"room" maxLength:"64"`
		} `nameHint:"WalkRoomNow"`
	}) (*walkOutput, error) {
		return a.walkChanged(a.Requests.EnterRoom(ctx, in.Body.Room))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "judge-walk-button", Method: http.MethodPut, Path: "/api/v1/walk/devices/{id}", Permission: account.DevicesWrite,
		Summary: "Say that a button failed, or is to be pressed again", Tags: tags,
	}, func(ctx context.Context, in *struct {
		DevicePath
		Body struct {
			State request.WalkState `json:"state" enum:"failed,waiting"`
			Note  string            `json:"note,omitempty" maxLength:"1000"`
		} `nameHint:"WalkJudgement"`
	}) (*walkOutput, error) {
		return a.walkChanged(a.Requests.Judge(ctx, fleet.DeviceID(in.ID), in.Body.State, in.Body.Note))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "end-walk", Method: http.MethodPost, Path: "/api/v1/walk/end", Permission: account.DevicesWrite,
		Summary: "End the walk: from now on every press is a call", Tags: tags,
	}, func(ctx context.Context, _ *struct{}) (*walkOutput, error) {
		return a.walkChanged(a.Requests.EndWalk(ctx, a.crewActor(ctx)))
	})
}

// walkRooms are the rooms of a walk with their buttons; all rooms that have
// buttons, deck by deck, when none are named.
func (a *API) walkRooms(named []fleet.RoomID) ([]request.WalkRoom, error) {
	devices, err := a.Registry.Devices()
	if err != nil {
		return nil, err
	}
	buttons := map[fleet.RoomID][]request.WalkButton{}
	for _, d := range devices {
		if d.Type == fleet.Button {
			buttons[d.Room] = append(buttons[d.Room], request.WalkButton{Device: d.ID, State: request.WalkWaiting})
		}
	}
	if len(named) == 0 {
		all, err := a.Registry.Rooms()
		if err != nil {
			return nil, err
		}
		slices.SortFunc(all, fleet.CompareRooms)
		for _, r := range all {
			named = append(named, r.ID)
		}
	}
	var rooms []request.WalkRoom
	for _, id := range named {
		if _, err := a.Registry.Room(id); err != nil {
			return nil, err
		}
		if len(buttons[id]) > 0 {
			rooms = append(rooms, request.WalkRoom{Room: id, Buttons: buttons[id]})
		}
	}
	return rooms, nil
}
