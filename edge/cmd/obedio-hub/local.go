package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/shared/program"
)

// withHub runs fn with the API of the hub of a data directory.
func withHub(ctx context.Context, d config.Data, env *program.Env, fn func(*program.Local) error) error {
	l, err := d.Socket().Open(ctx, func() (*http.Server, func() error, error) {
		if _, err := os.Stat(d.Data); err != nil && d.Site == "" {
			return nil, nil, fmt.Errorf("data directory: %w: start the hub first, or name --site for a new one", err)
		}
		settings := config.Serve{Data: d}.Hub()
		settings.Version, settings.Logger = env.Version, env.Log
		h, err := hub.New(ctx, settings)
		if err != nil {
			return nil, nil, err
		}
		return h.API().LocalServer(), h.Close, nil
	})
	if err != nil {
		return err
	}
	return errors.Join(fn(l), l.Close())
}
