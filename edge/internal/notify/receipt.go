package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// button is one that is owed receipts.
type button struct {
	owed map[string]*receipt // by the press
	due  time.Time           // when the next of them is to be told
}

type receipt struct {
	store.Receipt
	attempt
}

// maxOwed receipts of one button wait for it to listen, or to come back. The
// oldest are given up: it sends such a press again, and is answered then.
const maxOwed = 64

// owe takes a receipt that is to be told; of a press that is known the one that
// comes later counts.
func (n *Notifier) owe(r store.Receipt) {
	b := n.buttons[r.Press.Device]
	if b == nil {
		b = &button{owed: map[string]*receipt{}}
		n.buttons[r.Press.Device] = b
	}
	press := r.Press.Ref().ID
	if old, known := b.owed[press]; known && r.At.Equal(old.At) && r.Stage == old.Stage {
		return
	}
	b.owed[press], b.due = &receipt{Receipt: r}, time.Time{}
}

// settle ends a debt.
func (n *Notifier) settle(r *receipt) {
	delete(n.buttons[r.Press.Device].owed, r.Press.Ref().ID)
	n.giveUp(r.Receipt)
}

// receiptPayload is what a button gets.
type receiptPayload struct {
	BootID     string      `json:"boot_id,omitempty"`
	SequenceID uint64      `json:"sequence_id"`
	Stage      store.Stage `json:"stage"`
}

func (n *Notifier) tellButtons(ctx context.Context, now time.Time, awake map[fleet.DeviceID]bool, wait *time.Duration) error {
	for id, b := range n.buttons {
		if awake[id] || !now.Before(b.due) {
			next := time.Minute
			if err := n.tellButton(ctx, now, id, b, awake[id], &next); err != nil {
				return err
			}
			b.due = now.Add(next)
		}
		if len(b.owed) == 0 {
			delete(n.buttons, id)
			continue
		}
		*wait = min(*wait, b.due.Sub(now))
	}
	return nil
}

func (n *Notifier) tellButton(ctx context.Context, now time.Time, id fleet.DeviceID, b *button, awake bool, wait *time.Duration) error {
	d, err := n.c.Devices.Device(id)
	gone := errors.Is(err, fleet.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	for _, r := range b.owed {
		if gone || now.Sub(r.At) > n.c.ReceiptLife {
			n.settle(r)
			continue
		}
		if !r.due(now, awake, n.c.Tries, wait) {
			continue
		}
		if n.c.Sender.Why(d, "receipt") != "" {
			r.tries = n.c.Tries // until it listens
			continue
		}
		p := receiptPayload{SequenceID: r.Press.SequenceID, Stage: r.Stage}
		if !r.HubMade {
			p.BootID = r.Press.BootID
		}
		n.send(ctx, d, "receipt", p, receiptRef+r.Ref())
		r.sent(now, n.c.RepeatEvery, wait)
	}
	if len(b.owed) > maxOwed {
		n.trim(b)
	}
	return nil
}

// trim gives up the oldest of too many receipts that are not tried any more.
func (n *Notifier) trim(b *button) {
	var waiting []*receipt
	for _, r := range b.owed {
		if r.tries >= n.c.Tries {
			waiting = append(waiting, r)
		}
	}
	slices.SortFunc(waiting, func(x, y *receipt) int { return x.At.Compare(y.At) })
	for _, r := range waiting[:max(0, len(waiting)-maxOwed)] {
		n.settle(r)
	}
}

const (
	receiptRef = "receipt\x00"
	requestRef = "request\x00"
)

func (n *Notifier) send(ctx context.Context, d fleet.Device, name string, payload any, ref string) {
	b, err := json.Marshal(payload)
	if err == nil {
		err = n.c.Sender.Notify(ctx, Outbound{Device: d, Name: name, Payload: b, Ref: ref})
	}
	if err != nil && ctx.Err() == nil {
		n.c.Logger.Warn("device not told", "device_id", d.ID, "what", name, "error", err)
	}
}

// take forgets what devices have acknowledged.
func (n *Notifier) take(done []taken) {
	for _, t := range done {
		if rest, ok := strings.CutPrefix(t.ref, requestRef); ok {
			n.heard(t.device, rest)
			continue
		}
		rest, ok := strings.CutPrefix(t.ref, receiptRef)
		if !ok {
			continue
		}
		key, stage, err := store.ParseReceiptRef(rest)
		if err != nil || key.Device != t.device {
			continue
		}
		b := n.buttons[t.device]
		if b == nil {
			continue
		}
		if r, ok := b.owed[key.Ref().ID]; ok && r.Stage == stage {
			n.settle(r)
		}
	}
}

// maxLeaving receipts are forgotten in one write: other writes wait for it.
const maxLeaving = 256

// giveUp has a receipt forgotten on disk too; that holds nobody up.
func (n *Notifier) giveUp(r store.Receipt) {
	n.leaving.Lock()
	n.leaving.receipts = append(n.leaving.receipts, r)
	many := len(n.leaving.receipts) >= maxLeaving
	n.leaving.Unlock()
	signal(n.gone)
	if many {
		signal(n.many)
	}
}

// forget removes receipts from the disk until ctx ends, and then what is left.
func (n *Notifier) forget(ctx context.Context) error {
	old := time.NewTicker(forgetLogEvery)
	defer old.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(n.forgetLeaving(context.WithoutCancel(ctx)), n.writeLog(context.WithoutCancel(ctx)))
		case <-old.C:
			if err := n.forgetLog(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			continue
		case <-n.gone:
		}
		gather := time.NewTimer(n.c.ForgetEvery)
		select {
		case <-ctx.Done():
		case <-n.many:
		case <-gather.C:
		}
		gather.Stop()
		if err := errors.Join(n.forgetLeaving(context.WithoutCancel(ctx)), n.writeLog(context.WithoutCancel(ctx))); err != nil {
			return err
		}
	}
}

func (n *Notifier) forgetLeaving(ctx context.Context) error {
	n.leaving.Lock()
	leaving := n.leaving.receipts
	n.leaving.receipts = nil
	n.leaving.Unlock()
	for some := range slices.Chunk(leaving, maxLeaving) {
		err := n.c.Store.Update(ctx, func(tx *store.Tx) error {
			tx.Essential()
			for _, r := range some {
				if err := tx.DeleteReceipt(r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, fleet.ErrFull) { // on a full disk they stay, and are told once more after a start
			return fmt.Errorf("forget %d receipts: %w", len(some), err)
		}
	}
	return nil
}
