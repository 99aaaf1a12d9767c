package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

type receipt struct {
	store.Receipt
	attempt
}

// owe takes a receipt that is to be told. Of a press that is known the newer
// one counts.
func (n *Notifier) owe(r store.Receipt) {
	id := r.Press.Ref().ID
	if old, ok := n.receipts[id]; ok && (r.At.Before(old.At) || r.At.Equal(old.At) && r.Stage == old.Stage) {
		return
	}
	n.receipts[id] = &receipt{Receipt: r}
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
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-n.gone:
			gather := time.NewTimer(n.c.ForgetEvery)
			select {
			case <-ctx.Done():
			case <-n.many:
			case <-gather.C:
			}
			gather.Stop()
		}
		if err := n.forgetLeaving(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
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
