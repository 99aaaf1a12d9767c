package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// tabletCookie ends the name of the cookie that makes a browser a tablet.
const tabletCookie = "_tablet"

// tabletAge is how long a browser keeps that cookie; each sign-in with a PIN
// begins it anew. Browsers allow no more.
const tabletAge = 400 * 24 * time.Hour

// TabletView is an enrolled tablet as the API shows it.
type TabletView struct {
	ID        account.TabletID `json:"tablet_id"`
	Name      string           `json:"name"`
	By        string           `json:"enrolled_by" doc:"Who has enrolled it."`
	CreatedAt time.Time        `json:"created_at"`
	UsedAt    *time.Time       `json:"used_at" doc:"When somebody last signed in on it; null if nobody did."`
	Current   bool             `json:"current" doc:"Whether it is the browser that asks."`
}

// TileView is a person whom a tablet offers to sign in.
type TileView struct {
	User account.UserID `json:"user_id"`
	Name string         `json:"name"`
}

type enrolTabletInput struct {
	Body struct {
		Name string `json:"name" maxLength:"128" doc:"Where it is, as people say it."`
	} `nameHint:"NewTablet"`
}

type enrolTabletOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      TabletView
}

type listTabletsOutput struct{ Body Page[TabletView] }

type tilesOutput struct {
	Body struct {
		Items []TileView `json:"items" nullable:"false" doc:"By name."`
	} `nameHint:"Tiles"`
}

type pinInput struct {
	Body struct {
		User string `json:"user_id" maxLength:"64"`
		PIN  string `json:"pin" maxLength:"64" doc:"Six digits."`
	} `nameHint:"PINSignIn"`
}

type setPINInput struct {
	UserPath
	Body struct {
		Current string `json:"current,omitempty" maxLength:"1024" doc:"One's PIN or password until now; needed to change one's own."`
		PIN     string `json:"pin" maxLength:"64" doc:"Six digits; no run, and not one digit only."`
	} `nameHint:"NewPIN"`
}

// TabletRoutes adds what the hub has for crew on tablets: enrolment, and
// signing in with a PIN.
func (a *API) TabletRoutes() {
	a.enrolmentRoutes()
	a.pinRoutes()
}

func (a *API) enrolmentRoutes() {
	tags := []string{"people"}
	Register(a, Route{
		OperationID: "list-tablets", Method: http.MethodGet, Path: "/api/v1/tablets", Permission: account.TabletsWrite,
		Summary: "Tablets on which crew sign in with a PIN", Tags: tags,
	}, func(ctx context.Context, in *PageInput) (*listTabletsOutput, error) {
		after, err := DecodeCursor[account.TabletID](in.Cursor)
		if err != nil {
			return nil, err
		}
		ts, err := a.cfg.Accounts.Tablets(ctx, SubjectOf(ctx), after, in.Limit+1)
		if err != nil {
			return nil, err
		}
		page := PageOf(ts, in.Limit, func(t account.Tablet) any { return t.ID })
		return &listTabletsOutput{Body: mapPage(page, func(t account.Tablet) TabletView { return viewTablet(ctx, t) })}, nil
	})
	Register(a, Route{
		// Not idempotent: the answer has a secret, which is kept nowhere.
		OperationID: "enrol-tablet", Method: http.MethodPost, Path: "/api/v1/tablets", Permission: account.TabletsWrite,
		Status: http.StatusCreated, Summary: "Make this browser a tablet", Tags: tags,
		Description: "Answers with a cookie of its own, which signing out does not take away.",
	}, func(ctx context.Context, in *enrolTabletInput) (*enrolTabletOutput, error) {
		x := exchangeOf(ctx)
		t, secret, err := a.cfg.Accounts.EnrolTablet(ctx, x.subject, in.Body.Name, x.tablet)
		if err != nil {
			return nil, err
		}
		v := viewTablet(ctx, t)
		v.Current = true
		return &enrolTabletOutput{SetCookie: a.tabletCookie(x, secret), Body: v}, nil
	})
	type oneInput struct {
		ID string `path:"id" maxLength:"64" doc:"tablet_id"`
	}
	Register(a, Route{
		OperationID: "revoke-tablet", Method: http.MethodDelete, Path: "/api/v1/tablets/{id}", Permission: account.TabletsWrite,
		Summary: "Revoke a tablet, and end what is signed in on it with a PIN", Tags: tags,
	}, func(ctx context.Context, in *oneInput) (*struct{}, error) {
		id, err := fleet.ParseUUID[account.TabletID]("tablet id", in.ID)
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.RevokeTablet(ctx, SubjectOf(ctx), id)
	})
}

func (a *API) pinRoutes() {
	tags := []string{"people"}
	Register(a, Route{
		OperationID: "list-tiles", Method: http.MethodGet, Path: "/api/v1/sessions/tiles", Public: true,
		Summary: "Who can sign in on this tablet with a PIN", Tags: tags, Errors: []int{http.StatusUnauthorized},
		Description: "Only for an enrolled tablet; 401 elsewhere.",
	}, func(ctx context.Context, _ *struct{}) (*tilesOutput, error) {
		crew, err := a.cfg.Accounts.Tiles(ctx, exchangeOf(ctx).tablet)
		if err != nil {
			return nil, err
		}
		out := &tilesOutput{}
		out.Body.Items = make([]TileView, len(crew))
		for i, u := range crew {
			out.Body.Items[i] = TileView{User: u.ID, Name: u.Name}
		}
		return out, nil
	})
	Register(a, Route{
		OperationID: "sign-in-with-pin", Method: http.MethodPost, Path: "/api/v1/sessions/pin", Public: true,
		Status: http.StatusCreated, Summary: "Sign in with a PIN", Tags: tags,
		Errors:      []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests},
		Description: "For crew, on an enrolled tablet. Such a session ends sooner than others when nobody uses it.",
	}, func(ctx context.Context, in *pinInput) (*signInOutput, error) {
		x := exchangeOf(ctx)
		s, secret, sub, err := a.cfg.Accounts.SignInWithPIN(ctx, account.PINSignIn{
			Tablet: x.tablet, User: account.UserID(in.Body.User), PIN: in.Body.PIN,
			From: x.from, Agent: x.agent, Previous: x.cookie,
		})
		if err != nil {
			return nil, err
		}
		out, err := a.begin(ctx, x, s, secret, sub)
		if err != nil {
			return nil, err
		}
		out.SetCookie = append(out.SetCookie, a.tabletCookie(x, x.tablet))
		return out, nil
	})
	Register(a, Route{
		OperationID: "set-pin", Method: http.MethodPut, Path: "/api/v1/users/{id}/pin", Permission: account.SessionsOwn,
		Summary: "Set a PIN", Tags: tags, Errors: []int{http.StatusTooManyRequests},
		Description: "Of somebody of the crew: one's own, or for whoever may change the crew. Sessions that were made with the PIN before end.",
	}, func(ctx context.Context, in *setPINInput) (*struct{}, error) {
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.SetPIN(ctx, SubjectOf(ctx), id, account.PINChange{
			Current: in.Body.Current, New: in.Body.PIN, From: RemoteAddr(ctx),
		})
	})
	Register(a, Route{
		OperationID: "remove-pin", Method: http.MethodDelete, Path: "/api/v1/users/{id}/pin", Permission: account.SessionsOwn,
		Summary: "Remove a PIN, and end what is signed in with it", Tags: tags,
		Description: "One's own, or for whoever may change the crew.",
	}, func(ctx context.Context, in *UserPath) (*struct{}, error) {
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.RemovePIN(ctx, SubjectOf(ctx), id)
	})
}

// tabletCookie is the cookie that makes the browser of x a tablet.
func (a *API) tabletCookie(x *exchange, secret string) http.Cookie {
	return a.hostCookie(x.secure, tabletCookie, secret, int(tabletAge/time.Second), http.SameSiteStrictMode)
}

func viewTablet(ctx context.Context, t account.Tablet) TabletView {
	v := TabletView{
		ID: t.ID, Name: t.Name, By: t.By, CreatedAt: t.CreatedAt, Current: account.HashSecret(exchangeOf(ctx).tablet) == t.Hash,
	}
	if !t.UsedAt.IsZero() {
		v.UsedAt = &t.UsedAt
	}
	return v
}
