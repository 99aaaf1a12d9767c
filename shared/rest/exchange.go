package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"

	"github.com/obedio/obedio/shared/account"
)

// exchange is what is known about one request while it is answered. One
// goroutine owns it: the one that serves the request.
type exchange struct {
	api     *API
	id      string
	route   *Route
	subject account.Subject
	from    netip.Addr // not valid for a Unix socket
	secure  bool       // over TLS
	// cookie is the secret of the session that the browser brought.
	cookie string
	// tablet is the secret of the tablet that the browser is enrolled as.
	tablet  string
	agent   string
	match   *Match
	problem ProblemType
	out     *response
	once    Once
}

type exchangeKey struct{}

// noExchange is for contexts that no request of this API has.
var noExchange = &exchange{}

func exchangeOf(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return noExchange
}

func (x *exchange) routeKey() string {
	if x.route == nil {
		return ""
	}
	return x.route.key()
}

// SubjectOf is who makes the request of ctx; nobody on public routes.
func SubjectOf(ctx context.Context) account.Subject { return exchangeOf(ctx).subject }

// Once is a piece of work that is to be done once, however often it is asked
// for. The zero value is work without a key.
type Once struct {
	IdempotencyKey
	// Fingerprint tells the request from another one with the same key.
	Fingerprint [32]byte
}

// OnceOf is the idempotency key of the request of ctx. The answers are kept by
// an IdempotencyStore; work that must not be done twice after a crash either
// is written together with this.
func OnceOf(ctx context.Context) Once { return exchangeOf(ctx).once }

// RequestID names the request of ctx in answers and in the log.
func RequestID(ctx context.Context) string { return exchangeOf(ctx).id }

// RemoteAddr is where the request of ctx came from; not valid for a Unix socket.
func RemoteAddr(ctx context.Context) netip.Addr { return exchangeOf(ctx).from }

type localKey struct{}

// WithLocal returns ctx as that of a connection whose other end may act as s:
// for the ConnContext of a Unix socket's server (see API.LocalServer), and for
// tests.
func WithLocal(ctx context.Context, s account.Subject) context.Context {
	return context.WithValue(ctx, localKey{}, s)
}

func localOf(ctx context.Context) (account.Subject, bool) {
	s, ok := ctx.Value(localKey{}).(account.Subject)
	return s, ok && s.Known()
}

// newExchange reads what every request has.
func (a *API) newExchange(r *http.Request) *exchange {
	x := &exchange{api: a, id: requestID(r), secure: r.TLS != nil, agent: r.UserAgent()}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.from = ap.Addr().Unmap()
	}
	if c, err := r.Cookie(a.cookieName(x.secure)); err == nil {
		x.cookie = c.Value
	}
	if c, err := r.Cookie(a.cookieName(x.secure) + tabletCookie); err == nil {
		x.tablet = c.Value
	}
	return x
}

// requestID takes the caller's id if it can go into a log as it is.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= 64 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == "" {
		return id
	}
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// From is the address that the request of ctx comes from; empty for a Unix
// socket.
func From(ctx context.Context) string {
	if from := exchangeOf(ctx).from; from.IsValid() {
		return from.Unmap().String()
	}
	return ""
}

// Private reports whether nobody on the way can read the answer to the request of
// ctx: it goes over TLS, or does not leave the machine.
func Private(ctx context.Context) bool {
	x := exchangeOf(ctx)
	return x.secure || !x.from.IsValid() || x.from.IsLoopback()
}
