package store

import (
	"fmt"

	"github.com/obedio/obedio/shared/fleet"
)

// Room is what the disk has room for.
type Room uint8

// What there may be room for.
const (
	RoomForAll Room = iota
	// RoomForEssentials: calls, commands, people, and what keeps the hub going.
	RoomForEssentials
	// NoRoom: nothing is written. The engine would stall or fail at a full disk,
	// so it is kept from meeting one.
	NoRoom
)

// Essential marks the transaction as one that is written as long as anything
// is. One that appends a press, a step of a request or of a command is
// essential by itself.
func (t *Tx) Essential() { t.essential = true }

// admit refuses with fleet.ErrFull what there is no room for. A decision that
// writes nothing is never refused: what it found is on disk already.
func (r Room) admit(t *Tx) error {
	switch {
	case len(t.writes) == 0, r == RoomForAll, r == RoomForEssentials && t.essential:
		return nil
	case r == RoomForEssentials:
		return fmt.Errorf("%w: only calls and commands are stored until there is room again", fleet.ErrFull)
	}
	return fmt.Errorf("%w: nothing is stored until there is room again", fleet.ErrFull)
}
