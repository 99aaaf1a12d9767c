package identity

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Claim is the content of a claim file: what a hub needs to enrol, once.
type Claim struct {
	Version int          `json:"version"`
	Site    fleet.SiteID `json:"site_id"`
	// URL is the address of the console's hub link: https://host:port.
	URL string `json:"url"`
	// Secret shows that the holder may enrol a hub for the site.
	Secret string `json:"claim"`
	// FleetRoot is the fingerprint of the fleet's root certificate.
	FleetRoot string    `json:"fleet_root_sha256"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ParseClaim reads a claim file; fleet.ErrInvalid says what is wrong with it.
func ParseClaim(b []byte) (Claim, error) {
	var c Claim
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%w: claim file is not JSON: %w", fleet.ErrInvalid, err)
	}
	if c.Version != 1 {
		return c, fmt.Errorf("%w: claim file has version %d, this program knows 1", fleet.ErrInvalid, c.Version)
	}
	if _, err := fleet.ParseSiteID(string(c.Site)); err != nil {
		return c, fmt.Errorf("claim file: %w", err)
	}
	if _, err := ParseLinkURL(c.URL); err != nil {
		return c, fmt.Errorf("claim file: %w", err)
	}
	if b, err := hex.DecodeString(c.FleetRoot); err != nil || len(b) != 32 {
		return c, fmt.Errorf("%w: claim file: fleet_root_sha256 is not 64 hexadecimal digits", fleet.ErrInvalid)
	}
	if len(c.Secret) < 20 || len(c.Secret) > 200 {
		return c, fmt.Errorf("%w: claim file: claim has %d bytes: want 20 to 200", fleet.ErrInvalid, len(c.Secret))
	}
	return c, nil
}

// ParseLinkURL returns s as the base address of a hub link; fleet.ErrInvalid.
func ParseLinkURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: hub link address %q: want https://host:port", fleet.ErrInvalid, s)
	}
	return u, nil
}
