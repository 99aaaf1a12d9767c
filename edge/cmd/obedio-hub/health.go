package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/program"
)

type healthcheck struct {
	config.Data
}

// Run asks the hub whether it takes work.
func (c *healthcheck) Run(ctx context.Context, env *program.Env) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if !c.Socket().Running(ctx) {
		return fmt.Errorf("no hub answers on %s", c.Data.Data)
	}
	return withHub(ctx, c.Data, env, func(l *program.Local) error {
		var h struct {
			Status  string `json:"status"`
			Version string `json:"version"`
		}
		if err := l.Call(ctx, http.MethodGet, "/readyz", nil, nil, &h); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.Stdout, "%s: version %s\n", h.Status, h.Version)
		return err
	})
}
