package audit

import (
	"maps"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// Of returns the audit among entities in their stored form.
func Of(all map[fleet.Ref][]byte) Source {
	s := memory{heads: map[fleet.Epoch][]byte{}, entries: map[fleet.Epoch][]string{}, all: all}
	for ref, b := range all {
		switch ref.Kind {
		case fleet.EntityAuditHead:
			s.heads[fleet.Epoch(ref.ID)] = b
		case fleet.EntityAuditEntry:
			chain, _, _ := strings.Cut(ref.ID, "/")
			s.entries[fleet.Epoch(chain)] = append(s.entries[fleet.Epoch(chain)], ref.ID)
		default:
		}
	}
	for _, ids := range s.entries {
		slices.Sort(ids)
	}
	return s
}

// memory is the audit of a map.
type memory struct {
	heads   map[fleet.Epoch][]byte
	entries map[fleet.Epoch][]string // ids, sorted
	all     map[fleet.Ref][]byte
}

// AuditChains implements Source.
func (m memory) AuditChains() ([]fleet.Epoch, error) {
	names := map[fleet.Epoch]bool{}
	for c := range m.heads {
		names[c] = true
	}
	for c := range m.entries {
		names[c] = true
	}
	return slices.Collect(maps.Keys(names)), nil
}

// AuditHead implements Source.
func (m memory) AuditHead(c fleet.Epoch) ([]byte, error) { return m.heads[c], nil }

// AuditFrom implements Source.
func (m memory) AuditFrom(c fleet.Epoch, from uint64, fn func([]byte) bool) error {
	i, _ := slices.BinarySearch(m.entries[c], fleet.AuditEntryRef(c, from).ID)
	for _, id := range m.entries[c][i:] {
		if !fn(m.all[fleet.Ref{Kind: fleet.EntityAuditEntry, ID: id}]) {
			return nil
		}
	}
	return nil
}

// AuditBefore implements Source.
func (m memory) AuditBefore(c fleet.Epoch, before uint64, fn func([]byte) bool) error {
	i := len(m.entries[c])
	if before != 0 {
		i, _ = slices.BinarySearch(m.entries[c], fleet.AuditEntryRef(c, before).ID)
	}
	for _, id := range slices.Backward(m.entries[c][:i]) {
		if !fn(m.all[fleet.Ref{Kind: fleet.EntityAuditEntry, ID: id}]) {
			return nil
		}
	}
	return nil
}
