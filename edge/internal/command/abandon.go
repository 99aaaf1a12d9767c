package command

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// Abandon ends every command that has not ended as failed, for the given
// reason, in one transaction with also. Call it before Run: then none of them
// is sent any more.
func (m *Commands) Abandon(ctx context.Context, reason string, also func(*journal.Tx) error) error {
	var pending []fleet.Command
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		var err error
		if pending, err = tx.PendingCommands(""); err != nil {
			return err
		}
		for _, c := range pending {
			state := fleet.CommandFailed
			if !c.State.Leads(state) {
				state = fleet.CommandExpired
			}
			if err := tx.Append(fleet.System("command"), fleet.CommandStepped{Command: c.ID, State: state, Error: reason}); err != nil {
				return err
			}
		}
		return also(tx)
	})
	if err != nil {
		return fmt.Errorf("end commands: %w", err)
	}
	for _, c := range pending {
		c.State = fleet.CommandFailed
		m.track(c, false)
	}
	return nil
}
