package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/obedio/obedio/shared/fleet"
)

// Health is the answer of /healthz and /readyz.
type Health struct {
	Status  string `json:"status" enum:"ok" doc:"ok"`
	Version string `json:"version"`
}

type healthOutput struct{ Body Health }

func (a *API) registerHealth() {
	ok := func() *healthOutput { return &healthOutput{Body: Health{Status: "ok", Version: a.cfg.Version}} }
	Register(a, Route{
		OperationID: "health", Method: http.MethodGet, Path: "/healthz", Public: true,
		Summary: "The program runs", Tags: []string{"system"},
	}, func(context.Context, *struct{}) (*healthOutput, error) { return ok(), nil })
	Register(a, Route{
		OperationID: "ready", Method: http.MethodGet, Path: "/readyz", Public: true,
		Summary: "The program takes work", Description: "503 with the reason while it does not.", Tags: []string{"system"},
	}, func(context.Context, *struct{}) (*healthOutput, error) {
		if a.cfg.Ready != nil {
			if err := a.cfg.Ready(); err != nil {
				return nil, fmt.Errorf("%w: %w", fleet.ErrUnavailable, err)
			}
		}
		return ok(), nil
	})
}
