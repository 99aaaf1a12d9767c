package flotilla

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// shore is a console in memory for one hub: the pure core of the real one.
type shore struct {
	t       *testing.T
	ordered chan struct{}

	mu       sync.Mutex // guards what follows
	held     *fleettest.Memory
	rejected []lane.Rejected
	orders   []fleet.Order
	before   func(call string) error // may refuse a call
	wait     uint32                  // of the next Hello
	hellos   int
}

func newShore(t *testing.T) *shore {
	return &shore{t: t, held: fleettest.NewMemory(), ordered: make(chan struct{}, 1), before: func(string) error { return nil }}
}

// set changes the shore while its hub runs.
func (s *shore) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *shore) order(body fleet.OrderBody, ttl time.Duration) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, fleet.Order{
		Number: uint64(len(s.orders) + 1), ID: fleet.NewUUID[fleet.OrderID](now), CreatedAt: fleet.Millis(now), ExpiresAt: fleet.Millis(now.Add(ttl)),
		Actor: fleet.Actor{Kind: fleet.ActorUser, ID: "u"}, Body: body,
	})
	select {
	case s.ordered <- struct{}{}:
	default:
	}
}

func (s *shore) due(cursor uint64) (out []*pb.Order) {
	for _, o := range s.orders[min(cursor, uint64(len(s.orders))):] {
		m, err := wire.EncodeOrder(o)
		if err != nil {
			s.t.Error(err)
		}
		out = append(out, m)
	}
	return out
}

func (s *shore) Hello(_ context.Context, r *connect.Request[pb.HelloRequest]) (*connect.Response[pb.HelloResponse], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hellos++
	if err := s.before("hello"); err != nil {
		return nil, err
	}
	if wait := s.wait; wait > 0 {
		s.wait = 0
		return connect.NewResponse(&pb.HelloResponse{Verdict: pb.Verdict_VERDICT_WAIT, WaitMs: wait}), nil
	}
	hello, err := lane.DecodeHello(r.Msg)
	if err != nil {
		return nil, err
	}
	w, err := lane.Greet(s.held, hello, lane.Given{})
	if err != nil {
		return nil, err
	}
	w.Ticket, w.ConsoleID, w.ConsoleEpoch = []byte("t"), "c", "e"
	return connect.NewResponse(lane.EncodeWelcome(w)), nil
}

func (s *shore) Push(_ context.Context, r *connect.Request[pb.PushRequest]) (*connect.Response[pb.PushResponse], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.before("push"); err != nil {
		return nil, err
	}
	p, err := lane.DecodePush(r.Msg)
	if err != nil {
		return nil, err
	}
	a, err := lane.Receive(s.held, p)
	if err != nil {
		return nil, err
	}
	s.rejected = append(s.rejected, a.Receipt.Rejected...)
	out := lane.EncodeReceipt(a.Receipt)
	out.Orders, out.ConsoleTimeMs = s.due(p.OrderCursor), time.Now().UnixMilli()
	return connect.NewResponse(out), nil
}

func (s *shore) Pull(ctx context.Context, r *connect.Request[pb.PullRequest]) (*connect.Response[pb.PullResponse], error) {
	due, err := s.waiting(r.Msg.OrderCursor)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(time.Duration(r.Msg.WaitMs) * time.Millisecond)
	defer timer.Stop()
	if len(due) == 0 {
		select {
		case <-timer.C:
		case <-s.ordered:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if due, err = s.waiting(r.Msg.OrderCursor); err != nil {
			return nil, err
		}
	}
	return connect.NewResponse(&pb.PullResponse{Orders: due, ConsoleTimeMs: time.Now().UnixMilli()}), nil
}

// waiting are the orders behind a cursor.
func (s *shore) waiting(cursor uint64) ([]*pb.Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.due(cursor), s.before("pull")
}

func (*shore) Enrol(context.Context, *connect.Request[pb.EnrolRequest]) (*connect.Response[pb.EnrolResponse], error) {
	return nil, errors.New("not here")
}

func (*shore) Certify(context.Context, *connect.Request[pb.CertifyRequest]) (*connect.Response[pb.CertifyResponse], error) {
	return nil, errors.New("not here")
}

func (*shore) Recall(context.Context, *connect.Request[pb.RecallRequest]) (*connect.Response[pb.RecallResponse], error) {
	return nil, errors.New("not here")
}

// identityOf makes an identity that no console has given.
func identityOf(t *testing.T, site fleet.SiteID) stored {
	t.Helper()
	key, err := identity.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := identity.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return stored{Site: site, Key: der, Chain: [][]byte{cert}, Root: cert}
}

// newTestHub is a hub whose console is s.
func newTestHub(t *testing.T, s *shore, c Config, m *memory) *hub {
	t.Helper()
	c.Seed = 7
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	f.link = s
	h, err := f.newHub(0, identityOf(t, "fleet-1"), m)
	if err != nil {
		t.Fatal(err)
	}
	f.hubs = []*hub{h}
	return h
}

// live runs h until stop is called.
func live(t *testing.T, h *hub) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// pass lets time pass in a bubble, until everybody waits for more of it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// agree checks that the console holds all that the hub has told, and has set
// nothing aside.
func (s *shore) agree(h *hub) {
	s.t.Helper()
	for l, v := range h.log.lanes {
		at, err := s.held.Position(l)
		if err != nil || at.Seq != v.head() || len(v.Held) > 0 || len(v.Later) > 0 {
			s.t.Errorf("lane %s: the console holds %d of %d, %d are kept: %v", l, at.Seq, v.head(), len(v.Held), err)
		}
	}
	if at, err := s.held.StateVersion(); err != nil || at != h.site.version {
		s.t.Errorf("the console has states up to %d of %d: %v", at, h.site.version, err)
	}
	if len(s.rejected) > 0 {
		s.t.Errorf("set aside: %v", s.rejected)
	}
}

func entities[T fleet.Entity](s *shore) (all []T) {
	for ref, b := range s.held.All() {
		var v T
		if v.Ref().Kind == ref.Kind {
			if err := json.Unmarshal(b, &v); err != nil {
				s.t.Fatal(err)
			}
			all = append(all, v)
		}
	}
	return all
}

func TestHub_ADayOfALivelySiteFoldsWithoutOneRecordSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		h := newTestHub(t, s, Config{Devices: 30, Calls: 60, Lost: 0.1, Hours: 3}, nil)
		stop := live(t, h)
		pass(24*time.Hour + 15*time.Second) // of the bubble
		stop()
		s.agree(h)
		if n := len(entities[fleet.Device](s)); n != 30 {
			t.Errorf("%d devices", n)
		}
		states := map[fleet.RequestState]int{}
		for _, r := range entities[fleet.Request](s) {
			states[r.State]++
		}
		if states[fleet.RequestCompleted] < 500 || states[fleet.RequestMissed] == 0 || states[fleet.RequestOpen]+states[fleet.RequestAccepted] > 60 {
			t.Errorf("requests %v", states)
		}
		if len(entities[fleet.Alert](s)) == 0 {
			t.Error("no alert")
		}
		if n := h.f.count.hours.Load(); n < 25 {
			t.Errorf("%d hours of traffic", n)
		}
		if e := h.f.count.errors.Load(); e > 0 {
			t.Errorf("%d errors: %v", e, h.f.errs)
		}
	})
}

func TestHub_AnswersOrdersHonestly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		h := newTestHub(t, s, Config{Devices: 20}, nil)
		h.site.devices[2].presence = lost
		present, absent := h.site.deviceID(0), h.site.deviceID(2)
		old, removed := h.site.device(1), h.site.deviceID(3)
		stop := live(t, h)
		pass(time.Minute)
		command := func(d fleet.DeviceID, ttl time.Duration) fleet.CommandID {
			id := fleet.NewUUID[fleet.CommandID](time.Now())
			s.order(fleet.SendCommand{Command: id, Device: d, Name: "locate"}, ttl)
			return id
		}
		want := map[fleet.CommandID]fleet.CommandState{
			command(absent, time.Minute):    fleet.CommandExpired,
			command("nobody", time.Minute):  fleet.CommandFailed,
			command(present, -time.Minute):  fleet.CommandExpired,
			command(present, 5*time.Minute): fleet.CommandSucceeded,
		}
		cancelled := command(absent, time.Hour)
		s.order(fleet.CancelCommand{Command: cancelled}, time.Minute)
		want[cancelled] = fleet.CommandCancelled
		s.order(fleet.CancelCommand{Command: cancelled}, time.Minute) // again
		moved := old
		moved.Room, moved.Version = "bridge-2", 0
		s.order(fleet.PutDevice{Device: moved, IfVersion: 1}, time.Minute)
		s.order(fleet.PutDevice{Device: moved, IfVersion: 1}, time.Minute)
		s.order(fleet.PutDevice{Device: fleet.Device{ID: "extra", Type: fleet.Sensor, Room: "bridge", Profile: "sensor"}}, time.Minute)
		s.order(fleet.RemoveDevice{Device: removed, IfVersion: 1}, time.Minute)
		s.order(fleet.RemoveDevice{Device: "nobody", IfVersion: 1}, time.Minute)
		pass(2 * time.Hour)
		stop()
		s.agree(h)
		got := map[fleet.CommandID]fleet.CommandState{}
		for _, c := range entities[fleet.Command](s) {
			got[c.ID] = c.State
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		outcomes := map[uint64]fleet.OrderOutcome{}
		for _, a := range entities[fleet.OrderAnswer](s) {
			outcomes[a.Number] = a.Outcome
		}
		if diff := cmp.Diff(map[uint64]fleet.OrderOutcome{
			6: fleet.OrderApplied, 7: fleet.OrderRefused, 8: fleet.OrderApplied, 9: fleet.OrderConflict, 10: fleet.OrderApplied,
			11: fleet.OrderApplied, 12: fleet.OrderRefused,
		}, outcomes); diff != "" {
			t.Error(diff)
		}
		devices := map[fleet.DeviceID]fleet.Device{}
		for _, d := range entities[fleet.Device](s) {
			devices[d.ID] = d
		}
		if devices[old.ID].Room != "bridge-2" || devices["extra"].Version != 1 || !devices[removed].Removed {
			t.Errorf("%+v", devices)
		}
	})
}

func TestHub_GoesOnWhereItWasAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		c := Config{Devices: 12, Calls: 100, Lost: 0.2}
		h := newTestHub(t, s, c, nil)
		first := h.site.deviceID(0)
		stop := live(t, h)
		pass(time.Hour)
		s.order(fleet.PutDevice{Device: fleet.Device{ID: "extra", Type: fleet.Sensor, Room: "bridge", Profile: "sensor"}}, time.Minute)
		s.order(fleet.SendCommand{Command: fleet.NewUUID[fleet.CommandID](time.Now()), Device: first, Name: "locate"}, time.Hour)
		pass(100 * time.Millisecond) // the command is under way
		stop()
		b, err := json.Marshal(h.memory())
		if err != nil {
			t.Fatal(err)
		}
		var m memory
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		again := newTestHub(t, s, c, &m)
		if again.epoch != h.epoch || again.cursor != 2 {
			t.Errorf("epoch %s then %s, cursor %d", h.epoch, again.epoch, again.cursor)
		}
		stop = live(t, again)
		pass(time.Hour)
		stop()
		s.agree(again)
		if n := again.f.count.epochs.Load(); n > 0 {
			t.Errorf("%d new epochs", n)
		}
		if n := len(entities[fleet.Device](s)); n != 13 {
			t.Errorf("%d devices", n)
		}
		for _, c := range entities[fleet.Command](s) {
			if !c.State.Ended() {
				t.Errorf("command %s is %s", c.ID, c.State)
			}
		}
	})
}

// A console that was restored from a backup wants what the hub does not keep.
func TestHub_TellsAllAnewToAConsoleThatWasRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		h := newTestHub(t, s, Config{Devices: 12, Calls: 200}, nil)
		stop := live(t, h)
		pass(30 * time.Minute)
		var backup *fleettest.Memory
		s.set(func() { backup = s.held.Clone() })
		pass(30 * time.Minute)
		fail := true
		s.set(func() {
			s.held = backup
			s.before = func(string) error {
				if fail {
					fail = false
					return connect.NewError(connect.CodeUnavailable, errors.New("restarted"))
				}
				return nil
			}
		})
		pass(30 * time.Minute)
		stop()
		s.agree(h)
		if n := h.f.count.epochs.Load(); n != 1 {
			t.Errorf("%d new epochs", n)
		}
	})
}

func TestHub_WaitsAsItIsToldAndBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		s.wait = 3_600_000
		h := newTestHub(t, s, Config{Devices: 4}, nil)
		stop := live(t, h)
		calls := func(d time.Duration, answer error) (n int) {
			s.set(func() {
				s.hellos = 0
				s.before = func(string) error { return answer }
			})
			pass(d)
			s.set(func() { n = s.hellos })
			return n
		}
		if n := calls(59*time.Minute, nil); n != 1 {
			t.Errorf("%d hellos before the time was over", n)
		}
		if n := calls(10*time.Minute, nil); n != 1 {
			t.Errorf("%d hellos when it was", n)
		}
		if n := calls(time.Hour, connect.NewError(connect.CodeResourceExhausted, errors.New("too much"))); n < 60 || n > 240 { // half a minute on average
			t.Errorf("%d hellos in an hour", n)
		}
		calls(time.Hour, connect.NewError(connect.CodePermissionDenied, errors.New("revoked")))
		if n := calls(24*time.Hour, connect.NewError(connect.CodePermissionDenied, errors.New("revoked"))); n != 0 {
			t.Errorf("a revoked hub calls %d times", n)
		}
		stop()
		if !h.f.out[0] {
			t.Error("it does not count as refused")
		}
	})
}

func TestCut_AllHubsComeBackWithASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShore(t)
		h := newTestHub(t, s, Config{Devices: 50}, nil)
		h.f.snapshot = 40
		stop := live(t, h)
		pass(10*time.Minute + time.Millisecond)
		before := h.f.count.read()
		back := h.f.cutAll()
		<-back.done
		r := back.read(h.f.count.read())
		if r.Fresh != 1 || r.AllMS > 5000 || r.Traffic.States < 40 || r.Traffic.Errors > 0 {
			t.Errorf("%+v, before %+v", r, before)
		}
		stop()
		s.agree(h)
	})
}

func TestSite_IsMadeOfItsSeed(t *testing.T) {
	now := time.Now()
	bytesOf := func(seed uint64, id fleet.SiteID) (all []byte) {
		s := newSite(seed, id, 40, 0.1, now)
		for i := range s.commissioned() {
			b, err := wire.EncodeRecord(s.commission(i))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := wire.DecodeRecord(fleet.LaneRegistry, b); err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		return append(all, s.name...)
	}
	if !bytes.Equal(bytesOf(1, "a-1"), bytesOf(1, "a-1")) {
		t.Error("one seed makes two sites")
	}
	if bytes.Equal(bytesOf(1, "a-1"), bytesOf(2, "a-1")) || bytes.Equal(bytesOf(1, "a-1"), bytesOf(1, "a-2")) {
		t.Error("two seeds make one site")
	}
}

func TestReadClaims_NamesTheOneThatIsWrong(t *testing.T) {
	good := `{"version":1,"site_id":"a","url":"https://h:1","claim":"01234567890123456789","fleet_root_sha256":"` + strings.Repeat("0", 64) + `"}`
	claims, err := ReadClaims(strings.NewReader(good + "\n" + good))
	if err != nil || len(claims) != 2 || claims[0].Site != "a" {
		t.Errorf("%v %v", claims, err)
	}
	if _, err := ReadClaims(strings.NewReader(good + `{"version":2}`)); err == nil || !strings.Contains(err.Error(), "claim 2") {
		t.Errorf("%v", err)
	}
}

func TestLater_OnlyWhatMayPassByItself(t *testing.T) {
	for _, c := range []struct {
		err   error
		wait  time.Duration
		again bool
	}{
		{nil, 0, false},
		{&answer{status: http.StatusTooManyRequests, wait: 3 * time.Second}, 3 * time.Second, true},
		{&answer{status: http.StatusForbidden}, 0, false},
		{connect.NewError(connect.CodeResourceExhausted, nil), 0, true},
		{connect.NewError(connect.CodePermissionDenied, nil), 0, false},
	} {
		if wait, again := later(c.err); wait != c.wait || again != c.again {
			t.Errorf("%v: %s %t", c.err, wait, again)
		}
	}
}
