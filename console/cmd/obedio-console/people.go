package main

import (
	"context"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/shared/program"
)

type setup struct {
	config.Data
	program.Output
}

// Run reads {"username":…,"password":…} and makes the first owner.
func (c *setup) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error { return l.Setup(ctx, env, c.Output, "owner") })
}

type token struct {
	Create tokenCreate `cmd:"" help:"Make an API token; it is shown once."`
}

type tokenCreate struct {
	config.Data
	program.Output
	Name  string   `name:"name" required:"" help:"What the token is for."`
	Role  string   `name:"role" default:"viewer" help:"owner, manager or viewer."`
	Sites []string `name:"sites" help:"The sites of a manager or viewer; all if none is named."`
}

// Run makes a token.
func (c *tokenCreate) Run(ctx context.Context, env *program.Env) error {
	in := map[string]any{"name": c.Name, "role": c.Role}
	switch {
	case len(c.Sites) > 0:
		in["sites"] = c.Sites
	case c.Role != "owner":
		in["sites"] = []string{"*"}
	}
	return withConsole(ctx, c.Data, env, func(l *program.Local) error { return l.AddToken(ctx, env, c.Output, in) })
}
