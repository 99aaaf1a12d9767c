package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

type receipt struct {
	store.Receipt
	attempt
}

func (n *Notifier) loadReceipts(d fleet.DeviceID) error {
	n.settle()
	queued, err := n.c.Store.Receipts(d)
	if err != nil {
		return fmt.Errorf("read receipts of %s: %w", d, err)
	}
	for _, q := range queued {
		if n.isLeaving(q) {
			continue
		}
		id := q.Press.Ref().ID
		if old, ok := n.receipts[id]; !ok || old.Stage != q.Stage || old.At.Before(q.At) {
			n.receipts[id] = &receipt{Receipt: q}
		}
	}
	return nil
}

// receiptPayload is what a button gets.
type receiptPayload struct {
	BootID     string      `json:"boot_id,omitempty"`
	SequenceID uint64      `json:"sequence_id"`
	Stage      store.Stage `json:"stage"`
}

func (n *Notifier) tellButtons(ctx context.Context, now time.Time, awake map[fleet.DeviceID]bool, wait *time.Duration) error {
	for id, r := range n.receipts {
		if now.Sub(r.At) > n.c.ReceiptLife {
			delete(n.receipts, id)
			n.giveUp(r.Receipt)
			continue
		}
		if !r.due(now, awake[r.Press.Device], n.c.Tries, wait) {
			continue
		}
		d, err := n.c.Devices.Device(r.Press.Device)
		if errors.Is(err, fleet.ErrNotFound) {
			delete(n.receipts, id)
			continue
		}
		if err != nil {
			return err
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
	return nil
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
		if rest, ok := cut(t.ref, requestRef); ok {
			n.heard(t.device, rest)
			continue
		}
		rest, ok := cut(t.ref, receiptRef)
		if !ok {
			continue
		}
		key, stage, err := store.ParseReceiptRef(rest)
		if err != nil || key.Device != t.device {
			continue
		}
		if r, ok := n.receipts[key.Ref().ID]; ok && r.Stage == stage {
			delete(n.receipts, key.Ref().ID)
			n.giveUp(r.Receipt)
		}
	}
}

// giveUp has a receipt forgotten on disk too.
func (n *Notifier) giveUp(r store.Receipt) {
	n.leaving.Lock()
	n.leaving.at[r.Ref()] = r.At
	n.leaving.queue = append(n.leaving.queue, r)
	n.leaving.Unlock()
	select {
	case n.gone <- struct{}{}:
	default:
	}
}

// settle is called before receipts are read from the disk: what has been
// forgotten there by now is not among them. What is forgotten while they are
// read may be, so it stays known as leaving.
func (n *Notifier) settle() {
	n.leaving.Lock()
	defer n.leaving.Unlock()
	for _, r := range n.leaving.left {
		if n.leaving.at[r.Ref()].Equal(r.At) {
			delete(n.leaving.at, r.Ref())
		}
	}
	n.leaving.left = nil
}

// isLeaving reports whether a receipt on disk has been taken by its button. One
// that was queued again since has not.
func (n *Notifier) isLeaving(r store.Receipt) bool {
	n.leaving.Lock()
	defer n.leaving.Unlock()
	at, ok := n.leaving.at[r.Ref()]
	return ok && !r.At.After(at)
}

// forget removes receipts from the disk until ctx ends, as many at once as have
// gathered.
func (n *Notifier) forget(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.gone:
		}
		n.leaving.Lock()
		gone := n.leaving.queue
		n.leaving.queue = nil
		n.leaving.Unlock()
		err := n.c.Store.Update(ctx, func(tx *store.Tx) error {
			tx.Essential()
			for _, r := range gone {
				if err := tx.DeleteReceipt(r); err != nil {
					return err
				}
			}
			return nil
		})
		if errors.Is(err, fleet.ErrFull) {
			continue // they stay known as leaving: their buttons are told once more after a start
		}
		if err != nil {
			return fmt.Errorf("forget %d receipts: %w", len(gone), err)
		}
		n.leaving.Lock()
		n.leaving.left = append(n.leaving.left, gone...)
		n.leaving.Unlock()
	}
}
