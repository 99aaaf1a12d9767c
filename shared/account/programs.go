package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// NewToken is what is asked for a new API token.
type NewToken struct {
	Name  string
	Role  Role
	Sites []fleet.SiteID
	// Scopes narrow the role to these actions; nil for all that it has.
	Scopes []Action
	// ExpiresAt is zero for a token that does not expire.
	ExpiresAt time.Time
}

// AddToken makes an API token; the secret is told once and not kept. Nobody
// makes one that may more than they. ErrForbidden, ErrInvalid, ErrLimit.
func (a *Accounts) AddToken(ctx context.Context, by Subject, n NewToken) (Token, string, error) {
	if err := a.may(by, TokensWrite); err != nil {
		return Token{}, "", err
	}
	if err := checkDisplayName(n.Name); err != nil {
		return Token{}, "", err
	}
	rights := Rights{Role: n.Role, Sites: n.Sites, Scopes: n.Scopes}
	if err := a.policy.checkRights(rights); err != nil {
		return Token{}, "", err
	}
	if !a.policy.Covers(by.Rights(), rights) {
		return Token{}, "", fmt.Errorf("%w: role %s may not make a token with role %q that may do more than itself",
			fleet.ErrForbidden, by.Role, n.Role)
	}
	now := fleet.Millis(a.cfg.Now())
	if !n.ExpiresAt.IsZero() && !now.Before(n.ExpiresAt) {
		return Token{}, "", fmt.Errorf("%w: expires_at is not in the future", fleet.ErrInvalid)
	}
	have, err := a.store.Tokens(ctx, "", a.cfg.Tokens)
	if err != nil {
		return Token{}, "", fmt.Errorf("count tokens: %w", err)
	}
	if len(have) >= a.cfg.Tokens {
		return Token{}, "", fmt.Errorf("%w: there are %d tokens: revoke one first", fleet.ErrLimit, len(have))
	}
	secret := TokenPrefix + newSecret()
	t := Token{
		ID: fleet.NewUUID[TokenID](now), Hash: HashSecret(secret), Name: n.Name, Role: n.Role, Sites: n.Sites,
		Scopes: slices.Compact(slices.Sorted(slices.Values(n.Scopes))), Person: by.Person, CreatedAt: now, ExpiresAt: fleet.Millis(n.ExpiresAt),
	}
	if err := a.store.AddToken(noted(ctx, by, "token.added", string(t.ID), detail("name", t.Name, "role", string(t.Role))), t); err != nil {
		return Token{}, "", fmt.Errorf("add token %s: %w", n.Name, err)
	}
	return t, secret, nil
}

// Tokens lists API tokens by id after the given one.
func (a *Accounts) Tokens(ctx context.Context, by Subject, after TokenID, limit int) ([]Token, error) {
	if err := a.may(by, TokensWrite); err != nil {
		return nil, err
	}
	ts, err := a.store.Tokens(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	return ts, nil
}

// RevokeToken ends an API token at once. ErrForbidden, ErrNotFound.
func (a *Accounts) RevokeToken(ctx context.Context, by Subject, id TokenID) error {
	if err := a.may(by, TokensWrite); err != nil {
		return err
	}
	if err := a.store.RemoveToken(noted(ctx, by, "token.revoked", string(id), nil), id); err != nil {
		return fmt.Errorf("revoke token %s: %w", id, err)
	}
	return nil
}
