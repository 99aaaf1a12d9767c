package relay_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/internal/relay"
	"github.com/obedio/obedio/console/internal/relay/relaytest"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// end is a relay that runs, and what it hears.
type end struct {
	t testing.TB
	*relay.Relay
	in *feed.Reader[relay.Message]
}

func run(t testing.TB, c relay.Config) *end {
	t.Helper()
	c.RetryWithin = 20 * time.Millisecond
	r, err := relay.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	e := &end{t, r, r.Messages().Subscribe(r.Messages().Head())}
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return e
}

// next is what is heard next.
func (e *end) next() relay.Message {
	e.t.Helper()
	item, err := e.in.Next(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return item.Value
}

func (e *end) hears(want relay.Message) {
	e.t.Helper()
	if d := cmp.Diff(want, e.next()); d != "" {
		e.t.Errorf("heard (-want +got):\n%s", d)
	}
}

var missed = relay.Message{Missed: true}

func TestRelay_OthersHearAndNobodyElse(t *testing.T) {
	s := relaytest.Start(t)
	a, b := run(t, relay.Config{URL: s.URL, Fleet: "one"}), run(t, relay.Config{URL: s.URL, Fleet: "one"})
	other := run(t, relay.Config{URL: s.URL, Fleet: "two"})
	for _, e := range []*end{a, b, other} {
		e.hears(missed) // what was before is not known
	}
	m := relay.Message{Site: "yacht-1", Contact: true, Moved: true, Refs: []fleet.Ref{fleet.DeviceRef("d")}, Hub: "h", Ticket: []byte{1, 2}}
	a.Send(m)
	b.hears(m)
	b.Send(relay.Message{Site: "yacht-1", Order: 7})
	a.hears(relay.Message{Site: "yacht-1", Order: 7}) // and not its own
	other.Send(relay.Message{Site: "yacht-2", Order: 1})
	a.Send(relay.Message{Site: "yacht-1", Order: 8})
	b.hears(relay.Message{Site: "yacht-1", Order: 8})
}

func TestRelay_ALostServerIsAGapThatIsTold(t *testing.T) {
	s := relaytest.Start(t)
	a, b := run(t, relay.Config{URL: s.URL}), run(t, relay.Config{URL: s.URL})
	a.hears(missed)
	b.hears(missed)
	s.Stop()
	for n := range 100 {
		a.Send(relay.Message{Site: "yacht-1", Order: uint64(n + 1)})
	}
	s.Start()
	b.hears(missed)
	for m := (relay.Message{}); m.Order != 1000; m = b.next() {
		a.Send(relay.Message{Site: "yacht-1", Order: 1000}) // until both are back
	}
}

func TestNew_RefusesWhatIsNoAddress(t *testing.T) {
	for _, url := range []string{"", "http://localhost", "redis://user:secret@[host"} {
		if _, err := relay.New(relay.Config{URL: url}); !errors.Is(err, fleet.ErrInvalid) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
