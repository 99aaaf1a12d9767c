package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// F12 and F13: a store that comes back from an old copy, and a hub that runs
// twice.

// keep copies the data of a program that does not run, as somebody copies an SD
// card, and returns where.
func keep(t *testing.T, data string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "image")
	if out, err := exec.Command("cp", "-a", data, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v %s", data, err, out)
	}
	return to
}

// putBack makes an image the data again.
func putBack(t *testing.T, image, data string) {
	t.Helper()
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", image, data).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v %s", image, err, out)
	}
}

// siteView is a site as the console shows it.
type siteView struct {
	LinkState     string   `json:"link_state"`
	Verdict       string   `json:"verdict"`
	Epoch         string   `json:"epoch"`
	Attention     int      `json:"attention"`
	Reasons       []string `json:"attention_reasons"`
	OrdersPending int      `json:"orders_pending"`
	DeadLetters   int      `json:"dead_letters"`
}

func (f *fleet) site(t *testing.T) siteView {
	t.Helper()
	var v siteView
	f.shore.call(http.MethodGet, "/api/v1/sites/yacht-1", nil, &v)
	return v
}

type auditView struct {
	Action string            `json:"action"`
	Target string            `json:"target"`
	Detail map[string]string `json:"detail"`
}

// audited is how often an audit tells of an action.
func audited(a *api, path, action string) (n int) {
	a.t.Helper()
	for _, e := range list[auditView](a, path) {
		if e.Action == action {
			n++
		}
	}
	return n
}

// move moves a device to another room.
func (a *api) move(id, room string) {
	a.t.Helper()
	resp, b := a.do(http.MethodGet, "/api/v1/devices/"+id, nil)
	if resp.StatusCode == http.StatusOK {
		resp, b = a.do(http.MethodPut, "/api/v1/devices/"+id, map[string]string{"room": room}, "If-Match", resp.Header.Get("ETag"))
	}
	if resp.StatusCode != http.StatusOK {
		a.t.Fatalf("move %s: %s %s", id, resp.Status, b)
	}
}

// roomOf is where a device is; "" for one that is not there.
func roomOf(a *api, path, id string) string {
	a.t.Helper()
	var d struct {
		Room string `json:"room"`
	}
	a.get(path+"/"+id, &d)
	return d.Room
}

// order orders a command from ashore, once the console knows the device, and
// returns its id.
func (f *fleet) order(t *testing.T, device, name string, ttl time.Duration) string {
	t.Helper()
	waitFor(t, 30*time.Second, "the console to know "+device, func() bool {
		var d struct{}
		return f.shore.get("/api/v1/sites/yacht-1/devices/"+device, &d)
	})
	var c commandView
	f.shore.call(http.MethodPost, "/api/v1/sites/yacht-1/devices/"+device+"/command", map[string]any{
		"name": name, "ttl_ms": ttl.Milliseconds(),
	}, &c)
	return c.ID
}

// obey answers what a watch is told, until the test ends.
func obey(t *testing.T, w *client, names ...string) {
	t.Helper()
	done := map[any]bool{}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, name := range names {
				for _, m := range w.received(name) {
					if id := m["command_id"]; !done[id] {
						done[id] = true
						w.say("ack", map[string]any{"command_id": id, "status": "succeeded"})
					}
				}
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
}

// commandAshore is the state of a command as the console tells it.
func (f *fleet) commandAshore(id string) string {
	return commandIn(f.shore, "/api/v1/sites/yacht-1/commands", id)
}

func commandIn(a *api, path, id string) string {
	a.t.Helper()
	var c commandView
	a.get(path+"/"+id, &c)
	return c.State
}

// becomes waits until a command has a state on both sides.
func (f *fleet) becomes(t *testing.T, id, state string) {
	t.Helper()
	waitFor(t, 30*time.Second, "command "+id+" to be "+state+" on both sides", func() bool {
		return f.commandAshore(id) == state && commandIn(f.board, "/api/v1/commands", id) == state
	})
}

// published is how often a watch was told a command.
func published(w *client, name, id string) (n int) {
	for _, m := range w.received(name) {
		if m["command_id"] == id {
			n++
		}
	}
	return n
}

// answer does a step of a request on board.
func (a *api) answer(r requestView, step string) requestView {
	a.t.Helper()
	var after requestView
	a.call(http.MethodPost, "/api/v1/requests/"+r.ID+"/"+step, map[string]int{"version": r.Version}, &after)
	return after
}

// onlyOpen is the one request that is open on board.
func (a *api) onlyOpen() requestView {
	a.t.Helper()
	open := list[requestView](a, "/api/v1/requests?state=open")
	if len(open) != 1 {
		a.t.Fatalf("%d open requests: %+v", len(open), open)
	}
	return open[0]
}

// lived is what happens on a site, of which one part is in the image and the
// other is lost with it.
type lived struct {
	*fleet
	watch, button device
	serial        string // of a certificate that was revoked later
	before        siteView
	request       string // completed later
	commands      []string
	pressed       int
}

// live lets a site live until an image is made of it, by image, and on. The hub
// is stopped at the end.
func live(t *testing.T, image func(f *fleet)) *lived {
	t.Helper()
	f := startFleet(t)
	l := &lived{fleet: f}
	l.watch, l.button = f.board.addDevice("watch-001", "watch", "bridge"), f.board.addDevice("btn-001", "button", "cabin-101")
	f.board.addDevice("btn-002", "button", "cabin-102")
	l.serial = f.board.certify("btn-002").serial
	b := dial(t, f.hub.Listeners["mqtt"], l.button)
	if !b.send("press", press(1)) {
		t.Fatal("press not acknowledged")
	}
	f.inSync(t)
	l.before = f.site(t)
	image(f)

	// What the image does not know.
	b, w := dial(t, f.hub.Listeners["mqtt"], l.button), dial(t, f.hub.Listeners["mqtt"], l.watch)
	obey(t, w, "locate", "message")
	f.board.addDevice("btn-003", "button", "cabin-103")
	l.request = f.board.answer(f.board.answer(f.board.onlyOpen(), "accept"), "complete").ID
	if !b.send("press", press(2)) {
		t.Fatal("press not acknowledged")
	}
	f.board.move("btn-001", "cabin-201")
	f.board.call(http.MethodDelete, "/api/v1/security/certificates/"+l.serial+"?reason=key_compromise", nil, nil)
	for range 3 {
		id := f.order(t, "watch-001", "locate", time.Minute)
		l.commands = append(l.commands, id)
		f.becomes(t, id, "succeeded")
		if n := published(w, "locate", id); n != 1 {
			t.Fatalf("command %s was published %d times", id, n)
		}
	}
	l.pressed = 2
	f.inSync(t)
	f.hub.stop()
	return l
}

// found checks what a hub that was put back must come to.
func (l *lived) found(t *testing.T, w *client) {
	t.Helper()
	waitFor(t, 30*time.Second, "a new epoch to be welcome", func() bool {
		s := l.site(t)
		return s.LinkState == "online" && s.Epoch != l.before.Epoch && s.Verdict == "ok"
	})
	waitFor(t, 30*time.Second, "the hub to take back what it had lost", func() bool {
		return roomOf(l.board, "/api/v1/devices", "btn-003") == "cabin-103"
	})
	l.inSync(t)
	for _, id := range l.commands {
		if got := commandIn(l.board, "/api/v1/commands", id); got != "succeeded" {
			t.Errorf("command %s is %s on board", id, got)
		}
		if n := published(w, "locate", id); n != 0 {
			t.Errorf("command %s was run again %d times", id, n)
		}
	}
	var c struct{ State string }
	l.board.call(http.MethodGet, "/api/v1/security/certificates/"+l.serial, nil, &c)
	if c.State != "revoked" {
		t.Errorf("the certificate is %s on board", c.State)
	}
	if n := audited(l.board, "/api/v1/audit", "hub.recovered"); n != 1 {
		t.Errorf("the hub's audit tells %d times of it", n)
	}
	if n := audited(l.shore, "/api/v1/audit", "hub.restored"); n != 1 {
		t.Errorf("the console's audit tells %d times of it", n)
	}
	waitFor(t, 20*time.Second, "the watch to be back", w.IsConnectionOpen)
	// It works as any hub: what is ordered now is done once.
	id := l.order(t, "watch-001", "locate", time.Minute)
	l.becomes(t, id, "succeeded")
	if n := published(w, "locate", id); n != 1 {
		t.Errorf("a new command was published %d times", n)
	}
	l.inSync(t)
	if s := l.site(t); s.OrdersPending != 0 || s.DeadLetters > 0 != l.forked {
		t.Errorf("the site has %d orders pending and %d dead letters", s.OrdersPending, s.DeadLetters)
	}
}

func TestF12_HubRestoredFromAnOldImageIsFoundAndTakesBackWhatItHadLost(t *testing.T) {
	t.Parallel()
	var image string
	l := live(t, func(f *fleet) {
		f.hub.stop()
		image = keep(t, f.boardData)
		f.hub.run()
	})
	putBack(t, image, l.boardData)
	l.hub.run()
	w := stay(t, l.hub.Listeners["mqtt"], l.watch) // the hub starts anew on the way
	obey(t, w, "locate")
	l.found(t, w)
	if got := roomOf(l.board, "/api/v1/devices", "btn-001"); got != "cabin-201" {
		t.Errorf("btn-001 is in %q", got)
	}
	if got := requestIn(l.board, "/api/v1/requests", l.request); got != "completed" {
		t.Errorf("the request that was completed is %s", got)
	}
	if open := l.board.onlyOpen(); open.DeviceID != "btn-001" {
		t.Errorf("open is %+v", open)
	}
	// The button goes on where it was, not where the image was.
	b := dial(t, l.hub.Listeners["mqtt"], device{l.button.ID, l.button.Password, strings.Replace(l.button.Base, "cabin-101", "cabin-201", 1)})
	for _, seq := range []int{2, 3} {
		if !b.send("press", press(seq)) {
			t.Fatal("press not acknowledged")
		}
	}
	presses := 0
	for _, r := range list[requestView](l.board, "/api/v1/requests") {
		presses += r.Presses
	}
	if presses != 3 {
		t.Errorf("%d presses of 3: one came twice, or not at all", presses)
	}
	l.inSync(t)
}

// What was done on board before anybody knew that the store is an old one stands,
// also against what was done before it was put back.
func TestF12_HubRestoredFromAnOldImageKeepsWhatWasDoneOnBoardBeforeContact(t *testing.T) {
	t.Parallel()
	var image string
	l := live(t, func(f *fleet) {
		f.hub.stop()
		image = keep(t, f.boardData)
		f.hub.run()
	})
	putBack(t, image, l.boardData)
	l.forked = true // what the hub writes now has the numbers of what it has lost
	l.link.set(true)
	l.hub.run()
	b := dial(t, l.hub.Listeners["mqtt"], l.button)
	old := l.board.onlyOpen() // which was completed, as the console knows
	l.board.call(http.MethodPost, "/api/v1/requests/"+old.ID+"/cancel", map[string]any{"version": old.Version, "reason": "guest"}, nil)
	if !b.send("press", press(3)) {
		t.Fatal("press not acknowledged")
	}
	called := l.board.answer(l.board.onlyOpen(), "accept")
	l.board.move("btn-001", "cabin-301")
	l.board.addDevice("btn-004", "button", "cabin-104")
	w := stay(t, l.hub.Listeners["mqtt"], l.watch)
	obey(t, w, "locate")
	l.link.set(false)
	l.found(t, w)
	for path, a := range map[string]*api{"/api/v1": l.board, "/api/v1/sites/yacht-1": l.shore} {
		got := []string{
			roomOf(a, path+"/devices", "btn-001"), roomOf(a, path+"/devices", "btn-003"), roomOf(a, path+"/devices", "btn-004"),
			requestIn(a, path+"/requests", old.ID), requestIn(a, path+"/requests", called.ID),
		}
		want := []string{"cabin-301", "cabin-103", "cabin-104", "cancelled", "accepted"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// requestIn is the state of a request; "" for one that is not there.
func requestIn(a *api, path, id string) string {
	a.t.Helper()
	for _, r := range list[requestView](a, path) {
		if r.ID == id {
			return r.State
		}
	}
	return ""
}

func TestF12_HubRestoredFromItsBackupTakesBackWhatItHadLost(t *testing.T) {
	t.Parallel()
	backup := filepath.Join(t.TempDir(), "hub.backup")
	l := live(t, func(f *fleet) { cli(t, "", "obedio-hub", "backup", "--data", f.boardData, "--plain", backup) })
	cli(t, "", "obedio-hub", "restore", "--data", l.boardData, "--replace", backup)
	l.hub.run()
	w := stay(t, l.hub.Listeners["mqtt"], l.watch)
	obey(t, w, "locate")
	l.found(t, w)
	if n := audited(l.board, "/api/v1/audit", "hub.restored"); n != 1 {
		t.Errorf("the hub's audit tells %d times of the restore", n)
	}
}

// The console's store is put back: with the word of who did it, and without.
func TestF12_ConsoleRestoredFromAnOldBackupRunsNothingTwiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]bool{"said": true, "found out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t)
			w := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("watch-001", "watch", "bridge"))
			obey(t, w, "locate")
			b := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("btn-001", "button", "cabin-101"))
			f.inSync(t)
			var all []string
			done := func() {
				t.Helper()
				id := f.order(t, "watch-001", "locate", time.Minute)
				f.becomes(t, id, "succeeded")
				all = append(all, id)
			}
			done()
			f.inSync(t)
			f.link.set(true)
			f.linkIs(t, "offline")
			all = append(all, f.order(t, "watch-001", "locate", time.Hour)) // taken after the backup
			f.console.stop()
			backup := keep(t, f.shoreData)
			f.console.run()

			// What the backup does not know.
			f.link.set(false)
			f.becomes(t, all[1], "succeeded")
			done()
			done()
			f.board.addDevice("btn-002", "button", "cabin-102")
			for i := range 3 {
				if !b.send("press", press(i+1)) {
					t.Fatal("press not acknowledged")
				}
			}
			f.inSync(t)
			f.console.stop()
			f.link.set(true)
			putBack(t, backup, f.shoreData)
			if said {
				cli(t, "", "obedio-console", "restored", "--data", f.shoreData)
			}
			f.console.run()
			made := f.order(t, "watch-001", "locate", time.Hour) // with a number that the hub has taken
			all = append(all, made)
			f.link.set(false)
			f.becomes(t, made, "succeeded")
			f.inSync(t)
			done()
			for i, id := range all {
				f.becomes(t, id, "succeeded")
				if n := published(w, "locate", id); n != 1 {
					t.Errorf("command %d was published %d times", i, n)
				}
			}
			f.inSync(t)
			if s := f.site(t); s.OrdersPending != 0 || s.Verdict == "diverged" || s.LinkState != "online" {
				t.Errorf("the site afterwards: %+v", s)
			}
			action := "console.restored"
			if !said {
				action = "console.rolled_back"
			}
			if n := audited(f.shore, "/api/v1/audit", action); n != 1 {
				t.Errorf("the console's audit tells %d times of it", n)
			}
		})
	}
}
