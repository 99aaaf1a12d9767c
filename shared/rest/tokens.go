package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// TokenView is an API token as the API shows it.
type TokenView struct {
	ID        account.TokenID  `json:"id"`
	Name      string           `json:"name"`
	Role      account.Role     `json:"role"`
	Sites     []fleet.SiteID   `json:"sites,omitempty" nullable:"false"`
	Scopes    []account.Action `json:"scopes,omitempty" nullable:"false" doc:"The only actions of the role that it may do; absent for all."`
	Person    account.UserID   `json:"person_id,omitempty" doc:"Who made it; it ends with them."`
	CreatedAt time.Time        `json:"created_at"`
	ExpiresAt *time.Time       `json:"expires_at" doc:"Null when it does not expire."`
	UsedAt    *time.Time       `json:"used_at" doc:"When it was last used, to the minute; null if never."`
}

// NewTokenView is a token with its secret, which is told once.
type NewTokenView struct {
	TokenView
	Token string `json:"token" doc:"The secret. It is not kept and not told again."`
}

func viewToken(t account.Token) TokenView {
	v := TokenView{ID: t.ID, Name: t.Name, Role: t.Role, Sites: t.Sites, Scopes: t.Scopes, Person: t.Person, CreatedAt: t.CreatedAt}
	if !t.ExpiresAt.IsZero() {
		v.ExpiresAt = &t.ExpiresAt
	}
	if !t.UsedAt.IsZero() {
		v.UsedAt = &t.UsedAt
	}
	return v
}

func (a *API) tokenRoutes() {
	tags := []string{"people"}
	type listOutput struct{ Body Page[TokenView] }
	Register(a, Route{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/api/v1/tokens",
		Permission: account.TokensWrite, Summary: "API tokens", Tags: tags,
	}, func(ctx context.Context, in *PageInput) (*listOutput, error) {
		after, err := DecodeCursor[account.TokenID](in.Cursor)
		if err != nil {
			return nil, err
		}
		ts, err := a.cfg.Accounts.Tokens(ctx, SubjectOf(ctx), after, in.Limit+1)
		if err != nil {
			return nil, err
		}
		page := PageOf(ts, in.Limit, func(t account.Token) any { return t.ID })
		return &listOutput{Body: mapPage(page, viewToken)}, nil
	})

	type addInput struct {
		Body struct {
			Name      string           `json:"name" maxLength:"128"`
			Role      account.Role     `json:"role"`
			Sites     []fleet.SiteID   `json:"sites,omitempty" nullable:"false" doc:"For a role bound to sites; * for all."`
			Scopes    []account.Action `json:"scopes,omitempty" nullable:"false" doc:"Actions to which the role is narrowed, as x-permission of the routes names them; absent for all."`
			ExpiresAt *time.Time       `json:"expires_at,omitempty" doc:"Absent for a token that does not expire."`
		} `nameHint:"NewToken"`
	}
	type addOutput struct{ Body NewTokenView }
	Register(a, Route{
		// Not idempotent: the answer has a secret, which is kept nowhere.
		OperationID: "add-token", Method: http.MethodPost, Path: "/api/v1/tokens", Status: http.StatusCreated,
		Permission: account.TokensWrite, Summary: "Make an API token", Tags: tags,
	}, func(ctx context.Context, in *addInput) (*addOutput, error) {
		n := account.NewToken{Name: in.Body.Name, Role: in.Body.Role, Sites: in.Body.Sites, Scopes: in.Body.Scopes}
		if in.Body.ExpiresAt != nil {
			n.ExpiresAt = *in.Body.ExpiresAt
		}
		t, secret, err := a.cfg.Accounts.AddToken(ctx, SubjectOf(ctx), n)
		if err != nil {
			return nil, err
		}
		return &addOutput{Body: NewTokenView{TokenView: viewToken(t), Token: secret}}, nil
	})

	type oneInput struct {
		ID string `path:"id" maxLength:"64"`
	}
	Register(a, Route{
		OperationID: "revoke-token", Method: http.MethodDelete, Path: "/api/v1/tokens/{id}",
		Permission: account.TokensWrite, Summary: "Revoke an API token", Tags: tags,
	}, func(ctx context.Context, in *oneInput) (*struct{}, error) {
		id, err := fleet.ParseUUID[account.TokenID]("token id", in.ID)
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.RevokeToken(ctx, SubjectOf(ctx), id)
	})
}
