package broker

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
)

func TestSys_CountersUnderMosquittosNamesForWhoMaySeeThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		r.people.service(t, "ordinary") // everything, but # does not match $SYS
		rules, err := access.Compile([]access.Role{{Name: "monitor", ACLs: []access.ACL{
			{Kind: access.SubscribePattern, Topic: "$SYS/#", Allow: true}, {Kind: access.PublishReceive, Topic: "$SYS/#", Allow: true},
		}}}, access.Vars{})
		if err != nil {
			t.Fatal(err)
		}
		r.people.set("monitor", Identity{Username: "monitor", Rules: rules, MaxQoS: 1})
		c := r.dialMem(t, frame.V311)
		c.signIn("ordinary", nil)
		if codes := c.subscribe(1, 0, "$SYS/#", "#"); codes[0] < 0x80 || codes[1] != 0 {
			t.Fatalf("codes %x", codes)
		}
		c.publish("a/b", 1, 2, "12345")
		c.message()
		c.wantAck(frame.PUBACK, 2)
		time.Sleep(11 * time.Second) // of the bubble's clock
		c.ping()                     // and nothing of $SYS came

		m := r.dialMem(t, frame.V311)
		m.signIn("monitor", nil)
		m.send(subscribePacket(frame.V311, 1, 0, "$SYS/broker/#"))
		got := map[string]string{}
		for got["uptime"] == "" || got["publish/bytes/received"] == "" || got["clients/connected"] == "" ||
			got["load/messages/received/1min"] == "" || got["retained messages/count"] == "" || got["subscriptions/count"] == "" {
			if p := m.next(); p.h.Type == frame.PUBLISH {
				v := m.parse(p)
				name, ok := strings.CutPrefix(v.name, "$SYS/broker/")
				if !ok { // a retained one, or news since
					t.Fatalf("got %+v", v)
				}
				got[name] = v.payload
			}
		}
		if got["publish/bytes/received"] != "5" || got["clients/connected"] != "1" || got["subscriptions/count"] != "1" || got["retained messages/count"] != "0" {
			t.Fatalf("%v", got)
		}
		for name := range got {
			if strings.HasPrefix(name, "system/") {
				t.Fatalf("%s is the library's own", name)
			}
		}
		time.Sleep(10 * time.Second)
		for news := false; !news; { // and so on, when something changes
			v := m.message()
			news = strings.HasPrefix(v.name, "$SYS/broker/") && !v.retain
		}
		m.send(publishPacket(frame.V311, "$SYS/broker/uptime", 1, 1, 0, "x"))
		m.wantClosed()
		if s := r.Stats(); s.Denied[access.Send] != 1 {
			t.Fatalf("%+v", s.Denied)
		}
		r.stop()
	})
}
