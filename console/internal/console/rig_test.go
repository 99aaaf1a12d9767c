package console

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/proto/gen/obedio/v1/obediov1connect"

	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// rig is a whole console under test, in this process.
type rig struct {
	t    testing.TB
	c    *Console
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	stop func()
}

// manyEnrolments is for tests that enrol faster than people do.
var manyEnrolments = hublink.Config{EnrolAllBurst: 10_000}

// start runs a console until the test ends. Listeners that c does not have are
// on loopback.
func start(t testing.TB, c Config) *rig {
	t.Helper()
	if c.Data == "" {
		c.InMemory = true
	}
	c.Store = badger.Config{CacheBytes: 8 << 20, IndexCacheBytes: 4 << 20, MemTableBytes: max(c.Store.MemTableBytes, 2<<20)}
	r := &rig{t: t, dial: (&net.Dialer{}).DialContext}
	if l, ok := c.Listeners.HubLink.(*memoryListener); ok {
		r.dial = l.dial
	}
	for _, l := range []*net.Listener{&c.Listeners.HubLink, &c.Listeners.HTTP} {
		if *l == nil {
			var err error
			if *l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var err error
	if r.c, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.c.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("console ended: %v", err)
		}
	})
	t.Cleanup(r.stop)
	<-r.c.Ready()
	return r
}

// api asks the API as the machine itself, and returns the status.
func (r *rig) api(method, path string, in, out any) int {
	r.t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			r.t.Fatal(err)
		}
	}
	s := r.c.API().LocalServer()
	req := httptest.NewRequestWithContext(s.ConnContext(r.t.Context(), nil), method, "http://localhost"+path, &body)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	s.Handler.ServeHTTP(rec, req)
	if out != nil && rec.Code < 300 {
		if err := json.Unmarshal(rec.Body.Bytes(), out); err != nil {
			r.t.Fatalf("%s %s: %v: %s", method, path, err, rec.Body)
		}
	}
	return rec.Code
}

func (r *rig) mustAPI(method, path string, in, out any) {
	r.t.Helper()
	if code := r.api(method, path, in, out); code >= 300 {
		r.t.Fatalf("%s %s answers %d", method, path, code)
	}
}

func (r *rig) addSite(id string) {
	r.mustAPI(http.MethodPost, "/api/v1/sites", map[string]string{"site_id": id}, nil)
}

func (r *rig) claim(site string) identity.Claim {
	r.t.Helper()
	var c identity.Claim
	r.mustAPI(http.MethodPost, "/api/v1/sites/"+site+"/claim", nil, &c)
	return c
}

// client speaks to the hub link with the given TLS settings.
func (r *rig) client(settings *tls.Config) obediov1connect.HubLinkClient {
	return r.clientAt("https://"+r.c.c.Listeners.HubLink.Addr().String(), settings)
}

func (r *rig) clientAt(url string, settings *tls.Config) obediov1connect.HubLinkClient {
	t := &http.Transport{DialContext: r.dial, TLSClientConfig: settings, ForceAttemptHTTP2: true}
	r.t.Cleanup(t.CloseIdleConnections)
	return obediov1connect.NewHubLinkClient(&http.Client{Transport: t}, url, connect.WithSendGzip())
}

func (r *rig) newcomer(c identity.Claim) obediov1connect.HubLinkClient {
	return r.client(identity.EnrolClient(c.FleetRoot, r.c.c.Now))
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func enrol(ctx context.Context, cl obediov1connect.HubLinkClient, c identity.Claim, k *ecdsa.PrivateKey) (*pb.EnrolResponse, error) {
	csr, err := identity.Request(k, "hub")
	if err != nil {
		return nil, err
	}
	resp, err := cl.Enrol(ctx, connect.NewRequest(&pb.EnrolRequest{SiteId: string(c.Site), Claim: c.Secret, Csr: csr, HubVersion: "1.2.3"}))
	if err != nil {
		return nil, err
	}
	return resp.Msg, nil
}

// testHub is a hub's end of the link, with a story of its own.
type testHub struct {
	r       *rig
	site    string
	id      fleet.HubID
	cl      obediov1connect.HubLinkClient
	tls     *tls.Config
	story   *fleettest.Story
	epoch   fleet.Epoch
	ticket  []byte
	lanes   map[fleet.Lane][][]byte
	hashes  map[fleet.Lane][]lane.Hash
	acked   map[fleet.Lane]fleet.Seq
	cursor  uint64
	version uint64
	number  uint64 // of the last part of traffic
	orders  []fleet.Order
}

// hub enrols a hub for a site.
func (r *rig) hub(site string) *testHub {
	r.t.Helper()
	c, k := r.claim(site), newKey(r.t)
	m, err := enrol(r.t.Context(), r.newcomer(c), c, k)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.enrolled(site, m, k)
}

func (r *rig) enrolled(site string, m *pb.EnrolResponse, k *ecdsa.PrivateKey) *testHub {
	r.t.Helper()
	root, err := x509.ParseCertificate(m.FleetRoot)
	if err != nil {
		r.t.Fatal(err)
	}
	h := &testHub{
		site: site, id: fleet.HubID(m.HubId), story: fleettest.NewStory(1), epoch: "epoch-1",
		tls:   identity.HubClient(tls.Certificate{Certificate: m.HubChain, PrivateKey: k}, root, r.c.c.Now),
		lanes: map[fleet.Lane][][]byte{}, hashes: map[fleet.Lane][]lane.Hash{}, acked: map[fleet.Lane]fleet.Seq{},
	}
	for _, l := range fleet.LogLanes() {
		h.hashes[l] = []lane.Hash{{}}
	}
	h.dials(r)
	return h
}

// dials makes the hub speak to a console.
func (h *testHub) dials(r *rig) { h.r, h.cl = r, r.client(h.tls.Clone()) }

func (h *testHub) append(r fleet.Record) {
	h.r.t.Helper()
	b, err := wire.EncodeRecord(r)
	if err != nil {
		h.r.t.Fatal(err)
	}
	l := r.Body.Lane()
	h.lanes[l] = append(h.lanes[l], b)
	h.hashes[l] = append(h.hashes[l], h.hashes[l][len(h.hashes[l])-1].Next(b))
}

func (h *testHub) grow(n int) {
	for range n {
		h.append(h.story.Next())
	}
}

// device appends a device and returns its id.
func (h *testHub) device(id fleet.DeviceID, typ fleet.DeviceType) fleet.DeviceID {
	at := fleet.Millis(h.r.c.c.Now())
	h.append(fleet.Record{At: at, ClockTrusted: true, Actor: fleet.System("test"), Body: fleet.DeviceChanged{Device: fleet.Device{
		ID: id, Type: typ, Room: "cabin-1", Profile: string(typ), Version: 1, CreatedAt: at, UpdatedAt: at,
	}}})
	return id
}

func (h *testHub) helloMessage() *pb.HelloRequest {
	m := &pb.HelloRequest{HubTimeMs: h.r.c.c.Now().UnixMilli(), ClockTrusted: true, HubVersion: "1.2.3"}
	hello := lane.Hello{Epoch: h.epoch, BootID: "boot", Lanes: map[fleet.Lane]lane.HelloLane{}, StateHead: h.version, OrderCursor: h.cursor}
	for _, l := range fleet.LogLanes() {
		hello.Lanes[l] = lane.HelloLane{Head: fleet.Seq(len(h.lanes[l])), Acked: h.acked[l], AckedHash: h.hashes[l][h.acked[l]]}
	}
	lane.EncodeHello(hello, m)
	return m
}

func (h *testHub) hello() (lane.Welcome, error) {
	resp, err := h.cl.Hello(h.r.t.Context(), connect.NewRequest(h.helloMessage()))
	if err != nil {
		return lane.Welcome{}, err
	}
	w, err := lane.DecodeWelcome(resp.Msg)
	h.ticket = w.Ticket
	for l, p := range w.Durable {
		h.acked[l] = p.Seq
	}
	return w, err
}

// batch is the records of a lane from first to last.
func (h *testHub) batch(l fleet.Lane, first, last fleet.Seq) lane.Batch {
	return lane.Batch{Lane: l, First: first, Prev: h.hashes[l][first-1], Records: h.lanes[l][first-1 : last]}
}

func (h *testHub) push(p lane.Push) (lane.Receipt, error) {
	p.Ticket, p.OrderCursor = h.ticket, h.cursor
	resp, err := h.cl.Push(h.r.t.Context(), connect.NewRequest(lane.EncodePush(p)))
	if err != nil {
		return lane.Receipt{}, err
	}
	got, err := lane.DecodeReceipt(resp.Msg)
	for l, p := range got.Durable {
		h.acked[l] = p.Seq
	}
	h.take(lane.DecodeOrders(resp.Msg.Orders))
	return got, err
}

func (h *testHub) take(orders []fleet.Order) {
	for _, o := range lane.Due(h.cursor, orders) {
		h.orders = append(h.orders, o)
		h.cursor = o.Number
	}
}

// rest is what the console does not hold, as far as the hub knows.
func (h *testHub) rest() (p lane.Push) {
	for _, l := range fleet.LogLanes() {
		if n := fleet.Seq(len(h.lanes[l])); h.acked[l] < n {
			p.Batches = append(p.Batches, h.batch(l, h.acked[l]+1, n))
		}
	}
	return p
}

// pushAll sends until the console holds everything, and returns how many calls
// that took.
func (h *testHub) pushAll() int {
	h.r.t.Helper()
	for calls := 0; ; calls++ {
		p := h.rest()
		if p.Batches == nil {
			return calls
		}
		if _, err := h.push(p); err != nil {
			h.r.t.Fatal(err)
		}
	}
}

func (h *testHub) states(presence fleet.Presence, ids ...fleet.DeviceID) {
	h.r.t.Helper()
	b := &lane.StateBatch{After: h.version, AsOfMS: h.r.c.c.Now().UnixMilli()}
	for _, id := range ids {
		h.version++
		b.States = append(b.States, fleet.DeviceState{ID: id, Presence: presence, Since: fleet.Millis(h.r.c.c.Now()), Version: h.version})
	}
	b.Upto = h.version
	if _, err := h.push(lane.Push{State: b}); err != nil {
		h.r.t.Fatal(err)
	}
}

func (h *testHub) pull(wait time.Duration) (*pb.PullResponse, error) {
	resp, err := h.cl.Pull(h.r.t.Context(), connect.NewRequest(&pb.PullRequest{
		Ticket: h.ticket, OrderCursor: h.cursor, MaxBytes: 64 << 10, WaitMs: uint32(wait.Milliseconds()),
	}))
	if err != nil {
		return nil, err
	}
	h.take(lane.DecodeOrders(resp.Msg.Orders))
	return resp.Msg, nil
}

func (h *testHub) mustHello() {
	h.r.t.Helper()
	if w, err := h.hello(); err != nil || w.Verdict != lane.VerdictOK && w.Verdict != lane.VerdictAhead {
		h.r.t.Fatalf("hello: %s, %v", w.Verdict, err)
	}
}

// digest is the console's digest of the hub's site.
func (h *testHub) digest() string {
	h.r.t.Helper()
	var v struct {
		Digest string `json:"digest"`
	}
	h.r.mustAPI(http.MethodGet, "/api/v1/sites/"+h.site+"/sync", nil, &v)
	return v.Digest
}

func wantCode(t testing.TB, what string, err error, code connect.Code) {
	t.Helper()
	if err == nil || connect.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

// memoryListener is a listener without a network: what a test in a bubble of
// its own time can wait for.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
}

func newMemoryListener() *memoryListener {
	l := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.close()
	return nil
}

func (l *memoryListener) Addr() net.Addr { return memoryAddr{} }

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- buffered(there):
		return buffered(here), nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "127.0.0.1:1" }

// bufferedConn does not block its writer: both ends of TLS write first.
type bufferedConn struct {
	net.Conn
	out    chan []byte
	closed chan struct{}
	close  func()
}

func buffered(c net.Conn) net.Conn {
	b := &bufferedConn{Conn: c, out: make(chan []byte, 4096), closed: make(chan struct{})}
	b.close = sync.OnceFunc(func() { close(b.closed) })
	go func() {
		defer c.Close()
		for {
			select {
			case p := <-b.out:
				if _, err := c.Write(p); err != nil {
					return
				}
			case <-b.closed:
				return
			}
		}
	}()
	return b
}

func (b *bufferedConn) Write(p []byte) (int, error) {
	select {
	case b.out <- bytes.Clone(p):
		return len(p), nil
	case <-b.closed:
		return 0, net.ErrClosed
	}
}

func (b *bufferedConn) Close() error {
	b.close()
	return nil
}
