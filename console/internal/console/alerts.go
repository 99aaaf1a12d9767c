package console

import (
	"context"
	"errors"
	"time"

	"github.com/obedio/obedio/console/internal/alert"
	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/rest/filter"
)

// folds is what is done with what hubs tell, in the transaction that folds it.
type folds struct {
	*dispatch.Dispatch
	v *Console
}

// Applied implements hublink.Orders.
func (f folds) Applied(tx store.SiteTx, a lane.Applied) error {
	if err := f.Dispatch.Applied(tx, a); err != nil {
		return err
	}
	return f.v.alerts.Applied(tx, a)
}

// evidence is what is known of every site.
func (v *Console) evidence() []alert.Evidence {
	rows := v.fleet.Sites(func(fleetview.Row) bool { return true })
	out := make([]alert.Evidence, len(rows))
	for i, r := range rows {
		out[i] = alert.Evidence{
			Site: r.Site, Offline: r.Link == fleetview.Offline, Stalled: r.Link == fleetview.Stalled, Since: r.LinkSince,
			Planned: !r.PlannedUntil.IsZero(), Gone: r.Link == fleetview.Revoked || r.Link == fleetview.Retired, Contact: r.Contact,
			Backlog: r.Waiting(), BytesToday: r.BytesToday, DeadLetters: r.Counts.DeadLetters, AuditForks: r.Counts.AuditForks, HubNotAfter: r.HubNotAfter, Policy: r.Policy,
			Behind: r.Backlog[fleet.LaneRequests]+r.Backlog[fleet.LaneCommands]+r.Backlog[fleet.LaneRegistry] > 0,
		}
	}
	return out
}

// followAlerts brings what hubs have told of their alerts into the inbox.
func (v *Console) followAlerts(ctx context.Context) error {
	r := v.link.Events().Subscribe(v.link.Events().Head())
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			err = v.alerts.Reload(ctx)
		case err != nil:
			return nil //nolint:nilerr // the console is stopping
		default:
			err = v.alertsOf(ctx, item.Value)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			v.log.Warn("alerts of a hub not read", "error", err)
		}
	}
}

func (v *Console) alertsOf(ctx context.Context, e hublink.Event) error {
	if !e.Far {
		for _, change := range e.Applied.Changes {
			switch change.After.(type) {
			case fleet.Certificate, fleet.Device:
				v.certificates.Touch(e.Site)
			}
		}
		return v.alerts.Changed(ctx, e.Site, e.Applied)
	}
	alerts := e.More
	for _, ref := range e.Refs { // of another console; a device may only have a new state
		if ref.Kind == fleet.EntityCertificate {
			v.certificates.Touch(e.Site)
		}
		alerts = alerts || ref.Kind == fleet.EntityAlert || ref.Kind == fleet.EntityOrderAnswer
	}
	if !alerts {
		return nil
	}
	return v.alerts.Reload(ctx)
}

// siteRows are all sites, as they are in memory.
func (v *Console) siteRows() []store.Site {
	rows := v.fleet.Sites(func(fleetview.Row) bool { return true })
	out := make([]store.Site, len(rows))
	for i, r := range rows {
		out[i] = r.Site
	}
	return out
}

// matchSites reads a filter by which policy is assigned.
func (v *Console) matchSites(text string) (func(fleet.SiteID) bool, error) {
	q, err := filter.Parse(text, fleetview.AssignFields())
	if err != nil {
		return nil, err
	}
	return func(id fleet.SiteID) bool {
		r, found := v.fleet.Known(id)
		return found && q.Match(r.Field)
	}, nil
}

// readEvery is how often documents that are kept in memory are read anew:
// another replica may have changed them.
const readEvery = 30 * time.Second

// readDocuments keeps windows and policies as they are in the store.
func (v *Console) readDocuments(ctx context.Context) error {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := errors.Join(v.windows.Reload(ctx), v.policies.Reload(ctx)); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			v.log.Warn("documents not read", "error", err)
		}
	}
}

// siteWords is what notifications say of a site.
func (v *Console) siteWords(id fleet.SiteID) (name string, tags []string) {
	r, found := v.fleet.Known(id)
	if !found {
		return string(id), nil
	}
	return r.Site.Name, r.Site.Settings.Tags
}
