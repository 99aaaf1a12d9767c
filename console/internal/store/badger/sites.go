package badger

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Identity implements store.Store.
func (s *Store) Identity(ctx context.Context) (id store.Identity, found bool, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		id, found, err = getJSON[store.Identity](t, fleetKey(fleetMeta, "identity"))
		return err
	})
	return id, found, err
}

// SetIdentity implements store.Store.
func (s *Store) SetIdentity(ctx context.Context, i store.Identity) error {
	return s.change(ctx, func(t *tx) error { return t.setJSON(fleetKey(fleetMeta, "identity"), i) })
}

// FirstIdentity implements store.Store.
func (s *Store) FirstIdentity(ctx context.Context, i store.Identity) (store.Identity, error) {
	err := s.change(ctx, func(t *tx) error {
		k := fleetKey(fleetMeta, "identity")
		there, found, err := getJSON[store.Identity](t, k)
		if err != nil || found {
			i = there
			return err
		}
		return t.setJSON(k, i)
	})
	return i, err
}

// Setting implements store.Store.
func (s *Store) Setting(ctx context.Context, name string) (value string, err error) {
	err = s.view(ctx, func(t *tx) error {
		b, err := t.get(fleetKey(fleetMeta, "setting", name))
		value = string(b)
		return err
	})
	return value, err
}

// SetSetting implements store.Store.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	return s.change(ctx, func(t *tx) error {
		t.set(fleetKey(fleetMeta, "setting", name), []byte(value))
		return nil
	})
}

// FirstSetting implements store.Store.
func (s *Store) FirstSetting(ctx context.Context, name, value string) (string, error) {
	err := s.change(ctx, func(t *tx) error {
		k := fleetKey(fleetMeta, "setting", name)
		b, err := t.get(k)
		if err != nil || b != nil {
			value = string(b)
			return err
		}
		t.set(k, []byte(value))
		return nil
	})
	return value, err
}

// change is update for what belongs to no site: one after the other.
func (s *Store) change(ctx context.Context, fn func(*tx) error) error {
	s.registry.Lock()
	defer s.registry.Unlock()
	return s.update(ctx, fn)
}

func siteRow(t *tx, id fleet.SiteID) (store.Site, error) {
	v, found, err := getJSON[store.Site](t, fleetKey(fleetSite, string(id)))
	if err == nil && !found {
		err = fmt.Errorf("%w: site %s", fleet.ErrNotFound, id)
	}
	return v, err
}

// AddSite implements store.Store.
func (s *Store) AddSite(ctx context.Context, by fleet.Actor, v store.Site, most int) error {
	return s.change(ctx, func(t *tx) error {
		k := fleetKey(fleetSite, string(v.ID))
		if there, err := t.has(k); err != nil {
			return err
		} else if there {
			return fmt.Errorf("%w: site %s", fleet.ErrExists, v.ID)
		}
		n := 0
		err := t.keys(fleetKey(fleetSite), nil, func([]byte) (bool, error) {
			n++
			return true, nil
		})
		if err != nil {
			return err
		}
		if n >= most {
			return fmt.Errorf("%w: there are %d sites", fleet.ErrLimit, n)
		}
		return errors.Join(t.setJSON(k, v), t.audit(by, store.AuditSiteAdded, string(v.ID), map[string]string{"name": v.Name}))
	})
}

// Site implements store.Store.
func (s *Store) Site(ctx context.Context, id fleet.SiteID) (v store.Site, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		v, err = siteRow(t, id)
		return err
	})
	return v, err
}

// Sites implements store.Store.
func (s *Store) Sites(ctx context.Context, behind fleet.SiteID, limit int) (all []store.Site, err error) {
	err = s.view(ctx, func(t *tx) error {
		var from []byte
		if behind != "" {
			from = append(fleetKey(fleetSite, string(behind)), 0)
		}
		return t.each(fleetKey(fleetSite), from, func(_, b []byte) (bool, error) {
			var v store.Site
			if err := json.Unmarshal(b, &v); err != nil {
				return false, fmt.Errorf("decode site: %w", err)
			}
			all = append(all, v)
			return len(all) < limit, nil
		})
	})
	return all, err
}

// PutSite implements store.Store.
func (s *Store) PutSite(
	ctx context.Context, by fleet.Actor, id fleet.SiteID, name string, settings store.SiteSettings, ifVersion uint64,
) (v store.Site, err error) {
	err = s.change(ctx, func(t *tx) error {
		if v, err = siteRow(t, id); err != nil {
			return err
		}
		if v.Version != ifVersion {
			return fmt.Errorf("%w: site %s has version %d", fleet.ErrVersion, id, v.Version)
		}
		v.Name, v.Settings = name, settings
		v.Version++
		detail := map[string]string{"name": name, "version": strconv.FormatUint(v.Version, 10)}
		return errors.Join(t.setJSON(fleetKey(fleetSite, string(id)), v), t.audit(by, store.AuditSiteChanged, string(id), detail))
	})
	return v, err
}

// RevokeSite implements store.Store.
func (s *Store) RevokeSite(ctx context.Context, by fleet.Actor, id fleet.SiteID, at time.Time) (v store.Site, err error) {
	err = s.change(ctx, func(t *tx) error {
		if v, err = siteRow(t, id); err != nil || !v.RevokedAt.IsZero() {
			return err
		}
		v.RevokedAt = at
		if err := revokeHub(t, v.Hub, at); err != nil {
			return err
		}
		var unused []string
		p := append(fleetKey(fleetUnused, string(id)), 0)
		err := t.keys(p, nil, func(k []byte) (bool, error) {
			unused = append(unused, string(k[len(p):]))
			return true, nil
		})
		if err != nil {
			return err
		}
		for _, h := range unused {
			t.set(fleetKey(fleetUnused, string(id), h), nil)
			t.set(fleetKey(fleetClaim, h), nil)
		}
		detail := map[string]string{"claims": strconv.Itoa(len(unused))}
		if v.Hub != "" {
			detail["hub_id"] = string(v.Hub)
		}
		return errors.Join(t.setJSON(fleetKey(fleetSite, string(id)), v), t.audit(by, store.AuditSiteRevoked, string(id), detail))
	})
	return v, err
}

func revokeHub(t *tx, id fleet.HubID, at time.Time) error {
	if id == "" {
		return nil
	}
	k := fleetKey(fleetHub, string(id))
	h, found, err := getJSON[store.Hub](t, k)
	if err != nil || !found || !h.RevokedAt.IsZero() {
		return err
	}
	h.RevokedAt = at
	return t.setJSON(k, h)
}

func claimKeys(c store.Claim) (claim, unused []byte) {
	h := hex.EncodeToString(c.Hash[:])
	return fleetKey(fleetClaim, h), fleetKey(fleetUnused, string(c.Site), h)
}

// AddClaim implements store.Store.
func (s *Store) AddClaim(ctx context.Context, c store.Claim) error {
	return s.change(ctx, func(t *tx) error {
		site, err := siteRow(t, c.Site)
		if err != nil {
			return err
		}
		if !site.RevokedAt.IsZero() {
			return fmt.Errorf("%w: site %s was revoked", fleet.ErrState, c.Site)
		}
		if err := dropOldClaims(t, c.Site, c.CreatedAt); err != nil {
			return err
		}
		k, unused := claimKeys(c)
		t.set(unused, empty)
		return errors.Join(t.setJSON(k, c), t.audit(c.By, store.AuditClaimMade, string(c.Site), map[string]string{
			"expires_at": c.ExpiresAt.UTC().Format(time.RFC3339),
		}))
	})
}

// dropOldClaims forgets claims that nobody has used in time.
func dropOldClaims(t *tx, site fleet.SiteID, now time.Time) error {
	var hashes []string
	p := append(fleetKey(fleetUnused, string(site)), 0)
	err := t.keys(p, nil, func(k []byte) (bool, error) {
		hashes = append(hashes, string(k[len(p):]))
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, h := range hashes {
		c, found, err := getJSON[store.Claim](t, fleetKey(fleetClaim, h))
		if err != nil {
			return err
		}
		if !found || now.After(c.ExpiresAt) {
			t.set(fleetKey(fleetUnused, string(site), h), nil)
			t.set(fleetKey(fleetClaim, h), nil)
		}
	}
	return nil
}

func claim(t *tx, hash store.SecretHash) (store.Claim, error) {
	k, _ := claimKeys(store.Claim{Hash: hash})
	c, found, err := getJSON[store.Claim](t, k)
	if err == nil && !found {
		err = fmt.Errorf("%w: claim", fleet.ErrNotFound)
	}
	return c, err
}

// Claim implements store.Store.
func (s *Store) Claim(ctx context.Context, hash store.SecretHash) (c store.Claim, err error) {
	err = s.view(ctx, func(t *tx) (err error) {
		c, err = claim(t, hash)
		return err
	})
	return c, err
}

// UseClaim implements store.Store.
func (s *Store) UseClaim(ctx context.Context, hash store.SecretHash, h store.Hub, chain [][]byte) (c store.Claim, err error) {
	err = s.change(ctx, func(t *tx) (err error) {
		if c, err = claim(t, hash); err != nil {
			return err
		}
		site, err := siteRow(t, c.Site)
		if err != nil {
			return err
		}
		if !site.RevokedAt.IsZero() {
			return fmt.Errorf("%w: site %s was revoked", fleet.ErrForbidden, c.Site)
		}
		if !c.UsedAt.IsZero() {
			return usedBefore(t, c, h.Key)
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
		if err := revokeHub(t, site.Hub, h.EnrolledAt); err != nil {
			return err
		}
		site.Hub = h.ID
		k, unused := claimKeys(c)
		t.set(unused, nil)
		if err := t.setJSON(k, c); err != nil {
			return err
		}
		if err := t.setJSON(fleetKey(fleetHub, string(h.ID)), h); err != nil {
			return err
		}
		return t.setJSON(fleetKey(fleetSite, string(site.ID)), site)
	})
	return c, err
}

// usedBefore says whether who comes again is who came first.
func usedBefore(t *tx, c store.Claim, key string) error {
	if c.Key != key {
		return fmt.Errorf("%w: another hub has used the claim", fleet.ErrExists)
	}
	h, found, err := getJSON[store.Hub](t, fleetKey(fleetHub, string(c.Hub)))
	if err == nil && (!found || !h.RevokedAt.IsZero()) {
		err = fmt.Errorf("%w: hub %s was revoked", fleet.ErrForbidden, c.Hub)
	}
	return err
}

// RenewHub implements store.Store.
func (s *Store) RenewHub(ctx context.Context, id fleet.HubID, notAfter time.Time) error {
	return s.change(ctx, func(t *tx) error {
		k := fleetKey(fleetHub, string(id))
		h, found, err := getJSON[store.Hub](t, k)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%w: hub %s", fleet.ErrNotFound, id)
		case !h.RevokedAt.IsZero():
			return fmt.Errorf("%w: hub %s was revoked", fleet.ErrForbidden, id)
		}
		h.NotAfter = notAfter
		detail := map[string]string{"not_after": notAfter.UTC().Format(time.RFC3339), "site_id": string(h.Site)}
		if err := t.audit(fleet.System("hublink"), store.AuditHubRenewed, string(id), detail); err != nil {
			return err
		}
		return t.setJSON(k, h)
	})
}

// Hub implements store.Store.
func (s *Store) Hub(ctx context.Context, id fleet.HubID) (h store.Hub, err error) {
	err = s.view(ctx, func(t *tx) error {
		var found bool
		h, found, err = getJSON[store.Hub](t, fleetKey(fleetHub, string(id)))
		if err == nil && !found {
			err = fmt.Errorf("%w: hub %s", fleet.ErrNotFound, id)
		}
		return err
	})
	return h, err
}

// ViewSite implements store.Store.
func (s *Store) ViewSite(ctx context.Context, id fleet.SiteID, fn func(store.SiteView) error) error {
	return s.view(ctx, func(t *tx) error {
		row, err := siteRow(t, id)
		if err != nil {
			return err
		}
		return fn(&site{t: t, id: id, row: row})
	})
}

// ViewSites implements store.Store.
func (s *Store) ViewSites(ctx context.Context, behind fleet.SiteID, limit int, fn func(store.SiteView) error) (n int, err error) {
	err = s.view(ctx, func(t *tx) error {
		var from []byte
		if behind != "" {
			from = append(fleetKey(fleetSite, string(behind)), 0)
		}
		return t.each(fleetKey(fleetSite), from, func(_, b []byte) (bool, error) {
			var row store.Site
			if err := json.Unmarshal(b, &row); err != nil {
				return false, fmt.Errorf("decode site: %w", err)
			}
			n++
			return n < limit, fn(&site{t: t, id: row.ID, row: row})
		})
	})
	return n, err
}

// UpdateSite implements store.Store.
func (s *Store) UpdateSite(ctx context.Context, id fleet.SiteID, fn func(store.SiteTx) error) error {
	unlock, err := s.sites.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return s.update(ctx, func(t *tx) error {
		row, err := siteRow(t, id)
		if err != nil {
			return err
		}
		v := &site{t: t, id: id, row: row}
		if err := fn(v); err != nil {
			return err
		}
		return v.flush()
	})
}

// DueOrders implements store.Store.
func (s *Store) DueOrders(ctx context.Context, before time.Time, fn func(fleet.SiteID, uint64) bool) error {
	limit := before.UnixMilli()
	type due struct {
		site fleet.SiteID
		n    uint64
	}
	var all []due
	err := s.view(ctx, func(t *tx) error {
		return t.keys(fleetKey(fleetDue), nil, func(k []byte) (bool, error) {
			at, n, id, ok := parseDue(k)
			if !ok {
				return false, fmt.Errorf("malformed key %x", bytes.Clone(k))
			}
			if at.UnixMilli() >= limit {
				return false, nil
			}
			all = append(all, due{id, n})
			return len(all) < 10_000, nil
		})
	})
	if err != nil {
		return err
	}
	for _, d := range all { // outside of the snapshot: fn may change the sites
		if !fn(d.site, d.n) {
			return nil
		}
	}
	return nil
}
