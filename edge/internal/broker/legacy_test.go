package broker

import (
	"encoding/binary"
	"testing"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/topic"
)

func TestLegacy_OldFirmwareSpeaksAndIsSpokenToUnderItsOwnTopics(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		d := newDisk()
		boot := func() *rig {
			r := start(t, func(c *Config) { c.Storage = d })
			dev := button("btn-001")
			dev.LegacyID = "17"
			id := r.people.device(t, dev)
			id.Legacy = topic.LegacyOf(site, dev)
			r.people.set("btn-001", id)
			return r
		}
		r := boot()
		base := button("btn-001").BaseTopic(site)
		c := r.dial(t, v)
		c.signIn("btn-001", func(o *options) {
			lasting(v)(o)
			o.willTopic, o.will = "obedio/device/17/status", "gone"
		})
		if codes := c.subscribe(1, 1, "obedio/device/17/cmd/#", "obedio/device/18/cmd/#"); codes[0] != 1 || codes[1] < 0x80 {
			t.Fatalf("codes %x", codes)
		}
		if e := r.ledger.wait(t, "subscribed", 1)[0]; len(e.filters) != 1 || e.filters[0] != base+"/cmd/#" {
			t.Fatalf("hub was told %v", e.filters)
		}
		c.publish("obedio/button/17/press", 1, 2, "x")
		c.wantAck(frame.PUBACK, 2)
		if m := r.ledger.wait(t, "publish", 1)[0].message; m.Name != base+"/press" || m.Topic.Device != "btn-001" {
			t.Fatalf("hub got %+v", m)
		}
		r.stop()
		r = boot() // the session remembers how the device wrote it
		c = r.dial(t, v)
		c.signIn("btn-001", lasting(v))
		c.ping() // its subscriptions are known after its CONNACK
		if err := r.Send(t.Context(), Message{Name: base + "/cmd/receipt", Payload: []byte("r"), QoS: 1, Ref: "1"}); err != nil {
			t.Fatal(err)
		}
		if m := c.message(); m.name != "obedio/device/17/cmd/receipt" {
			t.Fatalf("device got %+v", m)
		}
		c.send(build(0xa2, binary.BigEndian.AppendUint16(nil, 3), propsOf(v), str("obedio/device/17/cmd/#")))
		c.wantAck(frame.UNSUBACK, 3)
		if r.Subscribes("btn-001", base+"/cmd/receipt") {
			t.Fatal("still subscribed")
		}
		if codes := c.subscribe(4, 1, base+"/cmd/#"); codes[0] != 1 {
			t.Fatalf("codes %x", codes)
		}
		if err := r.Send(t.Context(), Message{Name: base + "/cmd/receipt", Payload: []byte("r"), QoS: 1, Ref: "2"}); err != nil {
			t.Fatal(err)
		}
		if m := c.message(); m.name != base+"/cmd/receipt" {
			t.Fatalf("device got %+v", m)
		}
	})
}

// propsOf are no properties, in the version that has them.
func propsOf(version byte) []byte {
	if version == frame.V5 {
		return []byte{0}
	}
	return nil
}
