package audit

import (
	"fmt"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
)

// List returns the newest entries that f wants, the newest first, at most limit,
// of those before a place (the zero value for all). It looks at no more than
// most entries: next is where to go on, also when few were found; nil at the
// end. fleet.ErrInvalid for a place that is not there.
func List(src Source, f Filter, before Place, limit, most int) (found []fleet.AuditEntry, next *Place, err error) {
	all, err := chains(src)
	if err != nil {
		return nil, nil, err
	}
	slices.Reverse(all)
	r := reader{filter: f, limit: limit, most: most}
	err = r.read(all, before, src.AuditBefore, func(n uint64) uint64 { return n })
	return r.found, r.next, err
}

// Export is List upwards: the oldest entries after a place, the oldest first.
func Export(src Source, f Filter, after Place, limit, most int) (found []fleet.AuditEntry, next *Place, err error) {
	all, err := chains(src)
	if err != nil {
		return nil, nil, err
	}
	r := reader{filter: f, limit: limit, most: most}
	err = r.read(all, after, src.AuditFrom, func(n uint64) uint64 { return n + 1 })
	return r.found, r.next, err
}

type reader struct {
	filter      Filter
	limit, most int
	found       []fleet.AuditEntry
	next        *Place
	seen        int
	last        Place
}

// read goes through the chains in the given order, in each from the place on
// that begin makes of the number that was read last.
func (r *reader) read(all []fleet.Epoch, at Place, each func(fleet.Epoch, uint64, func([]byte) bool) error, begin func(uint64) uint64) error {
	if at.Chain != "" {
		i := slices.Index(all, at.Chain)
		if i < 0 {
			return fmt.Errorf("%w: the audit has no chain %s", fleet.ErrInvalid, at.Chain)
		}
		all = all[i:]
	}
	for _, c := range all {
		if r.filter.Chain != "" && r.filter.Chain != c {
			continue
		}
		from := uint64(0)
		if c == at.Chain {
			from = begin(at.N)
		}
		var wrong error
		err := each(c, from, func(b []byte) bool {
			var e fleet.AuditEntry
			if e, wrong = decode(b); wrong != nil {
				wrong = fmt.Errorf("entry of audit chain %s beside %d: %w", c, r.last.N, wrong)
				return false
			}
			return r.take(Place{c, e.N}, e)
		})
		if wrong != nil {
			return wrong
		}
		if err != nil || r.next != nil {
			return err
		}
	}
	return nil
}

// take looks at an entry, and says whether to go on.
func (r *reader) take(at Place, e fleet.AuditEntry) bool {
	wanted := r.filter.Match(e)
	if r.seen >= r.most || wanted && len(r.found) >= r.limit {
		last := r.last
		r.next = &last
		return false
	}
	r.seen++
	r.last = at
	if wanted {
		r.found = append(r.found, e)
	}
	return true
}
