// Package hublink is the service that hubs call: Enrol, Certify, Hello, Push, Pull
// and Recall over Connect. It owns the connect handler.
//
// What always holds: a call other than Enrol is answered only to a hub whose
// certificate names it, that is enrolled and not revoked; a push is stored and
// folded in one transaction with the cursors that it moves, the orders that it
// answers and the orders that ride back; Push and Pull need the ticket of the
// newest Hello; one hub syncs one call at a time, and no hub waits for
// another's.
//
// What a Hello has opened is kept in the store, and asked for in the transaction
// of each call: a hub may speak to any of the consoles that share a store, and a
// ticket outlives a restart. In memory is only what calls wait for. All methods
// of Link may be called from any goroutine.
package hublink

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/proto/gen/obedio/v1/obediov1connect"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Authority signs the identities of hubs; package pki.
type Authority interface {
	Root() *x509.Certificate
	Authority() *x509.Certificate
	SignHub(hub fleet.HubID, pub *ecdsa.PublicKey) (chain [][]byte, notAfter time.Time, err error)
	// SignSite certifies the key of a site's authority: DER, up to the root.
	SignSite(csr []byte) (chain [][]byte, err error)
}

// Orders are what the console wants of hubs; package dispatch.
type Orders interface {
	// Applied ends the orders that the hub's records speak of.
	Applied(store.SiteTx, lane.Applied) error
	// Lost ends an order that a hub took which has lost its store.
	Lost(tx store.SiteTx, number uint64) error
	// Due returns the orders behind a cursor, and notes that they are offered.
	Due(tx store.SiteTx, cursor uint64, maxBytes int) ([]fleet.Order, error)
}

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store     store.Store
	Identity  store.Identity
	Authority Authority
	Orders    Orders
	// Now is the clock; time.Now.
	Now    func() time.Time
	Logger *slog.Logger
	// StateEvery is how often hubs are asked to send states; 0 leaves it to them.
	StateEvery time.Duration
	// PullWait is the longest that a Pull is held; 5 min.
	PullWait time.Duration
	// MaxMessage of a call after decompression; 4 MiB.
	MaxMessage int
	// MaxOrderBytes of the orders of one answer; 256 KiB.
	MaxOrderBytes int
	// MaxRecords, and as many states, are taken of one push at once: the hub
	// sends the rest again. 4096.
	MaxRecords int
	// MaxPushBytes of records that are taken at once; 1 MiB.
	MaxPushBytes int
	// TrafficAge is how long hours of traffic are kept; 400 days. Older ones are
	// not taken.
	TrafficAge time.Duration
	// PauseAfter is how long a hub may be silent until its next call counts as a
	// return; 5 min.
	PauseAfter time.Duration
	// HelloRate is how many hubs are greeted a second when many come at once, after
	// HelloBurst of them; 200 and 400. Who would wait longer than HelloHold, 2 s, is
	// told when to come again.
	HelloRate  float64
	HelloBurst int
	HelloHold  time.Duration
	// EnrolEvery and EnrolBurst bound Enrol per address: one each 6 s, 10 at
	// once. EnrolAll and EnrolAllBurst bound it for all: 20 a second, 400 at once.
	EnrolEvery             time.Duration
	EnrolBurst             int
	EnrolAll               float64
	EnrolAllBurst          int
	ReadTimeout, WriteTime time.Duration // 2 min, and PullWait and 2 min more
	// UsageEvery is how often the bytes of the link are stored; 5 min. Used is told
	// of a site whose bytes were; may be nil.
	UsageEvery time.Duration
	Used       func(fleet.SiteID)
	// Kept is how many events a reader of the feed may lag; 1024.
	Kept int
}

// Link is the console's end of the link to all hubs.
type Link struct {
	c      Config
	limits *limits
	greets *admission
	events *feed.Feed[Event]
	since  time.Time // when this console was started
	life   context.Context
	stop   context.CancelFunc

	mu    sync.Mutex // guards both
	peers map[fleet.HubID]*peer
	wakes map[fleet.SiteID]chan struct{}

	records [256]atomic.Uint64 // ingested, by lane
	leftOut atomic.Uint64      // rows of traffic

	meter meter
}

var _ obediov1connect.HubLinkHandler = (*Link)(nil)

// New returns the link.
func New(c Config) *Link {
	c.PullWait = cmp.Or(c.PullWait, 5*time.Minute)
	c.MaxMessage = cmp.Or(c.MaxMessage, 4<<20)
	c.MaxOrderBytes = cmp.Or(c.MaxOrderBytes, 256<<10)
	c.MaxRecords = cmp.Or(c.MaxRecords, 4096)
	c.MaxPushBytes = cmp.Or(c.MaxPushBytes, 1<<20)
	c.TrafficAge = cmp.Or(c.TrafficAge, 400*24*time.Hour)
	c.PauseAfter = cmp.Or(c.PauseAfter, 5*time.Minute)
	c.HelloRate = cmp.Or(c.HelloRate, 200)
	c.HelloBurst = cmp.Or(c.HelloBurst, 400)
	c.HelloHold = cmp.Or(c.HelloHold, 2*time.Second)
	c.EnrolEvery = cmp.Or(c.EnrolEvery, 6*time.Second)
	c.EnrolBurst = cmp.Or(c.EnrolBurst, 10)
	c.EnrolAll = cmp.Or(c.EnrolAll, 20)
	c.EnrolAllBurst = cmp.Or(c.EnrolAllBurst, 400)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 2*time.Minute)
	c.WriteTime = cmp.Or(c.WriteTime, c.PullWait+2*time.Minute)
	c.UsageEvery = cmp.Or(c.UsageEvery, 5*time.Minute)
	if c.Used == nil {
		c.Used = func(fleet.SiteID) {}
	}
	c.Kept = cmp.Or(c.Kept, 1024)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Link{
		c: c, limits: newLimits(c), greets: newAdmission(c), events: feed.New[Event](c.Kept),
		peers: map[fleet.HubID]*peer{}, wakes: map[fleet.SiteID]chan struct{}{},
	}
	l.since = l.now()
	l.life, l.stop = context.WithCancel(context.Background())
	return l
}

// Events is the feed of what hubs have brought.
func (l *Link) Events() *feed.Feed[Event] { return l.events }

// Ingested counts the records, states and hours of traffic taken since the
// start, by lane.
func (l *Link) Ingested(v fleet.Lane) uint64 { return l.records[v].Load() }

// Stop ends the calls that wait. It may be called more than once.
func (l *Link) Stop() { l.stop() }

// Server is a server of the link with every timeout set. Its listener must
// speak TLS as pki.ServerTLS says.
func (l *Link) Server() *http.Server {
	mux := http.NewServeMux()
	mux.Handle(obediov1connect.NewHubLinkHandler(l,
		connect.WithReadMaxBytes(l.c.MaxMessage), connect.WithCompressMinBytes(512),
		connect.WithRecover(l.recovered), connect.WithInterceptors(connect.UnaryInterceptorFunc(l.translate))))
	s := &http.Server{
		Handler:           l.identify(http.MaxBytesHandler(mux, int64(l.c.MaxMessage)+4096)),
		ReadHeaderTimeout: 15 * time.Second, ReadTimeout: l.c.ReadTimeout, WriteTimeout: l.c.WriteTime,
		IdleTimeout: l.c.PullWait + 5*time.Minute, MaxHeaderBytes: 32 << 10, ConnContext: connContext,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 16},
		// Broken handshakes and the like are the clients' affair.
		ErrorLog: slog.NewLogLogger(l.c.Logger.Handler(), slog.LevelDebug),
	}
	s.RegisterOnShutdown(l.Stop)
	return s
}

// recovered answers what a panic has left.
func (l *Link) recovered(_ context.Context, s connect.Spec, _ http.Header, v any) error {
	l.c.Logger.Error("call panicked", "procedure", s.Procedure, "panic", fmt.Sprint(v))
	return connect.NewError(connect.CodeInternal, errInternal)
}

// Wake tells that there is an order for a site: a call that waits for one is
// answered at once.
func (l *Link) Wake(site fleet.SiteID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch, ok := l.wakes[site]; ok {
		close(ch)
		delete(l.wakes, site)
	}
}

// woken is closed by the next Wake of the site.
func (l *Link) woken(site fleet.SiteID) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch, ok := l.wakes[site]
	if !ok {
		ch = make(chan struct{})
		l.wakes[site] = ch
	}
	return ch
}

func (l *Link) now() time.Time { return fleet.Millis(l.c.Now()) }
