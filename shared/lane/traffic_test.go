package lane_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// record is a model of a hub's record of traffic: the version of each hour
// that is over, and which of them the console has not acknowledged.
type record struct {
	hours   map[time.Time]uint32
	pending map[time.Time]bool
}

func newRecord() *record {
	return &record{hours: map[time.Time]uint32{}, pending: map[time.Time]bool{}}
}

func (r *record) clone() *record { return &record{maps.Clone(r.hours), maps.Clone(r.pending)} }

func (r *record) PendingHours(_ context.Context, most int) ([]fleet.TrafficRef, error) {
	var out []fleet.TrafficRef
	for _, at := range slices.SortedFunc(maps.Keys(r.pending), func(a, b time.Time) int { return b.Compare(a) }) {
		if len(out) < most {
			out = append(out, fleet.TrafficRef{Start: at, Version: r.hours[at]})
		}
	}
	return out, nil
}

func (r *record) Hour(_ context.Context, start time.Time) (fleet.TrafficHour, error) {
	v, found := r.hours[start]
	if !found {
		return fleet.TrafficHour{}, fleet.ErrNotFound
	}
	return hourOf(start, v), nil
}

func (r *record) close(start time.Time, version uint32) {
	if r.hours[start] != version {
		r.hours[start], r.pending[start] = version, true
	}
}

func (r *record) ack(refs []fleet.TrafficRef) {
	for _, v := range refs {
		if r.hours[v.Start] == v.Version {
			delete(r.pending, v.Start)
		}
	}
}

func (r *record) pendAll() {
	for at := range r.hours {
		r.pending[at] = true
	}
}

// hourOf is the content of an hour: its version says it all.
func hourOf(start time.Time, version uint32) fleet.TrafficHour {
	h := fleet.TrafficHour{TrafficRef: fleet.TrafficRef{Start: start, Version: version}}
	for i := range 1 + version%7 {
		n := uint64(start.Unix()) + uint64(version)*100 + uint64(i)
		h.Rows = append(h.Rows, fleet.TrafficRow{
			Device: fmt.Sprint("device-", i), Type: fleet.Button, Room: "cabin-1",
			Counts: fleet.TrafficCounts{MessagesIn: n, BytesIn: 9 * n, Dropped: uint64(i)},
			Fields: []fleet.TrafficField{{Name: "battery", Count: n, Min: 1, Max: float64(n), Last: 2}},
		})
	}
	return h
}

// Lane 4's property: whatever the link loses, repeats or cuts, and wherever
// either end is killed or restored, an hour ashore is one that the hub had,
// whole; when the link works the hub's hours are there in their newest version.
func TestTraffic_HoursBecomeEqualWhateverTheLinkAndTheCrashesDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, c, r := newHub("epoch-0"), newConsole(), newRecord()
		s, up := lane.NewSender(h.epoch, "boot", h.saved), &lane.TrafficSender{}
		backup, epochs := c.held, 0
		image := newRecord()
		var strays []*pb.PushRequest

		restart := func() {
			saved := h.saved
			saved.Acked = maps.Clone(saved.Acked)
			s, up = lane.NewSender(h.epoch, "boot", saved), &lane.TrafficSender{}
		}
		save := func() {
			h.saved = s.Saved()
			h.saved.Acked = maps.Clone(h.saved.Acked)
		}
		hello := func(lost string) {
			v, err := s.Hello(h, 0)
			if err != nil {
				t.Fatalf("hello: %v", err)
			}
			if lost == "request" {
				return
			}
			w, err := c.hello(v, "")
			if err != nil || w.Verdict != lane.VerdictOK {
				t.Fatalf("greet: %s, %v", w.Verdict, err)
			}
			if lost == "answer" {
				return
			}
			if s.Rewound(w) {
				r.pendAll() // durable before the console is remembered
			}
			if lost == "crash" {
				restart()
				return
			}
			if err := s.OnHello(h, w); err != nil {
				t.Fatalf("on hello: %v", err)
			}
			up.Open()
			save()
		}
		sync := func(lost string) {
			if !s.Ready() {
				hello(lost)
				return
			}
			up.Begin()
			parts, err := up.Next(t.Context(), r, rapid.IntRange(1, 400).Draw(t, "chunk"), rapid.IntRange(1, 1000).Draw(t, "at once"))
			if err != nil {
				t.Fatalf("next: %v", err)
			}
			if len(parts) == 0 {
				return
			}
			m := lane.EncodePush(lane.Push{Ticket: s.Ticket(), Traffic: parts, Columns: rapid.Bool().Draw(t, "columns")})
			strays = append(strays, m)
			if lost == "request" {
				s.Close() // a call that fails ends the session
				return
			}
			p, err := lane.DecodePush(m)
			if err != nil || p.LeftOut > 0 {
				t.Fatalf("decode: %v, %d left out", err, p.LeftOut)
			}
			applied, _, err := c.push(p)
			receipt := applied.Receipt
			if errors.Is(err, lane.ErrTicket) || lost == "answer" {
				s.Close()
				return
			}
			if err != nil {
				t.Fatalf("receive: %v", err)
			}
			receipt, err = lane.DecodeReceipt(lane.EncodeReceipt(receipt))
			if err != nil {
				t.Fatalf("receipt: %v", err)
			}
			if _, err := s.OnPush(h, receipt); err != nil {
				t.Fatalf("on push: %v", err)
			}
			up.OnPush(receipt)
			if lost == "crash" {
				restart()
				return
			}
			save()
			if lost == "crash before the record knows" {
				restart()
				return
			}
			r.ack(receipt.Hours)
		}
		start := func() time.Time {
			return time.Unix(3600*int64(rapid.IntRange(1, 6).Draw(t, "hour")), 0).UTC()
		}
		check := func(t *rapid.T) {
			for at, got := range c.held.Hours() {
				if d := cmp.Diff(hourOf(at, got.Version), got); d != "" {
					t.Fatalf("an hour that never was (-want +got):\n%s", d)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"":             check,
			"hour is over": func(t *rapid.T) { r.close(start(), uint32(rapid.IntRange(1, 5).Draw(t, "version"))) },
			"sync":         func(*rapid.T) { sync("") },
			"sync on":      func(*rapid.T) { sync(""); sync(""); sync("") },
			"lose request": func(*rapid.T) { sync("request") },
			"lose answer":  func(*rapid.T) { sync("answer") },
			"crash of the hub before it saves": func(*rapid.T) {
				sync("crash")
			},
			"crash of the hub between its databases": func(*rapid.T) { sync("crash before the record knows") },
			"crash of the hub":                       func(*rapid.T) { restart() },
			"crash of the console":                   func(*rapid.T) { c.ticket = "" },
			"stray of the open session arrives": func(t *rapid.T) {
				if len(strays) == 0 {
					return
				}
				p, err := lane.DecodePush(strays[rapid.IntRange(0, len(strays)-1).Draw(t, "which")])
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := c.push(p); err != nil && !errors.Is(err, lane.ErrTicket) {
					t.Fatalf("stray: %v", err)
				}
			},
			"backup of the console":  func(*rapid.T) { backup = c.held.Clone() },
			"restore of the console": func(*rapid.T) { c.held, c.ticket = backup.Clone(), "" },
			"image of the hub":       func(*rapid.T) { image = r.clone() },
			"restore of the hub": func(*rapid.T) {
				// A hub from an older image begins a new epoch and has met no console.
				r = image.clone()
				epochs++
				h = newHub(fleet.Epoch(fmt.Sprint("epoch-", epochs)))
				restart()
			},
		})
		s.Close() // a pull finds out when the console has another life
		for range 5000 {
			sync("")
			if s.Ready() && len(r.pending) == 0 {
				break
			}
		}
		check(t)
		if len(r.pending) > 0 {
			t.Fatalf("pending for ever: %v", r.pending)
		}
		held := c.held.Hours()
		for at, version := range r.hours {
			if d := cmp.Diff(hourOf(at, version), held[at]); d != "" {
				t.Fatalf("hour %s (-hub +console):\n%s", at, d)
			}
		}
	})
}

func TestTraffic_AConsoleThatAcknowledgesNothingIsAskedOnceARound(t *testing.T) {
	r, up := newRecord(), &lane.TrafficSender{}
	for i := range 100 {
		r.close(time.Unix(3600*int64(i+1), 0).UTC(), uint32(7*i+1))
	}
	round := func() (starts []time.Time) {
		up.Begin()
		for {
			parts, err := up.Next(t.Context(), r, 1<<20, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(parts) == 0 {
				return starts
			}
			starts = append(starts, parts[0].Start)
			up.OnPush(lane.Receipt{})
		}
	}
	for range 2 {
		starts := round()
		if len(starts) != 100 || up.Busy() {
			t.Fatalf("%d parts in a round, want 100", len(starts))
		}
		if !slices.IsSortedFunc(starts, func(a, b time.Time) int { return b.Compare(a) }) {
			t.Error("hours do not go up newest first")
		}
	}
	if len(r.pending) != 100 {
		t.Errorf("%d hours are pending, want all", len(r.pending))
	}
}

func TestTraffic_AConsoleThatDoesNotKnowLane4IsToldFromOneThatTakesIt(t *testing.T) {
	welcome := func(told bool) lane.Welcome {
		m := lane.EncodeWelcome(lane.Welcome{
			Ticket: []byte("t"), ConsoleID: "c", Durable: map[fleet.Lane]lane.Position{fleet.LaneRequests: {}, fleet.LaneCommands: {}, fleet.LaneRegistry: {}},
			Hours: lane.HoursTaken{Told: told, Taken: 3},
		})
		w, err := lane.DecodeWelcome(m)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	h := newHub("e")
	s := lane.NewSender("e", "boot", lane.Saved{})
	if old := welcome(false); old.Hours.Told || s.Rewound(old) {
		t.Errorf("a console of an older version: %+v", old.Hours)
	}
	w := welcome(true)
	if !s.Rewound(w) {
		t.Error("another console is not noticed")
	}
	if err := s.OnHello(h, w); err != nil || s.Saved().Acked[fleet.LaneSummaries] != 3 || s.Rewound(w) {
		t.Errorf("saved %+v, %v", s.Saved(), err)
	}
	w.Hours.Taken = 2
	if !s.Rewound(w) {
		t.Error("a console that holds less than it said is not noticed")
	}
}

func TestTraffic_AnHourThatIsLargerThanAChunkIsHeldWhenItIsWhole(t *testing.T) {
	held, r, up := fleettest.NewMemory(), newRecord(), &lane.TrafficSender{}
	start := time.Unix(3600, 0).UTC()
	r.close(start, 6) // seven rows
	up.Begin()
	for n := 1; ; n++ {
		parts, err := up.Next(t.Context(), r, 100, 1)
		if err != nil || len(parts) != 1 {
			t.Fatalf("part %d: %v", n, err)
		}
		p := parts[0]
		a, err := lane.Receive(held, lane.Push{Traffic: []lane.TrafficPart{p}})
		if err != nil {
			t.Fatal(err)
		}
		last := n == p.Parts
		if len(a.Receipt.Hours) == 1 != last || len(held.Hours()) == 1 != last || p.Parts < 4 {
			t.Fatalf("part %d of %d: acknowledged %v, held %v", n, p.Parts, a.Receipt.Hours, held.Hours())
		}
		if up.OnPush(a.Receipt); last {
			break
		}
	}
	if d := cmp.Diff(hourOf(start, 6), held.Hours()[start]); d != "" {
		t.Errorf("-hub +console:\n%s", d)
	}
}

func TestTraffic_PartsAreBounded(t *testing.T) {
	r, up := newRecord(), &lane.TrafficSender{}
	start := time.Unix(3600, 0).UTC()
	r.close(start, 1)
	big := rowsLog{r, 5000}
	up.Begin()
	p, err := up.Next(t.Context(), big, 1, 1)
	if err != nil || p[0].Parts > fleet.MaxTrafficParts {
		t.Errorf("%d parts, %v", p[0].Parts, err)
	}
}

// rowsLog is a record whose hours have many rows.
type rowsLog struct {
	*record
	rows int
}

func (r rowsLog) Hour(ctx context.Context, start time.Time) (fleet.TrafficHour, error) {
	h, err := r.record.Hour(ctx, start)
	for i := range r.rows {
		h.Rows = append(h.Rows, fleet.TrafficRow{Device: fmt.Sprint("device-", i)})
	}
	return h, err
}

func TestDecodePush_BadRowsOfTrafficAreLeftOutAndCounted(t *testing.T) {
	good := wire.EncodeTrafficRow(fleet.TrafficRow{Device: "good"})
	part := func(change func(*pb.SummaryPart)) *pb.SummaryPart {
		p := &pb.SummaryPart{StartMs: 3_600_000, Number: 1, Parts: 1, Rows: []*pb.SummaryRow{good}}
		change(p)
		return p
	}
	p, err := lane.DecodePush(&pb.PushRequest{Summaries: []*pb.SummaryPart{
		part(func(p *pb.SummaryPart) {
			p.Rows = append(p.Rows, &pb.SummaryRow{}, &pb.SummaryRow{DeviceId: "line\nbreak"},
				&pb.SummaryRow{DeviceId: "d", Fields: []*pb.SummaryField{{Name: "x", Min: math.NaN()}}})
		}),
		part(func(p *pb.SummaryPart) { p.StartMs++ }),
		part(func(p *pb.SummaryPart) { p.StartMs = -3_600_000 }),
		part(func(p *pb.SummaryPart) { p.Part = 1 }),
		part(func(p *pb.SummaryPart) { p.Number = 0 }),
		part(func(p *pb.SummaryPart) { p.Parts = 1 << 30 }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Traffic) != 1 || len(p.Traffic[0].Rows) != 1 || p.Traffic[0].Rows[0].Device != "good" {
		t.Errorf("got %+v", p.Traffic)
	}
	if p.LeftOut != 8 {
		t.Errorf("%d left out, want 8", p.LeftOut)
	}
}
