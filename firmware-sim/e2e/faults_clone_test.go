package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func emergency(seq int) map[string]any {
	return map[string]any{"press_type": "long", "sequence_id": seq, "boot_id": "boot-1", "priority": "emergency"}
}

// calledAshore says whether the console knows of a request of a device.
func (f *fleet) calledAshore(device, priority string) bool {
	return slices.ContainsFunc(list[requestView](f.shore, "/api/v1/sites/yacht-1/requests"), func(r requestView) bool {
		return r.DeviceID == device && r.Priority == priority
	})
}

// F13: an image of a hub runs on a second board.
func TestF13_ClonedHubIsFencedItsEmergenciesAreHeardAndAFreshClaimEndsIt(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	first, second := f.board.addDevice("btn-001", "button", "cabin-101"), f.board.addDevice("btn-002", "button", "cabin-102")
	watch := f.board.addDevice("watch-001", "watch", "bridge")
	f.inSync(t)
	before := f.site(t)
	f.hub.stop()
	image := keep(t, f.boardData)
	f.hub.run()
	clone := start(t, "obedio-hub", image, "--site", "yacht-1", "--mqtt", "127.0.0.1:0", "--mqtts", "127.0.0.1:0", "--https", "127.0.0.1:0",
		"--mqtt-ws", "127.0.0.1:0", "--http", "127.0.0.1:0", "--uplink-state-every", "500ms", "--uplink-retry-first", "300ms", "--uplink-retry-most", "1s")
	other := clone.face(image)
	waitFor(t, 60*time.Second, "the two to be fenced", func() bool { return f.site(t).Verdict == "fenced" })
	waitFor(t, 30*time.Second, "both to know it", func() bool {
		for _, a := range []*api{f.board, other} {
			var s syncView
			a.call(http.MethodGet, "/api/v1/sync", nil, &s)
			if s.Uplink.State != "refused" || !strings.Contains(s.Uplink.LastError, "another hub") {
				return false
			}
		}
		return true
	})
	s := f.site(t)
	if s.Attention <= before.Attention || !slices.ContainsFunc(s.Reasons, func(r string) bool { return strings.Contains(r, "fenced") }) {
		t.Errorf("the console asks for nobody: %+v", s)
	}
	if n := audited(f.shore, "/api/v1/audit", "hub.cloned"); n != 1 {
		t.Errorf("the console's audit tells %d times of it", n)
	}

	// What may save somebody goes ashore from both; nothing goes down to either.
	w := stay(t, f.hub.Listeners["mqtt"], watch)
	obey(t, w, "locate")
	id := f.order(t, "watch-001", "locate", time.Hour)
	a, b := dial(t, f.hub.Listeners["mqtt"], first), dial(t, clone.Listeners["mqtt"], second)
	if !a.send("press", emergency(1)) || !b.send("press", emergency(1)) {
		t.Fatal("press not acknowledged")
	}
	waitFor(t, 30*time.Second, "both emergencies to be known ashore", func() bool {
		return f.calledAshore("btn-001", "emergency") && f.calledAshore("btn-002", "emergency")
	})
	if n := published(w, "locate", id); n != 0 {
		t.Errorf("a command was run %d times while nobody knew by whom", n)
	}

	f.forked = true // each has written an audit of its own
	// A person says which of the two it is.
	f.claimFor(t, f.boardData, f.url())
	f.linkIs(t, "online")
	f.becomes(t, id, "succeeded")
	// The watch connects again at that time, and may be told twice of one command;
	// it knows it by its id. The hub has sent it once.
	var c commandView
	f.board.call(http.MethodGet, "/api/v1/commands/"+id, nil, &c)
	sent := 0
	for _, step := range c.Steps {
		if step.State == "sent" {
			sent++
		}
	}
	if sent != 1 || published(w, "locate", id) == 0 {
		t.Errorf("the command was sent %d times: %+v", sent, c.Steps)
	}
	waitFor(t, 30*time.Second, "the console to show one hub in order", func() bool {
		s := f.site(t)
		return s.Verdict == "ok" && s.LinkState == "online"
	})
	waitFor(t, 30*time.Second, "the other hub to be refused", func() bool {
		var s syncView
		other.call(http.MethodGet, "/api/v1/sync", nil, &s)
		return s.Uplink.State == "refused" && !strings.Contains(s.Uplink.LastError, "another hub")
	})
	f.inSync(t)
	if !f.calledAshore("btn-001", "emergency") || !f.calledAshore("btn-002", "emergency") {
		t.Error("an emergency is not known ashore any more")
	}
	if got := list[requestView](f.board, "/api/v1/requests"); len(got) != 2 {
		t.Errorf("on board there are %d requests: the hub has taken over what the other one told", len(got))
	}
}

// A new board with an empty store takes the place of one that is broken.
func TestF12_ReplacedHubGetsTheSiteFromTheConsole(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	w := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("watch-001", "watch", "bridge"))
	obey(t, w, "locate")
	b := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("btn-001", "button", "cabin-101"))
	f.board.addDevice("btn-002", "button", "cabin-102")
	f.board.move("btn-002", "cabin-202")
	serial := f.board.certify("btn-002").serial
	f.board.call(http.MethodDelete, "/api/v1/security/certificates/"+serial+"?reason=key_compromise", nil, nil)
	if !b.send("press", press(1)) {
		t.Fatal("press not acknowledged")
	}
	done := f.order(t, "watch-001", "locate", time.Minute)
	f.becomes(t, done, "succeeded")
	f.inSync(t)
	f.hub.stop()

	f.hub, f.board, f.boardData = startHub(t)
	f.claimFor(t, f.boardData, f.url())
	waitFor(t, 30*time.Second, "the new hub to have the devices", func() bool {
		return roomOf(f.board, "/api/v1/devices", "btn-002") == "cabin-202" && roomOf(f.board, "/api/v1/devices", "btn-001") == "cabin-101"
	})
	f.linkIs(t, "online")
	f.inSync(t)
	if open := f.board.onlyOpen(); open.DeviceID != "btn-001" {
		t.Errorf("open is %+v", open)
	}
	if got := commandIn(f.board, "/api/v1/commands", done); got != "succeeded" {
		t.Errorf("the command that was done is %s", got)
	}
	var c struct{ State string }
	f.board.call(http.MethodGet, "/api/v1/security/certificates/"+serial, nil, &c)
	if c.State != "revoked" {
		t.Errorf("the certificate is %s", c.State)
	}
	if s := f.site(t); s.OrdersPending != 0 || s.DeadLetters != 0 {
		t.Errorf("the site: %+v", s)
	}
}
