package device

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func made(boot string, seq uint64) *pending {
	return &pending{Press: Press{BootID: boot, Sequence: seq}, Payload: []byte("x"), Sent: true}
}

func sequences(all []*pending) []uint64 {
	var s []uint64
	for _, p := range all {
		s = append(s, p.Sequence)
	}
	return s
}

func TestOutbox_KeepsAPressUntilItsReceipt(t *testing.T) {
	o := outbox{size: 3}
	for seq := range uint64(3) {
		if !o.add(made("b1", seq+1)) {
			t.Fatalf("no room for press %d", seq+1)
		}
	}
	if o.add(made("b1", 4)) {
		t.Fatal("took more than it has room for")
	}
	if p := o.received(key{"b1", 2}); p == nil || p.Sequence != 2 {
		t.Fatalf("receipt for 2 gave %v", p)
	}
	if o.received(key{"b1", 2}) != nil || o.received(key{"b2", 1}) != nil {
		t.Fatal("a receipt for what is not there took something out")
	}
	if diff := cmp.Diff([]uint64{1, 3}, sequences(o.pending)); diff != "" {
		t.Fatal(diff)
	}
}

func TestOutbox_AReceiptIsNeverForAPressThatWasNotSent(t *testing.T) {
	o := outbox{size: 3}
	unsent := made("", 1)
	unsent.Sent = false
	o.add(unsent)
	if o.received(key{"", 1}) != nil {
		t.Fatal("a receipt of an earlier press with this number took the new one")
	}
}

func TestOutbox_WaitsTwiceAsLongAfterEachTry(t *testing.T) {
	p, now := made("b", 1), 10*time.Second
	var waits []time.Duration
	for range 5 {
		p.sent(now, 10*time.Second, time.Minute)
		waits = append(waits, p.next-now)
	}
	want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Fatal(diff)
	}
}

func TestOutbox_AfterAReconnectEverythingIsDueInItsOrder(t *testing.T) {
	o := outbox{size: 9}
	for seq := range uint64(3) {
		p := made("b", seq+1)
		p.sent(0, time.Minute, time.Hour)
		o.add(p)
	}
	if due, next, waiting := o.due(0); len(due) != 0 || !waiting || next != time.Minute {
		t.Fatalf("due %v, next %s, waiting %t", due, next, waiting)
	}
	o.reconnected()
	due, _, _ := o.due(0)
	if diff := cmp.Diff([]uint64{1, 2, 3}, sequences(due)); diff != "" {
		t.Fatal(diff)
	}
}

// Whatever receipts come, each press leaves the outbox once, and only by a
// receipt with its name.
func TestOutbox_LosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := outbox{size: 64}
		in := map[key]int{}
		for range rapid.IntRange(0, 30).Draw(t, "presses") {
			p := made(rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "boot"), rapid.Uint64Range(1, 4).Draw(t, "seq"))
			in[p.key()]++
			o.add(p)
		}
		for range rapid.IntRange(0, 40).Draw(t, "receipts") {
			k := key{rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "boot"), rapid.Uint64Range(1, 5).Draw(t, "seq")}
			p := o.received(k)
			if (p != nil) != (in[k] > 0) {
				t.Fatalf("receipt %v took %v, %d were there", k, p, in[k])
			}
			if p != nil {
				in[k]--
			}
		}
		left := 0
		for _, n := range in {
			left += n
		}
		if left != len(o.pending) {
			t.Fatalf("%d left, want %d", len(o.pending), left)
		}
	})
}

func TestSaved_SurvivesAFile(t *testing.T) {
	s := Saved{Boots: 3, Sequence: 9, Battery: 41.5, Outbox: []pending{*made("b", 9)}, Settings: []byte(`{"heartbeat_s":5}`)}
	s.Commands = []remembered{{ID: "c", Name: "reset", Boot: 3, Answer: Answer{State: "acknowledged"}}}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Saved
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s, back, cmp.AllowUnexported(pending{})); diff != "" {
		t.Fatal(diff)
	}
}
