package console

import (
	"context"
	"errors"
	"time"

	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/hublink"
	"github.com/obedio/obedio/console/internal/relay"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// Several consoles may share a store. What they hold in common is in it: what
// a hub's Hello has opened, orders, sessions of people. The relay only shortens
// the time until one hears of what came in at another; without it a console
// shows what the others took when it next reads, and a hub's question for orders
// is answered when its time is over.

// mostRefs of a change are named to other consoles; they read more than that
// again.
const mostRefs = 500

// tellOthers tells other consoles what happens here.
func (v *Console) tellOthers(ctx context.Context) error {
	orders := make(chan struct{})
	go func() {
		defer close(orders)
		each(ctx, v.dispatch.Events(), v.missedHere, func(e dispatch.Event) {
			if !e.Far {
				v.relay.Send(relay.Message{Site: e.Site, Order: e.Order.Number})
			}
		})
	}()
	each(ctx, v.link.Events(), v.missedHere, func(e hublink.Event) {
		if e.Far {
			return
		}
		m := relay.Message{Site: e.Site, Contact: true, Moved: e.Moved, Refs: e.Changed(), Hub: e.Hub}
		if e.Hub != "" && e.Ticket != (store.SecretHash{}) {
			m.Ticket = e.Ticket[:]
		}
		if len(m.Refs) > mostRefs {
			m.Refs, m.More = nil, true
		}
		v.relay.Send(m)
	})
	<-orders
	return nil
}

func (v *Console) missedHere() { v.relay.Send(relay.Message{Missed: true}) }

// hearOthers takes up what happens at other consoles.
func (v *Console) hearOthers(ctx context.Context) error {
	each(ctx, v.relay.Messages(), v.resync, func(m relay.Message) {
		switch {
		case m.Missed:
			v.resync()
		case m.Order != 0:
			if err := v.dispatch.Tell(ctx, m.Site, m.Order); err != nil && ctx.Err() == nil {
				v.log.Warn("order of another console not read", "site", m.Site, "order", m.Order, "error", err)
				v.resync()
			}
		case m.Contact:
			e := hublink.Event{Site: m.Site, Moved: m.Moved, Refs: m.Refs, More: m.More, Hub: m.Hub}
			copy(e.Ticket[:], m.Ticket)
			v.link.Tell(e)
		}
	})
	return nil
}

// resync reads everything again, and makes those who look on do so: something
// may have been missed.
func (v *Console) resync() {
	v.link.WakeAll()
	v.fleet.TouchAll()
	v.api.Resync()
}

// each calls fn with what comes after now, and lagged when something was
// missed, until ctx ends.
func each[T any](ctx context.Context, from *feed.Feed[T], lagged func(), fn func(T)) {
	r := from.Subscribe(from.Head())
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			lagged()
		case err != nil:
			return
		default:
			fn(item.Value)
		}
	}
}

// leads reports whether this console is the one that does a piece of work that
// all would do alike.
func (v *Console) leads(work string, ttl time.Duration) func(context.Context) bool {
	return func(ctx context.Context) bool {
		mine, err := v.store.Lead(ctx, work, v.self, ttl)
		if err != nil && ctx.Err() == nil {
			v.log.Warn("not known which console works", "work", work, "error", err)
		}
		return mine
	}
}

// newSelf names this run of a console among those that share a store.
func newSelf(now time.Time) string { return string(fleet.NewUUID[fleet.OrderID](now)) }
