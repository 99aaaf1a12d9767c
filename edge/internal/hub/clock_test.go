package hub_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/hub"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/identity"
)

// board is a board whose clock a test sets.
type board struct {
	mu     sync.Mutex // guards both
	system time.Time
	mono   time.Duration
}

func (b *board) set(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.system = t
}

func (b *board) config() identity.ClockConfig {
	return identity.ClockConfig{
		System: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.system
		},
		Monotonic: func() time.Duration {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.mono
		},
	}
}

func TestF9_NothingExpiresByAClockThatNobodyHasConfirmed(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	b := &board{system: now}
	r := startWith(t, func(c *hub.Config) { c.Clock = b.config() })
	if _, err := r.hub.Accounts().MakeFirst(t.Context(), account.NewUser{Username: "anna", Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	_, session, _, err := r.hub.Accounts().SignIn(t.Context(), account.SignIn{Username: "anna", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	signedIn := func() bool {
		_, err := r.hub.Accounts().BySession(t.Context(), session)
		return err == nil
	}
	r.device("btn-001")
	cert := r.want(201, "POST", "/security/certificates", map[string]any{"device_id": "btn-001"}).body["serial"].(string)
	token := r.want(201, "POST", "/provision/tokens", map[string]any{"type": "button", "room": "deck-3"}).body["id"].(string)
	states := func() (string, string) {
		c := r.want(200, "GET", "/security/certificates/"+cert, nil).body["state"].(string)
		return c, r.want(200, "GET", "/provision/tokens/"+token, nil).body["state"].(string)
	}
	presses := 0
	for what, at := range map[string]time.Time{"1970": time.Unix(7, 0), "ten years ahead": now.AddDate(10, 0, 0)} {
		b.set(at)
		clock := r.want(200, "GET", "/system/clock", nil).body
		if clock["trusted"] != false {
			t.Errorf("%s: clock is %v", what, clock)
		}
		if c, tok := states(); c != "valid" || tok != "open" || !signedIn() {
			t.Errorf("%s: certificate %s, token %s, session %t", what, c, tok, signedIn())
		}
		// Calls go on.
		c := r.dial("btn-001")
		presses++
		c.Publish(base+"btn-001/press", 1, false, fmt.Sprintf(`{"press_type":"single","sequence_id":%d}`, presses)).Wait()
		c.Disconnect(0)
	}
	if stored := r.want(200, "GET", "/devices/btn-001/presses", nil).body["items"].([]any); len(stored) != presses {
		t.Errorf("%d presses", len(stored))
	}
	r.want(422, "PUT", "/system/clock", map[string]any{})
	r.want(422, "PUT", "/system/clock", map[string]any{"now": "1999-01-01T00:00:00Z"})
	b.set(now.AddDate(10, 0, 0))
	if clock := r.want(http.StatusOK, "PUT", "/system/clock", map[string]any{"confirm": true}).body; clock["source"] != "operator" || clock["trusted"] != true {
		t.Errorf("clock is %v", clock)
	}
	if c, _ := states(); c != "expired" || signedIn() {
		t.Errorf("after somebody has confirmed it: certificate %s, session %t", c, signedIn())
	}
}
