package rest

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// SignInExternal makes a session of a person for whom an identity provider
// vouches, for the browser of ctx; From, Agent and Previous of in are filled in.
// The cookie is the session's.
func (a *API) SignInExternal(ctx context.Context, in account.ExternalSignIn) (http.Cookie, error) {
	x := exchangeOf(ctx)
	in.From, in.Agent, in.Previous = x.from, x.agent, x.cookie
	s, secret, sub, err := a.cfg.Accounts.SignInExternal(ctx, in)
	if err != nil {
		return http.Cookie{}, err
	}
	out, err := a.begin(ctx, x, s, secret, sub)
	if err != nil {
		return http.Cookie{}, err
	}
	return out.SetCookie[0], nil
}

// ReturnCookie is a cookie of this very host, named after the session's with
// an ending of its own, that the browser of ctx also sends when it is led back
// here by another site. maxAge below 0 takes it away.
func (a *API) ReturnCookie(ctx context.Context, ending, value string, maxAge time.Duration) http.Cookie {
	seconds := int(maxAge / time.Second)
	if maxAge < 0 {
		seconds = -1
	}
	return a.hostCookie(exchangeOf(ctx).secure, ending, value, seconds, http.SameSiteLaxMode)
}

// CookieValue is the value of the cookie with that ending which the browser of
// ctx has sent, or "".
func (a *API) CookieValue(ctx context.Context, ending string) string {
	x := exchangeOf(ctx)
	if x.out == nil {
		return ""
	}
	c, err := x.out.request.Cookie(a.cookieName(x.secure) + ending)
	if err != nil {
		return ""
	}
	return c.Value
}

// Origin is the address under which the browser of ctx knows this program,
// such as https://console.example:8443.
func (a *API) Origin(ctx context.Context) (string, error) {
	x := exchangeOf(ctx)
	if x.out == nil || !a.knownHost(x.out.request.Host) {
		return "", fmt.Errorf("%w: the request names no host of this program", fleet.ErrInvalid)
	}
	if x.secure {
		return "https://" + x.out.request.Host, nil
	}
	return "http://" + x.out.request.Host, nil
}
