// Package console is the wiring of the console: what starts, in which order,
// and what stops, in reverse. Read this first.
//
//	store → pki → hublink ⇄ dispatch, notify → alert → fleetview → accounts → api
//
// Stopping has two stages: first the ways in (the hub link, the API), then,
// when nothing can come in any more, those who write, and the store.
package console

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/alert"
	"github.com/obedio/obedio/console/internal/api"
	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/notify"
	"github.com/obedio/obedio/console/internal/oidc"
	"github.com/obedio/obedio/console/internal/pki"
	"github.com/obedio/obedio/console/internal/policy"
	"github.com/obedio/obedio/console/internal/relay"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/console/internal/store/postgres"
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
	// InMemory keeps everything in memory and needs no directory: for tests, and
	// for documents.
	InMemory  bool
	Version   string
	Listeners Listeners
	// TLS of the HTTP listener; nil serves plain HTTP.
	TLS *tls.Config
	// HubLinkURL is what claims tell hubs to dial; by default the address of the
	// hub link's listener.
	HubLinkURL string
	// Now is the clock; time.Now.
	Now    func() time.Time
	Logger *slog.Logger
	UI     fs.FS

	// Constraints on the authorities of sites: see pki.Config.
	Constraints identity.Constraints

	// Store is the embedded store, unless Postgres has the address of a database.
	Store    badger.Config
	Postgres postgres.Config
	// Events are told between consoles that share a store, if it has an address.
	Events    relay.Config
	HubLink   hublink.Config
	Dispatch  dispatch.Config
	Intervals fleetview.Intervals
	Alerts    alert.Limits
	// Notify is how notifications leave; SMTP in it for mail.
	Notify notify.Config
	// TrafficAge is how long hours of traffic are kept; 400 days.
	TrafficAge time.Duration
	// ClaimTTL and MaxSites: see api.Config.
	ClaimTTL time.Duration
	MaxSites int
	// Sessions are the limits of people's sessions, and ExternalMax that of who
	// signs in at the identity provider: see account.Config.
	Sessions    account.SessionLimits
	ExternalMax time.Duration
	// OIDC is the identity provider at which people may sign in; nil for none.
	OIDC *oidc.Config
	// Hosts and TrustedOrigins of the API: see rest.Config.
	Hosts, TrustedOrigins []string
	// StopWithin is how long a clean stop may take. 5 s.
	StopWithin time.Duration
}

// Console is the whole program but its command line.
type Console struct {
	c            Config
	log          *slog.Logger
	identity     store.Identity
	self         string // among the consoles that share the store
	store        store.Store
	relay        *relay.Relay // nil for none
	refusals     refusals
	pki          *pki.PKI
	link         *hublink.Link
	dispatch     *dispatch.Dispatch
	fleet        *fleetview.View
	alerts       *alert.Alerts
	windows      *alert.Windows
	notify       *notify.Notify
	certificates *fleetview.Certificates
	policies     *policy.Policies
	accounts     *account.Accounts
	api          *api.API

	ready chan struct{} // closed when every listener takes work
}

// New opens the store and builds everything; it takes over the listeners. The
// console must be Run or Closed.
func New(ctx context.Context, c Config) (*Console, error) {
	c.StopWithin = cmp.Or(c.StopWithin, 5*time.Second)
	c.TrafficAge = cmp.Or(c.TrafficAge, 400*24*time.Hour)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if (c.Data == "") != c.InMemory {
		return nil, fmt.Errorf("%w: the console needs a data directory, or none when it is in memory", fleet.ErrInvalid)
	}
	s, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	v := &Console{c: c, log: c.Logger, self: newSelf(c.Now()), store: s, ready: make(chan struct{})}
	if err := v.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return v, nil
}

// forecastHorizon is how far ahead certificates that end are known.
const forecastHorizon = 400 * 24 * time.Hour

// open opens the store that was chosen.
func open(ctx context.Context, c Config) (store.Store, error) {
	if c.Postgres.URL != "" {
		pc := c.Postgres
		pc.Now, pc.Logger = c.Now, c.Logger
		return postgres.Open(ctx, pc)
	}
	sc := c.Store
	sc.Dir, sc.Now, sc.Logger = c.Data, c.Now, c.Logger
	return badger.Open(sc)
}

// rootSetting names the fleet root's fingerprint in the store: with it, an
// authority that has got lost is noticed instead of made again.
const rootSetting = "fleet_root_sha256"

// build makes the parts, from the store upwards.
func (v *Console) build(ctx context.Context) error {
	c := v.c
	if err := v.identify(ctx); err != nil {
		return err
	}
	root, err := v.store.Setting(ctx, rootSetting)
	if err != nil {
		return err
	}
	if v.pki, err = pki.Open(pki.Config{Dir: c.Data, Root: root, Now: c.Now, Constraints: c.Constraints, Logger: v.log}); err != nil {
		if c.Postgres.URL != "" && (errors.Is(err, pki.ErrMissing) || errors.Is(err, pki.ErrOtherRoot)) {
			err = fmt.Errorf("%w: consoles on one database have the same files: copy the directory pki of the first one into %s", err, c.Data)
		}
		return err
	}
	if root == "" {
		root, err = v.store.FirstSetting(ctx, rootSetting, v.pki.Fingerprint())
		if err != nil {
			return fmt.Errorf("store the fleet root's fingerprint: %w", err)
		}
		if root != v.pki.Fingerprint() {
			return fmt.Errorf("%w: another console has made one at the same time: copy its directory pki into %s", pki.ErrOtherRoot, c.Data)
		}
	}

	if c.Events.URL != "" {
		rc := c.Events
		rc.Fleet, rc.Logger = v.identity.ConsoleID, v.log
		if v.relay, err = relay.New(rc); err != nil {
			return err
		}
	}

	dc := c.Dispatch
	dc.Store, dc.Now, dc.Logger = v.store, c.Now, v.log
	dc.Lead = v.leads("orders", time.Minute)
	dc.Match = fleetview.MatchDevices
	dc.Wake = func(site fleet.SiteID) { v.link.Wake(site) }
	v.dispatch = dispatch.New(dc)
	hc := c.HubLink
	hc.TrafficAge = c.TrafficAge
	hc.Store, hc.Identity, hc.Authority, hc.Orders, hc.Now, hc.Logger = v.store, v.identity, v.pki, folds{v.dispatch, v}, c.Now, v.log
	hc.Used = func(site fleet.SiteID) { v.fleet.Touch(site) }
	v.link = hublink.New(hc)
	if v.windows, err = alert.NewWindows(ctx, v.store); err != nil {
		return err
	}
	nc := c.Notify
	judges := v.leads("alerts", time.Minute)
	nc.Lead = judges
	nc.Store, nc.Now, nc.Site, nc.Words, nc.Logger = v.store, c.Now, v.siteWords, alert.Words, v.log
	if v.notify, err = notify.New(ctx, nc); err != nil {
		return err
	}
	if v.alerts, err = alert.New(ctx, alert.Config{
		Store: v.store, Now: c.Now, Evidence: v.evidence, Limits: c.Alerts, Lead: judges, Logger: v.log,
		Tell: func(ctx context.Context, a store.Alert, e alert.Event) error { return v.notify.Tell(ctx, a, string(e)) },
	}); err != nil {
		return err
	}
	reload := time.Duration(0)
	if c.Postgres.URL != "" {
		reload = time.Minute // others may change the store, and their news may get lost
	}
	if v.fleet, err = fleetview.New(ctx, fleetview.Config{
		Store: v.store, Now: c.Now, Intervals: c.Intervals, ReloadEvery: reload, Logger: v.log,
		Planned: v.windows.Planned, Alerts: v.alerts.Count,
	}); err != nil {
		return err
	}
	if v.policies, err = policy.New(ctx, policy.Config{
		Store: v.store, Sites: v.siteRows, Match: v.matchSites, Logger: v.log,
		Wake: func(site fleet.SiteID) {
			v.link.Wake(site)
			v.fleet.Touch(site)
		},
	}); err != nil {
		return err
	}
	v.certificates = fleetview.NewCertificates(v.store, c.Now, forecastHorizon, v.log)
	if v.accounts, err = account.New(account.Config{
		Store: accountkv.New(v.store.People()), Policy: account.ConsolePolicy(), Now: c.Now, Log: v.log, Refused: v.signInRefused,
		SessionIdle: c.Sessions.Idle, SessionMax: c.Sessions.Max, ExternalMax: c.ExternalMax,
	}); err != nil {
		return err
	}
	var provider *oidc.Provider
	if c.OIDC != nil {
		oc := *c.OIDC
		oc.Now, oc.Logger = c.Now, v.log
		if provider, err = oidc.New(oc); err != nil {
			return err
		}
	}
	v.api, err = api.New(api.Config{
		Version: c.Version, Identity: v.identity, Now: c.Now, Store: v.store, Fleet: v.fleet, Dispatch: v.dispatch,
		Link: v.link, Alerts: v.alerts, Windows: v.windows, Notify: v.notify, Certificates: v.certificates, Policies: v.policies, Accounts: v.accounts, OIDC: provider, UI: c.UI, Logger: v.log, StartedAt: fleet.Millis(c.Now()),
		FleetRoot: v.pki.Fingerprint(), LinkURL: v.linkURL, ClaimTTL: c.ClaimTTL, MaxSites: c.MaxSites, MaxTargets: c.Dispatch.MaxTargets,
		Ready: v.notReady, Hosts: c.Hosts, TrustedOrigins: c.TrustedOrigins,
	})
	return err
}

// identify reads whose store this is, or names a new one.
func (v *Console) identify(ctx context.Context) error {
	now := fleet.Millis(v.c.Now())
	id, err := v.store.FirstIdentity(ctx, store.Identity{ConsoleID: fleet.NewUUID[string](now), Epoch: string(fleet.NewEpoch()), CreatedAt: now})
	if err != nil {
		return fmt.Errorf("read the store's identity: %w", err)
	}
	v.identity = id
	return nil
}

func (v *Console) notReady() error {
	select {
	case <-v.ready:
	default:
		return errors.New("the console is starting or stopping")
	}
	if err := v.store.Err(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), readyWithin)
	defer stop()
	if _, _, err := v.store.Identity(ctx); err != nil {
		v.log.Warn("store does not answer", "error", err)
		return errors.New("the store does not answer") // anybody may ask
	}
	return nil
}

// readyWithin is how long the store may take to answer.
const readyWithin = 2 * time.Second

// Accounts are the people of the console.
func (v *Console) Accounts() *account.Accounts { return v.accounts }

// API is the console's face.
func (v *Console) API() *api.API { return v.api }

// Store is the console's store.
func (v *Console) Store() store.Store { return v.store }

// Ready is closed when every listener takes work.
func (v *Console) Ready() <-chan struct{} { return v.ready }

// Close closes a console that is not Run.
func (v *Console) Close() error {
	v.c.Listeners.Close()
	return v.store.Close()
}

// Run runs the console until ctx ends or a part fails, stops everything, and
// closes the store.
func (v *Console) Run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	// The parts outlive the ways in: what came in is carried to its end.
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx))
	defer stopInner()
	var inside, ways sync.WaitGroup
	start := func(wg *sync.WaitGroup, name string, ctx context.Context, run func(context.Context) error) {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	v.rememberURL(ctx)
	start(&inside, "store", inner, v.store.Run)
	start(&inside, "store failure", inner, v.watchStore)
	start(&inside, "pki", inner, v.pki.Run)
	start(&inside, "dispatch", inner, v.dispatch.Run)
	start(&inside, "usage", inner, v.link.RunMeter)
	start(&inside, "jobs", inner, v.dispatch.RunJobs)
	start(&inside, "fleet", inner, v.fleet.Run)
	start(&inside, "documents", inner, v.readDocuments)
	start(&inside, "policies", inner, v.policies.Run)
	start(&inside, "forecast", inner, v.certificates.Run)
	start(&inside, "notifications", inner, v.notify.Run)
	start(&inside, "alerts", inner, v.alerts.Run)
	start(&inside, "hubs' alerts", inner, v.followAlerts)
	start(&inside, "contacts", inner, v.followLink)
	start(&inside, "orders", inner, v.followOrders)
	start(&inside, "events", inner, v.api.Run)
	if v.relay != nil {
		start(&inside, "other consoles", inner, v.hearOthers)
		start(&inside, "for other consoles", inner, v.tellOthers)
		start(&inside, "relay", inner, v.relay.Run)
	}
	start(&inside, "accounts", inner, v.sweepAccounts)
	start(&inside, "traffic", inner, v.dropTraffic)

	for _, w := range v.ways() {
		if w.listener != nil {
			start(&ways, w.name, ctx, func(ctx context.Context) error { return program.Serve(ctx, w.server, w.listener, v.c.StopWithin/2) })
		}
	}
	close(v.ready)
	v.log.Info("console is ready", "listeners", v.c.Listeners.Addresses())

	<-ctx.Done()
	v.log.Info("console is stopping")
	v.api.Rest().Stop()
	v.link.Stop()
	ways.Wait()
	if err := v.link.StoreUsage(inner); err != nil {
		v.log.Warn("usage not stored", "error", err)
	}
	stopInner()
	inside.Wait()
	err := v.store.Close()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	v.log.Info("console has stopped")
	return err
}

// metered counts the bytes of a listener that is on.
func metered(l *hublink.Link, of net.Listener) net.Listener {
	if of == nil {
		return nil
	}
	return l.Metered(of)
}

// ways are the ways in.
func (v *Console) ways() []way {
	l := v.c.Listeners
	people := v.api.Server()
	people.TLSConfig = v.c.TLS
	link := v.link.Server()
	link.TLSConfig = v.pki.ServerTLS(v.link.CheckCertificate)
	return []way{
		{"http", l.HTTP, people}, {"hublink", metered(v.link, l.HubLink), link},
		{"metrics", l.Metrics, v.metricsServer()}, {"local", l.Local, v.api.LocalServer()},
	}
}

// watchStore ends the console when a write has failed: it starts again on
// fresh file handles.
func (v *Console) watchStore(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-v.store.Failed():
		return v.store.Err()
	}
}

// followLink tells the fleet view which sites were in contact.
func (v *Console) followLink(ctx context.Context) error {
	return follow(ctx, v, v.link.Events(), func(e hublink.Event) fleet.SiteID { return e.Site })
}

// followOrders tells it for which sites there are orders.
func (v *Console) followOrders(ctx context.Context) error {
	return follow(ctx, v, v.dispatch.Events(), func(e dispatch.Event) fleet.SiteID { return e.Site })
}

func follow[T any](ctx context.Context, v *Console, from *feed.Feed[T], site func(T) fleet.SiteID) error {
	each(ctx, from, v.fleet.TouchAll, func(e T) { v.fleet.Touch(site(e)) })
	return nil
}

// sweepAccounts removes sessions that have ended, now and then.
func (v *Console) sweepAccounts(ctx context.Context) error {
	mine := v.leads("people", 2*time.Hour)
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if !mine(ctx) {
				continue
			}
			if _, err := v.accounts.Sweep(ctx); err != nil && ctx.Err() == nil {
				v.log.Warn("sessions not swept", "error", err)
			}
		}
	}
}
