package badger

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// errAudits: the transaction adds to the audit, and is to run again while no
// other does. Each entry continues the one before, so they come one after the
// other; transactions that add none never wait for it.
var errAudits = errors.New("transaction adds to the audit")

// newestKey holds the newest entry's place and hash, of whatever chain.
var newestKey = fleetKey(fleetMeta, "audit")

// audit adds an entry to the console's own audit.
func (t *tx) audit(by fleet.Actor, action, target string, detail map[string]string) error {
	if !t.mayAudit {
		t.wantsAudit = true
		return errAudits
	}
	newest, _, err := getJSON[fleet.AuditHead](t, newestKey)
	if err != nil {
		return err
	}
	id, _, err := getJSON[store.Identity](t, fleetKey(fleetMeta, "identity"))
	if err != nil {
		return err
	}
	e, err := store.NextAuditEntry(newest, id, t.now(), by, action, target, detail)
	if err != nil {
		return err
	}
	head := fleet.AuditHead{Chain: e.Chain, N: e.N, Hash: e.Hash}
	rows := ownAudit(t)
	return errors.Join(
		t.setJSON(rows.key(e.Chain, e.N), e), t.setJSON(rows.head(e.Chain), head), t.setJSON(newestKey, head),
	)
}

// Audit implements store.Store.
func (s *Store) Audit(ctx context.Context, by fleet.Actor, action, target string, detail map[string]string) error {
	return s.update(ctx, func(t *tx) error { return t.audit(by, action, target, detail) })
}

// ViewAudit implements store.Store.
func (s *Store) ViewAudit(ctx context.Context, fn func(audit.Source) error) error {
	return s.view(ctx, func(t *tx) error { return fn(ownAudit(t)) })
}

// Audit implements store.SiteTx.
func (s *site) Audit(by fleet.Actor, action, target string, detail map[string]string) error {
	return s.t.audit(by, action, target, detail)
}

// HubAudit implements store.SiteView.
func (s *site) HubAudit() audit.Source {
	return auditRows{s.t, entityPrefix(s.id, fleet.EntityAuditHead), entityPrefix(s.id, fleet.EntityAuditEntry)}
}

// ownAudit is the console's own.
func ownAudit(t *tx) auditRows {
	return auditRows{t, fleetKey(fleetAuditHead), fleetKey(fleetAudit)}
}

// auditRows is an audit whose heads and entries begin with these keys, and have
// the ids of fleet behind them.
type auditRows struct {
	t              *tx
	heads, entries []byte
}

func (r auditRows) key(chain fleet.Epoch, n uint64) []byte {
	return slices.Concat(r.entries, []byte(fleet.AuditEntryRef(chain, n).ID))
}

func (r auditRows) head(chain fleet.Epoch) []byte { return slices.Concat(r.heads, []byte(chain)) }

func (r auditRows) prefix(chain fleet.Epoch) []byte {
	return slices.Concat(r.entries, []byte(chain), []byte{'/'})
}

// AuditChains implements audit.Source. Chains are few, and have many entries.
func (r auditRows) AuditChains() ([]fleet.Epoch, error) {
	names := map[fleet.Epoch]bool{}
	err := r.t.keys(r.heads, nil, func(k []byte) (bool, error) {
		names[fleet.Epoch(k[len(r.heads):])] = true
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for from := r.entries; from != nil; {
		var next []byte
		err := r.t.keys(r.entries, from, func(k []byte) (bool, error) {
			chain, _, _ := bytes.Cut(k[len(r.entries):], []byte{'/'})
			names[fleet.Epoch(chain)] = true
			next = after(r.prefix(fleet.Epoch(chain)))
			return false, nil
		})
		if err != nil {
			return nil, err
		}
		from = next
	}
	return slices.Collect(maps.Keys(names)), nil
}

// AuditHead implements audit.Source.
func (r auditRows) AuditHead(chain fleet.Epoch) ([]byte, error) { return r.t.get(r.head(chain)) }

// AuditFrom implements audit.Source.
func (r auditRows) AuditFrom(chain fleet.Epoch, from uint64, fn func([]byte) bool) error {
	return r.t.each(r.prefix(chain), r.key(chain, from), func(_, v []byte) (bool, error) { return fn(v), nil })
}

// AuditBefore implements audit.Source.
func (r auditRows) AuditBefore(chain fleet.Epoch, before uint64, fn func([]byte) bool) error {
	var upper []byte
	if before != 0 {
		upper = r.key(chain, before)
	}
	return r.t.back(r.prefix(chain), upper, func(_, v []byte) (bool, error) { return fn(v), nil })
}
