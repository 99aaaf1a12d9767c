package lane_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// hub is a model of the hub's store: what is in it is durable.
type hub struct {
	epoch   fleet.Epoch
	lanes   map[fleet.Lane][][]byte
	hashes  map[fleet.Lane][]lane.Hash
	states  map[fleet.DeviceID]fleet.DeviceState
	version uint64
	saved   lane.Saved
	cursor  uint64
	taken   []uint64 // orders, as they took effect
}

func newHub(epoch fleet.Epoch) *hub {
	h := &hub{
		epoch: epoch, lanes: map[fleet.Lane][][]byte{}, hashes: map[fleet.Lane][]lane.Hash{},
		states: map[fleet.DeviceID]fleet.DeviceState{},
	}
	for _, l := range fleet.LogLanes() {
		h.hashes[l] = []lane.Hash{{}}
	}
	return h
}

func (h *hub) append(t *rapid.T, r fleet.Record) {
	b, err := wire.EncodeRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	l := r.Body.Lane()
	h.lanes[l] = append(h.lanes[l], b)
	h.hashes[l] = append(h.hashes[l], h.hashes[l][len(h.hashes[l])-1].Next(b))
}

func (h *hub) touch(id fleet.DeviceID, battery int) {
	h.version++
	h.states[id] = fleet.DeviceState{ID: id, Presence: fleet.Ready, Battery: &battery, Version: h.version}
}

func (h *hub) Head(l fleet.Lane) (lane.Position, error) {
	n := len(h.lanes[l])
	return lane.Position{Seq: fleet.Seq(n), Hash: h.hashes[l][n]}, nil
}

func (h *hub) HashAt(l fleet.Lane, s fleet.Seq) (lane.Hash, error) { return h.hashes[l][s], nil }

func (h *hub) Read(l fleet.Lane, after fleet.Seq, maxBytes int) (lane.Batch, error) {
	b := lane.Batch{Lane: l, First: after + 1, Prev: h.hashes[l][after]}
	for _, r := range h.lanes[l][after:] {
		if maxBytes -= len(r); maxBytes < 0 && len(b.Records) > 0 {
			break
		}
		b.Records = append(b.Records, r)
	}
	return b, nil
}

func (h *hub) StateHead() uint64 { return h.version }

func (h *hub) States(after uint64, maxBytes int) (lane.StateBatch, error) {
	b := lane.StateBatch{After: after, Upto: h.version}
	for _, s := range slices.SortedFunc(maps.Values(h.states), func(a, b fleet.DeviceState) int {
		return int(a.Version) - int(b.Version)
	}) {
		if s.Version <= after {
			continue
		}
		if len(b.States) > 0 && len(b.States)*64 > maxBytes {
			break
		}
		b.States = append(b.States, s)
		b.Upto = s.Version
	}
	return b, nil
}

// console is a model of the console: Memory is durable, the ticket is not.
type console struct {
	held   *fleettest.Memory
	ticket string
	next   int
	orders []fleet.Order
}

// begin, end: a transaction is a copy that replaces the original.
func (c *console) hello(h lane.Hello) (lane.Welcome, error) {
	tx := c.held.Clone()
	w, err := lane.Greet(tx, h)
	if err != nil {
		return w, err
	}
	c.held = tx
	c.next++
	c.ticket = fmt.Sprint("ticket-", c.next)
	w.Ticket, w.ConsoleID = []byte(c.ticket), "console"
	return w, nil
}

func (c *console) push(p lane.Push) (lane.Receipt, []fleet.Order, error) {
	if c.ticket == "" || string(p.Ticket) != c.ticket {
		return lane.Receipt{}, nil, lane.ErrTicket
	}
	tx := c.held.Clone()
	a, err := lane.Receive(tx, p)
	if err != nil {
		return lane.Receipt{}, nil, err
	}
	c.held = tx
	return a.Receipt, c.orders[min(int(p.OrderCursor), len(c.orders)):], nil
}

// The central property: whatever is lost, repeated, delayed or cut off, and
// wherever either end crashes, what the console holds is a prefix of what the
// hub has, nothing takes effect twice, and when the link works both folds are
// equal.
func TestSync_ConvergesWhateverTheLinkAndTheCrashesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		story := fleettest.NewStory(rapid.Uint64().Draw(t, "story"))
		h := newHub("epoch-1")
		c := &console{held: fleettest.NewMemory()}
		s := lane.NewSender(h.epoch, "boot", h.saved)
		var stray []lane.Push // sent long ago, and still under way
		snapshot := c.held    // an old backup of the console

		save := func() {
			h.saved = s.Saved()
			h.saved.Acked = maps.Clone(h.saved.Acked)
		}
		take := func(orders []fleet.Order) {
			for _, o := range lane.Due(h.cursor, orders) {
				h.taken, h.cursor = append(h.taken, o.Number), o.Number // one transaction
			}
		}
		restart := func() {
			saved := h.saved
			saved.Acked = maps.Clone(saved.Acked)
			s = lane.NewSender(h.epoch, "boot", saved)
		}
		// sync makes one call; lost tells which way gets lost.
		sync := func(lost string) {
			if !s.Ready() {
				hello, err := s.Hello(h, h.cursor)
				if err != nil {
					t.Fatalf("hello: %v", err)
				}
				if lost == "request" {
					return
				}
				w, err := c.hello(hello)
				if err != nil {
					t.Fatalf("greet: %v", err)
				}
				if lost == "answer" {
					return
				}
				if err := s.OnHello(h, w); err != nil {
					t.Fatalf("on hello: %v", err)
				}
				if lost != "crash" {
					save()
				}
				return
			}
			p, more, err := s.Push(h, rapid.IntRange(1, 600).Draw(t, "chunk"), rapid.Bool().Draw(t, "state"), h.cursor)
			if err != nil {
				t.Fatalf("push: %v", err)
			}
			if !more && len(c.orders) == int(h.cursor) {
				if string(p.Ticket) != c.ticket {
					s.Close() // as a pull is told, which waits at the console all the time
				}
				return
			}
			stray = append(stray, p)
			if lost == "request" {
				return
			}
			r, orders, err := c.push(p)
			if errors.Is(err, lane.ErrTicket) {
				s.Close()
				return
			}
			if err != nil {
				t.Fatalf("receive: %v", err)
			}
			if lost == "answer" {
				return
			}
			if _, err := s.OnPush(h, r); err != nil {
				t.Fatalf("on push: %v", err)
			}
			take(orders)
			if lost == "crash" {
				restart()
				return
			}
			save()
		}

		check := func(t *rapid.T) {
			for _, l := range fleet.LogLanes() {
				got, want := c.held.Records(l), h.lanes[l]
				if len(got) > len(want) {
					t.Fatalf("lane %s: console holds %d records, hub has %d", l, len(got), len(want))
				}
				for i := range got {
					if string(got[i]) != string(want[i]) {
						t.Fatalf("lane %s: record %d differs", l, i+1)
					}
				}
			}
			for i, n := range h.taken {
				if n != uint64(i+1) {
					t.Fatalf("orders took effect as %v", h.taken)
				}
			}
		}

		t.Repeat(map[string]func(*rapid.T){
			"":       check,
			"append": func(t *rapid.T) { h.append(t, story.Next()) },
			"touch": func(t *rapid.T) {
				h.touch(fleet.DeviceID(fmt.Sprint("d", rapid.IntRange(1, 5).Draw(t, "device"))), rapid.IntRange(0, 100).Draw(t, "battery"))
			},
			"order": func(t *rapid.T) {
				c.orders = append(c.orders, fleet.Order{Number: uint64(len(c.orders) + 1)})
			},
			"sync":         func(t *rapid.T) { sync("") },
			"lose request": func(t *rapid.T) { sync("request") },
			"lose answer":  func(t *rapid.T) { sync("answer") },
			"crash of the hub before it saves": func(t *rapid.T) {
				sync("crash")
				restart()
			},
			"crash of the hub":     func(t *rapid.T) { restart() },
			"crash of the console": func(t *rapid.T) { c.ticket = "" },
			"stray request arrives": func(t *rapid.T) {
				if len(stray) > 0 {
					// Duplicate and out of order; its answer goes nowhere.
					_, _, _ = c.push(stray[rapid.IntRange(0, len(stray)-1).Draw(t, "which")])
				}
			},
			"stray request of the open session arrives": func(t *rapid.T) {
				if len(stray) > 0 {
					p := stray[rapid.IntRange(0, len(stray)-1).Draw(t, "which")]
					p.Ticket = []byte(c.ticket)
					if _, _, err := c.push(p); err != nil && !errors.Is(err, lane.ErrTicket) {
						t.Fatalf("stray: %v", err)
					}
				}
			},
			"backup of the console": func(t *rapid.T) { snapshot = c.held.Clone() },
			"restore of the console": func(t *rapid.T) {
				c.held, c.ticket = snapshot.Clone(), ""
			},
		})

		// The link is back and nothing new happens: both ends become equal.
		for range 20_000 {
			sync("")
			if s.Ready() && s.Saved().Acked[fleet.LaneState] == h.version && int(h.cursor) == len(c.orders) && inSync(h, c) {
				break
			}
		}
		check(t)
		if !inSync(h, c) {
			t.Fatalf("not in sync: acked %v", s.Saved().Acked)
		}
		if got, want := c.held.Digest(), story.State().Digest(); got != want {
			t.Fatalf("console's fold %s, hub's %s", got, want)
		}
		if d := cmp.Diff(h.states, c.held.States()); d != "" {
			t.Fatalf("states differ (-hub +console):\n%s", d)
		}
	})
}

func inSync(h *hub, c *console) bool {
	for _, l := range fleet.LogLanes() {
		if len(c.held.Records(l)) != len(h.lanes[l]) {
			return false
		}
	}
	return len(h.states) == len(c.held.States())
}

func TestReceive_PoisonedRecordIsSetAsideAndItsLaneGoesOn(t *testing.T) {
	held := fleettest.NewMemory()
	if _, err := lane.Greet(held, lane.Hello{Epoch: "e"}); err != nil {
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
	if _, err := lane.Greet(held, lane.Hello{Epoch: "e"}); err != nil {
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
		w, err := lane.Greet(held, hello)
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
