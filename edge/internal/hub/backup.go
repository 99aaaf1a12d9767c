package hub

import (
	"fmt"
	"time"

	"filippo.io/age"

	"github.com/obedio/obedio/edge/internal/backup"
)

// Backups is how the hub keeps backups itself.
type Backups struct {
	// Keep is how many; 7.
	Keep int
	// Recipients for whom they are encrypted when nobody says otherwise.
	Recipients []age.Recipient
}

// settle finishes a restore that was killed, and removes what killed backups
// have left, before anything is opened.
func (h *Hub) settle() error {
	if h.c.FS != nil {
		return nil
	}
	finished, err := backup.Finish(h.c.Data)
	if err != nil {
		return err
	}
	if finished {
		h.log.Warn("a restore that was interrupted was finished", "data", h.c.Data)
	}
	if err := backup.Clean(h.c.Data); err != nil {
		return fmt.Errorf("tidy %s: %w", h.c.Data, err)
	}
	return nil
}

// backups makes the keeper of backups; nil where the data are in memory.
func (h *Hub) backups() *backup.Keeper {
	if h.c.FS != nil {
		return nil
	}
	return backup.NewKeeper(backup.KeeperConfig{
		Source: backup.Source{Dir: h.c.Data, Stores: []backup.Store{h.store}, Version: h.c.Version},
		Site:   h.identity.Site, Keep: h.c.Backups.Keep, Recipients: h.c.Backups.Recipients,
		Now: func() time.Time {
			t, _ := h.clock.Now()
			return t
		},
	})
}
