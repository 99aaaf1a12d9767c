package e2e

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/link"
)

// between puts a link between a hub and a console, which can be all that a link
// is at sea.
func between(t *testing.T, to string) (l *link.Link, address string) {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err = link.New(link.Config{Listener: on, Seed: 1, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", to)
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

func become(t *testing.T, l *link.Link, profile string) {
	t.Helper()
	p, err := link.ParseProfile(profile)
	if err == nil {
		err = l.Set(p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// F11: whatever the link does, presses are stored and receipted at once on board,
// the hub does not go wild, and both folds are equal when it is back; on a bad link
// that carries, before.
func TestF11_WhateverTheLinkDoesTheHubWorksAndBothSidesMeetAgain(t *testing.T) {
	t.Parallel()
	f := &fleet{}
	f.console, f.shore, f.shoreData = startConsole(t)
	l, address := between(t, f.console.Listeners["hublink"])
	f.hub, f.board, f.boardData = startHub(t, "--uplink-call-timeout", "6s", "--uplink-pull-wait", "2s")
	f.enrolAt(t, "https://"+address)
	b := dial(t, f.hub.Listeners["mqtt"], f.board.addDevice("btn-001", "button", "cabin-101"))
	f.inSync(t)
	seq := 0
	presses := func() {
		t.Helper()
		for range 10 {
			seq++
			if !b.send("press", press(seq)) {
				t.Fatalf("press %d not acknowledged while the link is %s", seq, l.Profile().Name)
			}
		}
		waitFor(t, 20*time.Second, "the receipts", func() bool { return len(b.received("receipt")) >= seq })
	}
	for _, profile := range []string{"cut", "half-open", "captive-portal", "portal-redirect", "bad-gateway", "garbage"} {
		before := l.Counters()
		become(t, l, profile)
		presses()
		f.linkIs(t, "offline")
		tried := l.Counters()
		become(t, l, "lan")
		f.inSync(t)
		if n := tried.Total() - before.Total(); n > 256<<10 || tried.Connections-before.Connections > 100 {
			t.Errorf("%s: %d connections and %d bytes for nothing", profile, tried.Connections-before.Connections, n)
		}
	}
	for _, profile := range []string{"lan,rtt=600ms,loss=5%,rate=1M", "flaky"} {
		become(t, l, profile)
		presses()
		f.inSync(t)
	}
	for range 8 { // it flaps
		become(t, l, "lan")
		presses()
		become(t, l, "cut")
	}
	become(t, l, "lan")
	f.inSync(t)
	stored := 0
	for _, r := range list[requestView](f.shore, "/api/v1/sites/yacht-1/requests") {
		stored += r.Presses
	}
	if stored != seq {
		t.Errorf("the console counts %d presses of %d", stored, seq)
	}
	t.Logf("%d presses; %+v", seq, l.Counters())
}
