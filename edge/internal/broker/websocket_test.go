package broker

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// dialWS connects over WebSocket.
func (r *rig) dialWS(t testing.TB, version byte) *raw {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}}
	ws, _, err := d.Dial("ws://"+r.ws+"/mqtt", nil)
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, &wsConn{ws: ws}, version)
}

func TestWebSocket_CarriesASession(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		c := r.dialWS(t, v)
		// A packet may span messages, and a message may hold several packets.
		hello := connectPacket(v, options{id: "btn-001", user: "btn-001", password: "pw-btn-001", keepalive: 60})
		for _, x := range hello {
			c.send([]byte{x})
		}
		if p := c.want(frame.CONNACK); p.body[1] != 0 {
			t.Fatalf("connack %x", p.body)
		}
		c.send(cat(
			publishPacket(v, pressTopic(d), 1, 1, 0, "a"),
			publishPacket(v, pressTopic(d), 1, 2, 0, strings.Repeat("b", 60<<10)),
			[]byte{0xc0, 0},
		))
		c.wantAck(frame.PUBACK, 1)
		c.wantAck(frame.PUBACK, 2)
		c.want(frame.PINGRESP)
		if e := r.ledger.all("connected")[0]; e.session.Listener != "mqtt-ws" || !e.session.Remote.Addr().IsLoopback() {
			t.Fatalf("session %+v", e.session)
		}
		c.send([]byte{0xe0, 0})
		if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseGoodbye {
			t.Fatalf("cause %s", e.cause)
		}
	})
}

// Row 11.
func TestWebSocket_ForeignPagesAndOtherProtocolsAreRefused(t *testing.T) {
	r := start(t, func(c *Config) { c.Listeners[1].Origins = []string{"https://hub.local:8443"} })
	for name, c := range map[string]struct {
		path, origin string
		protocols    []string
		status       int
	}{
		"no page":           {"/", "", []string{"mqtt"}, http.StatusSwitchingProtocols},
		"own page":          {"/mqtt", "http://" + r.ws, []string{"mqtt"}, http.StatusSwitchingProtocols},
		"allowed page":      {"/", "https://hub.local:8443", []string{"mqtt"}, http.StatusSwitchingProtocols},
		"several protocols": {"/", "", []string{"mqttv3.1", "mqtt"}, http.StatusSwitchingProtocols},
		"foreign page":      {"/", "https://evil.example", []string{"mqtt"}, http.StatusForbidden},
		"opaque page":       {"/", "null", []string{"mqtt"}, http.StatusForbidden},
		"no protocol":       {"/", "", nil, http.StatusBadRequest},
		"another protocol":  {"/", "", []string{"chat"}, http.StatusBadRequest},
		"another path":      {"/x", "", []string{"mqtt"}, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if c.origin != "" {
				h.Set("Origin", c.origin)
			}
			d := websocket.Dialer{Subprotocols: c.protocols}
			ws, resp, err := d.Dial("ws://"+r.ws+c.path, h)
			if resp == nil || resp.StatusCode != c.status {
				t.Fatalf("got %v %v", resp, err)
			}
			if err == nil {
				if got := ws.Subprotocol(); got != "mqtt" {
					t.Errorf("subprotocol %q", got)
				}
				_ = ws.Close()
			}
		})
	}
	if s := r.Stats(); s.Refused[RefusedOrigin] != 2 || s.Refused[RefusedHandshake] != 2 {
		t.Fatalf("counted %+v", s.Refused)
	}
	resp, err := http.Get("http://" + r.ws + "/")
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("plain request: %v %v", resp, err)
	}
	_ = resp.Body.Close()
}

// Row 11.
func TestWebSocket_MessagesAreLimited(t *testing.T) {
	r := start(t, nil)
	r.people.device(t, button("btn-001"))
	for name, send := range map[string]func(ws *websocket.Conn) error{
		"huge message": func(ws *websocket.Conn) error {
			return ws.WriteMessage(websocket.BinaryMessage, cat([]byte{0xc0, 0}, make([]byte, 300<<10)))
		},
		"text": func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.TextMessage, []byte{0xc0, 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dialWS(t, frame.V311)
			c.signIn("btn-001", nil)
			_ = send(c.c.(*wsConn).ws) // the hub may close before it has all
			c.wantClosed()
		})
	}
}
