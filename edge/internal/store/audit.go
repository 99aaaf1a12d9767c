package store

import (
	"bytes"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// ViewAudit runs fn on one moment of the audit.
func (s *Store) ViewAudit(fn func(audit.Source) error) error {
	snap := s.db.NewSnapshot()
	defer func() { _ = snap.Close() }()
	return fn(auditView{snap})
}

// auditView is the audit among the entities that r reads.
type auditView struct{ r pebble.Reader }

// AuditChains implements audit.Source. Chains are few, and have many entries.
func (v auditView) AuditChains() ([]fleet.Epoch, error) {
	names := map[fleet.Epoch]bool{}
	heads := prefix(tableEntity, string(fleet.EntityAuditHead))
	err := each(v.r, heads, nil, func(k, _ []byte) (bool, error) {
		names[fleet.Epoch(k[len(heads):])] = true
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	entries := prefix(tableEntity, string(fleet.EntityAuditEntry))
	for from := entries; from != nil; {
		var next []byte
		err := each(v.r, entries, from, func(k, _ []byte) (bool, error) {
			chain, _, _ := bytes.Cut(k[len(entries):], []byte{'/'})
			names[fleet.Epoch(chain)] = true
			next = after(slices.Concat(entries, chain, []byte{'/'}))
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
func (v auditView) AuditHead(chain fleet.Epoch) ([]byte, error) {
	return get(v.r, entityKey(fleet.AuditHeadRef(chain)))
}

// AuditFrom implements audit.Source.
func (v auditView) AuditFrom(chain fleet.Epoch, from uint64, fn func([]byte) bool) error {
	p := auditPrefix(chain)
	return each(v.r, p, entityKey(fleet.AuditEntryRef(chain, from)), func(_, b []byte) (bool, error) { return fn(b), nil })
}

// AuditBefore implements audit.Source.
func (v auditView) AuditBefore(chain fleet.Epoch, before uint64, fn func([]byte) bool) error {
	p := auditPrefix(chain)
	upper := after(p)
	if before != 0 {
		upper = entityKey(fleet.AuditEntryRef(chain, before))
	}
	return back(v.r, p, upper, fn)
}

func auditPrefix(chain fleet.Epoch) []byte {
	return append(prefix(tableEntity, string(fleet.EntityAuditEntry)), chain+"/"...)
}
