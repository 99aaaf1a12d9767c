package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/identity"
)

// Defects of systems of this kind, each of which must be impossible here.
// DEFECTS.md says which test shows which of them.

// Defect 1: a press while the broker goes is lost although the lamp says
// otherwise. The hub is killed at the moment of the receipt, and at the moment of
// the press.
func TestDefect1_WhatTheLampSaysIsStoredAlsoWhenTheHubDiesAtThatMoment(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	button := api.addDevice("btn-001", "button", "cabin-101")
	const rounds = 6
	for seq := 1; seq <= rounds; seq++ {
		c := dial(t, hub.Listeners["mqtt"], button)
		if seq%2 == 0 {
			c.say("press", press(seq)) // nobody knows how far it came
		} else {
			if !c.send("press", press(seq)) {
				t.Fatalf("press %d not acknowledged", seq)
			}
			waitReceipt(t, c, seq)
		}
		hub.kill()
		hub.run()
		stored := map[int]int{}
		for _, p := range list[pressView](api, "/api/v1/devices/btn-001/presses") {
			stored[p.Seq]++
		}
		for n := 1; n <= seq; n++ {
			if stored[n] > 1 || stored[n] == 0 && (n%2 == 1 || n < seq) {
				t.Fatalf("after kill %d press %d is stored %d times", seq, n, stored[n])
			}
		}
		// Without a receipt the button says it again; with one it may.
		again := dial(t, hub.Listeners["mqtt"], button)
		if !again.send("press", press(seq)) {
			t.Fatalf("press %d not acknowledged when it comes again", seq)
		}
		waitReceipt(t, again, seq)
	}
	if n := len(list[pressView](api, "/api/v1/devices/btn-001/presses")); n != rounds {
		t.Errorf("%d presses are stored, %d were made", n, rounds)
	}
}

// Defect 2: the counter begins anew at a boot, and repeated presses open second
// requests, or new ones are taken for old ones.
func TestDefect2_ACounterThatBeginsAnewLosesNothingAndDoublesNothing(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	for i, boots := range []bool{true, false} {
		button := api.addDevice(fmt.Sprintf("btn-%03d", i), "button", fmt.Sprintf("cabin-10%d", i))
		made := 0
		for boot := 1; boot <= 4; boot++ {
			c := dial(t, hub.Listeners["mqtt"], button)
			if boot%2 == 0 { // not all firmware says so
				c.send("status", map[string]any{"online": true, "reset_reason": "brown_out", "uptime_s": 1})
			}
			for seq := 1; seq <= 2; seq++ {
				p := map[string]any{"press_type": "single", "sequence_id": seq, "timestamp": time.Now().Add(time.Duration(boot) * time.Millisecond)}
				if boots {
					p["boot_id"] = fmt.Sprint("boot-", boot)
				}
				made++
				for range 2 { // each comes twice
					if !c.send("press", p) {
						t.Fatalf("press %d of boot %d not acknowledged", seq, boot)
					}
				}
			}
			c.Disconnect(0)
			if boot == 2 {
				hub.kill()
				hub.run()
			}
		}
		if n := len(list[pressView](api, "/api/v1/devices/"+button.ID+"/presses")); n != made {
			t.Errorf("boot_id %t: %d presses are stored, %d were made", boots, n, made)
		}
		requests := list[requestView](api, "/api/v1/requests?device_id="+button.ID)
		if len(requests) != 1 || requests[0].Presses != made {
			t.Errorf("boot_id %t: requests %+v, want one ×%d", boots, requests, made)
		}
	}
}

// Defect 3: presses during a restart of the backend are lost. Buttons press on
// while the hub is stopped as its users do, and while it is killed.
func TestDefect3_PressesDuringARestartAreThereAfterIt(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	var buttons []device
	for i := range 3 {
		buttons = append(buttons, api.addDevice(fmt.Sprintf("btn-%03d", i), "button", fmt.Sprintf("cabin-%d", i)))
	}
	addr := hub.Listeners["mqtt"]
	restarted := make(chan struct{})
	made := make([]int, len(buttons))
	var pressing sync.WaitGroup
	for i, b := range buttons {
		pressing.Go(func() {
			made[i] = pressOn(addr, b, restarted)
		})
	}
	for n := range 4 {
		reached := n * 20
		waitFor(t, 30*time.Second, "presses", func() bool {
			total := 0
			for _, b := range buttons {
				total += len(list[pressView](api, "/api/v1/devices/"+b.ID+"/presses"))
			}
			return total > reached
		})
		if n%2 == 0 {
			hub.stop()
		} else {
			hub.kill()
		}
		hub.run()
	}
	close(restarted)
	pressing.Wait()
	for i, b := range buttons {
		stored := list[pressView](api, "/api/v1/devices/"+b.ID+"/presses")
		if len(stored) != made[i] || made[i] == 0 {
			t.Errorf("%s: %d presses are stored, %d were made", b.ID, len(stored), made[i])
		}
	}
}

// pressOn presses until enough is closed and the last press was acknowledged:
// each press is sent until its PUBACK comes, over as many connections as that
// takes. It returns how many presses it made.
func pressOn(addr string, d device, enough <-chan struct{}) (made int) {
	for {
		w, err := tryWire(addr, d, hello{})
		if err != nil {
			<-time.After(20 * time.Millisecond) // the button's back-off
			continue
		}
		for {
			payload, _ := json.Marshal(press(made + 1)) // of numbers and texts
			_ = w.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err = w.Write(w.publication(d.Base+"/press", payload, 1, false, uint16(made+1))); err != nil {
				break
			}
			var first byte
			if first, _, err = w.next(); err != nil || first>>4 != puback {
				break
			}
			made++
			select {
			case <-enough:
				_ = w.Close()
				return made
			case <-time.After(5 * time.Millisecond):
			}
		}
		_ = w.Close()
	}
}

// Defect 5: two watches accept, and the last one wins.
func TestDefect5_OfTwoWatchesThatAcceptOneHasItAndTheOtherIsToldWho(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	button := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))
	var watches []*client
	for _, id := range []string{"watch-001", "watch-002"} {
		watches = append(watches, dial(t, hub.Listeners["mqtt"], api.addDevice(id, "watch", "crew-mess")))
	}
	// told waits until every watch has been told of a request in a stage.
	told := func(id, stage string) (by string) {
		t.Helper()
		waitFor(t, 20*time.Second, "both watches to be told that it is "+stage, func() bool {
			return !slices.ContainsFunc(watches, func(w *client) bool {
				return !slices.ContainsFunc(w.received("notify"), func(n map[string]any) bool {
					by, _ = n["taken_by"].(string)
					return n["request_id"] == id && n["stage"] == stage
				})
			})
		})
		return by
	}
	for round := 1; round <= 20; round++ {
		if !button.send("press", press(round)) {
			t.Fatal("press not acknowledged")
		}
		open := list[requestView](api, "/api/v1/requests?state=open")
		if len(open) != 1 {
			t.Fatalf("round %d: %d open requests", round, len(open))
		}
		q := open[0]
		told(q.ID, "open")
		var both sync.WaitGroup
		for _, w := range watches {
			both.Go(func() { w.send("request/"+q.ID, map[string]any{"action": "accept", "version": q.Version}) })
		}
		both.Wait()
		by := told(q.ID, "accepted")
		var now requestView
		api.call(http.MethodGet, "/api/v1/requests/"+q.ID, nil, &now)
		if now.State != "accepted" || now.AcceptedBy == nil || now.AcceptedBy.ID != by || now.Version != q.Version+1 {
			t.Fatalf("round %d: %+v, and the watches were told of %s", round, now, by)
		}
		api.call(http.MethodPost, "/api/v1/requests/"+q.ID+"/complete", map[string]int{"version": now.Version}, nil)
	}
}

// Defect 7: a watch is connected and no longer subscribed, and counts as one that
// rings.
func TestDefect7_AWatchThatIsConnectedAndNotSubscribedIsUnreachableAndSaidToBe(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	d := api.addDevice("watch-001", "watch", "crew-mess")
	w := dial(t, hub.Listeners["mqtt"], d)
	button := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))
	if tok := w.Unsubscribe(d.Base + "/cmd/#"); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	if !button.send("press", press(1)) {
		t.Fatal("press not acknowledged")
	}
	// unreachable says why the watch cannot be told of the request; "" when it can.
	type missing []struct {
		ID  string `json:"device_id"`
		Why string `json:"why"`
	}
	unreachable := func() string {
		var q struct {
			Unreachable missing
			Notified    struct{ Unreachable missing }
		}
		api.call(http.MethodGet, "/api/v1/requests/"+list[requestView](api, "/api/v1/requests")[0].ID, nil, &q)
		for _, u := range append(q.Unreachable, q.Notified.Unreachable...) {
			if u.ID == d.ID {
				return u.Why
			}
		}
		return ""
	}
	waitFor(t, 20*time.Second, "the hub to say that the watch is not subscribed", func() bool { return unreachable() == "not subscribed" })
	if got := w.received("notify"); len(got) > 0 {
		t.Errorf("told all the same: %v", got)
	}
	if tok := w.Subscribe(d.Base+"/cmd/#", 1, w.take); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	waitFor(t, 20*time.Second, "the watch to ring when it listens again", func() bool { return len(w.received("notify")) > 0 })
	waitFor(t, 20*time.Second, "the hub to say that it knows", func() bool { return unreachable() == "" })
}

// Defect 10: a command is "delivered" to a device that does not have it, or is
// carried out days late.
func TestDefect10_DeliveredIsWrittenOnTheDevicesWordAndNothingIsSentAfterItsTime(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t, "--command-repeat", "1h")
	d := api.addDevice("watch-001", "watch", "bridge")
	state := func(id string) string {
		var c commandView
		api.call(http.MethodGet, "/api/v1/commands/"+id, nil, &c)
		return c.State
	}
	send := func(ttl time.Duration) string {
		var c commandView
		api.call(http.MethodPost, "/api/v1/devices/watch-001/command", map[string]any{"name": "locate", "ttl_ms": ttl.Milliseconds()}, &c)
		return c.ID
	}
	off := send(2 * time.Second)
	if got := state(off); got != "at_hub" {
		t.Errorf("the device is off, and its command is %s", got)
	}
	waitFor(t, 20*time.Second, "the command to expire", func() bool { return state(off) == "expired" })

	// A radio that takes the message and does not say so.
	w := dialWire(t, hub.Listeners["mqtt"], d, hello{})
	w.subscribe(t, d.Base+"/cmd/#", 1)
	late := send(time.Minute)
	var id uint16
	for {
		first, body, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		if first>>4 != publish {
			continue
		}
		var o struct {
			ID string `json:"command_id"`
		}
		_, packet, payload := w.arrived(first, body)
		if err := json.Unmarshal(payload, &o); err != nil || o.ID != late {
			t.Fatalf("got %s, want command %s: the one before has expired", payload, late)
		}
		id = packet
		break
	}
	waitFor(t, 20*time.Second, "the command to be sent", func() bool { return state(late) == "sent" })
	if err := w.ack(id); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "the command to be delivered", func() bool { return state(late) == "delivered" })
}

// Defect 13: revoking a certificate leaves the live session up. F18 is the same
// over REST, with resumption and the last will; this is how an administrator
// does it on the board.
func TestDefect13_RevokingACertificateEndsItsSession(t *testing.T) {
	t.Parallel()
	hub, api, data := startHub(t)
	button := api.addDevice("btn-001", "button", "cabin-101")
	own := api.certify("btn-001")
	pool := x509.NewCertPool()
	anchors, err := os.ReadFile(api.anchors())
	if err != nil || !pool.AppendCertsFromPEM(anchors) {
		t.Fatal(err)
	}
	connect := func() (*wire, error) {
		c, err := tls.Dial("tcp", hub.Listeners["mqtts"], &tls.Config{
			RootCAs: pool, ServerName: identity.SiteServerName, Certificates: []tls.Certificate{own.Certificate}, MinVersion: tls.VersionTLS12,
		})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = c.Close() })
		return greet(c, button, hello{})
	}
	w, err := connect()
	if err != nil {
		t.Fatal(err)
	}
	cli(t, "", "obedio-hub", "cert", "revoke", "--data", data, own.serial)
	ended(t, "the session of a revoked certificate", w)
	if _, err := connect(); err == nil {
		t.Error("let in again")
	}
}

// An emergency in the middle of a kill -9: it rings again, on the watch and on
// the screen.
func TestEmergency_RingsAgainOnWatchAndScreenAfterAKill9(t *testing.T) {
	hub, api, _ := startHub(t)
	watch := api.addDevice("watch-001", "watch", "bridge")
	before := dial(t, hub.Listeners["mqtt"], watch)
	look := watchScreen(t, api, "")
	button := dial(t, hub.Listeners["mqtt"], api.addDevice("btn-001", "button", "cabin-101"))
	if !button.send("press", map[string]any{"press_type": "long", "sequence_id": 1, "boot_id": "boot-1", "priority": "emergency"}) {
		t.Fatal("press not acknowledged")
	}
	waitReceipt(t, button, 1)
	var id string
	rings := func(w *client) bool {
		return slices.ContainsFunc(w.received("notify"), func(n map[string]any) bool {
			if n["priority"] != "emergency" || n["stage"] != "open" || id != "" && n["request_id"] != id {
				return false
			}
			id, _ = n["request_id"].(string)
			return true
		})
	}
	waitFor(t, 20*time.Second, "the emergency to ring", func() bool { return rings(before) })
	waitFor(t, 20*time.Second, "the screen to show it", func() bool { return look.shows(id, "emergency") })
	hub.kill()
	<-look.ended

	hub.run()
	after, again := dial(t, hub.Listeners["mqtt"], watch), watchScreen(t, api, look.last())
	waitFor(t, 5*time.Second, "the emergency to ring again on the watch and to be on the screen", func() bool {
		return rings(after) && again.shows(id, "emergency")
	})
	if !after.send("request/"+id, map[string]any{"action": "accept", "version": list[requestView](api, "/api/v1/requests?state=open")[0].Version}) {
		t.Fatal("accept not acknowledged")
	}
	waitFor(t, 20*time.Second, "the screen to fall silent", func() bool { return !again.shows(id, "emergency") })
}
