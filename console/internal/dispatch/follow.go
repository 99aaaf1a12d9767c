package dispatch

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// Applied ends the orders that the hub's records speak of, in the transaction
// that folds them.
func (d *Dispatch) Applied(tx store.SiteTx, a lane.Applied) error {
	now := fleet.Millis(d.c.Now())
	for _, change := range a.Changes {
		var n uint64
		var end store.OrderState
		var detail string
		switch e := change.After.(type) {
		case fleet.Command:
			n = e.Order
			end, detail = endOf(e)
			if err := d.settle(tx, e.Job, e.Device, e.ID, e.State, e.Error, now); err != nil {
				return err
			}
		case fleet.OrderAnswer:
			n, end, detail = e.Number, answerOf(e.Outcome), e.Detail
		}
		if n == 0 || end == "" {
			continue
		}
		o, found, err := tx.Order(n)
		if err != nil {
			return err
		}
		if !found || !speaksOf(change.After, o) {
			continue // a number of another life of this console
		}
		if err := tx.EndOrder(n, end, detail, now); err != nil {
			return err
		}
		if o, _, err = tx.Order(n); err == nil {
			err = d.settleOrder(tx, o, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Lost ends an order that a hub took which has lost its store, in the
// transaction of its greeting: whether it was done is not known.
func (d *Dispatch) Lost(tx store.SiteTx, n uint64) error {
	o, found, err := tx.Order(n)
	if err != nil || !found || o.End != "" {
		return err
	}
	now := fleet.Millis(d.c.Now())
	if err := tx.EndOrder(n, store.OrderLost, "the hub has lost its store: whether this was done is not known", now); err != nil {
		return err
	}
	if o, _, err = tx.Order(n); err != nil {
		return err
	}
	return d.settleOrder(tx, o, now)
}

// speaksOf reports whether e is what became of o.
func speaksOf(e fleet.Entity, o store.Order) bool {
	switch e := e.(type) {
	case fleet.Command:
		b, ok := o.Body.(fleet.SendCommand)
		return ok && b.Command == e.ID
	case fleet.OrderAnswer:
		return e.Order == o.ID
	}
	return false
}

// endOf is the end of the order for a command that has ended; "" before. The
// order is applied when the hub has done what it could, whatever the device
// made of it.
func endOf(c fleet.Command) (store.OrderState, string) {
	switch c.State {
	case fleet.CommandSucceeded:
		return store.OrderApplied, ""
	case fleet.CommandFailed:
		for _, s := range c.Steps {
			if s.State == fleet.CommandSent {
				return store.OrderApplied, "the command failed: " + c.Error
			}
		}
		return store.OrderRefused, c.Error
	case fleet.CommandExpired:
		return store.OrderExpired, c.Error
	case fleet.CommandCancelled:
		return store.OrderCancelled, ""
	case fleet.CommandSuperseded:
		return store.OrderCancelled, "superseded by a newer command"
	case fleet.CommandQueued, fleet.CommandAtHub, fleet.CommandSent, fleet.CommandDelivered, fleet.CommandAcknowledged:
	}
	return "", ""
}

func answerOf(o fleet.OrderOutcome) store.OrderState {
	switch o {
	case fleet.OrderApplied:
		return store.OrderApplied
	case fleet.OrderConflict:
		return store.OrderConflict
	case fleet.OrderRefused:
		return store.OrderRefused
	case fleet.OrderExpired:
		return store.OrderExpired
	}
	return ""
}

// Due returns the orders behind a hub's cursor, at most about maxBytes of them
// and at least one if there is one, and notes that they are offered.
func (d *Dispatch) Due(tx store.SiteTx, cursor uint64, maxBytes int) ([]fleet.Order, error) {
	var due []fleet.Order
	var failed error
	err := tx.OrdersAfter(cursor, func(o store.Order) bool {
		m, err := wire.EncodeOrder(o.Order)
		if err != nil {
			failed = fmt.Errorf("order %d: %w", o.Number, err)
			return false
		}
		if maxBytes -= proto.Size(m); maxBytes < 0 && len(due) > 0 {
			return false
		}
		if o.End != "" {
			o.ExpiresAt = o.CreatedAt // its end is known: nothing is to be done any more
		}
		due = append(due, o.Order)
		return true
	})
	if err != nil || failed != nil || len(due) == 0 {
		return nil, errors.Join(err, failed)
	}
	return due, tx.Offered(due[len(due)-1].Number)
}
