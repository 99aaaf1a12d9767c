package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/obedio/obedio/console/internal/config"
	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/shared/program"
)

// withConsole runs fn with the API of the console of a data directory.
func withConsole(ctx context.Context, d config.Data, env *program.Env, fn func(*program.Local) error) error {
	l, err := d.Socket().Open(ctx, func() (*http.Server, func() error, error) {
		if err := os.MkdirAll(d.Data, 0o700); err != nil {
			return nil, nil, fmt.Errorf("make data directory: %w", err)
		}
		c := console.Config{Data: d.Data, Version: env.Version, Logger: env.Log}
		if err := d.Store.Console(&c); err != nil {
			return nil, nil, program.Usagef("%s", err)
		}
		v, err := console.New(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		return v.API().LocalServer(), v.Close, nil
	})
	if err != nil {
		return err
	}
	return errors.Join(fn(l), l.Close())
}
