package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/obedio/obedio/console/internal/oidc"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// The paths of signing in at an identity provider. The callback's is
// registered at the provider.
const (
	oidcStart    = "/api/v1/sessions/oidc/start"
	oidcCallback = "/api/v1/sessions/oidc/callback"
)

// signInFailed is the page of the web UI that says what to do after a sign-in
// that did not work; reason is one of the words that oidcReason has.
const signInFailed = "/sign-in-failed?reason="

// oidcCookie ends the name of the cookie of a sign-in that is under way.
const oidcCookie = "_oidc"

type oidcOutput struct {
	Body struct {
		Enabled  bool   `json:"enabled" doc:"Whether people may sign in at an identity provider."`
		Label    string `json:"label,omitempty" doc:"What to write on the button."`
		StartURL string `json:"start_url,omitempty" doc:"Where to lead the browser; ?return_to= names the page to come back to."`
	} `nameHint:"OIDCState"`
}

// Browser tells a browser that goes to a page from a program. Exported so
// that huma sees it where it is embedded.
type Browser struct {
	Accept string `header:"Accept" hidden:"true"`
}

func (b Browser) wantsPage() bool { return strings.Contains(b.Accept, "text/html") }

type oidcStartInput struct {
	Browser
	ReturnTo string `query:"return_to" maxLength:"1024" doc:"Path of the page to come back to; / if it is none of the console's."`
}

type oidcCallbackInput struct {
	Browser
	Code   string `query:"code" maxLength:"4096"`
	State  string `query:"state" maxLength:"256"`
	Error  string `query:"error" maxLength:"256" doc:"Why there is no code."`
	Issuer string `query:"iss" maxLength:"1024"`
}

type redirectOutput struct {
	Status    int
	Location  string        `header:"Location"`
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (a *API) oidcRoutes() {
	tags := []string{"people"}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-oidc", Method: http.MethodGet, Path: "/api/v1/sessions/oidc", Public: true,
		Summary: "Whether people may sign in at an identity provider", Tags: tags,
	}, func(context.Context, *struct{}) (*oidcOutput, error) {
		out := &oidcOutput{}
		if a.OIDC != nil {
			out.Body.Enabled, out.Body.Label, out.Body.StartURL = true, a.OIDC.Label(), oidcStart
		}
		return out, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "start-oidc", Method: http.MethodGet, Path: oidcStart, Public: true, Status: http.StatusFound,
		Summary: "Lead the browser to the identity provider", Tags: tags, Errors: []int{http.StatusNotFound},
		Description: "A browser for which that is not possible is led to a page that says why; a program gets a problem.",
	}, a.startOIDC)
	rest.Register(a.rest, rest.Route{
		OperationID: "finish-oidc", Method: http.MethodGet, Path: oidcCallback, Public: true, Status: http.StatusFound,
		Summary: "Come back from the identity provider, and sign in", Tags: tags,
		Description: "Answers with a session cookie, and leads the browser to the page that it came from. " +
			"A sign-in that fails leads a browser to a page that says why and what to do; a program gets a problem.",
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
	}, a.finishOIDC)
}

func (a *API) startOIDC(ctx context.Context, in *oidcStartInput) (*redirectOutput, error) {
	out, err := a.beginOIDC(ctx, in)
	return a.orPage(ctx, in.Browser, out, err)
}

func (a *API) finishOIDC(ctx context.Context, in *oidcCallbackInput) (*redirectOutput, error) {
	out, err := a.endOIDC(ctx, in)
	return a.orPage(ctx, in.Browser, out, err)
}

// orPage leads a browser to the page about err; what is not a matter of
// signing in stays a problem.
func (a *API) orPage(ctx context.Context, b Browser, out *redirectOutput, err error) (*redirectOutput, error) {
	reason := oidcReason(err)
	if err == nil || reason == "" || !b.wantsPage() {
		return out, err
	}
	a.Logger.Info("sign-in at the identity provider failed", "reason", reason, "err", err, "request_id", rest.RequestID(ctx))
	return &redirectOutput{
		Status: http.StatusFound, Location: signInFailed + reason,
		SetCookie: []http.Cookie{a.rest.ReturnCookie(ctx, oidcCookie, "", -time.Second)},
	}, nil
}

// refusedHereError is of somebody for whom the provider vouches, and whom the
// console does not let in.
type refusedHereError struct{ error }

func (e refusedHereError) Unwrap() error { return e.error }

// oidcReason is why a sign-in failed, in one word for the page; "" for none.
func oidcReason(err error) string {
	var noRole *oidc.NoRoleError
	var here refusedHereError
	switch {
	case errors.As(err, &noRole):
		return "no_role"
	case errors.As(err, &here) && (errors.Is(err, fleet.ErrForbidden) || errors.Is(err, fleet.ErrExists)):
		return "not_this_account"
	case errors.Is(err, fleet.ErrUnauthenticated):
		return "begin_again"
	case errors.Is(err, fleet.ErrForbidden):
		return "refused"
	case errors.Is(err, fleet.ErrUnavailable), errors.Is(err, fleet.ErrLimit):
		return "unavailable"
	case errors.Is(err, fleet.ErrNotFound):
		return "no_provider"
	}
	return ""
}

func (a *API) beginOIDC(ctx context.Context, in *oidcStartInput) (*redirectOutput, error) {
	if err := a.needOIDC(); err != nil {
		return nil, err
	}
	origin, err := a.rest.Origin(ctx)
	if err != nil {
		return nil, err
	}
	to, sealed, err := a.OIDC.Begin(ctx, origin+oidcCallback, in.ReturnTo)
	if err != nil {
		return nil, err
	}
	return &redirectOutput{
		Status: http.StatusFound, Location: to,
		SetCookie: []http.Cookie{a.rest.ReturnCookie(ctx, oidcCookie, sealed, oidc.Lifetime)},
	}, nil
}

func (a *API) endOIDC(ctx context.Context, in *oidcCallbackInput) (*redirectOutput, error) {
	if err := a.needOIDC(); err != nil {
		return nil, err
	}
	person, returnTo, err := a.OIDC.Finish(ctx, a.rest.CookieValue(ctx, oidcCookie), oidc.Answer{
		Code: in.Code, State: in.State, Error: in.Error, Issuer: in.Issuer,
	})
	var noRole *oidc.NoRoleError
	if errors.As(err, &noRole) {
		// What was given before is taken away with it.
		return nil, errors.Join(err, a.Accounts.RefuseExternal(ctx, noRole.External))
	}
	if err != nil {
		return nil, err
	}
	session, err := a.rest.SignInExternal(ctx, person)
	if err != nil {
		return nil, refusedHereError{err}
	}
	return &redirectOutput{
		Status: http.StatusFound, Location: returnTo,
		SetCookie: []http.Cookie{session, a.rest.ReturnCookie(ctx, oidcCookie, "", -1)},
	}, nil
}

func (a *API) needOIDC() error {
	if a.OIDC == nil {
		return fmt.Errorf("%w: this console has no identity provider", fleet.ErrNotFound)
	}
	return nil
}
