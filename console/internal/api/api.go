// Package api is the console's face to people and programs: REST, live events,
// the web UI. A handler parses, calls one method, and writes; what is decided
// is decided behind it. Routes are in the files named after their resources,
// each with its permission; a route that is about one site names its path
// parameter, so that the permission is asked for that site, and a list over
// sites shows only those that the subject sees.
//
// This is the rim of the program: unlike the packages that it serves, it may
// know them all.
package api

import (
	"cmp"
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/obedio/obedio/console/internal/alert"
	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/notify"
	"github.com/obedio/obedio/console/internal/oidc"
	"github.com/obedio/obedio/console/internal/policy"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Version  string
	Identity store.Identity
	Now      func() time.Time
	Store    store.Store
	Fleet    *fleetview.View
	Dispatch *dispatch.Dispatch
	Link     *hublink.Link
	Alerts   *alert.Alerts
	Windows  *alert.Windows
	Notify   *notify.Notify
	// Certificates is the forecast of what ends when.
	Certificates *fleetview.Certificates
	Policies     *policy.Policies
	Accounts     *account.Accounts
	// OIDC is the identity provider; nil for none.
	OIDC      *oidc.Provider
	UI        fs.FS
	Logger    *slog.Logger
	StartedAt time.Time
	// FleetRoot is the fingerprint that claims carry.
	FleetRoot string
	// LinkURL is the address of the hub link, as claims carry it; "" when it is
	// not known.
	LinkURL func(context.Context) (string, error)
	// ClaimTTL is how long a claim can be used; 7 days.
	ClaimTTL time.Duration
	// MaxSites; 10,000.
	MaxSites int
	// MaxTargets of one job; 10,000. It is told to people; dispatch.Config has it
	// too.
	MaxTargets int
	// ScanMost is how many devices one page of a filtered list looks at; 2,500.
	ScanMost int
	// Ready says what is not ready, or nil.
	Ready func() error
	// Hosts and TrustedOrigins: see rest.Config.
	Hosts          []string
	TrustedOrigins []string
	// EventsKept is how many events a client may be away for; 8192.
	EventsKept int
}

// API is the console's face.
type API struct {
	Config
	rest   *rest.API
	events *feed.Feed[rest.Event]
}

// New registers all routes.
func New(c Config) (*API, error) {
	c.EventsKept = cmp.Or(c.EventsKept, 8192)
	c.ClaimTTL = cmp.Or(c.ClaimTTL, 7*24*time.Hour)
	c.MaxSites = cmp.Or(c.MaxSites, 10_000)
	c.MaxTargets = cmp.Or(c.MaxTargets, 10_000)
	c.ScanMost = cmp.Or(c.ScanMost, 2500)
	var ui http.Handler
	if c.UI != nil {
		var err error
		if ui, err = rest.Static(c.UI); err != nil {
			return nil, err
		}
	}
	r, err := rest.New(rest.Config{
		Title: "Obedio console", Version: c.Version, Accounts: c.Accounts, Log: c.Logger, Now: c.Now,
		Cookie: "obedio_console", Hosts: c.Hosts, TrustedOrigins: c.TrustedOrigins, UI: ui, Ready: c.Ready,
	})
	if err != nil {
		return nil, err
	}
	a := &API{Config: c, rest: r, events: feed.New[rest.Event](c.EventsKept)}
	r.AccountRoutes()
	a.oidcRoutes()
	a.siteRoutes()
	a.deviceRoutes()
	a.requestRoutes()
	a.commandRoutes()
	a.jobRoutes()
	a.viewRoutes()
	a.alertRoutes()
	a.notificationRoutes()
	a.policyRoutes()
	a.usageRoutes()
	a.forecastRoutes()
	a.syncRoutes()
	a.trafficRoutes()
	a.systemRoutes()
	a.auditRoutes()
	r.Events(rest.EventsConfig{Feed: a.events, Names: eventNames})
	return a, nil
}

func (a *API) now() time.Time { return fleet.Millis(a.Now()) }

// Rest is the table of routes.
func (a *API) Rest() *rest.API { return a.rest }

// Server serves people and programs over the network.
func (a *API) Server() *http.Server { return a.rest.Server() }

// LocalServer serves the command line through the Unix socket.
func (a *API) LocalServer() *http.Server { return a.rest.LocalServer() }

// actor is who makes the request of ctx.
func actor(ctx context.Context) fleet.Actor { return rest.SubjectOf(ctx).Actor() }

// sees says which sites the subject of ctx sees.
func (a *API) sees(ctx context.Context) func(fleet.SiteID) bool {
	s, policy := rest.SubjectOf(ctx), a.Accounts.Policy()
	return func(id fleet.SiteID) bool { return policy.Sees(s, id) }
}

// SitePath is the path of everything about one site. Paths are exported so
// that huma sees them where they are embedded.
type SitePath struct {
	ID string `path:"id" maxLength:"64" doc:"site_id"`
}

func (p SitePath) site() (fleet.SiteID, error) { return fleet.ParseSiteID(p.ID) }

// view reads the site of a path.
func (a *API) view(ctx context.Context, p SitePath, fn func(fleet.SiteID, store.SiteView) error) error {
	id, err := p.site()
	if err != nil {
		return err
	}
	return a.Store.ViewSite(ctx, id, func(v store.SiteView) error { return fn(id, v) })
}

// roomNames gives each room's name, read once for a list.
type roomNames map[fleet.RoomID]string

func readRooms(v store.SiteView) (roomNames, error) {
	names := roomNames{}
	err := v.Rooms(func(r fleet.Room) bool {
		names[r.ID] = r.Name
		return true
	})
	return names, err
}

// siteDevice is a device as the hub has told of it.
type siteDevice struct {
	resource.Device
	AsOf *time.Time `json:"as_of,omitempty" doc:"When the hub read the state, by its clock; absent when it has told of none."`
}

func deviceOf(site fleet.SiteID, v store.SiteView, d fleet.Device, names roomNames) (siteDevice, error) {
	row, found, err := v.State(d.ID)
	if err != nil {
		return siteDevice{}, err
	}
	out := siteDevice{Device: resource.DeviceOf(site, d, names[d.Room], row.DeviceState)}
	if found && !row.AsOf.IsZero() {
		at := row.AsOf
		out.AsOf = &at
	}
	return out, nil
}

func (a *API) requestOf(v store.SiteView, r fleet.Request, names roomNames) (resource.Request, error) {
	d, _, err := fleet.Get[fleet.Device](v, fleet.DeviceRef(r.Device))
	if err != nil {
		return resource.Request{}, err
	}
	return resource.RequestOf(r, d, names[r.Room], a.now()), nil
}

// siteCommand is a command as it is known ashore.
type siteCommand struct {
	resource.Command
	CancelOrder uint64     `json:"cancel_order,omitempty" doc:"Number of the order to cancel it, while the hub has not answered that."`
	CancelSince *time.Time `json:"cancel_since,omitempty" doc:"When that was ordered."`
}

func commandOf(c dispatch.Command) siteCommand {
	out := siteCommand{Command: resource.CommandOf(c.Command)}
	if c.Cancel != nil {
		at := c.Cancel.CreatedAt
		out.CancelOrder, out.CancelSince = c.Cancel.Number, &at
	}
	return out
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
