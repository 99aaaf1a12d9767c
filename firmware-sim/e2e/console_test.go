package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/identity"
)

// fleet is a hub and a console with a link between them that can be cut.
type fleet struct {
	hub, console         *program
	board, shore         *api
	boardData, shoreData string
	link                 *switchboard
	forked               bool // the audit has two histories, and the console says so
}

func startConsole(t *testing.T, more ...string) (*program, *api, string) {
	t.Helper()
	data := filepath.Join(t.TempDir(), "console")
	p := start(t, "obedio-console", data, append([]string{"--http", "127.0.0.1:0", "--hublink", "127.0.0.1:0"}, more...)...)
	return p, p.face(data), data
}

// startFleet enrols a hub at a console as people do, with a claim file.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{}
	f.console, f.shore, f.shoreData = startConsole(t)
	f.link = relay(t, f.console.Listeners["hublink"])
	f.hub, f.board, f.boardData = startHub(t)
	f.enrol(t)
	return f
}

// url is where hubs find the console.
func (f *fleet) url() string { return "https://" + f.link.l.Addr().String() }

func (f *fleet) enrol(t *testing.T) identity.Claim {
	t.Helper()
	return f.enrolAt(t, f.url())
}

// enrolAt enrols the hub at a console that it is to find at an address.
func (f *fleet) enrolAt(t *testing.T, url string) identity.Claim {
	t.Helper()
	cli(t, "", "obedio-console", "site", "add", "yacht-1", "--data", f.shoreData, "--json")
	return f.claimFor(t, f.boardData, url)
}

// claimFor enrols a hub with a new claim for the site.
func (f *fleet) claimFor(t *testing.T, board, url string) identity.Claim {
	t.Helper()
	claim := filepath.Join(t.TempDir(), "claim.json")
	text := cli(t, "", "obedio-console", "site", "claim", "yacht-1", "--data", f.shoreData)
	if err := os.WriteFile(claim, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cli(t, "", "obedio-hub", "enroll", "--data", board, "--claim", claim, "--console", url)
	c, err := identity.ParseClaim([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type syncView struct {
	Digest string `json:"digest"`
	Uplink struct {
		State     string `json:"state"`
		LastError string `json:"last_error"`
	} `json:"uplink"`
	Lanes []struct {
		Name    string `json:"name"`
		Backlog int    `json:"backlog"`
	} `json:"lanes"`
	Letters []struct{ Reason string }
}

// inSync waits until both folds are equal, and prints both digests.
func (f *fleet) inSync(t *testing.T) {
	t.Helper()
	var hub, console syncView
	waitFor(t, 60*time.Second, "both folds to be equal", func() bool {
		hub, console = syncView{}, syncView{}
		if !f.board.get("/api/v1/sync", &hub) || !f.shore.get("/api/v1/sites/yacht-1/sync", &console) {
			return false
		}
		for _, l := range hub.Lanes {
			if l.Backlog > 0 && l.Name != "state" && l.Name != "summaries" {
				return false // such as the audit, which the digest is not about
			}
		}
		return hub.Digest == console.Digest
	})
	t.Logf("digest of the hub     %s", hub.Digest)
	t.Logf("digest of the console %s", console.Digest)
	for _, l := range console.Letters {
		if !f.forked || !strings.Contains(l.Reason, "the audit was forked") {
			t.Errorf("dead letter: %s", l.Reason)
		}
	}
}

func (f *fleet) linkIs(t *testing.T, state string) {
	t.Helper()
	waitFor(t, 60*time.Second, "the link to be "+state, func() bool {
		var s syncView
		return f.board.get("/api/v1/sync", &s) && s.Uplink.State == state
	})
}

func TestCommand_FromShoreEndsSucceededOnBothSides(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	w := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("watch-001", "watch", "bridge"))
	f.inSync(t)
	var c commandView
	f.shore.call(http.MethodPost, "/api/v1/sites/yacht-1/devices/watch-001/command", map[string]any{"name": "locate", "ttl_ms": 60000}, &c)
	if c.State != "queued" {
		t.Errorf("state %s at its origin", c.State)
	}
	waitFor(t, 30*time.Second, "the command to reach the watch", func() bool { return len(w.received("locate")) > 0 })
	id := w.received("locate")[0]["command_id"]
	if id != c.ID {
		t.Fatalf("the watch got %v, the console sent %s", id, c.ID)
	}
	for _, status := range []string{"acknowledged", "succeeded"} {
		if !w.send("ack", map[string]any{"command_id": id, "status": status, "result": map[string]int{"volume": 7}}) {
			t.Fatal("answer not acknowledged")
		}
	}
	for name, ask := range map[string]func() []commandView{
		"board": func() []commandView { return list[commandView](f.board, "/api/v1/commands") },
		"shore": func() []commandView { return list[commandView](f.shore, "/api/v1/sites/yacht-1/commands") },
	} {
		waitFor(t, 30*time.Second, "the command to succeed on "+name, func() bool {
			all := ask()
			return len(all) == 1 && all[0].ID == c.ID && all[0].State == "succeeded"
		})
	}
	f.inSync(t)
}

// A thousand presses on board and fifty commands ashore while neither knows of
// the other.
func TestAway_ThousandPressesAndFiftyCommandsThenBothFoldsAreEqual(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	w := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("watch-001", "watch", "bridge"))
	var buttons []*client
	for i := range 10 {
		buttons = append(buttons, dial(t, f.hub.Listeners["mqtt"], f.board.addDevice(fmt.Sprintf("btn-%03d", i), "button", fmt.Sprintf("cabin-%d", i))))
	}
	f.inSync(t)
	f.link.set(true)
	f.linkIs(t, "offline")
	for i := range 1000 {
		if !buttons[i%10].send("press", press(i/10+1)) {
			t.Fatalf("press %d not acknowledged", i)
		}
	}
	for i := range 50 {
		f.shore.call(http.MethodPost, "/api/v1/sites/yacht-1/devices/watch-001/command", map[string]any{
			"name": "message", "args": map[string]any{"text": fmt.Sprint("number ", i)}, "ttl_ms": 3_600_000,
		}, nil)
	}
	var backlog syncView
	f.board.call(http.MethodGet, "/api/v1/sync", nil, &backlog)
	for _, l := range backlog.Lanes {
		if l.Name == "requests" && l.Backlog < 1000 {
			t.Errorf("backlog of requests %d", l.Backlog)
		}
	}
	f.link.set(false)
	answered := map[any]bool{}
	waitFor(t, 60*time.Second, "all commands to reach the watch", func() bool {
		for _, m := range w.received("message") {
			if id := m["command_id"]; !answered[id] {
				answered[id] = true
				w.send("ack", map[string]any{"command_id": id, "status": "succeeded"})
			}
		}
		return len(answered) == 50
	})
	waitFor(t, 60*time.Second, "all commands to end ashore", func() bool {
		n := 0
		for _, c := range list[commandView](f.shore, "/api/v1/sites/yacht-1/commands") {
			if c.State == "succeeded" {
				n++
			}
		}
		return n == 50
	})
	f.inSync(t)
	presses := 0
	for _, r := range list[requestView](f.shore, "/api/v1/sites/yacht-1/requests") {
		presses += r.Presses
	}
	if presses != 1000 {
		t.Errorf("the console counts %d presses", presses)
	}
}

func TestConsole_StoppedKilledAndBackChangesNothingOnBoardAndCatchesUp(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	b := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("btn-001", "button", "cabin-101"))
	f.inSync(t)
	for round := range 4 {
		if round%2 == 0 {
			f.console.kill()
		} else {
			f.console.stop()
		}
		for i := range 20 {
			if !b.send("press", press(round*20+i+1)) {
				t.Fatal("press not acknowledged without a console")
			}
		}
		open := list[requestView](f.board, "/api/v1/requests?state=open")
		if len(open) != 1 {
			t.Fatalf("%d open requests", len(open))
		}
		f.board.call(http.MethodPost, "/api/v1/requests/"+open[0].ID+"/cancel", map[string]any{"version": open[0].Version, "reason": "guest"}, nil)
		f.console.run()
		f.inSync(t)
	}
}

func TestHub_KilledWhileItSyncsLosesNothingAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	buttonOnBoard := f.board.addDevice("btn-001", "button", "cabin-101")
	seq := 0
	for range 5 {
		b := dial(t, f.hub.Listeners["mqtt"], buttonOnBoard)
		for range 30 {
			seq++
			if !b.send("press", press(seq)) {
				t.Fatal("press not acknowledged")
			}
		}
		f.hub.kill()
		f.hub.run()
	}
	f.inSync(t)
}

// Whatever answers at the console's address, the hub works.
func TestUplink_WrongConsoleOrRubbishIsALinkFaultAndNothingElse(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	b := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("btn-001", "button", "cabin-101"))
	f.inSync(t)
	other, _, _ := startConsole(t)

	rubbish, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rubbish.Close()
	go func() { // a proxy that answers everything with a page
		for {
			c, err := rubbish.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>Sign in</html>")
			_ = c.Close()
		}
	}()
	right := f.link.to
	for i, wrong := range []string{other.Listeners["hublink"], rubbish.Addr().String(), "127.0.0.1:1"} {
		f.link.set(true)
		f.link.to = wrong
		f.link.set(false)
		f.linkIs(t, "offline")
		if !b.send("press", press(i+1)) {
			t.Fatalf("press not acknowledged with %s at the other end", wrong)
		}
		waitFor(t, 20*time.Second, "the receipt", func() bool { return len(b.received("receipt")) > i })
	}
	f.link.set(true)
	f.link.to = right
	f.link.set(false)
	f.inSync(t)
}
