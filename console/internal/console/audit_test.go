package console

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// audited reads an audit through the API, the newest entry first.
func (r *rig) audited(path, query string) []fleet.AuditEntry {
	r.t.Helper()
	var page struct {
		Items []fleet.AuditEntry `json:"items"`
		Next  *string            `json:"next_cursor"`
	}
	r.mustAPI(http.MethodGet, path+"?limit=500&"+query, nil, &page)
	if page.Next != nil {
		r.t.Errorf("%s has more than a page", path)
	}
	return page.Items
}

func (r *rig) verified(path string) []audit.Chain {
	r.t.Helper()
	var v struct {
		OK     bool          `json:"ok"`
		Chains []audit.Chain `json:"chains"`
	}
	r.mustAPI(http.MethodGet, path+"/verify", nil, &v)
	if v.OK != (len(audit.Wrong(v.Chains)) == 0) {
		r.t.Errorf("%s: ok is %t of %+v", path, v.OK, v.Chains)
	}
	return v.Chains
}

func TestAudit_TellsWhatHappensAtTheConsole(t *testing.T) {
	r := start(t, Config{})
	r.addSite("a")
	h := r.hub("a")
	h.mustHello()
	h.device("watch-1", fleet.Watch)
	h.pushAll()
	var command struct {
		ID string `json:"command_id"`
	}
	r.mustAPI(http.MethodPost, "/api/v1/sites/a/devices/watch-1/command", map[string]any{"name": "locate"}, &command)
	r.mustAPI(http.MethodPost, "/api/v1/sites/a/commands/"+command.ID+"/cancel", nil, nil)
	r.mustAPI(http.MethodPost, "/api/v1/sites/a/commands/"+command.ID+"/cancel", nil, nil) // is under way
	if code := r.api(http.MethodPost, "/api/v1/sites/a/devices/nobody/command", map[string]any{"name": "locate"}, nil); code != http.StatusNotFound {
		t.Fatal(code)
	}
	r.mustAPI(http.MethodDelete, "/api/v1/sites/a", nil, nil)
	var got []string
	for _, e := range r.audited("/api/v1/audit", "target=a") {
		got = append(got, e.Action)
	}
	want := []string{"site.revoked", "command.cancel_queued", "command.queued", "hub.enrolled", "claim.made", "site.added"}
	if !slices.Equal(got, want) {
		t.Errorf("the audit has %v, want %v", got, want)
	}
	queued := r.audited("/api/v1/audit", "action=command.queued")[0]
	if queued.Actor.ID != "local" || queued.Detail["command_id"] != command.ID || queued.Detail["device_id"] != "watch-1" {
		t.Errorf("%+v", queued)
	}
	if chains := r.verified("/api/v1/audit"); len(chains) != 1 || chains[0].Entries != 6 || string(chains[0].Chain) != r.c.identity.Epoch {
		t.Errorf("%+v", chains)
	}
	s := r.c.API().LocalServer()
	rec := httptest.NewRecorder()
	s.Handler.ServeHTTP(rec, httptest.NewRequestWithContext(s.ConnContext(t.Context(), nil), http.MethodGet, "http://localhost/api/v1/audit/export?format=csv", http.NoBody))
	if lines := strings.Split(rec.Body.String(), "\n"); len(lines) != 8 || !strings.Contains(lines[1], "site.added,a,") {
		t.Errorf("export: %s", rec.Body)
	}
}

// What a hub tells of its audit is there; a second history of it is not taken,
// and is seen by whoever looks at the fleet.
func TestSiteAudit_AForkIsSeen(t *testing.T) {
	r := start(t, Config{})
	r.addSite("a")
	h := r.hub("a")
	h.mustHello()
	prev := ""
	for n := range uint64(5) {
		h.append(fleet.Record{Actor: fleet.System("x"), At: fleet.Millis(r.c.c.Now()), Body: fleet.Audited{
			Chain: "e-1", N: n + 1, Prev: prev, Action: "device.moved", Target: "btn-1",
		}})
		h.pushAll()
		prev = r.audited("/api/v1/sites/a/audit", "")[0].Hash
	}
	if all := r.audited("/api/v1/sites/a/audit", "action=device.&target=btn-1"); len(all) != 5 || all[0].N != 5 {
		t.Fatalf("%+v", all)
	}
	if chains := r.verified("/api/v1/sites/a/audit"); len(chains) != 1 || !chains[0].OK || chains[0].Entries != 5 || chains[0].Head != prev {
		t.Errorf("%+v", chains)
	}
	site := func() (v struct {
		Forks   int      `json:"audit_forks"`
		Letters int      `json:"dead_letters"`
		Reasons []string `json:"attention_reasons"`
	}) {
		r.mustAPI(http.MethodGet, "/api/v1/sites/a", nil, &v)
		return v
	}
	if v := site(); v.Forks != 0 || slices.Contains(v.Reasons, "audit was forked") {
		t.Errorf("before: %+v", v)
	}
	h.append(fleet.Record{Actor: fleet.System("x"), At: fleet.Millis(r.c.c.Now()), Body: fleet.Audited{
		Chain: "e-1", N: 4, Action: "device.moved", Target: "btn-2",
	}})
	h.pushAll()
	if v := site(); v.Forks != 1 || v.Letters != 1 || !slices.Contains(v.Reasons, "audit was forked") || slices.Contains(v.Reasons, "1 record could not be applied") {
		t.Errorf("after: %+v", v)
	}
	if chains := r.verified("/api/v1/sites/a/audit"); !chains[0].OK || chains[0].Head != prev {
		t.Errorf("the history that was there is %+v", chains)
	}
}

func TestSiteAudit_TamperingAshoreIsFound(t *testing.T) {
	r := start(t, Config{})
	r.addSite("a")
	h := r.hub("a")
	h.mustHello()
	for n, prev := uint64(1), ""; n <= 4; n++ {
		h.append(fleet.Record{Actor: fleet.System("x"), At: fleet.Millis(r.c.c.Now()), Body: fleet.Audited{
			Chain: "e-1", N: n, Prev: prev, Action: "device.moved", Target: "btn-1",
		}})
		h.pushAll()
		prev = r.audited("/api/v1/sites/a/audit", "")[0].Hash
	}
	err := r.c.store.UpdateSite(t.Context(), "a", func(tx store.SiteTx) error {
		e, _, err := fleet.Get[fleet.AuditEntry](tx, fleet.AuditEntryRef("e-1", 3))
		if err != nil {
			return err
		}
		e.Actor = fleet.Actor{Kind: fleet.ActorUser, ID: "somebody-else"}
		return tx.PutEntity(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.verified("/api/v1/sites/a/audit")[0]; c.OK || c.FirstBad != 3 || !strings.Contains(c.What, "entry 3 is not what was written") {
		t.Errorf("%+v", c)
	}
}
