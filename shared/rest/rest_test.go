package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accounttest"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/resttest"
)

// face is an API over accounts in memory, with a clock and a log to look at.
type face struct {
	*rest.API
	t        *testing.T
	accounts *account.Accounts
	store    *accounttest.Memory
	now      atomic.Int64
	log      *lockedBuffer
	handler  http.Handler
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newFace(t *testing.T, policy *account.Policy, change func(*rest.Config)) *face {
	t.Helper()
	f := &face{t: t, store: accounttest.NewMemory(), log: &lockedBuffer{}}
	f.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	clock := func() time.Time { return time.Unix(0, f.now.Load()).UTC() }
	var err error
	f.accounts, err = account.New(account.Config{
		Store: f.store, Policy: policy, Now: clock,
		Passwords: account.PasswordConfig{MemoryKiB: 8, Passes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := rest.Config{
		Title: "Test", Version: "1.2.3", Accounts: f.accounts, Now: clock,
		Log: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	if change != nil {
		change(&c)
	}
	if f.API, err = rest.New(c); err != nil {
		t.Fatal(err)
	}
	f.AccountRoutes()
	return f
}

// call sends one request; body may be nil, a string or something for JSON.
// Options change the request.
func (f *face) call(method, path string, body any, options ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			f.t.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req := httptest.NewRequestWithContext(f.t.Context(), method, "http://localhost"+path, r)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(req)
	}
	if f.handler == nil {
		f.handler = f.Handler()
	}
	rec := httptest.NewRecorder()
	f.handler.ServeHTTP(rec, req)
	return rec
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func as(role account.Role) func(*http.Request) {
	return func(r *http.Request) {
		*r = *r.WithContext(rest.WithLocal(r.Context(), account.Subject{
			Kind: account.KindUser, ID: fmt.Sprintf("00000000-0000-7000-8000-%012.6x", string(role)),
			Name: "a " + string(role), Role: role, Sites: []fleet.SiteID{"yacht-1"},
		}))
	}
}

func withCookies(rec *httptest.ResponseRecorder) func(*http.Request) {
	return func(r *http.Request) {
		for _, c := range rec.Result().Cookies() {
			r.AddCookie(c)
		}
	}
}

// problem checks that rec is a problem of that status and type.
func (f *face) problem(rec *httptest.ResponseRecorder, status int, typ string) map[string]any {
	f.t.Helper()
	var p map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		f.t.Fatalf("status %d, body %q: %v", rec.Code, rec.Body, err)
	}
	if rec.Code != status || p["type"] != "urn:obedio:problem:"+typ || p["status"] != float64(status) {
		f.t.Errorf("got %d %v, want %d %s", rec.Code, p, status, typ)
	}
	if ct := rec.Header().Get("Content-Type"); ct != "application/problem+json" {
		f.t.Errorf("content type is %q", ct)
	}
	if p["title"] == "" || p["request_id"] == "" || p["request_id"] != rec.Header().Get("X-Request-Id") {
		f.t.Errorf("problem without title or with another request id: %v", p)
	}
	return p
}

func (f *face) ok(rec *httptest.ResponseRecorder, status int) map[string]any {
	f.t.Helper()
	if rec.Code != status {
		f.t.Fatalf("got %d %s, want %d", rec.Code, rec.Body, status)
	}
	var v map[string]any
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
			f.t.Fatalf("%q: %v", rec.Body, err)
		}
	}
	return v
}

type thingInput struct {
	ID   string `path:"id" maxLength:"10"`
	Body struct {
		Name  string `json:"name" minLength:"2"`
		Count int    `json:"count,omitempty"`
	}
}

type thingOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Name string `json:"name"`
	}
}

// addThings registers routes for tests; fail is what PUT answers with.
func (f *face) addThings(fail func(ctx context.Context) error) {
	rest.Register(f.API, rest.Route{
		OperationID: "put-thing", Method: http.MethodPut, Path: "/api/v1/things/{id}", Permission: account.DevicesWrite,
		Summary: "Put a thing", Tags: []string{"things"},
	}, func(ctx context.Context, in *thingInput) (*thingOutput, error) {
		if err := fail(ctx); err != nil {
			return nil, err
		}
		out := &thingOutput{ETag: rest.ETag(7)}
		out.Body.Name = in.Body.Name
		return out, nil
	})
	rest.Register(f.API, rest.Route{
		OperationID: "get-thing", Method: http.MethodGet, Path: "/api/v1/things/{id}", Permission: account.DevicesRead,
	}, func(context.Context, *struct {
		ID string `path:"id"`
	}) (*thingOutput, error) {
		return &thingOutput{ETag: rest.ETag(7)}, nil
	})
}

func none(context.Context) error { return nil }

func TestProblem_EverySentinelHasItsStatus(t *testing.T) {
	var fail error
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(func(context.Context) error { return fail })
	wrap := func(err error) error { return fmt.Errorf("do it: %w: because", err) }
	for _, c := range []struct {
		err    error
		status int
		typ    string
		header string
	}{
		{wrap(rest.ErrSyntax), 400, "syntax", ""},
		{wrap(fleet.ErrInvalid), 422, "invalid", ""},
		{wrap(fleet.ErrNotFound), 404, "not-found", ""},
		{wrap(fleet.ErrExists), 409, "exists", ""},
		{wrap(fleet.ErrState), 409, "state", ""},
		{wrap(fleet.ErrVersion), 409, "version", ""},
		{wrap(fleet.ErrExpired), 409, "expired", ""},
		{wrap(fleet.ErrForbidden), 403, "forbidden", ""},
		{wrap(fleet.ErrUnauthenticated), 401, "unauthenticated", "WWW-Authenticate"},
		{wrap(fleet.ErrLimit), 429, "limit", "Retry-After"},
		{wrap(fleet.ErrUnavailable), 503, "unavailable", "Retry-After"},
		{wrap(context.DeadlineExceeded), 503, "unavailable", "Retry-After"},
		{rest.NewProblem(rest.TypeMediaType, "do it: odd: because"), 415, "media-type", ""},
	} {
		fail = c.err
		rec := f.call("PUT", "/api/v1/things/a", map[string]any{"name": "xy"}, as(account.Admin))
		p := f.problem(rec, c.status, c.typ)
		if p["detail"] != c.err.Error() {
			t.Errorf("detail is %v, want %q", p["detail"], c.err)
		}
		if c.header != "" && rec.Header().Get(c.header) == "" {
			t.Errorf("%s: no header %s", c.typ, c.header)
		}
	}
	if f.log.String() != "" {
		t.Errorf("client errors were logged:\n%s", f.log)
	}
	fail = errors.New("open /secret/path: broken")
	rec := f.call("PUT", "/api/v1/things/a", map[string]any{"name": "xy"}, as(account.Admin), header("X-Request-Id", "my-id.7"))
	p := f.problem(rec, 500, "internal")
	if strings.Contains(rec.Body.String(), "secret") || p["detail"] != nil || p["request_id"] != "my-id.7" {
		t.Errorf("the answer tells too much or too little: %s", rec.Body)
	}
	if log := f.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "/secret/path") || !strings.Contains(log, "my-id.7") {
		t.Errorf("the log has:\n%s", log)
	}
	counts := f.Counts()
	if counts.ByClass["4xx"] != 11 || counts.ByClass["5xx"] != 3 || counts.ByProblem["limit"] != 1 || counts.ByProblem["internal"] != 1 {
		t.Errorf("counts are %+v", counts)
	}
}

func TestProblem_TellsWhoWon(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(func(context.Context) error {
		err := fmt.Errorf("accept: %w", fleet.ErrVersion)
		return rest.WithMember(fmt.Errorf("outer: %w", rest.WithMember(err, "request", map[string]any{"accepted_by": "Anna"})), "more", 1)
	})
	p := f.problem(f.call("PUT", "/api/v1/things/a", map[string]any{"name": "xy"}, as(account.Admin)), 409, "version")
	if r, ok := p["request"].(map[string]any); !ok || r["accepted_by"] != "Anna" || p["more"] != float64(1) {
		t.Errorf("problem is %v", p)
	}
}

func TestProblem_BrokenInput(t *testing.T) {
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.MaxBody = 1000 })
	f.addThings(none)
	path := "/api/v1/things/a"
	put := func(path string, body any, options ...func(*http.Request)) *httptest.ResponseRecorder {
		return f.call("PUT", path, body, append(options, as(account.Admin))...)
	}
	f.problem(put(path, `{"name":`), 400, "syntax")
	f.problem(put(path, `{"name":"xy"} x`), 400, "syntax")
	f.problem(put(path, ``), 400, "syntax")
	p := f.problem(put(path, `{"name":"hunter2hunter2","count":"many","extra":1}`), 422, "invalid")
	if errs, ok := p["errors"].([]any); !ok || len(errs) != 2 || !strings.Contains(fmt.Sprint(errs), "body.count") {
		t.Errorf("errors are %v", p["errors"])
	}
	if strings.Contains(fmt.Sprint(p), "hunter2") {
		t.Errorf("the answer repeats the input: %v", p)
	}
	p = f.problem(put(path, `{"name":"x"}`), 422, "invalid")
	if p["detail"] != "body.name: expected length >= 2" {
		t.Errorf("detail is %v", p["detail"])
	}
	f.problem(put("/api/v1/things/abcdefghijk", `{"name":"xy"}`), 422, "invalid")
	f.problem(put(path, `{"name":"`+strings.Repeat("x", 1000)+`"}`), 413, "too-large")
	f.problem(put(path, strings.Repeat(" ", 990)+`{"name":"xyz"}`, func(r *http.Request) { r.ContentLength = -1 }), 413, "too-large")
	f.ok(put(path, strings.Repeat(" ", 987)+`{"name":"xy"}`), 200) // exactly the limit
	f.problem(put(path, `name=xy`, header("Content-Type", "application/x-www-form-urlencoded")), 415, "media-type")
	f.problem(put(path, `{}`, header("Content-Type", "///")), 415, "media-type")
	f.ok(put(path, `{"name":"xy"}`, header("Content-Type", "application/json; charset=utf-8")), 200)
	f.ok(put(path, `{"name":"xy"}`, func(r *http.Request) { r.Header.Del("Content-Type") }), 200)
	f.problem(f.call("GET", "/api/v1/nothing", nil), 404, "not-found")
	f.problem(f.call("GET", "/api", nil), 404, "not-found")
	f.problem(f.call("GET", "/api/v1/things/a/", nil), 404, "not-found")
	rec := f.call("PATCH", path, nil)
	f.problem(rec, 405, "method-not-allowed")
	if allow := rec.Header().Get("Allow"); !strings.Contains(allow, "PUT") || !strings.Contains(allow, "GET") {
		t.Errorf("Allow is %q", allow)
	}
	f.ok(f.call("GET", "/api/v1/things/a%2Fb", nil, as(account.Admin)), 200) // one name, not two levels
	if f.log.String() != "" {
		t.Errorf("broken input was logged:\n%s", f.log)
	}
}

func TestProblem_BodyThatBreaksOff(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	broken := func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"na`), errReader{}))
		r.ContentLength = 100
	}
	f.problem(f.call("PUT", "/api/v1/things/a", `{}`, as(account.Admin), broken), 400, "syntax")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestRecovery_PanicIsLoggedOnceAndHidden(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(func(context.Context) error { panic("secret state") })
	rec := f.call("PUT", "/api/v1/things/a", map[string]any{"name": "xy"}, as(account.Admin))
	f.problem(rec, 500, "internal")
	if strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("the answer tells the panic: %s", rec.Body)
	}
	if log := f.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "secret state") || !strings.Contains(log, "PUT /api/v1/things/{id}") {
		t.Errorf("the log has:\n%s", log)
	}
}

func TestAccess_WhoMay(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	body := map[string]any{"name": "xy"}
	rec := f.call("PUT", "/api/v1/things/a", body)
	f.problem(rec, 401, "unauthenticated")
	if rec.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Error("no WWW-Authenticate")
	}
	p := f.problem(f.call("PUT", "/api/v1/things/a", body, as(account.Viewer)), 403, "forbidden")
	if !strings.Contains(fmt.Sprint(p["detail"]), "devices.write") {
		t.Errorf("detail is %v", p["detail"])
	}
	f.ok(f.call("PUT", "/api/v1/things/a", body, as(account.Chief)), 200)
	for _, h := range []string{"Bearer obd_" + strings.Repeat("A", 43), "Bearer ", "Basic YTpi", "x"} {
		f.problem(f.call("PUT", "/api/v1/things/a", body, header("Authorization", h)), 401, "unauthenticated")
	}
	_, secret, err := f.accounts.AddToken(t.Context(), account.HubPolicy().Local(), account.NewToken{Name: "t", Role: account.Chief})
	if err != nil {
		t.Fatal(err)
	}
	f.ok(f.call("PUT", "/api/v1/things/a", body, header("Authorization", "bearer "+secret)), 200)
}

func TestAccess_SiteOfTheRoute(t *testing.T) {
	f := newFace(t, account.ConsolePolicy(), nil)
	rest.Register(f.API, rest.Route{
		OperationID: "site", Method: http.MethodPost, Path: "/api/v1/sites/{site}/sync", Permission: account.SyncControl, Site: "site",
	}, func(context.Context, *struct {
		Site string `path:"site"`
	}) (*struct{}, error) {
		return nil, nil
	})
	f.ok(f.call("POST", "/api/v1/sites/yacht-1/sync", nil, as(account.Manager)), 204)
	f.problem(f.call("POST", "/api/v1/sites/yacht-2/sync", nil, as(account.Manager)), 404, "not-found")
	f.problem(f.call("POST", "/api/v1/sites/yacht-2/sync", nil, as(account.Viewer)), 403, "forbidden")
	f.ok(f.call("POST", "/api/v1/sites/yacht-2/sync", nil, as(account.Owner)), 204)
	f.problem(f.call("POST", "/api/v1/sites/a%20b/sync", nil, as(account.Owner)), 422, "invalid")
}

func TestRegister_RefusesWhatIsWrong(t *testing.T) {
	ok := rest.Route{OperationID: "x", Method: "GET", Path: "/api/v1/x", Permission: account.DevicesRead}
	for name, change := range map[string]func(*rest.Route){
		"neither permission nor public": func(r *rest.Route) { r.Permission = "" },
		"both":                          func(r *rest.Route) { r.Public = true },
		"unknown permission":            func(r *rest.Route) { r.Permission = "devices.admire" },
		"no operation id":               func(r *rest.Route) { r.OperationID = "" },
		"operation id twice":            func(r *rest.Route) { r.OperationID = "sign-in" },
		"no such path parameter":        func(r *rest.Route) { r.Site = "site" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFace(t, account.HubPolicy(), nil)
			r := ok
			change(&r)
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			f.Raw(r, func(*gin.Context) {})
		})
	}
	t.Run("after Handler", func(t *testing.T) {
		f := newFace(t, account.HubPolicy(), nil)
		f.Handler()
		defer func() {
			if recover() == nil {
				t.Error("it was registered")
			}
		}()
		f.Raw(ok, func(*gin.Context) {})
	})
}

func TestWalkRoles_AccountRoutes(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	resttest.WalkRoles(t, f.API, resttest.Rights{
		"GET /healthz":                    resttest.Public,
		"GET /readyz":                     resttest.Public,
		"GET /api/v1/openapi.json":        resttest.Public,
		"GET /api/docs":                   resttest.Public,
		"GET /api/docs/docs.js":           resttest.Public,
		"GET /api/docs/docs.css":          resttest.Public,
		"GET /api/v1/setup":               resttest.Public,
		"POST /api/v1/setup/local":        "public",
		"POST /api/v1/setup":              resttest.Public,
		"POST /api/v1/sessions":           resttest.Public,
		"GET /api/v1/sessions":            "admin chief crew viewer",
		"GET /api/v1/sessions/current":    "admin chief crew viewer",
		"DELETE /api/v1/sessions/current": "admin chief crew viewer",
		"DELETE /api/v1/sessions/{id}":    "admin chief crew viewer",
		"GET /api/v1/tokens":              "admin",
		"POST /api/v1/tokens":             "admin",
		"DELETE /api/v1/tokens/{id}":      "admin",
		"GET /api/v1/roles":               "admin chief crew viewer",
		"GET /api/v1/users":               "admin chief",
		"POST /api/v1/users":              "admin",
		"GET /api/v1/users/{id}":          "admin chief",
		"PUT /api/v1/users/{id}":          "admin",
		"DELETE /api/v1/users/{id}":       "admin",
		"PUT /api/v1/users/{id}/password": "admin chief crew viewer",
		"PUT /api/v1/things/{id}":         "admin chief",
		"GET /api/v1/things/{id}":         "admin chief crew viewer",
	})
}

func TestHeaders_SecurityOnEveryAnswer(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	for _, path := range []string{"/healthz", "/api/v1/setup", "/api/v1/nothing", "/api/docs"} {
		h := f.call("GET", path, nil).Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: CSP is %q", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Request-Id") == "" {
			t.Errorf("%s: headers are %v", path, h)
		}
		if strings.HasPrefix(path, "/api") && h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be kept", path)
		}
	}
	for in, keep := range map[string]bool{"abc-1._Z": true, "a b": false, "a\"": false, strings.Repeat("x", 65): false} {
		if got := f.call("GET", "/healthz", nil, header("X-Request-Id", in)).Header().Get("X-Request-Id"); (got == in) != keep || got == "" {
			t.Errorf("request id %q became %q", in, got)
		}
	}
}

func TestHost_RebindingIsRefused(t *testing.T) {
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.Hosts = []string{"Hub.Example.com"} })
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:8080": true, "127.0.0.1:8080": true, "[::1]:8080": true, "192.168.1.5": true,
		"hub": true, "hub.local": true, "hub.local.:8080": true, "hub.example.com:443": true, "HUB.EXAMPLE.COM": true,
		"evil.example.org": false, "hub.example.com.evil.org": false, "evil.org:8080": false, "local.evil.org": false,
	} {
		rec := f.call("GET", "/healthz", nil, func(r *http.Request) { r.Host = host })
		if ok {
			f.ok(rec, 200)
		} else {
			f.problem(rec, 421, "host")
		}
	}
	f.ok(f.call("GET", "/healthz", nil, func(r *http.Request) { r.Host = "evil.org" }, as(account.Admin)), 200) // the Unix socket
	open := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.Hosts = []string{"*"} })
	open.ok(open.call("GET", "/healthz", nil, func(r *http.Request) { r.Host = "any.example.org" }), 200)
}

func TestCrossOrigin_CookieOfAnotherPageIsRefused(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	_, err := f.accounts.MakeFirst(t.Context(), account.NewUser{Username: "anna", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	signIn := map[string]any{"username": "anna", "password": "correct horse"}
	in := f.call("POST", "/api/v1/sessions", signIn)
	f.ok(in, 201)
	body := map[string]any{"name": "xy"}
	cookie := withCookies(in)
	f.ok(f.call("PUT", "/api/v1/things/a", body, cookie), 200)
	f.ok(f.call("PUT", "/api/v1/things/a", body, cookie, header("Sec-Fetch-Site", "same-origin")), 200)
	f.ok(f.call("PUT", "/api/v1/things/a", body, cookie, header("Origin", "http://localhost")), 200)
	f.problem(f.call("PUT", "/api/v1/things/a", body, cookie, header("Sec-Fetch-Site", "cross-site")), 403, "cross-origin")
	f.problem(f.call("PUT", "/api/v1/things/a", body, cookie, header("Origin", "http://evil.example")), 403, "cross-origin")
	f.problem(f.call("POST", "/api/v1/sessions", signIn, header("Origin", "http://evil.example")), 403, "cross-origin")
	_, token, err := f.accounts.AddToken(t.Context(), account.HubPolicy().Local(), account.NewToken{Name: "t", Role: account.Chief})
	if err != nil {
		t.Fatal(err)
	}
	f.ok(f.call("PUT", "/api/v1/things/a", body, header("Authorization", "Bearer "+token), header("Origin", "http://evil.example")), 200)
}

func TestCheckOrigin_WebSocketsOfOtherPagesAreRefused(t *testing.T) {
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.TrustedOrigins = []string{"https://ui.example"} })
	for origin, want := range map[string]bool{
		"": true, "http://localhost": true, "https://ui.example": true, "http://evil.example": false, "null": false,
	} {
		r := httptest.NewRequest("GET", "http://localhost/api/v1/traffic/live", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if got := f.CheckOrigin(r); got != want {
			t.Errorf("origin %q: %v, want %v", origin, got, want)
		}
	}
	if _, err := rest.New(rest.Config{Accounts: f.accounts, TrustedOrigins: []string{"not an origin"}}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a bad origin: %v", err)
	}
}

func TestMatch_PreconditionsAndUnchanged(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	rest.Register(f.API, rest.Route{
		OperationID: "change", Method: http.MethodPut, Path: "/api/v1/configs/{id}", Permission: account.DevicesWrite, IfMatch: true,
	}, func(ctx context.Context, _ *thingInput) (*thingOutput, error) {
		if err := rest.CheckMatch(ctx, 7); err != nil {
			return nil, err
		}
		return &thingOutput{ETag: rest.ETag(8)}, nil
	})
	body := map[string]any{"name": "xy"}
	put := func(match string) *httptest.ResponseRecorder {
		return f.call("PUT", "/api/v1/configs/a", body, as(account.Admin), header("If-Match", match))
	}
	f.problem(f.call("PUT", "/api/v1/configs/a", body, as(account.Admin)), 428, "precondition-required")
	for _, m := range []string{`"v6"`, `"other"`, `W/"v7"`, `v7`, `"v-7"`} {
		f.problem(put(m), 412, "precondition-failed")
	}
	for _, m := range []string{`"v7"`, `*`, `"v6", "v7"`} {
		if rec := put(m); rec.Code != 200 || rec.Header().Get("ETag") != `"v8"` {
			t.Errorf("%s: %d %s", m, rec.Code, rec.Body)
		}
	}
	rec := f.call("GET", "/api/v1/things/a", nil, as(account.Viewer), header("If-None-Match", `"v6", W/"v7"`))
	if rec.Code != 304 || rec.Body.Len() != 0 {
		t.Errorf("unchanged: %d %q", rec.Code, rec.Body)
	}
	f.ok(f.call("GET", "/api/v1/things/a", nil, as(account.Viewer), header("If-None-Match", `"v6"`)), 200)
}

func TestPage_LimitsAndCursors(t *testing.T) {
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.PageMax, c.PageDefault = 5, 2 })
	admin := account.HubPolicy().Local()
	for i := range 6 {
		if _, err := f.accounts.AddUser(t.Context(), admin, account.NewUser{
			Username: fmt.Sprint("user", i), Password: "correct horse", Role: account.Crew,
		}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := 0
	for cursor := ""; ; pages++ {
		page := f.ok(f.call("GET", "/api/v1/users?cursor="+cursor, nil, as(account.Admin)), 200)
		for _, u := range page["items"].([]any) {
			names = append(names, u.(map[string]any)["username"].(string))
		}
		next, more := page["next_cursor"].(string)
		if !more {
			if _, there := page["next_cursor"]; !there {
				t.Error("the last page has no next_cursor")
			}
			break
		}
		cursor = next
	}
	if strings.Join(names, " ") != "user0 user1 user2 user3 user4 user5" || pages != 2 {
		t.Errorf("%d pages with %v", pages+1, names)
	}
	if page := f.ok(f.call("GET", "/api/v1/users?limit=5", nil, as(account.Admin)), 200); len(page["items"].([]any)) != 5 {
		t.Errorf("limit 5: %v", page)
	}
	f.problem(f.call("GET", "/api/v1/users?limit=6", nil, as(account.Admin)), 422, "invalid")
	f.problem(f.call("GET", "/api/v1/users?limit=0", nil, as(account.Admin)), 422, "invalid")
	f.problem(f.call("GET", "/api/v1/users?limit=x", nil, as(account.Admin)), 422, "invalid")
	f.problem(f.call("GET", "/api/v1/users?cursor=!!", nil, as(account.Admin)), 400, "syntax")
	f.problem(f.call("GET", "/api/v1/users?cursor="+rest.EncodeCursor(7), nil, as(account.Admin)), 400, "syntax")
	empty := newFace(t, account.HubPolicy(), nil)
	if b := empty.call("GET", "/api/v1/users", nil, as(account.Admin)).Body.String(); b != `{"items":[],"next_cursor":null}`+"\n" {
		t.Errorf("an empty page is %s", b)
	}
}

func TestHealth_ReadyTellsWhyNot(t *testing.T) {
	var why error
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.Ready = func() error { return why } })
	if v := f.ok(f.call("GET", "/healthz", nil), 200); v["status"] != "ok" || v["version"] != "1.2.3" {
		t.Errorf("health is %v", v)
	}
	f.ok(f.call("GET", "/readyz", nil), 200)
	why = errors.New("the store is opening")
	p := f.problem(f.call("GET", "/readyz", nil), 503, "unavailable")
	if p["detail"] != "unavailable: the store is opening" {
		t.Errorf("detail is %v", p["detail"])
	}
	if f.log.String() != "" {
		t.Errorf("logged:\n%s", f.log)
	}
}
