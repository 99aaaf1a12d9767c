package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Standing is where a document or a site stands between what is wanted and what
// the hub has told.
type Standing string

// The standings.
const (
	// InSync: the hub has what is wanted.
	InSync Standing = "in_sync"
	// Pending: the hub has not told yet what became of the newest version.
	Pending Standing = "pending"
	// Refused: the hub has refused the newest version whole.
	Refused Standing = "refused"
	// Overridden: it was changed on board, and stays so until somebody adopts it or
	// has it dropped.
	Overridden Standing = "overridden"
	// Differs: the hub has told of another body, and not of an override.
	Differs Standing = "differs"
	// Unmanaged: nothing is wanted.
	Unmanaged Standing = "unmanaged"
)

// Drift is what is wanted of a document, and what the hub has.
type Drift struct {
	fleet.DocumentName
	Standing Standing
	Wanted   json.RawMessage
	// Board is what the hub has told; nil when it has none.
	Board *fleet.Document
	Piece string
	Hides []string
}

// SiteDrift is the policy of a site.
type SiteDrift struct {
	Standing Standing
	// Wanted is the version that is wanted; 0 for nothing.
	Wanted    uint64
	Applied   fleet.AppliedPolicy
	Documents []Drift
}

// Drift compares what is wanted of a site with what its hub has told. all says
// whether documents that are not wanted are named too.
func (p *Policies) Drift(v store.SiteView, all bool) (SiteDrift, error) {
	var out SiteDrift
	policy, _, err := v.Policy()
	if err != nil {
		return out, err
	}
	out.Wanted = policy.Version
	if out.Applied, _, err = fleet.Get[fleet.AppliedPolicy](v, fleet.AppliedPolicyRef()); err != nil {
		return out, err
	}
	board := map[fleet.DocumentName]fleet.Document{}
	if err := v.Policies(func(d fleet.Document) bool {
		if !d.Removed {
			board[fleet.DocumentName{Kind: d.Kind, Name: d.Name}] = d
		}
		return true
	}); err != nil {
		return out, err
	}
	sources := map[fleet.DocumentName]Source{}
	for _, s := range p.WantedOf(v.Site()) {
		sources[fleet.DocumentName{Kind: s.Kind, Name: s.Name}] = s
	}
	for _, d := range policy.Documents {
		n := fleet.DocumentName{Kind: d.Kind, Name: d.Name}
		one := Drift{DocumentName: n, Wanted: d.Body, Piece: sources[n].Piece, Hides: sources[n].Hides}
		if b, found := board[n]; found {
			one.Board = &b
		}
		one.Standing = standing(out, one)
		out.Documents = append(out.Documents, one)
		delete(board, n)
	}
	if all {
		for n, d := range board {
			out.Documents = append(out.Documents, Drift{DocumentName: n, Standing: Unmanaged, Board: &d})
		}
	}
	slices.SortFunc(out.Documents, func(a, b Drift) int { return cmp.Compare(a.String(), b.String()) })
	out.Standing = siteStanding(out, len(policy.Documents)+len(policy.Removed) > 0)
	return out, nil
}

func standing(s SiteDrift, d Drift) Standing {
	switch {
	case d.Board != nil && SameJSON(d.Board.Body, d.Wanted):
		return InSync
	case slices.Contains(s.Applied.Overrides, d.String()):
		return Overridden
	case s.Applied.Version < s.Wanted:
		return Pending
	case s.Applied.Outcome == fleet.PolicyOutcomeRefused:
		return Refused
	}
	return Differs
}

func siteStanding(s SiteDrift, managed bool) Standing {
	switch {
	case !managed:
		return Unmanaged
	case s.Applied.Version < s.Wanted:
		return Pending
	case s.Applied.Outcome == fleet.PolicyOutcomeRefused:
		return Refused
	case len(s.Applied.Overrides) > 0:
		return Overridden
	case slices.ContainsFunc(s.Documents, func(d Drift) bool { return d.Standing == Differs }):
		return Differs
	}
	return InSync
}

// Adopt makes what a document is on board what is wanted of this site.
// fleet.ErrNotFound; fleet.ErrState when the hub has none.
func (p *Policies) Adopt(ctx context.Context, by fleet.Actor, id fleet.SiteID, n fleet.DocumentName) error {
	var board fleet.Document
	err := p.c.Store.ViewSite(ctx, id, func(v store.SiteView) error {
		var found bool
		var err error
		board, found, err = fleet.Get[fleet.Document](v, fleet.DocumentRef(n.Kind, n.Name))
		if err == nil && (!found || board.Removed) {
			err = fmt.Errorf("%w: the hub of site %s has told of no %s", fleet.ErrState, id, n)
		}
		return err
	})
	if err != nil {
		return err
	}
	own, err := p.Piece(OwnPiece(id))
	if err != nil && !errors.Is(err, fleet.ErrNotFound) {
		return err
	}
	piece := own.Piece
	piece.Title, piece.Sites = "Adopted from "+string(id), []fleet.SiteID{id}
	piece.Documents = slices.DeleteFunc(slices.Clone(piece.Documents), func(w Wanted) bool { return w.Kind == n.Kind && w.Name == n.Name })
	piece.Documents = append(piece.Documents, Wanted{n.Kind, n.Name, board.Body})
	if err := p.PutPiece(ctx, by, OwnPiece(id), piece, own.Version); err != nil {
		return err
	}
	return p.Recompute(ctx)
}

// Drop has what was changed on board replaced by what is wanted: the version of
// the document that the hub has told of, and no later one. fleet.ErrNotFound when
// it is not wanted; fleet.ErrState when there is nothing to drop.
func (p *Policies) Drop(ctx context.Context, by fleet.Actor, id fleet.SiteID, n fleet.DocumentName) error {
	err := p.c.Store.UpdateSite(ctx, id, func(tx store.SiteTx) error {
		now, _, err := tx.Policy()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(now.Documents, func(d fleet.PolicyDocument) bool { return d.Kind == n.Kind && d.Name == n.Name })
		if i < 0 {
			return fmt.Errorf("%w: %s is not wanted of site %s", fleet.ErrNotFound, n, id)
		}
		board, found, err := fleet.Get[fleet.Document](tx, fleet.DocumentRef(n.Kind, n.Name))
		if err != nil {
			return err
		}
		if !found || SameJSON(board.Body, now.Documents[i].Body) {
			return fmt.Errorf("%w: %s is on board what is wanted", fleet.ErrState, n)
		}
		now.Documents = slices.Clone(now.Documents)
		now.Documents[i].Over = board.Version
		now.Version++
		return errors.Join(tx.PutPolicy(now), tx.Audit(by, store.AuditOverrideDropped, string(id), map[string]string{"document": n.String()}))
	})
	if err == nil {
		p.c.Wake(id)
	}
	return err
}
