package postgres

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// ViewAudit implements store.Store.
func (s *Store) ViewAudit(ctx context.Context, fn func(audit.Source) error) error {
	return s.view(ctx, query{sql: "SELECT 1"}, func(t *tx) error { return fn(ownAudit{t}) })
}

// ownAudit is the console's own.
type ownAudit struct{ t *tx }

// AuditChains implements audit.Source.
func (a ownAudit) AuditChains() ([]fleet.Epoch, error) {
	var all []fleet.Epoch
	err := a.t.read(func(r pgx.Rows) error {
		var c fleet.Epoch
		err := r.Scan(&c)
		all = append(all, c)
		return err
	}, "SELECT chain FROM audit_heads UNION SELECT DISTINCT chain FROM audit_entries")
	return all, err
}

// AuditHead implements audit.Source.
func (a ownAudit) AuditHead(chain fleet.Epoch) ([]byte, error) {
	b, _, err := one[[]byte](a.t, "SELECT head FROM audit_heads WHERE chain = $1", chain)
	return b, err
}

// AuditFrom implements audit.Source.
func (a ownAudit) AuditFrom(chain fleet.Epoch, from uint64, fn func([]byte) bool) error {
	return listed(a.t, int64(from)-1, func(_ int64, b []byte) (bool, error) { return fn(b), nil },
		"SELECT n, entry FROM audit_entries WHERE chain = $1 AND n > $2 ORDER BY n LIMIT $3", chain)
}

// AuditBefore implements audit.Source.
func (a ownAudit) AuditBefore(chain fleet.Epoch, before uint64, fn func([]byte) bool) error {
	return listed(a.t, upper(before), func(_ int64, b []byte) (bool, error) { return fn(b), nil },
		"SELECT n, entry FROM audit_entries WHERE chain = $1 AND n < $2 ORDER BY n DESC LIMIT $3", chain)
}

// upper is the bound of a list downwards; 0 is none.
func upper(n uint64) int64 {
	if n == 0 || n > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n)
}

// hubAudit is what a hub has told of its audit: entities like others.
type hubAudit struct{ s *site }

// HubAudit implements store.SiteView.
func (s *site) HubAudit() audit.Source { return hubAudit{s} }

// AuditChains implements audit.Source. Chains are few, and have many entries.
func (a hubAudit) AuditChains() ([]fleet.Epoch, error) {
	var all []fleet.Epoch
	err := a.s.t.read(func(r pgx.Rows) error {
		var c fleet.Epoch
		err := r.Scan(&c)
		all = append(all, c)
		return err
	}, `SELECT id FROM entities WHERE site_id = $1 AND kind = $2
		UNION SELECT DISTINCT split_part(id, '/', 1) FROM entities WHERE site_id = $1 AND kind = $3`,
		a.s.row.ID, fleet.EntityAuditHead, fleet.EntityAuditEntry)
	return all, err
}

// AuditHead implements audit.Source.
func (a hubAudit) AuditHead(chain fleet.Epoch) ([]byte, error) {
	return a.s.Entity(fleet.Ref{Kind: fleet.EntityAuditHead, ID: string(chain)})
}

const (
	entitiesUp   = "SELECT id, entity FROM entities WHERE site_id = $1 AND kind = $2 AND id < $3 AND id > $4 ORDER BY id LIMIT $5"
	entitiesDown = "SELECT id, entity FROM entities WHERE site_id = $1 AND kind = $2 AND id > $3 AND id < $4 ORDER BY id DESC LIMIT $5"
)

// AuditFrom implements audit.Source. The numbers in the ids of entries have one
// width, and sort as text.
func (a hubAudit) AuditFrom(chain fleet.Epoch, from uint64, fn func([]byte) bool) error {
	begin := fleet.AuditEntryRef(chain, max(from, 1)-1).ID // behind this one
	return listed(a.s.t, begin, func(_ string, b []byte) (bool, error) { return fn(b), nil },
		entitiesUp, a.s.row.ID, fleet.EntityAuditEntry, endOf(chain))
}

// AuditBefore implements audit.Source.
func (a hubAudit) AuditBefore(chain fleet.Epoch, before uint64, fn func([]byte) bool) error {
	end := endOf(chain)
	if before != 0 {
		end = fleet.AuditEntryRef(chain, before).ID
	}
	return listed(a.s.t, end, func(_ string, b []byte) (bool, error) { return fn(b), nil },
		entitiesDown, a.s.row.ID, fleet.EntityAuditEntry, string(chain)+"/")
}

// endOf is behind every id of a chain's entries: '0' follows '/'.
func endOf(chain fleet.Epoch) string { return string(chain) + "0" }
