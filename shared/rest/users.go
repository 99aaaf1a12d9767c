package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// UserPath is the path of one person. Exported so that huma sees it where it
// is embedded.
type UserPath struct {
	ID string `path:"id" maxLength:"64" doc:"user_id"`
}

func (p UserPath) id() (account.UserID, error) {
	return fleet.ParseUUID[account.UserID]("user id", p.ID)
}

type listUsersInput struct {
	PageInput
	Username string `query:"username" maxLength:"256" doc:"Only the person with this username, in any case."`
}

type listUsersOutput struct{ Body Page[UserView] }

type addUserInput struct {
	Body struct {
		Username string         `json:"username" maxLength:"64"`
		Name     string         `json:"name,omitempty" maxLength:"128" doc:"What others read; the username if absent."`
		Password string         `json:"password" maxLength:"256"`
		Role     account.Role   `json:"role"`
		Sites    []fleet.SiteID `json:"sites,omitempty" nullable:"false" doc:"For a role bound to sites; * for all."`
	} `nameHint:"NewUser"`
}

type changeUserInput struct {
	UserPath
	Body struct {
		Name     string         `json:"name" maxLength:"128" doc:"What others read."`
		Role     account.Role   `json:"role"`
		Sites    []fleet.SiteID `json:"sites,omitempty" nullable:"false" doc:"For a role bound to sites; * for all."`
		Disabled bool           `json:"disabled" doc:"Ends what is signed in, at once."`
	} `nameHint:"UserChange"`
}

type setPasswordInput struct {
	UserPath
	Body struct {
		Current  string `json:"current_password,omitempty" maxLength:"1024" doc:"The one until now; needed to change one's own."`
		Password string `json:"password" maxLength:"256" doc:"The new one."`
	} `nameHint:"NewPassword"`
}

func (a *API) userRoutes() {
	tags := []string{"people"}
	Register(a, Route{
		OperationID: "list-users", Method: http.MethodGet, Path: "/api/v1/users", Permission: account.UsersRead,
		Summary: "People", Tags: tags,
	}, a.listUsers)
	Register(a, Route{
		OperationID: "add-user", Method: http.MethodPost, Path: "/api/v1/users", Permission: account.UsersWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Add a person", Tags: tags,
		Description: "Nobody gives more than they have.",
	}, func(ctx context.Context, in *addUserInput) (*userOutput, error) {
		return userAnswer(a.cfg.Accounts.AddUser(ctx, SubjectOf(ctx), account.NewUser{
			Username: in.Body.Username, Name: in.Body.Name, Password: in.Body.Password,
			Role: in.Body.Role, Sites: in.Body.Sites,
		}))
	})
	Register(a, Route{
		OperationID: "get-user", Method: http.MethodGet, Path: "/api/v1/users/{id}", Permission: account.UsersRead,
		Summary: "One person", Tags: tags,
	}, func(ctx context.Context, in *UserPath) (*userOutput, error) {
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		return userAnswer(a.cfg.Accounts.User(ctx, SubjectOf(ctx), id))
	})
	Register(a, Route{
		OperationID: "change-user", Method: http.MethodPut, Path: "/api/v1/users/{id}", Permission: account.UsersWrite,
		IfMatch: true, Summary: "Change a person", Tags: tags,
		Description: "What they are signed in with has the new rights at once. The last administrator stays one (409).",
	}, a.changeUser)
	Register(a, Route{
		OperationID: "remove-user", Method: http.MethodDelete, Path: "/api/v1/users/{id}", Permission: account.UsersWrite,
		Summary: "Remove a person, with their sessions and tokens", Tags: tags,
		Description: "Not the last administrator (409). Who signs in at an identity provider comes back at the next sign-in: disable them instead.",
	}, func(ctx context.Context, in *UserPath) (*struct{}, error) {
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.RemoveUser(ctx, SubjectOf(ctx), id)
	})
	Register(a, Route{
		OperationID: "set-password", Method: http.MethodPut, Path: "/api/v1/users/{id}/password", Permission: account.SessionsOwn,
		Summary: "Set a password", Tags: tags, Errors: []int{http.StatusTooManyRequests},
		Description: "One's own, with the current one: that ends one's other sessions. " +
			"That of others for whoever may change them: that ends all of theirs.",
	}, func(ctx context.Context, in *setPasswordInput) (*struct{}, error) {
		id, err := in.id()
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.SetPassword(ctx, SubjectOf(ctx), id, account.PasswordChange{
			Current: in.Body.Current, New: in.Body.Password, From: RemoteAddr(ctx),
		})
	})
}

func (a *API) listUsers(ctx context.Context, in *listUsersInput) (*listUsersOutput, error) {
	if in.Username != "" {
		u, err := a.cfg.Accounts.UserByName(ctx, SubjectOf(ctx), in.Username)
		switch {
		case errors.Is(err, fleet.ErrNotFound), errors.Is(err, fleet.ErrInvalid):
			return &listUsersOutput{Body: PageOf([]UserView{}, 1, nil)}, nil
		case err != nil:
			return nil, err
		}
		return &listUsersOutput{Body: PageOf([]UserView{viewUser(u)}, 1, nil)}, nil
	}
	after, err := DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	us, err := a.cfg.Accounts.Users(ctx, SubjectOf(ctx), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	last := PageOf(us, in.Limit, func(u account.User) any { return u.Folded })
	return &listUsersOutput{Body: mapPage(last, viewUser)}, nil
}

func (a *API) changeUser(ctx context.Context, in *changeUserInput) (*userOutput, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	now, err := a.cfg.Accounts.User(ctx, SubjectOf(ctx), id)
	if err != nil {
		return nil, err
	}
	if err := CheckMatch(ctx, now.Version); err != nil {
		return nil, err
	}
	return userAnswer(a.cfg.Accounts.ChangeUser(ctx, SubjectOf(ctx), id, now.Version, account.UserChange{
		Name: in.Body.Name, Role: in.Body.Role, Sites: in.Body.Sites, Disabled: in.Body.Disabled,
	}))
}
