package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

func TestConnect_AnswersSayWhy(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		reason Refusal
		v3, v5 byte
		warns  bool
	}{
		"unknown":   {fleet.ErrUnauthenticated, RefusedCredentials, 5, frame.BadCredentials, false},
		"missing":   {fleet.ErrNotFound, RefusedCredentials, 5, frame.BadCredentials, false},
		"forbidden": {fleet.ErrForbidden, RefusedForbidden, 5, frame.NotAuthorized, false},
		"busy":      {fleet.ErrLimit, RefusedUnavailable, 3, frame.QuotaExceeded, false},
		"broken":    {errors.New("disk"), RefusedUnavailable, 3, frame.ServerUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, v byte) {
				r := start(t, nil)
				r.people.fail = fmt.Errorf("sign in: %w", c.err)
				want := c.v3
				if v == frame.V5 {
					want = c.v5
				}
				if code := r.dial(t, v).refused(options{id: "x", user: "x", password: "x"}); code != want {
					t.Fatalf("code %#x: want %#x", code, want)
				}
				if n := r.Stats().Refused[c.reason]; n != 1 {
					t.Fatalf("counted %d", n)
				}
				if got := r.people.seen[0]; got.ClientID != "x" || string(got.Password) != "x" || !strings.HasPrefix(got.Listener, "mqtt") || !got.Remote.Addr().IsLoopback() {
					t.Fatalf("authenticator saw %+v", got)
				}
			})
		})
	}
}

func TestConnect_UnknownVersionGetsItsAnswer(t *testing.T) {
	r := start(t, nil)
	for _, v := range []byte{2, 6} {
		c := r.dial(t, frame.V311)
		c.send(build(0x10, str("MQTT"), []byte{v, 2, 0, 0}, str("x")))
		if p := c.want(frame.CONNACK); p.body[1] != 1 {
			t.Fatalf("got %x", p.body)
		}
		c.wantClosed()
	}
}

func TestConnect_EmptyClientIDBecomesTheIdentitys(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		c := r.dial(t, v)
		p := c.signIn("btn-001", func(o *options) { o.id = "" })
		if v == frame.V5 && string(p.body[3:]) == "" {
			t.Fatalf("no assigned client id in %x", p.body)
		}
		r.ledger.wait(t, "connected", 1)
		if s, ok := r.Connected("btn-001"); !ok || s.Identity.ClientID != "btn-001" {
			t.Fatalf("connected %+v", s)
		}
		if v < frame.V5 {
			if code := r.dial(t, v).refused(options{user: "btn-001", password: "pw-btn-001", persistent: true}); code != 2 {
				t.Fatalf("a session without a name: %d", code)
			}
		}
	})
}

func TestConnect_ManyAtOnceOfOneClientLeaveOne(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	var live, most atomic.Int64
	r.ledger.connected = func(Session) { most.Store(max(most.Load(), live.Add(1))) }
	const n = 30
	clients := make([]*raw, n)
	for i := range clients {
		clients[i] = r.dial(t, frame.V311)
	}
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			_ = c.try(connectPacket(frame.V311, options{id: "btn-001", user: "btn-001", password: "pw-btn-001", keepalive: 60}))
		})
	}
	wg.Wait()
	eventually(t, "all but one ended", func() bool {
		return len(r.ledger.all("connected")) >= 1 &&
			len(r.ledger.all("connected"))-len(r.ledger.all("disconnected")) == 1 && r.Stats().Open == 1
	})
	// Sessions never overlapped, and their generations grew.
	last, open := uint64(0), false
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	for _, e := range r.ledger.events {
		switch e.what {
		case "connected":
			if open || e.session.Generation <= last {
				t.Fatalf("generation %d after %d, open %v", e.session.Generation, last, open)
			}
			last, open = e.session.Generation, true
		case "disconnected":
			if !open || e.session.Generation != last {
				t.Fatalf("end of generation %d in %d", e.session.Generation, last)
			}
			open = false
		}
	}
}

func TestConnect_IdentityHasAMaximumOfConnections(t *testing.T) {
	r := start(t, nil)
	id := r.people.service(t, "viewer")
	id.MaxConnections = 2
	r.people.set("viewer", id)
	var clients []*raw
	for i := range 2 {
		c := r.dial(t, frame.V5)
		c.signIn("viewer", func(o *options) { o.id = fmt.Sprintf("v-%d", i) })
		clients = append(clients, c)
	}
	third := options{id: "v-2", user: "viewer", password: "pw-viewer"}
	if code := r.dial(t, frame.V5).refused(third); code != frame.QuotaExceeded {
		t.Fatalf("code %#x", code)
	}
	clients[0].send([]byte{0xe0, 0})
	clients[0].wantClosed()
	r.ledger.wait(t, "disconnected", 1)
	eventually(t, "room again", func() bool {
		c := r.dial(t, frame.V5)
		c.send(connectPacket(frame.V5, third))
		return c.want(frame.CONNACK).body[1] == 0
	})
}

func TestSession_ResumedTellsTheHubItsSubscriptions(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	id := r.people.device(t, d)
	commands := d.BaseTopic(site) + "/cmd/#"
	c := r.dial(t, frame.V311)
	c.signIn("btn-001", func(o *options) { o.persistent = true })
	c.subscribe(1, 1, commands, "obedio/yacht-1/system/time")
	_ = c.c.Close()
	r.ledger.wait(t, "disconnected", 1)
	if r.Subscribes("btn-001", d.BaseTopic(site)+"/cmd/x") {
		t.Fatal("an absent device counts as subscribed")
	}
	// Meanwhile its rights have become fewer.
	role := access.Role{Name: "less", ACLs: []access.ACL{
		{Kind: access.SubscribePattern, Topic: commands, Allow: true},
		{Kind: access.PublishReceive, Topic: commands, Allow: true},
	}}
	id.Rules, _ = access.Compile([]access.Role{role}, access.Vars{})
	r.people.set("btn-001", id)
	c = r.dial(t, frame.V311)
	if p := c.signIn("btn-001", func(o *options) { o.persistent = true }); p.body[0] != 1 {
		t.Fatal("no session")
	}
	e := r.ledger.wait(t, "subscribed", 2)[1]
	if len(e.filters) != 1 || e.filters[0] != commands || !e.session.Resumed {
		t.Fatalf("hub was told %+v", e)
	}
	if !r.Subscribes("btn-001", d.BaseTopic(site)+"/cmd/x") || r.Subscribes("btn-001", "obedio/yacht-1/system/time") {
		t.Fatal("wrong subscriptions")
	}
	if err := r.Send(t.Context(), Message{Name: "obedio/yacht-1/system/time", Payload: []byte("t")}); err != nil {
		t.Fatal(err)
	}
	c.ping() // nothing came
}

func TestDelivery_IsDecidedPerMessage(t *testing.T) {
	r := start(t, nil)
	role := access.Role{Name: "fixed", ACLs: []access.ACL{
		{Kind: access.SubscribePattern, Topic: "#", Allow: true},
		{Kind: access.PublishReceive, Topic: "open/#", Allow: true},
	}}
	rules, err := access.Compile([]access.Role{role}, access.Vars{})
	if err != nil {
		t.Fatal(err)
	}
	r.people.set("reader", Identity{Username: "reader", Rules: rules, MaxQoS: 2})
	r.people.service(t, "writer")
	w := r.dial(t, frame.V311)
	w.signIn("writer", nil)
	w.send(publishPacket(frame.V311, "secret/retained", 1, 1, 1, "no"))
	w.wantAck(frame.PUBACK, 1)
	c := r.dial(t, frame.V311)
	c.signIn("reader", nil)
	c.subscribe(1, 1, "#")
	c.ping() // the retained message has had its turn
	for i := range uint16(3) {
		w.publish("secret/live", byte(i), qosID(byte(i)), "no")
	}
	w.wantAck(frame.PUBACK, 9)
	w.wantAck(frame.PUBREC, 9)
	w.publish("open/live", 1, 10, "yes")
	if m := c.message(); m.payload != "yes" {
		t.Fatalf("got %+v", m)
	}
	if n := r.Stats().Dropped[DroppedReceive]; n != 4 {
		t.Fatalf("counted %d", n)
	}
	cl, _ := r.server.Clients.Get("reader")
	if n := cl.State.Inflight.Len(); n != 1 {
		t.Fatalf("%d in flight", n)
	}
}

func TestSend_WithRefIsForThePresentConnection(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	m := Message{Name: d.BaseTopic(site) + "/cmd/reset", Payload: []byte("x"), QoS: 1, Ref: "c-1"}
	if err := r.Send(t.Context(), m); !errors.Is(err, fleet.ErrUnavailable) {
		t.Fatalf("absent: %v", err)
	}
	persistent := func(o *options) { o.persistent = true }
	c := r.dial(t, frame.V311)
	c.signIn("btn-001", persistent)
	r.ledger.wait(t, "connected", 1)
	if err := r.Send(t.Context(), m); !errors.Is(err, fleet.ErrUnavailable) {
		t.Fatalf("not subscribed: %v", err)
	}
	c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
	if err := r.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	c.message() // not acknowledged
	_ = c.c.Close()
	r.ledger.wait(t, "disconnected", 1)
	c = r.dial(t, frame.V311)
	c.signIn("btn-001", persistent)
	c.ping() // it does not come again: the hub repeats it when it wants
	for _, bad := range []Message{
		{Name: m.Name, Ref: "x"}, {Name: m.Name, Ref: "x", QoS: 1, Retain: true}, {Name: m.Name, QoS: 3},
		{Name: "obedio/yacht-1/system/time", QoS: 1, Ref: "x"},
	} {
		if err := r.Send(t.Context(), bad); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestSend_ExpiredMessageIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		name := d.BaseTopic(site) + "/cmd/reset"
		if err := r.Send(t.Context(), Message{Name: name, Expires: time.Now()}); !errors.Is(err, fleet.ErrExpired) {
			t.Fatalf("expired: %v", err)
		}
		c := r.dialMem(t, frame.V5)
		c.signIn("btn-001", func(o *options) { o.props = []byte{33, 0, 1} }) // one in flight
		c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
		for i, ttl := range []time.Duration{time.Hour, 2 * time.Second, time.Hour} {
			m := Message{Name: name, Payload: []byte{'0' + byte(i)}, QoS: 1, Ref: fmt.Sprint(i), Expires: time.Now().Add(ttl)}
			if err := r.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		first := c.message()
		time.Sleep(2 * time.Second) // of the bubble's clock
		c.send(ackPacket(frame.PUBACK, first.id))
		if m := c.message(); m.payload != "2" {
			t.Fatalf("got %+v", m)
		}
		if n := r.Stats().Dropped[DroppedExpired]; n != 2 {
			t.Fatalf("counted %d", n)
		}
		r.stop()
	})
}

func TestSend_FromHandlerDoesNotDeadlock(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	name := d.BaseTopic(site) + "/cmd/receipt"
	r.ledger.answer(func(ctx context.Context, _ Session, m Message) error {
		return r.Send(ctx, Message{Name: name, Payload: m.Payload, QoS: 1, Ref: "x"})
	})
	c := r.dial(t, frame.V311)
	c.signIn("btn-001", nil)
	c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
	for i := range uint16(50) {
		c.publish(pressTopic(d), 1, i+1, "x")
	}
	acks, receipts := 0, 0
	for acks+receipts < 100 {
		switch p := c.next(); p.h.Type {
		case frame.PUBACK:
			acks++
		case frame.PUBLISH:
			receipts++
			c.send(ackPacket(frame.PUBACK, c.parse(p).id))
		}
	}
	r.ledger.wait(t, "delivered", 50)
}

func TestPublish_QoS2IsTakenOnceAcrossConnections(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		persistent := func(o *options) {
			o.persistent = true
			if v == frame.V5 {
				o.props = []byte{17, 0, 0, 1, 0}
			}
		}
		c := r.dial(t, v)
		c.signIn("btn-001", persistent)
		c.publish(pressTopic(d), 2, 5, "x")
		c.wantAck(frame.PUBREC, 5)
		_ = c.c.Close()
		r.ledger.wait(t, "disconnected", 1)
		c = r.dial(t, v)
		c.signIn("btn-001", persistent)
		c.send(publishPacket(v, pressTopic(d), 2, 5, 8, "x"))
		c.wantAck(frame.PUBREC, 5)
		c.send(ackPacket(frame.PUBREL, 5))
		c.wantAck(frame.PUBCOMP, 5)
		c.publish(pressTopic(d), 2, 5, "y")
		c.wantAck(frame.PUBREC, 5)
		if got := r.ledger.all("publish"); len(got) != 2 || string(got[1].message.Payload) != "y" {
			t.Fatalf("hub got %d", len(got))
		}
	})
}

func TestPublish_QoS2ReachesASubscriberOnce(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		r := start(t, nil)
		r.people.service(t, "subscriber")
		r.people.service(t, "publisher")
		sub := r.dial(t, v)
		sub.signIn("subscriber", nil)
		sub.subscribe(1, 2, "a")
		pub := r.dial(t, v)
		pub.signIn("publisher", nil)
		for i := range uint16(100) { // more than the window
			pub.publish("a", 2, i+1, fmt.Sprint(i))
			pub.wantAck(frame.PUBREC, i+1)
			pub.send(ackPacket(frame.PUBREL, i+1))
			pub.wantAck(frame.PUBCOMP, i+1)
		}
		next := 0
		for completed := 0; completed < 100; {
			switch p := sub.next(); p.h.Type {
			case frame.PUBLISH:
				m := sub.parse(p)
				if m.payload != fmt.Sprint(next) || m.qos != 2 {
					t.Fatalf("got %+v: want %d", m, next)
				}
				next++
				sub.send(ackPacket(frame.PUBREC, m.id))
			case frame.PUBREL:
				sub.send(ackPacket(frame.PUBCOMP, uint16(p.body[0])<<8|uint16(p.body[1])))
				completed++
			}
		}
		sub.ping()
	})
}

func TestListener_ErrorsOfAcceptAreOvercome(t *testing.T) { // row 20
	synctest.Test(t, func(t *testing.T) {
		flaky := &flakyListener{memListener: newMemListener(), failures: 12}
		r := startMem(t, func(c *Config) { c.Listeners[0].Net = flaky })
		r.mem = flaky.memListener
		r.people.device(t, button("btn-001"))
		c := r.dialMem(t, frame.V311)
		c.signIn("btn-001", nil)
		c.ping()
		r.stop()
	})
}

type flakyListener struct {
	*memListener
	failures int
}

func (f *flakyListener) Accept() (net.Conn, error) {
	if f.failures > 0 {
		f.failures--
		return nil, errors.New("too many open files")
	}
	return f.memListener.Accept()
}

func TestListener_ThatBreaksForGoodEndsRun(t *testing.T) {
	r, cfg := newRig()
	mem := newMemListener()
	cfg.Listeners = []Listener{{Name: "mqtt", Net: mem}}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_ = mem.Close()
	if err := b.Run(t.Context()); err == nil {
		t.Fatal("no error")
	}
	_ = r
}

func TestListener_LimitsConnections(t *testing.T) { // row 1
	r := start(t, func(c *Config) { c.Limits.MaxConnections = 3 })
	r.people.service(t, "someone")
	var clients []*raw
	for i := range 3 {
		c := r.dial(t, frame.V311)
		c.signIn("someone", func(o *options) { o.id = fmt.Sprint(i) })
		clients = append(clients, c)
	}
	r.dial(t, frame.V311).wantClosed()
	if n := r.Stats().Refused[RefusedConnections]; n != 1 {
		t.Fatalf("counted %d", n)
	}
	_ = clients[0].c.Close()
	eventually(t, "room again", func() bool { return r.Stats().Open == 2 })
	r.dial(t, frame.V311).signIn("someone", nil)
}

func TestListener_SilentConnectionsMakeRoom(t *testing.T) { // row 1
	for name, limits := range map[string]Limits{"unknown": {MaxUnknown: 3}, "connections": {MaxConnections: 3}} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(c *Config) { c.Limits = limits })
			r.people.service(t, "someone")
			var silent []*raw
			for range 2000 {
				silent = append(silent, r.dial(t, frame.V311))
			}
			eventually(t, "all but three closed", func() bool { s := r.Stats(); return s.Open == 3 && s.Refused[RefusedSilent] == 1997 })
			r.dial(t, frame.V311).signIn("someone", nil) // at once
			for _, c := range silent {
				_ = c.c.Close()
			}
		})
	}
}

func TestBan_IsForOneAddressOnBoardAndForANetworkElsewhere(t *testing.T) {
	for addr, want := range map[string]string{
		"192.168.1.7": "192.168.1.7/32", "fe80::1:2": "fe80::1:2/128", "fd00::1:2": "fd00::1:2/128", "::1": "::1/128",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
	} {
		if got := netOf(netip.MustParseAddr(addr)).String(); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestBan_FailedSignInsOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []Objection
		r := startMem(t, func(c *Config) {
			c.Limits.AuthFailures = 3
			c.Objected = func(o Objection) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, o)
			}
		})
		r.people.service(t, "someone")
		from := func(ip string) *raw {
			near, far := net.Pipe()
			r.mem.conns <- farConn{far, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
			return newRaw(t, near, frame.V311)
		}
		wrong := options{id: "someone", user: "someone", password: "guess"}
		for range 4 {
			if code := from("192.0.2.7").refused(wrong); code != 5 {
				t.Fatalf("code %d", code)
			}
		}
		from("192.0.2.7").wantClosed() // also with the right password
		from("192.0.2.8").signIn("someone", nil)
		all := r.Bans()
		if len(all) != 1 || all[0].Address.String() != "192.0.2.7/32" || all[0].Failures != 4 || all[0].Username != "someone" {
			t.Fatalf("%+v", all)
		}
		mu.Lock()
		if n := len(told); n != 5 || told[0].Username != "someone" || told[4].Reason != string(RefusedBanned) || told[4].Remote.Addr().String() != "192.0.2.7" {
			t.Fatalf("%+v", told)
		}
		mu.Unlock()
		if !r.LiftBan(netip.MustParseAddr("192.0.2.7")) || r.LiftBan(netip.MustParseAddr("192.0.2.7")) || len(r.Bans()) != 0 {
			t.Fatal("not lifted")
		}
		for range 4 {
			from("192.0.2.7").refused(wrong)
		}
		time.Sleep(5 * time.Minute) // of the bubble's clock
		from("192.0.2.7").signIn("someone", nil)
		// Of IPv6 a whole network counts as one.
		for i := range 4 {
			from(fmt.Sprintf("2001:db8::%d", i+1)).refused(wrong)
		}
		from("2001:db8::ffff").wantClosed()
		from("2001:db8:0:1::1").signIn("someone", nil)
		r.stop()
	})
}

func TestThrottle_AClientThatIsTooFastLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		slow := r.people.service(t, "slow")
		slow.Rate = access.Rate{Messages: 2}
		r.people.set("slow", slow)
		r.people.service(t, "other")
		c := r.dialMem(t, frame.V311)
		c.signIn("slow", nil)
		begin := time.Now()
		for i := range uint16(40) { // 20 at once, then 2 a second
			c.publish("a/b", 1, i+1, "x")
			c.wantAck(frame.PUBACK, i+1)
		}
		if took := time.Since(begin); took < 9*time.Second || took > 11*time.Second {
			t.Fatalf("took %v", took)
		}
		other := r.dialMem(t, frame.V311)
		other.signIn("other", nil)
		begin = time.Now()
		for i := range uint16(100) {
			other.publish("a/b", 1, i+1, "x")
			other.wantAck(frame.PUBACK, i+1)
		}
		if took := time.Since(begin); took > 0 {
			t.Fatalf("another client waited for %v", took)
		}
		if s := r.Stats(); s.Limits[LimitRate] == 0 || len(r.ledger.all("publish")) != 140 {
			t.Fatalf("%+v", s.Limits)
		}
		r.stop()
	})
}

// farConn is a connection that claims to come from somewhere.
type farConn struct {
	net.Conn
	from net.Addr
}

func (f farConn) RemoteAddr() net.Addr { return f.from }

func TestListener_LimitsOneAddress(t *testing.T) { // row 1
	r := start(t, func(c *Config) { c.Limits.MaxPerAddress = 2 })
	far := func(ip string) net.Conn {
		near, away := net.Pipe()
		t.Cleanup(func() { _ = near.Close() })
		return farConn{away, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
	}
	var open []*socket
	for range 2 {
		s, refused := r.admit(far("192.0.2.1"), "mqtt")
		if refused != "" {
			t.Fatal(refused)
		}
		open = append(open, s)
	}
	if _, refused := r.admit(far("192.0.2.1"), "mqtt"); refused != RefusedAddress {
		t.Fatalf("third: %q", refused)
	}
	other, refused := r.admit(far("192.0.2.2"), "mqtt")
	if refused != "" {
		t.Fatalf("another address: %q", refused)
	}
	_ = open[0].Close()
	_ = open[0].Close()
	again, refused := r.admit(far("192.0.2.1"), "mqtt")
	if refused != "" {
		t.Fatalf("after one has gone: %q", refused)
	}
	for _, s := range []*socket{open[1], other, again} {
		_ = s.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byAddr) != 0 || r.sockets != 0 {
		t.Fatalf("left: %v, %d", r.byAddr, r.sockets)
	}
}

func TestForget_RemovesTheSession(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	persistent := func(o *options) { o.persistent = true }
	for i := range 100 { // the next connection may come before or after the end of the last
		c := r.dial(t, frame.V311)
		if p := c.signIn("btn-001", persistent); p.body[0] != 0 {
			t.Fatal("session present")
		}
		c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
		r.Forget("btn-001", "removed")
		c.wantClosed()
		r.ledger.wait(t, "disconnected", i+1)
	}
	eventually(t, "no session is left", func() bool { return r.Stats().Sessions == 0 })
	r.Forget("nobody", "")
}

func TestRun_LeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		r.people.service(t, "viewer")
		viewer := r.dialMem(t, frame.V5)
		viewer.signIn("viewer", nil)
		viewer.subscribe(1, 1, "#")
		c := r.dialMem(t, frame.V311)
		c.signIn("btn-001", withWill(d))
		c.publish(pressTopic(d), 1, 1, "x")
		c.wantAck(frame.PUBACK, 1)
		viewer.message()
		silent := r.dialMem(t, frame.V311)
		r.stop()
		silent.wantClosed()
		c.wantClosed()
		for _, p := range viewer.wantClosed() {
			if p.h.Type != frame.DISCONNECT || p.body[0] != frame.ServerShuttingDown {
				t.Fatalf("got %+v", p)
			}
		}
		if n := len(r.ledger.all("disconnected")); n != 2 {
			t.Fatalf("%d ends", n)
		}
		if err := r.Send(t.Context(), Message{Name: "obedio/yacht-1/system/time"}); !errors.Is(err, fleet.ErrUnavailable) {
			t.Fatalf("send after the end: %v", err)
		}
		if s := r.Stats(); s.Open != 0 || s.Connected != 0 {
			t.Fatalf("%+v", s)
		}
		// The bubble would not end with a goroutine left in it.
	})
}

func TestSubscribe_AThousandRetainedMessagesArriveWithTheirNewestValue(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		for qos := range byte(3) {
			r := start(t, nil)
			r.people.service(t, "viewer")
			const n = 1500 // more than a session may queue
			for i := range n {
				m := Message{Name: statusTopic(button(fmt.Sprintf("btn-%d", i))), Payload: []byte("old"), QoS: 2, Retain: true}
				if _, err := r.route(t.Context(), hubOrigin, frame.V5, &m, packets.Properties{}, note{}); err != nil {
					t.Fatal(err)
				}
			}
			c := r.dial(t, v)
			c.signIn("viewer", nil)
			c.subscribe(1, qos, "obedio/yacht-1/#")
			if s := r.Stats(); s.Retained != n {
				t.Fatalf("%d retained", s.Retained)
			}
			seen := make(map[string]bool)
			for len(seen) < n {
				switch p := c.next(); p.h.Type {
				case frame.PUBLISH:
					m := c.parse(p)
					if !m.retain || m.qos != qos || m.payload != "old" || seen[m.name] {
						t.Fatalf("got %+v", m)
					}
					seen[m.name] = true
					if qos == 1 {
						c.send(ackPacket(frame.PUBACK, m.id))
					} else if qos == 2 {
						c.send(ackPacket(frame.PUBREC, m.id))
					}
				case frame.PUBREL:
					c.send(ackPacket(frame.PUBCOMP, uint16(p.body[0])<<8|uint16(p.body[1])))
				}
			}
			for d, n := range r.Stats().Dropped {
				if n != 0 {
					t.Fatalf("dropped %s: %d", d, n)
				}
			}
			r.stop()
		}
	})
}

func TestSubscribe_RetainHandlingIsKept(t *testing.T) {
	r := start(t, nil)
	r.people.service(t, "viewer")
	c := r.dial(t, frame.V5)
	c.signIn("viewer", nil)
	c.send(publishPacket(frame.V5, "a", 1, 1, 1, "kept"))
	c.wantAck(frame.PUBACK, 1)
	get := func(filter string, options byte, want bool) {
		t.Helper()
		if codes := c.subscribe(2, options, filter); codes[0] > 2 {
			t.Fatalf("codes %x", codes)
		}
		if want {
			if m := c.message(); m.payload != "kept" || !m.retain {
				t.Fatalf("got %+v", m)
			}
		}
		c.ping()
	}
	get("a", 0x20, false) // never
	get("a", 0x10, false) // when new: it is not
	get("a", 0x00, true)  // always
	get("+", 0x10, true)  // new
	get("a/#", 0x00, true)
	get("$share/g/a", 0x00, false)
	c.send(publishPacket(frame.V5, "a", 1, 3, 1, "")) // clears it
	if a, b := c.next().h.Type, c.next().h.Type; a+b != frame.PUBLISH+frame.PUBACK {
		t.Fatalf("got %d and %d", a, b)
	}
	get("+/#", 0x00, false)
}

// Every filter of up to three levels, alone, shared, and for retained messages,
// against every name of up to three levels. [MQTT-4.7.1]
func TestSubscribe_FiltersMatchAsTheStandardSays(t *testing.T) {
	words := func(alphabet []string) (all []string) {
		last := []string{""}
		for range 3 {
			var next []string
			for _, head := range last {
				for _, word := range alphabet {
					next = append(next, strings.TrimPrefix(head+"/"+word, "/"))
				}
			}
			all, last = append(all, next...), next
		}
		return all
	}
	names := words([]string{"a", "b"})
	filters := []string{"#"}
	for _, f := range words([]string{"a", "b", "+"}) {
		filters = append(filters, f, f+"/#")
	}
	r := start(t, nil)
	r.people.service(t, "reader")
	r.people.service(t, "writer")
	writer := r.dial(t, frame.V5)
	writer.signIn("writer", nil)
	for _, name := range names {
		writer.send(publishPacket(frame.V5, name, 1, 1, 1, "kept"))
		writer.wantAck(frame.PUBACK, 1)
	}
	reader := r.dial(t, frame.V5)
	reader.signIn("reader", nil)
	for _, filter := range filters {
		for _, said := range []string{filter, "$share/g/" + filter} {
			var want, wantKept []string
			for _, name := range names {
				if topic.Match(filter, name) {
					want = append(want, name)
				}
			}
			if said == filter {
				wantKept = want
			}
			arrived := func(n int) (got []string) {
				for range n {
					got = append(got, reader.message().name)
				}
				reader.ping() // and nothing else
				slices.Sort(got)
				return got
			}
			slices.Sort(want)
			reader.subscribe(1, 0, said)
			if got := arrived(len(wantKept)); !slices.Equal(got, wantKept) {
				t.Errorf("%s: retained messages of %q, want %q", said, got, wantKept)
			}
			for _, name := range names {
				writer.publish(name, 1, 1, "new")
				writer.wantAck(frame.PUBACK, 1)
			}
			if got := arrived(len(want)); !slices.Equal(got, want) {
				t.Errorf("%s: messages to %q, want %q", said, got, want)
			}
			reader.send(build(0xa2, []byte{0, 2, 0}, str(said)))
			reader.want(frame.UNSUBACK)
		}
	}
}

func TestConnect_WaitsForTheEndOfTheLastConnectionButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		d := button("btn-001")
		r.people.device(t, d)
		stuck := make(chan struct{})
		r.ledger.answer(func(context.Context, Session, Message) error { <-stuck; return nil })
		old := r.dialMem(t, frame.V311)
		old.signIn("btn-001", nil)
		old.publish(pressTopic(d), 1, 1, "x")
		synctest.Wait()
		for range 2 {
			begin := time.Now()
			if code := r.dialMem(t, frame.V311).refused(options{id: "btn-001", user: "btn-001", password: "pw-btn-001"}); code != 3 {
				t.Fatalf("code %d", code)
			}
			if took := time.Since(begin); took != 10*time.Second {
				t.Fatalf("refused after %v", took)
			}
		}
		close(stuck)
		r.ledger.wait(t, "disconnected", 1)
		r.dialMem(t, frame.V311).signIn("btn-001", nil)
		r.stop()
		if len(r.slots) != 0 || len(r.byUser) != 0 || len(r.open) != 0 || len(r.sessions) != 0 {
			t.Fatalf("left: %d slots, %d users, %d connections, %d sessions", len(r.slots), len(r.byUser), len(r.open), len(r.sessions))
		}
	})
}

func TestConnect_SlowlyAuthenticatedConnectionDoesNotEndANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, nil)
		r.people.device(t, button("btn-001"))
		slow, calls := make(chan struct{}), atomic.Int64{}
		r.people.hold = func(Credentials) {
			if calls.Add(1) == 1 {
				<-slow
			}
		}
		old := r.dialMem(t, frame.V311)
		old.send(connectPacket(frame.V311, options{id: "btn-001", user: "btn-001", password: "pw-btn-001", keepalive: 60}))
		synctest.Wait()
		fresh := r.dialMem(t, frame.V311)
		fresh.signIn("btn-001", nil)
		close(slow)
		if got := old.wantClosed(); len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		fresh.ping()
		if n := r.Stats().Refused[RefusedSuperseded]; n != 1 {
			t.Fatalf("counted %d", n)
		}
		r.stop()
	})
}
