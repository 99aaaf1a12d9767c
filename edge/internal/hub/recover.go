package hub

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Recover implements uplink.Board: what the console gives back becomes the
// hub's own again, but for what was changed on board since. Commands that
// waited are not run: nobody knows whether they were.
func (h *Hub) Recover(ctx context.Context, r uplink.Recovery, also func(*journal.Tx) error) error {
	if len(r.Entities) == 0 && r.Epoch == h.identity.Epoch {
		return h.journal.Do(ctx, func(tx *journal.Tx) error {
			if r.Restate {
				if err := h.restate(tx); err != nil {
					return err
				}
			}
			return also(tx)
		})
	}
	err := h.commands.Abandon(ctx, restoredReason, func(tx *journal.Tx) error {
		// The console may hold entries of the old chain that this store has lost.
		if err := tx.BeginChain(r.Epoch); err != nil {
			return err
		}
		mine, err := lane.Mine(tx, r.Behind)
		if err != nil {
			return err
		}
		told, err := lane.Restore(tx, mine, r.Entities, func(e fleet.Entity) fleet.Entity { return unanswered(tx, e) })
		if err != nil {
			return err
		}
		for _, v := range told {
			if err := tx.AppendAlone(fleet.System("restore"), v); err != nil {
				return err
			}
		}
		if r.Restate {
			if err := h.restate(tx); err != nil {
				return err
			}
		}
		before := h.identity.Epoch
		id := h.identity
		id.Epoch = r.Epoch
		if err := tx.PutIdentity(id); err != nil {
			return err
		}
		err = tx.Audit(fleet.System("restore"), "hub.recovered", string(id.Site), map[string]string{
			"epoch": string(r.Epoch), "epoch_before": string(before), "entities": fmt.Sprint(len(told)),
		})
		if err != nil {
			return err
		}
		return also(tx)
	})
	if err != nil {
		return fmt.Errorf("take back %d entities: %w", len(r.Entities), err)
	}
	return nil
}

// unanswered ends a command that was under way when the store was lost.
func unanswered(tx *journal.Tx, e fleet.Entity) fleet.Entity {
	c, ok := e.(fleet.Command)
	if !ok || c.State.Ended() {
		return e
	}
	c.State, c.Error, c.UpdatedAt = fleet.CommandFailed, restoredReason, tx.Now()
	c.Steps = append(c.Steps[:len(c.Steps):len(c.Steps)], fleet.CommandStep{State: c.State, At: tx.Now()})
	return c
}

// restate tells every entity anew.
func (h *Hub) restate(tx *journal.Tx) error {
	refs, err := tx.Refs()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if !fleet.Restatable(ref.Kind) {
			continue
		}
		b, err := tx.Entity(ref) // as it is by now
		if err != nil {
			return err
		}
		e, err := fleet.DecodeEntity(ref.Kind, b)
		if err != nil {
			return err
		}
		if err := tx.AppendAlone(fleet.System("uplink"), fleet.Restated{Entity: e}); err != nil {
			return err
		}
	}
	return nil
}
