package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// Chain is what Verify says of one chain.
type Chain struct {
	Chain fleet.Epoch `json:"chain"`
	// Entries that are there.
	Entries uint64 `json:"entries"`
	// Head is the hash of the last entry that was found good; empty without one.
	Head string `json:"head"`
	OK   bool   `json:"ok"`
	// FirstBad is the number of the first entry that is wrong or missing, and What
	// is what is wrong there.
	FirstBad uint64 `json:"first_bad,omitempty"`
	What     string `json:"what,omitempty"`
	// Continues is the entry whose hash the first one of the chain has; nil for a
	// chain that continues nothing, or an entry that is not here.
	Continues *Place `json:"continues,omitempty"`
}

// Verify walks through all chains, the oldest first. whole says that what a chain
// continues must be here: so it is where entries are written, and not where they
// are sent to. An error means that the reading failed.
func Verify(src Source, whole bool) ([]Chain, error) {
	all, err := chains(src)
	if err != nil {
		return nil, err
	}
	v := verification{src: src, places: map[string]Place{}}
	for _, c := range all {
		err := src.AuditFrom(c, 0, func(b []byte) bool {
			if e, err := decode(b); err == nil && e.Prev != "" {
				v.places[e.Prev] = Place{}
			}
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	out := []Chain{}
	var prevs []string
	for _, c := range all {
		one, prev, err := v.chain(c)
		if err != nil {
			return nil, err
		}
		out, prevs = append(out, one), append(prevs, prev)
	}
	for i := range out {
		place, known := v.places[prevs[i]]
		known = known && place.N != 0
		switch {
		case known:
			out[i].Continues = &place
		case whole && prevs[i] != "":
			out[i].wrong(1, "audit entry 1 continues an entry that is not here")
		}
	}
	return out, nil
}

// Wrong returns the chains that are not OK, in words.
func Wrong(all []Chain) []string {
	var out []string
	for _, c := range all {
		if !c.OK {
			out = append(out, fmt.Sprintf("chain %s: %s", c.Chain, c.What))
		}
	}
	return out
}

func (c *Chain) wrong(n uint64, what string) {
	if c.OK {
		c.OK, c.FirstBad, c.What = false, n, what
	}
}

type verification struct {
	src    Source
	places map[string]Place // by hash: those that other chains continue
}

// chain walks through one chain, and returns what its first entry continues.
func (v *verification) chain(c fleet.Epoch) (out Chain, prev string, err error) {
	out = Chain{Chain: c, OK: true}
	looked := uint64(0) // the number that the entry which VerifyAudit saw last must have
	var failed error
	head, wrong := fleet.VerifyAudit(func(yield func(fleet.AuditEntry, error) bool) {
		good := true
		failed = v.src.AuditFrom(c, 0, func(b []byte) bool {
			e, err := decode(b)
			out.Entries++
			if err == nil {
				if out.Entries == 1 {
					prev = e.Prev
				}
				if _, wanted := v.places[e.Hash]; wanted {
					v.places[e.Hash] = Place{c, e.N}
				}
			}
			if !good {
				return true // only counted
			}
			looked++
			switch {
			case err != nil:
				err = fmt.Errorf("audit entry %d: %w", looked, err)
			case e.Chain != c:
				err = fmt.Errorf("%w: audit entry %d is one of chain %s", fleet.ErrState, e.N, e.Chain)
			case out.Entries == 1 && e.N != 1:
				err = fmt.Errorf("%w: audit entry %d is the first that is there: those before are missing", fleet.ErrState, e.N)
			}
			good = yield(e, err) && err == nil
			return true
		})
	})
	if failed != nil {
		return out, prev, failed
	}
	out.Head = head.Hash
	if wrong != nil {
		out.wrong(looked, bare(wrong))
		return out, prev, nil
	}
	return out, prev, v.head(&out, head)
}

// bare is what err says without the words of its kind.
func bare(err error) string {
	text := err.Error()
	if errors.Is(err, fleet.ErrState) {
		text = strings.Replace(text, fleet.ErrState.Error()+": ", "", 1)
	}
	return text
}

// head compares the stored head with the last entry.
func (v *verification) head(out *Chain, last fleet.AuditHead) error {
	b, err := v.src.AuditHead(out.Chain)
	if err != nil {
		return err
	}
	var stored fleet.AuditHead
	if b != nil {
		err = json.Unmarshal(b, &stored)
	}
	switch {
	case err != nil:
		out.wrong(last.N, "the head of the audit cannot be read: "+err.Error())
	case b == nil:
		out.wrong(last.N, fmt.Sprintf("audit entry %d is the last, and there is no head", last.N))
	case stored.N > last.N:
		out.wrong(last.N+1, fmt.Sprintf("audit entry %d is missing: the head says that there are %d", last.N+1, stored.N))
	case stored.Chain != out.Chain || stored.N != last.N || stored.Hash != last.Hash:
		out.wrong(last.N, fmt.Sprintf("audit entry %d is not what the head says", last.N))
	}
	return nil
}
