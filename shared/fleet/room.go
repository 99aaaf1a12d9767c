package fleet

import (
	"fmt"
	"time"
)

// Room is a place on a site: a cabin, a deck, the bridge.
type Room struct {
	ID        RoomID    `json:"room_id"`
	Name      string    `json:"name"`
	UpdatedAt time.Time `json:"updated_at"`
	// Version counts the changes of the room, from 1, over removal too.
	Version uint64 `json:"version"`
	Removed bool   `json:"removed,omitempty"`
}

// Check reports as ErrInvalid what is wrong with a room.
func (r Room) Check() error {
	if _, err := ParseRoomID(string(r.ID)); err != nil {
		return err
	}
	if len(r.Name) > 128 {
		return fmt.Errorf("%w: name has %d bytes: want at most 128", ErrInvalid, len(r.Name))
	}
	return nil
}
