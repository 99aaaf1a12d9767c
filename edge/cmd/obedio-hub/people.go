package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

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

type user struct {
	Add   userAdd   `cmd:"" help:"Add a person; the password comes from standard input."`
	List  userList  `cmd:"" help:"List people."`
	Reset userReset `cmd:"" help:"Set a forgotten password, from standard input; needs no sign-in, and works whether the program runs or not."`
}

type userAdd struct {
	config.Data
	program.Output
	program.NewPassword
	Username string `arg:"" help:"What the person signs in with."`
	Name     string `name:"name" help:"What others read; the username if empty."`
	Role     string `name:"role" default:"viewer" help:"admin, chief, crew or viewer."`
}

// Run adds a person.
func (c *userAdd) Run(ctx context.Context, env *program.Env) error {
	n := program.NewUser{Username: c.Username, Name: c.Name, Role: c.Role}
	return withHub(ctx, c.Data, env, func(l *program.Local) error { return l.AddUser(ctx, env, c.Output, n, c.NewPassword) })
}

type userList struct {
	config.Data
	program.Output
}

// Run lists people.
func (c *userList) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error { return l.ListUsers(ctx, env, c.Output) })
}

type userReset struct {
	config.Data
	program.Output
	program.NewPassword
	Username string `arg:"" help:"Whose password it is."`
}

// Run sets a forgotten password.
func (c *userReset) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		return l.ResetUser(ctx, env, c.Output, c.Username, c.NewPassword)
	})
}

type token struct {
	Create tokenCreate `cmd:"" help:"Make an API token; it is shown once."`
}

type tokenCreate struct {
	config.Data
	program.Output
	Name    string        `name:"name" required:"" help:"What the token is for."`
	Role    string        `name:"role" default:"viewer" help:"admin, chief, crew or viewer."`
	Scopes  []string      `name:"scopes" help:"Actions to which the role is narrowed, such as devices.read; all if none is named."`
	Expires time.Duration `name:"expires-in" help:"The token ends after this time; never if 0."`
}

// Run makes a token.
func (c *tokenCreate) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		return l.AddToken(ctx, env, c.Output, program.NewToken{Name: c.Name, Role: c.Role, Scopes: c.Scopes, Expires: c.Expires})
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
