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
	"PUT /api/v1/system/site":                      "admin",
	"DELETE /api/v1/crew/{name}":                   "admin chief",
	"DELETE /api/v1/duty/notes/{note}":             "admin chief crew",
	"DELETE /api/v1/duty/{person_id}":              "admin chief",
	"DELETE /api/v1/escalations/{name}":            "admin chief",
	"DELETE /api/v1/press-profiles/{name}":         "admin chief",
	"DELETE /api/v1/rooms/{id}":                    "admin chief",
	"DELETE /api/v1/services/{name}":               "admin chief",
	"DELETE /api/v1/shifts/{name}":                 "admin chief",
	"DELETE /api/v1/teams/{name}":                  "admin chief",
	"GET /api/v1/crew":                             "admin chief crew viewer",
	"GET /api/v1/crew/{name}":                      "admin chief crew viewer",
	"GET /api/v1/drill":                            "admin chief crew viewer",
	"GET /api/v1/duty":                             "admin chief crew viewer",
	"GET /api/v1/escalations":                      "admin chief crew viewer",
	"GET /api/v1/escalations/{name}":               "admin chief crew viewer",
	"GET /api/v1/press-profiles":                   "admin chief crew viewer",
	"GET /api/v1/press-profiles/{name}":            "admin chief crew viewer",
	"GET /api/v1/requests/statistics":              "admin chief crew viewer",
	"GET /api/v1/requests/{id}/timeline":           "admin chief crew viewer",
	"GET /api/v1/services":                         "admin chief crew viewer",
	"GET /api/v1/services/{name}":                  "admin chief crew viewer",
	"GET /api/v1/shifts":                           "admin chief crew viewer",
	"GET /api/v1/shifts/{name}":                    "admin chief crew viewer",
	"GET /api/v1/system/self-test":                 "admin chief crew viewer",
	"GET /api/v1/teams":                            "admin chief crew viewer",
	"GET /api/v1/teams/{name}":                     "admin chief crew viewer",
	"GET /api/v1/walk":                             "admin chief crew viewer",
	"POST /api/v1/crew":                            "admin chief",
	"POST /api/v1/duty/notes":                      "admin chief crew",
	"POST /api/v1/escalations":                     "admin chief",
	"POST /api/v1/press-profiles":                  "admin chief",
	"POST /api/v1/requests":                        "admin chief crew",
	"POST /api/v1/requests/{id}/decline":           "admin chief crew",
	"POST /api/v1/requests/{id}/delegate":          "admin chief crew",
	"POST /api/v1/requests/{id}/reopen":            "admin chief crew",
	"POST /api/v1/rooms/order":                     "admin chief",
	"POST /api/v1/services":                        "admin chief",
	"POST /api/v1/shifts":                          "admin chief",
	"POST /api/v1/system/self-test":                "admin chief crew",
	"POST /api/v1/teams":                           "admin chief",
	"POST /api/v1/walk":                            "admin chief",
	"POST /api/v1/walk/end":                        "admin chief",
	"PUT /api/v1/crew/{name}":                      "admin chief",
	"PUT /api/v1/drill":                            "admin chief",
	"PUT /api/v1/duty/watches/{id}":                "admin chief crew",
	"PUT /api/v1/duty/{person_id}":                 "admin chief",
	"PUT /api/v1/escalations/{name}":               "admin chief",
	"PUT /api/v1/press-profiles/{name}":            "admin chief",
	"PUT /api/v1/rooms/{id}/quiet":                 "admin chief crew",
	"PUT /api/v1/services/{name}":                  "admin chief",
	"PUT /api/v1/shifts/{name}":                    "admin chief",
	"PUT /api/v1/teams/{name}":                     "admin chief",
	"PUT /api/v1/walk/devices/{id}":                "admin chief",
	"PUT /api/v1/walk/room":                        "admin chief",
	"GET /api/v1/devices/{id}/configuration":       "admin chief crew viewer",
	"GET /api/v1/jobs":                             "admin chief crew viewer",
	"GET /api/v1/jobs/{id}":                        "admin chief crew viewer",
	"GET /api/v1/jobs/{id}/results":                "admin chief crew viewer",
	"POST /api/v1/devices/bulk/command":            "admin chief",
	"POST /api/v1/jobs/{id}/cancel":                "admin chief",
	"POST /api/v1/jobs/{id}/retry":                 "admin chief",
	"PUT /api/v1/devices/{id}/configuration":       "admin chief",
	"GET /api/v1/openapi.json":                     "public",
	"GET /api/docs":                                "public",
	"GET /api/docs/docs.js":                        "public",
	"GET /api/docs/docs.css":                       "public",
	"GET /healthz":                                 "public",
	"GET /readyz":                                  "public",
	"GET /api/v1/setup":                            "public",
	"POST /api/v1/setup":                           "public",
	"POST /api/v1/setup/local":                     "public",
	"POST /api/v1/sessions":                        "public",
	"GET /api/v1/sessions/current":                 "admin chief crew viewer",
	"DELETE /api/v1/sessions/current":              "admin chief crew viewer",
	"GET /api/v1/sessions":                         "admin chief crew viewer",
	"DELETE /api/v1/sessions/{id}":                 "admin chief crew viewer",
	"GET /api/v1/tokens":                           "admin",
	"POST /api/v1/tokens":                          "admin",
	"DELETE /api/v1/tokens/{id}":                   "admin",
	"GET /api/v1/roles":                            "admin chief crew viewer",
	"GET /api/v1/users":                            "admin chief",
	"POST /api/v1/users":                           "admin",
	"GET /api/v1/users/{id}":                       "admin chief",
	"PUT /api/v1/users/{id}":                       "admin",
	"DELETE /api/v1/users/{id}":                    "admin",
	"PUT /api/v1/users/{id}/password":              "admin chief crew viewer",
	"PUT /api/v1/users/{id}/pin":                   "admin chief crew viewer",
	"DELETE /api/v1/users/{id}/pin":                "admin chief crew viewer",
	"GET /api/v1/sessions/tiles":                   "public",
	"POST /api/v1/sessions/pin":                    "public",
	"GET /api/v1/tablets":                          "admin chief",
	"POST /api/v1/tablets":                         "admin chief",
	"DELETE /api/v1/tablets/{id}":                  "admin chief",
	"POST /api/v1/devices/import":                  "admin chief",
	"GET /api/v1/devices":                          "admin chief crew viewer",
	"GET /api/v1/devices/search":                   "admin chief crew viewer",
	"POST /api/v1/devices":                         "admin chief",
	"GET /api/v1/devices/{id}":                     "admin chief crew viewer",
	"PUT /api/v1/devices/{id}":                     "admin chief",
	"DELETE /api/v1/devices/{id}":                  "admin chief",
	"GET /api/v1/devices/{id}/status":              "admin chief crew viewer",
	"GET /api/v1/devices/{id}/presses":             "admin chief crew viewer",
	"GET /api/v1/rooms":                            "admin chief crew viewer",
	"PUT /api/v1/rooms/{id}":                       "admin chief",
	"GET /api/v1/requests":                         "admin chief crew viewer",
	"GET /api/v1/requests/{id}":                    "admin chief crew viewer",
	"POST /api/v1/requests/{id}/accept":            "admin chief crew",
	"POST /api/v1/requests/{id}/complete":          "admin chief crew",
	"POST /api/v1/requests/{id}/cancel":            "admin chief crew",
	"POST /api/v1/devices/{id}/command":            "admin chief",
	"GET /api/v1/commands":                         "admin chief crew viewer",
	"GET /api/v1/commands/{id}":                    "admin chief crew viewer",
	"POST /api/v1/commands/{id}/cancel":            "admin chief",
	"GET /api/v1/system":                           "admin chief crew viewer",
	"GET /api/v1/sync":                             "admin chief crew viewer",
	"POST /api/v1/sync":                            "admin chief",
	"POST /api/v1/sync/enrolment":                  "admin",
	"GET /api/v1/traffic/live":                     "admin chief crew viewer",
	"GET /api/v1/traffic/history":                  "admin chief crew viewer",
	"GET /api/v1/traffic/metrics":                  "admin chief crew viewer",
	"GET /api/v1/traffic/devices/{id}":             "admin chief crew viewer",
	"GET /api/v1/backups":                          "admin",
	"POST /api/v1/backups":                         "admin",
	"POST /api/v1/backups/stream":                  "admin",
	"GET /api/v1/backups/{name}":                   "admin",
	"DELETE /api/v1/backups/{name}":                "admin",
	"GET /api/v1/system/support":                   "admin",
	"GET /api/v1/system/settings":                  "admin",
	"GET /api/v1/security/bans":                    "admin chief",
	"DELETE /api/v1/security/bans/{address}":       "admin",
	"GET /metrics":                                 "admin",
	"GET /api/v1/events":                           "admin chief crew viewer",
	"DELETE /api/v1/provision/tokens/{id}":         "admin chief",
	"DELETE /api/v1/security/certificates/{id}":    "admin",
	"GET /api/v1/provision/ca.crt":                 "public",
	"GET /api/v1/provision/site.crl":               "public",
	"GET /api/v1/provision/tokens":                 "admin chief",
	"GET /api/v1/provision/tokens/{id}":            "admin chief",
	"GET /api/v1/security/certificates":            "admin chief",
	"GET /api/v1/security/certificates/{id}":       "admin chief",
	"GET /api/v1/system/clock":                     "admin chief crew viewer",
	"POST /api/v1/devices/{id}/provision":          "admin chief",
	"POST /api/v1/provision/claim":                 "public",
	"POST /api/v1/provision/qr":                    "admin chief",
	"POST /api/v1/provision/tokens":                "admin chief",
	"POST /api/v1/security/authority":              "admin",
	"POST /api/v1/security/certificates":           "admin chief",
	"PUT /api/v1/system/clock":                     "admin",
	"GET /api/v1/audit":                            "admin",
	"GET /api/v1/audit/verify":                     "admin",
	"GET /api/v1/audit/export":                     "admin",
	"GET /api/v1/alerts":                           "admin chief crew viewer",
	"GET /api/v1/alerts/{id}":                      "admin chief crew viewer",
	"POST /api/v1/alerts/{id}/acknowledge":         "admin chief crew",
	"POST /api/v1/alerts/{id}/silence":             "admin chief crew",
	"GET /api/v1/notifications/deliveries":         "admin chief crew viewer",
	"GET /api/v1/notifications/rules":              "admin chief crew viewer",
	"POST /api/v1/notifications/rules":             "admin",
	"GET /api/v1/notifications/rules/{name}":       "admin chief crew viewer",
	"PUT /api/v1/notifications/rules/{name}":       "admin",
	"DELETE /api/v1/notifications/rules/{name}":    "admin",
	"POST /api/v1/notifications/rules/{name}/test": "admin",
	"GET /api/v1/trust":                            "admin chief crew viewer",
	"POST /api/v1/traffic/publish":                 "admin chief",

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
