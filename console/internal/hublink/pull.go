package hublink

import (
	"context"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// defaultOrderBytes of an answer for a hub that does not say.
const defaultOrderBytes = 64 << 10

// Pull implements HubLink: it brings orders down. With wait_ms it answers when
// there is one, after that time, or when the console stops.
func (l *Link) Pull(ctx context.Context, req *connect.Request[pb.PullRequest]) (*connect.Response[pb.PullResponse], error) {
	hub, err := l.caller(ctx)
	if err != nil {
		return nil, err
	}
	p := l.peer(hub.ID)
	s := p.with(hashOf(req.Msg.Ticket), l.c.MaxRecords)
	var replaced <-chan struct{}
	maxBytes := int(req.Msg.MaxBytes)
	if maxBytes == 0 {
		maxBytes = defaultOrderBytes
	}
	maxBytes = min(maxBytes, l.c.MaxOrderBytes)
	timer := time.NewTimer(min(time.Duration(req.Msg.WaitMs)*time.Millisecond, l.c.PullWait))
	defer timer.Stop()
	touch := true
	for {
		woken := l.woken(hub.Site) // before the look, so that no order is missed
		out, err := l.ordersFor(ctx, hub, s, req.Msg, maxBytes, touch)
		if err != nil {
			return nil, err
		}
		if touch {
			p.opened(s)
			replaced = s.pulling()
			defer s.pulled(replaced)
			l.events.Publish(Event{Site: hub.Site})
		}
		// Only a call is contact; that it waits proves nothing.
		touch = false
		answer := connect.NewResponse(out)
		if len(out.Orders) > 0 || out.Policy != nil {
			return answer, nil
		}
		select {
		case <-woken:
			continue
		case <-timer.C:
		case <-replaced:
		case <-l.life.Done():
		case <-s.ended:
			return nil, lane.ErrTicket
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		out.ConsoleTimeMs = l.now().UnixMilli()
		return answer, nil
	}
}

func (l *Link) ordersFor(ctx context.Context, hub store.Hub, s *session, m *pb.PullRequest, maxBytes int, touch bool) (*pb.PullResponse, error) {
	var orders []fleet.Order
	var head uint64
	var policy *pb.Policy
	err := l.c.Store.UpdateSite(ctx, hub.Site, func(tx store.SiteTx) error {
		if err := allowed(tx, hub); err != nil {
			return err
		}
		if err := l.enter(tx, hub, s); err != nil {
			return err
		}
		if touch {
			c, err := tx.Contact()
			if err != nil {
				return err
			}
			if err := tx.PutContact(l.touched(c, hub)); err != nil {
				return err
			}
		}
		policy = nil
		if wanted, found, err := tx.Policy(); err != nil {
			return err
		} else if found && wanted.Version > m.PolicyVersion {
			policy = wire.EncodePolicy(wanted)
		}
		var err error
		orders, head, err = l.due(tx, m.OrderCursor, maxBytes)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &pb.PullResponse{OrderHead: head, ConsoleTimeMs: l.now().UnixMilli(), Policy: policy}
	out.Orders, err = encodeOrders(orders)
	return out, err
}
