package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/edge/web"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

type serve struct{ config.Serve }

// Run runs the hub until the program is told to end. One that has taken back
// what it had lost is opened anew, at the same addresses.
func (c *serve) Run(ctx context.Context, env *program.Env) error {
	if err := c.Check(); err != nil {
		return program.Usagef("%s", err)
	}
	boundMemory(c.MemoryLimit, env.Log)
	boot := fleet.NewUUID[string](time.Now())
	for {
		addresses, err := c.once(ctx, env, boot)
		switch {
		case !errors.Is(err, uplink.ErrRestart):
			return err
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end while it was about to begin anew
		}
		env.Log.Warn("hub starts anew", "reason", err)
		c.At(addresses)
	}
}

// once runs one hub to its end, and returns where it has listened.
func (c *serve) once(ctx context.Context, env *program.Env, boot string) (map[string]string, error) {
	listeners, err := c.Listen(ctx)
	if err != nil {
		return nil, err
	}
	settings := c.Hub()
	settings.Version, settings.Logger, settings.Listeners, settings.UI = env.Version, env.Log, listeners, web.Files()
	settings.Uplink.BootID = boot
	settings.Clock = identity.ClockConfig{Built: program.BuiltAt(), Synchronised: identity.SystemSynchronised}
	h, err := hub.New(ctx, settings)
	if err != nil {
		listeners.Close()
		return nil, err
	}
	h.Accounts().LimitSessions(c.Sessions())
	if code, err := h.Accounts().SetupCode(ctx); err == nil {
		fmt.Fprintf(env.Stderr, "Make the first administrator with the setup code %s\n", code)
	}
	return listeners.Addresses(), program.RunReady(ctx, h, c.ReadyFile, listeners.Addresses())
}

type openAPI struct{}

// Run prints the OpenAPI document, which needs no data.
func (c *openAPI) Run(ctx context.Context, env *program.Env) error {
	doc, err := hub.Document(ctx)
	if err != nil {
		return err
	}
	_, err = env.Stdout.Write(doc)
	return err
}
