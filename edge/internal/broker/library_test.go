package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
)

// The tests here show what the library does without the gate, row by row of
// the table in DESIGN.md, where that is cheap to show. So the gate's own tests
// cannot pass because a defect was never there; and when a release of the
// library mends one, its test here fails and says that a part of the gate may
// go.

// bare is the library alone.
type bare struct {
	*mqtt.Server
	tcp, ws string
	logs    *lockedBuffer
}

// bareHook lets everybody in; what a test wants to see or forbid it sets.
type bareHook struct {
	mqtt.HookBase
	acl     func(cl *mqtt.Client, name string, write bool) bool
	publish func(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error)
}

func (h *bareHook) ID() string         { return "bare" }
func (h *bareHook) Provides(byte) bool { return true }
func (h *bareHook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool {
	return true
}
func (h *bareHook) OnACLCheck(cl *mqtt.Client, name string, write bool) bool {
	return h.acl == nil || h.acl(cl, name, write)
}
func (h *bareHook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if h.publish != nil {
		return h.publish(cl, pk)
	}
	return pk, nil
}

// bareLibrary starts the library with its own listeners.
func bareLibrary(t *testing.T, change func(*mqtt.Options), hooks ...*bareHook) *bare {
	t.Helper()
	b := &bare{logs: new(lockedBuffer)}
	options := &mqtt.Options{InlineClient: true, Logger: slog.New(slog.NewTextHandler(b.logs, nil))}
	if change != nil {
		change(options)
	}
	b.Server = mqtt.New(options)
	if len(hooks) == 0 {
		hooks = []*bareHook{{}}
	}
	for _, h := range hooks {
		if err := b.AddHook(h, nil); err != nil {
			t.Fatal(err)
		}
	}
	tcp := listeners.NewTCP(listeners.Config{ID: "tcp", Address: "127.0.0.1:0"})
	ws := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: freeAddress(t)})
	for _, l := range []listeners.Listener{tcp, ws} {
		if err := b.AddListener(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Serve(); err != nil {
		t.Fatal(err)
	}
	b.tcp, b.ws = tcp.Address(), ws.Address()
	return b
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (b *bare) dial(t *testing.T, version byte) *raw {
	t.Helper()
	c, err := net.Dial("tcp", b.tcp)
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, c, version)
}

func TestLibrary_Row1_ClosingTwicePanics(t *testing.T) {
	b := bareLibrary(t, nil)
	_ = b.Close()
	defer func() {
		if recover() == nil {
			t.Error("it does not")
		}
	}()
	_ = b.Close()
}

func TestLibrary_Row2_ALengthReservesItsMemory(t *testing.T) {
	b := bareLibrary(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := b.dial(t, frame.V311)
	c.send([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}) // a CONNECT of 256 MiB
	eventually(t, "256 MiB are allocated", func() bool {
		runtime.ReadMemStats(&after)
		return after.TotalAlloc-before.TotalAlloc > 250<<20
	})
	_ = c.c.Close()
}

func TestLibrary_Row3_WillsAreNotChecked(t *testing.T) {
	b := bareLibrary(t, nil, &bareHook{acl: func(_ *mqtt.Client, _ string, write bool) bool { return !write }})
	sub := b.dial(t, frame.V311)
	sub.signIn("sub", nil)
	sub.subscribe(1, 0, "#")
	c := b.dial(t, frame.V311)
	c.signIn("c", func(o *options) { o.willTopic, o.will = "secret", "x" })
	_ = c.c.Close()
	if m := sub.message(); m.name != "secret" {
		t.Fatalf("got %+v", m)
	}
}

func TestLibrary_Row4_ARefusedPublishIsDelivered(t *testing.T) {
	b := bareLibrary(t, nil, &bareHook{publish: func(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
		return pk, packets.ErrNotAuthorized
	}})
	sub := b.dial(t, frame.V311)
	sub.signIn("sub", nil)
	sub.subscribe(1, 0, "#")
	c := b.dial(t, frame.V311)
	c.signIn("c", nil)
	c.publish("a", 1, 1, "refused")
	if m := sub.message(); m.payload != "refused" {
		t.Fatalf("got %+v", m)
	}
}

func TestLibrary_Row5_SessionsAreInheritedByClientIDAlone(t *testing.T) {
	b := bareLibrary(t, nil)
	owner := b.dial(t, frame.V311)
	owner.signIn("owner", func(o *options) { o.id, o.persistent = "x", true })
	owner.subscribe(1, 1, "private")
	_ = owner.c.Close()
	eventually(t, "owner is gone", func() bool { cl, ok := b.Clients.Get("x"); return ok && cl.Closed() })
	if err := b.Publish("private", []byte("letter"), false, 1); err != nil {
		t.Fatal(err)
	}
	thief := b.dial(t, frame.V311)
	thief.signIn("thief", func(o *options) { o.id, o.persistent = "x", true })
	if m := thief.message(); m.payload != "letter" {
		t.Fatalf("got %+v", m)
	}
}

func TestLibrary_Row6_OneYesOfSeveralHooksWins(t *testing.T) {
	no := &bareHook{acl: func(*mqtt.Client, string, bool) bool { return false }}
	b := bareLibrary(t, nil, no, &bareHook{})
	c := b.dial(t, frame.V311)
	c.signIn("c", nil)
	if code := c.subscribe(1, 0, "a"); code[0] != 0 {
		t.Fatalf("code %x", code)
	}
}

func TestLibrary_Row7_TheSharePrefixReachesTheHookRaw(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	b := bareLibrary(t, nil, &bareHook{acl: func(_ *mqtt.Client, name string, _ bool) bool {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, name)
		return name != "secret"
	}})
	c := b.dial(t, frame.V5)
	c.signIn("c", nil)
	if code := c.subscribe(1, 0, "$SHARE/g/secret"); code[0] != 0 {
		t.Fatalf("code %x", code)
	}
	if err := b.Publish("public", []byte("x"), false, 0); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) == 0 || seen[0] != "$SHARE/g/secret" {
		t.Fatalf("hook saw %v", seen)
	}
}

func TestLibrary_Row8And17_PacketIDsOfBothDirectionsCollide(t *testing.T) {
	b := bareLibrary(t, nil)
	c := b.dial(t, frame.V311)
	c.signIn("c", nil)
	c.subscribe(1, 1, "in")
	pub := b.dial(t, frame.V311)
	pub.signIn("pub", nil)
	pub.publish("in", 1, 1, "to be acknowledged")
	m := c.message()
	if err := c.try(subscribePacket(frame.V311, m.id, 0, "other")); err != nil {
		t.Fatal(err)
	}
	if p := c.want(frame.SUBACK); p.body[2] < 0x80 {
		t.Fatalf("subscribe with the id of an outbound message: %x", p.body)
	}
	c.publish("out", 1, m.id, "x")
	c.wantAck(frame.PUBACK, m.id)
	cl, _ := b.Clients.Get("c")
	eventually(t, "the outbound message is forgotten", func() bool { return cl.State.Inflight.Len() == 0 })
}

func TestLibrary_Row9_TopicAliasesAreResolvedAfterTheCheck(t *testing.T) {
	b := bareLibrary(t, nil, &bareHook{acl: func(_ *mqtt.Client, name string, write bool) bool { return !write || name != "secret" }})
	sub := b.dial(t, frame.V311)
	sub.signIn("sub", nil)
	sub.subscribe(1, 0, "#")
	c := b.dial(t, frame.V5)
	c.signIn("c", nil)
	alias := func(name string) []byte {
		return build(0x30, cat(str(name), []byte{3, 35, 0, 1}), []byte("x"))
	}
	c.send(alias("open"))
	sub.message()
	c.send(alias("")) // decided as the name "", delivered as "open"
	if m := sub.message(); m.name != "open" {
		t.Fatalf("got %+v", m)
	}
}

func TestLibrary_Row10_AnythingPassesAsAFilter(t *testing.T) {
	denied := false
	b := bareLibrary(t, nil, &bareHook{acl: func(*mqtt.Client, string, bool) bool { return !denied }})
	c := b.dial(t, frame.V311)
	c.signIn("c", nil)
	for i, filter := range []string{"a//b", "/", "a/\x01", strings.Repeat("a/", 3000) + "b"} {
		if code := c.subscribe(uint16(i+1), 0, filter); code[0] != 0 {
			t.Fatalf("%.20q: code %x", filter, code)
		}
	}
	many := make([]string, 200)
	for i := range many {
		many[i] = fmt.Sprintf("many/%d", i)
	}
	if codes := c.subscribe(9, 0, many...); codes[199] != 0 {
		t.Fatalf("codes %x", codes)
	}
	denied = true // and to unsubscribe nobody is asked
	c.send(build(0xa2, binary.BigEndian.AppendUint16(nil, 10), str("a//b")))
	c.wantAck(frame.UNSUBACK, 10)
}

func TestLibrary_Row11_WebSocketsOfEveryPageAreTaken(t *testing.T) {
	b := bareLibrary(t, nil)
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}}
	var ws *websocket.Conn
	eventually(t, "it listens, and lets the page in", func() (ok bool) {
		var err error
		ws, _, err = d.Dial("ws://"+b.ws, http.Header{"Origin": {"https://evil.example"}})
		return err == nil
	})
	defer func() { _ = ws.Close() }()
	c := newRaw(t, &wsConn{ws: ws}, frame.V311)
	c.signIn("c", nil)
}

func TestLibrary_Row12_ASecondConnectLogsThePassword(t *testing.T) {
	b := bareLibrary(t, nil)
	c := b.dial(t, frame.V311)
	c.signIn("c", nil)
	c.send(connectPacket(frame.V311, options{id: "c", user: "c", password: "pw-secret", keepalive: 60}))
	c.wantClosed()
	in := func(s string) bool { return strings.Contains(b.logs.String(), s) }
	eventually(t, "the password is in the log", func() bool {
		return in("pw-secret") || in(strings.Trim(fmt.Sprint([]byte("pw-secret")), "[]"))
	})
}

func TestLibrary_Row13_TheInlineClientIsNotAsked(t *testing.T) {
	b := bareLibrary(t, nil, &bareHook{acl: func(_ *mqtt.Client, _ string, write bool) bool { return !write }})
	sub := b.dial(t, frame.V311)
	sub.signIn("sub", nil)
	sub.subscribe(1, 0, "#")
	if err := b.Publish("secret", []byte("x"), false, 0); err != nil {
		t.Fatal(err)
	}
	if m := sub.message(); m.name != "secret" {
		t.Fatalf("got %+v", m)
	}
}

func TestLibrary_Row14_FlowControlLosesItsQuota(t *testing.T) {
	b := bareLibrary(t, nil)
	sub := b.dial(t, frame.V5)
	sub.signIn("sub", func(o *options) { o.props = []byte{33, 0, 2} }) // Receive Maximum 2
	sub.subscribe(1, 1, "a")
	pub := b.dial(t, frame.V311)
	pub.signIn("pub", nil)
	const sent = 50
	for i := range uint16(sent) {
		pub.publish("a", 1, i+1, "x")
		pub.wantAck(frame.PUBACK, i+1)
	}
	got := 0
	for {
		_ = sub.c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		p, err := sub.readSoon(300 * time.Millisecond)
		if err != nil {
			break
		}
		got++
		sub.send(ackPacket(frame.PUBACK, sub.parse(p).id))
	}
	if got >= sent {
		t.Fatalf("%d of %d delivered", got, sent)
	}
}

// readSoon is read with little patience.
func (c *raw) readSoon(d time.Duration) (pkt, error) {
	_ = c.c.SetReadDeadline(time.Now().Add(d))
	var head []byte
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			return pkt{}, err
		}
		head = append(head, b)
		if h, more, err := frame.ParseHeader(head); err != nil {
			return pkt{}, err
		} else if !more {
			p := pkt{h, make([]byte, h.Remaining)}
			_, err = io.ReadFull(c.r, p.body)
			return p, err
		}
	}
}

// libraryVictim makes this test binary the process that the library ends.
const libraryVictim = "OBEDIO_TEST_LIBRARY_VICTIM"

func TestLibrary_Row15_EightBytesEndTheProcess(t *testing.T) {
	if os.Getenv(libraryVictim) != "" {
		b := bareLibrary(t, nil)
		c := b.dial(t, frame.V5)
		c.signIn("c", nil)
		c.send([]byte{0x82, 6, 0, 1, 0, 0, 1, 'a'}) // SUBSCRIBE without its option byte
		time.Sleep(patience)                        // the end comes from another goroutine
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLibrary_Row15_EightBytesEndTheProcess$")
	cmd.Env = append(os.Environ(), libraryVictim+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("index out of range")) {
		t.Fatalf("the process goes on: %v\n%s", err, out)
	}
}

func TestLibrary_Row16_QueuedMessagesComeOutOfOrder(t *testing.T) {
	b := bareLibrary(t, nil)
	c := b.dial(t, frame.V311)
	c.signIn("c", func(o *options) { o.persistent = true })
	c.subscribe(1, 1, "a")
	_ = c.c.Close()
	eventually(t, "client is gone", func() bool { cl, ok := b.Clients.Get("c"); return ok && cl.Closed() })
	for i := range 60 {
		if err := b.Publish("a", []byte(fmt.Sprint(i)), false, 1); err != nil {
			t.Fatal(err)
		}
	}
	c = b.dial(t, frame.V311)
	c.signIn("c", func(o *options) { o.persistent = true })
	inversions, last := 0, -1
	for range 60 {
		var n int
		_, _ = fmt.Sscan(c.message().payload, &n)
		if n < last {
			inversions++
		}
		last = n
	}
	if inversions == 0 {
		t.Fatal("in order")
	}
}

func TestLibrary_Row18_QoS1IsDroppedWhenItsQueueIsFull(t *testing.T) {
	b := bareLibrary(t, func(o *mqtt.Options) {
		o.Capabilities = mqtt.NewDefaultServerCapabilities()
		o.Capabilities.MaximumClientWritesPending = 4 // the default is 8192
	})
	sub := b.dial(t, frame.V311)
	sub.signIn("sub", nil)
	sub.subscribe(1, 1, "a")
	go func() { _, _ = io.Copy(io.Discard, sub.r) }() // it keeps up
	for range 1_000_000 {
		_ = b.Publish("a", []byte("x"), false, 1)
		if b.Info.Clone().MessagesDropped > 0 {
			return
		}
	}
	t.Fatal("nothing was dropped")
}

func TestLibrary_Row19_SubscriptionsOutliveAnExpiredSession(t *testing.T) {
	b := bareLibrary(t, func(o *mqtt.Options) {
		o.Capabilities = mqtt.NewDefaultServerCapabilities()
		o.Capabilities.MaximumSessionExpiryInterval = 0
	})
	c := b.dial(t, frame.V311)
	c.signIn("c", func(o *options) { o.persistent = true })
	c.subscribe(1, 0, "a")
	_ = c.c.Close()
	eventually(t, "the session has expired", func() bool { _, ok := b.Clients.Get("c"); return !ok })
	if n := len(b.Topics.Subscribers("a").Subscriptions); n != 1 {
		t.Fatalf("%d subscriptions", n)
	}
}

func TestLibrary_Row20_AnAcceptErrorEndsTheListener(t *testing.T) {
	fails := make(chan struct{})
	l := listeners.NewNet("net", brokenListener{fails})
	b := bareLibrary(t, nil)
	if err := b.AddListener(l); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		l.Serve(func(string, net.Conn) error { return nil })
		close(done)
	}()
	close(fails)
	<-done
}

// brokenListener fails once, as without file descriptors.
type brokenListener struct{ fails chan struct{} }

func (l brokenListener) Accept() (net.Conn, error) {
	<-l.fails
	return nil, fmt.Errorf("accept: too many open files")
}
func (l brokenListener) Close() error   { return nil }
func (l brokenListener) Addr() net.Addr { return memAddr{} }

func TestLibrary_Row21_PubackComesBeforeRouting(t *testing.T) {
	var mu sync.Mutex
	var order []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, s)
	}
	b := bareLibrary(t, nil, &bareHook{acl: func(_ *mqtt.Client, name string, write bool) bool {
		if name == "a" && !write {
			note("delivery")
		}
		return true
	}})
	if err := b.AddHook(&encodeHook{note: note}, nil); err != nil {
		t.Fatal(err)
	}
	sub := b.dial(t, frame.V311)
	sub.signIn("sub", nil)
	sub.subscribe(1, 0, "+")
	pub := b.dial(t, frame.V311)
	pub.signIn("pub", nil)
	pub.publish("a", 1, 1, "x")
	sub.message()
	mu.Lock()
	defer mu.Unlock()
	if len(order) < 2 || order[0] != "puback" {
		t.Fatalf("order %v", order)
	}
}

// encodeHook notes PUBACKs on their way out.
type encodeHook struct {
	mqtt.HookBase
	note func(string)
}

func (h *encodeHook) ID() string           { return "encode" }
func (h *encodeHook) Provides(b byte) bool { return b == mqtt.OnPacketEncode }
func (h *encodeHook) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Puback {
		h.note("puback")
	}
	return pk
}

func TestLibrary_Row22_DefaultsForgetAndCost(t *testing.T) {
	c := mqtt.NewDefaultServerCapabilities()
	if c.MaximumMessageExpiryInterval != 86400 || c.MaximumClientWritesPending != 8192 {
		t.Fatalf("%+v", c)
	}
}

func TestLibrary_Row23_OldClientsGetADisconnectPacket(t *testing.T) {
	b := bareLibrary(t, nil, &bareHook{acl: func(_ *mqtt.Client, _ string, write bool) bool { return !write }})
	c := b.dial(t, frame.V311)
	c.signIn("c", nil)
	c.publish("a", 1, 1, "x")
	if all := c.wantClosed(); len(all) == 0 || all[0].h.Type != frame.DISCONNECT {
		t.Fatalf("got %+v", all)
	}
}

func TestLibrary_FilterMissesItsParent(t *testing.T) {
	b := bareLibrary(t, nil)
	b.Topics.Subscribe("c", packets.Subscription{Filter: "a/+/#"})
	if n := len(b.Topics.Subscribers("a/b").Subscriptions); n != 0 {
		t.Fatalf("%d subscriptions", n)
	}
	b.Topics.RetainMessage(packets.Packet{TopicName: "a/b", FixedHeader: packets.FixedHeader{Retain: true}, Payload: []byte("kept")})
	if n := len(b.Topics.Messages("a/b/#")); n != 0 {
		t.Fatalf("%d retained messages", n)
	}
}
