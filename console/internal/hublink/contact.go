package hublink

import (
	"maps"
	"time"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// touched is c after one more call of the hub.
func (l *Link) touched(c store.Contact, hub store.Hub) store.Contact {
	now := l.now()
	if c.At.IsZero() || now.Sub(c.At) > l.c.PauseAfter || c.Hub != hub.ID {
		c.UpAt, c.AwaySince = now, c.At
	}
	c.Hub, c.At = hub.ID, now
	c.Heads = maps.Clone(c.Heads)
	if c.Heads == nil {
		c.Heads = map[fleet.Lane]uint64{}
	}
	return c
}

// helloContact is c after a Hello: what the hub holds, and its clock.
func (l *Link) helloContact(c store.Contact, hub store.Hub, m *pb.HelloRequest, h lane.Hello, w lane.Welcome) store.Contact {
	c = l.touched(c, hub)
	c.Version, c.BootID = m.HubVersion, m.BootId
	c.HubTime, c.ClockTrusted = time.UnixMilli(m.HubTimeMs).UTC(), m.ClockTrusted
	c.Offset = c.At.Sub(c.HubTime)
	if v := w.Verdict.String(); c.Verdict != v {
		c.Verdict, c.VerdictAt = v, c.At
	}
	nothing := greeted(w)
	for _, v := range fleet.LogLanes() {
		head := uint64(h.Lanes[v].Head)
		c.Heads[v] = head
		nothing = nothing && uint64(w.Durable[v].Seq) == head
	}
	c.Heads[fleet.LaneState] = h.StateHead
	if nothing && w.State == h.StateHead {
		c.MovedAt = c.At
		if h.StateHead > 0 || c.Heads[fleet.LaneRegistry] > 0 {
			c.DataAsOf = c.At // everything that there is, is here
		}
	}
	return c
}

// pushContact is c after a push that came to got.
func (l *Link) pushContact(c store.Contact, hub store.Hub, p lane.Push, got received) store.Contact {
	a := got.applied
	c = l.touched(c, hub)
	if len(a.Hours) > 0 {
		c.TrafficAt = c.At
	}
	c.TrafficLeftOut += uint64(p.LeftOut + got.unwanted)
	for _, v := range fleet.LogLanes() {
		c.Heads[v] = max(c.Heads[v], uint64(a.Receipt.Durable[v].Seq))
	}
	c.Heads[fleet.LaneState] = max(c.Heads[fleet.LaneState], a.Receipt.State)
	if len(a.Records)+len(a.States)+len(a.Receipt.Rejected) > 0 {
		c.MovedAt = c.At
	}
	// The hub's clock may be wrong: what it dates is shifted by what it was off
	// at the Hello, and never newer than now.
	newest := func(at time.Time) {
		if at.IsZero() {
			return
		}
		if at = at.Add(c.Offset); at.After(c.At) {
			at = c.At
		}
		if at.After(c.DataAsOf) {
			c.DataAsOf = at
		}
	}
	if p.State != nil && len(a.States) > 0 {
		newest(fleet.Millis(time.UnixMilli(p.State.AsOfMS)))
	}
	for _, r := range a.Records {
		if r.ClockTrusted {
			newest(r.At)
		}
	}
	return c
}
