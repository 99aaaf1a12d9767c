package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Faults of the machine under the hub.

// limitFiles sets how many files the running program may open.
func (p *program) limitFiles(t *testing.T, soft int) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "prlimit", "--pid", strconv.Itoa(p.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:", soft)).CombinedOutput()
	if err != nil {
		t.Fatalf("prlimit: %v %s", err, out)
	}
}

// F7: no more file descriptors. Who is connected goes on, nothing spins, and
// when there are descriptors again, who waits is let in.
func TestF7_NoMoreDescriptorsSessionsLiveAndNothingSpins(t *testing.T) {
	hub, api, data := startHub(t)
	w := newWitness(t, hub, api)
	late := api.addDevice("btn-late", "button", "cabin-102")
	w.press(t)
	goroutines(t, data) // the local socket works
	all, _ := hub.descriptors()
	hub.limitFiles(t, all+2)
	var waiting []net.Conn
	for range 20 {
		waiting = append(waiting, open(t, hub.Listeners["mqtt"])) // in the kernel's queue at least
	}
	failed := func() int { return strings.Count(hub.log.String(), "mqtt accept failed") }
	waitFor(t, 30*time.Second, "the hub to run out of descriptors", func() bool { return failed() > 0 })
	before, began := hub.cpu(), time.Now()
	presses := 0
	waitFor(t, 60*time.Second, "the pauses to grow to a second", func() bool {
		if presses < 10 {
			w.press(t)
			presses++
		}
		return strings.Contains(hub.log.String(), "pause=1s")
	})
	took, used := time.Since(began), hub.cpu()-before
	t.Logf("%d descriptors; %s without: %s of CPU, %d presses answered, %d failed accepts logged", all, took.Round(time.Millisecond), used, presses, failed())
	if used > took/2 {
		t.Errorf("the hub spins: %s of CPU in %s", used, took)
	}
	if n := failed(); n > 30 {
		t.Errorf("%d failed accepts are logged", n)
	}
	hub.limitFiles(t, all+200)
	c := dial(t, hub.Listeners["mqtt"], late)
	if !c.send("press", press(1)) {
		t.Error("with descriptors again a new client is not served")
	}
	for _, c := range waiting {
		_ = c.Close()
	}
	waitFor(t, 30*time.Second, "the sockets that waited to be gone", func() bool { now, _ := hub.descriptors(); return now <= all+4 })
}

// confine puts the program into a control group of its own with a limit of
// memory, where the machine has groups of version 2 and lets the test make one.
func confine(t *testing.T, p *program, limit int64) bool {
	t.Helper()
	const root = "/sys/fs/cgroup"
	if given, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control")); err != nil || !strings.Contains(string(given), "memory") {
		return false // version 1, or none
	}
	dir := filepath.Join(root, fmt.Sprintf("obedio-e2e-%d", p.cmd.Process.Pid))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return false
	}
	t.Cleanup(func() {
		p.stop()
		_ = os.Remove(dir)
	})
	if os.WriteFile(filepath.Join(dir, "memory.max"), []byte(strconv.FormatInt(limit, 10)), 0) != nil {
		return false
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(p.cmd.Process.Pid)), 0) == nil
}

// F8: a memory limit and a flood. Load is shed and counted, and the hub lives;
// what a kill leaves behind is F1.
func TestF8_FloodUnderAMemoryLimitIsShedAndCounted(t *testing.T) {
	const limit = 512 * mib
	hub, api, _ := startHub(t, "--memory-limit", strconv.Itoa(limit*9/10))
	confined := confine(t, hub, limit)
	w := newWitness(t, hub, api)
	w.press(t)
	before := hub.resident()
	wide := api.wide("wide")
	for i := range 4 {
		deaf := dialWire(t, hub.Listeners["mqtt"], api.addTo(wide, fmt.Sprintf("deaf-%d", i), "watch", "bridge"), hello{keep: true})
		deaf.subscribe(t, "obedio/yacht-1/#", 1)
	}
	const devices, each, size = 20, 800, 60 << 10 // 938 MiB, to each of four
	payload := make([]byte, size)
	var flood sync.WaitGroup
	for i, d := range api.addMany(devices, "flood-", "sensor", "store") {
		c := dialWire(t, hub.Listeners["mqtt"], d, hello{})
		go func() { _ = c.read(func(string, []byte) bool { return false }) }()
		flood.Go(func() {
			for n := range each {
				if _, err := c.Write(c.publication(d.Base+"/blob", payload, byte(i%2), false, uint16(n+1))); err != nil {
					return // the test has ended
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { flood.Wait(); close(over) }()
	most, slowest := before, time.Duration(0)
	waitFor(t, 120*time.Second, "the end of the flood", func() bool {
		select {
		case <-over:
			return true
		default:
			most, slowest = max(most, hub.resident()), max(slowest, w.press(t))
			return false
		}
	})
	got := api.counters()
	t.Logf("control group %v; %d MiB offered; resident %d MiB before, %d at most; slowest of %d presses %s; dropped %v, limits %v",
		confined, devices*each*size/mib, before/mib, most/mib, w.seq, slowest.Round(time.Millisecond), got.Dropped, got.Limits)
	if most > limit {
		t.Errorf("resident %d MiB", most/mib)
	}
	if got.Dropped["slow_client"] == 0 || got.Dropped["session_full"] == 0 {
		t.Errorf("nothing is counted as dropped: %v", got.Dropped)
	}
	if n := len(list[pressView](api, "/api/v1/devices/btn-witness/presses")); n != w.seq {
		t.Errorf("%d presses were acknowledged, %d are there", w.seq, n)
	}
}

// F10: the hub is stopped, and continued after its clients have given it up.
// Wills come once, and what was asked twice is done once.
func TestF10_StoppedAndContinuedWillsComeOnceAndNothingIsDoneTwice(t *testing.T) {
	hub, api, _ := startHub(t)
	lost := newTally()
	ear := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "ear", "watch", "bridge"), hello{keepalive: 600})
	ear.subscribe(t, "obedio/yacht-1/+/sensor/+/status", 1)
	go func() {
		_ = ear.read(func(topic string, payload []byte) bool { lost.take(topic, payload); return false })
	}()
	sensors := api.addMany(10, "sensor-", "sensor", "store")
	var held []*wire
	for _, d := range sensors {
		held = append(held, dialWire(t, hub.Listeners["mqtt"], d, hello{keepalive: 1, will: `{"online":false,"n":1}`}))
	}
	button := api.addDevice("btn-001", "button", "cabin-101")
	pressing := dialWire(t, hub.Listeners["mqtt"], button, hello{keepalive: 1})
	watch := dial(t, hub.Listeners["mqtt"], api.addDevice("watch-001", "watch", "bridge"))
	waitFor(t, 20*time.Second, "all to be connected", func() bool { return api.counters().Connected == 13 })

	hub.signal(t, syscall.SIGSTOP)
	defer hub.signal(t, syscall.SIGCONT) // whatever happens, it must end
	stopped := time.Now()
	// Half of the sensors hang up, half keep quiet; the button presses and hears
	// nothing, and so does who sends a command.
	for _, c := range held[:5] {
		_ = c.Close()
	}
	once := `{"press_type":"single","sequence_id":1,"boot_id":"b1"}`
	if _, err := pressing.Write(pressing.publication(button.Base+"/press", []byte(once), 1, false, 1)); err != nil {
		t.Fatal(err)
	}
	send := func(patience time.Duration) (*http.Response, error) {
		who := *api
		who.patience = patience
		resp, _, err := who.try(http.MethodPost, "/api/v1/devices/watch-001/command", map[string]any{"name": "locate"}, "Idempotency-Key", "k1")
		return resp, err
	}
	if _, err := send(3 * time.Second); err == nil { // longer than keepalives last
		t.Fatal("a stopped hub answers")
	}
	_ = pressing.Close()
	hub.signal(t, syscall.SIGCONT)
	t.Logf("stopped for %s", time.Since(stopped).Round(time.Millisecond))

	waitFor(t, 30*time.Second, "the command again", func() bool {
		resp, err := send(30 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == http.StatusConflict { // the first one is being worked on
			return false
		}
		if resp.StatusCode != http.StatusAccepted {
			t.Errorf("the command again: %s", resp.Status)
		}
		return true
	})
	pressing = dialWire(t, hub.Listeners["mqtt"], button, hello{})
	if _, err := pressing.Write(pressing.publication(button.Base+"/press", []byte(once), 1, false, 1)); err != nil {
		t.Fatal(err)
	}
	if first, _, err := pressing.next(); err != nil || first>>4 != puback {
		t.Fatalf("the press again: %x %v", first, err)
	}
	waitFor(t, 30*time.Second, "the wills", func() bool { return lost.sum.Load() >= int64(len(sensors)) })
	waitFor(t, 30*time.Second, "the command", func() bool { return len(watch.received("locate")) > 0 })
	// A device that comes and goes now has its will told after all of theirs.
	last := dialWire(t, hub.Listeners["mqtt"], api.addDevice("sensor-last", "sensor", "store"), hello{will: `{"online":false,"n":1}`})
	_ = last.Close()
	waitFor(t, 30*time.Second, "the last will", func() bool { return lost.sum.Load() > int64(len(sensors)) })
	for _, d := range sensors {
		lost.check(t, d.Base+"/status", 1)
	}
	ids := map[any]bool{}
	for _, c := range watch.received("locate") {
		ids[c["command_id"]] = true
	}
	requests, commands := list[requestView](api, "/api/v1/requests"), list[commandView](api, "/api/v1/commands")
	t.Logf("%d wills, %d requests, %d commands, told as %d", lost.sum.Load(), len(requests), len(commands), len(ids))
	if len(requests) != 1 || requests[0].Presses != 1 || len(commands) != 1 || len(ids) != 1 {
		t.Errorf("done twice: requests %+v, commands %+v, ids %v", requests, commands, ids)
	}
}
