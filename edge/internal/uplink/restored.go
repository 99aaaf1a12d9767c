package uplink

import (
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/lane"
)

// Restored forgets what the console was known to hold: that was said of the
// store's epoch before, and the numbers of a new epoch begin anew. Call it
// before New. The hub's identity towards its console stays.
func Restored(tx *store.Tx) error { return tx.PutLink(savedKey, lane.Saved{}) }
