package hublink

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Push implements HubLink: it stores and folds what a hub brings, and lets
// orders ride back.
func (l *Link) Push(ctx context.Context, req *connect.Request[pb.PushRequest]) (*connect.Response[pb.PushResponse], error) {
	hub, err := l.caller(ctx)
	if err != nil {
		return nil, err
	}
	push, err := lane.DecodePush(req.Msg)
	if err != nil {
		return nil, err
	}
	p := l.peer(hub.ID)
	leave, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	s := p.with(hashOf(push.Ticket), l.c.MaxRecords)
	got, err := l.receive(ctx, hub, s, push)
	if errors.Is(err, lane.ErrDiverged) {
		err = errors.Join(err, l.diverged(ctx, hub))
		l.End(hub.Site, hub.ID)
	}
	if err != nil {
		return nil, err
	}
	p.opened(s)
	for _, r := range got.applied.Records {
		l.records[r.Lane].Add(1)
	}
	l.records[fleet.LaneState].Add(uint64(len(got.applied.States)))
	l.records[fleet.LaneSummaries].Add(uint64(len(got.applied.Hours)))
	if push.LeftOut += got.unwanted; push.LeftOut > 0 {
		l.leftOut.Add(uint64(push.LeftOut))
		l.c.Logger.Warn("traffic left out", "site", hub.Site, "rows", push.LeftOut)
	}
	if n := len(got.applied.Receipt.Rejected); n > 0 {
		first := got.applied.Receipt.Rejected[0]
		l.c.Logger.Warn("records set aside", "site", hub.Site, "records", n, "lane", first.Lane, "seq", first.Seq, "reason", first.Reason)
	}
	l.events.Publish(Event{Site: hub.Site, Applied: got.applied, Moved: moved(got.applied)})
	out := lane.EncodeReceipt(got.applied.Receipt)
	out.ConsoleTimeMs, out.OrderHead, out.PolicyVersion = l.now().UnixMilli(), got.head, got.policy
	out.Link = l.use(got.settings)
	if out.Orders, err = encodeOrders(got.orders); err != nil {
		return nil, err
	}
	return connect.NewResponse(out), nil
}

// moved reports whether a push has brought anything new.
func moved(a lane.Applied) bool { return len(a.Records)+len(a.States)+len(a.Receipt.Rejected) > 0 }

// received is what a push has come to.
type received struct {
	applied  lane.Applied
	orders   []fleet.Order
	head     uint64
	policy   uint64
	settings store.SiteSettings
	// unwanted counts rows of hours that are not kept.
	unwanted int
}

// receive is the transaction of a push. What is more than the store takes at
// once is cut to its beginning: the receipt says how far it was taken, and the
// hub goes on from there.
func (l *Link) receive(ctx context.Context, hub store.Hub, s *session, push lane.Push) (received, error) {
	for {
		got, err := l.receiveOnce(ctx, hub, s, cut(push, s.most, l.c.MaxPushBytes, s.most))
		if !errors.Is(err, store.ErrTooLarge) || s.most == 1 && push.Traffic == nil {
			return got, err
		}
		if n := len(push.Traffic); n > 1 {
			push.Traffic = push.Traffic[:n/2] // the rest comes again
			continue
		}
		if push.Traffic != nil {
			// What can wait waits: it is not acknowledged, and nothing waits for it.
			l.c.Logger.Error("hour of traffic is larger than a transaction", "site", hub.Site, "parts", push.Traffic[0].Parts)
			push.Traffic = nil
			continue
		}
		s.most = max(1, s.most/4) // for the rest of the session: the next push is like this one
	}
}

func (l *Link) receiveOnce(ctx context.Context, hub store.Hub, s *session, push lane.Push) (received, error) {
	var got received
	err := l.c.Store.UpdateSite(ctx, hub.Site, func(tx store.SiteTx) error {
		if err := allowed(tx, hub); err != nil {
			return err
		}
		if err := l.enter(tx, hub, s); err != nil {
			return err
		}
		wanted, unwanted := l.sift(push.Traffic)
		got = received{unwanted: rowsIn(unwanted)}
		push := push
		push.Traffic = wanted
		var err error
		if got.applied, err = lane.Receive(tx, push); err != nil {
			return err
		}
		for _, p := range unwanted {
			got.applied.Receipt.Hours = append(got.applied.Receipt.Hours, p.TrafficRef)
		}
		if err := l.c.Orders.Applied(tx, got.applied); err != nil {
			return err
		}
		c, err := tx.Contact()
		if err != nil {
			return err
		}
		if err := tx.PutContact(l.pushContact(c, hub, push, got)); err != nil {
			return err
		}
		policy, _, err := tx.Policy()
		if err != nil {
			return err
		}
		got.policy, got.settings = policy.Version, tx.Site().Settings
		got.orders, got.head, err = l.due(tx, push.OrderCursor, l.c.MaxOrderBytes)
		return err
	})
	return got, err
}

// due is what a hub that holds the orders up to cursor is to get.
func (l *Link) due(tx store.SiteTx, cursor uint64, maxBytes int) ([]fleet.Order, uint64, error) {
	seen, err := tx.Seen()
	if err != nil {
		return nil, 0, err
	}
	if seen.Fenced {
		return nil, cursor, nil // nobody knows which of two hubs would do it
	}
	if err := tx.Taken(cursor); err != nil {
		return nil, 0, err
	}
	marks, err := tx.Marks()
	if err != nil || cursor >= marks.Head {
		return nil, marks.Head, err
	}
	orders, err := l.c.Orders.Due(tx, cursor, maxBytes)
	return orders, marks.Head, err
}

// diverged notes that the records of a site and of its hub are not the same.
func (l *Link) diverged(ctx context.Context, hub store.Hub) error {
	return l.c.Store.UpdateSite(ctx, hub.Site, func(tx store.SiteTx) error {
		c, err := tx.Contact()
		if err != nil {
			return err
		}
		c = l.touched(c, hub)
		c.Verdict, c.VerdictAt = lane.VerdictDiverged.String(), c.At
		return errors.Join(tx.PutContact(c), tx.PutSession(store.Session{}))
	})
}

// cut leaves the beginning of a push: at most so many records with so many
// bytes, one at least of a lane that has any left, and so many states.
func cut(p lane.Push, records, bytes, states int) lane.Push {
	batches := p.Batches
	p.Batches = nil
	for _, b := range batches {
		n := 0
		for n < len(b.Records) && records > 0 && (bytes > 0 || n == 0 && len(p.Batches) == 0) {
			bytes -= len(b.Records[n])
			records--
			n++
		}
		b.Records = b.Records[:n]
		if n > 0 {
			p.Batches = append(p.Batches, b)
		}
	}
	if p.State != nil && len(p.State.States) > states {
		s := *p.State
		s.States = cutStates(s, states)
		s.Upto = s.States[len(s.States)-1].Version
		p.State = &s
	}
	return p
}
