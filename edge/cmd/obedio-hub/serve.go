package main

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/web"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

type serve struct{ config.Serve }

// Run runs the hub until the program is told to end.
func (c *serve) Run(ctx context.Context, env *program.Env) error {
	if err := c.Check(); err != nil {
		return program.Usagef("%s", err)
	}
	boundMemory(c.MemoryLimit, env.Log)
	listeners, err := c.Listen(ctx)
	if err != nil {
		return err
	}
	settings := c.Hub()
	settings.Version, settings.Logger, settings.Listeners, settings.UI = env.Version, env.Log, listeners, web.Files()
	settings.Clock = identity.ClockConfig{Built: program.BuiltAt(), Synchronised: identity.SystemSynchronised}
	h, err := hub.New(ctx, settings)
	if err != nil {
		listeners.Close()
		return err
	}
	h.Accounts().LimitSessions(c.Sessions())
	if code, err := h.Accounts().SetupCode(ctx); err == nil {
		fmt.Fprintf(env.Stderr, "Make the first administrator with the setup code %s\n", code)
	}
	return program.RunReady(ctx, h, c.ReadyFile, listeners.Addresses())
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
