// Package hub is the wiring of the hub: what starts, in which order, and what
// stops, in reverse. Read this first.
//
//	disk → store → journal → policy, pki, registry, presence, roster, requests,
//	      traffic, commands, notifier, self-test, courier, alerts → broker, uplink → api
//
// Stopping has two stages: first the ways in (listeners, connections, API),
// then, when nothing can come in any more, those who write, and the store.
package hub

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/alert"
	"github.com/obedio/obedio/edge/internal/api"
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
	"github.com/obedio/obedio/edge/internal/support"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accountkv"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

// Config is what New needs. Sections with zero fields take their packages'
// defaults.
type Config struct {
	// Data is the data directory.
	Data string
	// Site of this hub; empty takes what the store says.
	Site fleet.SiteID
	// SiteName is what people read; the site id by default.
	SiteName  string
	Version   string
	Listeners Listeners
	Clock     identity.ClockConfig
	Logger    *slog.Logger
	UI        fs.FS

	Broker   broker.Limits
	Presence presence.Config
	// Forecasts of batteries.
	Forecasts presence.ForecastConfig
	Requests  request.Config
	Commands  command.Config
	Notify    notify.Config
	SelfTest  selftest.Config
	Alerts    alert.Config
	Courier   courier.Config
	Uplink    uplink.Config
	Traffic   traffic.Config
	Disk      disk.Config
	Backups   Backups
	// MoveGrace: see registry.Config.
	MoveGrace time.Duration
	// MaxDevices of the site.
	MaxDevices int
	// MaxDocuments of the site's policy.
	MaxDocuments int
	Denials      denial.Config
	// Security is how much of what happens by itself is told to the audit.
	Security security.Config
	// LegacyTopics: devices may use the topics of old firmware; see topic.Legacy.
	LegacyTopics bool
	// Hosts and TrustedOrigins of the API: see rest.Config. Pages of those origins
	// may use MQTT over WebSocket too.
	Hosts, TrustedOrigins []string
	// Names under which clients reach the hub, besides those of the machine: they
	// are in the certificate of its server.
	Names []string
	PKI   pki.Config
	// Provision says how long tokens last, and how many there may be.
	Provision provision.Config
	// StopWithin is how long a clean stop may take. 5 s.
	StopWithin time.Duration
	// Settings as the support bundle shows them: see support.Settings.
	Settings map[string]any
	// LogKept is how many log lines are kept for the support bundle; 2000.
	LogKept int
	// FS is the file system of the store; the operating system's by default.
	FS store.FileSystem
}

// Listeners are the ways in, bound already; nil for one that is off.
type Listeners struct {
	MQTT, MQTTS, MQTTWS, MQTTWSS, HTTP, HTTPS, Metrics, Local net.Listener
}

// Addresses names the address of each listener, as the ready file does.
func (l Listeners) Addresses() map[string]string {
	out := map[string]string{}
	for name, v := range map[string]net.Listener{
		"mqtt": l.MQTT, "mqtts": l.MQTTS, "mqtt_ws": l.MQTTWS, "mqtt_wss": l.MQTTWSS, "http": l.HTTP, "https": l.HTTPS, "metrics": l.Metrics,
	} {
		if v != nil {
			out[name] = v.Addr().String()
		}
	}
	return out
}

// Close closes all listeners.
func (l Listeners) Close() {
	for _, v := range []net.Listener{l.MQTT, l.MQTTS, l.MQTTWS, l.MQTTWSS, l.HTTP, l.HTTPS, l.Metrics, l.Local} {
		if v != nil {
			_ = v.Close()
		}
	}
}

// Hub is the whole program but its command line.
type Hub struct {
	c         Config
	log       *slog.Logger
	recent    *support.Ring
	identity  store.Identity
	clock     *identity.Clock
	disk      *disk.Guard
	store     *store.Store
	journal   *journal.Journal
	policies  *policy.Policies
	pki       *pki.PKI
	provision *provision.Provision
	registry  *registry.Registry
	presence  *presence.Presence
	roster    *roster.Roster
	requests  *request.Requests
	routing   *routing
	selftest  *selftest.SelfTest
	forecasts *presence.Forecasts
	commands  *command.Commands
	notifier  *notify.Notifier
	alerts    *alert.Alerts
	courier   *courier.Courier
	devices   *devices
	broker    *broker.Broker
	traffic   *traffic.Traffic
	uplink    *uplink.Uplink
	shore     *shorePolicy
	accounts  *account.Accounts
	api       *api.API
	started   time.Time
	meters    *meters
	security  *security.Log
	late      struct {
		mu   sync.Mutex // guards told
		told time.Time  // when a device came whose certificate has expired
	}

	ready chan struct{} // closed when every listener takes work
	built atomic.Bool   // New has returned: from then on writes need room
}

// New opens the store and builds everything; it takes over the listeners. The
// hub must be Run or Closed.
func New(ctx context.Context, c Config) (*Hub, error) {
	c.StopWithin = cmp.Or(c.StopWithin, 5*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock.Built.IsZero() {
		c.Clock.Built = built
	}
	recent := support.NewRing(c.Logger.Handler(), cmp.Or(c.LogKept, 2000))
	c.Logger = slog.New(recent)
	h := &Hub{c: c, clock: identity.NewClock(c.Clock), log: c.Logger, recent: recent, ready: make(chan struct{}), meters: newMeters()}
	h.started, _ = h.clock.Now()
	if err := h.guardDisk(); err != nil {
		return nil, err
	}
	var err error
	h.store, err = store.Open(store.Config{Dir: c.Data, FS: c.FS, Logger: c.Logger, Room: h.room, DiskFull: h.disk.NoSpace})
	if err != nil {
		return nil, err
	}
	if err := h.build(ctx); err != nil {
		if h.traffic != nil {
			err = errors.Join(err, h.traffic.Close())
		}
		return nil, errors.Join(err, h.store.Close())
	}
	h.built.Store(true)
	return h, nil
}

// built is before the first build of this program.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// build makes the parts, from the store upwards.
func (h *Hub) build(ctx context.Context) error {
	c := h.c
	now := func() time.Time {
		t, _ := h.clock.Now()
		return t
	}
	if err := h.identify(ctx); err != nil {
		return err
	}
	if err := h.rememberTime(); err != nil {
		return err
	}
	site := h.identity.Site

	before, err := h.auditBefore()
	if err != nil {
		return err
	}
	h.journal = journal.New(journal.Config{
		Store: h.store, Clock: h.clock, Chain: h.identity.Epoch, Before: before, Observe: func(d time.Duration) { h.meters.commit.Observe(d.Seconds()) },
	})
	sc := c.Security
	sc.Write, sc.Logger = h.writeSecurity, h.log
	h.security = security.New(sc)
	if h.policies, err = policy.New(policy.Config{
		Site: site, Store: h.store, Journal: h.journal, MaxDocuments: c.MaxDocuments,
	}); err != nil {
		return err
	}
	kc := c.PKI
	kc.Dir, kc.Site, kc.Store, kc.Journal, kc.Clock, kc.Names, kc.Logger = c.Data, site, h.store, h.journal, h.clock, h.names, h.log
	if c.FS != nil {
		kc.Dir = "" // a file system of a test's has no place for keys
	}
	if h.pki, err = pki.Open(kc); err != nil {
		return err
	}
	if h.registry, err = registry.New(registry.Config{
		Site: site, Store: h.store, Journal: h.journal, MaxDevices: c.MaxDevices, Profiles: h.policies, MoveGrace: c.MoveGrace,
		Leaving: func(tx *journal.Tx, by fleet.Actor, id fleet.DeviceID) error {
			_, err := h.pki.RevokeAllIn(tx, by, id, "", fleet.RevokedCeased)
			return err
		},
	}); err != nil {
		return err
	}
	pc := c.Presence
	pc.Store, pc.Now, pc.Interval, pc.Logger = h.store, now, h.policies.ReportingInterval, h.log
	if h.presence, err = presence.New(ctx, pc); err != nil {
		return err
	}
	// Before its first connection can be told of, presence knows a device.
	h.journal.Follow(func(e journal.Event) {
		for _, change := range e.Changes {
			if d, ok := change.After.(fleet.Device); ok {
				h.presence.Registered(d)
			}
		}
	})
	if h.roster, err = roster.New(roster.Config{
		Store: h.store, Journal: h.journal, Now: now, Zone: h.zone, Watch: isWatch, MaxDocuments: c.MaxDocuments,
	}); err != nil {
		return err
	}
	h.routing = &routing{roster: h.roster, registry: h.registry, now: now}
	h.journal.Follow(h.routing.event)
	rc := c.Requests
	rc.Store, rc.Journal, rc.MaxDocuments = h.store, h.journal, c.MaxDocuments
	rc.Told, rc.Owed = h.routing.Told, func(r store.Receipt) { h.notifier.Owe(r) }
	if h.requests, err = request.New(rc); err != nil {
		return err
	}
	h.routing.requests = h.requests

	windows, err := newWindows(h.store)
	if err != nil {
		return err
	}
	h.devices = &devices{
		site: site, maxPayload: cmp.Or(c.Broker.MaxPayloadBytes, 64<<10), registry: h.registry, presence: h.presence, pki: h.pki, journal: h.journal, store: h.store, windows: windows, came: make(chan arrival, 4096), tell: make(chan command.Want, 2048),
		requests: h.requests, roster: h.roster, clock: h.clock, log: h.log, policies: h.policies, denials: denial.New(c.Denials), security: h.security, legacy: c.LegacyTopics,
		unsure: map[fleet.DeviceID]struct{}{}, look: make(chan struct{}, 1),
		deliveries: make(chan delivery, 4096), sessions: map[fleet.DeviceID]*session{}, bad: map[string]uint64{},
	}
	tc := c.Traffic
	tc.Dir, tc.FS, tc.Now, tc.Place, tc.Logger = c.Data, c.FS, h.clock.Now, h.devices.place, h.log
	if h.traffic, err = traffic.New(tc); err != nil {
		return err
	}
	h.devices.traffic = h.traffic
	fc := c.Forecasts
	fc.Batteries, fc.Now, fc.Logger = h.batteries, now, h.log
	h.forecasts = presence.NewForecasts(fc)
	cc := c.Commands
	cc.Store, cc.Journal, cc.Clock, cc.Devices, cc.Sender, cc.Logger = h.store, h.journal, h.clock, h.registry, h.devices, h.log
	if h.commands, err = command.New(cc); err != nil {
		return err
	}
	nc := c.Notify
	nc.Store, nc.Journal, nc.Devices, nc.Sender, nc.Now, nc.Logger = h.store, h.journal, h.registry, h.devices, now, h.log
	nc.Route = h.routing.Route
	h.notifier = notify.New(nc)
	h.routing.notifier = h.notifier
	st := c.SelfTest
	st.Store, st.Journal, st.Route, st.Ask = h.store, h.journal, h.routing.testRoute, h.devices.askWatch
	st.Found = h.selfTested
	if h.selftest, err = selftest.New(st); err != nil {
		return err
	}
	h.devices.selftest = h.selftest
	if h.courier, err = courier.New(h.courierConfig()); err != nil {
		return err
	}
	ac := c.Alerts
	ac.Store, ac.Journal, ac.Now, ac.Sources, ac.Logger = h.store, h.journal, now, h.sources(), h.log
	ac.Changed = h.courier.AlertIn
	if h.alerts, err = alert.New(ac); err != nil {
		return err
	}
	if err := h.restored(ctx); err != nil {
		return err
	}
	h.devices.commands, h.devices.notifier = h.commands, h.notifier
	h.devices.tellLate = h.tellLate

	if h.broker, err = broker.New(broker.Config{
		Site: site, Listeners: h.mqttListeners(), Auth: h.devices, Handler: h.devices, Limits: c.Broker, Storage: h.store.Sessions(),
		Objected: h.devices.objected, Passed: h.devices.passed, Dropped: h.devices.dropped, Logger: h.log, Now: now,
	}); err != nil {
		return err
	}
	h.devices.broker = h.broker

	uc := c.Uplink
	uc.Site, uc.Epoch, uc.Install, uc.Version = site, h.identity.Epoch, h.identity.InstallID, c.Version
	uc.Store, uc.Journal, uc.States, uc.Clock, uc.Logger = h.store, h.journal, h.presence, h.clock, h.log
	uc.Dial = h.meters.dialer(uc.Dial)
	uc.Passed = func() uint64 { return h.meters.linkIn.Load() + h.meters.linkOut.Load() }
	uc.ConsoleTime, uc.Authority = h.consoleTime, h.pki
	uc.Summaries, uc.Board = summaries{h.traffic, h.log}, h
	if h.shore, err = newShorePolicy(h); err != nil {
		return err
	}
	uc.Policy = h.shore
	uc.Orders = &orders{journal: h.journal, registry: h.registry, commands: h.commands, pki: h.pki}
	if h.uplink, err = uplink.New(uc); err != nil {
		return err
	}
	if h.accounts, err = account.New(account.Config{
		Store: accountkv.New(people{h.store, h.journal}), Policy: account.HubPolicy(), Now: h.clock.Certain, Log: h.log,
		Refused: func(username string, from netip.Addr) { h.security.SignInRefused(now(), from, username) },
	}); err != nil {
		return err
	}
	vc := c.Provision
	vc.Site, vc.Store, vc.Journal, vc.Clock, vc.Registry, vc.Authority = site, h.store, h.journal, h.clock, h.registry, h.pki
	vc.Profiles, vc.Addresses, vc.Logger, vc.NewKey = h.policies, h.addresses, h.log, windows.forget
	vc.Interval = h.presence.ReportingInterval
	if h.provision, err = provision.New(ctx, vc); err != nil {
		return err
	}
	h.devices.provision = h.provision
	h.api, err = api.New(api.Config{
		Version: c.Version, Identity: h.identity, SiteName: cmp.Or(c.SiteName, string(site)), Clock: h.clock, Time: h.clock,
		PKI: h.pki, Provision: h.provision, PlainHTTPRoles: h.plainHTTPRoles(),
		Store: h.store, Journal: h.journal, Registry: h.registry, Presence: h.presence, Forecasts: h.forecasts, Requests: h.requests,
		Roster: h.roster, SelfTest: h.selftest, Why: h.notifier.Why,
		Notifier: h.notifier, Commands: h.commands, Uplink: h.uplink, Broker: h.broker, Traffic: h.traffic, Accounts: h.accounts,
		UI: c.UI, Logger: h.log, StartedAt: fleet.Millis(h.started), Ready: h.notReady, Hosts: c.Hosts,
		TrustedOrigins: c.TrustedOrigins, Sessions: h.devices.Session, BadPayloads: h.devices.BadPayloads,
		Policies: h.policies, Recorded: recorded{h.traffic}, Denials: h.devices.denials, Security: h.security,
		Mosquitto: mosquitto.New(mosquitto.Config{
			Site: site, Store: h.store, Journal: h.journal, Devices: h.registry, Policies: h.policies,
		}),
		Disk: h.disk, Backups: h.backups(), BackupLeft: h.noteBackup, Alerts: h.alerts, Courier: h.courier,
		NewestBackup: h.backupEvidence(),
		Support:      api.Support{Settings: c.Settings, Log: h.recent, Metrics: h.writeMetrics},
	})
	if err != nil {
		return err
	}
	h.devices.claim = h.api.ClaimMessage
	h.api.Rest().ServeMetrics(h.metrics())
	return nil
}

// identify reads whose store this is, or makes a new store the site's.
func (h *Hub) identify(ctx context.Context) error {
	id, found, err := h.store.Identity()
	if err != nil {
		return fmt.Errorf("read the store's identity: %w", err)
	}
	if found {
		if h.c.Site != "" && h.c.Site != id.Site {
			return fmt.Errorf("%w: the data in %s are of site %s, not %s: take the right --site, or another --data",
				fleet.ErrInvalid, h.c.Data, id.Site, h.c.Site)
		}
		h.identity = id
		return nil
	}
	if h.c.Site == "" {
		return fmt.Errorf("%w: %s holds no site yet: name it with --site", fleet.ErrInvalid, h.c.Data)
	}
	h.identity = store.Identity{
		Site: h.c.Site, Epoch: fleet.NewEpoch(), InstallID: fleet.NewUUID[string](h.started), CreatedAt: fleet.Millis(h.started),
	}
	if err := h.store.Update(ctx, func(tx *store.Tx) error { return tx.PutIdentity(h.identity) }); err != nil {
		return fmt.Errorf("store the site's identity: %w", err)
	}
	return nil
}

// auditBefore is the hash of the last entry of the audit that was written before
// the store's present epoch.
func (h *Hub) auditBefore() (string, error) {
	var last fleet.AuditHead
	var at time.Time
	err := store.Entities(h.store, "", func(head fleet.AuditHead) bool {
		if head.Chain == h.identity.Epoch {
			return true
		}
		e, found, err := fleet.Get[fleet.AuditEntry](h.store, fleet.AuditEntryRef(head.Chain, head.N))
		if err == nil && found && !e.At.Before(at) {
			last, at = head, e.At
		}
		return true
	})
	if err != nil {
		return "", fmt.Errorf("read the audit's end: %w", err)
	}
	return last.Hash, nil
}

func (h *Hub) mqttListeners() []broker.Listener {
	var ls []broker.Listener
	if l := h.c.Listeners.MQTT; l != nil {
		ls = append(ls, broker.Listener{Name: "mqtt", Kind: broker.TCP, Net: l})
	}
	if l := h.c.Listeners.MQTTWS; l != nil {
		ls = append(ls, broker.Listener{Name: "mqtt_ws", Kind: broker.WebSocket, Net: l, Origins: h.c.TrustedOrigins})
	}
	for name, v := range map[string]struct {
		net  net.Listener
		kind broker.Kind
	}{"mqtts": {h.c.Listeners.MQTTS, broker.TCP}, "mqtt_wss": {h.c.Listeners.MQTTWSS, broker.WebSocket}} {
		if v.net != nil {
			ls = append(ls, broker.Listener{
				Name: name, Kind: v.kind, Net: tls.NewListener(v.net, h.pki.DeviceTLS()), Origins: h.c.TrustedOrigins,
			})
		}
	}
	return ls
}

func (h *Hub) notReady() error {
	select {
	case <-h.ready:
	default:
		return errors.New("the hub is starting or stopping")
	}
	return h.store.Err()
}

// Accounts are the people of the hub.
func (h *Hub) Accounts() *account.Accounts { return h.accounts }

// API is the hub's face.
func (h *Hub) API() *api.API { return h.api }

// Store is the hub's store.
func (h *Hub) Store() *store.Store { return h.store }

// Ready is closed when every listener takes work.
func (h *Hub) Ready() <-chan struct{} { return h.ready }

// Close closes a hub that is not Run.
func (h *Hub) Close() error {
	h.broker.StopAccepting()
	h.c.Listeners.Close()
	return errors.Join(h.traffic.Close(), h.store.Close())
}

// Run runs the hub until ctx ends or a part fails, stops everything, and
// closes the store.
func (h *Hub) Run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	// The parts outlive the ways in: what came in is carried to its end.
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	var inside, ways sync.WaitGroup
	start := func(wg *sync.WaitGroup, name string, ctx context.Context, run func(context.Context) error) {
		wg.Go(func() {
			if err := h.whileRoom(ctx, name, run); err != nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	h.disk.Tell(h.traffic)
	start(&inside, "disk", inner, h.disk.Run)
	start(&inside, "clock", inner, h.keepTime)
	start(&inside, "pki", inner, h.pki.Run)
	start(&inside, "provision", inner, h.provision.Run)
	start(&inside, "presence", inner, h.presence.Run)
	start(&inside, "deliveries", inner, h.devices.deliver)
	start(&inside, "signed", inner, h.devices.keepWindows)
	start(&inside, "moves", inner, h.devices.settleMoves)
	start(&inside, "certificates", inner, h.devices.settleCertificates)
	start(&inside, "requests", inner, h.requests.Run)
	start(&inside, "selftest", inner, h.selftest.Run)
	start(&inside, "commands", inner, h.commands.Run)
	start(&inside, "notify", inner, h.notifier.Run)
	start(&inside, "devices", inner, h.followJournal)
	start(&inside, "policy", inner, h.devices.followPolicy)
	start(&inside, "rights", inner, h.devices.settleRights)
	start(&inside, "events", inner, h.api.Run)
	start(&inside, "alerts", inner, h.alerts.Run)
	start(&inside, "forecasts", inner, h.forecasts.Run)
	start(&inside, "courier", inner, h.courier.Run)
	start(&inside, "network", inner, h.watchNetwork)
	start(&inside, "accounts", inner, h.sweepAccounts)
	start(&inside, "store", inner, h.watchStore)
	start(&inside, "disk events", inner, h.watchDisk)
	start(&inside, "bans", inner, h.devices.watchBans)
	// What the others note while they stop is written too.
	events, stopEvents := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEvents()
	var telling sync.WaitGroup
	start(&telling, "security", events, h.security.Run)

	// The record stops when nobody is left who could add to it.
	record, stopRecord := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecord()
	var recording sync.WaitGroup
	start(&recording, "traffic", record, h.traffic.Run)

	start(&ways, "uplink", ctx, h.uplink.Run)
	start(&ways, "broker", ctx, h.broker.Run)
	l := h.c.Listeners
	for name, s := range map[string]struct {
		listener net.Listener
		server   *http.Server
	}{
		"http":    {l.HTTP, h.api.Server()},
		"https":   {l.HTTPS, h.secureServer()},
		"metrics": {l.Metrics, h.metricsServer()},
		"local":   {l.Local, h.api.LocalServer()},
	} {
		if s.listener != nil {
			start(&ways, name, ctx, func(ctx context.Context) error { return program.Serve(ctx, s.server, s.listener, h.c.StopWithin/2) })
		}
	}
	start(&ways, "time", ctx, h.tellTime)
	close(h.ready)
	h.log.Info("hub is ready", "site", h.identity.Site, "listeners", l.Addresses())

	<-ctx.Done()
	h.log.Info("hub is stopping")
	h.tellState(context.WithoutCancel(ctx), "stopping")
	h.api.Rest().Stop()
	h.broker.StopAccepting()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ways.Wait()
		stopInner()
		inside.Wait()
		stopEvents()
		telling.Wait()
		stopRecord()
		recording.Wait()
	}()
	select {
	case <-stopped:
	case <-h.store.Failed():
		// A failed engine may hold up those who read it: the process must end all
		// the same, to start again on fresh file handles.
		select {
		case <-stopped:
		case <-time.After(h.c.StopWithin):
			h.log.Error("parts that wait for the failed store are left behind")
		}
	}
	err := h.store.Close()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	h.log.Info("hub has stopped")
	return err
}

// watchStore ends the hub when a write has failed: it starts again on fresh
// file handles.
func (h *Hub) watchStore(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-h.store.Failed():
		return h.store.Err()
	}
}

// followJournal counts what ends, ends the connections of devices that have moved
// or are gone, since their rights were for the old place, and has the rights of
// the others looked at again.
func (h *Hub) followJournal(ctx context.Context) error {
	events := h.journal.Events()
	r := events.Subscribe(events.Head())
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			if err := h.allDevices(); err != nil {
				return err
			}
			continue
		case err != nil:
			return nil //nolint:nilerr // the hub is stopping
		}
		h.meters.event(item.Value)
		for _, c := range item.Value.Changes {
			switch v := c.After.(type) {
			case fleet.Device:
				before, _ := c.Before.(fleet.Device)
				h.deviceChanged(before, v)
			case fleet.Certificate:
				h.devices.certificateChanged(v)
			}
		}
	}
}

func (h *Hub) deviceChanged(before, d fleet.Device) {
	switch {
	case d.Removed:
		h.broker.Forget(string(d.ID), "device removed")
		h.broker.ClearRetained(d.BaseTopic(h.identity.Site))
	case before.ID != "" && (before.Room != d.Room || before.Removed):
		h.devices.moved(before, d)
	default:
		h.devices.doubt(d.ID)
	}
}

// allDevices is deviceChanged for everything, when too much has happened to
// follow.
func (h *Hub) allDevices() error {
	return store.Entities(h.store, "", func(d fleet.Device) bool {
		before := d
		if s, ok := h.broker.Connected(string(d.ID)); ok {
			before = s.Identity.Device
		}
		h.deviceChanged(before, d)
		return true
	})
}

// sweepAccounts removes sessions that have ended, now and then.
func (h *Hub) sweepAccounts(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := h.accounts.Sweep(ctx); err != nil && ctx.Err() == nil {
				h.log.Warn("sessions not swept", "error", err)
			}
		}
	}
}
