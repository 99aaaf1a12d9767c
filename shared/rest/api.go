package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what an API needs. Accounts is required; zero fields take the
// defaults.
type Config struct {
	// Title and Version are those of the OpenAPI document.
	Title, Version string
	// Accounts says who somebody is and what they may.
	Accounts *account.Accounts
	// Log gets failures of the program at error, and every request at debug;
	// discarded by default.
	Log *slog.Logger
	// Now is the clock for what is compared with stored times; time.Now by default.
	Now func() time.Time

	// Cookie names the session cookie, "obedio" by default. Cookies do not know
	// ports, so each program (and each hub on one machine) has its own name.
	// Over TLS the name is __Host-{Cookie}.
	Cookie string
	// PlainHTTPRoles are the roles whose people may sign in over plain HTTP from
	// another machine; nil means all. Loopback and the Unix socket may always.
	PlainHTTPRoles []account.Role
	// Hosts are the host names under which the program may be called, against
	// DNS rebinding. Nil allows IP addresses, localhost, names without a dot
	// and names under .local .lan .internal .home.arpa; a list is taken in
	// addition to those; "*" allows every name.
	Hosts []string
	// TrustedOrigins are other origins ("https://host:port") whose pages may
	// use a session's cookie; none by default.
	TrustedOrigins []string

	// MaxHeader of a request in bytes; 32 KiB by default.
	MaxHeader int
	// MaxBody of a request in bytes where its route says nothing; 1 MiB by default.
	MaxBody int64
	// BodyTimeout is how long a body may take to arrive; 15 s by default.
	BodyTimeout time.Duration
	// WriteTimeout is how long an answer may take; 60 s by default.
	WriteTimeout time.Duration
	// IdleTimeout closes a connection without requests; 2 min by default.
	IdleTimeout time.Duration
	// PageMax is the greatest limit of a list; 500 by default.
	PageMax int
	// PageDefault is the limit when none is asked for; 50 by default.
	PageDefault int
	// Idempotency keeps answers under their keys; in memory by default.
	Idempotency IdempotencyStore

	// UI is the static user interface; nil for none.
	UI http.Handler
	// Ready says what is not ready, or nil; for GET /readyz. Ready by default.
	Ready func() error
}

// API is one REST face: the table of routes and what stands before them.
type API struct {
	cfg    Config
	policy *account.Policy
	engine *gin.Engine
	huma   huma.API
	cross  *http.CrossOriginProtection
	counts counters

	routes   []*Route
	table    map[string]*Route // by method and gin path
	sealed   atomic.Bool
	document func() ([]byte, error)

	// life ends when the streams are to end.
	life    context.Context
	stop    context.CancelFunc
	streams streamCount // of events
	live    liveStreams
}

// New returns an API with the routes that both programs have: documents,
// health and, by AccountRoutes, sign-in. More are added with Register and Raw.
func New(c Config) (*API, error) {
	if c.Accounts == nil {
		return nil, fmt.Errorf("%w: the API needs accounts", fleet.ErrInvalid)
	}
	c = c.withDefaults()
	a := &API{
		cfg: c, policy: c.Accounts.Policy(), table: map[string]*Route{},
		cross: http.NewCrossOriginProtection(),
	}
	a.life, a.stop = context.WithCancel(context.Background())
	c.Accounts.OnChange(a.recheckStreams)
	for _, o := range c.TrustedOrigins {
		if err := a.cross.AddTrustedOrigin(o); err != nil {
			return nil, fmt.Errorf("%w: trusted origin %q: %w", fleet.ErrInvalid, o, err)
		}
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.UseRawPath = true // %2F in a name never makes another route
	e.ForwardedByClientIP = false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, fmt.Errorf("trust no proxy: %w", err)
	}
	e.Use(a.guard)
	e.NoRoute(a.noRoute)
	e.NoMethod(a.noMethod)
	a.engine = e
	a.huma = humagin.New(e, a.humaConfig())
	a.document = sync.OnceValues(a.writeDocument)
	a.registerDocuments()
	a.registerHealth()
	return a, nil
}

func (c Config) withDefaults() Config {
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Title == "" {
		c.Title = "Obedio"
	}
	if c.Version == "" {
		c.Version = "0.0.0"
	}
	if c.Cookie == "" {
		c.Cookie = "obedio"
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 1 << 20
	}
	orInt(&c.MaxHeader, 32<<10)
	orInt(&c.PageMax, 500)
	orInt(&c.PageDefault, 50)
	orTime(&c.BodyTimeout, 15*time.Second)
	orTime(&c.WriteTimeout, time.Minute)
	orTime(&c.IdleTimeout, 2*time.Minute)
	if c.Idempotency == nil {
		c.Idempotency = NewMemoryIdempotency(MemoryIdempotencyConfig{Now: c.Now})
	}
	return c
}

func (a *API) humaConfig() huma.Config {
	format := huma.Format{Marshal: writeJSON, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: a.cfg.Title, Version: a.cfg.Version},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"session": {Type: "apiKey", In: "cookie", Name: a.cfg.Cookie, Description: "From POST /api/v1/sessions; over TLS the name has the prefix __Host-."},
					"token":   {Type: "http", Scheme: "bearer", Description: "An API token, from POST /api/v1/tokens."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{a.transform},
	}
}

// seal closes the table. The error model of huma leaves the document: it is
// always registered and nothing here answers with it.
func (a *API) seal() {
	if a.sealed.Swap(true) {
		return
	}
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	for _, t := range []reflect.Type{reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[huma.ErrorDetail]()} {
		delete(schemas, huma.DefaultSchemaNamer(t, ""))
	}
}

func (a *API) writeDocument() ([]byte, error) {
	a.seal()
	out, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return out, nil
}

// writeJSON writes v at once, so that an answer is whole or not begun. That
// the client has gone is not an error of the program.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, _ = w.Write(b.Bytes()) // the client's loss
	return nil
}

// problemResponse documents a problem.
func (a *API) problemResponse(status int) *huma.Response {
	return &huma.Response{
		Description: http.StatusText(status),
		Content: map[string]*huma.MediaType{
			problemJSON: {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")},
		},
	}
}

// Huma is the OpenAPI side, to edit the document before Handler is called.
func (a *API) Huma() huma.API { return a.huma }

// Config is the configuration with its defaults filled in.
func (a *API) Config() Config { return a.cfg }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
