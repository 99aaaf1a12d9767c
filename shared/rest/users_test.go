package rest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/account"
)

func TestUsers_WholeLife(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	body := map[string]any{"username": "Carl", "password": "correct horse", "role": "crew"}
	rec := f.call("POST", "/api/v1/users", body, as(account.Admin))
	u := f.ok(rec, 201)
	if u["username"] != "Carl" || u["disabled"] != false || u["etag"] != `"v1"` || rec.Header().Get("ETag") != `"v1"` {
		t.Errorf("user is %v", u)
	}
	path := "/api/v1/users/" + u["user_id"].(string)
	if rec.Header().Get("Location") != path {
		t.Errorf("Location is %q", rec.Header().Get("Location"))
	}
	f.problem(f.call("POST", "/api/v1/users", body, as(account.Admin)), 409, "exists")
	list := f.call("GET", "/api/v1/users", nil, as(account.Chief))
	f.ok(list, 200)
	if s := list.Body.String(); strings.Contains(s, "argon2") || strings.Contains(s, "hash") || !strings.Contains(s, "Carl") {
		t.Errorf("users are %s", s)
	}
	for name, n := range map[string]int{"cARL": 1, "bert": 0, "no%20name": 0} {
		if found := f.ok(f.call("GET", "/api/v1/users?username="+name, nil, as(account.Chief)), 200)["items"].([]any); len(found) != n {
			t.Errorf("%s: found %v", name, found)
		}
	}

	one := f.call("GET", path, nil, as(account.Chief))
	if f.ok(one, 200)["username"] != "Carl" || one.Header().Get("ETag") != `"v1"` {
		t.Errorf("user is %s", one.Body)
	}
	if again := f.call("GET", path, nil, as(account.Chief), header("If-None-Match", `"v1"`)); again.Code != 304 {
		t.Errorf("unchanged: %d", again.Code)
	}
	f.problem(f.call("GET", "/api/v1/users/x", nil, as(account.Chief)), 422, "invalid")
	f.problem(f.call("GET", "/api/v1/users/00000000-0000-7000-8000-000000000009", nil, as(account.Chief)), 404, "not-found")

	change := map[string]any{"name": "Carl C", "role": "chief", "disabled": false}
	f.problem(f.call("PUT", path, change, as(account.Admin)), 428, "precondition-required")
	f.problem(f.call("PUT", path, change, as(account.Admin), header("If-Match", `"v2"`)), 412, "precondition-failed")
	f.problem(f.call("PUT", path, change, as(account.Chief), header("If-Match", `"v1"`)), 403, "forbidden")
	f.problem(f.call("PUT", path, map[string]any{"name": "x", "role": "chief"}, as(account.Admin), header("If-Match", `"v1"`)), 422, "invalid")
	changed := f.call("PUT", path, change, as(account.Admin), header("If-Match", `"v1"`))
	if v := f.ok(changed, 200); v["role"] != "chief" || v["name"] != "Carl C" || changed.Header().Get("ETag") != `"v2"` {
		t.Errorf("user is %v", v)
	}

	f.problem(f.call("DELETE", path, nil, as(account.Chief)), 403, "forbidden")
	f.ok(f.call("DELETE", path, nil, as(account.Admin)), 204)
	f.problem(f.call("DELETE", path, nil, as(account.Admin)), 404, "not-found")
}

func TestRoles_TellWhatEachMayDo(t *testing.T) {
	f := newFace(t, account.ConsolePolicy(), nil)
	roles := f.ok(f.call("GET", "/api/v1/roles", nil, as(account.Viewer)), 200)["items"].([]any)
	if len(roles) != 3 {
		t.Fatalf("roles are %v", roles)
	}
	for i, want := range []struct {
		role          account.Role
		bySite, admin bool
		may, mayNot   string
	}{
		{account.Owner, false, true, "users.write", "requests.accept"},
		{account.Manager, true, false, "commands.send", "users.write"},
		{account.Viewer, true, false, "sites.read", "commands.send"},
	} {
		r := roles[i].(map[string]any)
		may := r["permissions"].([]any)
		if r["role"] != string(want.role) || r["by_site"] != want.bySite || r["administrator"] != want.admin ||
			!slices.Contains(may, any(want.may)) || slices.Contains(may, any(want.mayNot)) {
			t.Errorf("role %s is %v", want.role, r)
		}
	}
}

func TestUsers_TheLastAdministratorIsNeitherRemovedNorDemoted(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.person("anna", account.Admin)
	me := withCookies(f.signIn("anna"))
	who := f.ok(f.call("GET", "/api/v1/sessions/current", nil, me), 200)["user"].(map[string]any)
	path := "/api/v1/users/" + who["user_id"].(string)
	f.problem(f.call("DELETE", path, nil, me), 409, "state")
	f.problem(f.call("PUT", path, map[string]any{"name": "Anna", "role": "crew", "disabled": false}, me, header("If-Match", "*")), 409, "state")
	f.ok(f.call("GET", "/api/v1/sessions/current", nil, me), 200)
}

func TestUsers_ADemotedSessionMayLessAtTheNextCall(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.addThings(none)
	f.person("carl", account.Chief)
	carl := withCookies(f.signIn("carl"))
	body := map[string]any{"name": "xy"}
	f.ok(f.call("PUT", "/api/v1/things/a", body, carl), 200)
	id := f.ok(f.call("GET", "/api/v1/sessions/current", nil, carl), 200)["user"].(map[string]any)["user_id"].(string)
	f.ok(f.call("PUT", "/api/v1/users/"+id, map[string]any{"name": "Carl", "role": "viewer", "disabled": false}, as(account.Admin), header("If-Match", "*")), 200)
	f.problem(f.call("PUT", "/api/v1/things/a", body, carl), 403, "forbidden")
	f.ok(f.call("PUT", "/api/v1/users/"+id, map[string]any{"name": "Carl", "role": "viewer", "disabled": true}, as(account.Admin), header("If-Match", "*")), 200)
	f.problem(f.call("GET", "/api/v1/things/a", nil, carl), 401, "unauthenticated")
}

func TestPassword_OnesOwnWithTheCurrentOneThatOfOthersByAdministrators(t *testing.T) {
	f := newFace(t, account.HubPolicy(), nil)
	f.person("anna", account.Crew)
	f.person("bert", account.Crew)
	ids := map[string]string{}
	cookies := map[string]func(*http.Request){}
	for _, name := range []string{"anna", "bert"} {
		cookies[name] = withCookies(f.signIn(name))
		ids[name] = f.ok(f.call("GET", "/api/v1/sessions/current", nil, cookies[name]), 200)["user"].(map[string]any)["user_id"].(string)
	}
	other := withCookies(f.signIn("anna"))
	path := "/api/v1/users/" + ids["anna"] + "/password"
	f.problem(f.call("PUT", path, map[string]any{"password": "battery staple"}, cookies["anna"]), 403, "forbidden")
	f.problem(f.call("PUT", path, map[string]any{"current_password": "wrong", "password": "battery staple"}, cookies["anna"]), 403, "forbidden")
	f.problem(f.call("PUT", path, map[string]any{"password": "battery staple"}, cookies["bert"]), 403, "forbidden")
	f.problem(f.call("PUT", path, map[string]any{"password": "battery staple"}, as(account.Chief)), 403, "forbidden")
	f.ok(f.call("PUT", path, map[string]any{"current_password": "correct horse", "password": "battery staple"}, cookies["anna"]), 204)
	f.ok(f.call("GET", "/api/v1/sessions/current", nil, cookies["anna"]), 200)
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, other), 401, "unauthenticated")
	f.problem(f.signIn("anna"), 401, "unauthenticated")

	f.problem(f.call("PUT", path, map[string]any{"password": "short"}, as(account.Admin)), 422, "invalid")
	f.ok(f.call("PUT", path, map[string]any{"password": "correct horse"}, as(account.Admin)), 204)
	f.problem(f.call("GET", "/api/v1/sessions/current", nil, cookies["anna"]), 401, "unauthenticated")
	f.ok(f.signIn("anna"), 201)
}
