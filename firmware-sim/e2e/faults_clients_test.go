package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Faults of the clients: what one or all of them do to the others.

// finger is a button whose presses are timed from the press to the receipt.
type finger struct {
	*wire
	device
	seq      int
	receipts chan int
}

func newFinger(t *testing.T, w *wire, d device) *finger {
	t.Helper()
	t.Cleanup(func() { _ = w.Close() })
	f := &finger{wire: w, device: d, receipts: make(chan int, 16)}
	f.subscribe(t, d.Base+"/cmd/receipt", 1)
	go func() {
		_ = f.read(func(_ string, payload []byte) bool {
			var r struct {
				Seq   int `json:"sequence_id"`
				Stage string
			}
			if json.Unmarshal(payload, &r) == nil && r.Stage == "stored" {
				select {
				case f.receipts <- r.Seq:
				default: // nobody waits for so many
				}
			}
			return false
		})
	}()
	return f
}

// press returns the time to the receipt; false when none comes.
func (f *finger) press() (time.Duration, bool) {
	f.seq++
	b, _ := json.Marshal(press(f.seq)) // of plain fields
	began := time.Now()
	if _, err := f.Write(f.publication(f.Base+"/press", b, 1, false, uint16(f.seq))); err != nil {
		return 0, false
	}
	for late := time.After(30 * time.Second); ; {
		select {
		case seq := <-f.receipts:
			if seq == f.seq {
				return time.Since(began), true
			}
		case <-late:
			return 0, false
		}
	}
}

// F14: a subscriber stops reading. The others' receipts all come; it loses
// messages, which are counted, and then its connection.
func TestF14_SubscriberThatStopsReadingCostsOnlyItself(t *testing.T) {
	hub, api, _ := startHub(t, "--write-timeout", "2s")
	var fingers []*finger
	for _, d := range api.addMany(4, "btn-", "button", "cabin-101") {
		fingers = append(fingers, newFinger(t, dialWire(t, hub.Listeners["mqtt"], d, hello{}), d))
	}
	// The telemetry of a site goes on all the time.
	stop := make(chan struct{})
	var talking sync.WaitGroup
	for _, d := range api.addMany(4, "talk-", "sensor", "store") {
		c := dialWire(t, hub.Listeners["mqtt"], d, hello{})
		talking.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-stop:
					return
				case <-pace.C:
				}
				if _, err := c.Write(c.publication(d.Base+"/blob", make([]byte, 8<<10), 0, false, 0)); err != nil {
					t.Errorf("a publisher lost its connection: %v", err)
					return
				}
			}
		})
	}
	// Who will stop reading reads at first.
	deaf := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "deaf", "watch", "bridge"), hello{})
	deaf.subscribe(t, "obedio/yacht-1/#", 0)
	var stopReading atomic.Bool
	deafened := make(chan struct{})
	go func() {
		defer close(deafened)
		_ = deaf.read(func(string, []byte) bool { return stopReading.Load() })
	}()
	// Somebody looks at the counters all the time, too.
	var stalled atomic.Bool
	talking.Go(func() {
		look := time.NewTicker(50 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-stop:
				return
			case <-look.C:
			}
			_, body, err := api.try(http.MethodGet, "/api/v1/system", nil)
			var system struct{ Messages counters }
			if err == nil && json.Unmarshal(body, &system) == nil && system.Messages.Limits["write_stall"] > 0 {
				stalled.Store(true)
			}
		}
	})
	// round lets every button press, least times and until enough says so.
	round := func(least int, enough func() bool) (all []time.Duration) {
		t.Helper()
		var mu sync.Mutex
		var pressing sync.WaitGroup
		for _, f := range fingers {
			pressing.Go(func() {
				for n := 0; n < least || !enough(); n++ {
					took, ok := f.press()
					if !ok {
						t.Errorf("%s: no receipt for press %d", f.ID, f.seq)
						return
					}
					mu.Lock()
					all = append(all, took)
					mu.Unlock()
				}
			})
		}
		pressing.Wait()
		return all
	}
	always := func() bool { return true }
	round(50, always) // what is done once is done
	before := round(300, always)

	stopReading.Store(true)
	<-deafened
	began := time.Now()
	during := round(50, func() bool { return stalled.Load() || time.Since(began) > 60*time.Second })
	close(stop)
	talking.Wait()
	ended(t, "subscriber that stopped reading", deaf)
	got := api.counters()
	p99 := func(all []time.Duration) time.Duration { return percentile(all, 0.99) }
	t.Logf("press to receipt before: %d, p50 %s, p99 %s; during: %d, p50 %s, p99 %s; ratio of p99 %.2f", len(before), percentile(before, 0.5), p99(before),
		len(during), percentile(during, 0.5), p99(during), float64(p99(during))/float64(p99(before)))
	t.Logf("dropped %v, limits %v", got.Dropped, got.Limits)
	if got.Limits["write_stall"] != 1 || got.Dropped["slow_client"] == 0 || api.held("deaf", "write_stall") != 1 {
		t.Errorf("not disconnected, or not reported: %+v, %+v", got, api.denials("deaf"))
	}
	if got.Connected != len(fingers)+4 {
		t.Errorf("%d are connected", got.Connected)
	}
}

// F15: a reconnect storm. A thousand devices lose the hub at once and come back
// as fast as they can; all are back, and a press meanwhile is answered.
func TestF15_ReconnectStormAllAreBackAndAPressMeanwhileIsAnswered(t *testing.T) {
	hub, api, _ := startHub(t)
	const clients = 1000
	devices := api.addMany(clients, "sensor-", "sensor", "store")
	button := api.addDevice("btn-001", "button", "cabin-101")
	addr := hub.Listeners["mqtt"]
	stop := make(chan struct{})
	var attempts atomic.Int64
	var storm sync.WaitGroup
	for _, d := range devices {
		storm.Go(func() {
			for {
				attempts.Add(1)
				c, err := tryWire(addr, d, hello{keep: true})
				if err == nil {
					go func() {
						<-stop
						_ = c.Close()
					}()
					_ = c.read(func(string, []byte) bool { return false })
				}
				again := time.NewTimer(time.Duration(rand.IntN(500)) * time.Millisecond)
				select {
				case <-stop:
					again.Stop()
					return
				case <-again.C:
				}
			}
		})
	}
	defer storm.Wait()
	defer close(stop)
	connected := func() bool { return api.counters().Connected >= clients }
	waitFor(t, 120*time.Second, "all to be connected", connected)
	first := attempts.Load()

	began := time.Now()
	hub.kill()
	hub.run()
	started := time.Since(began)
	// A button tries again as the others do: of those that wait at the door the
	// hub sends away who has waited for longest.
	var f *finger
	waitFor(t, 60*time.Second, "the button to be let in", func() bool {
		w, err := tryWire(addr, button, hello{})
		if err == nil {
			f = newFinger(t, w, button)
		}
		return err == nil
	})
	at := api.counters().Connected
	took, ok := f.press()
	if !ok {
		t.Fatal("a press in the storm is not answered")
	}
	answered := time.Since(began)
	waitFor(t, 120*time.Second, "all to be back", func() bool { return api.counters().Connected == clients+1 })
	got := api.counters()
	t.Logf("started after %s; button answered after %s, its press within %s, with %d others back; all %d after %s and %d attempts (%d at first); refused %v",
		started.Round(time.Millisecond), answered.Round(time.Millisecond), took.Round(time.Millisecond), at, clients, time.Since(began).Round(time.Millisecond),
		attempts.Load()-first, first, got.Refused)
	if n := len(list[pressView](api, "/api/v1/devices/btn-001/presses")); n != 1 {
		t.Errorf("%d presses", n)
	}
}
