package rest_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/account"
)

// tablets is a face with a chief, a person of the crew with the PIN 482913,
// and an enrolled tablet.
type tablets struct {
	*face
	chief, tablet func(*http.Request)
	anna          string
}

func newTablets(t *testing.T) *tablets {
	f := &tablets{face: newFace(t, account.HubPolicy(), nil)}
	f.TabletRoutes()
	f.addThings(none)
	f.person("anna", account.Crew)
	f.person("carl", account.Chief)
	f.chief = withCookies(f.signIn("carl"))
	f.anna = f.id("anna")
	f.ok(f.call("PUT", "/api/v1/users/"+f.anna+"/pin", map[string]any{"pin": "482913"}, f.chief), 204)
	f.tablet = withCookies(f.enrol())
	return f
}

func (f *face) id(name string) string {
	f.t.Helper()
	u, err := f.accounts.UserByName(f.t.Context(), account.HubPolicy().Local(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(u.ID)
}

func (f *tablets) enrol(options ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	rec := f.call("POST", "/api/v1/tablets", map[string]any{"name": "pantry"}, append(options, f.chief)...)
	f.ok(rec, 201)
	return rec
}

func (f *tablets) pin(user, pin string, options ...func(*http.Request)) *httptest.ResponseRecorder {
	f.t.Helper()
	return f.call("POST", "/api/v1/sessions/pin", map[string]any{"user_id": user, "pin": pin}, options...)
}

func TestTablets_OnlyThereCrewSignInWithAPIN(t *testing.T) {
	f := newTablets(t)
	f.problem(f.call("GET", "/api/v1/sessions/tiles", nil), 401, "unauthenticated")
	f.problem(f.call("GET", "/api/v1/sessions/tiles", nil, f.chief), 401, "unauthenticated")
	f.problem(f.pin(f.anna, "482913"), 401, "unauthenticated")
	tiles := f.call("GET", "/api/v1/sessions/tiles", nil, f.tablet)
	f.ok(tiles, 200)
	if got, want := strings.TrimSpace(tiles.Body.String()), `{"items":[{"user_id":"`+f.anna+`","name":"ANNA"}]}`; got != want {
		t.Errorf("tiles are %s, want %s", got, want)
	}
	f.problem(f.pin(f.anna, "482914", f.tablet), 401, "unauthenticated")
	f.problem(f.pin(f.id("carl"), "482913", f.tablet), 401, "unauthenticated")
	in := f.pin(f.anna, "482913", f.tablet)
	if u := f.ok(in, 201)["user"].(map[string]any); u["role"] != "crew" || u["username"] != "anna" {
		t.Errorf("user is %v", u)
	}
	list := f.ok(f.call("GET", "/api/v1/sessions", nil, withCookies(in)), 200)["items"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["tablet_id"] == nil {
		t.Errorf("sessions are %v", list)
	}
	f.problem(f.call("PUT", "/api/v1/things/a", map[string]any{"name": "xy"}, withCookies(in)), 403, "forbidden")
}

func TestTablets_TheCookieIsOfTheHostAloneAndStaysAfterSigningOut(t *testing.T) {
	f := newTablets(t)
	for name, c := range map[string]*http.Cookie{
		"obedio_tablet":        f.enrol().Result().Cookies()[0],
		"__Host-obedio_tablet": f.call("POST", "/api/v1/tablets", map[string]any{"name": "bridge"}, as(account.Chief), func(r *http.Request) { r.TLS = &tls.ConnectionState{} }).Result().Cookies()[0],
	} {
		secure := strings.HasPrefix(name, "__Host-")
		if c.Name != name || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != secure || c.Path != "/" || c.Domain != "" || c.MaxAge != 400*24*3600 {
			t.Errorf("cookie is %+v, want %s", c, name)
		}
	}
	in := f.pin(f.anna, "482913", f.tablet)
	f.ok(in, 201)
	if cs := in.Result().Cookies(); len(cs) != 2 || cs[0].Name != "obedio" || cs[1].Name != "obedio_tablet" {
		t.Fatalf("cookies are %v", cs)
	}
	out := f.call("DELETE", "/api/v1/sessions/current", nil, withCookies(in))
	f.ok(out, 204)
	if cs := out.Result().Cookies(); len(cs) != 1 || cs[0].Name != "obedio" {
		t.Errorf("cookies after signing out are %v", cs)
	}
	f.ok(f.call("GET", "/api/v1/sessions/tiles", nil, f.tablet), 200)
}

func TestTablets_ListRevokeAndEnrolAgain(t *testing.T) {
	f := newTablets(t)
	in := withCookies(f.pin(f.anna, "482913", f.tablet))
	password := withCookies(f.signIn("anna"))
	list := f.ok(f.call("GET", "/api/v1/tablets", nil, f.chief, f.tablet), 200)["items"].([]any)
	v := list[0].(map[string]any)
	if len(list) != 1 || v["name"] != "pantry" || v["enrolled_by"] != "CARL" || v["used_at"] == nil || v["current"] != true {
		t.Fatalf("tablets are %v", list)
	}
	if s := f.call("GET", "/api/v1/tablets", nil, f.chief).Body.String(); strings.Contains(s, "hash") {
		t.Errorf("tablets are %s", s)
	}
	f.problem(f.call("GET", "/api/v1/tablets", nil, password), 403, "forbidden")
	f.problem(f.call("DELETE", "/api/v1/tablets/x", nil, f.chief), 422, "invalid")
	f.ok(f.call("DELETE", "/api/v1/tablets/"+v["tablet_id"].(string), nil, f.chief), 204)
	f.problem(f.call("DELETE", "/api/v1/tablets/"+v["tablet_id"].(string), nil, f.chief), 404, "not-found")
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, in), 401, "unauthenticated")
	f.ok(f.call("GET", "/api/v1/sessions/current", nil, password), 200)
	f.problem(f.pin(f.anna, "482913", f.tablet), 401, "unauthenticated")

	first := f.enrol()
	f.enrol(withCookies(first)) // the same browser once more
	if list := f.ok(f.call("GET", "/api/v1/tablets", nil, f.chief), 200)["items"].([]any); len(list) != 1 {
		t.Errorf("tablets are %v", list)
	}
}

func TestPIN_IsSetByOneselfOrAChief(t *testing.T) {
	f := newTablets(t)
	f.person("bert", account.Crew)
	path := "/api/v1/users/" + f.anna + "/pin"
	anna, bert := withCookies(f.signIn("anna")), withCookies(f.signIn("bert"))
	f.problem(f.call("PUT", path, map[string]any{"pin": "123456"}, f.chief), 422, "invalid")
	f.problem(f.call("PUT", path, map[string]any{"pin": "591730"}, bert), 403, "forbidden")
	f.problem(f.call("PUT", path, map[string]any{"pin": "591730"}, anna), 403, "forbidden")
	f.problem(f.call("PUT", path, map[string]any{"pin": "591730", "current": "482914"}, anna), 403, "forbidden")
	f.ok(f.call("PUT", path, map[string]any{"pin": "591730", "current": "482913"}, anna), 204)
	f.ok(f.call("PUT", path, map[string]any{"pin": "482913", "current": "correct horse"}, anna), 204)
	f.problem(f.call("PUT", "/api/v1/users/"+f.id("carl")+"/pin", map[string]any{"pin": "591730", "current": "correct horse"}, f.chief), 409, "state")
	if u := f.ok(f.call("GET", "/api/v1/users/"+f.anna, nil, f.chief), 200); u["has_pin"] != true {
		t.Errorf("user is %v", u)
	}
	in := withCookies(f.pin(f.anna, "482913", f.tablet))
	f.problem(f.call("DELETE", path, nil, bert), 403, "forbidden")
	f.ok(f.call("DELETE", path, nil, f.chief), 204)
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, in), 401, "unauthenticated")
	f.ok(f.call("GET", "/api/v1/sessions/current", nil, anna), 200)
	f.problem(f.pin(f.anna, "482913", f.tablet), 401, "unauthenticated")
	f.problem(f.call("DELETE", path, nil, anna), 404, "not-found")
}

func TestPIN_GuessingWaits(t *testing.T) {
	f := newTablets(t)
	for range 5 {
		f.problem(f.pin(f.anna, "000001", f.tablet), 401, "unauthenticated")
	}
	rec := f.pin(f.anna, "482913", f.tablet)
	f.problem(rec, 429, "limit")
	if rec.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", rec.Header().Get("Retry-After"))
	}
}
