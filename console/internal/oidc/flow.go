package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	oidclib "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// begun is a sign-in that is under way, as the browser keeps it, sealed.
type begun struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Redirect string    `json:"r"`
	ReturnTo string    `json:"t"`
	Until    time.Time `json:"u"`
}

// Begin returns where to send a browser, and the value of the cookie that it
// has to bring back. callback is the address of the callback as the browser
// knows it; returnTo is the page that it wanted, "/" if it is none of the
// console's own. fleet.ErrUnavailable when the provider does not answer.
func (p *Provider) Begin(ctx context.Context, callback, returnTo string) (to, cookie string, err error) {
	leave, err := p.enter()
	if err != nil {
		return "", "", err
	}
	defer leave()
	found, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	b := begun{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Redirect: callback,
		ReturnTo: ownPage(returnTo), Until: p.c.Now().Add(Lifetime),
	}
	if p.c.RedirectURL != "" {
		b.Redirect = p.c.RedirectURL
	}
	if cookie, err = p.sealed(b); err != nil {
		return "", "", err
	}
	to = p.oauth(found, b.Redirect).AuthCodeURL(b.State, oidclib.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier))
	return to, cookie, nil
}

// Answer is what the provider sends with a browser.
type Answer struct {
	Code, State string
	// Error is its word for why there is no code.
	Error string
	// Issuer is whose answer it is, where the provider says so (RFC 9207).
	Issuer string
}

// Finish returns the person that a browser has come back as, and the page that
// it wanted; cookie is what it has brought of Begin. Errors:
// fleet.ErrUnauthenticated when the answer does not hold, ErrUnavailable when
// the provider is away, a *NoRoleError for who has none here.
func (p *Provider) Finish(ctx context.Context, cookie string, a Answer) (account.ExternalSignIn, string, error) {
	var none account.ExternalSignIn
	b, err := p.opened(cookie)
	if err != nil {
		return none, "", err
	}
	if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(b.State)) != 1 || a.Issuer != "" && a.Issuer != p.c.Issuer {
		return none, "", fmt.Errorf("%w: the answer is not to the sign-in that this browser has begun: begin again", fleet.ErrUnauthenticated)
	}
	if a.Error != "" || a.Code == "" {
		return none, "", fmt.Errorf("%w: the identity provider signs nobody in: %s", fleet.ErrForbidden, word(a.Error))
	}
	leave, err := p.enter()
	if err != nil {
		return none, "", err
	}
	defer leave()
	found, err := p.discover(ctx)
	if err != nil {
		return none, "", err
	}
	claims, err := p.redeem(ctx, found, b, a.Code)
	if err != nil {
		return none, "", err
	}
	in, err := p.person(claims)
	return in, b.ReturnTo, err
}

// redeem exchanges the code for claims that hold.
func (p *Provider) redeem(ctx context.Context, found *oidclib.Provider, b begun, code string) (claims, error) {
	ctx = oidclib.ClientContext(ctx, p.client)
	oauth := p.oauth(found, b.Redirect)
	token, err := oauth.Exchange(ctx, code, oauth2.VerifierOption(b.Verifier))
	if err != nil {
		return nil, p.refused(fmt.Errorf("redeem code: %w", err))
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, p.refused(errors.New("the answer has no id token"))
	}
	id, err := found.VerifierContext(ctx, &oidclib.Config{ClientID: p.c.ClientID, Now: p.c.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, p.refused(fmt.Errorf("verify id token: %w", err))
	}
	c := claims{}
	if err := id.Claims(&c); err != nil {
		return nil, p.refused(fmt.Errorf("read id token: %w", err))
	}
	switch azp, named := c["azp"].(string); {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(b.Nonce)) != 1:
		return nil, p.refused(errors.New("the id token has another nonce"))
	case len(id.Audience) > 1 && !named, named && azp != p.c.ClientID:
		return nil, p.refused(errors.New("the id token was made for another client"))
	case id.Subject == "":
		return nil, p.refused(errors.New("the id token names nobody"))
	}
	if _, there := c.values(p.c.RoleClaim); there || found.UserInfoEndpoint() == "" {
		return c, nil
	}
	// Some providers tell more of a person than fits into a token.
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, p.refused(fmt.Errorf("ask for the person: %w", err))
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return nil, p.refused(fmt.Errorf("read what is told of the person: %w", err))
	}
	if info.Subject != id.Subject { // [OIDC-Core-5.3.2]
		return nil, p.refused(errors.New("what is told of the person is of somebody else"))
	}
	for name, v := range more {
		if _, there := c[name]; !there {
			c[name] = v
		}
	}
	return c, nil
}

func (p *Provider) sealed(b begun) (string, error) {
	plain, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("encode sign-in: %w", err)
	}
	nonce := make([]byte, p.seal.NonceSize())
	rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(p.seal.Seal(nonce, nonce, plain, nil)), nil
}

func (p *Provider) opened(cookie string) (begun, error) {
	no := fmt.Errorf("%w: this browser has begun no sign-in, or it took too long: begin again", fleet.ErrUnauthenticated)
	var b begun
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || len(raw) < p.seal.NonceSize() {
		return b, no
	}
	plain, err := p.seal.Open(nil, raw[:p.seal.NonceSize()], raw[p.seal.NonceSize():], nil)
	if err != nil || json.Unmarshal(plain, &b) != nil || !p.c.Now().Before(b.Until) {
		return begun{}, no
	}
	return b, nil
}

// ownPage is the path of a page of the console, so that a sign-in leads
// nowhere else.
func ownPage(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || len(s) > 1024 ||
		!strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n\t") {
		return "/"
	}
	return u.String()
}

// word is a provider's error code, if it is one.
func word(s string) string {
	if s == "" || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "it does not say why"
	}
	return s
}

func parseIssuer(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil ||
		u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("%w: issuer %q: want https://host", fleet.ErrInvalid, s)
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isNetwork reports whether the provider could not be asked at all.
func isNetwork(err error) bool {
	var u *url.Error
	return errors.As(err, &u)
}
