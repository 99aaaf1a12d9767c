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

type epochs struct {
	New epochNew `cmd:"" name:"new" help:"After the store was restored from a backup, such as with pg_restore: begin a new epoch, so that hubs compare what they were told with what is here. Stop every console on the store first."`
}

type epochNew struct {
	config.Data
	program.Output
}

// Run begins a new epoch.
func (c *epochNew) Run(ctx context.Context, env *program.Env) error {
	if c.Socket().Running(ctx) {
		return fmt.Errorf("%w: the console runs: stop it, and every other one on the store, and try again", fleet.ErrState)
	}
	settings := console.Config{Data: c.Data.Data, Version: env.Version, Logger: env.Log}
	if err := c.Store.Console(&settings); err != nil {
		return program.Usagef("%s", err)
	}
	v, err := console.New(ctx, settings)
	if err != nil {
		return err
	}
	id, err := v.NewEpoch(ctx)
	if closed := v.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return c.Print(env, id, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "The console %s is in the epoch %s.\n", id.ConsoleID, id.Epoch)
		return err
	})
}
