package command

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/fleet"
)

// Abandon does what also says, and ends every command that has not ended by that
// as failed, for the given reason, in one transaction. None of them is sent any
// more.
func (m *Commands) Abandon(ctx context.Context, reason string, also func(*journal.Tx) error) error {
	m.sending.Lock()
	defer m.sending.Unlock()
	var pending, ended []fleet.Command
	err := m.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		var err error
		if pending, err = tx.PendingCommands(""); err != nil {
			return err
		}
		if err := also(tx); err != nil {
			return err
		}
		ended = nil
		for _, c := range pending {
			now, _, err := fleet.Get[fleet.Command](tx, c.Ref())
			if err != nil {
				return err
			}
			ended = append(ended, now)
			if now.State.Ended() {
				continue
			}
			state := fleet.CommandFailed
			if !now.State.Leads(state) {
				state = fleet.CommandExpired
			}
			if err := tx.Append(fleet.System("command"), fleet.CommandStepped{Command: c.ID, State: state, Error: reason}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("end commands: %w", err)
	}
	for _, c := range ended {
		c.State = fleet.CommandFailed
		m.track(c, false)
	}
	return nil
}
