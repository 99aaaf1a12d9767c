package lane_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

func TestReceive_PoisonedRecordIsSetAsideAndItsLaneGoesOn(t *testing.T) {
	held := fleettest.NewMemory()
	if _, err := lane.Greet(held, lane.Hello{Epoch: "e"}, lane.Given{}); err != nil {
		t.Fatal(err)
	}
	story := fleettest.NewStory(1)
	var good [][]byte
	for len(good) < 3 {
		r := story.Next()
		if r.Body.Lane() != fleet.LaneRegistry {
			continue
		}
		b, err := wire.EncodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		good = append(good, b)
	}
	orphan, err := wire.EncodeRecord(fleet.Record{Actor: fleet.System("x"), Body: fleet.RoomChanged{}})
	if err != nil {
		t.Fatal(err)
	}
	b := lane.Batch{Lane: fleet.LaneRegistry, First: 1, Records: [][]byte{good[0], []byte("\xff not a record"), orphan, good[1], good[2]}}
	a, err := lane.Receive(held, lane.Push{Batches: []lane.Batch{b}})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Receipt.Durable[fleet.LaneRegistry].Seq; got != 5 {
		t.Errorf("durable at %d, want 5", got)
	}
	var seqs []fleet.Seq
	for _, r := range held.DeadLetters() {
		seqs = append(seqs, r.Seq)
	}
	if d := cmp.Diff([]fleet.Seq{2, 3}, seqs); d != "" {
		t.Errorf("dead letters (-want +got):\n%s", d)
	}
	if len(a.Changes) != 3 {
		t.Errorf("%d changes, want 3", len(a.Changes))
	}
}

func TestReceive_UnknownKindIsKeptAndHasNoEffect(t *testing.T) {
	held := fleettest.NewMemory()
	if _, err := lane.Greet(held, lane.Hello{Epoch: "e"}, lane.Given{}); err != nil {
		t.Fatal(err)
	}
	future := []byte{0xfa, 0x7f, 0x01, 'x'} // field 2047, one byte
	a, err := lane.Receive(held, lane.Push{Batches: []lane.Batch{{Lane: fleet.LaneCommands, First: 1, Records: [][]byte{future}}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(held.DeadLetters()) != 0 || len(a.Records) != 1 || a.Records[0].Body.Kind() != fleet.KindUnknown {
		t.Errorf("dead letters %v, records %v", held.DeadLetters(), a.Records)
	}
	if d := cmp.Diff([][]byte{future}, held.Records(fleet.LaneCommands)); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
}

func TestGreet_RestoredHubIsFoundAtFirstContact(t *testing.T) {
	h := newHub("e")
	held := fleettest.NewMemory()
	var push []byte
	story := fleettest.NewStory(2)
	for range 20 {
		b, err := wire.EncodeRecord(story.Next())
		if err != nil {
			t.Fatal(err)
		}
		push = b
		l := fleet.LaneRegistry
		h.lanes[l] = append(h.lanes[l], push)
		h.hashes[l] = append(h.hashes[l], h.hashes[l][len(h.hashes[l])-1].Next(push))
	}
	s := lane.NewSender(h.epoch, "boot", lane.Saved{})
	greet := func() lane.Welcome {
		hello, err := s.Hello(h, 0)
		if err != nil {
			t.Fatal(err)
		}
		w, err := lane.Greet(held, hello, lane.Given{})
		if err != nil {
			t.Fatal(err)
		}
		w.Ticket = []byte("t")
		return w
	}
	if err := s.OnHello(h, greet()); err != nil {
		t.Fatal(err)
	}
	p, _, err := s.Push(h, 1<<20, true, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lane.Receive(held, p); err != nil {
		t.Fatal(err)
	}

	// The same hub from an older image: half of its records are gone.
	old := newHub("e")
	l := fleet.LaneRegistry
	old.lanes[l], old.hashes[l] = h.lanes[l][:10], h.hashes[l][:11]
	h, s = old, lane.NewSender("e", "boot-2", lane.Saved{})
	if err := s.OnHello(h, greet()); !errors.Is(err, lane.ErrBehind) {
		t.Errorf("hub that is behind: %v", err)
	}

	// And one that has gone on by itself after the restore.
	for len(h.lanes[l]) < 30 {
		b := []byte(fmt.Sprint("other ", len(h.lanes[l])))
		h.lanes[l] = append(h.lanes[l][:len(h.lanes[l]):len(h.lanes[l])], b)
		h.hashes[l] = append(h.hashes[l][:len(h.hashes[l]):len(h.hashes[l])], h.hashes[l][len(h.hashes[l])-1].Next(b))
	}
	s = lane.NewSender("e", "boot-3", lane.Saved{})
	if err := s.OnHello(h, greet()); !errors.Is(err, lane.ErrDiverged) {
		t.Errorf("hub that has diverged: %v", err)
	}
}
