package api

import (
	"context"
	"net/http"

	"github.com/obedio/obedio/edge/internal/selftest"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

type selfTestView struct {
	EveryS int64 `json:"every_s" doc:"How often each zone is tried, in seconds; 0 when only somebody who asks does it."`
	// Zones have the newest result of each.
	Zones []selftest.Result `json:"zones" nullable:"false"`
}

type selfTestOutput struct{ Body selfTestView }

func (a *API) selfTestRoutes() {
	tags := []string{"system"}
	show := func() *selfTestOutput {
		return &selfTestOutput{selfTestView{EveryS: max(0, int64(a.SelfTest.Every().Seconds())), Zones: a.SelfTest.Results()}}
	}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-self-test", Method: http.MethodGet, Path: "/api/v1/system/self-test", Permission: account.SystemRead,
		Summary: "Whether a call would come through, zone by zone", Tags: tags,
	}, func(context.Context, *struct{}) (*selfTestOutput, error) { return show(), nil })
	rest.Register(a.rest, rest.Route{
		OperationID: "run-self-test", Method: http.MethodPost, Path: "/api/v1/system/self-test", Permission: account.RequestsWrite,
		Summary: "Try now whether a call would come through", Tags: tags,
		Description: "Opens a request in each zone, has a watch acknowledge a message that it does not show, and ends the request.",
	}, func(ctx context.Context, _ *struct{}) (*selfTestOutput, error) {
		if _, err := a.SelfTest.Try(ctx, a.crewActor(ctx)); err != nil {
			return nil, err
		}
		return show(), nil
	})
}
