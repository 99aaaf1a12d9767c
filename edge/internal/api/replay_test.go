package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

type fixedClock struct{}

func (fixedClock) Now() (time.Time, bool) { return time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), true }

// presses is a record of one press a minute before now.
type presses []string

func (p presses) Replay(_ context.Context, from, to time.Time, fn func(time.Time, bool, string, string, byte, bool) bool) error {
	now, _ := fixedClock{}.Now()
	for i, client := range p {
		at := now.Add(-time.Duration(len(p)-i) * time.Minute)
		if !at.Before(from) && at.Before(to) && !fn(at, true, client, "obedio/yacht-1/deck-3/button/"+client+"/press", 1, false) {
			return nil
		}
	}
	return nil
}

func TestReplayACL_SaysWhatADraftWouldHaveChanged(t *testing.T) {
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j := journal.New(journal.Config{Store: s, Clock: fixedClock{}})
	policies, err := policy.New(policy.Config{Site: "yacht-1", Store: s, Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	devices, err := registry.New(registry.Config{Site: "yacht-1", Store: s, Journal: j, Profiles: policies})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []fleet.DeviceID{"btn-1", "btn-2"} {
		d := fleet.Device{ID: id, Type: fleet.Button, Room: "deck-3"}
		if _, _, err := devices.Add(t.Context(), fleet.System("test"), d, registry.Password{}); err != nil {
			t.Fatal(err)
		}
	}
	denials := denial.New(denial.Config{})
	now, _ := fixedClock{}.Now()
	for range 3 {
		denials.Note(denial.Event{At: now, Kind: denial.Denied, Client: "btn-1", Action: "publish_send", Topic: "lab/x", Reason: "default: deny"})
	}
	a := &API{Config: Config{
		Identity: store.Identity{Site: "yacht-1"}, Clock: fixedClock{}, Store: s, Registry: devices, Policies: policies, Denials: denials,
		Recorded: presses{"btn-1", "btn-2", "btn-1", "stranger"},
	}}
	in := &replayInput{}
	in.Body.Draft.ACL = &NamedACL{ACLBody: ACLBody{DeviceID: "btn-1", Permissions: &permissionsBody{Publish: []string{"lab/#"}}}}
	out, err := a.replayACL(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	b := out.Body
	if b.Examined != 4 || b.Unknown != 1 || b.Otherwise != 2 || b.Denied != 2 || b.Allowed != 0 || b.Lifted != 3 || b.Truncated {
		t.Errorf("%+v", b)
	}
	if len(b.Clients) != 1 || b.Clients[0].Client != "btn-1" || len(b.Streams) != 1 || b.Streams[0].Messages != 2 ||
		b.Streams[0].Direction != "in" || !b.Streams[0].Now.Allowed || b.Streams[0].Draft.Rule != "default: deny" {
		t.Errorf("%+v %+v", b.Clients, b.Streams)
	}
	if _, err := policies.List("btn-1"); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("the draft was saved: %v", err)
	}
	late := now.Add(-90 * time.Second)
	in.Body.From, in.Body.To = &late, &now
	if out, err := a.replayACL(t.Context(), in); err != nil || out.Body.Examined != 1 {
		t.Errorf("the last minute and a half: %+v %v", out, err)
	}
	in.Body.From = &now
	if _, err := a.replayACL(t.Context(), in); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("no time at all: %v", err)
	}
	in.Body.Draft = draftBody{}
	if _, err := a.replayACL(t.Context(), in); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("no draft: %v", err)
	}
}
