package hub

import (
	"context"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account/accountkv"
)

// people are the users, sessions and tokens of the store; what changes them is in
// the audit, by the same decision.
type people struct {
	store   *store.Store
	journal *journal.Journal
}

// View implements accountkv.DB.
func (p people) View(ctx context.Context, fn func(accountkv.Reader) error) error {
	return p.store.People().View(ctx, fn)
}

// Update implements accountkv.DB.
func (p people) Update(ctx context.Context, fn func(accountkv.Writer) error) error {
	return p.journal.Do(ctx, func(tx *journal.Tx) error { return fn(auditedPeople{tx.People(), tx}) })
}

type auditedPeople struct {
	accountkv.Writer
	*journal.Tx
}

var _ accountkv.Auditor = auditedPeople{}
