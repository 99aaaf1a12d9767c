package uplink

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// ErrRestart: the state of the hub was replaced under its parts; it is to be
// opened anew.
var ErrRestart = errors.New("hub has taken back what it had lost and is to start anew")

// Board is the hub as far as a lost store is concerned.
type Board interface {
	// Recover takes what the console gives back, in one transaction with also.
	Recover(ctx context.Context, r Recovery, also func(*journal.Tx) error) error
}

// Recovery is what a hub does after it has lost records, or can send them no
// more.
type Recovery struct {
	// Epoch is that of the life that goes on; the store may still have another.
	Epoch fleet.Epoch
	// Entities are as the console holds them, and Behind up to which numbers both
	// ends hold the same records.
	Entities []fleet.Restated
	Behind   map[fleet.Lane]fleet.Seq
	// Restate: every entity is to be told anew.
	Restate bool
}

// lifeKey holds the epoch that a hub has begun after it was told that its store
// is not what the console knows; until what was lost is taken back.
const lifeKey = "life"

// Restored says that the store was restored from a backup and has a new epoch:
// what the console was known to hold was said of the epoch before. Call it before
// New. The hub's identity towards its console stays.
func Restored(tx *store.Tx, before fleet.Epoch) error {
	saved, _, err := store.TxLink[lane.Saved](tx, savedKey)
	if err != nil {
		return err
	}
	if saved.Epoch == "" {
		saved.Epoch = before
	}
	return tx.PutLink(savedKey, saved)
}

// renewals is how often in a row a new life is tried without being welcomed.
const renewals = 3

// renew begins a new life: the console knows of records that this store has not,
// or of others.
func (u *Uplink) renew(ctx context.Context, why error) error {
	if u.renewed >= renewals {
		return why
	}
	e := fleet.NewEpoch()
	u.c.Logger.Warn("store is not the one that the console knows: a new epoch begins", "error", why, "epoch", e, "epoch_before", u.sender.Epoch())
	u.sender.Renew(e, u.renewed > 0)
	u.renewed++
	err := u.c.Store.Update(ctx, func(tx *store.Tx) error {
		tx.Essential()
		return errors.Join(tx.PutLink(lifeKey, e), tx.PutLink(savedKey, u.sender.Saved()))
	})
	if err != nil {
		return fmt.Errorf("store link state: %w", err)
	}
	return errAgain
}

var errAgain = errors.New("greet again at once")

// recover does what a Welcome asks for before anything else may go up.
func (u *Uplink) recover(ctx context.Context, w lane.Welcome) error {
	r := Recovery{Epoch: u.sender.Epoch(), Restate: w.Restate, Behind: map[fleet.Lane]fleet.Seq{}}
	for _, l := range fleet.LogLanes() {
		r.Behind[l] = w.Durable[l].Seq
	}
	var err error
	if w.Recall {
		if r.Entities, err = u.recall(ctx); err != nil {
			return err
		}
	}
	u.sender.Recovered(w.Recovery)
	err = u.c.Board.Recover(ctx, r, func(tx *journal.Tx) error {
		tx.Essential()
		return errors.Join(tx.PutLink(lifeKey, fleet.Epoch("")), tx.PutLink(savedKey, u.sender.Saved()))
	})
	if err != nil {
		return fmt.Errorf("take back what was lost: %w", err)
	}
	u.c.Logger.Info("took back what was lost", "entities", len(r.Entities), "restated", r.Restate)
	if len(r.Entities) > 0 || r.Epoch != u.c.Epoch {
		return ErrRestart
	}
	return errAgain // so that the console knows
}

// recall asks for everything that the console can give back.
func (u *Uplink) recall(ctx context.Context) ([]fleet.Restated, error) {
	var all []fleet.Restated
	for after := ""; ; {
		call, cancel := context.WithTimeout(ctx, u.c.CallTimeout)
		answer, err := u.link.client.Recall(call, connect.NewRequest(&pb.RecallRequest{
			Ticket: u.sender.Ticket(), After: after, MaxBytes: uint32(u.c.ChunkBytes),
		}))
		cancel()
		if err != nil {
			return nil, fmt.Errorf("recall: %w", err)
		}
		for _, m := range answer.Msg.Entities {
			e, err := wire.DecodeRestated(m)
			if err != nil {
				u.c.Logger.Warn("entity from the console left out", "kind", m.Kind, "id", m.Id, "error", err)
				continue
			}
			all = append(all, e)
		}
		if after = answer.Msg.Next; after == "" {
			return all, nil
		}
	}
}
