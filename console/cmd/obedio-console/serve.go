package main

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/console/web"
	"github.com/obedio/obedio/shared/program"
)

type serve struct{ config.Serve }

// Run runs the console until the program is told to end.
func (c *serve) Run(ctx context.Context, env *program.Env) error {
	if err := c.Check(); err != nil {
		return program.Usagef("%s", err)
	}
	settings, err := c.Console()
	if err != nil {
		return err
	}
	listeners, err := c.Listen(ctx)
	if err != nil {
		return err
	}
	settings.Version, settings.Logger, settings.Listeners, settings.UI = env.Version, env.Log, listeners, web.Files()
	v, err := console.New(ctx, settings)
	if err != nil {
		listeners.Close()
		return err
	}
	if code, err := v.Accounts().SetupCode(ctx); err == nil {
		fmt.Fprintf(env.Stderr, "Make the first owner with the setup code %s\n", code)
	}
	return program.RunReady(ctx, v, c.ReadyFile, listeners.Addresses())
}

type openAPI struct{}

// Run prints the OpenAPI document, which needs no data.
func (c *openAPI) Run(ctx context.Context, env *program.Env) error {
	doc, err := console.Document(ctx)
	if err != nil {
		return err
	}
	_, err = env.Stdout.Write(doc)
	return err
}
