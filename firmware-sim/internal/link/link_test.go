package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleettest"
)

// bench is a link in memory between the test and a target that the test is, too.
type bench struct {
	t    *testing.T
	in   *fleettest.Listener
	far  *fleettest.Listener
	link *Link
}

func profile(t *testing.T, text string) Profile {
	t.Helper()
	p, err := ParseProfile(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newBench(t *testing.T, text string, seed uint64) *bench {
	t.Helper()
	b := &bench{t: t, in: fleettest.NewListener("near"), far: fleettest.NewListener("far")}
	var err error
	if b.link, err = New(Config{Listener: b.in, Dial: b.far.Dial, Profile: profile(t, text), Seed: seed}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.link.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) set(text string) {
	b.t.Helper()
	if err := b.link.Set(profile(b.t, text)); err != nil {
		b.t.Fatal(err)
	}
}

// connect returns both ends of a connection through the link.
func (b *bench) connect() (near, far net.Conn) {
	b.t.Helper()
	near, err := b.in.Dial(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = near.Close() })
	if far, err = b.far.Accept(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = far.Close() })
	return near, far
}

// carried sends what and returns how long it took until all of it was there.
func (b *bench) carried(from, to net.Conn, what []byte) time.Duration {
	b.t.Helper()
	began := time.Now()
	go func() {
		if _, err := from.Write(what); err != nil {
			b.t.Error(err)
		}
	}()
	got := make([]byte, len(what))
	if _, err := io.ReadFull(to, got); err != nil {
		b.t.Fatal(err)
	}
	if !bytes.Equal(got, what) {
		b.t.Fatal("what arrived is not what was sent")
	}
	return time.Since(began)
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestLAN_CarriesAtOnceAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan", 1)
		near, far := b.connect()
		if took := b.carried(near, far, noise(100_000)) + b.carried(far, near, noise(5000)); took != 0 {
			t.Errorf("took %s", took)
		}
		c := b.link.Counters()
		if c.Up.Bytes != 100_000 || c.Down.Bytes != 5000 || c.Connections != 1 || c.Open != 1 || c.Up.Lost != 0 {
			t.Errorf("%+v", c)
		}
		if want := headerBytes * (c.Up.Segments + c.Down.Segments); c.HeaderBytes <= want || c.HeaderBytes > 3*want {
			t.Errorf("headers %d for segments of %d", c.HeaderBytes, want)
		}
		_ = near.Close()
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the end did not arrive: %v", err)
		}
		synctest.Wait()
		list := b.link.Connections()
		if len(list) != 1 || list[0].EndedAt.IsZero() || list[0].Up.Bytes != 100_000 || b.link.Counters().Open != 0 {
			t.Errorf("%+v", list)
		}
	})
}

func TestDelay_IsARoundTripToConnectAndOneWayForAByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan,up.rtt=800ms,down.rtt=400ms", 1)
		began := time.Now()
		near, far := b.connect()
		if took := time.Since(began); took != 600*time.Millisecond {
			t.Errorf("connected after %s", took)
		}
		if took := b.carried(near, far, []byte("x")); took != 400*time.Millisecond {
			t.Errorf("up %s", took)
		}
		if took := b.carried(far, near, []byte("x")); took != 200*time.Millisecond {
			t.Errorf("down %s", took)
		}
	})
}

func TestJitter_NeverBringsBytesOutOfOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan,rtt=100ms,jitter=500ms", 3)
		near, far := b.connect()
		if took := b.carried(near, far, noise(200_000)); took < 50*time.Millisecond || took > 550*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestRate_IsThatOfAllConnectionsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan,rate=1M", 1)
		var wg sync.WaitGroup
		began := time.Now()
		for range 4 {
			near, far := b.connect()
			wg.Go(func() { b.carried(near, far, noise(125_000)) }) // a second each, alone
		}
		wg.Wait()
		if took := time.Since(began).Round(10 * time.Millisecond); took != 4*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

// A small message behind a full queue waits as long as the queue is; a modem's
// queue is bounded, so that is bounded too.
func TestQueue_DelaysWhoComesLaterByNoMoreThanItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan,rate=1M,queue=64k", 1)
		near, far := b.connect()
		go func() { _, _ = near.Write(noise(1_000_000)) }()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		time.Sleep(2 * time.Second) // of the bubble
		urgent, there := b.connect()
		most := span(64<<10+2*SegmentBytes, 125_000)
		if took := b.carried(urgent, there, []byte("emergency")); took < most/2 || took > most {
			t.Errorf("took %s, the queue is %s long", took, most)
		}
	})
}

func TestLoss_AddsARoundTripAndTheSameForTheSameSeed(t *testing.T) {
	trial := func(t *testing.T, text string, seed uint64) (took time.Duration, c Counters) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, text, seed)
			near, far := b.connect()
			took = b.carried(near, far, noise(300*SegmentBytes))
			c = b.link.Counters()
		})
		return took, c
	}
	without, _ := trial(t, "vsat,loss=0%,jitter=0s", 7)
	with, counters := trial(t, "vsat,loss=2%,jitter=0s", 7)
	again, repeated := trial(t, "vsat,loss=2%,jitter=0s", 7)
	if with != again || cmp.Diff(counters, repeated) != "" {
		t.Errorf("%s and %s, %+v and %+v, for one seed", with, again, counters, repeated)
	}
	if lost := counters.Up.Lost; lost < 1 || lost > 20 || counters.Up.SentAgain != lost*SegmentBytes {
		t.Errorf("%d of 300 segments lost, %d bytes again", lost, counters.Up.SentAgain)
	}
	if with <= without {
		t.Errorf("%s with losses, %s without", with, without)
	}
	if one, _ := trial(t, "lan,rtt=600ms,loss=90%", 1); one < 900*time.Millisecond {
		t.Errorf("a lost segment arrived after %s", one)
	}
}

func TestVSAT_IsASlowFarLink(t *testing.T) {
	p := profile(t, "vsat")
	if p.RTT() != 600*time.Millisecond || p.Up.Rate != 125_000 || p.Down.Loss != 0.02 {
		t.Errorf("%+v", p)
	}
}

func TestCut_EndsWhatIsOpenAndRefusesUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan", 1)
		near, far := b.connect()
		b.carried(near, far, []byte("hello"))
		b.set("cut")
		for _, c := range []net.Conn{near, far} {
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("the connection goes on")
			}
		}
		again, err := b.in.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Read(make([]byte, 1)); err == nil {
			t.Error("a new connection goes on")
		}
		synctest.Wait()
		if c := b.link.Counters(); c.Refused != 1 || c.Open != 0 {
			t.Errorf("%+v", c)
		}
		b.set("lan")
		b.carried(near2(b))
	})
}

// near2 is a new connection, and something to carry.
func near2(b *bench) (near, far net.Conn, what []byte) {
	near, far = b.connect()
	return near, far, []byte("back")
}

func TestHalfOpen_SaysNothingAndGoesOnWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan", 1)
		near, far := b.connect()
		b.carried(near, far, []byte("hello"))
		b.set("half-open")
		if _, err := near.Write([]byte("lost?")); err != nil {
			t.Fatal(err)
		}
		fresh, err := b.in.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fresh.Write([]byte("anybody?")); err != nil {
			t.Fatal(err)
		}
		for _, c := range []net.Conn{far, near, fresh} {
			_ = c.SetReadDeadline(time.Now().Add(time.Hour))
			if n, err := c.Read(make([]byte, 9)); n != 0 || err == nil || errors.Is(err, io.EOF) {
				t.Errorf("%d %v: want silence", n, err)
			}
			_ = c.SetReadDeadline(time.Time{})
		}
		b.set("lan")
		got := make([]byte, 5)
		if _, err := io.ReadFull(far, got); err != nil || string(got) != "lost?" {
			t.Errorf("%q %v", got, err)
		}
		later, err := b.far.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got = make([]byte, 8)
		if _, err := io.ReadFull(later, got); err != nil || string(got) != "anybody?" {
			t.Errorf("%q %v", got, err)
		}
		_ = later.Close()
	})
}

func TestRun_EndsAlsoWhileHalfOpenWithConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan", 1)
		near, _ := b.connect()
		b.set("half-open")
		_, _ = near.Write(noise(10))
		synctest.Wait() // the cleanup of the bench ends it, or the bubble is stuck
	})
}

func TestTarget_NotReachedEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "lan", 1)
		b.far.Cut(true)
		near, err := b.in.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("it goes on")
		}
		synctest.Wait()
		if c := b.link.Counters(); c.Failed != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// real is a link over sockets to a real web server.
func real(t *testing.T, text string, target *httptest.Server) (*Link, string) {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Config{Listener: on, Profile: profile(t, text), Seed: 1, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target.Listener.Addr().String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l, on.Addr().String()
}

func origin(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "took %d", n)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes end here that are to end
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func fetch(t *testing.T, tlsConfig *tls.Config, url string, body []byte) (int, string, http.Header, error) {
	t.Helper()
	c := http.Client{
		Transport:     &http.Transport{TLSClientConfig: tlsConfig, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Post(url, "text/plain", bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header, err
}

func TestSockets_CarryTLSWholeAndEndInOrder(t *testing.T) {
	s := origin(t)
	trusting := s.Client().Transport.(*http.Transport).TLSClientConfig
	for _, text := range []string{"lan", "lan,rtt=4ms,rate=800M,loss=1%"} {
		l, addr := real(t, text, s)
		code, body, _, err := fetch(t, trusting, "https://"+addr, noise(3<<20))
		if err != nil || code != 200 || body != fmt.Sprint("took ", 3<<20) {
			t.Errorf("%s: %d %s %v", text, code, body, err)
		}
		if c := l.Counters(); c.Up.Bytes < 3<<20 || c.Down.Bytes == 0 {
			t.Errorf("%s: %+v", text, c)
		}
	}
}

func TestSockets_ACutIsAReset(t *testing.T) {
	l, addr := real(t, "lan", origin(t))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for l.Counters().Up.Bytes == 0 { // the link has it soon
		runtime.Gosched()
	}
	if err := l.Set(profile(t, "cut")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v: want a reset", err)
	}
}

func TestPortal_AnswersEverybodyInPlaceOfTheTarget(t *testing.T) {
	s := origin(t)
	trusting := s.Client().Transport.(*http.Transport).TLSClientConfig
	careless := &tls.Config{InsecureSkipVerify: true}
	for _, c := range []struct {
		profile string
		status  int
		body    string
		to      string
	}{
		{"captive-portal", 200, "<h1>Welcome</h1>", ""},
		{"portal-redirect", 302, "", "http://" + portalName + "/login"},
		{"bad-gateway", 502, "502 Bad Gateway", ""},
	} {
		t.Run(c.profile, func(t *testing.T) {
			l, addr := real(t, c.profile, s)
			for scheme, config := range map[string]*tls.Config{"http": nil, "https": careless} {
				code, body, header, err := fetch(t, config, scheme+"://"+addr, noise(10_000))
				if err != nil || code != c.status || !strings.Contains(body, c.body) || header.Get("Location") != c.to {
					t.Errorf("%s: %d %q %v %v", scheme, code, body, header, err)
				}
			}
			var invalid *tls.CertificateVerificationError
			if _, _, _, err := fetch(t, trusting, "https://"+addr, nil); !errors.As(err, &invalid) {
				t.Errorf("who checks certificates gets %v", err)
			}
			if n := l.Counters(); n.Answered != 3 || n.Up.Bytes < 20_000 || n.Down.Bytes == 0 {
				t.Errorf("%+v", n)
			}
			if err := l.Set(profile(t, "lan")); err != nil {
				t.Fatal(err)
			}
			if code, body, _, err := fetch(t, trusting, "https://"+addr, noise(10)); err != nil || code != 200 || body != "took 10" {
				t.Errorf("back: %d %q %v", code, body, err)
			}
		})
	}
}

func TestGarbage_IsNoTLSAtAll(t *testing.T) {
	s := origin(t)
	_, addr := real(t, "garbage", s)
	var record tls.RecordHeaderError
	if _, _, _, err := fetch(t, &tls.Config{InsecureSkipVerify: true}, "https://"+addr, nil); err == nil ||
		!errors.As(err, &record) && !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("%v", err)
	}
}

func TestParseProfile_SaysWhatItWants(t *testing.T) {
	p := profile(t, "vsat,rtt=800ms,loss=5%,rate=256k,up.rate=64k,queue=8k")
	if p.RTT() != 800*time.Millisecond || p.Down.Rate != 32_000 || p.Up.Rate != 8000 || p.Up.Loss != 0.05 || p.Down.Queue != 8192 {
		t.Errorf("%+v", p)
	}
	for _, text := range []string{"", "moon", "vsat,loss=95%", "vsat,rate=-1", "vsat,rtt=2", "vsat,colour=red", "cut,rtt=1s", "vsat,rtt=9h", "vsat,loss=NaN"} {
		if p, err := ParseProfile(text); err == nil {
			t.Errorf("%q was taken: %+v", text, p)
		}
	}
	for _, name := range Names() {
		if p := profile(t, name); p.Name != name || p.check() != nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestControl_ChangesTheLinkWhileItRuns(t *testing.T) {
	b := newBench(t, "vsat", 1)
	for _, at := range []string{filepath.Join(t.TempDir(), "link.sock"), "127.0.0.1:0"} {
		on, err := ListenControl(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.link.Control(ctx, on) }()
		at = on.Addr().String()
		if s, err := Ask(t.Context(), at, "half-open"); err != nil || s.Profile.Name != "half-open" {
			t.Errorf("%+v %v", s.Profile, err)
		}
		if _, err := Ask(t.Context(), at, "moon"); err == nil || !strings.Contains(err.Error(), "captive-portal") {
			t.Errorf("%v", err)
		}
		if s, err := Ask(t.Context(), at, ""); err != nil || s.Profile.Mode != HalfOpen {
			t.Errorf("%+v %v", s.Profile, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if _, err := ListenControl(t.Context(), "0.0.0.0:0"); err == nil {
		t.Error("others can reach the switch")
	}
}
