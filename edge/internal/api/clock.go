package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/rest"
)

type clockOutput struct{ Body identity.Reading }

func (a *API) clockRoutes() {
	tags := []string{"system"}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-clock", Method: http.MethodGet, Path: "/api/v1/system/clock", Permission: account.SystemRead,
		Summary: "What the hub's clock says, and where it has the time from", Tags: tags,
	}, func(context.Context, *struct{}) (*clockOutput, error) { return &clockOutput{a.Time.Read()}, nil })
	rest.Register(a.rest, rest.Route{
		OperationID: "set-clock", Method: http.MethodPut, Path: "/api/v1/system/clock", Permission: account.SystemWrite,
		Summary: "Tell the hub the time, or confirm the one that it has", Tags: tags,
		Description: "For a board without a battery clock that reaches no time server. It holds until the program ends; a clock that NTP keeps goes before it.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Now     time.Time `json:"now,omitzero" doc:"The time; without it, the system's clock is confirmed."`
			Confirm bool      `json:"confirm,omitempty"`
		} `nameHint:"Clock"`
	}) (*clockOutput, error) {
		before := a.Time.Read()
		var err error
		switch {
		case in.Body.Confirm != in.Body.Now.IsZero():
			err = fmt.Errorf("%w: say now, or confirm", fleet.ErrInvalid)
		case in.Body.Confirm:
			err = a.Time.Confirm()
		default:
			err = a.Time.Tell(in.Body.Now, identity.ClockOperator)
		}
		if err != nil {
			return nil, err
		}
		now := a.Time.Read()
		err = a.Journal.Do(ctx, func(tx *journal.Tx) error {
			return tx.Audit(actor(ctx), "clock.set", string(a.Identity.Site), map[string]string{
				"before": before.Now.UTC().Format(time.RFC3339), "now": now.Now.UTC().Format(time.RFC3339),
			})
		})
		if err != nil {
			return nil, err
		}
		// The hub's own certificate may have to be another one by now.
		return &clockOutput{now}, a.PKI.Renew(ctx)
	})
}
