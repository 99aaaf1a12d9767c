package hublink

import (
	"cmp"
	"context"
	"fmt"
	"time"

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
	hello.Hub = string(hub.ID)
	if again, err := l.greets.admit(ctx, hub.ID, l.now()); err != nil {
		return nil, err
	} else if again > 0 {
		return connect.NewResponse(lane.EncodeWelcome(lane.Welcome{Verdict: lane.VerdictWait, Wait: again})), nil
	}
	p := l.peer(hub.ID)
	leave, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var w lane.Welcome
	var settings store.SiteSettings
	ticket, hash := newTicket()
	err = l.c.Store.UpdateSite(ctx, hub.Site, func(tx store.SiteTx) error {
		if err := allowed(tx, hub); err != nil {
			return err
		}
		settings = tx.Site().Settings
		var err error
		if w, err = l.greet(tx, hub, m, hello); err != nil {
			return err
		}
		var opened store.Session
		if greeted(w) {
			opened = store.Session{
				Hub: hub.ID, Ticket: hash, Epoch: hello.Epoch, BootID: hello.BootID, Console: l.c.Identity.Epoch, At: l.now(),
			}
		}
		return tx.PutSession(opened)
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
	}
	if w.Verdict != lane.VerdictOK {
		l.c.Logger.Warn("hub not in line with what is held", "site", hub.Site, "hub", hub.ID, "verdict", w.Verdict.String())
	}
	l.events.Publish(Event{Site: hub.Site, Hub: hub.ID, Ticket: hash})
	out := lane.EncodeWelcome(w)
	out.ConsoleTimeMs = l.now().UnixMilli()
	out.Policy = l.use(settings)
	return connect.NewResponse(out), nil
}

// What a hub is asked to keep to on a link profile, unless the site's settings
// say something else.
const (
	economyState, economyDay = 5 * time.Minute, 2_500_000
	crisisState, crisisDay   = time.Hour, 600_000
)

// use is how a site's link is to be used.
func (l *Link) use(s store.SiteSettings) *pb.LinkPolicy {
	every, day := l.c.StateEvery, uint64(0)
	switch s.Link {
	case store.LinkEconomy:
		every, day = economyState, economyDay
	case store.LinkCrisis:
		every, day = crisisState, crisisDay
	case store.LinkDefault:
	}
	return &pb.LinkPolicy{StateIntervalMs: uint32(every.Milliseconds()), BytesPerDay: cmp.Or(s.BytesPerDay, day)}
}

// greet is the transaction of a Hello.
func (l *Link) greet(tx store.SiteTx, hub store.Hub, m *pb.HelloRequest, hello lane.Hello) (lane.Welcome, error) {
	marks, err := tx.Marks()
	if err != nil {
		return lane.Welcome{}, err
	}
	before, err := tx.Seen()
	if err != nil {
		return lane.Welcome{}, err
	}
	w, err := lane.Greet(tx, hello, lane.Given{Offered: marks.Offered, Taken: marks.Taken, Console: l.c.Identity.Epoch})
	if err != nil {
		return w, err
	}
	if greeted(w) && w.Verdict != lane.VerdictFenced {
		if err := l.settle(tx, m, hello, w); err != nil {
			return w, err
		}
		if marks, err = tx.Marks(); err != nil {
			return w, err
		}
	}
	w.OrderHead = marks.Head
	policy, _, err := tx.Policy()
	if err != nil {
		return w, err
	}
	w.Policy = policy.Version
	after, err := tx.Seen()
	if err != nil {
		return w, err
	}
	if w.Began {
		err = tx.Audit(fleet.System("hublink"), "hub.restored", string(hub.Site), map[string]string{
			"hub_id": string(hub.ID), "epoch": string(hello.Epoch), "epoch_before": string(hello.Former),
		})
	}
	if err == nil && after.Fenced && !before.Fenced {
		err = tx.Audit(fleet.System("hublink"), "hub.cloned", string(hub.Site), map[string]string{
			"hub_id": string(hub.ID), "boot_id": hello.BootID, "boot_id_before": before.Boot,
		})
	}
	if err != nil {
		return w, err
	}
	c, err := tx.Contact()
	if err != nil {
		return w, err
	}
	return w, tx.PutContact(l.helloContact(c, hub, m, hello, w))
}

// settle brings the orders in line with what the hub says it has taken: this
// store may be the older one, and so may the hub's.
func (l *Link) settle(tx store.SiteTx, m *pb.HelloRequest, hello lane.Hello, w lane.Welcome) error {
	id := l.c.Identity
	marks, err := tx.Marks()
	if err != nil {
		return err
	}
	known := m.ConsoleId == id.ConsoleID
	switch {
	case known && m.ConsoleEpoch != id.Epoch && hello.OrderCursor > marks.Taken:
		// The hub has taken orders that this store has forgotten.
		if err := tx.Renumber(hello.OrderCursor, id.CreatedAt); err != nil {
			return err
		}
	case known && hello.OrderCursor > marks.Offered:
		// So this store is an old copy too, but nobody has said so. What was made
		// since the console was started on it cannot be what the hub has taken.
		if err := tx.Renumber(hello.OrderCursor, l.since); err != nil {
			return err
		}
		l.c.Logger.Warn("hub has taken orders that this console does not know: its store is an old copy", "site", tx.Site().ID, "taken", hello.OrderCursor, "offered", marks.Offered)
		err := tx.Audit(fleet.System("hublink"), "console.rolled_back", string(tx.Site().ID), map[string]string{
			"orders_taken": fmt.Sprint(hello.OrderCursor), "orders_offered": fmt.Sprint(marks.Offered),
		})
		if err != nil {
			return err
		}
	}
	if !w.Began {
		return tx.Taken(max(hello.OrderCursor, w.OrderFloor))
	}
	for n := hello.OrderCursor + 1; n <= w.OrderFloor; n++ {
		if err := l.c.Orders.Lost(tx, n); err != nil {
			return err
		}
	}
	return tx.Taken(w.OrderFloor)
}

// greeted reports whether a Hello opens a session.
func greeted(w lane.Welcome) bool {
	return w.Verdict == lane.VerdictOK || w.Verdict == lane.VerdictAhead || w.Verdict == lane.VerdictFenced
}
