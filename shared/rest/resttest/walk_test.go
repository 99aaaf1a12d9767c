package resttest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/account/accounttest"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/resttest"
)

// recorder takes what a walk finds wrong.
type recorder struct {
	testing.TB
	found []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.found = append(r.found, fmt.Sprintf(format, args...))
}

func walk(t *testing.T, want resttest.Rights) string {
	t.Helper()
	accounts, err := account.New(account.Config{Store: accounttest.NewMemory(), Policy: account.ConsolePolicy()})
	if err != nil {
		t.Fatal(err)
	}
	api, err := rest.New(rest.Config{Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	ran := func(context.Context, *struct{}) (*struct{}, error) {
		t.Error("the walk ran a handler")
		return nil, nil
	}
	rest.Register(api, rest.Route{OperationID: "a", Method: "DELETE", Path: "/api/v1/a", Permission: account.UsersWrite}, ran)
	rest.Register(api, rest.Route{OperationID: "b", Method: "GET", Path: "/api/v1/sites/{site}", Permission: account.SitesRead, Site: "site"},
		func(ctx context.Context, _ *struct {
			Site string `path:"site"`
		}) (*struct{}, error) {
			return ran(ctx, nil)
		})
	for _, r := range api.Routes() {
		if r.Public {
			want[r.Method+" "+r.Path] = resttest.Public
		}
	}
	rec := &recorder{TB: t}
	resttest.WalkRoles(rec, api, want)
	return strings.Join(rec.found, "\n")
}

func TestWalkRoles_FindsEveryDifference(t *testing.T) {
	right := func() resttest.Rights {
		return resttest.Rights{"DELETE /api/v1/a": "owner", "GET /api/v1/sites/{site}": "owner manager viewer"}
	}
	if found := walk(t, right()); found != "" {
		t.Errorf("a right table: %s", found)
	}
	for name, c := range map[string]struct {
		change func(resttest.Rights)
		want   string
	}{
		"too many": {func(r resttest.Rights) { r["DELETE /api/v1/a"] = "owner manager" }, `DELETE /api/v1/a is open to "owner", want "owner manager"`},
		"too few":  {func(r resttest.Rights) { r["GET /api/v1/sites/{site}"] = "owner" }, `is open to "owner manager viewer", want "owner"`},
		"public":   {func(r resttest.Rights) { r["DELETE /api/v1/a"] = resttest.Public }, `want "public"`},
		"missing":  {func(r resttest.Rights) { delete(r, "DELETE /api/v1/a") }, `"DELETE /api/v1/a": "owner",`},
		"stale":    {func(r resttest.Rights) { r["GET /api/v1/gone"] = "owner" }, `"GET /api/v1/gone", which is no route`},
	} {
		r := right()
		c.change(r)
		if found := walk(t, r); !strings.Contains(found, c.want) || strings.Count(found, "\n") > 1 {
			t.Errorf("%s: found %q, want %s", name, found, c.want)
		}
	}
}

func TestWithstand_ABareFace(t *testing.T) {
	accounts, err := account.New(account.Config{Store: accounttest.NewMemory(), Policy: account.HubPolicy()})
	if err != nil {
		t.Fatal(err)
	}
	ui, err := rest.Static(resttest.UI())
	if err != nil {
		t.Fatal(err)
	}
	api, err := rest.New(rest.Config{Accounts: accounts, UI: ui})
	if err != nil {
		t.Fatal(err)
	}
	api.AccountRoutes()
	api.TabletRoutes()
	resttest.Withstand(t, api)
}
