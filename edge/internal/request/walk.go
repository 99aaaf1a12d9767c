package request

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Walk is a commissioning walk: somebody goes from room to room, presses each
// button, and the hub writes down what came.
type Walk struct {
	ID        string      `json:"walk_id"`
	StartedAt time.Time   `json:"started_at"`
	By        fleet.Actor `json:"by"`
	EndedAt   time.Time   `json:"ended_at,omitzero"`
	// Room in which buttons are pressed now: a press of one that has not been
	// heard yet is no call. Other rooms call as ever.
	Room  fleet.RoomID `json:"room,omitempty"`
	Rooms []WalkRoom   `json:"rooms"`
}

// WalkRoom is a room of a walk with its buttons.
type WalkRoom struct {
	Room    fleet.RoomID `json:"room"`
	Buttons []WalkButton `json:"buttons"`
}

// WalkState says how a button of a walk stands.
type WalkState string

// The states of a button.
const (
	WalkWaiting WalkState = "waiting"
	WalkHeard   WalkState = "heard"
	WalkFailed  WalkState = "failed" // somebody said that it did not work
)

// WalkButton is a button of a walk and what came of it.
type WalkButton struct {
	Device    fleet.DeviceID  `json:"device_id"`
	State     WalkState       `json:"state"`
	At        time.Time       `json:"at,omitzero"`
	PressType fleet.PressType `json:"press_type,omitempty"`
	Via       fleet.DeviceID  `json:"via,omitempty"`
	// Signal (dBm) and Battery (per cent) when it was heard; nil when not known.
	Signal  *int   `json:"signal_strength,omitempty"`
	Battery *int   `json:"battery,omitempty"`
	Note    string `json:"note,omitempty"`
}

// walkSetting holds the newest walk, which may have ended.
const walkSetting = "walk"

// Walk is the newest walk; fleet.ErrNotFound when there was none.
func (r *Requests) Walk() (Walk, error) {
	w := r.walk.Load()
	if w == nil {
		return Walk{}, fmt.Errorf("%w: nobody has walked yet", fleet.ErrNotFound)
	}
	return *w, nil
}

// putWalk stores the walk as it is now.
func (r *Requests) putWalk(tx *journal.Tx, w Walk) error {
	tx.Then(func() { r.walk.Store(&w) })
	return tx.PutSetting(walkSetting, w)
}

// StartWalk begins a walk through the rooms in the order in which they are
// given. fleet.ErrState while another one is under way.
func (r *Requests) StartWalk(ctx context.Context, by fleet.Actor, rooms []WalkRoom) (Walk, error) {
	var w Walk
	if len(rooms) == 0 {
		return w, fmt.Errorf("%w: no room with a button is to be walked", fleet.ErrInvalid)
	}
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		old, _, err := store.TxSetting[Walk](tx.Tx, walkSetting)
		if err != nil {
			return err
		}
		if old.ID != "" && old.EndedAt.IsZero() {
			return fmt.Errorf("%w: %s is walking since %s: end that walk first", fleet.ErrState, old.By.Name, old.StartedAt.Format(time.RFC3339))
		}
		w = Walk{ID: fleet.NewUUID[string](tx.Now()), StartedAt: tx.Now(), By: by, Room: rooms[0].Room, Rooms: rooms}
		if err := r.putWalk(tx, w); err != nil {
			return err
		}
		return tx.Audit(by, "walk.begun", w.ID, nil)
	})
	return w, err
}

// changeWalk changes the walk that is under way. fleet.ErrState when none is.
func (r *Requests) changeWalk(ctx context.Context, change func(*journal.Tx, *Walk) error) (Walk, error) {
	var w Walk
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		var err error
		if w, _, err = store.TxSetting[Walk](tx.Tx, walkSetting); err != nil {
			return err
		}
		if w.ID == "" || !w.EndedAt.IsZero() {
			return fmt.Errorf("%w: nobody is walking", fleet.ErrState)
		}
		if err := change(tx, &w); err != nil {
			return err
		}
		return r.putWalk(tx, w)
	})
	return w, err
}

// EnterRoom says in which room buttons are pressed now. fleet.ErrNotFound when
// it is no room of the walk.
func (r *Requests) EnterRoom(ctx context.Context, room fleet.RoomID) (Walk, error) {
	return r.changeWalk(ctx, func(_ *journal.Tx, w *Walk) error {
		if !slices.ContainsFunc(w.Rooms, func(v WalkRoom) bool { return v.Room == room }) {
			return fmt.Errorf("%w: room %s is not in this walk", fleet.ErrNotFound, room)
		}
		w.Room = room
		return nil
	})
}

// Judge says of a button of the walk that it failed, or that it is to be
// pressed again.
func (r *Requests) Judge(ctx context.Context, device fleet.DeviceID, state WalkState, note string) (Walk, error) {
	if state != WalkFailed && state != WalkWaiting {
		return Walk{}, fmt.Errorf("%w: state %q: want failed or waiting", fleet.ErrInvalid, state)
	}
	if len(note) > MaxNote {
		return Walk{}, fmt.Errorf("%w: note has %d bytes: want at most %d", fleet.ErrInvalid, len(note), MaxNote)
	}
	return r.changeWalk(ctx, func(tx *journal.Tx, w *Walk) error {
		b := w.button(device)
		if b == nil {
			return fmt.Errorf("%w: device %s is not in this walk", fleet.ErrNotFound, device)
		}
		*b = WalkButton{Device: device, State: state, Note: note}
		if state == WalkFailed {
			b.At = tx.Now()
		}
		return nil
	})
}

// EndWalk ends the walk: from now on every press is a call.
func (r *Requests) EndWalk(ctx context.Context, by fleet.Actor) (Walk, error) {
	return r.changeWalk(ctx, func(tx *journal.Tx, w *Walk) error {
		w.EndedAt, w.Room = tx.Now(), ""
		return tx.Audit(by, "walk.ended", w.ID, nil)
	})
}

func (w *Walk) button(id fleet.DeviceID) *WalkButton {
	for i := range w.Rooms {
		for j := range w.Rooms[i].Buttons {
			if b := &w.Rooms[i].Buttons[j]; b.Device == id {
				return b
			}
		}
	}
	return nil
}

// walkAwaits reports whether a walk waits for a press of a device.
func (r *Requests) walkAwaits(tx *journal.Tx, device fleet.DeviceID) (bool, error) {
	if last := r.walk.Load(); last == nil || !last.EndedAt.IsZero() {
		return false, nil // so it is on nearly every press
	}
	w, found, err := store.TxSetting[Walk](tx.Tx, walkSetting)
	if err != nil || !found || !w.EndedAt.IsZero() {
		return false, err
	}
	for _, room := range w.Rooms {
		if room.Room == w.Room {
			return slices.ContainsFunc(room.Buttons, func(b WalkButton) bool { return b.Device == device && b.State == WalkWaiting }), nil
		}
	}
	return false, nil
}

// walked writes down that a button was heard, and ends its request.
func (r *Requests) walked(tx *journal.Tx, in Incoming, p fleet.Pressed) error {
	w, _, err := store.TxSetting[Walk](tx.Tx, walkSetting)
	if err != nil {
		return err
	}
	if b := w.button(in.Device.ID); b != nil {
		*b = WalkButton{
			Device: in.Device.ID, State: WalkHeard, At: tx.Now(), PressType: p.Type, Via: p.Via, Signal: in.Signal, Battery: in.Battery,
		}
		if err := r.putWalk(tx, w); err != nil {
			return err
		}
	}
	if !p.Opens {
		return nil
	}
	for version, to := range []fleet.RequestState{fleet.RequestAccepted, fleet.RequestCompleted} {
		step := fleet.RequestStepped{Request: p.Press.Request, Version: uint64(version) + 2, State: to}
		if err := tx.Append(fleet.System("walk"), step); err != nil {
			return err
		}
	}
	after, err := current(tx, p.Press.Request)
	if err != nil {
		return err
	}
	return r.tellButton(tx, after)
}
