package broker

import (
	"fmt"
	"testing"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

var versions = []byte{frame.V31, frame.V311, frame.V5}

// eachVersion runs f with each version of MQTT, over TCP and over WebSocket:
// dial goes the way that the test's name ends with.
func eachVersion(t *testing.T, f func(t *testing.T, version byte)) {
	for _, v := range versions {
		for _, way := range []string{"tcp", webSocketWay} {
			t.Run(fmt.Sprintf("v%d/%s", v, way), func(t *testing.T) { f(t, v) })
		}
	}
}

const webSocketWay = "websocket"

func TestBroker_PressReachesHubBeforeItsAck(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		c.publish(pressTopic(d), 1, 7, `{"sequence_id":1}`)
		c.wantAck(frame.PUBACK, 7)
		got := r.ledger.all("publish")
		if len(got) != 1 || got[0].message.Topic.Action != "press" || got[0].message.QoS != 1 ||
			string(got[0].message.Payload) != `{"sequence_id":1}` || got[0].session.Identity.Device.ID != d.ID {
			t.Fatalf("hub got %+v", got)
		}
		c.send([]byte{0xe0, 0})
		c.wantClosed()
		end := r.ledger.wait(t, "disconnected", 1)[0]
		if end.cause != CauseGoodbye || end.session.Generation != 1 {
			t.Fatalf("ended %+v", end)
		}
	})
}

func TestBroker_CommandReachesDeviceAndItsAckReachesHub(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		if codes := c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#"); codes[0] != 1 {
			t.Fatalf("granted %x", codes)
		}
		name := d.BaseTopic(site) + "/cmd/receipt"
		if err := r.Send(t.Context(), Message{Name: name, Payload: []byte("x"), QoS: 1, Ref: "r-1"}); err != nil {
			t.Fatal(err)
		}
		m := c.message()
		if m.name != name || m.qos != 1 || m.payload != "x" {
			t.Fatalf("device got %+v", m)
		}
		if got := r.ledger.all("delivered"); len(got) != 0 {
			t.Fatalf("delivered before the ack: %+v", got)
		}
		c.send(ackPacket(frame.PUBACK, m.id))
		if got := r.ledger.wait(t, "delivered", 1)[0]; got.client != "btn-001" || got.ref != "r-1" {
			t.Fatalf("delivered %+v", got)
		}
	})
}
