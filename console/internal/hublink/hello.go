package hublink

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Hello implements HubLink: it compares what both sides hold and opens a
// session.
func (l *Link) Hello(ctx context.Context, req *connect.Request[pb.HelloRequest]) (*connect.Response[pb.HelloResponse], error) {
	hub, err := l.caller(ctx)
	if err != nil {
		return nil, err
	}
	m := req.Msg
	if m.ProtocolMin > lane.Protocol || m.ProtocolMax < lane.Protocol {
		return nil, fmt.Errorf("%w: the hub speaks protocol %d to %d, this console %d",
			fleet.ErrState, m.ProtocolMin, m.ProtocolMax, lane.Protocol)
	}
	if len(m.BootId) > 128 || len(m.HubVersion) > 128 {
		return nil, fmt.Errorf("%w: boot_id or hub_version is too long", fleet.ErrInvalid)
	}
	hello, err := lane.DecodeHello(m)
	if err != nil {
		return nil, err
	}
	p := l.peer(hub.ID)
	leave, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var w lane.Welcome
	ticket, hash := newTicket()
	err = l.c.Store.UpdateSite(ctx, hub.Site, func(tx store.SiteTx) error {
		if err := allowed(tx, hub); err != nil {
			return err
		}
		var err error
		if w, err = lane.Greet(tx, hello); err != nil {
			return err
		}
		marks, err := tx.Marks()
		if err != nil {
			return err
		}
		w.OrderHead = marks.Head
		var opened store.Session
		if greeted(w) {
			opened = store.Session{
				Hub: hub.ID, Ticket: hash, Epoch: hello.Epoch, BootID: hello.BootID, Console: l.c.Identity.Epoch, At: l.now(),
			}
			if err := tx.Taken(hello.OrderCursor); err != nil {
				return err
			}
		}
		if err := tx.PutSession(opened); err != nil {
			return err
		}
		c, err := tx.Contact()
		if err != nil {
			return err
		}
		return tx.PutContact(l.helloContact(c, hub, m, hello, w))
	})
	if err != nil {
		return nil, err
	}
	w.ConsoleID, w.ConsoleEpoch = l.c.Identity.ConsoleID, l.c.Identity.Epoch
	if greeted(w) {
		w.Ticket = ticket
		p.opened(p.with(hash, l.c.MaxRecords))
	} else {
		hash = store.SecretHash{}
		p.endOthers(hash)
		l.c.Logger.Warn("hub not in line with what is held", "site", hub.Site, "hub", hub.ID, "verdict", w.Verdict.String())
	}
	l.events.Publish(Event{Site: hub.Site, Hub: hub.ID, Ticket: hash})
	out := lane.EncodeWelcome(w)
	out.ConsoleTimeMs = l.now().UnixMilli()
	out.Policy = &pb.LinkPolicy{StateIntervalMs: uint32(l.c.StateEvery.Milliseconds())}
	return connect.NewResponse(out), nil
}

// greeted reports whether a Hello opens a session.
func greeted(w lane.Welcome) bool {
	return w.Verdict == lane.VerdictOK || w.Verdict == lane.VerdictAhead
}
