package console

import (
	"context"
	"fmt"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

const (
	dropEvery = time.Hour
	// daysAtOnce are dropped in one transaction: hubs of that site wait for it.
	daysAtOnce = 4
	// sitesAtOnce are listed at once.
	sitesAtOnce = 500
)

// dropTraffic drops hours of traffic that are too old, at the start and now
// and then.
func (v *Console) dropTraffic(ctx context.Context) error {
	mine := v.leads("traffic", 2*dropEvery)
	tick := time.NewTicker(dropEvery)
	defer tick.Stop()
	for {
		days, err := 0, error(nil)
		if mine(ctx) {
			days, err = v.dropTrafficBefore(ctx, v.c.Now().Add(-v.c.TrafficAge))
		}
		if err != nil && ctx.Err() == nil {
			v.log.Warn("old traffic not dropped", "error", err)
		}
		if days > 0 {
			v.log.Info("old traffic dropped", "days", days)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// dropTrafficBefore drops, of all sites, the days that were over before the
// given time, and returns how many.
func (v *Console) dropTrafficBefore(ctx context.Context, before time.Time) (int, error) {
	days := 0
	for after := fleet.SiteID(""); ; {
		sites, err := v.store.Sites(ctx, after, sitesAtOnce)
		if err != nil {
			return days, fmt.Errorf("list sites: %w", err)
		}
		for _, s := range sites {
			n, err := v.dropSiteTraffic(ctx, s.ID, before)
			if days += n; err != nil {
				return days, fmt.Errorf("drop traffic of %s: %w", s.ID, err)
			}
			after = s.ID
		}
		if len(sites) < sitesAtOnce {
			return days, nil
		}
	}
}

func (v *Console) dropSiteTraffic(ctx context.Context, site fleet.SiteID, before time.Time) (int, error) {
	var first time.Time
	var found bool
	if err := v.store.ViewSite(ctx, site, func(tx store.SiteView) (err error) {
		first, _, found, err = tx.TrafficSpan()
		return err
	}); err != nil || !found || first.After(before) {
		return 0, err // nothing to write, as of most sites most of the time
	}
	days := 0
	for {
		n := 0
		if err := v.store.UpdateSite(ctx, site, func(tx store.SiteTx) (err error) {
			n, err = tx.DropTraffic(before, daysAtOnce)
			return err
		}); err != nil {
			return days, err
		}
		if days += n; n < daysAtOnce {
			return days, nil
		}
	}
}
