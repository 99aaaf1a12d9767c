package flotilla

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/obedio/obedio/proto/gen/obedio/v1/obediov1connect"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/wire"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	// Sites and Devices of each; 100 and 20.
	Sites, Devices int
	// Prefix begins the ids of the sites; "fleet-".
	Prefix string
	// Shore makes claims for hubs that have no identity; not used with Claims,
	// which are for a hub each.
	Shore  Shore
	Claims []identity.Claim
	// HubLink is the address of the hub link, host:port, instead of the one that
	// the claims name.
	HubLink string
	// State is a directory for the identities and memories of the hubs; empty for
	// none: every run enrols them anew.
	State string
	// Seed of everything that is made up.
	Seed uint64
	// Calls that guests make on each site in an hour. They are three records each.
	Calls float64
	// Changes is the share of a site's devices that change in an interval of
	// StateEvery; 0.1.
	Changes float64
	// StateEvery is how often states go up, unless the console says; 60 s.
	StateEvery time.Duration
	// Offline, Late and Lost are shares, from 0 to 1: of the hubs that are in
	// contact only once, of those that come and go, and of the devices that are
	// lost.
	Offline, Late, Lost float64
	// Hours of traffic before the start are told, too.
	Hours int
	// Spread is the time within which hubs come, and come back; 5 s.
	Spread time.Duration
	// AtOnce is how many hubs may be between their connection and their fresh
	// state: those of one machine; 256.
	AtOnce int
	// SnapshotBytes of states go up after a cut; 7168.
	SnapshotBytes int
	// CallTimeout of a call; 60 s. PullWait is how long a pull may be held; 60 s.
	CallTimeout, PullWait time.Duration
	// ChunkBytes of a push; 64 KiB.
	ChunkBytes int
	// Version is what hubs say they are.
	Version string
	Logger  *slog.Logger

	now func() time.Time
}

// Flotilla is a fleet of synthetic hubs.
type Flotilla struct {
	c        Config
	sites    []fleet.SiteID
	urls     []string // addresses of the hub link
	hubs     []*hub
	state    *state
	link     obediov1connect.HubLinkClient
	caller   *caller
	count    counters
	gate     chan struct{}
	snapshot int // devices in a snapshot after a cut

	mu     sync.Mutex // guards what follows
	cut    *cut
	errs   map[string]int64
	out    map[int]bool // hubs that the console does not want
	pools  map[string]*x509.CertPool
	report Report
}

// cut ends all links, once.
type cut struct {
	happens chan struct{}
	phase   *phase // of the return
}

func (c *cut) happened() bool {
	select {
	case <-c.happens:
		return true
	default:
		return false
	}
}

// New checks the settings; nothing is connected before Run.
func New(c Config) (*Flotilla, error) {
	c.Sites = cmp.Or(c.Sites, 100)
	c.Devices = cmp.Or(c.Devices, 20)
	c.Prefix = cmp.Or(c.Prefix, "fleet-")
	c.Changes = cmp.Or(c.Changes, 0.1)
	c.StateEvery = cmp.Or(c.StateEvery, time.Minute)
	c.Spread = cmp.Or(c.Spread, 5*time.Second)
	c.AtOnce = cmp.Or(c.AtOnce, 256)
	c.SnapshotBytes = cmp.Or(c.SnapshotBytes, 7<<10)
	c.CallTimeout = cmp.Or(c.CallTimeout, time.Minute)
	c.PullWait = cmp.Or(c.PullWait, time.Minute)
	c.ChunkBytes = cmp.Or(c.ChunkBytes, 64<<10)
	if c.now == nil {
		c.now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Sites < 0 || c.Devices < 0 || c.Calls < 0 {
		return nil, fmt.Errorf("%w: sites, devices and calls: want none below 0", fleet.ErrInvalid)
	}
	for name, share := range map[string]float64{"offline": c.Offline, "late": c.Late, "lost": c.Lost, "changes": c.Changes} {
		if !(share >= 0 && share <= 1) {
			return nil, fmt.Errorf("%w: share %s: want 0 to 1", fleet.ErrInvalid, name)
		}
	}
	f := &Flotilla{
		c: c, gate: make(chan struct{}, c.AtOnce), cut: &cut{happens: make(chan struct{})},
		errs: map[string]int64{}, out: map[int]bool{}, pools: map[string]*x509.CertPool{},
	}
	for _, claim := range c.Claims {
		f.sites = append(f.sites, claim.Site)
	}
	if len(c.Claims) == 0 {
		for i := range c.Sites {
			id, err := fleet.ParseSiteID(fmt.Sprintf("%s%05d", c.Prefix, i+1))
			if err != nil {
				return nil, err
			}
			f.sites = append(f.sites, id)
		}
	}
	f.caller = newCaller(f)
	f.link = f.caller.client()
	return f, nil
}

// Plan is how long a run goes on.
type Plan struct {
	// Online is called when all hubs are in contact; may be nil.
	Online func() error
	// Reconnect cuts all links then, once, and ends the run when all are back, or
	// Within is over; 10 min.
	Reconnect bool
	Within    time.Duration
	// Duration of the run after that; without Reconnect, until its context ends
	// if 0.
	Duration time.Duration
}

// ErrMissing: not all hubs came into contact.
var ErrMissing = errors.New("hubs are missing")

// Run enrols the hubs that have no identity, starts them all, and ends as the
// plan says, or with ctx. The report is there also with an error.
func (f *Flotilla) Run(ctx context.Context, p Plan) (_ *Report, err error) {
	p.Within = cmp.Or(p.Within, 10*time.Minute)
	state, identities, memories, err := openState(f.c.State)
	if err != nil {
		return nil, err
	}
	f.state = state
	stopped := []*hub(nil)
	defer func() { err = errors.Join(err, state.close(stopped)) }()
	began := time.Now()
	enrolled, err := f.enrol(ctx, identities)
	f.report.Sites, f.report.Devices = len(f.sites), f.c.Devices
	f.report.Enrolled, f.report.EnrolMS = int(f.count.enrolled.Load()), int(time.Since(began).Milliseconds())
	if err != nil {
		return f.finish(), err
	}
	f.c.Logger.Info("hubs have identities", "hubs", len(enrolled), "enrolled", f.report.Enrolled, "took_ms", f.report.EnrolMS)
	if err := f.make(enrolled, memories); err != nil {
		return f.finish(), err
	}

	running, cancel := context.WithCancel(ctx)
	defer cancel()
	first := newPhase(len(f.hubs), f.count.read())
	var wg sync.WaitGroup
	for _, h := range f.hubs {
		h.expect(first)
		wg.Go(func() { h.run(running) })
	}
	err = f.play(running, p, first)
	cancel()
	wg.Wait()
	f.caller.transport.CloseIdleConnections()
	stopped = f.hubs
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // it was told to end
	}
	return f.finish(), err
}

// make makes the hubs.
func (f *Flotilla) make(enrolled []stored, memories map[fleet.SiteID]*memory) error {
	for i, id := range enrolled {
		u, err := url.Parse(id.URL)
		if err != nil {
			return fmt.Errorf("identity of %s: %w", id.Site, err)
		}
		f.urls = append(f.urls, cmp.Or(f.c.HubLink, u.Host))
		h, err := f.newHub(i, id, memories[id.Site])
		if err != nil {
			return err
		}
		f.hubs = append(f.hubs, h)
		switch h.manner {
		case away:
			f.report.Offline++
		case tardy:
			f.report.Late++
		case steady:
		}
	}
	for left := f.c.SnapshotBytes; left > 0 && len(f.hubs) > 0 && f.snapshot < f.c.Devices; f.snapshot++ {
		left -= proto.Size(wire.EncodeState(f.hubs[0].site.stateOf(f.snapshot, f.c.now())))
	}
	return nil
}

// play waits for the hubs, cuts their links if that is planned, and lets them go
// on for as long as they shall.
func (f *Flotilla) play(ctx context.Context, p Plan, first *phase) error {
	r, err := f.await(ctx, first, p.Within, "hubs come into contact")
	f.report.Connect = r
	if err != nil {
		return err
	}
	if p.Online != nil {
		if err := p.Online(); err != nil {
			return err
		}
	}
	if p.Reconnect {
		back := f.cutAll()
		r, err := f.await(ctx, back, p.Within, "hubs come back")
		r.SnapshotBytes = f.c.SnapshotBytes
		f.report.Reconnect = r
		if err != nil || p.Duration == 0 {
			return err
		}
	}
	var over <-chan time.Time
	if p.Duration > 0 {
		timer := time.NewTimer(p.Duration)
		defer timer.Stop()
		over = timer.C
	}
	every := time.NewTicker(30 * time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case <-every.C:
			t := f.count.read()
			f.c.Logger.Info("hubs are in contact", "pushes", t.Pushes, "pulls", t.Pulls, "records", t.Records, "states", t.States,
				"orders", t.Orders, "errors", t.Errors, "resident_mib", resident()>>20)
		}
	}
}

// await waits for the end of a phase.
func (f *Flotilla) await(ctx context.Context, p *phase, within time.Duration, what string) (*Phase, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	every := time.NewTicker(5 * time.Second)
	defer every.Stop()
	var err error
	for waiting := true; waiting; {
		select {
		case <-p.done:
			waiting = false
		case <-ctx.Done():
			err, waiting = ctx.Err(), false
		case <-timer.C:
			err, waiting = fmt.Errorf("%w: %d after %s", ErrMissing, p.missing(), within), false
		case <-every.C:
			f.c.Logger.Info(what, "missing", p.missing(), "of", p.all, "errors", f.count.errors.Load())
		}
	}
	r := p.read(f.count.read())
	if err == nil {
		f.c.Logger.Info(what, "result", r.String(), "resident_mib", resident()>>20)
	}
	return r, err
}

// cutAll cuts all links at once, and returns the phase of their return.
func (f *Flotilla) cutAll() *phase {
	f.mu.Lock()
	n := 0
	for _, h := range f.hubs {
		if h.returns() && !f.out[h.number] {
			n++
		}
	}
	p := newPhase(n, f.count.read())
	old := f.cut
	f.cut = &cut{happens: make(chan struct{}), phase: p}
	f.mu.Unlock()
	close(old.happens)
	return p
}

// returns reports whether a hub comes back at once after a cut.
func (h *hub) returns() bool { return h.manner == steady }

// cutting is the next cut.
func (f *Flotilla) cutting() *cut {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut
}

// waiting is the phase that waits for a hub after the last cut; nil for none.
func (f *Flotilla) waiting(h *hub) *phase {
	if !h.returns() {
		return nil
	}
	return f.cutting().phase
}

// enter waits until a hub may connect; leave lets the next one.
func (f *Flotilla) enter(ctx context.Context) (leave func(), err error) {
	select {
	case f.gate <- struct{}{}:
		return func() { <-f.gate }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *Flotilla) address(number int) string { return f.urls[number] }

// roots is the pool of a fleet root: one for all hubs.
func (f *Flotilla) roots(root *x509.Certificate, pool *x509.CertPool) *x509.CertPool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have, ok := f.pools[string(root.Raw)]; ok {
		return have
	}
	f.pools[string(root.Raw)] = pool
	return pool
}

// refused notes that the console does not want a hub.
func (f *Flotilla) refused(h *hub, err error) {
	f.c.Logger.Warn("the console refuses a hub", "site", h.site.id, "error", err)
	f.erred(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out[h.number] = true
}

// mostErrors that are told apart.
const mostErrors = 50

func (f *Flotilla) erred(err error) {
	f.count.errors.Add(1)
	text := kindOfError(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.errs[text]; !known && len(f.errs) >= mostErrors {
		text = "other"
	}
	if f.errs[text]++; f.errs[text] == 1 {
		f.c.Logger.Warn("a hub lost its contact", "error", err)
	}
}

// finish is the report so far.
func (f *Flotilla) finish() *Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Refused = len(f.out)
	f.report.Total = f.count.read()
	f.report.Errors = f.errs
	f.report.ResidentBytes = resident()
	return &f.report
}
