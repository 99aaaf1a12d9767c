package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// disk is a Storage in memory. After cut it takes nothing any more: what a
// broker does then is lost, as by kill -9.
type disk struct {
	mu     sync.Mutex
	values map[string][]byte
	cut    bool
	err    error
	failed int
}

func newDisk() *disk { return &disk{values: map[string][]byte{}} }

func (d *disk) Load(fn func(string, []byte) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = false
	for k, v := range d.values {
		if err := fn(k, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) Write(_ context.Context, fn func(set func(string, []byte), clear func(string))) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut {
		return errors.New("power is off")
	}
	if d.err != nil {
		d.failed++
		return d.err
	}
	fn(func(k string, v []byte) {
		if v == nil {
			delete(d.values, k)
		} else {
			d.values[k] = v
		}
	}, func(prefix string) {
		for k := range d.values {
			if strings.HasPrefix(k, prefix) {
				delete(d.values, k)
			}
		}
	})
	return nil
}

func (d *disk) powerOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = true
}

func (d *disk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func (d *disk) failures() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

func (d *disk) count(kind string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for k := range d.values {
		if strings.HasPrefix(k, kind) {
			n++
		}
	}
	return n
}

// onDisk starts a broker over a disk with a subscriber and a publisher.
func onDisk(t testing.TB, d *disk) *rig {
	t.Helper()
	r := start(t, func(c *Config) { c.Storage = d })
	r.people.service(t, "subscriber")
	r.people.service(t, "publisher")
	return r
}

// kill ends the broker without letting it write anything more.
func (r *rig) kill(d *disk) {
	d.powerOff()
	r.stop()
}

// lasting makes a session that outlives its connection.
func lasting(version byte) func(*options) {
	return func(o *options) {
		o.persistent = true
		if version == frame.V5 {
			o.props = []byte{17, 0, 0, 1, 0} // session expiry interval
		}
	}
}

func TestKeep_SixtyQueuedMessagesArriveInOrderAfterAKill(t *testing.T) {
	eachVersion(t, func(t *testing.T, v byte) {
		d := newDisk()
		r := onDisk(t, d)
		sub := r.dial(t, v)
		sub.signIn("subscriber", lasting(v))
		sub.subscribe(1, 1, "a/#")
		_ = sub.c.Close()
		r.ledger.wait(t, "disconnected", 1)
		pub := r.dial(t, frame.V311)
		pub.signIn("publisher", nil)
		for i := range 60 {
			pub.publish("a/b", 1, uint16(i+1), fmt.Sprint(i))
			pub.wantAck(frame.PUBACK, uint16(i+1))
			if i == 29 {
				r.kill(d)
				r = onDisk(t, d)
				pub = r.dial(t, frame.V311)
				pub.signIn("publisher", nil)
			}
		}
		r.kill(d)
		r = onDisk(t, d)
		sub = r.dial(t, v)
		if p := sub.signIn("subscriber", lasting(v)); p.body[0] != 1 {
			t.Fatal("no session")
		}
		for i := range 60 {
			m := sub.message()
			if m.payload != fmt.Sprint(i) {
				t.Fatalf("message %s at place %d", m.payload, i)
			}
			sub.send(ackPacket(frame.PUBACK, m.id))
		}
		sub.ping()
		eventually(t, "nothing is queued on disk any more", func() bool { return d.count(keptMessage) == 0 })
	})
}

func TestKeep_RetainedMessagesSurviveWithTheirNewestValue(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	pub := r.dial(t, frame.V5)
	pub.signIn("publisher", nil)
	for i, m := range []string{"old", "new", "gone", ""} {
		name := "a/kept"
		if i >= 2 {
			name = "a/removed"
		}
		pub.send(publishPacket(frame.V5, name, 1, uint16(i+1), 1, m))
		pub.wantAck(frame.PUBACK, uint16(i+1))
	}
	r.kill(d)
	r = onDisk(t, d)
	if s := r.Stats(); s.Retained != 1 || s.RetainedBytes != len("a/kept")+len("new") {
		t.Fatalf("%d retained, %d bytes", s.Retained, s.RetainedBytes)
	}
	sub := r.dial(t, frame.V311)
	sub.signIn("subscriber", nil)
	sub.subscribe(1, 1, "a/#")
	if m := sub.message(); m.payload != "new" || !m.retain {
		t.Fatalf("got %+v", m)
	}
	sub.ping() // nothing else
}

func TestKeep_QoS2IsTakenOnceOverAKill(t *testing.T) {
	for _, v := range []byte{frame.V311, frame.V5} {
		d := newDisk()
		r := onDisk(t, d)
		pub := r.dial(t, v)
		pub.signIn("publisher", lasting(v))
		pub.publish("a/b", 2, 7, "once")
		pub.wantAck(frame.PUBREC, 7)
		r.kill(d) // the client has its PUBREC, or not: it sends again
		r = onDisk(t, d)
		pub = r.dial(t, v)
		pub.signIn("publisher", lasting(v))
		pub.send(publishPacket(v, "a/b", 2, 7, 8, "once"))
		pub.wantAck(frame.PUBREC, 7)
		if n := len(r.ledger.all("publish")); n != 0 {
			t.Fatalf("taken again: %d", n)
		}
		pub.send(ackPacket(frame.PUBREL, 7))
		pub.wantAck(frame.PUBCOMP, 7)
		eventually(t, "the id is free again on disk", func() bool { return d.count(keptInbound) == 0 })
	}
}

func TestKeep_QoS2IsSentOnceOverAKill(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	sub := r.dial(t, frame.V311)
	sub.signIn("subscriber", lasting(frame.V311))
	sub.subscribe(1, 2, "a/#")
	pub := r.dial(t, frame.V311)
	pub.signIn("publisher", nil)
	pub.publish("a/b", 2, 1, "x")
	pub.wantAck(frame.PUBREC, 1)
	m := sub.message()
	sub.send(ackPacket(frame.PUBREC, m.id))
	sub.wantAck(frame.PUBREL, m.id)
	eventually(t, "the receipt is on disk", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.values[keyOf(keptMessage, "subscriber", m.id)]) == 1
	})
	r.kill(d)
	r = onDisk(t, d)
	sub = r.dial(t, frame.V311)
	sub.signIn("subscriber", lasting(frame.V311))
	sub.wantAck(frame.PUBREL, m.id) // and not the message
	sub.send(ackPacket(frame.PUBCOMP, m.id))
	sub.ping()
}

func TestKeep_ACleanStartForgetsForGood(t *testing.T) {
	for _, v := range []byte{frame.V311, frame.V5} {
		d := newDisk()
		r := onDisk(t, d)
		sub := r.dial(t, v)
		sub.signIn("subscriber", lasting(v))
		sub.subscribe(1, 1, "a/#")
		_ = sub.c.Close()
		r.ledger.wait(t, "disconnected", 1)
		pub := r.dial(t, frame.V311)
		pub.signIn("publisher", nil)
		pub.publish("a/b", 1, 1, "x")
		pub.wantAck(frame.PUBACK, 1)
		sub = r.dial(t, v)
		if p := sub.signIn("subscriber", nil); p.body[0] != 0 {
			t.Fatal("a session is there")
		}
		r.kill(d)
		if n := d.count(keptSession) + d.count(keptMessage); n != 0 {
			t.Fatalf("%d values are left", n)
		}
	}
}

func TestKeep_SessionExpiryGoesOnOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		boot := func() *rig {
			r := startMem(t, func(c *Config) { c.Storage = d })
			r.people.service(t, "subscriber")
			return r
		}
		r := boot()
		sub := r.dialMem(t, frame.V5)
		sub.signIn("subscriber", lasting(frame.V5)) // 256 s
		sub.subscribe(1, 1, "a/#")
		_ = sub.c.Close()
		r.ledger.wait(t, "disconnected", 1)
		time.Sleep(200 * time.Second) // of the bubble's clock
		r.stop()
		r = boot()
		if n := r.Stats().Sessions; n != 1 {
			t.Fatalf("%d sessions", n)
		}
		time.Sleep(70 * time.Second)
		if s := r.Stats(); s.Sessions != 0 || s.Expired != 1 || d.count("") != 0 {
			t.Fatalf("%d sessions, %d values", s.Sessions, d.count(""))
		}
		r.stop()
	})
}

func TestKeep_NoAckWhenTheSessionCannotBeWritten(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	sub := r.dial(t, frame.V5)
	sub.signIn("subscriber", lasting(frame.V5))
	sub.subscribe(1, 1, "a/#")
	_ = sub.c.Close()
	r.ledger.wait(t, "disconnected", 1)
	d.mu.Lock()
	d.err = fmt.Errorf("disk is full: %w", fleet.ErrLimit)
	d.mu.Unlock()
	pub := r.dial(t, frame.V5)
	pub.signIn("publisher", nil)
	pub.publish("a/b", 1, 1, "x")
	if code := pub.wantAck(frame.PUBACK, 1); code != frame.QuotaExceeded {
		t.Fatalf("reason %#x", code)
	}
	old := r.dial(t, frame.V311)
	old.signIn("publisher", func(o *options) { o.id = "old" })
	old.publish("a/b", 1, 1, "x")
	old.wantClosed()
	// Who comes and subscribes is not kept out.
	d.mu.Lock()
	d.err = fleet.ErrFull
	d.mu.Unlock()
	sub = r.dial(t, frame.V5)
	sub.signIn("subscriber", nil)
	sub.subscribe(1, 1, "b/#")
	sub = r.dial(t, frame.V5)
	sub.signIn("subscriber", lasting(frame.V5))
	if codes := sub.subscribe(2, 1, "c/#"); codes[0] != 1 {
		t.Fatalf("codes %x", codes)
	}
	sub.ping()
}

func TestKeep_DamagedValuesAreReportedAndCostNothingElse(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	sub := r.dial(t, frame.V311)
	sub.signIn("subscriber", lasting(frame.V311))
	sub.subscribe(1, 1, "a/#")
	_ = sub.c.Close()
	r.ledger.wait(t, "disconnected", 1)
	pub := r.dial(t, frame.V311)
	pub.signIn("publisher", nil)
	for i := range uint16(3) {
		pub.publish("a/b", 1, i+1, fmt.Sprint(i))
		pub.wantAck(frame.PUBACK, i+1)
	}
	r.kill(d)
	d.values[keyOf(keptMessage, "subscriber", 2)] = []byte{storedPublish, 1, 2}
	d.values[keptRetained+"a/b"] = []byte("rubbish")
	d.values["x"], d.values["m"], d.values["msubscriber"] = []byte{}, []byte{}, []byte{}
	r = onDisk(t, d)
	if n := strings.Count(r.logs.String(), `level=ERROR msg="mqtt session data not restored"`); n != 5 {
		t.Fatalf("%d reports", n)
	}
	sub = r.dial(t, frame.V311)
	sub.signIn("subscriber", lasting(frame.V311))
	for _, want := range []string{"0", "2"} {
		if m := sub.message(); m.payload != want {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestSessions_TheLongestAbsentMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startMem(t, func(c *Config) { c.Limits.MaxSessions = 4 })
		one := r.people.service(t, "one")
		one.MaxConnections = 1
		r.people.set("one", one)
		r.people.service(t, "many")
		leave := func(user, id string) {
			c := r.dialMem(t, frame.V311)
			c.signIn(user, func(o *options) { o.id, o.persistent = id, true })
			n := len(r.ledger.all("disconnected"))
			_ = c.c.Close()
			r.ledger.wait(t, "disconnected", n+1)
			time.Sleep(time.Second) // of the bubble's clock
		}
		has := func(id string) bool { _, ok := r.server.Clients.Get(id); return ok }
		for _, id := range []string{"a", "b", "c"} {
			leave("one", id)
		}
		if has("a") || !has("b") || !has("c") {
			t.Fatal("an identity with one connection has two sessions, the last ones")
		}
		for _, id := range []string{"d", "e", "f"} {
			leave("many", id)
		}
		if has("b") || !has("c") || !has("f") || r.Stats().Sessions != 4 {
			t.Fatal("the oldest of all goes")
		}
		if n := r.Stats().Limits[LimitSessions]; n != 2 {
			t.Fatalf("counted %d", n)
		}
		r.stop()
	})
}

func FuzzStoredMessage(f *testing.F) {
	f.Add([]byte{storedPublish})
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01p\x32\x08\x00\x01a\x00\x01\x00xy"))
	f.Fuzz(func(t *testing.T, v []byte) {
		pk, err := decodeMessage(v)
		if err != nil {
			return
		}
		again, err := decodeMessage(encodeMessage(&pk))
		if pk.FixedHeader.Qos > 0 && (err != nil || again.TopicName != pk.TopicName || string(again.Payload) != string(pk.Payload) || again.Created != pk.Created) {
			t.Fatalf("%+v, %v: was %+v", again, err, pk)
		}
	})
}

// TestKeep_WhatWasAcknowledgedArrives kills the broker at any moment, any
// number of times: every message of QoS 1 that the publisher has its PUBACK for
// reaches the absent or present subscriber, in order.
func TestKeep_WhatWasAcknowledgedArrives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDisk()
		r := onDisk(t, d)
		defer func() { r.stop() }()
		var sub, pub *raw
		var acked, got []int
		next := 0
		join := func() {
			sub = r.dial(t, frame.V311)
			sub.signIn("subscriber", lasting(frame.V311))
		}
		take := func() { // all that has arrived up to here
			sub.send([]byte{0xc0, 0})
			for {
				p := sub.next()
				if p.h.Type == frame.PINGRESP {
					return
				}
				m := sub.parse(p)
				var n int
				_, _ = fmt.Sscan(m.payload, &n)
				got = append(got, n)
				sub.send(ackPacket(frame.PUBACK, m.id))
			}
		}
		join()
		sub.subscribe(1, 1, "a/#")
		pub = r.dial(t, frame.V311)
		pub.signIn("publisher", nil)
		for _, step := range rapid.SliceOfN(rapid.SampledFrom([]string{"publish", "publish", "publish", "leave", "join", "kill"}), 5, 40).Draw(rt, "steps") {
			switch step {
			case "publish":
				pub.publish("a/b", 1, uint16(next+1), fmt.Sprint(next))
				pub.wantAck(frame.PUBACK, uint16(next+1))
				acked = append(acked, next)
				next++
			case "leave":
				if sub != nil {
					_ = sub.c.Close()
					sub = nil
				}
			case "join":
				if sub == nil {
					join()
				}
				take()
			case "kill":
				r.kill(d)
				r = onDisk(t, d)
				pub = r.dial(t, frame.V311)
				pub.signIn("publisher", nil)
				sub = nil
			}
		}
		if sub == nil {
			join()
		}
		for range 100 {
			if take(); len(firsts(got)) >= len(acked) {
				break
			}
		}
		if !slices.Equal(firsts(got), acked) {
			rt.Fatalf("acknowledged %v, arrived %v", acked, got)
		}
	})
}

// firsts leaves out what came before: QoS 1 may repeat.
func firsts(all []int) []int {
	var out []int
	seen := map[int]bool{}
	for _, n := range all {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

func TestReauthorize_TakesAwaySubscriptionsQueuedAndRetainedMessages(t *testing.T) {
	for _, v := range []byte{frame.V311, frame.V5} {
		r := start(t, nil)
		r.people.service(t, "publisher")
		who := r.people.service(t, "reader")
		sub := r.dial(t, v)
		sub.signIn("reader", func(o *options) {
			if v == frame.V5 {
				o.props = []byte{33, 0, 1} // one in flight; the others wait in the queue
			}
		})
		sub.subscribe(1, 1, "open/#", "secret/#")
		pub := r.dial(t, frame.V311)
		pub.signIn("publisher", nil)
		pub.publish("open/1", 1, 1, "first")
		pub.wantAck(frame.PUBACK, 1)
		first := sub.message()
		if v == frame.V5 {
			pub.publish("secret/1", 1, 2, "queued")
			pub.wantAck(frame.PUBACK, 2)
		}
		who.Rules = allow(t, "open/#")
		if !r.Reauthorize("reader", who) {
			t.Fatal("not connected")
		}
		if e := r.ledger.wait(t, "unsubscribed", 1)[0]; len(e.filters) != 1 || e.filters[0] != "secret/#" {
			t.Fatalf("hub was told %+v", e)
		}
		pub.publish("secret/2", 1, 3, "live")
		pub.wantAck(frame.PUBACK, 3)
		sub.send(ackPacket(frame.PUBACK, first.id))
		pub.publish("open/2", 1, 4, "second")
		pub.wantAck(frame.PUBACK, 4)
		if m := sub.message(); m.payload != "second" {
			t.Fatalf("got %+v", m)
		}
		sub.send(publishPacket(v, "secret/3", 0, 0, 0, "x")) // refused without an answer
		sub.ping()
		if n := len(r.ledger.all("publish")); n != 3+int(v)/5 {
			t.Fatalf("hub got %d messages", n)
		}
		// And what it may do again, it may do at once.
		who.Rules = allow(t, "#")
		r.Reauthorize("reader", who)
		if code := sub.subscribe(2, 1, "secret/#"); code[0] != 1 {
			t.Fatalf("granted %x", code)
		}
		r.stop()
	}
}

func TestReauthorize_LowersQoS(t *testing.T) {
	r := start(t, nil)
	r.people.service(t, "publisher")
	who := r.people.service(t, "reader")
	sub := r.dial(t, frame.V5)
	sub.signIn("reader", nil)
	sub.subscribe(1, 2, "a/#")
	who.MaxQoS, who.Retain = 0, access.RetainNothing
	r.Reauthorize("reader", who)
	pub := r.dial(t, frame.V311)
	pub.signIn("publisher", nil)
	pub.publish("a/b", 1, 1, "x")
	if m := sub.message(); m.qos != 0 {
		t.Fatalf("got %+v", m)
	}
	sub.publish("a/b", 1, 1, "x")
	if all := sub.wantClosed(); len(all) != 1 || all[0].h.Type != frame.DISCONNECT || all[0].body[0] != frame.QoSNotSupported {
		t.Fatalf("got %+v", all)
	}
}

func TestRetained_LimitsOfOneIdentityAndOfAll(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Limits.MaxRetained, c.Limits.MaxRetainedBytes, c.Limits.MaxRetainedTotal, c.Limits.MaxRetainedTotalBytes = 3, 100, 5, 1000
	})
	r.people.service(t, "one")
	r.people.service(t, "two")
	pub := map[string]*raw{}
	for user := range map[string]bool{"one": true, "two": true} {
		pub[user] = r.dial(t, frame.V5)
		pub[user].signIn(user, nil)
	}
	retain := func(user, name, payload string) byte {
		pub[user].send(publishPacket(frame.V5, name, 1, 1, 1, payload))
		return pub[user].wantAck(frame.PUBACK, 1)
	}
	for i, c := range []struct {
		user, name, payload string
		want                byte
	}{
		{"one", "a/1", "x", 0}, {"one", "a/2", "x", 0}, {"one", "a/3", "x", 0}, {"one", "a/4", "x", frame.QuotaExceeded},
		{"one", "a/3", "newer", 0}, {"one", "a/3", strings.Repeat("x", 100), frame.QuotaExceeded},
		{"one", "a/3", "", 0}, {"one", "a/4", "x", 0},
		{"two", "b/1", "x", 0}, {"two", "b/2", "x", 0}, {"two", "b/3", "x", frame.QuotaExceeded},
	} {
		if got := retain(c.user, c.name, c.payload); got != c.want {
			t.Errorf("%d: %s %s: reason %#x", i, c.user, c.name, got)
		}
	}
	if s := r.Stats(); s.Retained != 5 || s.Limits[LimitRetained] != 3 || s.Dropped[DroppedRetainLimit] != 3 {
		t.Fatalf("%+v", s)
	}
}

// lastingWith is lasting for MQTT 5, with further properties of the CONNECT.
func lastingWith(props ...byte) func(*options) {
	return func(o *options) {
		lasting(frame.V5)(o)
		o.props = append(o.props, props...)
	}
}

func TestKeep_PropertiesOfAMessageStayAsTheyWere(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	sub := r.dial(t, frame.V5)
	sub.signIn("subscriber", lastingWith())
	sub.send(build(0x82, []byte{0, 1, 2, 11, 7}, str("a/#"), []byte{1})) // subscription identifier 7
	sub.want(frame.SUBACK)
	_ = sub.c.Close()
	r.ledger.wait(t, "disconnected", 1)
	pub := r.dial(t, frame.V5)
	pub.signIn("publisher", nil)
	user := cat([]byte{38}, str("cabin"), str("the Smiths"))
	pub.send(build(0x33, str("a/b"), []byte{0, 1, byte(len(user))}, user, []byte("kept")))
	pub.wantAck(frame.PUBACK, 1)
	for range 50 { // packets that come into the same buffers
		pub.publish("elsewhere", 1, 2, strings.Repeat("x", 200))
		pub.wantAck(frame.PUBACK, 2)
	}
	has := func(what string, p pkt, want ...[]byte) {
		t.Helper()
		for _, w := range want {
			if !bytes.Contains(p.body, w) {
				t.Errorf("%s: %q without %q", what, p.body, w)
			}
		}
	}
	sub = r.dial(t, frame.V5)
	sub.signIn("subscriber", lastingWith())
	has("queued", sub.want(frame.PUBLISH), user, []byte{11, 7}, []byte("kept"))
	r.kill(d)
	r = onDisk(t, d)
	sub = r.dial(t, frame.V5)
	sub.signIn("subscriber", lastingWith())
	has("queued over a restart", sub.want(frame.PUBLISH), user, []byte{11, 7}, []byte("kept"))
	sub.send(subscribePacket(frame.V5, 3, 0, "+/b"))
	sub.want(frame.SUBACK)
	has("retained", sub.want(frame.PUBLISH), user, []byte("kept"))
}

func TestKeep_MessageTooLargeForTheClientDoesNotKeepItOut(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	small := lastingWith(39, 0, 0, 0, 200) // maximum packet size
	sub := r.dial(t, frame.V5)
	sub.signIn("subscriber", small)
	sub.subscribe(1, 1, "a/#")
	pub := r.dial(t, frame.V311)
	pub.signIn("publisher", nil)
	pub.publish("a/large", 1, 1, strings.Repeat("x", 1000))
	pub.wantAck(frame.PUBACK, 1)
	sub.ping() // and nothing else
	_ = sub.c.Close()
	r.ledger.wait(t, "disconnected", 1)
	for i, payload := range []string{strings.Repeat("x", 1000), "small"} {
		pub.publish("a/b", 1, uint16(2+i), payload)
		pub.wantAck(frame.PUBACK, uint16(2+i))
	}
	sub = r.dial(t, frame.V5)
	sub.signIn("subscriber", small)
	if m := sub.message(); m.payload != "small" {
		t.Fatalf("got %.20q", m.payload)
	}
	sub.ping()
	if n := r.Stats().Dropped[DroppedClientSize]; n != 2 {
		t.Errorf("%d dropped for their size", n)
	}
}

func TestKeep_QoS2PacketIDIsFreeAfterARefusalAndWhereAReleaseMayBeLost(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	sub := r.dial(t, frame.V5)
	sub.signIn("subscriber", nil)
	sub.subscribe(1, 0, "a/#")
	pub := r.dial(t, frame.V5)
	pub.signIn("publisher", lastingWith())
	eventually(t, "the publisher's session is on disk", func() bool { return d.count(keptSession) == 1 })
	d.fail(errors.New("disk"))
	pub.publish("a/b", 2, 9, "first")
	if code := pub.wantAck(frame.PUBREC, 9); code < frame.Unspecified {
		t.Fatalf("reason %x", code)
	}
	d.fail(nil)
	sub.message() // at least once: it was refused after it had been routed
	pub.publish("a/b", 2, 9, "second")
	if code := pub.wantAck(frame.PUBREC, 9); code != frame.Success {
		t.Fatalf("reason %x", code)
	}
	if m := sub.message(); m.payload != "second" {
		t.Fatalf("got %q", m.payload)
	}
	r.kill(d) // before the PUBREL: the hub does not know whether it was released
	r = onDisk(t, d)
	sub = r.dial(t, frame.V5)
	sub.signIn("subscriber", nil)
	sub.subscribe(1, 0, "a/#")
	pub = r.dial(t, frame.V5)
	pub.signIn("publisher", lastingWith())
	again := publishPacket(frame.V5, "a/b", 2, 9, 8, "second") // a duplicate
	pub.send(again)
	pub.wantAck(frame.PUBREC, 9)
	pub.publish("a/b", 2, 9, "third")
	pub.wantAck(frame.PUBREC, 9)
	if m := sub.message(); m.payload != "third" {
		t.Fatalf("got %q", m.payload)
	}
}

func TestKeep_WhatAFullDiskDidNotRemoveIsRemovedLater(t *testing.T) {
	d := newDisk()
	r := onDisk(t, d)
	sub := r.dial(t, frame.V311)
	sub.signIn("subscriber", lasting(frame.V311))
	sub.subscribe(1, 1, "a/#")
	pub := r.dial(t, frame.V311)
	pub.signIn("publisher", nil)
	pub.publish("a/b", 1, 1, "one")
	pub.wantAck(frame.PUBACK, 1)
	d.fail(errors.New("disk"))
	sub.send(ackPacket(frame.PUBACK, sub.message().id))
	eventually(t, "the removal has failed", func() bool { return d.failures() > 0 })
	d.fail(nil)
	pub.publish("a/b", 1, 2, "two")
	pub.wantAck(frame.PUBACK, 2)
	sub.send(ackPacket(frame.PUBACK, sub.message().id))
	eventually(t, "nothing is queued on disk any more", func() bool { return d.count(keptMessage) == 0 })
}

// A client that comes back while others publish gets its CONNACK first, and no
// message twice that is not marked as a duplicate.
func TestKeep_ResumingWhileOthersPublishSendsNothingTwice(t *testing.T) {
	r := onDisk(t, newDisk())
	sub := r.dial(t, frame.V5)
	sub.signIn("subscriber", lastingWith())
	sub.subscribe(1, 1, "a/#")
	ended := make(chan struct{})
	var publishing sync.WaitGroup
	for hand := range 4 {
		pub := r.dial(t, frame.V311)
		pub.signIn("publisher", func(o *options) { o.id = fmt.Sprint("publisher-", hand) })
		publishing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				default:
				}
				pub.publish("a/zero", 0, 0, "zero")
				pub.publish("a/b", 1, 1, fmt.Sprintf("%d of %d", i, hand))
				if _, err := pub.read(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	first := map[string]bool{}
	for range 60 {
		for range 20 {
			m := sub.message()
			if m.qos == 0 {
				continue
			}
			if !m.dup && first[m.payload] {
				t.Fatalf("%s came twice", m.payload)
			}
			first[m.payload] = first[m.payload] || !m.dup
			sub.send(ackPacket(frame.PUBACK, m.id))
		}
		_ = sub.c.Close()
		sub = r.dial(t, frame.V5)
		sub.signIn("subscriber", lastingWith())
	}
	close(ended)
	publishing.Wait()
}

// A message that is sent while the broker stops must not wait for a writer that
// is no more.
func TestKeeper_WhoComesAfterItsEndIsToldAndWhoCameBeforeIsWritten(t *testing.T) {
	d := &disk{values: map[string][]byte{}}
	k := newKeeper(d, func(err error) { t.Error(err) })
	ctx, cancel := context.WithCancel(t.Context())
	before := k.add([]Write{{Key: "a", Value: []byte("1")}})
	cancel()
	k.run(ctx)
	if err := before.written(t.Context()); err != nil || string(d.values["a"]) != "1" {
		t.Errorf("before its end: %v, %q", err, d.values["a"])
	}
	if err := k.now(t.Context(), Write{Key: "b", Value: []byte("2")}); !errors.Is(err, fleet.ErrUnavailable) {
		t.Errorf("after its end: %v", err)
	}
}
