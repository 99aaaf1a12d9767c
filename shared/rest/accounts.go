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
}

// UserView is a person as the API shows them.
type UserView struct {
	ID        account.UserID `json:"user_id"`
	Username  string         `json:"username"`
	Name      string         `json:"name"`
	Role      account.Role   `json:"role"`
	Sites     []fleet.SiteID `json:"sites,omitempty" nullable:"false" doc:"The sites that a role bound to sites sees; * for all."`
	Disabled  bool           `json:"disabled"`
	CreatedAt time.Time      `json:"created_at"`
	UpdatedAt time.Time      `json:"updated_at"`
}

func viewUser(u account.User) UserView {
	return UserView{
		ID: u.ID, Username: u.Username, Name: u.Name, Role: u.Role, Sites: u.Sites,
		Disabled: u.Disabled, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
}

type userOutput struct{ Body UserView }

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
		u, err := a.cfg.Accounts.MakeFirst(ctx, account.NewUser{
			Username: in.Body.Username, Name: in.Body.Name, Password: in.Body.Password,
		})
		if err != nil {
			return nil, err
		}
		return &userOutput{Body: viewUser(u)}, nil
	})
}

func (a *API) userRoutes() {
	type listOutput struct{ Body Page[UserView] }
	Register(a, Route{
		OperationID: "list-users", Method: http.MethodGet, Path: "/api/v1/users", Permission: account.UsersRead,
		Summary: "People", Tags: []string{"people"},
	}, func(ctx context.Context, in *PageInput) (*listOutput, error) {
		after, err := DecodeCursor[string](in.Cursor)
		if err != nil {
			return nil, err
		}
		us, err := a.cfg.Accounts.Users(ctx, SubjectOf(ctx), after, in.Limit+1)
		if err != nil {
			return nil, err
		}
		last := PageOf(us, in.Limit, func(u account.User) any { return u.Folded })
		return &listOutput{Body: mapPage(last, viewUser)}, nil
	})

	type addInput struct {
		Body struct {
			Username string         `json:"username" maxLength:"64"`
			Name     string         `json:"name,omitempty" maxLength:"128" doc:"What others read; the username if absent."`
			Password string         `json:"password" maxLength:"256"`
			Role     account.Role   `json:"role"`
			Sites    []fleet.SiteID `json:"sites,omitempty" nullable:"false" doc:"For a role bound to sites; * for all."`
		} `nameHint:"NewUser"`
	}
	Register(a, Route{
		OperationID: "add-user", Method: http.MethodPost, Path: "/api/v1/users", Permission: account.UsersWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Add a person", Tags: []string{"people"},
	}, func(ctx context.Context, in *addInput) (*userOutput, error) {
		u, err := a.cfg.Accounts.AddUser(ctx, SubjectOf(ctx), account.NewUser{
			Username: in.Body.Username, Name: in.Body.Name, Password: in.Body.Password,
			Role: in.Body.Role, Sites: in.Body.Sites,
		})
		if err != nil {
			return nil, err
		}
		return &userOutput{Body: viewUser(u)}, nil
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
