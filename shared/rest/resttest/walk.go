// Package resttest tests what every program's face must hold: that its routes
// are open to exactly those who are meant to use them, and that it withstands
// what the web does to it.
package resttest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/internal/probe"
)

// Public in Rights marks a route that is open to everybody.
const Public = "public"

// Rights says who may use each route: "GET /api/v1/devices" → "admin chief
// crew viewer" in the order of the policy's roles, or Public.
type Rights map[string]string

// WalkRoles asks every route of api in the name of nobody, of every role of
// the policy and of a role that does not exist, and compares who is let through
// to the handler with want. A route that want does not have is an error, and
// so is one that only want has. Handlers are not run.
func WalkRoles(t testing.TB, api *rest.API, want Rights) {
	t.Helper()
	policy := api.Config().Accounts.Policy()
	handler := api.Handler()
	seen := map[string]bool{}
	for _, r := range api.Routes() {
		key := r.Method + " " + r.Path
		seen[key] = true
		got := rights(t, handler, policy, r)
		if w, ok := want[key]; !ok {
			t.Errorf("route is not in the table of rights; add\n\t%q: %q,", key, got)
		} else if got != w {
			t.Errorf("%s is open to %q, want %q", key, got, w)
		}
	}
	for key := range want {
		if !seen[key] {
			t.Errorf("the table of rights has %q, which is no route", key)
		}
	}
}

// rights asks the route in every name and returns who was let through.
func rights(t testing.TB, handler http.Handler, policy *account.Policy, r rest.Route) string {
	t.Helper()
	nobody := ask(handler, r, account.Subject{})
	if r.Public {
		if nobody != probe.Status {
			t.Errorf("%s %s is public and yet answers nobody with %d", r.Method, r.Path, nobody)
		}
		return Public
	}
	if nobody != http.StatusUnauthorized {
		t.Errorf("%s %s answers nobody with %d, want 401", r.Method, r.Path, nobody)
	}
	if code := ask(handler, r, subject("stranger")); code != http.StatusForbidden {
		t.Errorf("%s %s answers a role that does not exist with %d, want 403", r.Method, r.Path, code)
	}
	var open []string
	for _, role := range policy.Roles() {
		switch code := ask(handler, r, subject(role)); code {
		case probe.Status:
			open = append(open, string(role))
			if r.Site != "" && policy.BySite(role) {
				s := subject(role)
				s.Sites = []fleet.SiteID{"another-site"}
				if code := ask(handler, r, s); code != http.StatusNotFound {
					t.Errorf("%s %s answers role %s of another site with %d, want 404", r.Method, r.Path, role, code)
				}
			}
		case http.StatusForbidden:
		default:
			t.Errorf("%s %s answers role %s with %d, want it let through or 403", r.Method, r.Path, role, code)
		}
	}
	slices.SortStableFunc(open, func(a, b string) int {
		return slices.Index(policy.Roles(), account.Role(a)) - slices.Index(policy.Roles(), account.Role(b))
	})
	return strings.Join(open, " ")
}

func subject(role account.Role) account.Subject {
	return account.Subject{
		Kind: account.KindUser, ID: "00000000-0000-7000-8000-000000000001", Name: "walker",
		Role: role, Sites: []fleet.SiteID{account.AllSites},
	}
}

// fill puts a value in the place of each parameter of a path.
func fill(path string) string {
	for strings.Contains(path, "{") {
		from, to := strings.Index(path, "{"), strings.Index(path, "}")
		path = path[:from] + "x-1" + path[to+1:]
	}
	return path
}

// ask sends one request that stops before the handler.
func ask(handler http.Handler, r rest.Route, s account.Subject) int {
	path := fill(r.Path)
	ctx := probe.With(context.Background())
	if s.Known() {
		ctx = rest.WithLocal(ctx, s)
	}
	req := httptest.NewRequestWithContext(ctx, r.Method, "http://localhost"+path, nil)
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	return rec.Code
}
