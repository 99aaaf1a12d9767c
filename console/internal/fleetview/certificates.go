package fleetview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// CertificateHub is the kind of the certificate with which a hub shows itself to
// the console; the others are the site's own.
const CertificateHub fleet.CertificateKind = "hub"

// Ending is a certificate that ends, of those that count.
type Ending struct {
	Site     fleet.SiteID
	Kind     fleet.CertificateKind
	Device   fleet.DeviceID
	Serial   string
	NotAfter time.Time
}

// Certificates is the forecast of what ends when, over all sites. Of each thing
// the certificate that ends last counts: the ones before it were renewed. Its
// rows are kept in memory and read from the store, site by site, by Run.
type Certificates struct {
	store   store.Store
	now     func() time.Time
	horizon time.Duration
	log     *slog.Logger

	mu    sync.Mutex // guards all below
	sites map[fleet.SiteID][]Ending
	dirty map[fleet.SiteID]bool
	whole bool // all sites have been read once
}

// forecastEvery is how often sites whose certificates have changed are read.
const forecastEvery = 2 * time.Second

// NewCertificates returns the forecast over a horizon.
func NewCertificates(s store.Store, now func() time.Time, horizon time.Duration, log *slog.Logger) *Certificates {
	return &Certificates{store: s, now: now, horizon: horizon, log: log, sites: map[fleet.SiteID][]Ending{}, dirty: map[fleet.SiteID]bool{}}
}

// Touch tells that certificates of a site have changed.
func (c *Certificates) Touch(id fleet.SiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty[id] = true
}

// Run reads all sites, then those that have changed, until ctx ends.
func (c *Certificates) Run(ctx context.Context) error {
	if err := c.ReadAll(ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("forecast of certificates not read", "error", err)
	}
	tick := time.NewTicker(forecastEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.mu.Lock()
		dirty := c.dirty
		c.dirty = map[fleet.SiteID]bool{}
		c.mu.Unlock()
		for id := range dirty {
			if err := c.Read(ctx, id); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
				c.log.Warn("forecast of certificates not read", "site", id, "error", err)
			}
		}
	}
}

// ReadAll reads all sites.
func (c *Certificates) ReadAll(ctx context.Context) error {
	for behind := fleet.SiteID(""); ; {
		page, err := c.store.Sites(ctx, behind, 500)
		if err != nil {
			return fmt.Errorf("list sites: %w", err)
		}
		for _, s := range page {
			if err := c.Read(ctx, s.ID); err != nil {
				return err
			}
			behind = s.ID
		}
		if len(page) < 500 {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = true
	return nil
}

// Read reads one site.
func (c *Certificates) Read(ctx context.Context, id fleet.SiteID) error {
	type thing struct {
		kind   fleet.CertificateKind
		device fleet.DeviceID
	}
	newest := map[thing]Ending{}
	add := func(e Ending) {
		k := thing{e.Kind, e.Device}
		if e.NotAfter.After(newest[k].NotAfter) {
			newest[k] = e
		}
	}
	var hub fleet.HubID
	gone := false
	err := c.store.ViewSite(ctx, id, func(v store.SiteView) error {
		s := v.Site()
		hub, gone = s.Hub, !s.RevokedAt.IsZero() || !s.RetiredAt.IsZero()
		var failed error
		err := v.Certificates(func(x fleet.Certificate) bool {
			if x.Revoked() {
				return true
			}
			if x.Kind == fleet.CertificateDevice {
				d, found, err := fleet.Get[fleet.Device](v, fleet.DeviceRef(x.Device))
				if err != nil || !found || d.Removed {
					failed = err
					return err == nil // nobody renews that of a device that is gone
				}
			}
			add(Ending{Site: id, Kind: x.Kind, Device: x.Device, Serial: x.Serial, NotAfter: x.NotAfter})
			return true
		})
		return errors.Join(err, failed)
	})
	if err != nil {
		return err
	}
	if hub != "" {
		h, err := c.store.Hub(ctx, hub)
		if err != nil {
			return err
		}
		add(Ending{Site: id, Kind: CertificateHub, NotAfter: h.NotAfter})
	}
	until := c.now().Add(c.horizon)
	var all []Ending
	for _, e := range newest {
		if !gone && e.NotAfter.Before(until) {
			all = append(all, e)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(all) == 0 {
		delete(c.sites, id)
	} else {
		c.sites[id] = all
	}
	return nil
}

// Endings are what ends before a time, of the sites that keep says yes to, the
// first first. whole says that all sites have been read.
func (c *Certificates) Endings(before time.Time, keep func(fleet.SiteID) bool) (all []Ending, whole bool) {
	c.mu.Lock()
	for site, list := range c.sites {
		if !keep(site) {
			continue
		}
		for _, e := range list {
			if e.NotAfter.Before(before) {
				all = append(all, e)
			}
		}
	}
	whole = c.whole
	c.mu.Unlock()
	slices.SortFunc(all, func(a, b Ending) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Device, b.Device))
	})
	return all, whole
}
