package console

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// NewEpoch says that the store was restored from a backup: it is told from
// what it was before by another epoch, by which hubs find out what it has
// forgotten. The console must not run, nor another one on the store.
func (v *Console) NewEpoch(ctx context.Context) (store.Identity, error) {
	id, before := v.identity, v.identity.Epoch
	id.Epoch, id.CreatedAt = string(fleet.NewEpoch()), fleet.Millis(v.c.Now())
	if err := v.store.SetIdentity(ctx, id); err != nil {
		return id, fmt.Errorf("store the console's identity: %w", err)
	}
	v.identity = id
	err := v.store.Audit(ctx, fleet.System("restore"), store.AuditEpochBegun, id.ConsoleID, map[string]string{"epoch_before": before})
	if err != nil {
		return id, fmt.Errorf("note the new epoch: %w", err)
	}
	return id, nil
}
