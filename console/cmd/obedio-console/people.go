package main

import (
	"context"
	"time"

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

type user struct {
	Add   userAdd   `cmd:"" help:"Add a person; the password comes from standard input."`
	List  userList  `cmd:"" help:"List people."`
	Reset userReset `cmd:"" help:"Set a forgotten password, from standard input; needs no sign-in, and works whether the program runs or not."`
}

type userAdd struct {
	config.Data
	program.Output
	program.NewPassword
	Username string   `arg:"" help:"What the person signs in with."`
	Name     string   `name:"name" help:"What others read; the username if empty."`
	Role     string   `name:"role" default:"viewer" help:"owner, manager or viewer."`
	Sites    []string `name:"sites" help:"The sites of a manager or viewer; all if none is named."`
}

// Run adds a person.
func (c *userAdd) Run(ctx context.Context, env *program.Env) error {
	n := program.NewUser{Username: c.Username, Name: c.Name, Role: c.Role, Sites: sitesOf(c.Role, c.Sites)}
	return withConsole(ctx, c.Data, env, func(l *program.Local) error { return l.AddUser(ctx, env, c.Output, n, c.NewPassword) })
}

type userList struct {
	config.Data
	program.Output
}

// Run lists people.
func (c *userList) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error { return l.ListUsers(ctx, env, c.Output) })
}

type userReset struct {
	config.Data
	program.Output
	program.NewPassword
	Username string `arg:"" help:"Whose password it is."`
}

// Run sets a forgotten password.
func (c *userReset) Run(ctx context.Context, env *program.Env) error {
	return withConsole(ctx, c.Data, env, func(l *program.Local) error {
		return l.ResetUser(ctx, env, c.Output, c.Username, c.NewPassword)
	})
}

// sitesOf are the sites that a role is given: all where none is named and the
// role is bound to sites.
func sitesOf(role string, named []string) []string {
	if len(named) == 0 && role != "owner" {
		return []string{"*"}
	}
	return named
}

type token struct {
	Create tokenCreate `cmd:"" help:"Make an API token; it is shown once."`
}

type tokenCreate struct {
	config.Data
	program.Output
	Name    string        `name:"name" required:"" help:"What the token is for."`
	Role    string        `name:"role" default:"viewer" help:"owner, manager or viewer."`
	Sites   []string      `name:"sites" help:"The sites of a manager or viewer; all if none is named."`
	Scopes  []string      `name:"scopes" help:"Actions to which the role is narrowed, such as devices.read; all if none is named."`
	Expires time.Duration `name:"expires-in" help:"The token ends after this time; never if 0."`
}

// Run makes a token.
func (c *tokenCreate) Run(ctx context.Context, env *program.Env) error {
	in := program.NewToken{Name: c.Name, Role: c.Role, Sites: sitesOf(c.Role, c.Sites), Scopes: c.Scopes, Expires: c.Expires}
	return withConsole(ctx, c.Data, env, func(l *program.Local) error { return l.AddToken(ctx, env, c.Output, in) })
}
