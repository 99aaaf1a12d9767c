package api

import (
	"context"
	"errors"
	"sync"

	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// The names of live events: the seed's, and those of the resources.
const (
	eventSite    = "site"
	eventRequest = "request"
	eventCommand = "command"
	eventDevice  = "mqtt:device-status"
	eventSync    = "sync"
	eventJob     = "job"
	eventAlert   = "alert"
)

var eventNames = []string{eventSite, eventRequest, eventCommand, eventDevice, eventSync, eventJob, eventAlert}

// The data of events that are about something of a site.
type (
	requestEvent struct {
		Site    fleet.SiteID     `json:"site"`
		Request resource.Request `json:"request"`
	}
	commandEvent struct {
		Site    fleet.SiteID `json:"site"`
		Command siteCommand  `json:"command"`
	}
	deviceEvent struct {
		Site    fleet.SiteID    `json:"site"`
		Device  *siteDevice     `json:"device,omitempty"`
		Removed *fleet.DeviceID `json:"removed,omitempty"`
	}
	alertEvent struct {
		Site  fleet.SiteID `json:"site"`
		Alert fleetAlert   `json:"alert"`
	}
	jobEvent struct {
		JobID fleet.JobID `json:"job_id"`
	}
	syncEvent struct {
		Site  fleet.SiteID `json:"site"`
		Lanes []laneView   `json:"lanes"`
	}
)

// Run turns what happens into live events until ctx ends.
func (a *API) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { follow(ctx, a, a.Fleet.Changes(), a.siteEvent) })
	all.Go(func() { follow(ctx, a, a.Link.Events(), a.linkEvent) })
	all.Go(func() { follow(ctx, a, a.Dispatch.Events(), a.orderEvent) })
	all.Go(func() { follow(ctx, a, a.Dispatch.JobEvents(), a.jobEvent) })
	all.Go(func() {
		follow(ctx, a, a.Alerts.Events(), func(_ context.Context, v store.Alert) {
			a.publish(eventAlert, account.AlertsRead, v.Site, alertEvent{v.Site, a.fleetAlert(v)})
		})
	})
	all.Wait()
	return nil
}

// jobEvent names a job that has come further: how far is read by those who look
// at it, of the sites that they see.
func (a *API) jobEvent(_ context.Context, id fleet.JobID) {
	a.publish(eventJob, account.JobsRead, "", jobEvent{id})
}

// follow passes on what comes after now. A reader that has lagged tells its
// clients to read everything again.
func follow[T any](ctx context.Context, a *API, from *feed.Feed[T], pass func(context.Context, T)) {
	r := from.Subscribe(from.Head())
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			a.publish(rest.ResyncEvent, account.EventsRead, "", struct{}{})
		case err != nil:
			return
		default:
			pass(ctx, item.Value)
		}
	}
}

// Resync tells all clients to read everything again: something may have been
// missed.
func (a *API) Resync() { a.publish(rest.ResyncEvent, account.EventsRead, "", struct{}{}) }

func (a *API) publish(name string, p account.Action, site fleet.SiteID, v any) {
	e, err := rest.NewEvent(name, p, site, v)
	if err != nil {
		a.Logger.Error("event not written", "event", name, "error", err)
		return
	}
	a.events.Publish(e)
}

func (a *API) siteEvent(_ context.Context, r fleetview.Row) {
	a.publish(eventSite, account.SitesRead, r.Site.ID, siteOf(r))
}

// tell reads a site for events, and says so when that fails: whoever listens
// would miss something.
func (a *API) tell(ctx context.Context, site fleet.SiteID, fn func(store.SiteView) error) {
	err := a.Store.ViewSite(ctx, site, fn)
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
		a.Logger.Error("event not written", "site", site, "error", err)
		a.publish(rest.ResyncEvent, account.EventsRead, site, struct{}{})
	}
}

func (a *API) orderEvent(ctx context.Context, e dispatch.Event) {
	var id fleet.CommandID
	switch b := e.Order.Body.(type) {
	case fleet.SendCommand:
		id = b.Command
	case fleet.CancelCommand:
		id = b.Command
	default:
		return
	}
	a.tell(ctx, e.Site, func(v store.SiteView) error { return a.commandEvent(e.Site, v, id) })
}

func (a *API) commandEvent(site fleet.SiteID, v store.SiteView, id fleet.CommandID) error {
	c, err := dispatch.Find(v, id)
	if err != nil {
		return err
	}
	a.publish(eventCommand, account.CommandsRead, site, commandEvent{site, commandOf(c)})
	return nil
}

// linkEvent tells what a push has changed: each thing once, as it is now,
// however many steps it took. A site that comes back after a week does not
// ring a week of calls.
func (a *API) linkEvent(ctx context.Context, e hublink.Event) {
	if !e.Moved {
		return
	}
	if e.More {
		a.publish(rest.ResyncEvent, account.EventsRead, e.Site, struct{}{})
		return
	}
	a.tell(ctx, e.Site, func(v store.SiteView) error {
		names, err := readRooms(v)
		if err != nil {
			return err
		}
		for _, ref := range e.Changed() {
			if err := a.entityEvent(e.Site, v, ref, names); err != nil {
				return err
			}
		}
		durable, err := fleetview.Positions(v)
		if err != nil {
			return err
		}
		contact, err := v.Contact()
		if err != nil {
			return err
		}
		a.publish(eventSync, account.SyncRead, e.Site, syncEvent{e.Site, lanesOf(durable, contact)})
		return nil
	})
}

func (a *API) entityEvent(site fleet.SiteID, v store.SiteView, ref fleet.Ref, names roomNames) error {
	switch ref.Kind {
	case fleet.EntityRequest:
		r, found, err := fleet.Get[fleet.Request](v, ref)
		if err != nil || !found || !r.Purpose.ForPeople() {
			return err
		}
		shown, err := a.requestOf(v, r, names)
		if err != nil {
			return err
		}
		a.publish(eventRequest, account.RequestsRead, site, requestEvent{site, shown})
	case fleet.EntityCommand:
		return a.commandEvent(site, v, fleet.CommandID(ref.ID))
	case fleet.EntityDevice:
		d, found, err := fleet.Get[fleet.Device](v, ref)
		if err != nil || !found {
			return err
		}
		if d.Removed {
			a.publish(eventDevice, account.DevicesRead, site, deviceEvent{Site: site, Removed: &d.ID})
			return nil
		}
		shown, err := deviceOf(site, v, d, names)
		if err != nil {
			return err
		}
		a.publish(eventDevice, account.DevicesRead, site, deviceEvent{Site: site, Device: &shown})
	case fleet.EntityPress, fleet.EntityPressCursor, fleet.EntityRoom, fleet.EntityOrderAnswer, fleet.EntityDocument,
		fleet.EntityCertificate, fleet.EntityAuditEntry, fleet.EntityAuditHead, fleet.EntityJob, fleet.EntityAlert, fleet.EntityAppliedPolicy:
	}
	return nil
}
