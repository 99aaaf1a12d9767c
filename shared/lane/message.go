package lane

import (
	"fmt"
	"slices"
	"time"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// Protocol is the version of the sync protocol that this program speaks.
const Protocol = 1

// FeatureColumns says that traffic is taken as columns.
const FeatureColumns = "columns"

// MaxPartRows is the most rows that are read of one part of an hour.
const MaxPartRows = 100_000

var verdictNumbers = map[Verdict]pb.Verdict{
	VerdictOK:       pb.Verdict_VERDICT_OK,
	VerdictBehind:   pb.Verdict_VERDICT_BEHIND,
	VerdictAhead:    pb.Verdict_VERDICT_AHEAD,
	VerdictDiverged: pb.Verdict_VERDICT_DIVERGED,
	VerdictFenced:   pb.Verdict_VERDICT_FENCED,
	VerdictWait:     pb.Verdict_VERDICT_WAIT,
}

// EncodeHello fills the part of m that h knows.
func EncodeHello(h Hello, m *pb.HelloRequest) {
	m.ProtocolMin, m.ProtocolMax = Protocol, Protocol
	m.Epoch, m.BootId, m.StateHead, m.OrderCursor = string(h.Epoch), h.BootID, h.StateHead, h.OrderCursor
	m.FormerEpoch, m.Recovered = string(h.Former), h.Recovered
	for _, l := range fleet.LogLanes() {
		v := h.Lanes[l]
		head := &pb.LaneHead{Lane: uint32(l), Head: uint64(v.Head), Acked: uint64(v.Acked), AckedHash: v.AckedHash[:]}
		if v.Base.Seq > 0 {
			head.First, head.FirstHash = uint64(v.Base.Seq)+1, v.Base.Hash[:]
		}
		m.Lanes = append(m.Lanes, head)
	}
}

// DecodeHello reads a Hello; fleet.ErrInvalid.
func DecodeHello(m *pb.HelloRequest) (Hello, error) {
	h := Hello{
		Epoch: fleet.Epoch(m.Epoch), BootID: m.BootId, Lanes: map[fleet.Lane]HelloLane{},
		StateHead: m.StateHead, OrderCursor: m.OrderCursor, Former: fleet.Epoch(m.FormerEpoch), Recovered: m.Recovered,
	}
	if m.FormerEpoch != "" && !fleet.ValidSegment(m.FormerEpoch) {
		return h, fmt.Errorf("%w: former epoch %.80q", fleet.ErrInvalid, m.FormerEpoch)
	}
	if !fleet.ValidSegment(m.Epoch) {
		return h, fmt.Errorf("%w: epoch %.80q", fleet.ErrInvalid, m.Epoch)
	}
	for _, v := range m.Lanes {
		told := HelloLane{Head: fleet.Seq(v.Head), Acked: fleet.Seq(v.Acked)}
		var err error
		if told.AckedHash, err = hash(v.AckedHash); err != nil {
			return h, err
		}
		if v.First > 1 {
			told.Base.Seq = fleet.Seq(v.First - 1)
			if told.Base.Hash, err = hash(v.FirstHash); err != nil {
				return h, err
			}
		}
		if told.Base.Seq > told.Head {
			return h, fmt.Errorf("%w: lane %d begins at %d and ends at %d", fleet.ErrInvalid, v.Lane, v.First, v.Head)
		}
		h.Lanes[fleet.Lane(v.Lane)] = told
	}
	return h, nil
}

// EncodeWelcome returns the message of w; the caller adds what w does not
// know.
func EncodeWelcome(w Welcome) *pb.HelloResponse {
	m := &pb.HelloResponse{
		Features: []string{FeatureColumns},
		Protocol: Protocol, Verdict: verdictNumbers[w.Verdict], Ticket: w.Ticket, ConsoleId: w.ConsoleID,
		ConsoleEpoch: w.ConsoleEpoch, OrderHead: w.OrderHead, Recall: w.Recall, OrderFloor: w.OrderFloor, Restate: w.Restate, Recovery: w.Recovery,
		PolicyVersion: w.Policy, WaitMs: uint32(w.Wait.Milliseconds()),
	}
	if w.Durable != nil { // a verdict against the hub tells no positions
		m.Lanes = durables(w.Durable, w.State, w.Hours)
	}
	return m
}

// DecodeWelcome reads a Welcome; fleet.ErrInvalid.
func DecodeWelcome(m *pb.HelloResponse) (Welcome, error) {
	w := Welcome{
		Ticket: m.Ticket, ConsoleID: m.ConsoleId, ConsoleEpoch: m.ConsoleEpoch, OrderHead: m.OrderHead,
		Recall: m.Recall, OrderFloor: m.OrderFloor, Restate: m.Restate, Recovery: m.Recovery, Policy: m.PolicyVersion,
		Wait: time.Duration(m.WaitMs) * time.Millisecond, Columns: slices.Contains(m.Features, FeatureColumns),
	}
	found := false
	for v, n := range verdictNumbers {
		if n == m.Verdict {
			w.Verdict, found = v, true
		}
	}
	if !found {
		return w, fmt.Errorf("%w: verdict %d", fleet.ErrInvalid, m.Verdict)
	}
	switch w.Verdict {
	case VerdictOK, VerdictAhead, VerdictFenced:
		if m.Protocol != Protocol {
			return w, fmt.Errorf("%w: the console chose protocol %d, this hub speaks %d", fleet.ErrInvalid, m.Protocol, Protocol)
		}
		if len(m.Ticket) == 0 {
			return w, fmt.Errorf("%w: welcome without a ticket", fleet.ErrInvalid)
		}
	case VerdictBehind, VerdictDiverged, VerdictWait:
	}
	var err error
	w.Durable, w.State, w.Hours, err = positions(m.Lanes)
	return w, err
}

// EncodePush returns the message of p.
func EncodePush(p Push) *pb.PushRequest {
	m := &pb.PushRequest{Ticket: p.Ticket, OrderCursor: p.OrderCursor}
	for _, b := range p.Batches {
		m.Batches = append(m.Batches, &pb.Batch{
			Lane: uint32(b.Lane), FirstSeq: uint64(b.First), PrevHash: b.Prev[:], Records: b.Records,
		})
	}
	if s := p.State; s != nil {
		m.State = &pb.StateBatch{After: s.After, Upto: s.Upto, AsOfMs: s.AsOfMS}
		for _, v := range s.States {
			m.State.States = append(m.State.States, wire.EncodeState(v))
		}
	}
	for _, v := range p.Traffic {
		m.Summaries = append(m.Summaries, encodePart(v, p.Columns))
	}
	return m
}

func encodePart(p TrafficPart, columns bool) *pb.SummaryPart {
	m := &pb.SummaryPart{
		StartMs: p.Start.UnixMilli(), Version: p.Version, Number: p.Number, Part: uint32(p.Part), Parts: uint32(p.Parts),
	}
	if columns {
		m.Columns = wire.EncodeColumns(p.Rows)
		return m
	}
	for _, r := range p.Rows {
		m.Rows = append(m.Rows, wire.EncodeTrafficRow(r))
	}
	return m
}

// DecodePush reads a Push; fleet.ErrInvalid. A device state that breaks a rule
// is left out: only the newest counts, and the next one may be good. So is a
// row of traffic, and is counted: the rest of its hour must not wait for it.
func DecodePush(m *pb.PushRequest) (Push, error) {
	p := Push{Ticket: m.Ticket, OrderCursor: m.OrderCursor}
	for _, b := range m.Batches {
		prev, err := hash(b.PrevHash)
		if err != nil {
			return p, err
		}
		if b.FirstSeq == 0 || b.Lane > 255 {
			return p, fmt.Errorf("%w: batch of lane %d begins at %d", fleet.ErrInvalid, b.Lane, b.FirstSeq)
		}
		p.Batches = append(p.Batches, Batch{
			Lane: fleet.Lane(b.Lane), First: fleet.Seq(b.FirstSeq), Prev: prev, Records: b.Records,
		})
	}
	if s := m.State; s != nil {
		p.State = &StateBatch{After: s.After, Upto: s.Upto, AsOfMS: s.AsOfMs}
		for _, v := range s.States {
			if d, err := wire.DecodeState(v); err == nil {
				p.State.States = append(p.State.States, d)
			}
		}
	}
	for _, v := range m.Summaries {
		part, left, err := decodePart(v)
		p.LeftOut += left
		if err == nil {
			p.Traffic = append(p.Traffic, part)
		}
	}
	return p, nil
}

// decodePart reads a part without those of its rows that break a rule, and
// counts them; fleet.ErrInvalid for a part that cannot be placed.
func decodePart(m *pb.SummaryPart) (TrafficPart, int, error) {
	p := TrafficPart{Number: m.Number, Part: int(m.Part), Parts: int(m.Parts)}
	p.TrafficRef = fleet.TrafficRef{Start: time.UnixMilli(m.StartMs).UTC(), Version: m.Version}
	if err := p.Check(); err != nil {
		return p, len(m.Rows), err
	}
	if m.Number == 0 || m.Parts > fleet.MaxTrafficParts || m.Part >= m.Parts {
		return p, len(m.Rows), fmt.Errorf("%w: part %d of %d of traffic", fleet.ErrInvalid, m.Part, m.Parts)
	}
	left := 0
	if len(m.Columns) > 0 {
		var err error
		p.Rows, left, err = wire.DecodeColumns(m.Columns, MaxPartRows)
		return p, left, err
	}
	for _, v := range m.Rows {
		r, err := wire.DecodeTrafficRow(v)
		if err != nil {
			left++
			continue
		}
		p.Rows = append(p.Rows, r)
	}
	return p, left, nil
}

// EncodeReceipt returns the message of r; the caller adds orders and time.
func EncodeReceipt(r Receipt) *pb.PushResponse {
	m := &pb.PushResponse{Lanes: durables(r.Durable, r.State, r.Taken)}
	for _, v := range r.Hours {
		m.Summaries = append(m.Summaries, &pb.SummaryHeld{StartMs: v.Start.UnixMilli(), Version: v.Version})
	}
	for _, v := range r.Rejected {
		m.Rejected = append(m.Rejected, &pb.Rejected{Lane: uint32(v.Lane), Seq: uint64(v.Seq), Reason: v.Reason})
	}
	return m
}

// DecodeReceipt reads a Receipt; fleet.ErrInvalid.
func DecodeReceipt(m *pb.PushResponse) (Receipt, error) {
	var r Receipt
	for _, v := range m.Rejected {
		r.Rejected = append(r.Rejected, Rejected{Lane: fleet.Lane(v.Lane), Seq: fleet.Seq(v.Seq), Reason: v.Reason})
	}
	for _, v := range m.Summaries {
		r.Hours = append(r.Hours, fleet.TrafficRef{Start: time.UnixMilli(v.StartMs).UTC(), Version: v.Version})
	}
	var err error
	r.Durable, r.State, r.Taken, err = positions(m.Lanes)
	return r, err
}

// DecodeOrders reads orders that ride on an answer, in the order of numbers.
// One that breaks a rule becomes a fleet.UnknownOrder, which is answered as
// refused, so that it does not block those behind it.
func DecodeOrders(ms []*pb.Order) []fleet.Order {
	var out []fleet.Order
	for _, m := range ms {
		o, err := wire.DecodeOrder(m)
		if err != nil {
			o.Number, o.Body = m.GetNumber(), fleet.UnknownOrder{}
		}
		out = append(out, o)
	}
	return out
}

func durables(logs map[fleet.Lane]Position, state uint64, hours HoursTaken) []*pb.LaneDurable {
	var out []*pb.LaneDurable
	for _, l := range fleet.LogLanes() {
		if p, ok := logs[l]; ok {
			out = append(out, &pb.LaneDurable{Lane: uint32(l), Durable: uint64(p.Seq), Hash: p.Hash[:]})
		}
	}
	out = append(out, &pb.LaneDurable{Lane: uint32(fleet.LaneState), Durable: state})
	if hours.Told {
		out = append(out, &pb.LaneDurable{Lane: uint32(fleet.LaneSummaries), Durable: hours.Taken})
	}
	return out
}

func positions(ms []*pb.LaneDurable) (logs map[fleet.Lane]Position, state uint64, hours HoursTaken, err error) {
	logs = map[fleet.Lane]Position{}
	for _, m := range ms {
		l := fleet.Lane(m.Lane)
		switch {
		case l == fleet.LaneState:
			state = m.Durable
		case l == fleet.LaneSummaries:
			hours = HoursTaken{Told: true, Taken: m.Durable}
		case isLogLane(l):
			h, err := hash(m.Hash)
			if err != nil {
				return nil, 0, hours, err
			}
			logs[l] = Position{Seq: fleet.Seq(m.Durable), Hash: h}
		}
	}
	for _, l := range fleet.LogLanes() {
		if _, ok := logs[l]; !ok && len(ms) > 0 {
			return nil, 0, hours, fmt.Errorf("%w: position of lane %s is missing", fleet.ErrInvalid, l)
		}
	}
	return logs, state, hours, nil
}

func hash(b []byte) (Hash, error) {
	var h Hash
	if len(b) != 0 && len(b) != len(h) {
		return h, fmt.Errorf("%w: hash of %d bytes", fleet.ErrInvalid, len(b))
	}
	copy(h[:], b)
	return h, nil
}
