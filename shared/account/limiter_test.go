package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

func TestLimiter_BacksOffAndForgives(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLimiter(LimiterConfig{Free: 3, First: time.Second, LongestForName: 8 * time.Second, LongestForAddress: time.Minute},
		func() time.Time { return now })
	here := netip.MustParseAddr("192.0.2.1")
	fail := func() time.Duration {
		_, err := l.begin("anna", here)
		var w *WaitError
		if errors.As(err, &w) {
			if !errors.Is(err, fleet.ErrLimit) {
				t.Errorf("%v is not ErrLimit", err)
			}
			return w.RetryAfter()
		}
		return 0
	}
	for range 3 {
		if d := fail(); d != 0 {
			t.Fatalf("a free failure waits %s", d)
		}
	}
	want := time.Second
	for range 9 {
		if d := fail(); d != want {
			t.Fatalf("wait is %s, want %s", d, want)
		}
		now = now.Add(want)
		if d := fail(); d != 0 {
			t.Fatalf("still %s after the wait", d)
		}
		want = min(2*want, time.Minute) // the address's limit; the name's is shorter
	}
	// Another name from the same address waits too; the name from elsewhere no
	// longer than its own limit.
	if _, err := l.begin("bert", here); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("another name from a bad address: %v", err)
	}
	now = now.Add(8 * time.Second)
	a, err := l.begin("anna", netip.MustParseAddr("198.51.100.1"))
	if err != nil {
		t.Fatal(err)
	}
	a.succeeded()
	if _, ok := l.names.byKey["anna"]; ok {
		t.Error("a success does not clear the name")
	}
	if _, ok := l.addresses.byKey["198.51.100.1"]; ok {
		t.Error("a success leaves a failure of its address")
	}
	now = now.Add(2 * time.Hour) // forgotten
	for range 3 {
		if d := fail(); d != 0 {
			t.Fatalf("waits %s after two quiet hours", d)
		}
	}
}

func TestLimiter_ABurstDoesNotPass(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLimiter(LimiterConfig{Free: 5}, func() time.Time { return now })
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := l.begin("anna", netip.MustParseAddr("192.0.2.1")); err == nil {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d attempts passed at once, want 5", passed.Load())
	}
}

func TestLimiter_MemoryIsBounded(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLimiter(LimiterConfig{Remember: 100}, func() time.Time { return now })
	for i := range 10_000 {
		now = now.Add(time.Millisecond)
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if _, err := l.begin(fmt.Sprint("user", i), a); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*strikes{&l.names, &l.addresses} {
		if len(s.byKey) != 100 || s.order.Len() != 100 {
			t.Errorf("remembers %d and %d, want 100", len(s.byKey), s.order.Len())
		}
	}
	if _, ok := l.names.byKey["user9999"]; !ok {
		t.Error("the newest is forgotten")
	}
}

func TestLimiter_IPv6NetworkIsOneAddress(t *testing.T) {
	for in, want := range map[string]string{
		"2001:db8::1":      "2001:db8::/64",
		"2001:db8::ffff:1": "2001:db8::/64",
		"::ffff:192.0.2.1": "192.0.2.1",
		"192.0.2.1":        "192.0.2.1",
	} {
		if got := addressKey(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s counts as %s, want %s", in, got, want)
		}
	}
	if got := addressKey(netip.Addr{}); got != "" {
		t.Errorf("no address counts as %q", got)
	}
}

func TestPasswords_NoMoreThanTwoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(PasswordConfig{MemoryKiB: 8, Passes: 1, AtOnce: 2, Waiting: 3})
		var leave []func()
		for range 2 {
			l, err := p.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		// Three wait; one gives up; a sixth finds no room.
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 3)
		var in atomic.Int32
		for i := range 3 {
			c := t.Context()
			if i == 0 {
				c = ctx
			}
			go func() {
				l, err := p.enter(c)
				if err == nil {
					in.Add(1)
					l()
				}
				errs <- err
			}()
		}
		synctest.Wait()
		if in.Load() != 0 {
			t.Fatal("a third computes")
		}
		if _, err := p.enter(t.Context()); !errors.Is(err, fleet.ErrUnavailable) {
			t.Errorf("a sixth got %v, want ErrUnavailable", err)
		}
		cancel()
		synctest.Wait()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		for _, l := range leave {
			l()
		}
		synctest.Wait()
		if in.Load() != 2 || len(p.room) != 0 || len(p.turn) != 0 {
			t.Errorf("%d came in, %d and %d are left", in.Load(), len(p.room), len(p.turn))
		}
	})
}

func TestPasswords_UnknownUserTakesTheSameMemory(t *testing.T) {
	p := newPasswords(PasswordConfig{MemoryKiB: 1024, Passes: 1})
	known, err := p.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	work := func(phc string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, _, err := p.check(t.Context(), "wrong", phc); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 20
	}
	if a, b := work(known), work(p.dummy); a != b || a < 1 {
		t.Errorf("a known user costs %d MiB, an unknown one %d MiB", a, b)
	}
}

func TestPasswords_DamagedHashIsAnError(t *testing.T) {
	p := newPasswords(PasswordConfig{MemoryKiB: 8, Passes: 1})
	for _, phc := range []string{
		"", "plain", "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=8,t=0,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=8,t=1,p=1$!!$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$",
	} {
		if ok, _, err := p.check(t.Context(), "x", phc); ok || err == nil {
			t.Errorf("%q: %v, %v", phc, ok, err)
		}
	}
}

func TestSecretHash_ReadsBackWhatItWrote(t *testing.T) {
	want := HashSecret("secret")
	data, err := json.Marshal(Session{Hash: want})
	if err != nil || !strings.Contains(string(data), `"hash":"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"`) {
		t.Errorf("%s %v", data, err)
	}
	var got Session
	if err := json.Unmarshal(data, &got); err != nil || got.Hash != want {
		t.Errorf("%v %v", got.Hash, err)
	}
	for _, bad := range []string{`{"hash":"00"}`, `{"hash":"zz` + strings.Repeat("0", 62) + `"}`} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func BenchmarkPassword(b *testing.B) {
	p := newPasswords(PasswordConfig{})
	for b.Loop() {
		if _, _, err := p.check(b.Context(), "correct horse", p.dummy); err != nil {
			b.Fatal(err)
		}
	}
}
