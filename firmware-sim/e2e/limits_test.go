package e2e

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// What a hostile or broken client can do costs little memory, is reported, and
// the other clients' work goes on: after each a button is answered.

func TestLimits_HugeLengthsReserveNothing(t *testing.T) {
	hub, api, _ := startHub(t)
	w := newWitness(t, hub, api)
	w.press(t)
	before := hub.resident()
	var all []net.Conn
	for range 8 {
		c := open(t, hub.Listeners["mqtt"])
		if _, err := c.Write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}); err != nil { // 256 MiB are to follow
			t.Fatal(err)
		}
		all = append(all, c)
	}
	known := api.addMany(8, "huge-", "sensor", "store")
	for _, d := range known {
		c := dialWire(t, hub.Listeners["mqtt"], d, hello{})
		if _, err := c.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for _, c := range all {
		ended(t, "huge length", c)
	}
	bounded(t, "16 sockets that announce 256 MiB each", before, hub.resident(), 64*mib)
	t.Logf("a press meanwhile: %s", w.press(t))
	n := api.counters()
	t.Logf("refused %v, limits %v", n.Refused, n.Limits)
	if n.Refused["too_large"] != 8 || n.Limits["packet_bytes"] != 8 || api.held(known[0].ID, "packet_bytes") != 1 {
		t.Errorf("reported: refused %v, limits %v, denials %+v", n.Refused, n.Limits, api.denials(""))
	}
}

func TestLimits_SilentSocketsMakeRoomForWhoSpeaks(t *testing.T) {
	hub, api, _ := startHub(t)
	w := newWitness(t, hub, api)
	w.press(t)
	before := hub.resident()
	var slowest time.Duration
	silent := make([]net.Conn, 0, 2000)
	for i := range 2000 {
		silent = append(silent, open(t, hub.Listeners["mqtt"]))
		if i%500 == 499 {
			slowest = max(slowest, w.press(t))
		}
	}
	late := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-late", "button", "cabin-102"))
	if !late.send("press", press(1)) {
		t.Error("who comes after 2,000 silent sockets is not served")
	}
	bounded(t, "2,000 silent sockets", before, hub.resident(), 128*mib)
	t.Logf("slowest press meanwhile: %s", slowest)
	for _, c := range silent {
		ended(t, "silent socket", c)
	}
	if n := api.counters().Refused["silent"]; n != 2000 {
		t.Errorf("%d of 2,000 silent sockets are counted", n)
	}
}

func TestLimits_SubscriptionBombIsCutShort(t *testing.T) {
	hub, api, _ := startHub(t)
	w := newWitness(t, hub, api)
	w.press(t)
	c := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "bomb", "sensor", "store"), hello{})
	before := hub.resident()
	const packets, filters = 2000, 10
	answered := make(chan int, 1)
	go func() {
		granted := 0
		for range packets {
			first, body, err := c.next()
			if err != nil || first>>4 != suback {
				break
			}
			for _, code := range body[2:] {
				if code < 0x80 {
					granted++
				}
			}
		}
		answered <- granted
	}()
	for i := range packets {
		var names []string
		for j := range filters {
			names = append(names, fmt.Sprintf("obedio/yacht-1/+/sensor/+/f%d/%d/#", i, j))
		}
		if _, err := c.Write(c.subscription(uint16(i+1), 1, names...)); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	granted := <-answered
	bounded(t, fmt.Sprintf("%d filters, %d granted", packets*filters, granted), before, hub.resident(), 64*mib)
	t.Logf("a press meanwhile: %s", w.press(t))
	if held := api.counters().Limits["subscriptions"]; granted != 50 || held != packets*filters-50 {
		t.Errorf("%d granted, %d refused", granted, held)
	}
	if n := api.held("bomb", "subscriptions"); n == 0 {
		t.Error("not among the denials")
	}
}

func TestLimits_RetainedFloodStopsAtTheClientsShare(t *testing.T) {
	hub, api, _ := startHub(t)
	w := newWitness(t, hub, api)
	w.press(t)
	c := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "flood", "sensor", "store"), hello{version: 5})
	before := hub.resident()
	const messages, size = 3000, 32 << 10 // 94 MiB
	refused := make(chan int, 1)
	go func() {
		n := 0
		for range messages {
			first, body, err := c.next()
			if err != nil || first>>4 != puback {
				break
			}
			if len(body) > 2 && body[2] >= 0x80 {
				n++
			}
		}
		refused <- n
	}()
	payload := make([]byte, size)
	for i := range messages {
		topic := fmt.Sprintf("obedio/yacht-1/store/sensor/flood/keep/%d", i)
		if _, err := c.Write(c.publication(topic, payload, 1, true, uint16(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(60 * time.Second))
	n := <-refused
	bounded(t, fmt.Sprintf("%d retained messages of %d KiB, %d refused", messages, size>>10, n), before, hub.resident(), 64*mib)
	t.Logf("a press meanwhile: %s", w.press(t))
	got := api.counters()
	if uint64(n) != got.Limits["retained"] || n < messages-100 || got.Dropped["retain_limit"] != uint64(n) || api.held("flood", "retained") == 0 {
		t.Errorf("%d refused; limits %v, dropped %v, denials %+v", n, got.Limits, got.Dropped, api.denials("flood"))
	}
}

func TestLimits_ClientThatNeverReadsIsDisconnected(t *testing.T) {
	hub, api, _ := startHub(t, "--write-timeout", "2s")
	w := newWitness(t, hub, api)
	w.press(t)
	deaf := dialWire(t, hub.Listeners["mqtt"], api.addTo(api.wide("wide"), "deaf", "watch", "bridge"), hello{keep: true})
	deaf.subscribe(t, "obedio/yacht-1/#", 1)
	before := hub.resident()
	const size = 16 << 10
	var talking sync.WaitGroup
	stop := make(chan struct{})
	for i, d := range api.addMany(4, "talk-", "sensor", "store") {
		c := dialWire(t, hub.Listeners["mqtt"], d, hello{})
		go func() { _ = c.read(func(string, []byte) bool { return false }) }()
		talking.Go(func() {
			for n := 0; n < 4000; n++ { // 62 MiB each at most
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Write(c.publication(d.Base+"/blob", make([]byte, size), byte(i%2), false, uint16(n%60000+1))); err != nil {
					return
				}
			}
		})
	}
	slowest, most := time.Duration(0), before
	waitFor(t, 60*time.Second, "the end of the client that does not read", func() bool {
		slowest, most = max(slowest, w.press(t)), max(most, hub.resident())
		return api.counters().Limits["write_stall"] > 0
	})
	close(stop)
	talking.Wait()
	ended(t, "client that never reads", deaf)
	bounded(t, "a client that never reads", before, most, 128*mib)
	got := api.counters()
	t.Logf("slowest of %d presses meanwhile: %s; dropped %v, limits %v", w.seq, slowest, got.Dropped, got.Limits)
	if got.Dropped["slow_client"] == 0 || api.held("deaf", "write_stall") == 0 || api.held("deaf", "outbound_bytes") == 0 {
		t.Errorf("not reported: dropped %v, denials %+v", got.Dropped, api.denials("deaf"))
	}
}
