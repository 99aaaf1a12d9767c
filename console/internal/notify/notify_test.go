package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
)

const secret = "a key of more than sixteen"

// receiver is a real HTTP server that takes webhook calls.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []Payload
	ids    []string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		body, err := io.ReadAll(req.Body)
		var p Payload
		if err == nil {
			err = json.Unmarshal(body, &p)
		}
		if err != nil {
			t.Error(err)
		}
		stamp, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get(courier.HeaderSignature), "t="), ",")
		var seconds int64
		if _, err := fmt.Sscan(stamp, &seconds); err != nil || req.Header.Get(courier.HeaderSignature) != courier.Sign([]byte(secret), time.Unix(seconds, 0), body) {
			t.Errorf("signature %q: %v", req.Header.Get(courier.HeaderSignature), err)
		}
		r.ids = append(r.ids, req.Header.Get(courier.HeaderDelivery))
		if r.status < 300 {
			r.got = append(r.got, p)
		}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) count() (got, tries int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got), len(r.ids)
}

type rig struct {
	*Notify
	t   *testing.T
	s   store.Store
	now time.Time
}

func newRig(t *testing.T) *rig {
	s, err := badger.Open(badger.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &rig{t: t, s: s, now: storetest.At}
	r.start()
	return r
}

func (r *rig) start() {
	var err error
	r.Notify, err = New(r.t.Context(), Config{
		Store: r.s, Now: func() time.Time { return r.now }, Keep: 3,
		Site: func(fleet.SiteID) (string, []string) { return "M/Y Aurelia", []string{"charter"} },
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) rule(name, url string, change func(*Rule)) {
	r.t.Helper()
	rule := Rule{Events: []string{EventRaised}, Webhook: &Webhook{URL: url + "/path-that-is-secret"}}
	if change != nil {
		change(&rule)
	}
	key := secret
	if err := r.Put(r.t.Context(), fleet.System("test"), name, rule, 0, &key); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) alert() store.Alert {
	return store.Alert{Site: "a", ArrivedAt: r.now, Origin: store.AlertFromHub, Alert: fleet.Alert{
		ID: fleet.NewUUID[fleet.AlertID](r.now), Kind: "disk_low", Severity: fleet.AlertWarning, State: fleet.AlertActive, Since: r.now, Occurrences: 1,
	}}
}

func (r *rig) tell(a store.Alert, event string) {
	r.t.Helper()
	if err := r.Tell(r.t.Context(), a, event); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) deliver() {
	r.t.Helper()
	if err := r.Deliver(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func TestNotify_IsSignedAndDeliveredOnce(t *testing.T) {
	to, r := newReceiver(t), newRig(t)
	r.rule("ops", to.URL, nil)
	a := r.alert()
	r.tell(a, EventRaised)
	r.tell(a, EventRaised) // after a restart in the middle
	r.start()
	r.deliver()
	r.deliver()
	if got, tries := to.count(); got != 1 || tries != 1 {
		t.Fatalf("%d delivered in %d tries", got, tries)
	}
	if p := to.got[0]; p.Site != "a" || p.SiteName != "M/Y Aurelia" || p.Event != EventRaised || p.Alert.Kind != "disk_low" || p.DeliveryID != to.ids[0] {
		t.Errorf("payload is %+v", p)
	}
	d := r.Deliveries("", 10)
	if len(d) != 1 || d[0].State != store.DeliveryDelivered || strings.Contains(d[0].To, "secret") {
		t.Errorf("deliveries are %+v", d)
	}
}

func TestNotify_IsTriedAgainOverARestartUntilItsTimeIsOver(t *testing.T) {
	to, r := newReceiver(t), newRig(t)
	r.rule("ops", to.URL, nil)
	to.set(http.StatusServiceUnavailable)
	r.tell(r.alert(), EventRaised)
	r.deliver()
	r.deliver() // too early
	if _, tries := to.count(); tries != 1 {
		t.Fatalf("%d tries", tries)
	}
	r.now = r.now.Add(time.Minute)
	r.start()
	to.set(http.StatusOK)
	r.deliver()
	if got, tries := to.count(); got != 1 || tries != 2 || to.ids[0] != to.ids[1] {
		t.Fatalf("%d delivered in %d tries with ids %v", got, tries, to.ids)
	}
	to.set(http.StatusServiceUnavailable)
	r.tell(r.alert(), EventRaised)
	r.deliver()
	r.now = r.now.Add(100 * time.Hour)
	r.deliver()
	if d := r.Deliveries("", 10)[0]; d.State != store.DeliveryExpired || !strings.Contains(d.Error, "503") {
		t.Errorf("the last is %+v", d)
	}
}

func TestNotify_ARefusalIsFinal(t *testing.T) {
	to, r := newReceiver(t), newRig(t)
	r.rule("ops", to.URL, nil)
	to.set(http.StatusGone)
	r.tell(r.alert(), EventRaised)
	r.deliver()
	if d := r.Deliveries("", 10)[0]; d.State != store.DeliveryFailed || !strings.Contains(d.Error, "410") {
		t.Errorf("it is %+v", d)
	}
}

func TestNotify_RulesSayOfWhat(t *testing.T) {
	to, r := newReceiver(t), newRig(t)
	r.rule("critical", to.URL, func(v *Rule) { v.MinSeverity = fleet.AlertCritical })
	r.rule("kinds", to.URL, func(v *Rule) { v.Kinds = []fleet.AlertKind{"battery_low"} })
	r.rule("others", to.URL, func(v *Rule) { v.Tag = "demo" })
	r.rule("sites", to.URL, func(v *Rule) { v.Sites = []fleet.SiteID{"b"} })
	r.rule("off", to.URL, func(v *Rule) { v.Disabled = true })
	r.rule("digest", to.URL, func(v *Rule) { v.Events = []string{EventReturned} })
	r.rule("yes", to.URL, func(v *Rule) { v.Tag, v.Events = "charter", []string{EventRaised, EventGone} })
	a := r.alert()
	r.tell(a, EventRaised)
	r.tell(a, EventGone)
	a.Severity = fleet.AlertInfo
	r.tell(a, EventReturned)
	got := map[string]int{}
	for _, d := range r.Deliveries("", 100) {
		got[d.Rule+" "+d.Event]++
	}
	if len(got) != 3 || got["yes alert.raised"] != 1 || got["yes alert.gone"] != 1 || got["digest site.returned"] != 1 {
		t.Errorf("deliveries are %v", got)
	}
}

func TestNotify_ForgetsTheOldestThatHaveEnded(t *testing.T) {
	to, r := newReceiver(t), newRig(t)
	r.rule("ops", to.URL, nil)
	for range 5 {
		r.now = r.now.Add(time.Second)
		r.tell(r.alert(), EventRaised)
	}
	r.deliver()
	if all := r.Deliveries("", 100); len(all) != 3 {
		t.Errorf("%d are kept", len(all))
	}
	r.start()
	if all := r.Deliveries("", 100); len(all) != 3 {
		t.Errorf("%d are kept over a restart", len(all))
	}
}

func TestRule_SaysWhatIsWrong(t *testing.T) {
	r := newRig(t)
	hook := &Webhook{URL: "https://example.org/x"}
	short := "short"
	for what, c := range map[string]struct {
		rule   Rule
		secret *string
	}{
		"no events":  {Rule{Webhook: hook}, nil},
		"an event":   {Rule{Events: []string{"sunrise"}, Webhook: hook}, nil},
		"severity":   {Rule{Events: []string{EventRaised}, MinSeverity: "loud", Webhook: hook}, nil},
		"no channel": {Rule{Events: []string{EventRaised}}, nil},
		"the URL":    {Rule{Events: []string{EventRaised}, Webhook: &Webhook{URL: "ftp://x"}}, nil},
		"no server":  {Rule{Events: []string{EventRaised}, Mail: &Mail{To: []string{"a@example.org"}}}, nil},
		"an address": {Rule{Events: []string{EventRaised}, Mail: &Mail{To: []string{"nobody"}}}, nil},
		"the key":    {Rule{Events: []string{EventRaised}, Webhook: hook}, &short},
	} {
		if err := r.Put(t.Context(), fleet.System("test"), "ops", c.rule, 0, c.secret); err == nil {
			t.Errorf("%s: is taken", what)
		}
	}
}
