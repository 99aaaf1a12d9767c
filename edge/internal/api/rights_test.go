package api_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/edge/web"
	"github.com/obedio/obedio/shared/rest/resttest"
)

func TestRoutes_EveryRoleMayDoWhatTheTableSaysAndNothingElse(t *testing.T) {
	h, err := hub.New(t.Context(), hub.Config{Data: "hub", Site: "yacht-1", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	resttest.WalkRoles(t, h.API().Rest(), rights)
}

func TestFace_WithstandsTheWeb(t *testing.T) {
	h, err := hub.New(t.Context(), hub.Config{Data: "hub", Site: "yacht-1", FS: store.InMemory(), UI: resttest.UI()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	resttest.Withstand(t, h.API().Rest())
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

// rights is written by hand: who may use a route is decided here, and the
// program must agree.
var rights = resttest.Rights{
	"PUT /api/v1/system/site":                   "admin",
	"POST /api/v1/traffic/publish":              "admin chief",
	"GET /api/v1/openapi.json":                  "public",
	"GET /api/docs":                             "public",
	"GET /api/docs/docs.js":                     "public",
	"GET /api/docs/docs.css":                    "public",
	"GET /healthz":                              "public",
	"GET /readyz":                               "public",
	"GET /api/v1/setup":                         "public",
	"POST /api/v1/setup":                        "public",
	"POST /api/v1/setup/local":                  "public",
	"POST /api/v1/sessions":                     "public",
	"GET /api/v1/sessions/current":              "admin chief crew viewer",
	"DELETE /api/v1/sessions/current":           "admin chief crew viewer",
	"GET /api/v1/sessions":                      "admin chief crew viewer",
	"DELETE /api/v1/sessions/{id}":              "admin chief crew viewer",
	"GET /api/v1/tokens":                        "admin",
	"POST /api/v1/tokens":                       "admin",
	"DELETE /api/v1/tokens/{id}":                "admin",
	"GET /api/v1/roles":                         "admin chief crew viewer",
	"GET /api/v1/users":                         "admin chief",
	"POST /api/v1/users":                        "admin",
	"GET /api/v1/users/{id}":                    "admin chief",
	"PUT /api/v1/users/{id}":                    "admin",
	"DELETE /api/v1/users/{id}":                 "admin",
	"PUT /api/v1/users/{id}/password":           "admin chief crew viewer",
	"PUT /api/v1/users/{id}/pin":                "admin chief crew viewer",
	"DELETE /api/v1/users/{id}/pin":             "admin chief crew viewer",
	"GET /api/v1/sessions/tiles":                "public",
	"POST /api/v1/sessions/pin":                 "public",
	"GET /api/v1/tablets":                       "admin chief",
	"POST /api/v1/tablets":                      "admin chief",
	"DELETE /api/v1/tablets/{id}":               "admin chief",
	"POST /api/v1/devices/import":               "admin chief",
	"GET /api/v1/devices":                       "admin chief crew viewer",
	"GET /api/v1/devices/search":                "admin chief crew viewer",
	"POST /api/v1/devices":                      "admin chief",
	"GET /api/v1/devices/{id}":                  "admin chief crew viewer",
	"PUT /api/v1/devices/{id}":                  "admin chief",
	"DELETE /api/v1/devices/{id}":               "admin chief",
	"GET /api/v1/devices/{id}/status":           "admin chief crew viewer",
	"GET /api/v1/devices/{id}/presses":          "admin chief crew viewer",
	"GET /api/v1/rooms":                         "admin chief crew viewer",
	"PUT /api/v1/rooms/{id}":                    "admin chief",
	"GET /api/v1/requests":                      "admin chief crew viewer",
	"GET /api/v1/requests/{id}":                 "admin chief crew viewer",
	"POST /api/v1/requests/{id}/accept":         "admin chief crew",
	"POST /api/v1/requests/{id}/complete":       "admin chief crew",
	"POST /api/v1/requests/{id}/cancel":         "admin chief crew",
	"POST /api/v1/devices/{id}/command":         "admin chief",
	"GET /api/v1/commands":                      "admin chief crew viewer",
	"GET /api/v1/commands/{id}":                 "admin chief crew viewer",
	"POST /api/v1/commands/{id}/cancel":         "admin chief",
	"GET /api/v1/system":                        "admin chief crew viewer",
	"GET /api/v1/sync":                          "admin chief crew viewer",
	"POST /api/v1/sync":                         "admin chief",
	"POST /api/v1/sync/enrolment":               "admin",
	"GET /api/v1/traffic/live":                  "admin chief crew viewer",
	"GET /api/v1/traffic/history":               "admin chief crew viewer",
	"GET /api/v1/traffic/metrics":               "admin chief crew viewer",
	"GET /api/v1/traffic/devices/{id}":          "admin chief crew viewer",
	"GET /api/v1/backups":                       "admin",
	"POST /api/v1/backups":                      "admin",
	"POST /api/v1/backups/stream":               "admin",
	"GET /api/v1/backups/{name}":                "admin",
	"DELETE /api/v1/backups/{name}":             "admin",
	"GET /api/v1/system/support":                "admin",
	"GET /api/v1/security/bans":                 "admin chief",
	"DELETE /api/v1/security/bans/{address}":    "admin",
	"GET /metrics":                              "admin",
	"GET /api/v1/events":                        "admin chief crew viewer",
	"DELETE /api/v1/provision/tokens/{id}":      "admin chief",
	"DELETE /api/v1/security/certificates/{id}": "admin",
	"GET /api/v1/provision/ca.crt":              "public",
	"GET /api/v1/provision/site.crl":            "public",
	"GET /api/v1/provision/tokens":              "admin chief",
	"GET /api/v1/provision/tokens/{id}":         "admin chief",
	"GET /api/v1/security/certificates":         "admin chief",
	"GET /api/v1/security/certificates/{id}":    "admin chief",
	"GET /api/v1/system/clock":                  "admin chief crew viewer",
	"POST /api/v1/devices/{id}/provision":       "admin chief",
	"POST /api/v1/provision/claim":              "public",
	"POST /api/v1/provision/qr":                 "admin chief",
	"POST /api/v1/provision/tokens":             "admin chief",
	"POST /api/v1/security/authority":           "admin",
	"POST /api/v1/security/certificates":        "admin chief",
	"PUT /api/v1/system/clock":                  "admin",
	"GET /api/v1/audit":                         "admin",
	"GET /api/v1/audit/verify":                  "admin",
	"GET /api/v1/audit/export":                  "admin",

	"GET /api/v1/security/profiles":           "admin chief",
	"POST /api/v1/security/profiles":          "admin",
	"GET /api/v1/security/profiles/{name}":    "admin chief",
	"PUT /api/v1/security/profiles/{name}":    "admin",
	"DELETE /api/v1/security/profiles/{name}": "admin",
	"GET /api/v1/security/acl":                "admin chief",
	"POST /api/v1/security/acl":               "admin",
	"GET /api/v1/security/acl/{id}":           "admin chief",
	"PUT /api/v1/security/acl/{id}":           "admin",
	"DELETE /api/v1/security/acl/{id}":        "admin",
	"POST /api/v1/security/acl/test":          "admin chief",
	"POST /api/v1/security/acl/replay":        "admin chief",
	"GET /api/v1/security/denials":            "admin chief",
	"POST /api/v1/security/mosquitto/import":  "admin",
	"GET /api/v1/security/mosquitto/export":   "admin",
}
