package main

import (
	"context"
	"fmt"
	"io"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/program"
)

type restored struct {
	config.Data
	program.Output
}

// Run begins a new epoch of a console whose store was put back.
func (c *restored) Run(ctx context.Context, env *program.Env) error {
	if c.Socket().Running(ctx) {
		return fmt.Errorf("%w: the console runs: stop it, and every other one on the store, and try again", fleet.ErrState)
	}
	settings := console.Config{Data: c.Data.Data, Logger: env.Log}
	if err := c.Store.Console(&settings); err != nil {
		return program.Usagef("%s", err)
	}
	before, after, err := console.Restored(ctx, settings)
	if err != nil {
		return err
	}
	said := map[string]string{"console_id": after.ConsoleID, "epoch": after.Epoch, "epoch_before": before.Epoch}
	return c.Print(env, said, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "The console has the epoch %s now. Start it: hubs tell again what it does not know.\n", after.Epoch)
		return err
	})
}
