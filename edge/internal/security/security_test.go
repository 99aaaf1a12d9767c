package security

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// written is an audit in memory.
type written struct {
	full atomic.Bool

	mu      sync.Mutex // guards entries
	entries []Entry
}

func (w *written) write(_ context.Context, e []Entry) error {
	if w.full.Load() {
		return fmt.Errorf("%w: test", fleet.ErrFull)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e...)
	return nil
}

func (w *written) all() []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.entries
}

// of are the entries with an action.
func (w *written) of(action string) (out []Entry) {
	for _, e := range w.all() {
		if e.Action == action {
			out = append(out, e)
		}
	}
	return out
}

// events counts what entries with an action tell of.
func (w *written) events(action string) (n uint64) {
	for _, e := range w.of(action) {
		c := uint64(1)
		if s, ok := e.Detail["count"]; ok {
			c, _ = strconv.ParseUint(s, 10, 64)
		}
		n += c
	}
	for _, e := range w.of(Unwritten) {
		c, _ := strconv.ParseUint(e.Detail[action], 10, 64)
		n += c
	}
	return n
}

// during runs story beside a log that writes, in time of its own.
func during(t *testing.T, c Config, story func(*Log, *written)) *written {
	w := &written{}
	synctest.Test(t, func(t *testing.T) {
		c.Write = w.write
		l := New(c)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		story(l, w)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

func denial(client string) Denial {
	return Denial{At: time.Now(), Client: client, Action: "publish_send", Topic: "a/b", Rule: "default: deny", Remote: netip.MustParseAddr("192.0.2.7")}
}

func TestNote_TheFirstIsWrittenAtOnceAndTheRestInBulk(t *testing.T) {
	during(t, Config{}, func(l *Log, w *written) {
		l.Denied(denial("btn-1"))
		synctest.Wait()
		if len(w.all()) != 1 || w.all()[0].Target != "btn-1" || w.all()[0].Detail["topic"] != "a/b" || w.all()[0].Detail["count"] != "" {
			t.Fatalf("%+v", w.all())
		}
		for range 500 {
			l.Denied(denial("btn-1"))
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if len(w.all()) != 1 {
			t.Fatalf("%d entries within the first minute", len(w.all()))
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if len(w.all()) != 2 || w.all()[1].Detail["count"] != "500" || w.all()[1].Detail["since"] == "" {
			t.Fatalf("%+v", w.all())
		}
	})
}

func TestNote_WhatGoesOnIsToldMoreRarely(t *testing.T) {
	w := during(t, Config{}, func(l *Log, _ *written) {
		for range 24 * 60 * 6 { // a day, six a minute
			l.Denied(denial("btn-1"))
			time.Sleep(10 * time.Second)
		}
	})
	if n := len(w.of(Denied)); n < 24 || n > 35 {
		t.Errorf("%d entries in a day", n)
	}
	if n := w.events(Denied); n != 24*60*6 {
		t.Errorf("%d denials are told of", n)
	}
}

func TestFlood_OfManyClientsIsBoundedAndCounted(t *testing.T) {
	const flood = 100_000
	w := during(t, Config{}, func(l *Log, _ *written) {
		for i := range flood {
			l.Denied(denial(fmt.Sprint("client-", i%7919)))
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		// Another thing is not hidden by it.
		l.Banned(time.Now(), netip.MustParsePrefix("192.0.2.7/32"), time.Now().Add(time.Minute), 31)
		synctest.Wait()
	})
	if n := len(w.of(Denied)); n == 0 || n > 60 {
		t.Errorf("%d entries of denials", n)
	}
	if n := w.events(Denied); n != flood {
		t.Errorf("%d of %d denials are told of", n, flood)
	}
	if b := w.of(AddressBanned); len(b) != 1 || b[0].Target != "192.0.2.7" {
		t.Errorf("bans: %+v", b)
	}
}

func TestFlood_OfAWeekIsBoundedEachHour(t *testing.T) {
	hours := 0
	w := during(t, Config{PerHour: 20, MaxSubjects: 10}, func(l *Log, _ *written) {
		for i := range 7 * 24 * 60 {
			for k := range 30 {
				l.Denied(denial(fmt.Sprint("client-", (i*7+k)%100)))
				l.CredentialsRefused(time.Now(), netip.AddrFrom4([4]byte{192, 0, 2, byte(i + k)}), "")
			}
			time.Sleep(time.Minute)
			hours = i/60 + 1
		}
	})
	if n := len(w.all()); n > (hours+1)*21 {
		t.Errorf("%d entries in %d hours", n, hours)
	}
	for _, action := range []string{Denied, CredentialsRefused} {
		if n := w.events(action); n != 7*24*60*30 {
			t.Errorf("%d %s are told of", n, action)
		}
	}
}

func TestNote_QuietSubjectsAreForgotten(t *testing.T) {
	during(t, Config{}, func(l *Log, _ *written) {
		for i := range 150 {
			l.Denied(denial(fmt.Sprint("client-", i)))
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.subjects) != 0 || l.perWord[Denied] != 0 {
			t.Errorf("%d subjects are remembered", len(l.subjects))
		}
	})
}

func TestRun_WhatCannotBeWrittenWaits(t *testing.T) {
	w := during(t, Config{}, func(l *Log, w *written) {
		w.full.Store(true)
		l.DiskLevel(time.Now(), "hard_stop", true, 7)
		for range 40 {
			l.Denied(denial("btn-1"))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		w.full.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(w.of(DiskStopped)) != 1 || w.events(Denied) != 40 {
			t.Errorf("%+v", w.all())
		}
	})
	if w.events(Denied) != 40 {
		t.Errorf("%+v", w.all())
	}
}

func TestRun_AStoreThatHasFailedEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		l := New(Config{Write: func(context.Context, []Entry) error { return boom }})
		l.Denied(denial("btn-1"))
		if err := l.Run(t.Context()); !errors.Is(err, boom) {
			t.Error(err)
		}
	})
}

func TestRun_TheEndWritesWhatWasCounted(t *testing.T) {
	w := during(t, Config{}, func(l *Log, _ *written) {
		for range 1000 {
			l.Denied(denial("btn-1"))
		}
	})
	if n := w.events(Denied); n != 1000 {
		t.Errorf("%d of 1000", n)
	}
}

func TestEvents_SayWhatHappenedAndNoMore(t *testing.T) {
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	w := during(t, Config{}, func(l *Log, _ *written) {
		l.CertificateRefused(CertificateRefusal{At: at, Reason: CertificateRevoked, Device: "btn-1", Serial: "0a"})
		l.CertificateRefused(CertificateRefusal{At: at, Reason: CertificateIssuer, Remote: netip.MustParseAddr("2001:db8::7")})
		l.CredentialsRefused(at, netip.MustParseAddr("::ffff:192.0.2.9"), "")
		l.SignInRefused(at, netip.MustParseAddr("fe80::1"), "mila")
		l.ConnectionRefused(at, netip.MustParseAddr("192.0.2.9"), "forbidden", "btn-1")
		l.Denied(Denial{At: at, Client: "a\x1b[2Jb\xff", Topic: strings.Repeat("x", 5000)})
	})
	for _, want := range []struct{ action, target, name, value string }{
		{CertificateRefused, "btn-1", "reason", "revoked"},
		{CertificateRefused, "2001:db8::/64", "reason", "unknown_issuer"},
		{CredentialsRefused, "192.0.2.9", "username", ""},
		{SignInRefused, "fe80::1", "username", "mila"},
		{ConnectionRefused, "192.0.2.9", "reason", "forbidden"},
		{Denied, "a\uFFFD[2Jb\uFFFD", "topic", strings.Repeat("x", maxText)},
	} {
		found := false
		for _, e := range w.of(want.action) {
			if e.Target == want.target {
				found = e.Detail[want.name] == want.value
			}
			if err := (fleet.AuditEntry{Chain: "c", N: 1, Actor: e.Actor, Action: e.Action, Target: e.Target, Detail: e.Detail}).Check(); err != nil {
				t.Error(err)
			}
		}
		if !found {
			t.Errorf("%+v is not in %+v", want, w.of(want.action))
		}
	}
}
