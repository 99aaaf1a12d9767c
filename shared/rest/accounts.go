package rest

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// AccountRoutes adds what both programs have for people and programs: setup,
// sessions, tokens and users.
func (a *API) AccountRoutes() {
	a.setupRoutes()
	a.localSetup()
	a.sessionRoutes()
	a.tokenRoutes()
	a.userRoutes()
	a.roleRoutes()
}

// UserView is a person as the API shows them.
type UserView struct {
	ID        account.UserID `json:"user_id"`
	Username  string         `json:"username"`
	Name      string         `json:"name"`
	Role      account.Role   `json:"role"`
	Sites     []fleet.SiteID `json:"sites,omitempty" nullable:"false" doc:"The sites that a role bound to sites sees; * for all."`
	HasPIN    bool           `json:"has_pin,omitempty" doc:"Whether a PIN is set: crew sign in with it on enrolled tablets."`
	Issuer    string         `json:"issuer,omitempty" doc:"The identity provider at which the person signs in; absent for who has a password."`
	Disabled  bool           `json:"disabled" doc:"Cannot sign in, and what was signed in has ended."`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
	ETag      string         `json:"etag"`
}

func viewUser(u account.User) UserView {
	issuer := ""
	if u.External != nil {
		issuer = u.External.Issuer
	}
	return UserView{
		ID: u.ID, Username: u.Username, Name: u.Name, Role: u.Role, Sites: u.Sites,
		HasPIN: u.PINHash != "", Issuer: issuer, Disabled: u.Disabled, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, ETag: ETag(u.Version),
	}
}

type userOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     UserView
}

func userAnswer(u account.User, err error) (*userOutput, error) {
	if err != nil {
		return nil, err
	}
	v := viewUser(u)
	return &userOutput{ETag: v.ETag, Location: "/api/v1/users/" + string(u.ID), Body: v}, nil
}

func (a *API) setupRoutes() {
	type neededOutput struct {
		Body struct {
			Needed bool `json:"needed" doc:"Whether the first administrator is still to be made."`
		} `nameHint:"SetupState"`
	}
	Register(a, Route{
		OperationID: "get-setup", Method: http.MethodGet, Path: "/api/v1/setup", Public: true,
		Summary: "Whether the first administrator is still to be made", Tags: []string{"people"},
	}, func(ctx context.Context, _ *struct{}) (*neededOutput, error) {
		needed, err := a.cfg.Accounts.SetupNeeded(ctx)
		if err != nil {
			return nil, err
		}
		out := &neededOutput{}
		out.Body.Needed = needed
		return out, nil
	})

	type setupInput struct {
		Body struct {
			Code     string `json:"code" maxLength:"64" doc:"The setup code that the program has printed."`
			Username string `json:"username" maxLength:"64"`
			Name     string `json:"name,omitempty" maxLength:"128" doc:"What others read; the username if absent."`
			Password string `json:"password" maxLength:"256"`
		} `nameHint:"Setup"`
	}
	Register(a, Route{
		OperationID: "setup", Method: http.MethodPost, Path: "/api/v1/setup", Public: true, Status: http.StatusCreated,
		Summary: "Make the first administrator, and sign in", Description: "Open until there is one; then 409.", Tags: []string{"people"},
		Errors: []int{http.StatusForbidden, http.StatusTooManyRequests},
	}, func(ctx context.Context, in *setupInput) (*signInOutput, error) {
		_, err := a.cfg.Accounts.Setup(ctx, in.Body.Code, account.NewUser{
			Username: in.Body.Username, Name: in.Body.Name, Password: in.Body.Password,
		}, RemoteAddr(ctx))
		if err != nil {
			return nil, err
		}
		return a.newSession(ctx, in.Body.Username, in.Body.Password)
	})
}

// localSetup lets whoever may open the Unix socket make the first
// administrator without the setup code: they could read the code anyway.
func (a *API) localSetup() {
	type input struct {
		Body struct {
			Username string `json:"username" maxLength:"64"`
			Name     string `json:"name,omitempty" maxLength:"128"`
			Password string `json:"password" maxLength:"256"`
		} `nameHint:"LocalSetup"`
	}
	Register(a, Route{
		OperationID: "setup-local", Method: http.MethodPost, Path: "/api/v1/setup/local", Public: true, Status: http.StatusCreated,
		Summary: "Make the first administrator, from the machine itself", Tags: []string{"people"},
		Description: "Only through the Unix socket in the data directory; 403 elsewhere.",
	}, func(ctx context.Context, in *input) (*userOutput, error) {
		if SubjectOf(ctx).Kind != account.KindLocal {
			return nil, fmt.Errorf("%w: only the machine itself may do that", fleet.ErrForbidden)
		}
		return userAnswer(a.cfg.Accounts.MakeFirst(ctx, account.NewUser{
			Username: in.Body.Username, Name: in.Body.Name, Password: in.Body.Password,
		}))
	})
}

// mapPage shows each item of p as f does.
func mapPage[S, T any](p Page[S], f func(S) T) Page[T] {
	items := make([]T, len(p.Items))
	for i, s := range p.Items {
		items[i] = f(s)
	}
	return Page[T]{Items: items, NextCursor: p.NextCursor}
}
