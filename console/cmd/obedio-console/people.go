package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/shared/program"
)

type setup struct {
	config.Data
	program.Output
}

// Run reads {"username":…,"password":…} and makes the first owner.
func (c *setup) Run(ctx context.Context, env *program.Env) error {
	var in struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Name     string `json:"name,omitempty"`
	}
	if err := env.ReadJSON(&in); err != nil {
		return err
	}
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		var made struct {
			UserID   string `json:"user_id"`
			Username string `json:"username"`
			Role     string `json:"role"`
		}
		if err := l.Call(ctx, http.MethodPost, "/api/v1/setup/local", nil, in, &made); err != nil {
			return err
		}
		return c.Print(env, made, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is the first owner\n", made.Username)
			return err
		})
	})
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
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		var made struct {
			ID    string `json:"id"`
			Token string `json:"token"`
		}
		if err := l.Call(ctx, http.MethodPost, "/api/v1/tokens", nil, in, &made); err != nil {
			return err
		}
		return c.Print(env, made, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, made.Token)
			return err
		})
	})
}
