package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/config"
	"github.com/obedio/obedio/shared/program"
)

type supporting struct {
	config.Data
	File string `arg:"" help:"The zip file to write; - for standard output."`
}

// Run writes the support bundle.
func (c *supporting) Run(ctx context.Context, env *program.Env) error {
	return withHub(ctx, c.Data, env, func(l *program.Local) (err error) {
		resp, err := l.Send(ctx, http.MethodGet, "/api/v1/system/support", "", nil, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, resp.Body.Close()) }()
		write := func(w io.Writer) error {
			_, err := io.Copy(w, resp.Body)
			return err
		}
		if c.File == "-" {
			return write(env.Stdout)
		}
		return backup.WriteFile(c.File, write)
	})
}
