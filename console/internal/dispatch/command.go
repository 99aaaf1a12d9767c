package dispatch

import (
	"fmt"
	"slices"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Command is a command as it is known ashore.
type Command struct {
	fleet.Command
	// Cancel is the order to cancel it, while the hub has not answered that.
	Cancel *store.Order
}

// queued is the command of an order of which the hub has not told yet.
func queued(o store.Order) fleet.Command {
	b, ok := o.Body.(fleet.SendCommand)
	if !ok {
		return fleet.Command{}
	}
	c := fleet.Command{
		ID: b.Command, Device: b.Device, Name: b.Name, Args: b.Args, State: fleet.CommandQueued, IssuedBy: o.Actor,
		IssuedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt, Job: b.Job, Order: o.Number, UpdatedAt: o.CreatedAt,
		Steps: []fleet.CommandStep{{State: fleet.CommandQueued, At: o.CreatedAt}},
	}
	ended := func(s fleet.CommandState) {
		c.State, c.UpdatedAt, c.Error = s, o.EndedAt, o.Detail
		c.Steps = append(c.Steps, fleet.CommandStep{State: s, At: o.EndedAt})
	}
	switch o.End {
	case store.OrderExpired:
		ended(fleet.CommandExpired)
	case store.OrderCancelled:
		ended(fleet.CommandCancelled)
	case store.OrderQueued, store.OrderTaken, store.OrderApplied, store.OrderConflict, store.OrderRefused, store.OrderLost:
	}
	return c
}

// Find returns a command, whether the hub has told of it or not;
// fleet.ErrNotFound.
func Find(v store.SiteView, id fleet.CommandID) (Command, error) {
	c, found, err := fleet.Get[fleet.Command](v, fleet.CommandRef(id))
	if err != nil {
		return Command{}, err
	}
	if !found {
		n, wanted, err := v.WantedBy(id)
		if err != nil {
			return Command{}, err
		}
		if !wanted {
			return Command{}, fmt.Errorf("%w: command %s", fleet.ErrNotFound, id)
		}
		o, _, err := v.Order(n)
		if err != nil {
			return Command{}, err
		}
		c = queued(o)
	}
	return withCancel(v, c)
}

// withCancel adds the order to cancel c, if there is one.
func withCancel(v store.SiteView, c fleet.Command) (Command, error) {
	out := Command{Command: c}
	if c.State.Ended() {
		return out, nil
	}
	n, found, err := v.CancelOf(c.ID)
	if err != nil || !found {
		return out, err
	}
	o, found, err := v.Order(n)
	if found {
		out.Cancel = &o
	}
	return out, err
}

// List returns at most limit commands that keep says yes to, the newest first,
// before the given id ("" for all): those that the hub has told of, and those
// that wait for it.
func List(v store.SiteView, before fleet.CommandID, limit int, keep func(fleet.Command) bool) ([]Command, error) {
	var known, waiting []fleet.Command
	err := v.Commands(before, func(c fleet.Command) bool {
		if keep(c) {
			known = append(known, c)
		}
		return len(known) < limit
	})
	if err != nil {
		return nil, err
	}
	var orders []uint64
	err = v.Wanted(before, func(_ fleet.CommandID, n uint64) bool {
		orders = append(orders, n)
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, n := range orders {
		o, _, err := v.Order(n)
		if err != nil {
			return nil, err
		}
		if c := queued(o); keep(c) {
			waiting = append(waiting, c)
		}
		if len(waiting) == limit {
			break
		}
	}
	all := append(known, waiting...)
	slices.SortFunc(all, func(a, b fleet.Command) int {
		switch {
		case a.ID > b.ID:
			return -1
		case a.ID < b.ID:
			return 1
		}
		return 0
	})
	out := make([]Command, 0, min(limit, len(all)))
	for _, c := range all[:min(limit, len(all))] {
		one, err := withCancel(v, c)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}
