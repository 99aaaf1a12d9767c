package rest_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accounttest"
	"github.com/obedio/obedio/shared/rest"
)

func TestSetup_MakesTheFirstAdministratorOnceAndSignsIn(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	if v := f.ok(f.call("GET", "/api/v1/setup", nil), 200); v["needed"] != true {
		t.Errorf("setup is %v", v)
	}
	code, err := f.accounts.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"code": "WRONG", "username": "anna", "password": "correct horse"}
	f.problem(f.call("POST", "/api/v1/setup", body), 403, "forbidden")
	body["code"] = code
	body["password"] = "short"
	f.problem(f.call("POST", "/api/v1/setup", body), 422, "invalid")
	body["password"] = "correct horse"
	rec := f.call("POST", "/api/v1/setup", body)
	v := f.ok(rec, 201)
	if u := v["user"].(map[string]any); u["username"] != "anna" || u["role"] != "admin" || u["user_id"] == "" {
		t.Errorf("user is %v", u)
	}
	who := f.ok(f.call("GET", "/api/v1/sessions/current", nil, withCookies(rec)), 200)
	if who["session_id"] != v["session_id"] {
		t.Errorf("who is %v", who)
	}
	if v := f.ok(f.call("GET", "/api/v1/setup", nil), 200); v["needed"] != false {
		t.Errorf("setup is %v", v)
	}
	f.problem(f.call("POST", "/api/v1/setup", body), 409, "state")
}

func TestSetup_WrongCodesWait(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	body := map[string]any{"code": "WRONG", "username": "anna", "password": "correct horse"}
	for range 5 {
		f.problem(f.call("POST", "/api/v1/setup", body), 403, "forbidden")
	}
	rec := f.call("POST", "/api/v1/setup", body)
	f.problem(rec, 429, "limit")
	if rec.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", rec.Header().Get("Retry-After"))
	}
}

func (f *face) person(name string, role account.Role) {
	f.t.Helper()
	_, err := f.accounts.AddUser(f.t.Context(), account.HubPolicy().Local(), account.NewUser{
		Username: name, Name: strings.ToUpper(name), Password: "correct horse", Role: role,
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *face) signIn(name string, options ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.call("POST", "/api/v1/sessions", map[string]any{"username": name, "password": "correct horse"}, options...)
}

func TestSessions_WholeLife(t *testing.T) {
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.Cookie = "obedio-hub" })
	f.person("anna", account.Crew)
	f.person("bert", account.Admin)
	f.problem(f.call("POST", "/api/v1/sessions", map[string]any{"username": "anna", "password": "wrong"}), 401, "unauthenticated")
	in := f.signIn("Anna", header("User-Agent", "browser"))
	v := f.ok(in, 201)
	if u := v["user"].(map[string]any); u["username"] != "anna" || u["name"] != "ANNA" || u["role"] != "crew" {
		t.Errorf("user is %v", u)
	}
	if v["expires_at"] != "2026-05-30T12:00:00Z" {
		t.Errorf("expires_at is %v", v["expires_at"])
	}
	cookies := in.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies are %v", cookies)
	}
	c := cookies[0]
	if c.Name != "obedio-hub" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" || c.Domain != "" || c.MaxAge != 90*24*3600 {
		t.Errorf("cookie is %+v", c)
	}
	if in.Header().Get("Location") != "/api/v1/sessions/current" {
		t.Errorf("Location is %q", in.Header().Get("Location"))
	}
	who := f.ok(f.call("GET", "/api/v1/sessions/current", nil, withCookies(in)), 200)
	if !strings.Contains(strings.Join(texts(who["permissions"]), " "), "requests.accept") {
		t.Errorf("permissions are %v", who["permissions"])
	}

	// Signing in again with the cookie ends the session that it was for.
	second := f.signIn("anna", withCookies(in))
	f.ok(second, 201)
	if second.Result().Cookies()[0].Value == c.Value {
		t.Error("the session was taken over")
	}
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, withCookies(in)), 401, "unauthenticated")

	other := f.signIn("anna")
	f.ok(other, 201)
	list := f.ok(f.call("GET", "/api/v1/sessions", nil, withCookies(second)), 200)["items"].([]any)
	if len(list) != 2 {
		t.Fatalf("sessions are %v", list)
	}
	f.problem(f.call("GET", "/api/v1/sessions?all=true", nil, withCookies(second)), 403, "forbidden")
	var others string
	for _, s := range list {
		if s := s.(map[string]any); s["current"] == false {
			others = s["session_id"].(string)
		}
	}
	f.ok(f.call("DELETE", "/api/v1/sessions/"+others, nil, withCookies(second)), 204)
	f.problem(f.call("GET", "/api/v1/sessions", nil, withCookies(other)), 401, "unauthenticated")
	f.problem(f.call("DELETE", "/api/v1/sessions/"+others, nil, withCookies(second)), 404, "not-found")
	f.problem(f.call("DELETE", "/api/v1/sessions/x", nil, withCookies(second)), 422, "invalid")

	admin := f.signIn("bert")
	all := f.ok(f.call("GET", "/api/v1/sessions?all=true", nil, withCookies(admin)), 200)["items"].([]any)
	if len(all) != 2 {
		t.Errorf("all sessions are %v", all)
	}

	out := f.call("DELETE", "/api/v1/sessions/current", nil, withCookies(second))
	f.ok(out, 204)
	if c := out.Result().Cookies()[0]; c.MaxAge != -1 || c.Value != "" || c.Name != "obedio-hub" {
		t.Errorf("cookie after signing out is %+v", c)
	}
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, withCookies(second)), 401, "unauthenticated")
	f.problem(f.call("DELETE", "/api/v1/sessions/current", nil, func(r *http.Request) {
		*r = *r.WithContext(rest.WithLocal(r.Context(), account.HubPolicy().Local()))
	}), 409, "state")
}

func texts(v any) []string {
	var s []string
	for _, x := range v.([]any) {
		s = append(s, x.(string))
	}
	return s
}

func TestSessions_OverTLSTheCookieIsBoundToTheHost(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.person("anna", account.Crew)
	secure := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	in := f.signIn("anna", secure)
	f.ok(in, 201)
	c := in.Result().Cookies()[0]
	if c.Name != "__Host-obedio" || !c.Secure || c.Path != "/" || c.Domain != "" || !c.HttpOnly {
		t.Errorf("cookie is %+v", c)
	}
	f.ok(f.call("GET", "/api/v1/sessions/current", nil, secure, withCookies(in)), 200)
	// The cookie of the one is nothing to the other.
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, withCookies(in)), 401, "unauthenticated")
	plain := f.signIn("anna")
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, secure, withCookies(plain)), 401, "unauthenticated")
}

func TestSessions_PlainHTTPForSomeRolesOnly(t *testing.T) {
	f := newFace(t, account.HubPolicy(), func(c *rest.Config) { c.PlainHTTPRoles = []account.Role{account.Crew, account.Viewer} })
	f.person("anna", account.Crew)
	f.person("bert", account.Admin)
	from := func(a string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = a } }
	f.ok(f.signIn("anna", from("192.168.1.5:4000")), 201)
	f.problem(f.signIn("bert", from("192.168.1.5:4000")), 403, "forbidden")
	if ss, err := f.store.Sessions(t.Context(), "", "", 10); err != nil || len(ss) != 1 {
		t.Errorf("a refused sign-in left a session: %v, %v", ss, err)
	}
	near := f.signIn("bert", from("127.0.0.1:4000"))
	f.ok(near, 201)
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, withCookies(near), from("192.168.1.5:4000")), 403, "forbidden")
	f.ok(f.signIn("bert", from("192.168.1.5:4000"), func(r *http.Request) { r.TLS = &tls.ConnectionState{} }), 201)
	f.ok(f.signIn("bert", from("@")), 201) // a Unix socket
}

func TestTokens_MakeListRevoke(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.person("bert", account.Admin)
	admin := withCookies(f.signIn("bert"))
	f.problem(f.call("POST", "/api/v1/tokens", map[string]any{"name": "t", "role": "emperor"}, admin), 422, "invalid")
	made := f.ok(f.call("POST", "/api/v1/tokens", map[string]any{"name": "script", "role": "viewer", "expires_at": "2026-03-02T00:00:00Z"}, admin), 201)
	secret := made["token"].(string)
	if !strings.HasPrefix(secret, "obd_") || made["role"] != "viewer" || made["used_at"] != nil {
		t.Errorf("token is %v", made)
	}
	bearer := header("Authorization", "Bearer "+secret)
	who := f.ok(f.call("GET", "/api/v1/sessions/current", nil, bearer), 200)
	if who["kind"] != "token" || who["session_id"] != nil || who["user"].(map[string]any)["name"] != "script" {
		t.Errorf("who is %v", who)
	}
	f.problem(f.call("POST", "/api/v1/tokens", map[string]any{"name": "t", "role": "viewer", "scopes": []string{"users.write"}}, admin), 422, "invalid")
	list := f.call("GET", "/api/v1/tokens", nil, admin)
	items := f.ok(list, 200)["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["used_at"] == nil || strings.Contains(list.Body.String(), secret) {
		t.Errorf("tokens are %s", list.Body)
	}
	f.problem(f.call("GET", "/api/v1/tokens", nil, bearer), 403, "forbidden")
	f.ok(f.call("DELETE", "/api/v1/tokens/"+made["id"].(string), nil, admin), 204)
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, bearer), 401, "unauthenticated")
	f.problem(f.call("DELETE", "/api/v1/tokens/"+made["id"].(string), nil, admin), 404, "not-found")
}

func TestTokens_ScopesAreShownAndEnforced(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	in := map[string]any{"name": "script", "role": "chief", "scopes": []string{"sessions.own", "devices.read"}}
	made := f.ok(f.call("POST", "/api/v1/tokens", in, as(account.Admin)), 201)
	bearer := header("Authorization", "Bearer "+made["token"].(string))
	f.ok(f.call("GET", "/api/v1/things/a", nil, bearer), 200)
	f.problem(f.call("PUT", "/api/v1/things/a", map[string]any{"name": "xy"}, bearer), 403, "forbidden")
	f.problem(f.call("GET", "/api/v1/users", nil, bearer), 403, "forbidden")
	want := "devices.read sessions.own"
	if got := strings.Join(texts(f.ok(f.call("GET", "/api/v1/sessions/current", nil, bearer), 200)["permissions"]), " "); got != want {
		t.Errorf("permissions are %s", got)
	}
	list := f.ok(f.call("GET", "/api/v1/tokens", nil, as(account.Admin)), 200)["items"].([]any)
	if got := strings.Join(texts(list[0].(map[string]any)["scopes"]), " "); got != want {
		t.Errorf("scopes are %s", got)
	}
}

// A flood from many addresses with many names passes every back-off: the queue
// bounds it. What it costs is measured in memory, not by the clock.
func TestSignIn_AFloodFromEverywhereWaitsInABoundedQueue(t *testing.T) {
	const one = 4 << 20 // of one password, in bytes
	accounts, err := account.New(account.Config{
		Store: accounttest.NewMemory(), Policy: account.HubPolicy(),
		Passwords: account.PasswordConfig{MemoryKiB: one >> 10, Passes: 1, AtOnce: 2, Waiting: 6},
	})
	if err != nil {
		t.Fatal(err)
	}
	api, err := rest.New(rest.Config{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	api.AccountRoutes()
	h := api.Handler()
	const n = 500
	recs := make([]*httptest.ResponseRecorder, n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		recs[i] = httptest.NewRecorder()
		wg.Go(func() {
			<-start
			body := fmt.Sprintf(`{"username":"somebody-%d","password":"a guess of mine"}`, i)
			req := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/api/v1/sessions", strings.NewReader(body))
			req.RemoteAddr = fmt.Sprintf("[2001:db8:0:%x::1]:4000", i)
			h.ServeHTTP(recs[i], req)
		})
	}
	close(start)
	wg.Wait()
	runtime.ReadMemStats(&after)
	looked := 0
	for _, rec := range recs {
		switch rec.Code {
		case http.StatusUnauthorized:
			looked++
		case http.StatusServiceUnavailable:
			if rec.Header().Get("Retry-After") == "" {
				t.Error("turned away, and not told for how long")
			}
		default:
			t.Errorf("got %d %s", rec.Code, rec.Body)
		}
	}
	if looked < 8 {
		t.Errorf("%d were looked at, want at least those with a place", looked)
	}
	if took, most := after.TotalAlloc-before.TotalAlloc, uint64(looked*(one+one/8)+n*(64<<10)); took > most {
		t.Errorf("%d of %d were looked at, and it took %d MiB of allocations, want at most %d", looked, n, took>>20, most>>20)
	}
}
