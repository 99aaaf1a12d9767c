package console

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Restored says that the store was put back from an old copy: a new epoch of the
// console begins, so that orders which are made from now on stand behind those
// that hubs hold already, and hubs tell again what the copy does not know. No
// console may run on the store.
func Restored(ctx context.Context, c Config) (before, after store.Identity, err error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s, err := open(ctx, c)
	if err != nil {
		return before, after, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	before, found, err := s.Identity(ctx)
	if err != nil {
		return before, after, err
	}
	if !found {
		return before, after, fmt.Errorf("%w: the store is empty: put the copy back first", fleet.ErrNotFound)
	}
	after = before
	after.Epoch, after.CreatedAt = string(fleet.NewEpoch()), fleet.Millis(c.Now())
	if err := s.SetIdentity(ctx, after); err != nil {
		return before, after, err
	}
	return before, after, s.Audit(ctx, fleet.System("restore"), "console.restored", after.ConsoleID, map[string]string{
		"epoch": after.Epoch, "epoch_before": before.Epoch,
	})
}
