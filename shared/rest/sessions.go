package rest

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// SessionView is a session as the API shows it.
type SessionView struct {
	ID        account.SessionID `json:"session_id"`
	User      account.UserID    `json:"user_id"`
	CreatedAt time.Time         `json:"created_at"`
	SeenAt    time.Time         `json:"seen_at" doc:"When it was last used, to the minute."`
	Address   string            `json:"address,omitempty"`
	Agent     string            `json:"agent,omitempty"`
	Tablet    account.TabletID  `json:"tablet_id,omitempty" doc:"The tablet on which it was made with a PIN; absent for one that was made with a password."`
	Current   bool              `json:"current" doc:"Whether it is the one that asks."`
}

// WhoView says who asks and what they may.
type WhoView struct {
	Session account.SessionID   `json:"session_id,omitempty" doc:"Absent for tokens."`
	Kind    account.SubjectKind `json:"kind" enum:"user,token,local" doc:"By which way the subject is known."`
	User    SubjectView         `json:"user"`
	// Permissions are what the subject may do.
	Permissions []account.Action `json:"permissions" nullable:"false" doc:"What the role may do, as far as a token is not narrowed."`
	ExpiresAt   *time.Time       `json:"expires_at" doc:"When the session or token ends by itself at the latest; null for never."`
}

// SubjectView is the person or program that asks.
type SubjectView struct {
	ID       string         `json:"user_id" doc:"The id of the person, or of the token."`
	Username string         `json:"username,omitempty" doc:"Absent for tokens."`
	Name     string         `json:"name"`
	Role     account.Role   `json:"role"`
	Sites    []fleet.SiteID `json:"sites,omitempty" nullable:"false" doc:"The sites that a role bound to sites sees; * for all."`
}

func (a *API) who(s account.Subject) WhoView {
	v := WhoView{
		Session: s.Session, Kind: s.Kind,
		User:        SubjectView{ID: s.ID, Username: s.Username, Name: s.Name, Role: s.Role, Sites: s.Sites},
		Permissions: a.policy.ActionsOf(s),
	}
	if !s.Until.IsZero() {
		v.ExpiresAt = &s.Until
	}
	return v
}

// cookieName is that of the session cookie. The prefix __Host- makes browsers
// refuse one that did not come over TLS from this very host.
func (a *API) cookieName(secure bool) string {
	if secure {
		return "__Host-" + a.cfg.Cookie
	}
	return a.cfg.Cookie
}

func (a *API) cookie(secure bool, secret string, maxAge int) http.Cookie {
	return a.hostCookie(secure, "", secret, maxAge, http.SameSiteStrictMode)
}

// hostCookie is a cookie of this very host, named after the session's cookie
// with an ending of its own.
func (a *API) hostCookie(secure bool, ending, value string, maxAge int, sameSite http.SameSite) http.Cookie {
	return http.Cookie{ //nolint:gosec // on the LAN without TLS there is no Secure cookie; Config.PlainHTTPRoles narrows who gets one
		Name: a.cookieName(secure) + ending, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: sameSite,
	}
}

type signInInput struct {
	Body struct {
		Username string `json:"username" maxLength:"256"`
		Password string `json:"password" maxLength:"1024"`
	} `nameHint:"SignIn"`
}

type signInOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Location  string        `header:"Location"`
	Body      WhoView
}

type whoOutput struct{ Body WhoView }

type signOutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (a *API) sessionRoutes() {
	tags := []string{"people"}
	Register(a, Route{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/api/v1/sessions", Public: true,
		Status: http.StatusCreated, Summary: "Sign in", Tags: tags,
		Errors:      []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests},
		Description: "Answers with a session cookie. Programs use API tokens instead.",
	}, a.signIn)
	Register(a, Route{
		OperationID: "get-current-session", Method: http.MethodGet, Path: "/api/v1/sessions/current",
		Permission: account.SessionsOwn, Summary: "Who asks, and what they may", Tags: tags,
	}, func(ctx context.Context, _ *struct{}) (*whoOutput, error) {
		return &whoOutput{Body: a.who(SubjectOf(ctx))}, nil
	})
	Register(a, Route{
		OperationID: "sign-out", Method: http.MethodDelete, Path: "/api/v1/sessions/current",
		Permission: account.SessionsOwn, Summary: "Sign out", Tags: tags,
	}, a.signOut)
	Register(a, Route{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/api/v1/sessions",
		Permission: account.SessionsOwn, Summary: "One's own sessions, or all", Tags: tags,
	}, a.listSessions)

	type oneInput struct {
		ID string `path:"id" maxLength:"64"`
	}
	Register(a, Route{
		OperationID: "end-session", Method: http.MethodDelete, Path: "/api/v1/sessions/{id}",
		Permission: account.SessionsOwn, Summary: "End a session", Tags: tags,
		Description: "One's own; that of another for whoever may end those.",
	}, func(ctx context.Context, in *oneInput) (*struct{}, error) {
		id, err := fleet.ParseUUID[account.SessionID]("session id", in.ID)
		if err != nil {
			return nil, err
		}
		return nil, a.cfg.Accounts.EndSession(ctx, SubjectOf(ctx), id)
	})
}

func (a *API) signIn(ctx context.Context, in *signInInput) (*signInOutput, error) {
	return a.newSession(ctx, in.Body.Username, in.Body.Password)
}

func (a *API) newSession(ctx context.Context, username, password string) (*signInOutput, error) {
	x := exchangeOf(ctx)
	s, secret, sub, err := a.cfg.Accounts.SignIn(ctx, account.SignIn{
		Username: username, Password: password,
		From: x.from, Agent: x.agent, Previous: x.cookie,
	})
	if err != nil {
		return nil, err
	}
	return a.begin(ctx, x, s, secret, sub)
}

// begin answers with the cookie of a session that was just made, or ends it
// where its role may not have one.
func (a *API) begin(ctx context.Context, x *exchange, s account.Session, secret string, sub account.Subject) (*signInOutput, error) {
	if !a.plainAllowed(x, sub) {
		if err := a.cfg.Accounts.EndSession(ctx, sub, s.ID); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: role %s signs in over HTTPS only", fleet.ErrForbidden, sub.Role)
	}
	return &signInOutput{
		SetCookie: []http.Cookie{a.cookie(x.secure, secret, int(a.cfg.Accounts.SessionMax()/time.Second))},
		Location:  "/api/v1/sessions/current",
		Body:      a.who(sub),
	}, nil
}

func (a *API) signOut(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
	x := exchangeOf(ctx)
	if x.subject.Kind != account.KindUser {
		return nil, fmt.Errorf("%w: only a session can be signed out", fleet.ErrState)
	}
	if err := a.cfg.Accounts.EndSession(ctx, x.subject, x.subject.Session); err != nil {
		return nil, err
	}
	return &signOutOutput{SetCookie: a.cookie(x.secure, "", -1)}, nil
}

type listSessionsInput struct {
	PageInput
	All bool `query:"all" doc:"Those of everybody, for whoever may see them."`
}

type listSessionsOutput struct{ Body Page[SessionView] }

func (a *API) listSessions(ctx context.Context, in *listSessionsInput) (*listSessionsOutput, error) {
	sub := SubjectOf(ctx)
	after, err := DecodeCursor[account.SessionID](in.Cursor)
	if err != nil {
		return nil, err
	}
	ss, err := a.cfg.Accounts.Sessions(ctx, sub, in.All, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := PageOf(ss, in.Limit, func(s account.Session) any { return s.ID })
	return &listSessionsOutput{Body: mapPage(page, func(s account.Session) SessionView {
		return SessionView{
			ID: s.ID, User: s.User, CreatedAt: s.CreatedAt, SeenAt: s.SeenAt,
			Address: s.Address, Agent: s.Agent, Tablet: s.Tablet, Current: s.ID == sub.Session,
		}
	})}, nil
}
