package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// RoomChange is what people say of a room; nil fields stay as they are.
type RoomChange struct {
	Name, Deck, Zone *string
	Position         *uint32
}

// Room returns a room; fleet.ErrNotFound.
func (r *Registry) Room(id fleet.RoomID) (fleet.Room, error) {
	room, ok := r.copied.room(id)
	if !ok {
		return room, fmt.Errorf("%w: room %s", fleet.ErrNotFound, id)
	}
	return room, nil
}

// ChangeRoom changes a room, and makes it when there is none.
func (r *Registry) ChangeRoom(ctx context.Context, by fleet.Actor, id fleet.RoomID, c RoomChange) (fleet.Room, error) {
	return r.changeRoom(ctx, by, id, true, func(room *fleet.Room, _ time.Time) error {
		for _, f := range []struct {
			to   *string
			from *string
		}{{&room.Name, c.Name}, {&room.Deck, c.Deck}, {&room.Zone, c.Zone}} {
			if f.from != nil {
				*f.to = *f.from
			}
		}
		if c.Position != nil {
			room.Position = *c.Position
		}
		if room.Name == "" {
			room.Name = RoomName(id)
		}
		return nil
	})
}

// MaxQuiet is how long a room can be quiet with an end; without one it is so
// until somebody ends it.
const MaxQuiet = 30 * 24 * time.Hour

// Quiet makes a room quiet until a time (for ever if zero), or ends that.
// fleet.ErrNotFound.
func (r *Registry) Quiet(ctx context.Context, by fleet.Actor, id fleet.RoomID, quiet bool, until time.Time) (fleet.Room, error) {
	return r.changeRoom(ctx, by, id, false, func(room *fleet.Room, now time.Time) error {
		if left := until.Sub(now); quiet && !until.IsZero() && (left <= 0 || left > MaxQuiet) {
			return fmt.Errorf("%w: until %s: want a time within the next 30 days", fleet.ErrInvalid, until.Format(time.RFC3339))
		}
		room.Quiet, room.QuietUntil = quiet, time.Time{}
		if quiet {
			room.QuietUntil = fleet.Millis(until)
		}
		return nil
	})
}

func (r *Registry) changeRoom(
	ctx context.Context, by fleet.Actor, id fleet.RoomID, makes bool, change func(*fleet.Room, time.Time) error,
) (fleet.Room, error) {
	var room fleet.Room
	err := r.journal.Do(ctx, func(tx *journal.Tx) error {
		old, found, err := fleet.Get[fleet.Room](tx, fleet.RoomRef(id))
		if err != nil {
			return err
		}
		if room = old; !found || old.Removed {
			if !makes {
				return fmt.Errorf("%w: room %s", fleet.ErrNotFound, id)
			}
			room = fleet.Room{ID: id, Version: old.Version}
		}
		if err := change(&room, tx.Now()); err != nil {
			return err
		}
		return putRoom(tx, by, &room)
	})
	return room, err
}

func putRoom(tx *journal.Tx, by fleet.Actor, room *fleet.Room) error {
	room.UpdatedAt = tx.Now()
	room.Version++
	if err := room.Check(); err != nil {
		return err
	}
	return tx.Append(by, fleet.RoomChanged{Room: *room})
}

// OrderRooms puts rooms on a deck, in the given order. fleet.ErrNotFound names
// the first room that is not there; then nothing is changed.
func (r *Registry) OrderRooms(ctx context.Context, by fleet.Actor, deck string, rooms []fleet.RoomID) error {
	return r.journal.Do(ctx, func(tx *journal.Tx) error {
		for i, id := range rooms {
			if slices.Contains(rooms[:i], id) {
				return fmt.Errorf("%w: room %s is named twice", fleet.ErrInvalid, id)
			}
			room, found, err := fleet.Get[fleet.Room](tx, fleet.RoomRef(id))
			if err == nil && (!found || room.Removed) {
				err = fmt.Errorf("%w: room %s", fleet.ErrNotFound, id)
			}
			if err != nil {
				return err
			}
			if room.Deck == deck && room.Position == uint32(i+1) {
				continue
			}
			room.Deck, room.Position = deck, uint32(i+1)
			if err := putRoom(tx, by, &room); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveRoom removes a room in which no device is. fleet.ErrNotFound,
// fleet.ErrState.
func (r *Registry) RemoveRoom(ctx context.Context, by fleet.Actor, id fleet.RoomID) error {
	_, err := r.changeRoom(ctx, by, id, false, func(room *fleet.Room, _ time.Time) error {
		devices, _ := r.copied.all()
		for _, d := range devices {
			if d.Room == id {
				return fmt.Errorf("%w: device %s is in room %s: move it first", fleet.ErrState, d.ID, id)
			}
		}
		*room = fleet.Room{ID: id, Name: room.Name, Version: room.Version, Removed: true}
		return nil
	})
	return err
}
