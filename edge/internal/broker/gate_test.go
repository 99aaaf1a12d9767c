package broker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// The numbers in the tests' comments are the rows of the table of what the
// library does by itself; DESIGN.md has it.

// Row 1.
func TestGate_SilentConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		c := r.dialMem(t, frame.V311)
		begin := time.Now()
		c.wantClosed()
		if took := time.Since(begin); took != 5*time.Second {
			t.Fatalf("closed after %v", took)
		}
		if n := r.Stats().Refused[RefusedSilent]; n != 1 {
			t.Fatalf("counted %d", n)
		}
		r.stop()
	})
}

// Row 1.
func TestGate_SlowConnectPacketDoesNotExtendItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		c := r.dialMem(t, frame.V311)
		begin := time.Now()
		for _, x := range connectPacket(frame.V311, options{id: "btn-001", user: "u", password: "p"}) {
			if c.try([]byte{x}) != nil {
				break
			}
			time.Sleep(time.Second) // of the bubble's clock
		}
		c.wantClosed()
		if took := time.Since(begin); took > 6*time.Second {
			t.Fatalf("closed after %v", took)
		}
		r.stop()
	})
}

// Row 1.
func TestGate_StopDoesNotHangOnSilentConnections(t *testing.T) {
	r := start(t, nil)
	var clients []*raw
	for range 20 {
		clients = append(clients, r.dial(t, frame.V311))
	}
	eventually(t, "all accepted", func() bool { return r.Stats().Open == len(clients) })
	r.StopAccepting()
	r.StopAccepting()
	r.stop()
	for _, c := range clients {
		c.wantClosed()
	}
}

// Row 2.
func TestGate_EightHugeLengthsReserveNothing(t *testing.T) {
	r := start(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 8 {
		c := r.dial(t, frame.V311)
		c.send([]byte{0x10, 0xff, 0xff, 0xff, 0x7f})
		c.wantClosed()
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Fatalf("%d bytes were allocated", grown)
	}
	if n := r.Stats().Refused[RefusedTooLarge]; n != 8 {
		t.Fatalf("counted %d", n)
	}
}

// Row 2.
func TestGate_LargePacketEndsTheConnectionOnly(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		r.people.device(t, button("btn-001"))
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		c.send([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
		got := c.wantClosed()
		if v == frame.V5 {
			if len(got) != 1 || got[0].h.Type != frame.DISCONNECT || got[0].body[0] != frame.PacketTooLarge {
				t.Fatalf("got %+v", got)
			}
		} else if len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseProtocol {
			t.Fatalf("cause %s", e.cause)
		}
	})
}

// Row 2.
func TestGate_LargePayloadIsRefused(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		c.publish(pressTopic(d), 1, 1, strings.Repeat("x", 64<<10))
		c.wantAck(frame.PUBACK, 1)
		c.send(publishPacket(v, pressTopic(d), 1, 2, 0, strings.Repeat("x", 64<<10+1)))
		if v == frame.V5 {
			if code := c.wantAck(frame.PUBACK, 2); code != frame.QuotaExceeded {
				t.Fatalf("code %#x", code)
			}
		} else if got := c.wantClosed(); len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		if n := len(r.ledger.all("publish")); n != 1 {
			t.Fatalf("hub got %d", n)
		}
	})
}

// Row 4.
func TestGate_RefusedPublishReachesNobody(t *testing.T) {
	for _, by := range []string{"rules", "handler"} {
		for _, v := range versions {
			for qos := range byte(3) {
				t.Run(fmt.Sprintf("%s/v%d/qos%d", by, v, qos), func(t *testing.T) {
					r := start(t, nil)
					d := button("btn-001")
					r.people.device(t, d)
					r.people.service(t, "viewer")
					viewer := r.dial(t, frame.V311)
					viewer.signIn("viewer", nil)
					viewer.subscribe(1, 1, "#")
					name := pressTopic(d)
					if by == "rules" {
						name = pressTopic(button("btn-002"))
					} else {
						r.ledger.answer(func(context.Context, Session, Message) error { return fleet.ErrUnavailable })
					}
					c := r.dial(t, v)
					c.signIn("btn-001", nil)
					c.publish(name, qos, qosID(qos), "x")
					switch {
					case qos == 0:
						c.ping()
					case v < frame.V5:
						if got := c.wantClosed(); len(got) != 0 {
							t.Fatalf("got %+v", got)
						}
						if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseRefused {
							t.Fatalf("cause %s", e.cause)
						}
					default:
						want, ack := frame.NotAuthorized, frame.PUBACK
						if by == "handler" {
							want = frame.Implementation
						}
						if qos == 2 {
							ack = frame.PUBREC
						}
						if code := c.wantAck(ack, 9); code != want {
							t.Fatalf("code %#x", code)
						}
					}
					viewer.ping() // nothing came before it
					if n := len(r.ledger.all("publish")); n != 0 {
						t.Fatalf("hub took %d", n)
					}
				})
			}
		}
	}
}

func qosID(qos byte) uint16 {
	if qos == 0 {
		return 0
	}
	return 9
}

// Row 5.
func TestGate_ClientIDOfAnotherIdentityIsRefused(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		r.people.device(t, button("btn-001"))
		r.people.device(t, button("btn-002"))
		victim := r.dial(t, v)
		victim.signIn("btn-001", func(o *options) { o.persistent = true })
		c := r.dial(t, v)
		code := c.refused(options{id: "btn-001", user: "btn-002", password: "pw-btn-002"})
		if want := map[byte]byte{frame.V31: 2, frame.V311: 2, frame.V5: frame.ClientIDNotValid}[v]; code != want {
			t.Fatalf("code %#x", code)
		}
		victim.ping()
		if n := r.Stats().Refused[RefusedClientID]; n != 1 {
			t.Fatalf("counted %d", n)
		}
	})
}

// Row 5.
func TestGate_SessionOfAnotherOwnerIsNotInherited(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	c := r.dial(t, frame.V311)
	c.signIn("btn-001", func(o *options) { o.persistent = true })
	c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
	c.send([]byte{0xe0, 0})
	c.wantClosed()
	r.ledger.wait(t, "disconnected", 1)
	// The device is removed, and another one registered under its name.
	d.CreatedAt = time.Unix(1_700_000_000, 0)
	r.people.device(t, d)
	c = r.dial(t, frame.V311)
	if p := c.signIn("btn-001", func(o *options) { o.persistent = true }); p.body[0] != 0 {
		t.Fatal("session present")
	}
	if r.Subscribes("btn-001", d.BaseTopic(site)+"/cmd/reset") {
		t.Fatal("subscription inherited")
	}
}

// Row 6.
func TestGate_ASecondHookStopsTheStart(t *testing.T) {
	s := mqtt.New(&mqtt.Options{Logger: libraryLogger(newQuietLogger())})
	if err := s.AddHook(&hook{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := onlyHook(s); err != nil {
		t.Fatal(err)
	}
	if err := s.AddHook(&hook{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := onlyHook(s); err == nil {
		t.Fatal("two hooks pass")
	}
}

// Row 7.
func TestGate_SharePrefixDoesNotHideTheFilter(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	c := r.dial(t, frame.V5)
	c.signIn("btn-001", nil)
	for _, prefix := range []string{"$share/g/", "$SHARE/g/", "$ShArE/g/"} {
		codes := c.subscribe(1, 1, prefix+"#", prefix+"obedio/yacht-1/cabin-101/button/btn-002/#", prefix+d.BaseTopic(site)+"/cmd/#")
		if codes[0] != frame.NotAuthorized || codes[1] != frame.NotAuthorized || codes[2] != 1 {
			t.Fatalf("%s: codes %x", prefix, codes)
		}
	}
	if codes := c.subscribe(2, 1, "$share", "$share/g", "$share//#", "$SYS/#"); string(codes) != "\x8f\x8f\x8f\x87" {
		t.Fatalf("codes %x", codes)
	}
	if n := len(r.ledger.all("subscribed")); n != 3 {
		t.Fatalf("hub was told of %d", n)
	}
}

// Rows 8 and 17: inbound and outbound packet ids are two things.
func TestGate_InboundPacketIDDoesNotForgetOutboundMessage(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		for qos := byte(1); qos <= 2; qos++ {
			r := start(t, nil)
			d := button("btn-001")
			r.people.device(t, d)
			c := r.dial(t, v)
			c.signIn("btn-001", nil)
			c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
			if err := r.Send(t.Context(), Message{Name: d.BaseTopic(site) + "/cmd/reset", QoS: 1, Ref: "c-1"}); err != nil {
				t.Fatal(err)
			}
			m := c.message()
			c.publish(pressTopic(d), qos, m.id, "x")
			if qos == 1 {
				c.wantAck(frame.PUBACK, m.id)
			} else {
				c.wantAck(frame.PUBREC, m.id)
				c.send(ackPacket(frame.PUBREL, m.id))
				c.wantAck(frame.PUBCOMP, m.id)
			}
			if codes := c.subscribe(m.id, 1, d.BaseTopic(site)+"/cmd/reset"); codes[0] != 1 {
				t.Fatalf("subscribe with the id of an outbound message: %x", codes)
			}
			if n := r.server.Clients.Len(); n != 1 {
				t.Fatalf("%d sessions", n)
			}
			cl, _ := r.server.Clients.Get("btn-001")
			if cl.State.Inflight.Len() != 1 {
				t.Fatalf("%d in flight: want the command", cl.State.Inflight.Len())
			}
			c.send(ackPacket(frame.PUBACK, m.id))
			if e := r.ledger.wait(t, "delivered", 1)[0]; e.ref != "c-1" {
				t.Fatalf("delivered %+v", e)
			}
			r.stop()
		}
	})
}

// Row 9.
func TestGate_TopicAliasIsAProtocolError(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	for _, name := range []string{pressTopic(d), ""} {
		c := r.dial(t, frame.V5)
		c.signIn("btn-001", nil)
		c.send(build(0x30, str(name), []byte{3, 35, 0, 1}, []byte("x")))
		got := c.wantClosed()
		if len(got) != 1 || got[0].body[0] != frame.TopicAliasInvalid {
			t.Fatalf("%q: got %+v", name, got)
		}
	}
	if n := len(r.ledger.all("publish")); n != 0 {
		t.Fatalf("hub took %d", n)
	}
}

// Row 10.
func TestGate_FiltersAndSubscriptionsAreLimited(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits = Limits{MaxSubscriptions: 12, MaxFilters: 5} })
	r.people.service(t, "viewer")
	c := r.dial(t, frame.V5)
	c.signIn("viewer", nil)
	if codes := c.subscribe(1, 0, "a", "b", "c", "d", "e", "f"); string(codes) != "\x97\x97\x97\x97\x97\x97" {
		t.Fatalf("six filters in a packet: %x", codes)
	}
	granted := 0
	for i := range 20 {
		if codes := c.subscribe(2, 0, fmt.Sprintf("a/%d", i)); codes[0] == 0 {
			granted++
		} else if codes[0] != frame.QuotaExceeded {
			t.Fatalf("code %x", codes)
		}
	}
	if granted != 12 {
		t.Fatalf("%d subscriptions", granted)
	}
	if codes := c.subscribe(3, 1, "a/0"); codes[0] != 1 {
		t.Fatalf("a subscription that exists: %x", codes)
	}
	for _, filter := range []string{"a//b", "/a", "a/", "a\x01b", "a/#/b", "a+", strings.Repeat("x/", 16) + "x", strings.Repeat("x", 257), "$SYSTEM/#"} {
		if codes := c.subscribe(4, 0, filter); codes[0] != frame.FilterInvalid {
			t.Fatalf("%q: %x", filter, codes)
		}
	}
	for _, name := range []string{"a//b", "/a", "a/", "a\x01b", "a/+", "#", strings.Repeat("x/", 16) + "x", strings.Repeat("x", 257), "$SYS/x", ""} {
		c.publish(name, 1, 5, "x")
		if code := c.wantAck(frame.PUBACK, 5); code != frame.TopicInvalid {
			t.Fatalf("%q: %#x", name, code)
		}
	}
	if s := r.Stats(); s.Limits[LimitFilters] != 6 || s.Limits[LimitSubscriptions] != 8 {
		t.Fatalf("counted %+v", s.Limits)
	}
}

// Row 10.
func TestGate_UnsubscribeIsDecided(t *testing.T) {
	r := start(t, nil)
	role := access.Role{Name: "fixed", ACLs: []access.ACL{
		{Kind: access.SubscribePattern, Topic: "#", Allow: true},
		{Kind: access.UnsubscribePattern, Topic: "a/#", Allow: true},
	}}
	rules, err := access.Compile([]access.Role{role}, access.Vars{})
	if err != nil {
		t.Fatal(err)
	}
	r.people.set("viewer", Identity{Username: "viewer", Rules: rules, MaxQoS: 1})
	c := r.dial(t, frame.V5)
	c.signIn("viewer", nil)
	c.subscribe(1, 0, "a/b", "b")
	c.send(build(0xa2, []byte{0, 2, 0}, str("a/b"), str("b"), str("c")))
	if p := c.want(frame.UNSUBACK); string(p.body[2:]) != "\x00\x00\x87\x87" {
		t.Fatalf("unsuback %x", p.body)
	}
	if !r.Subscribes("viewer", "b") || r.Subscribes("viewer", "a/b") {
		t.Fatal("wrong subscriptions are left")
	}
	if e := r.ledger.wait(t, "unsubscribed", 1)[0]; len(e.filters) != 1 || e.filters[0] != "a/b" {
		t.Fatalf("hub was told %+v", e.filters)
	}
}

// Row 12.
func TestGate_PasswordsAreNotLogged(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		r.people.device(t, button("btn-001"))
		r.people.set("secret-user", Identity{})
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		c.send(connectPacket(v, options{id: "btn-001", user: "btn-001", password: "pw-btn-001"})) // second CONNECT
		c.wantClosed()
		c = r.dial(t, v)
		c.refused(options{id: "btn-001", user: "btn-001", password: "pw-wrong"})
		c = r.dial(t, v)
		c.send(build(0x10, str("MQTT"), []byte{9, 0xc2, 0, 0}, str("pw-broken"), str("pw-broken"), str("pw-broken")))
		c.wantClosed()
		r.ledger.wait(t, "disconnected", 1)
		r.stop()
		if logs := r.logs.String(); strings.Contains(logs, "pw-") {
			t.Fatalf("a password is in the log:\n%s", logs)
		}
	})
}

// Row 13.
func TestGate_HubHasRightsToo(t *testing.T) {
	r := start(t, nil)
	for name, want := range map[string]error{
		"obedio/yacht-1/cabin-101/button/btn-001/press":     fleet.ErrForbidden,
		"obedio/yacht-2/cabin-101/button/btn-001/cmd/reset": fleet.ErrForbidden,
		"obedio/yacht-1/cabin-101/button/btn-001/cmd/reset": nil,
		"obedio/yacht-1/system/time":                        nil,
		"elsewhere":                                         fleet.ErrInvalid,
	} {
		if err := r.Send(t.Context(), Message{Name: name, QoS: 1}); !errors.Is(err, want) {
			t.Errorf("%s: %v: want %v", name, err, want)
		}
	}
	if n := r.Stats().Denied[access.Send]; n != 2 {
		t.Fatalf("counted %d", n)
	}
}

// Row 14.
func TestGate_FiftyPublishersNeitherHangNorLoseAtReceiveMaximum20(t *testing.T) {
	r := start(t, nil)
	r.people.service(t, "subscriber")
	r.people.service(t, "publisher")
	sub := r.dial(t, frame.V5)
	sub.signIn("subscriber", func(o *options) { o.props = []byte{33, 0, 20} })
	sub.subscribe(1, 1, "load/#")

	const publishers, each = 50, 40
	var wg sync.WaitGroup
	for p := range publishers {
		c := r.dial(t, frame.V311)
		c.signIn("publisher", func(o *options) { o.id = fmt.Sprintf("p-%d", p) })
		wg.Go(func() {
			for i := range each {
				if c.try(publishPacket(frame.V311, fmt.Sprintf("load/%d", p), 1, uint16(i+1), 0, fmt.Sprint(i))) != nil {
					return
				}
				if ack, err := c.read(); err != nil || ack.h.Type != frame.PUBACK {
					t.Errorf("publisher %d: %+v %v", p, ack, err)
					return
				}
			}
		})
	}
	next := make(map[string]int)
	window := []uint16{}
	for n := 0; n < publishers*each; {
		m := sub.message()
		if m.payload != fmt.Sprint(next[m.name]) {
			t.Fatalf("%s: got %s: want %d; %+v %+v", m.name, m.payload, next[m.name], r.Stats().Dropped, r.Stats().Limits)
		}
		next[m.name]++
		n++
		window = append(window, m.id)
		if len(window) > 20 {
			t.Fatalf("%d messages in flight", len(window))
		}
		if len(window) == 20 || n == publishers*each || n%7 == 0 {
			for _, id := range window {
				sub.send(ackPacket(frame.PUBACK, id))
			}
			window = window[:0]
		}
	}
	wg.Wait()
	if s := r.Stats(); s.Dropped[DroppedSession]+s.Dropped[DroppedSlow] != 0 {
		t.Fatalf("dropped %+v", s.Dropped)
	}
}

// Row 14.
func TestGate_ReceiveMaximumHoldsMessagesBack(t *testing.T) {
	for qos := byte(1); qos <= 2; qos++ {
		r := start(t, nil)
		r.people.service(t, "subscriber")
		r.people.service(t, "publisher")
		sub := r.dial(t, frame.V5)
		sub.signIn("subscriber", func(o *options) { o.props = []byte{33, 0, 2} })
		sub.subscribe(1, qos, "a/#")
		pub := r.dial(t, frame.V311)
		pub.signIn("publisher", nil)
		for i := range 5 {
			pub.publish("a/b", 1, uint16(i+1), fmt.Sprint(i))
			pub.wantAck(frame.PUBACK, uint16(i+1))
		}
		// QoS 0 is not held: it comes after the two that the window lets go.
		pub.publish("a/zero", 0, 0, "")
		var ids []uint16
		for i := 0; ; {
			m := sub.message()
			if m.name == "a/zero" {
				break
			}
			if m.payload != fmt.Sprint(i) {
				t.Fatalf("got %+v", m)
			}
			ids = append(ids, m.id)
			i++
		}
		if len(ids) != 2 {
			t.Fatalf("%d in flight before an answer", len(ids))
		}
		for i := 2; i < 5; i++ {
			sub.send(ackPacket(frame.PUBACK, ids[0]))
			ids = append(ids[1:], 0)
			m := sub.message()
			if m.payload != fmt.Sprint(i) {
				t.Fatalf("got %+v", m)
			}
			ids[1] = m.id
		}
		r.stop()
	}
}

// Row 15.
func TestGate_SubscribeWithoutOptionByteDoesNotEndTheProcess(t *testing.T) {
	short := []byte{0x82, 0x06, 0x00, 0x01, 0x00, 0x00, 0x01, 'a'}
	func() { // the defect of the library
		defer func() {
			if recover() == nil {
				t.Error("the library does not panic any more: this test can go")
			}
		}()
		pk := packets.Packet{ProtocolVersion: 5, FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Remaining: 6}}
		_ = pk.SubscribeDecode(short[2:])
	}()
	r := start(t, nil)
	r.people.device(t, button("btn-001"))
	c := r.dial(t, frame.V5)
	c.signIn("btn-001", nil)
	c.send(short)
	got := c.wantClosed()
	if len(got) != 1 || got[0].h.Type != frame.DISCONNECT || got[0].body[0] != frame.Malformed {
		t.Fatalf("got %+v", got)
	}
	if s := r.Stats(); s.Panics != 0 || s.Limits[LimitMalformed] != 1 {
		t.Fatalf("counted %+v", s)
	}
}

// Row 15.
func TestGate_PanicEndsOneConnection(t *testing.T) {
	r := start(t, nil)
	bad, good := button("btn-001"), button("btn-002")
	r.people.device(t, bad)
	r.people.device(t, good)
	r.ledger.answer(func(_ context.Context, s Session, m Message) error {
		if s.Identity.ClientID == "btn-001" && string(m.Payload) == "boom" {
			panic("boom")
		}
		return nil
	})
	c, other := r.dial(t, frame.V311), r.dial(t, frame.V311)
	c.signIn("btn-001", nil)
	other.signIn("btn-002", nil)
	c.publish(pressTopic(bad), 1, 1, "boom")
	if got := c.wantClosed(); len(got) != 0 {
		t.Fatalf("got %+v", got)
	}
	if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CausePanic {
		t.Fatalf("cause %s", e.cause)
	}
	other.publish(pressTopic(good), 1, 1, "x")
	other.wantAck(frame.PUBACK, 1)
	again := r.dial(t, frame.V311)
	again.signIn("btn-001", nil)
	again.ping()
	if s := r.Stats(); s.Panics != 1 || !strings.Contains(r.logs.String(), "level=ERROR msg=\"mqtt connection panicked\"") {
		t.Fatalf("panics %d", s.Panics)
	}
}

// Row 16.
func TestGate_ResumedSessionKeepsItsOrder(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		r.people.service(t, "subscriber")
		r.people.service(t, "publisher")
		persistent := func(o *options) {
			o.persistent = true
			if v == frame.V5 {
				o.props = []byte{17, 0, 0, 1, 0}
			}
		}
		sub := r.dial(t, v)
		sub.signIn("subscriber", persistent)
		sub.subscribe(1, 1, "a/#")
		pub := r.dial(t, frame.V311)
		pub.signIn("publisher", nil)
		// Five are sent and not acknowledged, the others wait for the session.
		for i := range 60 {
			pub.publish("a/b", 1, uint16(i+1), fmt.Sprint(i))
			pub.wantAck(frame.PUBACK, uint16(i+1))
			if i == 4 {
				for range 5 {
					sub.message()
				}
				_ = sub.c.Close()
				r.ledger.wait(t, "disconnected", 1)
			}
		}
		sub = r.dial(t, v)
		if p := sub.signIn("subscriber", persistent); p.body[0] != 1 {
			t.Fatal("no session")
		}
		for i := range 60 {
			m := sub.message()
			if m.payload != fmt.Sprint(i) {
				t.Fatalf("message %s at place %d", m.payload, i)
			}
			if !m.dup && i < 5 {
				t.Fatalf("message %d was sent before and is not marked", i)
			}
			sub.send(ackPacket(frame.PUBACK, m.id))
		}
		sub.ping()
	})
}

// Row 18.
func TestGate_StalledSubscriberDoesNotStopPublishers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		r.people.service(t, "subscriber")
		r.people.service(t, "publisher")
		sub := r.dialMem(t, frame.V311)
		sub.signIn("subscriber", nil)
		sub.subscribe(1, 1, "a/#") // and never reads again: a pipe has no buffer
		other := r.dialMem(t, frame.V311)
		other.signIn("subscriber", func(o *options) { o.id = "other" })
		other.subscribe(1, 0, "a/#")
		pub := r.dialMem(t, frame.V311)
		pub.signIn("publisher", nil)
		begin := time.Now()
		var slowest time.Duration
		for i := range 600 {
			sent := time.Now()
			pub.publish("a/b", 1, uint16(i+1), strings.Repeat("x", 1000))
			pub.wantAck(frame.PUBACK, uint16(i+1))
			other.message()
			slowest = max(slowest, time.Since(sent))
		}
		if took := time.Since(begin); took > 1200*time.Millisecond || slowest > 200*time.Millisecond {
			t.Fatalf("took %v, slowest %v", took, slowest)
		}
		time.Sleep(35*time.Second - time.Since(begin)) // of the bubble's clock
		e := r.ledger.wait(t, "disconnected", 1)[0]
		if e.session.Identity.ClientID != "subscriber" || e.cause != CauseLost {
			t.Fatalf("ended %+v", e)
		}
		if n := r.Stats().Limits[LimitWriteStall]; n != 1 {
			t.Fatalf("counted %d", n)
		}
		r.stop()
	})
}

// Row 18.
func TestGate_StalledSubscriberLosesQoS0First(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, func(c *Config) { c.Limits.MaxOutboundBytes = 64 << 10 })
		r.people.service(t, "subscriber")
		r.people.service(t, "publisher")
		sub := r.dialMem(t, frame.V311)
		sub.signIn("subscriber", nil)
		sub.subscribe(1, 1, "a/#")
		pub := r.dialMem(t, frame.V311)
		pub.signIn("publisher", nil)
		for range 200 {
			pub.publish("a/b", 0, 0, strings.Repeat("x", 1000))
		}
		for i := range 10 {
			pub.publish("a/b", 1, uint16(i+1), fmt.Sprint(i))
			pub.wantAck(frame.PUBACK, uint16(i+1))
		}
		synctest.Wait()
		if n := r.Stats().Dropped[DroppedSlow]; n < 100 {
			t.Fatalf("%d of qos 0 dropped", n)
		}
		for i := 0; i < 10; {
			if m := sub.message(); m.qos == 1 {
				if m.payload != fmt.Sprint(i) {
					t.Fatalf("got %+v", m)
				}
				i++
			}
		}
		r.stop()
	})
}

// Row 19.
func TestGate_ExpiredSessionLeavesNoSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, func(c *Config) { c.Limits.SessionExpiry = time.Hour })
		r.people.service(t, "subscriber")
		sub := r.dialMem(t, frame.V311)
		sub.signIn("subscriber", func(o *options) { o.persistent = true })
		sub.subscribe(1, 1, "a/#")
		_ = sub.c.Close()
		time.Sleep(time.Hour + 2*sysEvery) // of the bubble's clock
		synctest.Wait()
		if s := r.Stats(); s.Sessions != 0 || s.Expired != 1 {
			t.Fatalf("%d sessions, %d expired", s.Sessions, s.Expired)
		}
		if n := len(r.server.Topics.Subscribers("a/b").Subscriptions); n != 0 {
			t.Fatalf("%d subscriptions are left", n)
		}
		r.stop()
	})
}

// Row 21.
func TestGate_NoAckBeforeTheHubHasTheMessage(t *testing.T) {
	for qos := byte(1); qos <= 2; qos++ {
		synctest.Test(t, func(t *testing.T) {
			r := startMem(t, nil)
			d := button("btn-001")
			r.people.device(t, d)
			durable := make(chan struct{})
			r.ledger.answer(func(context.Context, Session, Message) error { <-durable; return nil })
			c := r.dialMem(t, frame.V311)
			c.signIn("btn-001", nil)
			c.publish(pressTopic(d), qos, 1, "x")
			got := make(chan pkt)
			go func() { got <- c.next() }()
			synctest.Wait()
			select {
			case p := <-got:
				t.Errorf("acknowledged too early: %+v", p)
			default:
			}
			close(durable)
			if p := <-got; p.h.Type != frame.PUBACK && p.h.Type != frame.PUBREC {
				t.Errorf("got %+v", p)
			}
			r.stop()
		})
	}
}

// Row 22.
func TestGate_RetainedMessagesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		d := button("btn-001")
		r.people.service(t, "viewer")
		// Retained for longer than the library would allow by itself.
		r.server.Topics.RetainMessage(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1, Retain: true},
			TopicName:   statusTopic(d), Payload: []byte("old"), Created: time.Now().Add(-30 * 24 * time.Hour).Unix(),
		})
		time.Sleep(3 * time.Second) // of the bubble's clock: the library looks each second
		v := r.dialMem(t, frame.V311)
		v.signIn("viewer", nil)
		v.subscribe(1, 1, "obedio/#")
		if m := v.message(); !m.retain || m.payload != "old" {
			t.Fatalf("got %+v", m)
		}
		r.stop()
	})
}

// Row 22.
func TestGate_LibraryLimitsAreSet(t *testing.T) {
	r := start(t, nil)
	c := r.server.Options.Capabilities
	if c.MaximumMessageExpiryInterval != 0 || c.MaximumClientWritesPending != 1 || c.MaximumInflight != 1000 ||
		c.MaximumPacketSize != 256<<10 || c.TopicAliasMaximum != 0 || c.MaximumSessionExpiryInterval != math.MaxUint32 ||
		r.server.Options.SysTopicResendInterval < 1<<28 {
		t.Fatalf("%+v", c)
	}
}

// Row 23.
func TestGate_OldClientsGetNoDisconnectPacket(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		r.people.device(t, button("btn-001"))
		c := r.dial(t, v)
		c.signIn("btn-001", nil)
		r.ledger.wait(t, "connected", 1)
		if !r.Kick("btn-001", "no more") {
			t.Fatal("not connected")
		}
		got := c.wantClosed()
		if v < frame.V5 && len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		if v == frame.V5 && (len(got) != 1 || got[0].body[0] != frame.Administrative || !strings.Contains(string(got[0].body), "no more")) {
			t.Fatalf("got %+v", got)
		}
		if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseKicked {
			t.Fatalf("cause %s", e.cause)
		}
		if _, ok := r.Connected("btn-001"); ok {
			t.Fatal("still connected")
		}
	})
}

func TestGate_KeepaliveZeroMeansFiveMinutes(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		synctest.Test(t, func(t *testing.T) {
			r := startMem(t, nil)
			r.people.device(t, button("btn-001"))
			c := r.dialMem(t, v)
			p := c.signIn("btn-001", func(o *options) { o.keepalive = 0 })
			if v == frame.V5 && !strings.Contains(string(p.body), "\x13\x01\x2c") {
				t.Fatalf("no server keepalive in %x", p.body)
			}
			begin := time.Now()
			_ = c.c.SetReadDeadline(time.Time{})
			if _, err := c.c.Read(make([]byte, 1)); v < frame.V5 && err == nil {
				t.Fatal("got a byte")
			}
			if took := time.Since(begin); took != 450*time.Second {
				t.Fatalf("closed after %v", took)
			}
			_ = c.c.Close()
			if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseLost {
				t.Fatalf("cause %s", e.cause)
			}
			r.stop()
		})
	})
}

func TestGate_LongKeepaliveDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		r.people.device(t, button("btn-001"))
		c := r.dialMem(t, frame.V311)
		c.signIn("btn-001", func(o *options) { o.keepalive = 45000 })
		time.Sleep(10000 * time.Second) // of the bubble's clock
		c.ping()
		r.stop()
	})
}

func TestGate_MalformedPacketsEndOneConnection(t *testing.T) {
	for name, b := range map[string][]byte{
		"reserved type":         {0x00, 0x00},
		"length of five bytes":  {0x30, 0xff, 0xff, 0xff, 0xff, 0x01},
		"subscribe flags":       {0x80, 0x05, 0, 1, 0, 0, 0},
		"qos 3":                 {0x36, 0x02, 0, 0},
		"puback of one byte":    {0x40, 0x01, 0},
		"ping with a body":      {0xc0, 0x01, 0},
		"connack":               {0x20, 0x02, 0, 0},
		"packet id 0":           {0x32, 0x06, 0, 1, 'a', 0, 0, 0},
		"topic beyond the end":  {0x30, 0x03, 0xff, 0xff, 'a'},
		"topic that is no text": {0x30, 0x05, 0, 2, 0xff, 0xfe, 0},
		"empty subscribe":       {0x82, 0x02, 0, 1},
		"auth":                  {0xf0, 0x00},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []byte{frame.V311, frame.V5} {
				r := start(t, nil)
				r.people.device(t, button("btn-001"))
				c := r.dial(t, v)
				c.signIn("btn-001", nil)
				c.send(b)
				for _, p := range c.wantClosed() {
					if v < frame.V5 || p.h.Type != frame.DISCONNECT {
						t.Fatalf("got %+v", p)
					}
				}
				if e := r.ledger.wait(t, "disconnected", 1)[0]; e.cause != CauseProtocol {
					t.Fatalf("cause %s", e.cause)
				}
				r.stop()
				if logs := r.logs.String(); strings.Contains(logs, "level=WARN") || strings.Contains(logs, "level=ERROR") {
					t.Fatalf("noise in the log:\n%s", logs)
				}
			}
		})
	}
}
