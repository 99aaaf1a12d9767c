package lane

import (
	"cmp"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// Memories is what Recall reads of the console's store.
type Memories interface {
	fleet.View
	Seen() (Seen, error)
	// RecordsOf calls fn with the records of a lane of any epoch from a number on,
	// until fn says false.
	RecordsOf(e fleet.Epoch, l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) bool) error
}

// Recalled is a part of what a hub has lost: entities as the console holds
// them. Next is what to ask for after it; empty when this was all.
type Recalled struct {
	Entities []fleet.Restated
	Next     string
}

// Recall returns the entities that records changed which the hub may have lost,
// behind after (empty at first), of about maxBytes. The audit is not among
// them: it stays ashore, where it was told.
func Recall(m Memories, after string, maxBytes int) (Recalled, error) {
	refs, err := lost(m)
	if err != nil {
		return Recalled{}, err
	}
	var out Recalled
	for _, ref := range refs {
		name := refName(ref)
		if name <= after {
			continue
		}
		b, err := m.Entity(ref)
		if err != nil {
			return out, err
		}
		if b == nil {
			continue // the record that would have made it was set aside
		}
		if maxBytes -= len(b); maxBytes < 0 && len(out.Entities) > 0 {
			return out, nil
		}
		e, err := fleet.DecodeEntity(ref.Kind, b)
		if err != nil {
			return out, err
		}
		out.Entities, out.Next = append(out.Entities, fleet.Restated{Entity: e}), name
	}
	out.Next = ""
	return out, nil
}

func refName(r fleet.Ref) string { return string(r.Kind) + "\x00" + r.ID }

// lost are the entities that lost records may have changed, in the order of
// their names.
func lost(m Memories) ([]fleet.Ref, error) {
	seen, err := m.Seen()
	if err != nil {
		return nil, err
	}
	found := map[fleet.Ref]bool{}
	for _, v := range seen.Lost {
		for _, l := range fleet.LogLanes() {
			err := m.RecordsOf(v.Epoch, l, v.Behind[l]+1, func(_ fleet.Seq, encoded []byte) bool {
				r, err := wire.DecodeRecord(l, encoded)
				if err != nil {
					return true // a dead letter: it has changed nothing
				}
				for _, ref := range fleet.Touched(r) {
					if fleet.Restatable(ref.Kind) {
						found[ref] = true
					}
				}
				return true
			})
			if err != nil {
				return nil, err
			}
		}
	}
	refs := make([]fleet.Ref, 0, len(found))
	for r := range found {
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b fleet.Ref) int { return strings.Compare(refName(a), refName(b)) })
	return refs, nil
}

// Board is what Restore reads of the hub's store, inside the transaction that
// takes the result.
type Board interface {
	fleet.View
	// EachRecord calls fn with the hub's own records of a lane from a number on.
	EachRecord(l fleet.Lane, from fleet.Seq, fn func(fleet.Seq, []byte) (bool, error)) error
}

// Mine are the entities that the hub has changed by itself behind the given
// numbers: those up to which both ends last agreed.
func Mine(b Board, behind map[fleet.Lane]fleet.Seq) (map[fleet.Ref]bool, error) {
	mine := map[fleet.Ref]bool{}
	for _, l := range fleet.LogLanes() {
		err := b.EachRecord(l, behind[l]+1, func(_ fleet.Seq, encoded []byte) (bool, error) {
			if r, err := wire.DecodeRecord(l, encoded); err == nil {
				for _, ref := range fleet.Touched(r) {
					mine[ref] = true
				}
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return mine, nil
}

// Restore says what is to be told again of the entities that the console
// recalled: one record each for those that differ from what the console or the
// hub holds. finish has the last word on each, such as on a command that nobody
// will answer any more; nil for none.
func Restore(v fleet.View, mine map[fleet.Ref]bool, recalled []fleet.Restated, finish func(fleet.Entity) fleet.Entity) ([]fleet.Restated, error) {
	var out []fleet.Restated
	for _, r := range recalled {
		ref := r.Entity.Ref()
		held, err := v.Entity(ref)
		if err != nil {
			return nil, err
		}
		var ours fleet.Entity
		if held != nil {
			if ours, err = fleet.DecodeEntity(ref.Kind, held); err != nil {
				return nil, err
			}
		}
		e := fleet.Reconcile(ours, r.Entity, mine[ref])
		if finish != nil {
			e = finish(e)
		}
		out = append(out, fleet.Restated{Entity: e})
	}
	slices.SortStableFunc(out, func(a, b fleet.Restated) int { return cmp.Compare(a.Lane(), b.Lane()) })
	return out, nil
}
