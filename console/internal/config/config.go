// Package config is the console's settings: flags, environment, YAML file and
// defaults, typed and checked. The names are those that people write.
package config

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/obedio/obedio/console/internal/console"
	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/program"
)

// Data is where the console keeps everything.
type Data struct {
	Data string `name:"data" required:"" placeholder:"DIR" help:"The console's data directory."`
	Store
}

// Socket is where the running console listens for its own commands.
func (d Data) Socket() program.Socket { return program.Socket{Dir: d.Data, Name: "console.sock"} }

// Link is what is told to hubs.
type Link struct {
	HubLinkURL string `name:"hublink-url" placeholder:"URL" help:"What claims tell hubs to dial, https://host:port; the hub link's own address if empty."`
}

// Check says what is wrong with the setting.
func (l Link) Check() error {
	if l.HubLinkURL == "" {
		return nil
	}
	if _, err := identity.ParseLinkURL(l.HubLinkURL); err != nil {
		return fmt.Errorf("--hublink-url: %w", err)
	}
	return nil
}

// Serve is the settings of a running console.
type Serve struct {
	Data
	Link
	ReadyFile string `name:"ready-file" placeholder:"FILE" help:"Write a JSON file with the addresses when every listener takes work."`

	HTTP    string `name:"http" default:":8090" help:"Address for the web UI and the API; empty for none."`
	HubLink string `name:"hublink" default:":8444" help:"Address for hubs; empty for none."`
	Metrics string `name:"metrics" default:"" help:"Address for Prometheus; empty for none."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Certificate chain for --http, PEM; with --tls-key."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"Its key, PEM."`

	Hosts          []string `name:"hosts" help:"Further host names under which the API may be called; * for all."`
	TrustedOrigins []string `name:"trusted-origins" help:"Other origins whose pages may use the API."`

	MaxSites   int           `name:"max-sites" default:"10000" help:"Sites of the fleet."`
	ClaimTTL   time.Duration `name:"claim-ttl" default:"168h" help:"How long a claim can be used."`
	OrderTTL   time.Duration `name:"order-ttl" default:"24h" help:"Time to live of an order for which nobody gave one."`
	MaxTTL     time.Duration `name:"order-ttl-most" default:"720h" help:"The longest time to live of an order."`
	MaxPending int           `name:"max-pending-orders" default:"10000" help:"Orders of one site of which no end is known."`

	EnrolEvery    time.Duration `name:"enrol-every" default:"6s" help:"One try to enrol of an address in this time; loopback has no such limit."`
	EnrolBurst    int           `name:"enrol-burst" default:"10" help:"Tries to enrol of an address at once."`
	EnrolAll      float64       `name:"enrol-all" default:"20" help:"Tries to enrol of all addresses, a second."`
	EnrolAllBurst int           `name:"enrol-all-burst" default:"400" help:"Tries to enrol of all addresses at once."`

	Constraints string `name:"name-constraints" default:"non-critical" help:"Bind the authority of each site to its own site by name constraints: critical, non-critical or off. Small TLS libraries refuse critical ones."`

	StateEvery   time.Duration `name:"state-every" default:"0s" help:"How often hubs send the newest device states; 0 leaves it to them."`
	PullWait     time.Duration `name:"pull-wait" default:"5m" help:"The longest that a hub's question for orders is held."`
	ContactEvery time.Duration `name:"contact-every" default:"5m" help:"A hub without contact for longer is late."`
	OfflineAfter time.Duration `name:"offline-after" default:"15m" help:"A hub without contact for longer is offline."`
	StalledAfter time.Duration `name:"stalled-after" default:"5m" help:"Data that waits for longer on a hub in contact has stalled."`

	TrafficAge time.Duration `name:"traffic-age" default:"9600h" help:"How long hours of traffic of the sites are kept."`

	MaxTargets int `name:"max-job-targets" default:"10000" help:"Devices of one job."`

	Events      `embed:""`
	Notify      `embed:""`
	OIDC        `embed:""`
	SessionIdle time.Duration `name:"session-idle" default:"336h" help:"A session that nobody uses for so long ends."`
	SessionMax  time.Duration `name:"session-max" default:"2160h" help:"Every session ends so long after its sign-in."`

	CacheBytes    int64         `name:"cache-bytes" default:"268435456" help:"Memory for what was read of the store."`
	MemTableBytes int64         `name:"memtable-bytes" default:"67108864" help:"Memory for what was written to the store lately."`
	StopWithin    time.Duration `name:"stop-within" default:"5s" help:"For a clean stop."`
}

// Check says what is wrong with the settings.
func (s Serve) Check() error {
	if err := s.Store.Check(); err != nil {
		return err
	}
	events, err := s.relay()
	if err != nil {
		return err
	}
	if u, _ := s.Store.address(); events.URL != "" && u == "" {
		return fmt.Errorf("%w: --events is for several consoles on one database: choose one with --store", fleet.ErrInvalid)
	}
	if err := s.Link.Check(); err != nil {
		return err
	}
	if _, err := identity.ParseConstraints(s.Constraints); err != nil {
		return fmt.Errorf("--name-constraints: %w", err)
	}
	if err := s.Notify.check(); err != nil {
		return err
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return fmt.Errorf("%w: --tls-cert and --tls-key go together", fleet.ErrInvalid)
	}
	for name, v := range map[string]int64{
		"max-sites": int64(s.MaxSites), "max-pending-orders": int64(s.MaxPending), "claim-ttl": int64(s.ClaimTTL),
		"order-ttl": int64(s.OrderTTL), "contact-every": int64(s.ContactEvery), "pull-wait": int64(s.PullWait),
		"stop-within": int64(s.StopWithin), "enrol-every": int64(s.EnrolEvery), "enrol-burst": int64(s.EnrolBurst),
		"enrol-all-burst": int64(s.EnrolAllBurst), "traffic-age": int64(s.TrafficAge),
		"session-idle": int64(s.SessionIdle), "session-max": int64(s.SessionMax),
		"oidc-session-max": int64(s.ExternalMax), "max-job-targets": int64(s.MaxTargets),
	} {
		if v <= 0 {
			return fmt.Errorf("%w: --%s: want more than 0", fleet.ErrInvalid, name)
		}
	}
	switch {
	case s.EnrolAll <= 0:
		return fmt.Errorf("%w: --enrol-all: want more than 0", fleet.ErrInvalid)
	case s.MaxTTL > fleet.MaxTTL || s.OrderTTL > s.MaxTTL:
		return fmt.Errorf("%w: --order-ttl is at most --order-ttl-most, and that at most %s", fleet.ErrInvalid, fleet.MaxTTL)
	case s.OfflineAfter <= s.ContactEvery:
		return fmt.Errorf("%w: --offline-after is more than --contact-every", fleet.ErrInvalid)
	case s.PullWait > 10*time.Minute:
		return fmt.Errorf("%w: --pull-wait is at most 10m", fleet.ErrInvalid)
	case s.CacheBytes < 1<<20 || s.MemTableBytes < 1<<20:
		return fmt.Errorf("%w: --cache-bytes and --memtable-bytes are at least 1048576", fleet.ErrInvalid)
	}
	return nil
}

// Console is the settings as the console takes them, without listeners.
func (s Serve) Console() (console.Config, error) {
	c := console.Config{
		Data: s.Data.Data, HubLinkURL: strings.TrimSuffix(s.HubLinkURL, "/"), Constraints: identity.Constraints(s.Constraints), ClaimTTL: s.ClaimTTL, MaxSites: s.MaxSites,
		Hosts: s.Hosts, TrustedOrigins: s.TrustedOrigins, StopWithin: s.StopWithin, TrafficAge: s.TrafficAge,
		Sessions: account.SessionLimits{Idle: s.SessionIdle, Max: s.SessionMax}, ExternalMax: s.ExternalMax,
		Store: badger.Config{CacheBytes: s.CacheBytes, MemTableBytes: s.MemTableBytes},
		HubLink: hublink.Config{
			StateEvery: s.StateEvery, PullWait: s.PullWait, PauseAfter: s.ContactEvery, EnrolEvery: s.EnrolEvery,
			EnrolBurst: s.EnrolBurst, EnrolAll: s.EnrolAll, EnrolAllBurst: s.EnrolAllBurst,
		},
		Dispatch:  dispatch.Config{TTL: s.OrderTTL, MaxTTL: s.MaxTTL, MaxPending: s.MaxPending, MaxTargets: s.MaxTargets},
		Intervals: fleetview.Intervals{Contact: s.ContactEvery, Offline: s.OfflineAfter, Stalled: s.StalledAfter},
		Alerts:    s.limits(), Notify: s.notify(),
	}
	if err := s.Store.Console(&c); err != nil {
		return c, err
	}
	var err error
	if c.Events, err = s.relay(); err != nil {
		return c, err
	}
	if c.OIDC, err = s.provider(); err != nil {
		return c, err
	}
	if s.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
		if err != nil {
			return c, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", s.TLSCert, s.TLSKey, err)
		}
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	return c, nil
}

// Listen binds every listener that is on; a failure names the setting.
func (s Serve) Listen(ctx context.Context) (l console.Listeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	for _, v := range []struct {
		name, addr string
		to         *net.Listener
		keepAlive  time.Duration
	}{
		{"http", s.HTTP, &l.HTTP, 0}, {"metrics", s.Metrics, &l.Metrics, 0},
		// Probes on an idle link would cost more than the data of a day.
		{"hublink", s.HubLink, &l.HubLink, -1},
	} {
		if v.addr == "" {
			continue
		}
		lc := &net.ListenConfig{KeepAlive: v.keepAlive}
		if *v.to, err = lc.Listen(ctx, "tcp", v.addr); err != nil {
			return l, fmt.Errorf("--%s %s: %w", v.name, v.addr, err)
		}
	}
	l.Local, err = s.Socket().Listen(ctx)
	return l, err
}
