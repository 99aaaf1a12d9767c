package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// The rows of meta that are locked by those who change what belongs to no one
// site, and by those who change people.
const (
	lockRegistry = "lock/registry"
	lockPeople   = "lock/people"
)

func lockOf(name string) query {
	return query{sql: "SELECT 1 FROM meta WHERE name = $1 FOR UPDATE", args: []any{name}}
}

// change is update for what belongs to no site: one after the other.
func (s *Store) change(ctx context.Context, fn func(*tx) error) error {
	return s.update(ctx, lockOf(lockRegistry), fn)
}

const (
	readMeta  = "SELECT value FROM meta WHERE name = $1"
	writeMeta = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)

// get reads one value without more of a transaction than the statement has.
func get[T any](ctx context.Context, s *Store, sql string, args ...any) (v T, found bool, err error) {
	err = s.pool.QueryRow(ctx, sql, args...).Scan(&v)
	switch {
	case err == nil:
		return v, true, nil
	case errors.Is(err, pgx.ErrNoRows):
		return v, false, nil
	case s.closed.Load():
		return v, false, store.ErrClosed
	}
	return v, false, translate(err)
}

func getJSON[T any](ctx context.Context, s *Store, sql string, args ...any) (v T, found bool, err error) {
	b, found, err := get[[]byte](ctx, s, sql, args...)
	if err != nil || !found {
		return v, false, err
	}
	return v, true, decode(b, &v)
}

// Identity implements store.Store.
func (s *Store) Identity(ctx context.Context) (store.Identity, bool, error) {
	return getJSON[store.Identity](ctx, s, readMeta, "identity")
}

// SetIdentity implements store.Store.
func (s *Store) SetIdentity(ctx context.Context, i store.Identity) error {
	return s.change(ctx, func(t *tx) error { return t.writeJSON(i, writeMeta, "identity") })
}

// FirstIdentity implements store.Store.
func (s *Store) FirstIdentity(ctx context.Context, i store.Identity) (store.Identity, error) {
	err := s.change(ctx, func(t *tx) error {
		there, found, err := oneJSON[store.Identity](t, readMeta, "identity")
		if err != nil || found {
			i = there
			return err
		}
		return t.writeJSON(i, writeMeta, "identity")
	})
	return i, err
}

// Setting implements store.Store.
func (s *Store) Setting(ctx context.Context, name string) (string, error) {
	v, _, err := get[string](ctx, s, readMeta, "setting/"+name)
	return v, err
}

// SetSetting implements store.Store.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	return s.change(ctx, func(t *tx) error {
		t.write(writeMeta, "setting/"+name, value)
		return nil
	})
}

// FirstSetting implements store.Store.
func (s *Store) FirstSetting(ctx context.Context, name, value string) (string, error) {
	err := s.change(ctx, func(t *tx) error {
		there, found, err := one[string](t, readMeta, "setting/"+name)
		if err != nil || found {
			value = there
			return err
		}
		t.write(writeMeta, "setting/"+name, value)
		return nil
	})
	return value, err
}

// Audit implements store.Store.
func (s *Store) Audit(ctx context.Context, by fleet.Actor, action, target string, detail map[string]string) error {
	return s.update(ctx, query{sql: "SELECT 1"}, func(t *tx) error { return t.audit(by, action, target, detail) })
}

func noSite(id fleet.SiteID) error { return fmt.Errorf("%w: site %s", fleet.ErrNotFound, id) }

// lockSite reads a site's row, and keeps others from it.
func lockSite(t *tx, id fleet.SiteID) (store.Site, error) {
	v, found, err := oneJSON[store.Site](t, "SELECT site FROM sites WHERE site_id = $1 FOR UPDATE", id)
	if err == nil && !found {
		err = noSite(id)
	}
	return v, err
}

func (t *tx) writeSite(v store.Site) error {
	return t.writeJSON(v, "UPDATE sites SET site = $2 WHERE site_id = $1", v.ID)
}

// AddSite implements store.Store.
func (s *Store) AddSite(ctx context.Context, by fleet.Actor, v store.Site, most int) error {
	return s.change(ctx, func(t *tx) error {
		_, there, err := one[int](t, "SELECT 1 FROM sites WHERE site_id = $1", v.ID)
		if err != nil {
			return err
		}
		if there {
			return fmt.Errorf("%w: site %s", fleet.ErrExists, v.ID)
		}
		n, _, err := one[int](t, "SELECT count(*) FROM sites")
		if err != nil {
			return err
		}
		if n >= most {
			return fmt.Errorf("%w: there are %d sites", fleet.ErrLimit, n)
		}
		return errors.Join(
			t.writeJSON(v, "INSERT INTO sites (site_id, site) VALUES ($1, $2)", v.ID),
			t.audit(by, store.AuditSiteAdded, string(v.ID), map[string]string{"name": v.Name}))
	})
}

// Site implements store.Store.
func (s *Store) Site(ctx context.Context, id fleet.SiteID) (store.Site, error) {
	v, found, err := getJSON[store.Site](ctx, s, "SELECT site FROM sites WHERE site_id = $1", id)
	if err == nil && !found {
		err = noSite(id)
	}
	return v, err
}

// Sites implements store.Store.
func (s *Store) Sites(ctx context.Context, behind fleet.SiteID, limit int) ([]store.Site, error) {
	var all []store.Site
	err := s.view(ctx, query{
		"SELECT site FROM sites WHERE site_id > $1 ORDER BY site_id LIMIT $2", []any{behind, max(1, limit)},
		func(r pgx.Rows) error {
			var b []byte
			var v store.Site
			if err := r.Scan(&b); err != nil {
				return err
			}
			err := decode(b, &v)
			all = append(all, v)
			return err
		},
	}, func(*tx) error { return nil })
	return all, err
}

// PutSite implements store.Store.
func (s *Store) PutSite(
	ctx context.Context, by fleet.Actor, id fleet.SiteID, name string, settings store.SiteSettings, ifVersion uint64,
) (v store.Site, err error) {
	err = s.change(ctx, func(t *tx) error {
		if v, err = lockSite(t, id); err != nil {
			return err
		}
		if v.Version != ifVersion {
			return fmt.Errorf("%w: site %s has version %d", fleet.ErrVersion, id, v.Version)
		}
		v.Name, v.Settings = name, settings
		v.Version++
		detail := map[string]string{"name": name, "version": strconv.FormatUint(v.Version, 10)}
		return errors.Join(t.writeSite(v), t.audit(by, store.AuditSiteChanged, string(id), detail))
	})
	return v, err
}

// RevokeSite implements store.Store.
func (s *Store) RevokeSite(ctx context.Context, by fleet.Actor, id fleet.SiteID, at time.Time) (v store.Site, err error) {
	err = s.change(ctx, func(t *tx) error {
		if v, err = lockSite(t, id); err != nil || !v.RevokedAt.IsZero() {
			return err
		}
		v.RevokedAt = at
		if err := t.revokeHub(id, v.Hub, at); err != nil {
			return err
		}
		unused, _, err := one[int](t, "SELECT count(*) FROM claims WHERE site_id = $1 AND NOT used", id)
		if err != nil {
			return err
		}
		t.write("DELETE FROM claims WHERE site_id = $1 AND NOT used", id)
		detail := map[string]string{"claims": strconv.Itoa(unused)}
		if v.Hub != "" {
			detail["hub_id"] = string(v.Hub)
		}
		return errors.Join(t.writeSite(v), t.audit(by, store.AuditSiteRevoked, string(id), detail))
	})
	return v, err
}

func (t *tx) revokeHub(site fleet.SiteID, id fleet.HubID, at time.Time) error {
	if id == "" {
		return nil
	}
	h, found, err := oneJSON[store.Hub](t, "SELECT hub FROM hubs WHERE site_id = $1 AND hub_id = $2", site, id)
	if err != nil || !found || !h.RevokedAt.IsZero() {
		return err
	}
	h.RevokedAt = at
	return t.writeHub(h)
}

func (t *tx) writeHub(h store.Hub) error {
	return t.writeJSON(h, `INSERT INTO hubs (site_id, hub_id, hub) VALUES ($1, $2, $3)
		ON CONFLICT (site_id, hub_id) DO UPDATE SET hub = excluded.hub`, h.Site, h.ID)
}

func (t *tx) writeClaim(c store.Claim) error {
	return t.writeJSON(c, `INSERT INTO claims (site_id, hash, used, claim) VALUES ($1, $2, $3, $4)
		ON CONFLICT (site_id, hash) DO UPDATE SET used = excluded.used, claim = excluded.claim`, c.Site, hashOf(c.Hash), !c.UsedAt.IsZero())
}

func hashOf(h store.SecretHash) string { return hex.EncodeToString(h[:]) }

// AddClaim implements store.Store.
func (s *Store) AddClaim(ctx context.Context, c store.Claim) error {
	return s.change(ctx, func(t *tx) error {
		site, err := lockSite(t, c.Site)
		if err != nil {
			return err
		}
		if !site.RevokedAt.IsZero() {
			return fmt.Errorf("%w: site %s was revoked", fleet.ErrState, c.Site)
		}
		if err := t.dropOldClaims(c.Site, c.CreatedAt); err != nil {
			return err
		}
		return errors.Join(t.writeClaim(c), t.audit(c.By, store.AuditClaimMade, string(c.Site), map[string]string{
			"expires_at": c.ExpiresAt.UTC().Format(time.RFC3339),
		}))
	})
}

// dropOldClaims forgets claims that nobody has used in time.
func (t *tx) dropOldClaims(site fleet.SiteID, now time.Time) error {
	var old []string
	err := t.read(func(r pgx.Rows) error {
		var hash string
		var b []byte
		var c store.Claim
		if err := errors.Join(r.Scan(&hash, &b), decode(b, &c)); err != nil {
			return err
		}
		if now.After(c.ExpiresAt) {
			old = append(old, hash)
		}
		return nil
	}, "SELECT hash, claim FROM claims WHERE site_id = $1 AND NOT used", site)
	if err == nil && len(old) > 0 {
		t.write("DELETE FROM claims WHERE site_id = $1 AND hash = ANY($2)", site, old)
	}
	return err
}

const readClaim = "SELECT claim FROM claims WHERE hash = $1"

var errNoClaim = fmt.Errorf("%w: claim", fleet.ErrNotFound)

// Claim implements store.Store.
func (s *Store) Claim(ctx context.Context, hash store.SecretHash) (store.Claim, error) {
	c, found, err := getJSON[store.Claim](ctx, s, readClaim, hashOf(hash))
	if err == nil && !found {
		err = errNoClaim
	}
	return c, err
}

// UseClaim implements store.Store.
func (s *Store) UseClaim(ctx context.Context, hash store.SecretHash, h store.Hub, chain [][]byte) (c store.Claim, err error) {
	err = s.change(ctx, func(t *tx) error {
		var found bool
		if c, found, err = oneJSON[store.Claim](t, readClaim, hashOf(hash)); err != nil {
			return err
		}
		if !found {
			return errNoClaim
		}
		site, err := lockSite(t, c.Site)
		if err != nil {
			return err
		}
		if !site.RevokedAt.IsZero() {
			return fmt.Errorf("%w: site %s was revoked", fleet.ErrForbidden, c.Site)
		}
		if !c.UsedAt.IsZero() {
			return t.usedBefore(c, h.Key)
		}
		if h.EnrolledAt.After(c.ExpiresAt) {
			return fmt.Errorf("%w: the claim ended at %s", fleet.ErrExpired, c.ExpiresAt.Format(time.RFC3339))
		}
		h.Site = c.Site
		detail := map[string]string{"hub_id": string(h.ID), "key_sha256": h.Key, "claim_by": c.By.ID}
		if site.Hub != "" {
			detail["replaces"] = string(site.Hub)
		}
		if err := t.audit(fleet.System("hublink"), store.AuditHubEnrolled, string(c.Site), detail); err != nil {
			return err
		}
		c.UsedAt, c.Key, c.Hub, c.Chain = h.EnrolledAt, h.Key, h.ID, chain
		if err := t.revokeHub(site.ID, site.Hub, h.EnrolledAt); err != nil {
			return err
		}
		site.Hub = h.ID
		return errors.Join(t.writeClaim(c), t.writeHub(h), t.writeSite(site))
	})
	return c, err
}

// usedBefore says whether who comes again is who came first.
func (t *tx) usedBefore(c store.Claim, key string) error {
	if c.Key != key {
		return fmt.Errorf("%w: another hub has used the claim", fleet.ErrExists)
	}
	h, found, err := oneJSON[store.Hub](t, "SELECT hub FROM hubs WHERE site_id = $1 AND hub_id = $2", c.Site, c.Hub)
	if err == nil && (!found || !h.RevokedAt.IsZero()) {
		err = fmt.Errorf("%w: hub %s was revoked", fleet.ErrForbidden, c.Hub)
	}
	return err
}

const readHub = "SELECT hub FROM hubs WHERE hub_id = $1"

func noHub(id fleet.HubID) error { return fmt.Errorf("%w: hub %s", fleet.ErrNotFound, id) }

// RenewHub implements store.Store.
func (s *Store) RenewHub(ctx context.Context, id fleet.HubID, notAfter time.Time) error {
	return s.change(ctx, func(t *tx) error {
		h, found, err := oneJSON[store.Hub](t, readHub, id)
		switch {
		case err != nil:
			return err
		case !found:
			return noHub(id)
		case !h.RevokedAt.IsZero():
			return fmt.Errorf("%w: hub %s was revoked", fleet.ErrForbidden, id)
		}
		h.NotAfter = notAfter
		detail := map[string]string{"not_after": notAfter.UTC().Format(time.RFC3339), "site_id": string(h.Site)}
		return errors.Join(t.audit(fleet.System("hublink"), store.AuditHubRenewed, string(id), detail), t.writeHub(h))
	})
}

// Hub implements store.Store.
func (s *Store) Hub(ctx context.Context, id fleet.HubID) (store.Hub, error) {
	h, found, err := getJSON[store.Hub](ctx, s, readHub, id)
	if err == nil && !found {
		err = noHub(id)
	}
	return h, err
}

// Lead implements store.Store, by the server's clock.
func (s *Store) Lead(ctx context.Context, work, self string, ttl time.Duration) (bool, error) {
	_, mine, err := get[int](ctx, s, `INSERT INTO leases (name, holder, until) VALUES ($1, $2, now() + $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until < now() RETURNING 1`, work, self, ttl)
	return mine, err
}

// DueOrders implements store.Store.
func (s *Store) DueOrders(ctx context.Context, before time.Time, fn func(fleet.SiteID, uint64) bool) error {
	type due struct {
		site fleet.SiteID
		n    int64
	}
	var all []due
	err := s.view(ctx, query{
		"SELECT site_id, number FROM orders WHERE due AND expires_ms < $1 ORDER BY expires_ms, number, site_id LIMIT 10000",
		[]any{before.UnixMilli()},
		func(r pgx.Rows) error {
			var d due
			err := r.Scan(&d.site, &d.n)
			all = append(all, d)
			return err
		},
	}, func(*tx) error { return nil })
	if err != nil {
		return err
	}
	for _, d := range all { // outside of the snapshot: fn may change the sites
		if !fn(d.site, uint64(d.n)) {
			return nil
		}
	}
	return nil
}
