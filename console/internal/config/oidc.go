package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/obedio/obedio/console/internal/oidc"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// OIDC is the settings of the identity provider at which people may sign in.
type OIDC struct {
	Issuer       string        `name:"oidc-issuer" placeholder:"URL" help:"Identity provider (OpenID Connect) at which people may sign in too; local accounts work as before. None if empty."`
	ClientID     string        `name:"oidc-client-id" help:"The console's name at the identity provider."`
	ClientSecret string        `name:"oidc-client-secret-file" placeholder:"FILE" help:"File with the console's secret at the identity provider; none for a public client."`
	Label        string        `name:"oidc-label" help:"What the button to sign in there says; the provider's host if empty."`
	RedirectURL  string        `name:"oidc-redirect-url" placeholder:"URL" help:"Where the provider sends browsers back to, as registered there: https://CONSOLE/api/v1/sessions/oidc/callback. By default as the browser knows the console."`
	Scopes       []string      `name:"oidc-scopes" default:"openid,profile,email" help:"What is asked for; some providers want one more for the role claim."`
	RoleClaim    string        `name:"oidc-role-claim" default:"groups" help:"The claim that says what somebody is, a text or a list; dots lead into objects, as in realm_access.roles."`
	Roles        []string      `name:"oidc-role" sep:";" placeholder:"VALUE=ROLE[:SITE,…]" help:"What a value of that claim comes to, such as fleet-admins=owner or captains=manager:yacht-1,yacht-2; may be repeated. The most powerful role counts; who has none is refused."`
	ExternalMax  time.Duration `name:"oidc-session-max" default:"24h" help:"Sessions of who signs in there end so long after the sign-in, so that the role is asked for anew; never later than --session-max."`
	CA           string        `name:"oidc-ca" placeholder:"FILE" help:"Certificates to trust at the identity provider besides the system's, PEM."`
}

// provider is the settings as the console takes them; nil without an issuer.
func (s OIDC) provider() (*oidc.Config, error) {
	if s.Issuer == "" {
		if s.ClientID != "" || len(s.Roles) > 0 {
			return nil, fmt.Errorf("%w: the settings --oidc-… need --oidc-issuer", fleet.ErrInvalid)
		}
		return nil, nil
	}
	c := &oidc.Config{
		Issuer: s.Issuer, ClientID: s.ClientID, Label: s.Label, RedirectURL: s.RedirectURL, Scopes: s.Scopes, RoleClaim: s.RoleClaim,
	}
	for _, r := range s.Roles {
		m, err := oidc.ParseMapping(account.ConsolePolicy(), r)
		if err != nil {
			return nil, fmt.Errorf("--oidc-role: %w", err)
		}
		c.Roles = append(c.Roles, m)
	}
	if s.ClientSecret != "" {
		b, err := os.ReadFile(s.ClientSecret)
		if err != nil {
			return nil, fmt.Errorf("--oidc-client-secret-file: %w", err)
		}
		if c.ClientSecret = strings.TrimSpace(string(b)); c.ClientSecret == "" {
			return nil, fmt.Errorf("%w: --oidc-client-secret-file %s is empty", fleet.ErrInvalid, s.ClientSecret)
		}
	}
	if s.CA != "" {
		b, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("--oidc-ca: %w", err)
		}
		if c.CA, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("read the system's certificates: %w", err)
		}
		if !c.CA.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%w: --oidc-ca %s has no certificate", fleet.ErrInvalid, s.CA)
		}
	}
	// What is wrong with the rest is found without asking the provider.
	if _, err := oidc.New(*c); err != nil {
		return nil, fmt.Errorf("--oidc-issuer, --oidc-client-id, --oidc-role: %w", err)
	}
	return c, nil
}
