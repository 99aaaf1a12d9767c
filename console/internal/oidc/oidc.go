// Package oidc lets people sign in to the console at an identity provider:
// OpenID Connect, authorization code with PKCE.
//
// Nothing is on disk. What a sign-in that is under way needs is in a cookie of
// the browser, sealed with a key of this process: it lasts ten minutes, and
// flooding the console with beginnings takes none of its memory.
//
// What always holds: the provider is asked for the first time when somebody
// signs in, so one that is away hinders nobody else; who comes back is the
// browser that was sent (state), with the token that was asked for (nonce, and
// the verifier of the code); nobody gets a role but by the table of the
// settings. Safe for use from every goroutine.
package oidc

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	oidclib "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Issuer, ClientID and Roles are required; zero
// fields take the defaults.
type Config struct {
	// Issuer is the provider's address, as its documents name it.
	Issuer string
	// ClientID and ClientSecret are the console's at the provider; a public
	// client has no secret.
	ClientID, ClientSecret string
	// RedirectURL is where the provider sends browsers back to, as it is
	// registered there; by default the address under which the browser knows the
	// console, with the path of the callback.
	RedirectURL string
	// Label is what people read on the button; the issuer's host by default.
	Label string
	// Scopes are asked for; openid, profile and email by default.
	Scopes []string
	// RoleClaim has the values that Roles map, a text or a list of texts. Dots
	// lead into objects, where there is no claim of the whole name. "groups" by
	// default.
	RoleClaim string
	// Roles say what a value of the claim comes to.
	Roles []Mapping
	// CA is trusted besides those of the system; nil for none.
	CA *x509.CertPool
	// Now is the clock; time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

const (
	// Lifetime is how long a sign-in may take at the provider.
	Lifetime = 10 * time.Minute
	// timeout is how long the provider may take for one answer.
	timeout = 10 * time.Second
	// maxAnswer is the most that is read of one, in bytes.
	maxAnswer = 1 << 20
	// atOnce is how many sign-ins may ask the provider at a time.
	atOnce = 8
	// failedFor is how long a provider that was away is not asked again.
	failedFor = 5 * time.Second
)

// Provider is the identity provider as the console uses it.
type Provider struct {
	c      Config
	client *http.Client
	seal   cipher.AEAD
	asking chan struct{} // has a place for each sign-in that asks the provider

	discovering sync.Mutex // guards the rest; held while the provider is asked
	found       *oidclib.Provider
	failure     error
	failedAt    time.Time
}

// New returns the provider of c; it asks it nothing yet.
func New(c Config) (*Provider, error) {
	issuer, err := parseIssuer(c.Issuer)
	if err != nil {
		return nil, err
	}
	if c.ClientID == "" || len(c.Roles) == 0 {
		return nil, fmt.Errorf("%w: an identity provider needs a client id and a table of roles", fleet.ErrInvalid)
	}
	c.Label = cmp.Or(c.Label, issuer.Host)
	c.RoleClaim = cmp.Or(c.RoleClaim, "groups")
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidclib.ScopeOpenID, "profile", "email"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	var key [32]byte
	rand.Read(key[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &Provider{
		c: c, seal: seal, asking: make(chan struct{}, atOnce),
		client: &http.Client{
			Timeout: timeout,
			Transport: bounded{&http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.CA},
				MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: timeout, MaxResponseHeaderBytes: 64 << 10,
			}},
			// None of the endpoints moves; a secret must not be carried elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Label is what people read on the button.
func (p *Provider) Label() string { return p.c.Label }

// Close lets go of connections to the provider.
func (p *Provider) Close() { p.client.CloseIdleConnections() }

// bounded reads no more of an answer than maxAnswer.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// enter takes a place among those that ask the provider.
func (p *Provider) enter() (leave func(), err error) {
	select {
	case p.asking <- struct{}{}:
		return func() { <-p.asking }, nil
	default:
		return nil, fmt.Errorf("%w: %d sign-ins are asking the identity provider already", fleet.ErrUnavailable, cap(p.asking))
	}
}

// discover returns what the provider says of itself, asked once. It holds no
// more than those who have entered.
func (p *Provider) discover(ctx context.Context) (*oidclib.Provider, error) {
	p.discovering.Lock()
	defer p.discovering.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.failure != nil && p.c.Now().Sub(p.failedAt).Abs() < failedFor {
		return nil, p.failure
	}
	found, err := oidclib.NewProvider(oidclib.ClientContext(ctx, p.client), p.c.Issuer)
	if err != nil {
		if ctx.Err() != nil { // the browser has gone, which says nothing of the provider
			return nil, fmt.Errorf("ask the identity provider: %w", ctx.Err())
		}
		p.c.Logger.Warn("identity provider not found", "issuer", p.c.Issuer, "err", err)
		p.failure = fmt.Errorf("%w: the identity provider %s does not answer as it should: sign in with a local account, or try again",
			fleet.ErrUnavailable, p.c.Issuer)
		p.failedAt = p.c.Now()
		return nil, p.failure
	}
	p.found, p.failure = found, nil
	return found, nil
}

func (p *Provider) oauth(found *oidclib.Provider, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: p.c.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: redirect, Scopes: p.c.Scopes,
	}
}

// refused is an answer of the provider that opens nothing; why is for the log.
func (p *Provider) refused(why error) error {
	var away *oauth2.RetrieveError
	if errors.As(why, &away) && away.Response != nil && away.Response.StatusCode >= http.StatusInternalServerError || isNetwork(why) {
		p.c.Logger.Warn("identity provider away", "issuer", p.c.Issuer, "err", why)
		return fmt.Errorf("%w: the identity provider %s does not answer as it should: sign in with a local account, or try again",
			fleet.ErrUnavailable, p.c.Issuer)
	}
	p.c.Logger.Warn("sign-in at the identity provider refused", "issuer", p.c.Issuer, "err", why)
	return fmt.Errorf("%w: the identity provider's answer does not hold: sign in again", fleet.ErrUnauthenticated)
}
