package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// The names of live events: the seed's, and those of the resources.
const (
	eventRequest  = "request"
	eventCommand  = "command"
	eventConfig   = "config"
	eventSync     = "sync"
	eventAlert    = "alert"
	eventDevice   = "mqtt:device-status"
	eventTraffic  = "mqtt:traffic-update"
	eventSecurity = "mqtt:security-alert"
	eventHealth   = "mqtt:system-health"
)

var eventNames = []string{
	eventRequest, eventCommand, eventConfig, eventSync, eventAlert, eventDevice, eventTraffic, eventSecurity, eventHealth,
}

// Run turns what happens on the hub into live events until ctx ends.
func (a *API) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { follow(ctx, a, a.Journal.Events(), a.journalEvent) })
	all.Go(func() { a.stateEvents(ctx) })
	all.Go(func() { follow(ctx, a, a.Uplink.Changes(), a.linkEvent) })
	all.Go(func() { follow(ctx, a, a.Denials.Alerts(), a.denialEvent) })
	all.Go(func() { follow(ctx, a, a.Disk.Changes(), a.diskEvent) })
	all.Go(func() { a.healthEvents(ctx) })
	all.Go(func() { a.reachEvents(ctx) })
	all.Wait()
	return nil
}

// follow passes on what comes after now. A reader that has lagged tells its
// clients to read everything again.
func follow[T any](ctx context.Context, a *API, from *feed.Feed[T], pass func(T)) {
	r := from.Subscribe(from.Head())
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			a.publish(rest.ResyncEvent, account.EventsRead, struct{}{})
		case err != nil:
			return
		default:
			pass(item.Value)
		}
	}
}

func (a *API) publish(name string, p account.Action, v any) {
	e, err := rest.NewEvent(name, p, "", v)
	if err != nil {
		a.Logger.Error("event not written", "event", name, "error", err)
		return
	}
	a.events.Publish(e)
}

// removed is the data of a config event.
type removed struct {
	Kind    fleet.EntityKind `json:"kind"`
	ID      string           `json:"id"`
	Removed bool             `json:"removed"`
}

// securityAlert is the data of an alert that is about an entry of the audit;
// those about denials have a denialView.
type securityAlert struct {
	Kind   string              `json:"kind"` // audit
	Reason string              `json:"reason"`
	Target string              `json:"target,omitempty"`
	Entry  resource.AuditEntry `json:"entry"`
}

func (a *API) entityEvent(e fleet.Entity) error {
	switch e := e.(type) {
	case fleet.Request:
		switch {
		case e.Purpose == fleet.PurposeWalk && e.State.Ended(): // a button of the walk was heard
			a.publish(eventConfig, account.RequestsRead, removed{Kind: "walk"})
			return nil
		case !e.Purpose.ForPeople():
			return nil
		}
		v, err := a.oneRequest(e)
		if err != nil {
			return err
		}
		a.publish(eventRequest, account.RequestsRead, v)
	case fleet.Command:
		a.publish(eventCommand, account.CommandsRead, resource.CommandOf(e))
	case fleet.Alert:
		a.publish(eventAlert, account.AlertsRead, a.alertResource(e))
	case fleet.Device:
		a.publish(eventConfig, account.DevicesRead, removed{fleet.EntityDevice, string(e.ID), e.Removed})
		return a.deviceEvent(e)
	case fleet.Document:
		a.publish(eventConfig, mayHear(e.Kind), removed{fleet.EntityKind(e.Kind), e.Name, e.Removed})
	case fleet.Room:
		a.publish(eventConfig, account.RoomsRead, removed{fleet.EntityRoom, string(e.ID), e.Removed})
	case fleet.AuditEntry:
		if security.IsAlert(e.Action) {
			a.publish(eventSecurity, account.SecurityRead, securityAlert{"audit", e.Action, e.Target, resource.AuditEntryOf(e)})
		}
	}
	return nil
}

// mayHear is what somebody must be allowed to read to be told that a document of
// a kind has changed.
func mayHear(kind fleet.DocumentKind) account.Action {
	switch kind {
	case fleet.DocumentPerson, fleet.DocumentTeam, fleet.DocumentShift, fleet.DocumentOverride, fleet.DocumentHandover:
		return account.CrewRead
	case fleet.DocumentService, fleet.DocumentPressProfile, fleet.DocumentEscalation:
		return account.RequestsRead
	case fleet.DocumentNotification:
		return account.AlertsRead // screens sound by the rules
	case fleet.DocumentProfile, fleet.DocumentACL, fleet.DocumentConfiguration:
	}
	return account.SecurityRead
}

func (a *API) journalEvent(e journal.Event) {
	for _, c := range e.Changes {
		if err := a.entityEvent(c.After); err != nil {
			a.Logger.Error("event not written", "entity", c.After.Ref().ID, "error", err)
		}
	}
}

// stateEvery is how often a device's state is told at most: faster than people
// see, and far slower than a thousand devices speak.
const stateEvery = 250 * time.Millisecond

// stateEvents tells of devices whose state has changed, until ctx ends.
func (a *API) stateEvents(ctx context.Context) {
	changes := a.Presence.Changes()
	r := changes.Subscribe(changes.Head())
	told := a.Presence.StateHead()
	unheard := false // nobody was told of the last changes
	for {
		if _, err := r.Next(ctx); err != nil && !errors.Is(err, feed.ErrLagged) {
			return
		}
		pause := time.NewTimer(stateEvery)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		r = changes.Subscribe(changes.Head()) // what came meanwhile is in the states
		if a.rest.Streams() == 0 {
			told = a.Presence.StateHead()
			if !unheard {
				// Who comes back reads everything again, whatever it was.
				unheard = true
				a.publish(rest.ResyncEvent, account.EventsRead, struct{}{})
			}
			continue
		}
		states, err := a.Presence.States(told, math.MaxInt)
		if err != nil {
			a.Logger.Error("events not written", "error", err)
			continue
		}
		told, unheard = states.Upto, false
		a.tellStates(states.States)
	}
}

func (a *API) tellStates(changed []fleet.DeviceState) {
	names, err := a.roomNames()
	if err != nil {
		a.Logger.Error("events not written", "error", err)
		return
	}
	for _, s := range changed {
		d, err := a.Registry.Device(s.ID)
		switch {
		case err == nil:
			a.publish(eventDevice, account.DevicesRead, a.deviceResource(d, names))
		case !errors.Is(err, fleet.ErrNotFound):
			a.Logger.Error("event not written", "device_id", s.ID, "error", err)
		}
	}
}

func (a *API) deviceEvent(d fleet.Device) error {
	if d.Removed {
		return nil
	}
	names, err := a.roomNames()
	if err != nil {
		return err
	}
	a.publish(eventDevice, account.DevicesRead, a.deviceResource(d, names))
	return nil
}

func (a *API) linkEvent(uplink.Status) {
	if s, err := a.Uplink.Status(); err == nil {
		a.publish(eventSync, account.SyncRead, a.uplinkView(s))
	}
}

func (a *API) denialEvent(g denial.Group) {
	a.publish(eventSecurity, account.SecurityRead, denialViewOf(g))
}

// healthEvery is how often system health and traffic are told.
const healthEvery = 5 * time.Second

// trafficView is the data of a traffic event; rates are messages a second.
type trafficView struct {
	At          time.Time `json:"at"`
	MessagesIn  uint64    `json:"messages_in"`
	MessagesOut uint64    `json:"messages_out"`
	RateIn      float64   `json:"rate_in"`
	RateOut     float64   `json:"rate_out"`
}

func (a *API) healthEvents(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	before := a.messages()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v, ok := a.healthEvent()
		if !ok {
			continue
		}
		now := v.Messages
		a.publish(eventTraffic, account.SystemRead, trafficView{
			At: v.Now, MessagesIn: now.In, MessagesOut: now.Out,
			RateIn:  float64(now.In-before.In) / healthEvery.Seconds(),
			RateOut: float64(now.Out-before.Out) / healthEvery.Seconds(),
		})
		before = now
	}
}

// reachEvery is how often it is looked who has been told of the open requests:
// that is no decision of the journal, so no event of its own tells of it.
const reachEvery = time.Second

// reachEvents tells of open requests of which other watches know, or cannot be
// told, than was said last.
func (a *API) reachEvents(ctx context.Context) {
	tick := time.NewTicker(reachEvery)
	defer tick.Stop()
	said := map[fleet.RequestID]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if a.rest.Streams() == 0 {
			clear(said) // who comes reads them
			continue
		}
		if err := a.tellReach(said); err != nil {
			a.Logger.Error("events not written", "error", err)
		}
	}
}

// tellReach tells of the open requests whose reach differs from what was said.
func (a *API) tellReach(said map[fleet.RequestID]string) error {
	open, err := a.Store.OpenRequests()
	if err != nil {
		return err
	}
	names, err := a.roomNames()
	if err != nil {
		return err
	}
	waiting := map[fleet.RequestID]bool{}
	for _, r := range open {
		if r.State != fleet.RequestOpen || r.Purpose == fleet.PurposeSelfTest {
			continue
		}
		waiting[r.ID] = true
		now := fmt.Sprint(a.Notifier.Reach(r.ID))
		if said[r.ID] == now {
			continue
		}
		said[r.ID] = now
		a.publish(eventRequest, account.RequestsRead, a.requestResource(r, names))
	}
	maps.DeleteFunc(said, func(id fleet.RequestID, _ string) bool { return !waiting[id] })
	return nil
}

// healthEvent tells how the hub is; false when it cannot be read, which the
// store says wherever it matters.
func (a *API) healthEvent() (systemView, bool) {
	v, err := a.system()
	if err == nil {
		a.publish(eventHealth, account.SystemRead, v)
	}
	return v, err == nil
}
