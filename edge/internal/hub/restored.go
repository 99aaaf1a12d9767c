package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/fleet"
)

// restoredReason is what becomes of the commands that waited in a backup. They
// may have been run, cancelled or overtaken since it was made; the hub cannot
// know, so it runs none of them.
const restoredReason = "the hub was restored from a backup"

// restored draws the consequences of a restore, once.
func (h *Hub) restored(ctx context.Context) error {
	mark, found, err := h.store.Restored()
	if err != nil {
		return fmt.Errorf("look whether the store was restored: %w", err)
	}
	if !found {
		return nil
	}
	// Who was signed in then is not now; some may have been signed out for cause.
	always := time.Unix(1<<40, 0)
	if _, err := accountkv.New(h.store.People()).RemoveStaleSessions(ctx, always, always); err != nil {
		return fmt.Errorf("end the sessions of a restored store: %w", err)
	}
	err = h.commands.Abandon(ctx, restoredReason, func(tx *journal.Tx) error {
		tx.Essential()
		tx.DeleteRestored()
		if err := uplink.Restored(tx.Tx, mark.From); err != nil {
			return err
		}
		return tx.Audit(fleet.System("restore"), "hub.restored", string(h.identity.Site), map[string]string{
			"epoch": string(h.identity.Epoch), "epoch_before": string(mark.From),
		})
	})
	if err != nil {
		return fmt.Errorf("take over a restored store: %w", err)
	}
	h.log.Warn("store was restored from a backup", "epoch", h.identity.Epoch, "epoch_before", mark.From)
	return nil
}
