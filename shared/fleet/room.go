package fleet

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Room is a place on a site: a cabin, a deck, the bridge.
type Room struct {
	ID   RoomID `json:"room_id"`
	Name string `json:"name"`
	// Deck is what rooms are shown under, and Zone what is tested together; both
	// are what people call them, and may be empty.
	Deck string `json:"deck,omitempty"`
	Zone string `json:"zone,omitempty"`
	// Position orders the rooms of a deck, from 1; 0 for those without a place,
	// which come last, by name.
	Position uint32 `json:"position,omitempty"`
	// Quiet: do not disturb. Requests from the room ring nobody until QuietUntil
	// (for ever if zero), but for emergencies.
	Quiet      bool      `json:"quiet,omitempty"`
	QuietUntil time.Time `json:"quiet_until,omitzero"`
	UpdatedAt  time.Time `json:"updated_at"`
	// Version counts the changes of the room, from 1, over removal too.
	Version uint64 `json:"version"`
	Removed bool   `json:"removed,omitempty"`
}

// QuietAt reports whether the room is quiet at a time.
func (r Room) QuietAt(now time.Time) bool {
	return r.Quiet && !r.Removed && (r.QuietUntil.IsZero() || now.Before(r.QuietUntil))
}

// Check reports as ErrInvalid what is wrong with a room.
func (r Room) Check() error {
	if _, err := ParseRoomID(string(r.ID)); err != nil {
		return err
	}
	for _, f := range []struct{ name, value string }{{"name", r.Name}, {"deck", r.Deck}, {"zone", r.Zone}} {
		if len(f.value) > 128 {
			return fmt.Errorf("%w: %s has %d bytes: want at most 128", ErrInvalid, f.name, len(f.value))
		}
	}
	if !r.Quiet && !r.QuietUntil.IsZero() {
		return fmt.Errorf("%w: quiet_until of a room that is not quiet", ErrInvalid)
	}
	return nil
}

// CompareRooms orders rooms as people walk them: by deck, then position, then
// name.
func CompareRooms(a, b Room) int {
	last := func(r Room) bool { return r.Position == 0 }
	if c := strings.Compare(a.Deck, b.Deck); c != 0 {
		return c
	}
	switch {
	case last(a) != last(b) && last(b):
		return -1
	case last(a) != last(b):
		return 1
	}
	return cmp.Or(cmp.Compare(a.Position, b.Position), strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}
