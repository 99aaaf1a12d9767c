package flotilla

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// This file is all that knows the sync protocol.

// errGone: the console wants what it has acknowledged already; a synthetic hub
// does not keep that.
var errGone = errors.New("records that were acknowledged are not kept")

// logLane is one log lane in memory: what the console has not acknowledged.
type logLane struct {
	Base lane.Position // everything up to here is acknowledged
	Held [][]byte      // what follows
	// Made records of the site's beginning were made so far; they are made when
	// they are asked for. Those that come after them wait in Later.
	Made  int
	Later [][]byte

	tip  lane.Hash // after Held
	all  int       // records of the beginning
	make func(int) ([]byte, error)
}

func (l *logLane) head() fleet.Seq {
	return l.Base.Seq + fleet.Seq(len(l.Held)+l.all-l.Made+len(l.Later))
}

func (l *logLane) append(record []byte) {
	if l.Made < l.all {
		l.Later = append(l.Later, record)
		return
	}
	l.Held = append(l.Held, record)
	l.tip = l.tip.Next(record)
}

// more makes the next record of the beginning; false when there is none.
func (l *logLane) more() (bool, error) {
	if l.Made == l.all {
		return false, nil
	}
	record, err := l.make(l.Made)
	if err != nil {
		return false, err
	}
	l.Made++
	l.Held = append(l.Held, record)
	l.tip = l.tip.Next(record)
	if l.Made == l.all {
		later := l.Later
		l.Later = nil
		for _, r := range later {
			l.append(r)
		}
	}
	return true, nil
}

func (l *logLane) hashAt(seq fleet.Seq) (lane.Hash, error) {
	if seq < l.Base.Seq {
		return lane.Hash{}, fmt.Errorf("%w: %d, from %d on there are any", errGone, seq, l.Base.Seq+1)
	}
	for seq > l.Base.Seq+fleet.Seq(len(l.Held)) {
		if more, err := l.more(); err != nil {
			return lane.Hash{}, err
		} else if !more {
			return lane.Hash{}, fmt.Errorf("%w: record %d", fleet.ErrNotFound, seq)
		}
	}
	if seq == l.Base.Seq+fleet.Seq(len(l.Held)) {
		return l.tip, nil
	}
	h := l.Base.Hash
	for _, r := range l.Held[:seq-l.Base.Seq] {
		h = h.Next(r)
	}
	return h, nil
}

// trim forgets what is acknowledged.
func (l *logLane) trim(acked fleet.Seq) {
	n := int(min(acked, l.Base.Seq+fleet.Seq(len(l.Held))) - l.Base.Seq)
	if acked <= l.Base.Seq {
		return
	}
	for _, r := range l.Held[:n] {
		l.Base.Hash = l.Base.Hash.Next(r)
	}
	l.Base.Seq += fleet.Seq(n)
	l.Held = slices.Clone(l.Held[n:])
}

// log is a hub's lane.Log and lane.HourLog.
type log struct {
	site  *site
	lanes map[fleet.Lane]*logLane
	seed  uint64
	now   func() time.Time
	// Hours of traffic from First on are to be told; Acked are those that were.
	first time.Time
	acked map[int64]bool // by their start, in seconds since 1970
}

func newLog(s *site, seed uint64, now func() time.Time, hours int) *log {
	l := &log{
		site: s, seed: seed, now: now, lanes: map[fleet.Lane]*logLane{}, acked: map[int64]bool{},
		first: now().Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour),
	}
	for _, v := range fleet.LogLanes() {
		l.lanes[v] = &logLane{}
	}
	l.lanes[fleet.LaneRegistry].all = s.commissioned()
	l.lanes[fleet.LaneRegistry].make = func(i int) ([]byte, error) { return wire.EncodeRecord(s.commission(i)) }
	return l
}

func (l *log) append(r fleet.Record) error {
	b, err := wire.EncodeRecord(r)
	if err == nil {
		l.lanes[r.Body.Lane()].append(b)
	}
	return err
}

// Head implements lane.Log. While the site's beginning is not made yet, the hash
// is not known.
func (l *log) Head(v fleet.Lane) (lane.Position, error) {
	p := lane.Position{Seq: l.lanes[v].head()}
	if l.lanes[v].Made == l.lanes[v].all {
		p.Hash = l.lanes[v].tip
	}
	return p, nil
}

// Base implements lane.Log. It says that nothing was dropped: a console that
// wants what the hub does not keep any more finds a hub that begins anew.
func (l *log) Base(fleet.Lane) (lane.Position, error) { return lane.Position{}, nil }

// HashAt implements lane.Log.
func (l *log) HashAt(v fleet.Lane, seq fleet.Seq) (lane.Hash, error) { return l.lanes[v].hashAt(seq) }

// Read implements lane.Log.
func (l *log) Read(v fleet.Lane, after fleet.Seq, maxBytes int) (lane.Batch, error) {
	prev, err := l.lanes[v].hashAt(after)
	if err != nil {
		return lane.Batch{}, err
	}
	b := lane.Batch{Lane: v, First: after + 1, Prev: prev}
	for at := int(after - l.lanes[v].Base.Seq); ; at++ {
		if at == len(l.lanes[v].Held) {
			if more, err := l.lanes[v].more(); err != nil || !more {
				return b, err
			}
		}
		record := l.lanes[v].Held[at]
		if maxBytes -= len(record); maxBytes < 0 && len(b.Records) > 0 {
			return b, nil
		}
		b.Records = append(b.Records, record)
	}
}

// StateHead implements lane.Log.
func (l *log) StateHead() uint64 { return l.site.version }

// stateBytes is about what a state takes.
const stateBytes = 64

// States implements lane.Log.
func (l *log) States(after uint64, maxBytes int) (lane.StateBatch, error) {
	now := l.now()
	b := lane.StateBatch{After: after, Upto: l.site.version, AsOfMS: now.UnixMilli()}
	type due struct {
		version uint64
		device  int
	}
	var all []due
	for i, c := range l.site.devices {
		if c.version > after {
			all = append(all, due{c.version, i})
		}
	}
	slices.SortFunc(all, func(x, y due) int { return int(x.version) - int(y.version) })
	if n := max(1, maxBytes/stateBytes); len(all) > n {
		all = all[:n]
		b.Upto = all[n-1].version
	}
	for _, d := range all {
		b.States = append(b.States, l.site.stateOf(d.device, now))
	}
	return b, nil
}

// PendingHours implements lane.HourLog.
func (l *log) PendingHours(_ context.Context, most int) ([]fleet.TrafficRef, error) {
	var refs []fleet.TrafficRef
	for at := l.now().UTC().Truncate(time.Hour).Add(-time.Hour); !at.Before(l.first) && len(refs) < most; at = at.Add(-time.Hour) {
		if !l.acked[at.Unix()] {
			refs = append(refs, l.site.traffic(l.seed, at).TrafficRef)
		}
	}
	return refs, nil
}

// Hour implements lane.HourLog.
func (l *log) Hour(_ context.Context, start time.Time) (fleet.TrafficHour, error) {
	return l.site.traffic(l.seed, start), nil
}

// held is what a log lane must remember over a restart of the program.
type held struct {
	Saved lane.Saved
	Lanes map[fleet.Lane]*logLane
	Hours map[int64]bool
	First time.Time
}

func (h *hub) held() held {
	return held{Saved: h.sender.Saved(), Lanes: h.log.lanes, Hours: h.log.acked, First: h.log.first}
}

// restore takes what held has given.
func (h *hub) restore(v held) {
	for l, old := range v.Lanes {
		if own, ok := h.log.lanes[l]; ok && old != nil {
			own.Base, own.Held, own.Made, own.Later = old.Base, old.Held, min(old.Made, own.all), old.Later
			own.tip = own.Base.Hash
			for _, r := range own.Held {
				own.tip = own.tip.Next(r)
			}
		}
	}
	if v.Hours != nil {
		h.log.acked, h.log.first = v.Hours, v.First
	}
	h.sender = lane.NewSender(h.epoch, h.boot, v.Saved)
}

// newEpoch begins a new life: everything is told anew.
func (h *hub) newEpoch() {
	h.epoch = fleet.NewEpoch()
	first, acked := h.log.first, h.log.acked
	h.log = newLog(h.site, h.f.c.Seed, h.f.c.now, 0)
	h.log.first, h.log.acked = first, acked
	h.sender = lane.NewSender(h.epoch, h.boot, lane.Saved{})
	h.life.again(h.f.c.now())
	h.f.count.epochs.Add(1)
}

// errWait is the console's word to come later.
type errWait struct{ wait time.Duration }

func (e errWait) Error() string { return fmt.Sprintf("the console says: come in %s", e.wait) }

// hello opens a session, and returns how often states go up; 0 when the console
// leaves it to the hub.
func (h *hub) hello(ctx context.Context) (time.Duration, error) {
	greeting, err := h.sender.Hello(h.log, h.cursor)
	if err != nil {
		return 0, err
	}
	saved := h.sender.Saved()
	m := &pb.HelloRequest{
		HubTimeMs: h.f.c.now().Add(h.clock).UnixMilli(), ClockTrusted: h.clock == 0, HubVersion: h.f.c.Version,
		ConsoleId: saved.ConsoleID, ConsoleEpoch: saved.ConsoleEpoch, PolicyVersion: h.policy,
	}
	lane.EncodeHello(greeting, m)
	call, cancel := context.WithTimeout(ctx, h.f.c.CallTimeout)
	defer cancel()
	answer, err := h.f.link.Hello(h.calling(call), connect.NewRequest(m))
	if err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	if answer.Msg.Verdict == pb.Verdict_VERDICT_WAIT {
		return 0, errWait{time.Duration(answer.Msg.WaitMs) * time.Millisecond}
	}
	w, err := lane.DecodeWelcome(answer.Msg)
	if err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	if h.sender.Rewound(w) {
		clear(h.log.acked)
	}
	if err := h.sender.OnHello(h.log, w); err != nil {
		return 0, fmt.Errorf("hello: %w", err)
	}
	h.takesHours = w.Hours.Told
	h.cursor = max(h.cursor, w.OrderFloor)
	// A synthetic hub has nothing that it could take back: it goes on as it is.
	h.sender.Recovered(w.Recovery)
	h.trim()
	return time.Duration(answer.Msg.GetPolicy().GetStateIntervalMs()) * time.Millisecond, nil
}

// trim forgets what the console holds.
func (h *hub) trim() {
	acked := h.sender.Saved().Acked
	for v, l := range h.log.lanes {
		l.trim(fleet.Seq(acked[v]))
	}
}

// acked is the version of the states that the console holds.
func (h *hub) acked() uint64 { return h.sender.Saved().Acked[fleet.LaneState] }

// pushAll sends until the console holds everything that is due.
func (h *hub) pushAll(ctx context.Context, withStates bool) error {
	target := h.site.version
	for {
		p, more, err := h.sender.Push(h.log, h.f.c.ChunkBytes, withStates, h.cursor)
		if err != nil || !more {
			return err
		}
		_, moved, err := h.push(ctx, p)
		if err != nil {
			return err
		}
		if !moved {
			return fmt.Errorf("push: %w: the console took nothing", fleet.ErrUnavailable)
		}
		withStates = withStates && h.acked() < target
	}
}

// push makes one call and takes its answer.
func (h *hub) push(ctx context.Context, p lane.Push) (r lane.Receipt, moved bool, err error) {
	call, cancel := context.WithTimeout(ctx, h.f.c.CallTimeout)
	answer, err := h.f.link.Push(h.calling(call), connect.NewRequest(lane.EncodePush(p)))
	cancel()
	if err != nil {
		return r, false, fmt.Errorf("push: %w", err)
	}
	if r, err = lane.DecodeReceipt(answer.Msg); err == nil {
		moved, err = h.sender.OnPush(h.log, r)
	}
	if err != nil {
		return r, moved, fmt.Errorf("push: %w", err)
	}
	c := &h.f.count
	c.pushes.Add(1)
	for _, b := range p.Batches {
		c.records.Add(int64(len(b.Records)))
	}
	if p.State != nil {
		c.states.Add(int64(len(p.State.States)))
	}
	c.rejected.Add(int64(len(r.Rejected)))
	for _, d := range r.Rejected {
		h.f.c.Logger.Warn("console set a record aside", "site", h.site.id, "lane", d.Lane, "seq", d.Seq, "reason", d.Reason)
	}
	h.trim()
	return r, moved, h.take(lane.DecodeOrders(answer.Msg.Orders), answer.Msg.ConsoleTimeMs)
}

// pushPart sends one part of an hour of traffic, of the round that is under way.
func (h *hub) pushPart(ctx context.Context) error {
	parts, err := h.traffic.Next(ctx, h.log, h.f.c.ChunkBytes, h.f.c.ChunkBytes)
	if err != nil || len(parts) == 0 {
		return err
	}
	r, _, err := h.push(ctx, h.sender.Carry(parts, h.cursor))
	if err != nil {
		return err
	}
	h.traffic.OnPush(r)
	for _, v := range r.Hours {
		h.log.acked[v.Start.Unix()] = true
		h.f.count.hours.Add(1)
	}
	return nil
}

// take acts on the orders that follow the cursor. consoleTime is the console's
// clock when it sent them.
func (h *hub) take(orders []fleet.Order, consoleTime int64) error {
	now := h.f.c.now()
	for _, o := range lane.Due(h.cursor, orders) {
		h.life.obey(o, o.ExpiresAt.Sub(time.UnixMilli(consoleTime)), now)
		h.cursor = o.Number
		h.f.count.orders.Add(1)
	}
	return h.failed
}

// pulled is the answer of a pull.
type pulled struct {
	orders      []fleet.Order
	policy      uint64 // a newer one; 0 for none
	consoleTime int64
	err         error
}

// pull asks for orders; the console holds the call until there is one.
func (h *hub) pull(ctx context.Context, ticket []byte, cursor, policy uint64, out chan<- pulled) {
	call, cancel := context.WithTimeout(ctx, h.f.c.CallTimeout+h.f.c.PullWait)
	defer cancel()
	answer, err := h.f.link.Pull(h.calling(call), connect.NewRequest(&pb.PullRequest{
		Ticket: ticket, OrderCursor: cursor, MaxBytes: uint32(h.f.c.ChunkBytes), WaitMs: uint32(h.f.c.PullWait.Milliseconds()),
		PolicyVersion: policy,
	}))
	if err != nil {
		out <- pulled{err: fmt.Errorf("pull: %w", err)}
		return
	}
	h.f.count.pulls.Add(1)
	out <- pulled{orders: lane.DecodeOrders(answer.Msg.Orders), policy: answer.Msg.GetPolicy().GetVersion(), consoleTime: answer.Msg.ConsoleTimeMs}
}

// isRefused reports whether the console does not want the hub any more.
func isRefused(err error) bool {
	code := connect.CodeOf(err)
	return code == connect.CodePermissionDenied || code == connect.CodeUnauthenticated
}

// outOfLine reports whether the two ends hold what cannot be made equal, so that
// a new epoch is needed.
func outOfLine(err error) bool {
	return errors.Is(err, lane.ErrBehind) || errors.Is(err, lane.ErrDiverged) || errors.Is(err, errGone)
}

// kindOfError tells errors apart without what differs from hub to hub.
func kindOfError(err error) string {
	what, _, _ := strings.Cut(err.Error(), ":")
	if e := new(connect.Error); errors.As(err, &e) {
		text := e.Message()
		if net := new(net.OpError); errors.As(err, &net) { // has ports in it
			text = net.Op + ": " + net.Err.Error()
		}
		return what + ": " + e.Code().String() + ": " + text
	}
	return err.Error()
}
