package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// oracle holds, outside the hub's process, what the hub has acknowledged.
type oracle struct {
	mu       sync.Mutex // guards what follows
	presses  map[string]map[int]bool
	commands map[string]bool
	devices  map[string]device
	rooms    map[string]string // of devices that were moved
	profiles map[string]int    // reporting_interval_s, by name
}

func newOracle() *oracle {
	return &oracle{
		presses: map[string]map[int]bool{}, commands: map[string]bool{}, devices: map[string]device{},
		rooms: map[string]string{}, profiles: map[string]int{},
	}
}

func (o *oracle) note(fn func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fn()
}

// F1, and defects 1 and 3 of the product: kill -9 under load, many times. What
// was acknowledged is there, once, and nobody repairs anything.
func TestF1_Kill9UnderLoadEverythingAcknowledgedIsThere(t *testing.T) {
	hub, api, _ := startHub(t)
	rng := seeded(t)
	var buttons []device
	for i := range 4 {
		buttons = append(buttons, api.addDevice(fmt.Sprintf("btn-%03d", i), "button", fmt.Sprintf("cabin-%d", i)))
	}
	api.addDevice("watch-absent", "watch", "bridge")
	known := newOracle()
	next := make([]int, len(buttons))
	for i, b := range buttons {
		known.presses[b.ID], next[i] = map[int]bool{}, 1
	}
	made := 0 // of the administrator's changes
	const kills = 20
	var slowest time.Duration
	for range kills {
		var working sync.WaitGroup
		var total atomic.Int64
		killAfter := int64(5 + rng.IntN(60))
		reached := make(chan struct{})
		done := func() {
			if total.Add(1) == killAfter {
				close(reached)
			}
		}
		for i, b := range buttons {
			c := dial(t, hub.Listeners["mqtt"], b)
			working.Go(func() {
				for {
					seq := next[i]
					if !c.send("press", press(seq)) {
						return // the hub is gone; the press is sent again after its return
					}
					known.note(func() { known.presses[b.ID][seq] = true })
					next[i]++
					done()
				}
			})
		}
		working.Go(func() {
			for {
				made++
				if !known.change(api, made) {
					return
				}
				done()
			}
		})
		<-reached
		hub.kill()
		working.Wait()
		began := time.Now()
		hub.run()
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("%d kills; the slowest start took %s", kills, slowest.Round(time.Millisecond))
	known.check(t, hub, api)
}

// change makes the n-th change of configuration, or sends a command, and notes
// it if the hub has acknowledged it. false: the hub is gone.
func (o *oracle) change(api *api, n int) bool {
	id := fmt.Sprintf("sensor-%04d", n)
	resp, body, err := api.try(http.MethodPost, "/api/v1/devices", map[string]any{
		"device_id": id, "type": "sensor", "room": "store", "generate_password": true,
	})
	if err != nil || resp.StatusCode != http.StatusCreated {
		return false
	}
	var made struct {
		BaseTopic   string `json:"base_topic"`
		ETag        string
		Credentials struct{ Password string }
	}
	if json.Unmarshal(body, &made) != nil {
		return false
	}
	o.note(func() { o.devices[id] = device{ID: id, Password: made.Credentials.Password, Base: made.BaseTopic} })

	room := fmt.Sprintf("room-%d", n)
	resp, _, err = api.try(http.MethodPut, "/api/v1/devices/"+id, map[string]any{"room": room}, "If-Match", made.ETag)
	if err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	o.note(func() { o.rooms[id] = room })

	name := fmt.Sprintf("profile-%04d", n)
	resp, _, err = api.try(http.MethodPost, "/api/v1/security/profiles", map[string]any{"profile_name": name, "reporting_interval_s": 60 + n})
	if err != nil || resp.StatusCode != http.StatusCreated {
		return false
	}
	o.note(func() { o.profiles[name] = 60 + n })

	resp, body, err = api.try(http.MethodPost, "/api/v1/devices/"+id+"/command", map[string]any{"name": "locate"})
	var c commandView
	if err != nil || resp.StatusCode != http.StatusAccepted || json.Unmarshal(body, &c) != nil {
		return false
	}
	o.note(func() { o.commands[c.ID] = true })
	return true
}

// check compares what the hub says with what it had acknowledged.
func (o *oracle) check(t *testing.T, hub *program, api *api) {
	t.Helper()
	sum := 0
	for id, acked := range o.presses {
		count := map[int]int{}
		for _, p := range list[pressView](api, "/api/v1/devices/"+id+"/presses") {
			count[p.Seq]++
		}
		for seq := range acked {
			if count[seq] != 1 {
				t.Errorf("%s: press %d was acknowledged and is there %d times", id, seq, count[seq])
			}
		}
		for seq, n := range count {
			if n > 1 {
				t.Errorf("%s: press %d is there %d times", id, seq, n)
			}
		}
		sum += len(acked)
	}
	commands := map[string]bool{}
	for _, c := range list[commandView](api, "/api/v1/commands") {
		commands[c.ID] = true
	}
	for id := range o.commands {
		if !commands[id] {
			t.Errorf("command %s was acknowledged and is not there", id)
		}
	}
	type shown struct {
		DeviceID string `json:"device_id"`
		Room     string
	}
	rooms := map[string]string{}
	for _, d := range list[shown](api, "/api/v1/devices") {
		rooms[d.DeviceID] = d.Room
	}
	for id, d := range o.devices {
		want, moved := o.rooms[id]
		if got := rooms[id]; got == "" || moved && got != want {
			t.Errorf("device %s was acknowledged in room %q and is in %q", id, want, got)
			continue
		}
		w, err := tryWire(hub.Listeners["mqtt"], d, hello{})
		if err != nil {
			t.Errorf("its password was acknowledged: %v", err)
			continue
		}
		_ = w.Close()
	}
	type profile struct {
		Name     string `json:"profile_name"`
		Interval int    `json:"reporting_interval_s"`
	}
	intervals := map[string]int{}
	for _, p := range list[profile](api, "/api/v1/security/profiles") {
		intervals[p.Name] = p.Interval
	}
	for name, want := range o.profiles {
		if intervals[name] != want {
			t.Errorf("profile %s was acknowledged with %d s and has %d", name, want, intervals[name])
		}
	}
	t.Logf("acknowledged and there: %d presses, %d commands, %d devices, %d moves, %d profiles", sum, len(o.commands), len(o.devices), len(o.rooms), len(o.profiles))
}
