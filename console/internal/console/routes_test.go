package console

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/obedio/obedio/console/web"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest/resttest"
)

func TestRoutes_AreOpenToWhomTheyAreMeantFor(t *testing.T) {
	c, err := New(t.Context(), Config{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resttest.WalkRoles(t, c.API().Rest(), resttest.Rights{
		"GET /api/v1/openapi.json":                              "public",
		"GET /api/docs":                                         "public",
		"GET /api/docs/docs.js":                                 "public",
		"GET /api/docs/docs.css":                                "public",
		"GET /healthz":                                          "public",
		"GET /readyz":                                           "public",
		"GET /api/v1/setup":                                     "public",
		"POST /api/v1/setup":                                    "public",
		"POST /api/v1/setup/local":                              "public",
		"POST /api/v1/sessions":                                 "public",
		"GET /api/v1/sessions/current":                          "owner manager viewer",
		"DELETE /api/v1/sessions/current":                       "owner manager viewer",
		"GET /api/v1/sessions":                                  "owner manager viewer",
		"DELETE /api/v1/sessions/{id}":                          "owner manager viewer",
		"GET /api/v1/tokens":                                    "owner",
		"POST /api/v1/tokens":                                   "owner",
		"DELETE /api/v1/tokens/{id}":                            "owner",
		"GET /api/v1/roles":                                     "owner manager viewer",
		"GET /api/v1/users":                                     "owner",
		"POST /api/v1/users":                                    "owner",
		"GET /api/v1/users/{id}":                                "owner",
		"PUT /api/v1/users/{id}":                                "owner",
		"DELETE /api/v1/users/{id}":                             "owner",
		"PUT /api/v1/users/{id}/password":                       "owner manager viewer",
		"GET /api/v1/sessions/oidc":                             "public",
		"GET /api/v1/sessions/oidc/start":                       "public",
		"GET /api/v1/sessions/oidc/callback":                    "public",
		"GET /api/v1/sites":                                     "owner manager viewer",
		"POST /api/v1/sites":                                    "owner",
		"GET /api/v1/sites/{id}":                                "owner manager viewer",
		"DELETE /api/v1/sites/{id}":                             "owner",
		"POST /api/v1/sites/{id}/claim":                         "owner manager",
		"GET /api/v1/sites/{id}/devices":                        "owner manager viewer",
		"GET /api/v1/sites/{id}/devices/{device_id}":            "owner manager viewer",
		"GET /api/v1/devices":                                   "owner manager viewer",
		"GET /api/v1/devices/search":                            "owner manager viewer",
		"GET /api/v1/sites/{id}/requests":                       "owner manager viewer",
		"POST /api/v1/sites/{id}/devices/{device_id}/command":   "owner manager",
		"GET /api/v1/sites/{id}/commands":                       "owner manager viewer",
		"GET /api/v1/sites/{id}/commands/{command_id}":          "owner manager viewer",
		"POST /api/v1/sites/{id}/commands/{command_id}/cancel":  "owner manager",
		"GET /api/v1/sites/{id}/orders":                         "owner manager viewer",
		"GET /api/v1/sites/{id}/sync":                           "owner manager viewer",
		"GET /api/v1/sites/{id}/traffic":                        "owner manager viewer",
		"GET /api/v1/system":                                    "owner manager viewer",
		"GET /api/v1/sites/{id}/audit":                          "owner",
		"GET /api/v1/sites/{id}/audit/verify":                   "owner",
		"GET /api/v1/sites/{id}/audit/export":                   "owner",
		"GET /api/v1/audit":                                     "owner",
		"GET /api/v1/audit/verify":                              "owner",
		"GET /api/v1/audit/export":                              "owner",
		"GET /api/v1/events":                                    "owner manager viewer",
		"PUT /api/v1/sites/{id}":                                "owner",
		"GET /api/v1/sites/export":                              "owner manager viewer",
		"POST /api/v1/jobs/preview":                             "owner manager",
		"POST /api/v1/jobs":                                     "owner manager",
		"GET /api/v1/jobs":                                      "owner manager viewer",
		"GET /api/v1/jobs/{id}":                                 "owner manager viewer",
		"GET /api/v1/jobs/{id}/targets":                         "owner manager viewer",
		"POST /api/v1/jobs/{id}/cancel":                         "owner manager",
		"POST /api/v1/jobs/{id}/retry":                          "owner manager",
		"GET /api/v1/views":                                     "owner manager viewer",
		"POST /api/v1/views":                                    "owner manager viewer",
		"PUT /api/v1/views/{id}":                                "owner manager viewer",
		"DELETE /api/v1/views/{id}":                             "owner manager viewer",
		"GET /api/v1/alerts":                                    "owner manager viewer",
		"GET /api/v1/sites/{id}/alerts":                         "owner manager viewer",
		"POST /api/v1/sites/{id}/alerts/{alert_id}/acknowledge": "owner manager",
		"GET /api/v1/notifications/rules":                       "owner manager viewer",
		"POST /api/v1/notifications/rules":                      "owner",
		"GET /api/v1/notifications/rules/{name}":                "owner manager viewer",
		"PUT /api/v1/notifications/rules/{name}":                "owner",
		"DELETE /api/v1/notifications/rules/{name}":             "owner",
		"POST /api/v1/notifications/rules/{name}/test":          "owner",
		"GET /api/v1/notifications/deliveries":                  "owner manager viewer",
		"GET /api/v1/sites/{id}/usage":                          "owner manager viewer",
		"GET /api/v1/usage/export":                              "owner manager viewer",
		"GET /api/v1/security/forecast":                         "owner manager",
		"GET /api/v1/policies":                                  "owner manager viewer",
		"POST /api/v1/policies":                                 "owner",
		"GET /api/v1/policies/{id}":                             "owner manager viewer",
		"PUT /api/v1/policies/{id}":                             "owner",
		"DELETE /api/v1/policies/{id}":                          "owner",
		"GET /api/v1/policies/{id}/versions":                    "owner manager viewer",
		"GET /api/v1/policies/{id}/sites":                       "owner manager viewer",
		"GET /api/v1/sites/{id}/policy":                         "owner manager viewer",
		"POST /api/v1/sites/{id}/policy/adopt":                  "owner",
		"POST /api/v1/sites/{id}/policy/drop":                   "owner",
		"GET /api/v1/templates":                                 "owner manager viewer",
		"POST /api/v1/templates":                                "owner",
		"GET /api/v1/templates/{id}":                            "owner manager viewer",
		"PUT /api/v1/templates/{id}":                            "owner",
		"DELETE /api/v1/templates/{id}":                         "owner",
		"GET /api/v1/templates/{id}/versions":                   "owner manager viewer",
		"GET /api/v1/sync":                                      "owner manager viewer",
		"GET /api/v1/offline-windows":                           "owner manager viewer",
		"POST /api/v1/offline-windows":                          "owner manager",
		"PUT /api/v1/offline-windows/{id}":                      "owner manager",
		"DELETE /api/v1/offline-windows/{id}":                   "owner manager",
	})
}

func TestDocument_HasEveryRoute(t *testing.T) {
	doc, err := Document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	again, err := Document(t.Context())
	if err != nil || !bytes.Equal(doc, again) {
		t.Errorf("the document is not the same twice: %v", err)
	}
	parameters, _ := json.Marshal(v.Paths["/api/v1/sites/{id}/devices/{device_id}/command"]["post"])
	for _, name := range []string{`"name":"id"`, `"name":"device_id"`} {
		if !bytes.Contains(parameters, []byte(name)) {
			t.Errorf("the document does not know the parameter %s", name)
		}
	}
	if len(v.Paths) < 25 || v.OpenAPI != "3.1.0" {
		t.Errorf("%d paths of OpenAPI %s", len(v.Paths), v.OpenAPI)
	}
}

func TestFace_WithstandsTheWeb(t *testing.T) {
	c, err := New(t.Context(), Config{InMemory: true, UI: resttest.UI()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resttest.Withstand(t, c.API().Rest())
}

func TestUI_HasNothingInline(t *testing.T) {
	source, err := os.ReadFile("../../web/index.html")
	if err != nil {
		t.Fatal(err)
	}
	resttest.NoInline(t, "index.html", source)
	if web.Ready() {
		built, err := fs.ReadFile(web.Files(), "index.html")
		if err != nil {
			t.Fatal(err)
		}
		resttest.NoInline(t, "the built index.html", built)
	}
}

func TestLists_ShowOnlyTheSitesOfTheSubject(t *testing.T) {
	r := start(t, Config{})
	for _, id := range []string{"a", "b"} {
		r.addSite(id)
		h := r.hub(id)
		h.mustHello()
		h.device("watch-1", "watch")
		h.pushAll()
	}
	for _, id := range []fleet.SiteID{"a", "b"} {
		if _, err := r.c.fleet.Refresh(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	_, token, err := r.c.accounts.AddToken(t.Context(), r.c.accounts.Policy().Local(), account.NewToken{
		Name: "t", Role: account.Manager, Sites: []fleet.SiteID{"b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.c.c.Listeners.HTTP.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	for _, path := range []string{"/api/v1/sites", "/api/v1/devices", "/api/v1/devices/search?q=watch"} {
		code, body := ask(http.MethodGet, path)
		if code != http.StatusOK || strings.Contains(body, `:"a"`) || !strings.Contains(body, `:"b"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if _, body := ask(http.MethodGet, "/api/v1/system"); !strings.Contains(body, `"devices":1`) {
		t.Errorf("system counts the sites of others: %s", body)
	}
	for path, want := range map[string]int{
		"/api/v1/sites/a": http.StatusNotFound, "/api/v1/sites/b": http.StatusOK, "/api/v1/sites/nowhere": http.StatusNotFound,
		"/api/v1/sites/a/devices": http.StatusNotFound, "/api/v1/sites/b/sync": http.StatusOK,
	} {
		if code, _ := ask(http.MethodGet, path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	if code, _ := ask(http.MethodDelete, "/api/v1/sites/b"); code != http.StatusForbidden {
		t.Errorf("a manager revokes a site: %d", code)
	}
}

func TestAPI_NamesWhatIsWrongWithARequest(t *testing.T) {
	r := start(t, Config{MaxSites: 2})
	r.addSite("a")
	for _, test := range []struct {
		method, path string
		in           any
		code         int
	}{
		{http.MethodPost, "/api/v1/sites", map[string]string{"site_id": "a"}, http.StatusConflict},
		{http.MethodPost, "/api/v1/sites", map[string]string{"site_id": "a b"}, http.StatusUnprocessableEntity},
		{http.MethodPost, "/api/v1/sites", map[string]int{"site_id": 1}, http.StatusUnprocessableEntity},
		{http.MethodPost, "/api/v1/sites", map[string]string{"site_id": "b"}, http.StatusCreated},
		{http.MethodPost, "/api/v1/sites", map[string]string{"site_id": "c"}, http.StatusTooManyRequests},
		{http.MethodPost, "/api/v1/sites/nowhere/claim", nil, http.StatusNotFound},
		{http.MethodPost, "/api/v1/sites/a/claim?url=http://plain", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/sites?filter=colour:blue", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/sites?cursor=!", nil, http.StatusBadRequest},
		{http.MethodGet, "/api/v1/sites/a/requests?state=asleep", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/sites/a/commands?state=asleep", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/sites/a/commands/not-a-uuid", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/sites/nowhere/orders", nil, http.StatusNotFound},
		{http.MethodGet, "/api/v1/sites/nowhere/audit", nil, http.StatusNotFound},
		{http.MethodGet, "/api/v1/sites/nowhere/audit/verify", nil, http.StatusNotFound},
		{http.MethodGet, "/api/v1/sites/nowhere/audit/export", nil, http.StatusNotFound},
		{http.MethodGet, "/api/v1/audit?from=yesterday", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/audit?cursor=!", nil, http.StatusBadRequest},
		{http.MethodGet, "/api/v1/audit?limit=0", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/audit/export?format=xml", nil, http.StatusUnprocessableEntity},
		{http.MethodGet, "/api/v1/audit/export?limit=1", nil, http.StatusUnprocessableEntity},
		{http.MethodPut, "/api/v1/sites/a", map[string]string{"name": "A"}, http.StatusPreconditionRequired},
		{http.MethodPatch, "/api/v1/sites/a", nil, http.StatusMethodNotAllowed},
		{http.MethodGet, "/api/v1/nothing", nil, http.StatusNotFound},
	} {
		if code := r.api(test.method, test.path, test.in, nil); code != test.code {
			t.Errorf("%s %s: %d, want %d", test.method, test.path, code, test.code)
		}
	}
}

func TestURLOf_NamesAnAddressThatOthersCanDial(t *testing.T) {
	own := func() string { return "192.0.2.7" }
	for addr, want := range map[string]string{
		"127.0.0.1:8444": "https://127.0.0.1:8444", "[::]:8444": "https://192.0.2.7:8444", "0.0.0.0:1": "https://192.0.2.7:1",
		"[2001:db8::1]:8444": "https://[2001:db8::1]:8444",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := urlOf(a, own); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}
