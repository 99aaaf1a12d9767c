package storetest

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// holder drives a site's Holder and fleettest.Memory with the same pushes, cut
// and repeated at random, and compares all that can be read.
func holder(t *testing.T, stories int, open func(t *testing.T) store.Store) {
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	must(t, checks.Value.Set(strconv.Itoa(stories)))
	defer func() { must(t, checks.Value.Set(before)) }()
	s := open(t)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		site := fleet.SiteID(fmt.Sprint("site-", n))
		if err := s.AddSite(t.Context(), fleet.System("test"), store.Site{ID: site, CreatedAt: At}, 100_000); err != nil {
			r.Fatal(err)
		}
		h := &held{t: r, store: s, site: site, memory: fleettest.NewMemory(), story: fleettest.NewStory(rapid.Uint64().Draw(r, "seed"))}
		h.blank()
		h.greet("epoch-1")
		r.Repeat(map[string]func(*rapid.T){
			"push": func(r *rapid.T) { h.push(h.grow(rapid.IntRange(1, 30).Draw(r, "records"))) },
			"push again": func(r *rapid.T) {
				if h.last != nil {
					h.push(*h.last)
				}
			},
			"push what comes too early": func(r *rapid.T) {
				p := h.grow(3)
				for i := range p.Batches {
					p.Batches[i].First += 5
				}
				h.forget()
				h.push(p)
			},
			"states":  func(r *rapid.T) { h.push(h.states(r)) },
			"traffic": func(r *rapid.T) { h.push(h.traffic(r)) },
			"new session": func(*rapid.T) {
				h.greet(fleet.Epoch(fmt.Sprint("epoch-", h.epoch+1)))
			},
			"broken record": func(r *rapid.T) {
				h.append(fleet.LaneRegistry, []byte("no record"))
				h.push(h.due())
			},
			"new epoch": func(r *rapid.T) {
				h.blank()
				h.epoch++
				h.greet(fleet.Epoch(fmt.Sprint("epoch-", h.epoch+1)))
			},
			"restored hub":                    h.restore,
			"hub that has dropped its oldest": h.drop,
			"look":                            func(*rapid.T) { h.compare() },
		})
		h.compare()
	})
}

// held is one site held twice.
type held struct {
	t       *rapid.T
	store   store.Store
	site    fleet.SiteID
	memory  *fleettest.Memory
	story   *fleettest.Story
	lanes   map[fleet.Lane][][]byte
	hashes  map[fleet.Lane][]lane.Hash
	version uint64
	last    *lane.Push
	epoch   int
}

func (h *held) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *held) both(fn func(lane.Holder) error) {
	h.must(fn(h.memory))
	h.must(h.store.UpdateSite(h.t.Context(), h.site, func(tx store.SiteTx) error { return fn(tx) }))
}

func (h *held) greet(e fleet.Epoch) {
	h.hello(lane.Hello{Epoch: e, Lanes: map[fleet.Lane]lane.HelloLane{}})
}

func (h *held) hello(hello lane.Hello) {
	hello.BootID = fmt.Sprint("boot-", h.epoch)
	var got []lane.Welcome
	h.both(func(x lane.Holder) error {
		w, err := lane.Greet(x, hello, lane.Given{Offered: uint64(h.epoch)})
		got = append(got, w)
		return err
	})
	if d := cmp.Diff(got[0], got[1]); d != "" {
		h.t.Fatalf("welcomes differ:\n%s", d)
	}
}

// restore cuts the lanes, and begins an epoch that goes on from there.
func (h *held) restore(r *rapid.T) {
	hello := lane.Hello{Former: fleet.Epoch(fmt.Sprint("epoch-", h.epoch+1)), Lanes: map[fleet.Lane]lane.HelloLane{}}
	for _, l := range fleet.LogLanes() {
		p, err := h.memory.Position(l)
		h.must(err)
		at := rapid.IntRange(0, min(int(p.Seq), len(h.lanes[l]))).Draw(r, "cut")
		h.lanes[l], h.hashes[l] = h.lanes[l][:at:at], h.hashes[l][:at+1:at+1]
		hello.Lanes[l] = lane.HelloLane{Head: fleet.Seq(at), Acked: fleet.Seq(at), AckedHash: h.hashes[l][at]}
	}
	h.version, h.last = 0, nil
	h.epoch++
	hello.Epoch = fleet.Epoch(fmt.Sprint("epoch-", h.epoch+1))
	h.hello(hello)
}

// drop greets as a hub that cannot send its oldest records any more.
func (h *held) drop(r *rapid.T) {
	e, err := h.memory.Epoch()
	h.must(err)
	hello := lane.Hello{Epoch: e, StateHead: h.version, Lanes: map[fleet.Lane]lane.HelloLane{}}
	for l, records := range h.lanes {
		base := rapid.IntRange(0, len(records)).Draw(r, "base")
		hello.Lanes[l] = lane.HelloLane{
			Head: fleet.Seq(len(records)), Base: lane.Position{Seq: fleet.Seq(base), Hash: h.hashes[l][base]},
		}
	}
	h.hello(hello)
}

// blank is a hub with nothing in it.
func (h *held) blank() {
	h.version, h.last = 0, nil
	h.lanes, h.hashes = map[fleet.Lane][][]byte{}, map[fleet.Lane][]lane.Hash{}
	for _, l := range fleet.LogLanes() {
		h.hashes[l] = []lane.Hash{{}}
	}
}

func (h *held) append(l fleet.Lane, b []byte) {
	h.lanes[l] = append(h.lanes[l], b)
	h.hashes[l] = append(h.hashes[l], h.hashes[l][len(h.hashes[l])-1].Next(b))
}

// grow adds records of the story to the lanes, and returns what is due.
func (h *held) grow(n int) lane.Push {
	for range n {
		r := h.story.Next()
		b, err := wire.EncodeRecord(r)
		h.must(err)
		h.append(r.Body.Lane(), b)
	}
	return h.due()
}

// forget takes back what the holders have not taken.
func (h *held) forget() {
	for l := range h.lanes {
		p, err := h.memory.Position(l)
		h.must(err)
		h.lanes[l], h.hashes[l] = h.lanes[l][:p.Seq:p.Seq], h.hashes[l][:p.Seq+1:p.Seq+1]
	}
}

func (h *held) due() lane.Push {
	var p lane.Push
	for _, l := range fleet.LogLanes() {
		at, err := h.memory.Position(l)
		h.must(err)
		if from := int(at.Seq); from < len(h.lanes[l]) {
			p.Batches = append(p.Batches, lane.Batch{Lane: l, First: at.Seq + 1, Prev: h.hashes[l][from], Records: h.lanes[l][from:]})
		}
	}
	return p
}

func (h *held) states(r *rapid.T) lane.Push {
	b := lane.StateBatch{After: h.version, AsOfMS: At.UnixMilli()}
	for range rapid.IntRange(1, 5).Draw(r, "states") {
		h.version++
		b.States = append(b.States, fleet.DeviceState{
			ID:       fleet.DeviceID(rapid.SampledFrom([]string{"button-001", "watch-002", "sensor-003", "nobody"}).Draw(r, "device")),
			Presence: rapid.SampledFrom(fleet.Presences()).Draw(r, "presence"), Since: At, Version: h.version,
		})
	}
	b.Upto = h.version
	return lane.Push{State: &b}
}

func (h *held) push(p lane.Push) {
	h.last = &p
	var got []lane.Receipt
	h.both(func(x lane.Holder) error {
		a, err := lane.Receive(x, p)
		got = append(got, a.Receipt)
		if errors.Is(err, lane.ErrDiverged) { // records of before a new epoch
			return nil
		}
		return err
	})
	if d := cmp.Diff(got[0], got[1]); d != "" {
		h.t.Fatalf("receipts differ:\n%s", d)
	}
}

func (h *held) compare() {
	h.must(h.store.ViewSite(h.t.Context(), h.site, func(v store.SiteView) error {
		d, err := v.Digest()
		h.must(err)
		if w := h.memory.SyncDigest(); d != w {
			h.t.Fatalf("digest is %s, want %s", d, w)
		}
		counts, err := v.Counts()
		h.must(err)
		again, err := v.Recount()
		h.must(err)
		if len(counts.Devices) == 0 {
			counts.Devices = again.Devices // nil or empty
		}
		if d := cmp.Diff(again, counts); d != "" {
			h.t.Fatalf("counts are not what is there (-there +counted):\n%s", d)
		}
		if n := len(h.memory.DeadLetters()); counts.DeadLetters != n {
			h.t.Fatalf("%d dead letters, want %d", counts.DeadLetters, n)
		}
		states := map[fleet.DeviceID]fleet.DeviceState{}
		for id := range h.memory.States() {
			row, found, err := v.State(id)
			h.must(err)
			if found {
				states[id] = row.DeviceState
			}
		}
		if d := cmp.Diff(h.memory.States(), states); d != "" {
			h.t.Fatalf("states differ:\n%s", d)
		}
		h.compareTraffic(v)
		e, err := v.Epoch()
		h.must(err)
		if w, _ := h.memory.Epoch(); e != w {
			h.t.Fatalf("epoch is %s, want %s", e, w)
		}
		seen, err := v.Seen()
		h.must(err)
		wanted, _ := h.memory.Seen()
		if d := cmp.Diff(wanted, seen); d != "" {
			h.t.Fatalf("who speaks is not known the same:\n%s", d)
		}
		var gaps []lane.Gap
		h.must(v.Gaps(func(g lane.Gap) bool {
			gaps = append(gaps, g)
			return true
		}))
		less := func(a, b lane.Gap) bool { return fmt.Sprint(a) < fmt.Sprint(b) }
		if d := cmp.Diff(h.memory.Gaps(), gaps, cmpopts.SortSlices(less), cmpopts.EquateEmpty()); d != "" {
			h.t.Fatalf("gaps differ:\n%s", d)
		}
		h.compareRecords(v)
		back, err := lane.Recall(v, "", 1<<20)
		h.must(err)
		wantBack, err := lane.Recall(h.memory, "", 1<<20)
		h.must(err)
		if d := cmp.Diff(wantBack, back); d != "" {
			h.t.Fatalf("what is given back differs:\n%s", d)
		}
		return nil
	}))
}

func (h *held) compareRecords(v store.SiteView) {
	for n := range h.epoch + 1 {
		e := fleet.Epoch(fmt.Sprint("epoch-", n+1))
		life, known, err := v.Life(e)
		h.must(err)
		wantLife, wantKnown, _ := h.memory.Life(e)
		if d := cmp.Diff(wantLife, life, cmpopts.EquateEmpty()); d != "" || known != wantKnown {
			h.t.Fatalf("%s: known=%t, want %t:\n%s", e, known, wantKnown, d)
		}
		for _, l := range fleet.LogLanes() {
			var got, want []string
			h.must(v.RecordsOf(e, l, 1, func(seq fleet.Seq, b []byte) bool {
				sum, found, err := v.(lane.Holder).HashOf(e, l, seq)
				if err != nil || !found {
					h.t.Fatalf("record %d of lane %s has no hash: %v", seq, l, err)
				}
				got = append(got, fmt.Sprintf("%d %x %q", seq, sum, b))
				return true
			}))
			h.must(h.memory.RecordsOf(e, l, 1, func(seq fleet.Seq, b []byte) bool {
				sum, _, _ := h.memory.HashOf(e, l, seq)
				want = append(want, fmt.Sprintf("%d %x %q", seq, sum, b))
				return true
			}))
			if d := cmp.Diff(want, got); d != "" {
				h.t.Fatalf("records of lane %s of %s differ:\n%s", l, e, d)
			}
		}
	}
}
