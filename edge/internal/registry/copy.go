package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// copied is the registry in memory: it is asked for every message, and the
// store would decode the same device each time. The journal brings it up to
// date before a change is acknowledged to anybody.
type copied struct {
	mu      sync.RWMutex // guards what follows
	devices map[fleet.DeviceID]fleet.Device
	rooms   map[fleet.RoomID]fleet.Room
	// sorted are the devices in the order of their ids, nil when they must be
	// made again, and watches those of them that are. Nobody changes them.
	sorted, watches []fleet.Device
}

func newCopy(s *store.Store) (*copied, error) {
	c := &copied{devices: map[fleet.DeviceID]fleet.Device{}, rooms: map[fleet.RoomID]fleet.Room{}}
	if err := store.Entities(s, "", func(d fleet.Device) bool { c.putDevice(d); return true }); err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	if err := store.Entities(s, "", func(r fleet.Room) bool { c.putRoom(r); return true }); err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	return c, nil
}

// event takes over what a record has changed.
func (c *copied) event(e journal.Event) {
	for _, change := range e.Changes {
		switch after := change.After.(type) {
		case fleet.Device:
			c.putDevice(after)
		case fleet.Room:
			c.putRoom(after)
		}
	}
}

func (c *copied) putDevice(d fleet.Device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.Removed {
		delete(c.devices, d.ID)
	} else {
		c.devices[d.ID] = d
	}
	c.sorted = nil
}

func (c *copied) putRoom(r fleet.Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Removed {
		delete(c.rooms, r.ID)
	} else {
		c.rooms[r.ID] = r
	}
}

func (c *copied) device(id fleet.DeviceID) (fleet.Device, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	d, ok := c.devices[id]
	return d, ok
}

func (c *copied) room(id fleet.RoomID) (fleet.Room, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	r, ok := c.rooms[id]
	return r, ok
}

func (c *copied) count() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.devices)
}

// all returns the devices in the order of their ids, and those of them that are
// watches.
func (c *copied) all() (devices, watches []fleet.Device) {
	c.mu.RLock()
	devices, watches = c.sorted, c.watches
	c.mu.RUnlock()
	if devices != nil {
		return devices, watches
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sorted == nil {
		c.sorted, c.watches = slices.AppendSeq(make([]fleet.Device, 0, len(c.devices)), maps.Values(c.devices)), nil
		slices.SortFunc(c.sorted, func(a, b fleet.Device) int { return strings.Compare(string(a.ID), string(b.ID)) })
		for _, d := range c.sorted {
			if d.Type == fleet.Watch {
				c.watches = append(c.watches, d)
			}
		}
	}
	return c.sorted, c.watches
}

func (c *copied) allRooms() []fleet.Room {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.SortedFunc(maps.Values(c.rooms), func(a, b fleet.Room) int { return strings.Compare(string(a.ID), string(b.ID)) })
}
