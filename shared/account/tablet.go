package account

import (
	"context"
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// TabletID names an enrolled tablet. It is not the secret.
type TabletID string

// Tablet is a browser on which crew may sign in with a PIN.
type Tablet struct {
	ID   TabletID   `json:"id"`
	Hash SecretHash `json:"hash"`
	Name string     `json:"name"`
	// By is who has enrolled it, as a person reads it.
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created_at"`
	// UsedAt is when somebody last signed in on it; zero if nobody did.
	UsedAt time.Time `json:"used_at,omitzero"`
}

// maxTablets is how many tablets there are at most.
const maxTablets = 500

// EnrolTablet makes the browser that asks a tablet. The secret goes into a
// cookie of its own and is not kept. previous is the secret of the tablet that
// this browser was until now, if any: that one ends. ErrForbidden, ErrInvalid,
// ErrLimit.
func (a *Accounts) EnrolTablet(ctx context.Context, by Subject, name, previous string) (Tablet, string, error) {
	if err := a.may(by, TabletsWrite); err != nil {
		return Tablet{}, "", err
	}
	if err := checkDisplayName(name); err != nil {
		return Tablet{}, "", err
	}
	have, err := a.store.Tablets(ctx, "", maxTablets)
	if err != nil {
		return Tablet{}, "", fmt.Errorf("count tablets: %w", err)
	}
	if len(have) >= maxTablets {
		return Tablet{}, "", fmt.Errorf("%w: there are %d tablets: revoke one first", fleet.ErrLimit, len(have))
	}
	now := fleet.Millis(a.cfg.Now())
	secret := newSecret()
	t := Tablet{ID: fleet.NewUUID[TabletID](now), Hash: HashSecret(secret), Name: name, By: by.Name, CreatedAt: now}
	if err := a.store.AddTablet(noted(ctx, by, "tablet.enrolled", string(t.ID), detail("name", t.Name)), t); err != nil {
		return Tablet{}, "", fmt.Errorf("add tablet %s: %w", name, err)
	}
	if old, err := a.Tablet(ctx, previous); err == nil {
		if err := a.store.RemoveTablet(ctx, old.ID); err != nil && !missing(err) {
			return Tablet{}, "", fmt.Errorf("end previous enrolment: %w", err)
		}
	}
	return t, secret, nil
}

// Tablet returns the tablet whose secret it is. ErrUnauthenticated when it is
// none's.
func (a *Accounts) Tablet(ctx context.Context, secret string) (Tablet, error) {
	no := fmt.Errorf("%w: this browser is no enrolled tablet", fleet.ErrUnauthenticated)
	if !plausibleSession(secret) {
		return Tablet{}, no
	}
	t, err := a.store.TabletByHash(ctx, HashSecret(secret))
	if missing(err) {
		return Tablet{}, no
	}
	if err != nil {
		return Tablet{}, fmt.Errorf("find tablet: %w", err)
	}
	return t, nil
}

// Tablets lists tablets by id after the given one.
func (a *Accounts) Tablets(ctx context.Context, by Subject, after TabletID, limit int) ([]Tablet, error) {
	if err := a.may(by, TabletsWrite); err != nil {
		return nil, err
	}
	ts, err := a.store.Tablets(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list tablets: %w", err)
	}
	return ts, nil
}

// RevokeTablet ends a tablet, and what was signed in on it with a PIN, at once.
// ErrForbidden, ErrNotFound.
func (a *Accounts) RevokeTablet(ctx context.Context, by Subject, id TabletID) error {
	if err := a.may(by, TabletsWrite); err != nil {
		return err
	}
	if err := a.store.RemoveTablet(noted(ctx, by, "tablet.revoked", string(id), nil), id); err != nil {
		return fmt.Errorf("revoke tablet %s: %w", id, err)
	}
	return nil
}
