package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

type setup struct {
	config.Data
	program.Output
}

// Run reads {"username":…,"password":…} and makes the first administrator.
func (c *setup) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error { return l.Setup(ctx, env, c.Output, "administrator") })
}

type token struct {
	Create tokenCreate `cmd:"" help:"Make an API token; it is shown once."`
}

type tokenCreate struct {
	config.Data
	program.Output
	Name string `name:"name" required:"" help:"What the token is for."`
	Role string `name:"role" default:"viewer" help:"admin, chief, crew or viewer."`
}

// Run makes a token.
func (c *tokenCreate) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		return l.AddToken(ctx, env, c.Output, map[string]string{"name": c.Name, "role": c.Role})
	})
}

type enroll struct {
	config.Data
	program.Output
	Claim   string `name:"claim" required:"" placeholder:"FILE" help:"The console's claim file; - for standard input."`
	Console string `name:"console" placeholder:"URL" help:"Address of the hub link, where it is not that of the claim file."`
}

// Run enrols the hub.
func (c *enroll) Run(ctx context.Context, env *program.Env) error {
	var b []byte
	var err error
	if c.Claim == "-" {
		b, err = io.ReadAll(io.LimitReader(env.Stdin, 64<<10))
	} else {
		b, err = os.ReadFile(c.Claim)
	}
	if err != nil {
		return fmt.Errorf("read claim: %w", err)
	}
	claim, err := identity.ParseClaim(b)
	if err != nil {
		return err
	}
	if c.Console != "" {
		if _, err := identity.ParseLinkURL(c.Console); err != nil {
			return program.Usagef("--console: %s", err)
		}
		claim.URL = c.Console
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var made struct {
			HubID string `json:"hub_id"`
		}
		if err := l.Call(ctx, http.MethodPost, "/api/v1/sync/enrolment", nil, claim, &made); err != nil {
			return err
		}
		return c.Print(env, made, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "enrolled at %s as hub %s\n", claim.URL, made.HubID)
			return err
		})
	})
}

type syncing struct {
	config.Data
}

// Run prints lanes, cursors and the digest of the folded state.
func (c *syncing) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var v map[string]any
		if err := l.Call(ctx, http.MethodGet, "/api/v1/sync", nil, nil, &v); err != nil {
			return err
		}
		return program.Output{JSON: true}.Print(env, v, nil)
	})
}
