// Package api is the hub's face to people and programs: REST, live events, the
// web UI. A handler parses, calls one method, and writes; what is decided is
// decided behind it. Routes are in the files named after their resources, each
// with its permission.
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
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/courier"
	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/mosquitto"
	"github.com/obedio/obedio/edge/internal/notify"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/presence"
	"github.com/obedio/obedio/edge/internal/provision"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/roster"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/edge/internal/selftest"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// Config is what New needs.
type Config struct {
	Version  string
	Identity store.Identity
	SiteName string
	Clock    journal.Clock
	// Time is the clock with what it knows of itself; it may be set.
	Time      *identity.Clock
	PKI       *pki.PKI
	Provision *provision.Provision
	Store     *store.Store
	Journal   *journal.Journal
	Registry  *registry.Registry
	Presence  *presence.Presence
	Forecasts *presence.Forecasts
	Requests  *request.Requests
	Roster    *roster.Roster
	SelfTest  *selftest.SelfTest
	// Why says why a watch cannot be reached; empty when it can.
	Why       func(fleet.Device) string
	Notifier  *notify.Notifier
	Commands  *command.Commands
	Uplink    *uplink.Uplink
	Broker    *broker.Broker
	Traffic   *traffic.Traffic
	Accounts  *account.Accounts
	UI        fs.FS
	Logger    *slog.Logger
	StartedAt time.Time
	// Ready says what is not ready, or nil.
	Ready func() error
	// PlainHTTPRoles are the roles that may sign in without TLS; nil for all.
	PlainHTTPRoles []account.Role
	// Hosts and TrustedOrigins: see rest.Config.
	Hosts          []string
	TrustedOrigins []string
	// EventsKept is how many events a client may be away for; 2048 by default.
	EventsKept int
	// Sessions tells the subscriptions and the last will of a device's connection.
	Sessions func(fleet.DeviceID) (subscriptions []string, will *resource.LastWill)
	// BadPayloads counts, by device, payloads and fields that could not be read.
	BadPayloads func() map[string]uint64
	// Policies are the security profiles and ACL documents.
	Policies *policy.Policies
	// Denials is what the broker held against clients lately.
	Denials *denial.Log
	// Security tells the audit what people did that is no change of its own.
	Security *security.Log
	// Recorded are the messages that passed the broker; nil when none are kept.
	Recorded policy.Recorded
	// Mosquitto moves files of that broker in and out.
	Mosquitto *mosquitto.Mover
	// Disk is the room on the disk of the stores.
	Disk *disk.Guard
	// Backups makes backups; nil where the data are in memory.
	Backups *backup.Keeper
	// BackupLeft is told that a backup was taken away.
	BackupLeft func(context.Context)
	Alerts     *alert.Alerts
	Courier    *courier.Courier
	// NewestBackup is when the newest was made, or since when there is none; nil
	// where none are made.
	NewestBackup func() (at time.Time, some bool, err error)
	Support      Support
}

// API is the hub's face.
type API struct {
	Config
	rest   *rest.API
	events *feed.Feed[rest.Event]
	site   atomic.Pointer[SiteBody]
	zone   atomic.Pointer[time.Location]
}

// New registers all routes.
func New(c Config) (*API, error) {
	c.EventsKept = cmp.Or(c.EventsKept, 2048)
	var ui http.Handler
	if c.UI != nil {
		var err error
		if ui, err = rest.Static(c.UI); err != nil {
			return nil, err
		}
	}
	r, err := rest.New(rest.Config{
		Title: "Obedio hub", Version: c.Version, Accounts: c.Accounts, Log: c.Logger, Now: c.now,
		Cookie: "obedio_hub", Hosts: c.Hosts, TrustedOrigins: c.TrustedOrigins, UI: ui, Ready: c.Ready, PlainHTTPRoles: c.PlainHTTPRoles,
	})
	if err != nil {
		return nil, err
	}
	a := &API{Config: c, rest: r, events: feed.New[rest.Event](c.EventsKept)}
	if err := a.loadSite(); err != nil {
		return nil, err
	}
	r.AccountRoutes()
	r.TabletRoutes()
	a.deviceRoutes()
	a.roomRoutes()
	a.requestRoutes()
	a.timelineRoute()
	a.statisticsRoute()
	a.callingRoutes()
	a.crewRoutes()
	a.dutyRoutes()
	a.walkRoutes()
	a.selfTestRoutes()
	a.commandRoutes()
	a.jobRoutes()
	a.configurationRoutes()
	a.alertRoutes()
	a.notificationRoutes()
	a.trustRoute()
	a.systemRoutes()
	a.clockRoutes()
	a.siteRoute()
	a.certificateRoutes()
	a.provisionRoutes()
	a.profileRoutes()
	a.aclRoutes()
	a.explainRoutes()
	a.denialRoutes()
	a.banRoutes()
	a.mosquittoRoutes()
	a.trafficRoutes()
	a.backupRoutes()
	a.supportRoute()
	a.auditRoutes()
	r.Events(rest.EventsConfig{Feed: a.events, Names: eventNames})
	return a, nil
}

func (c Config) now() time.Time {
	t, _ := c.Clock.Now()
	return t
}

// Rest is the table of routes.
func (a *API) Rest() *rest.API { return a.rest }

// Server serves people and programs over the network.
func (a *API) Server() *http.Server { return a.rest.Server() }

// LocalServer serves the command line through the Unix socket.
func (a *API) LocalServer() *http.Server { return a.rest.LocalServer() }

// actor is who makes the request of ctx.
func actor(ctx context.Context) fleet.Actor { return rest.SubjectOf(ctx).Actor() }

// roomNames gives each room's name, read once for a list.
type roomNames map[fleet.RoomID]string

func (a *API) roomNames() (roomNames, error) {
	rooms, err := a.Registry.Rooms()
	if err != nil {
		return nil, err
	}
	names := make(roomNames, len(rooms))
	for _, r := range rooms {
		names[r.ID] = r.Name
	}
	return names, nil
}

// deviceResource shows a device with its newest state.
func (a *API) deviceResource(d fleet.Device, names roomNames) resource.Device {
	state, _ := a.Presence.State(d.ID)
	r := resource.DeviceOf(a.Identity.Site, d, names[d.Room], state)
	r.MQTTSubscriptions, r.LastWill = a.Sessions(d.ID)
	r.Via, _ = a.Presence.Via(d.ID)
	r.BatteryDaysLeft = a.Forecasts.DaysLeft(d.ID)
	return r
}

// requestResource shows a request with who was told of it.
func (a *API) requestResource(r fleet.Request, names roomNames) resource.Request {
	d, err := a.Registry.Device(r.Device)
	if err != nil {
		d = fleet.Device{} // removed since: the request stands by itself
	}
	out := resource.RequestOf(r, d, names[r.Room], a.now())
	if r.State == fleet.RequestOpen {
		reach := a.Notifier.Reach(r.ID)
		n := resource.Notified{
			Watches: reach.Watches, Reached: reach.Reached, Told: []resource.Reached{}, Unreachable: []resource.Unreachable{}, Quiet: reach.Quiet,
		}
		for _, u := range reach.Unreachable {
			n.Unreachable = append(n.Unreachable, resource.Unreachable{DeviceID: u.Device, PersonID: u.Person, Name: u.Name, Why: u.Why})
		}
		for _, t := range reach.Told {
			n.Told = append(n.Told, resource.Reached{DeviceID: t.Device, PersonID: t.Person, Name: t.Name})
		}
		out.Notified = &n
		out.ToldTo = a.Requests.Recipients(r)
	}
	if s, err := a.Requests.Services.Get(r.Kind); err == nil {
		out.KindLabel = s.Value.Label
	}
	return out
}

// oneRequest is requestResource for a single request.
func (a *API) oneRequest(r fleet.Request) (resource.Request, error) {
	names, err := a.roomNames()
	if err != nil {
		return resource.Request{}, err
	}
	return a.requestResource(r, names), nil
}
