package store_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

func TestUpdate_WithLittleRoomOnlyTheEssentialIsStored(t *testing.T) {
	var room atomic.Uint32
	s, err := store.Open(store.Config{Dir: "data", FS: store.InMemory(), Room: func() store.Room { return store.Room(room.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	setting := func(tx *store.Tx) error { return tx.PutSetting("a", 1) }
	essential := func(tx *store.Tx) error { tx.Essential(); return tx.PutSetting("b", 1) }
	press := func(tx *store.Tx) error {
		_, err := tx.AppendRecord(fleet.LaneRequests, []byte("press"))
		return err
	}
	device := func(tx *store.Tx) error {
		_, err := tx.AppendRecord(fleet.LaneRegistry, []byte("device"))
		return err
	}
	look := func(tx *store.Tx) error { _, err := tx.Head(fleet.LaneRequests); return err }
	for _, c := range []struct {
		name  string
		fn    func(*store.Tx) error
		least store.Room // the room with the least of it in which this is stored
	}{
		{"setting", setting, store.RoomForAll},
		{"device", device, store.RoomForAll},
		{"marked", essential, store.RoomForEssentials},
		{"press", press, store.RoomForEssentials},
		{"nothing written", look, store.NoRoom},
	} {
		for _, r := range []store.Room{store.RoomForAll, store.RoomForEssentials, store.NoRoom} {
			room.Store(uint32(r))
			err := s.Update(t.Context(), c.fn)
			if r <= c.least && err != nil || r > c.least && !errors.Is(err, fleet.ErrFull) {
				t.Errorf("%s with room %d: %v", c.name, r, err)
			}
		}
	}
	if err := s.Err(); err != nil {
		t.Errorf("the store has failed: %v", err)
	}
}
