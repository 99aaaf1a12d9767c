package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/shared/fleet"
)

// orders acts on what the console wants. Each order is answered by a record:
// a command's own steps, or an OrderAnswered.
type orders struct {
	journal  *journal.Journal
	registry *registry.Registry
	commands *command.Commands
	pki      *pki.PKI
}

// Take implements uplink.Orders.
func (t *orders) Take(ctx context.Context, o fleet.Order, left time.Duration, move func(*journal.Tx) error) error {
	switch body := o.Body.(type) {
	case fleet.SendCommand:
		return t.commands.Accept(ctx, o, body, left, move)
	case fleet.CancelCommand:
		_, err := t.commands.Cancel(ctx, o.Actor, body.Command, func(tx *journal.Tx) error {
			return errors.Join(move(tx), answer(tx, o, nil))
		})
		if refusal(err) {
			return t.refuse(ctx, o, err, move)
		}
		return err
	case fleet.PutDevice:
		return t.change(ctx, o, left, move, func(tx *journal.Tx) error {
			if body.IfVersion == 0 {
				return t.registry.AddIn(tx, o.Actor, body.Device)
			}
			_, err := t.registry.ChangeIn(tx, o.Actor, body.Device, body.IfVersion)
			return err
		})
	case fleet.RemoveDevice:
		return t.change(ctx, o, left, move, func(tx *journal.Tx) error {
			return t.registry.RemoveIn(tx, o.Actor, body.Device, body.IfVersion)
		})
	case fleet.RevokeCertificate:
		// Whenever it comes: a revocation does not get too old.
		return t.change(ctx, o, max(left, time.Second), move, func(tx *journal.Tx) error {
			if body.Serial != "" {
				return t.pki.RevokeIn(tx, o.Actor, body.Serial, body.Reason)
			}
			n, err := t.pki.RevokeAllIn(tx, o.Actor, body.Device, "", body.Reason)
			if err == nil && n == 0 {
				err = fmt.Errorf("%w: device %s has no certificate that counts", fleet.ErrNotFound, body.Device)
			}
			return err
		})
	}
	return t.refuse(ctx, o, errUnknownOrder, move)
}

var errUnknownOrder = errors.New("this hub does not know that kind of order, or it breaks a rule of its kind")

func (t *orders) change(ctx context.Context, o fleet.Order, left time.Duration, move func(*journal.Tx) error, do func(*journal.Tx) error) error {
	if left <= 0 {
		return t.refuse(ctx, o, fleet.ErrExpired, move)
	}
	err := t.journal.Do(ctx, func(tx *journal.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		return errors.Join(move(tx), answer(tx, o, nil))
	})
	if refusal(err) {
		return t.refuse(ctx, o, err, move)
	}
	return err
}

// refusal reports whether err is the hub's word about the order, and not a
// failure of the hub.
func refusal(err error) bool {
	for _, e := range []error{fleet.ErrInvalid, fleet.ErrNotFound, fleet.ErrExists, fleet.ErrVersion, fleet.ErrState, fleet.ErrLimit} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// refuse answers an order without doing anything.
func (t *orders) refuse(ctx context.Context, o fleet.Order, why error, move func(*journal.Tx) error) error {
	return t.journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential() // an order that cannot be taken does not hold up those behind it
		return errors.Join(move(tx), answer(tx, o, why))
	})
}

func answer(tx *journal.Tx, o fleet.Order, why error) error {
	a := fleet.OrderAnswered{Number: o.Number, Order: o.ID, Outcome: fleet.OrderApplied}
	switch {
	case why == nil:
	case errors.Is(why, fleet.ErrVersion):
		a.Outcome = fleet.OrderConflict
	case errors.Is(why, fleet.ErrExpired):
		a.Outcome = fleet.OrderExpired
	default:
		a.Outcome = fleet.OrderRefused
	}
	if why != nil {
		a.Detail = why.Error()
	}
	if a.Order == "" {
		a.Order = fleet.NewUUID[fleet.OrderID](tx.Now()) // the console sent none that can be read
	}
	return tx.Append(fleet.System("uplink"), a)
}
