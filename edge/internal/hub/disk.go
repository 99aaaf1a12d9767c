package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// guardDisk measures the disk before anything is opened on it: the engine does
// not open on a full one.
func (h *Hub) guardDisk() error {
	c := h.c.Disk
	c.Dir, c.Logger = h.c.Data, h.log
	if h.c.FS != nil && c.Usage == nil { // in memory
		c.Usage, c.Ballast = func(string) (disk.Usage, error) {
			return disk.Usage{Free: math.MaxInt64, Total: math.MaxInt64}, nil
		}, -1
	} else if err := os.MkdirAll(h.c.Data, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := h.settle(); err != nil {
		return err
	}
	var err error
	if h.disk, err = disk.New(c); err != nil {
		return err
	}
	return h.disk.Prepare()
}

// room is what the store may write. The little that a start writes is written
// on a full disk too.
func (h *Hub) room() store.Room {
	switch level := h.disk.Level(); {
	case level < disk.EssentialOnly:
		return store.RoomForAll
	case level < disk.HardStop || !h.built.Load():
		return store.RoomForEssentials
	}
	return store.NoRoom
}

// whileRoom runs a part. One that ends because the disk is full is no reason to
// end the hub, which would find it no emptier: it goes on when there is room.
func (h *Hub) whileRoom(ctx context.Context, name string, run func(context.Context) error) error {
	for {
		err := run(ctx)
		if !errors.Is(err, fleet.ErrFull) || errors.Is(err, store.ErrFailed) {
			return err
		}
		h.log.Warn("part waits for room on the disk", "part", name, "error", err)
		again := time.NewTicker(cmp.Or(h.c.Disk.Every, 2*time.Second))
		for wait := true; wait; wait = h.room() == store.NoRoom {
			select {
			case <-ctx.Done():
				again.Stop()
				return nil
			case <-again.C:
			}
		}
		again.Stop()
	}
}
