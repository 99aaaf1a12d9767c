package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// F16: malformed packets and payloads, those of testdata/malformed and random
// changes of them, over TCP, WebSocket and REST. OBEDIO_SEED repeats a run.

// startFuzzed starts a hub with two devices whose credentials are abused.
func startFuzzed(t *testing.T) (*program, *api, []device) {
	t.Helper()
	// So many wrong passwords would ban the address.
	hub, api, _ := startHub(t, "--auth-failures", "1000000", "--metrics", "127.0.0.1:0")
	return hub, api, api.addMany(2, "fuzz-", "sensor", "store")
}

// unharmed checks that the hub is the one that was started, had no defect, and
// works.
func unharmed(t *testing.T, hub *program, api *api) {
	t.Helper()
	select {
	case <-hub.ended:
		t.Fatal("the hub has ended")
	default:
	}
	newWitness(t, hub, api).press(t)
	if strings.Contains(hub.log.String(), "panic") {
		t.Error("a panic is in the log")
	}
	metrics := *api
	metrics.base = "http://" + hub.Listeners["metrics"]
	if _, b := metrics.do(http.MethodGet, "/metrics", nil); !strings.Contains(string(b), "\nobedio_hub_mqtt_panics_total 0\n") {
		t.Error("the metrics do not say that there was no panic")
	}
}

func TestF16_EachMalformedPacketEndsItsConnectionAndIsCounted(t *testing.T) {
	hub, api, devices := startFuzzed(t)
	for _, m := range malformedPackets(t) {
		before := api.counters()
		c := open(t, hub.Listeners["mqtt"])
		if _, err := c.Write(append(m.greeting(devices[0]), m.bytes...)); err != nil {
			t.Fatalf("%s: %v", m.what, err)
		}
		ended(t, m.what, c)
		after := api.counters()
		refused, limited := sum(after.Refused)-sum(before.Refused), sum(after.Limits)-sum(before.Limits)
		denied := sum(after.Denied) - sum(before.Denied)
		if refused+limited+denied != 1 || (m.when == "first") != (refused == 1) {
			t.Errorf("%s: counted as %d refused, %d limited, %d denied", m.what, refused, limited, denied)
		}
	}
	got := api.counters()
	t.Logf("refused %v, limits %v, denied %v", got.Refused, got.Limits, got.Denied)
	unharmed(t, hub, api)
}

func TestF16_MutatedPacketsDoNoHarmOverTCPAndWebSocket(t *testing.T) {
	hub, api, devices := startFuzzed(t)
	rng := seeded(t)
	all := malformedPackets(t)
	// Well-formed ones, to be spoilt, too.
	d := devices[0]
	for _, version := range []byte{4, 5} {
		w, when := &wire{version: version}, fmt.Sprintf("later%d", version)
		all = append(all,
			malformed{"first", "connect", hello{version: version, will: "gone", keep: true, receiveMax: 20}.packet(d)},
			malformed{when, "publish", w.publication(d.Base+"/metrics", numbered(1), 1, false, 1)},
			malformed{when, "publish", w.publication(d.Base+"/status", numbered(1), 0, true, 0)},
			malformed{when, "subscribe", w.subscription(1, 1, d.Base+"/cmd/#", "a/+/b")})
	}
	rounds := 1500
	if long {
		rounds = 100_000
	}
	dialer := websocket.Dialer{Subprotocols: []string{"mqtt"}, HandshakeTimeout: 10 * time.Second}
	for round := range rounds {
		m := all[rng.IntN(len(all))]
		b := append(m.greeting(devices[rng.IntN(len(devices))]), mutate(rng, m.bytes)...)
		var c net.Conn
		if round%4 == 0 {
			ws, resp, err := dialer.DialContext(t.Context(), "ws://"+hub.Listeners["mqtt_ws"]+"/mqtt", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			c = ws.NetConn()
			switch rng.IntN(4) {
			case 0:
				_, _ = c.Write(b) // not even a frame
			case 1:
				_ = ws.WriteMessage(websocket.TextMessage, b)
			default:
				cut := rng.IntN(len(b) + 1) // frames and packets need not agree
				_ = ws.WriteMessage(websocket.BinaryMessage, b[:cut])
				_ = ws.WriteMessage(websocket.BinaryMessage, b[cut:])
			}
		} else {
			var err error
			if c, err = net.Dial("tcp", hub.Listeners["mqtt"]); err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write(b) // the hub may have closed it already
		}
		// With the answers unread, a close would take what was sent back.
		if half, ok := c.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		ended(t, fmt.Sprintf("%s, mutated to %x", m.what, b), c)
		_ = c.Close()
	}
	got := api.counters()
	t.Logf("%d mutated packets: refused %v, limits %v, denied %v, bad payloads %v", rounds, got.Refused, got.Limits, got.Denied, got.BadPayloads)
	if got.Refused["malformed"] == 0 || got.Limits["malformed"] == 0 {
		t.Error("not counted")
	}
	unharmed(t, hub, api)
}

func TestF16_BadPayloadsAreCountedAndDoNoHarm(t *testing.T) {
	hub, api, devices := startFuzzed(t)
	rng := seeded(t)
	d := devices[0]
	c := dialWire(t, hub.Listeners["mqtt"], d, hello{})
	acked := 0
	send := func(payload []byte) {
		t.Helper()
		for _, action := range []string{"status", "heartbeat", "metrics", "press", "ack", "nonesuch"} {
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			if _, err := c.Write(c.publication(d.Base+"/"+action, payload, 1, false, uint16(acked%60000+1))); err != nil {
				t.Fatal(err)
			}
			// Sent again it would be no better, so it is acknowledged.
			if first, _, err := c.next(); err != nil || first>>4 != puback {
				t.Fatalf("%s %q: %x %v", action, payload, first, err)
			}
			acked++
		}
	}
	lines := corpus(t, "payloads.txt")
	for _, line := range lines {
		payload, err := strconv.Unquote(line)
		if err != nil {
			t.Fatalf("payloads.txt: %s: %v", line, err)
		}
		send([]byte(payload))
		for range 4 {
			send(mutate(rng, []byte(payload)))
		}
	}
	got := api.counters()
	t.Logf("%d payloads acknowledged, %d counted as bad", acked, got.BadPayloads[d.ID])
	if got.BadPayloads[d.ID] < uint64(len(lines)) {
		t.Error("not counted")
	}
	unharmed(t, hub, api)
}

func TestF16_BadRequestsGetAnAnswerBelow500(t *testing.T) {
	hub, api, _ := startFuzzed(t)
	rng := seeded(t)
	statuses := map[int]int{}
	for _, line := range corpus(t, "requests.txt") {
		f := strings.SplitN(line, " ", 3)
		body, err := strconv.Unquote(f[2])
		if err != nil {
			t.Fatalf("requests.txt: %s: %v", line, err)
		}
		for n := range 12 {
			sent := []byte(body)
			if n > 0 && body != "" {
				sent = mutate(rng, sent)
			}
			resp, b := api.do(f[0], f[1], bytes.NewReader(sent))
			statuses[resp.StatusCode]++
			if resp.StatusCode >= 500 {
				t.Errorf("%s %s %q: %s %s", f[0], f[1], sent, resp.Status, b)
			}
		}
	}
	for range 200 {
		c := open(t, strings.TrimPrefix(api.base, "http://"))
		raw := "POST /api/v1/devices HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
		_, _ = c.Write(mutate(rng, []byte(raw)))
		_ = c.Close()
	}
	t.Logf("answers by status: %v", statuses)
	unharmed(t, hub, api)
}
