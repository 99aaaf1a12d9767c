// Package policy is what the fleet's managers want of sites: pieces of policy
// with versions, templates for new sites, and what follows from them for each
// site.
//
// What always holds: the policy of a site is computed as one whole from the
// pieces that are assigned to it, and stored under the next version only when
// it has become another; a document that two pieces name is taken from the
// nearer one (said for the site alone, then by hand, then by filter, then by
// the site's template), and that is shown. What was changed on board stays
// until somebody adopts it or has it dropped. What the console wants and what
// the hub tells of are two things; their difference is drift.
//
// On disk: documents of kinds policy and template, and of each site what is
// wanted last. In memory: the pieces. The methods of Policies may be called
// from any goroutine; Run from one.
package policy

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	Store store.Store
	// Sites are all sites; it must not wait.
	Sites func() []store.Site
	// Match reads a filter of sites. fleet.ErrInvalid.
	Match func(filter string) (func(fleet.SiteID) bool, error)
	// Wake is told of a site whose policy has become another.
	Wake func(fleet.SiteID)
	// Every is how often it is looked whether sites or pieces have changed; 5 s.
	Every  time.Duration
	Logger *slog.Logger
}

// Piece is a piece of policy for many sites. It is the body of a document.
type Piece struct {
	Title string `json:"title" minLength:"1" maxLength:"80"`
	Note  string `json:"note,omitempty" maxLength:"1024"`
	// Documents are what the sites are to have.
	Documents []Wanted `json:"documents" nullable:"false" maxItems:"256"`
	// Filter assigns it to the sites that it matches; nil to none by filter, an
	// empty one to all.
	Filter *string `json:"filter,omitempty" maxLength:"500" doc:"Assigned to the sites that this filter matches, now and later; an empty one is all sites."`
	// Sites have it by hand.
	Sites []fleet.SiteID `json:"sites,omitempty" maxItems:"10000" doc:"Assigned to these by hand."`
}

// Wanted is one document as it is wanted.
type Wanted struct {
	Kind fleet.DocumentKind `json:"kind" maxLength:"64" doc:"profile, acl, service, press_profile, escalation and others that hubs let be decided ashore."`
	Name string             `json:"name" maxLength:"64"`
	Body json.RawMessage    `json:"body"`
}

// Template is what a new site begins with. It is the body of a document.
type Template struct {
	Title string `json:"title" minLength:"1" maxLength:"80"`
	Note  string `json:"note,omitempty" maxLength:"1024"`
	// Settings are the site's first ones.
	Settings store.SiteSettings `json:"settings"`
	// Policies are the pieces that sites of the template have.
	Policies []string `json:"policies,omitempty" maxItems:"64" doc:"Ids of pieces of policy that sites of this template have."`
}

// ownPrefix begins the name of the piece that is for one site alone: what was
// adopted from on board.
const ownPrefix = "site."

// OwnPiece is the name of the piece of one site alone.
func OwnPiece(id fleet.SiteID) string {
	if name := ownPrefix + string(id); len(name) <= fleet.MaxSegment {
		return name
	}
	sum := sha256.Sum256([]byte(id))
	return ownPrefix + hex.EncodeToString(sum[:16])
}

// Check reports as fleet.ErrInvalid what is wrong with a piece, but for what the
// bodies mean: that the hub says.
func (c Config) check(p Piece) error {
	seen := map[fleet.DocumentName]bool{}
	for _, d := range p.Documents {
		if err := (fleet.Document{Kind: d.Kind, Name: d.Name, Version: 1, Body: d.Body}).Check(); err != nil {
			return err
		}
		n := fleet.DocumentName{Kind: d.Kind, Name: d.Name}
		if seen[n] {
			return fmt.Errorf("%w: %s is named twice", fleet.ErrInvalid, n)
		}
		seen[n] = true
	}
	for _, id := range p.Sites {
		if _, err := fleet.ParseSiteID(string(id)); err != nil {
			return err
		}
	}
	if p.Filter == nil {
		return nil
	}
	_, err := c.Match(*p.Filter)
	return err
}

// NamedPiece is a piece with its document.
type NamedPiece struct {
	store.Document
	Piece Piece
	match func(fleet.SiteID) bool
}

// NamedTemplate is a template with its document.
type NamedTemplate struct {
	store.Document
	Template Template
}

// Policies computes what is wanted of each site.
type Policies struct {
	c Config

	working sync.Mutex // held by Recompute

	mu        sync.Mutex // guards all below
	pieces    map[string]NamedPiece
	templates map[string]NamedTemplate
	// done is what was computed last of each site, by what it follows from.
	done map[fleet.SiteID]string
	wake chan struct{}
}

// New reads pieces and templates.
func New(ctx context.Context, c Config) (*Policies, error) {
	c.Every = cmp.Or(c.Every, 5*time.Second)
	if c.Wake == nil {
		c.Wake = func(fleet.SiteID) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Policies{c: c, done: map[fleet.SiteID]string{}, wake: make(chan struct{}, 1)}
	return p, p.Reload(ctx)
}

// Reload reads pieces and templates anew.
func (p *Policies) Reload(ctx context.Context) error {
	pieces, templates := map[string]NamedPiece{}, map[string]NamedTemplate{}
	err := each(ctx, p.c.Store, store.DocumentPolicy, func(d store.Document) error {
		n := NamedPiece{Document: d}
		if err := json.Unmarshal(d.Body, &n.Piece); err != nil {
			return err
		}
		if n.Piece.Filter != nil {
			var err error
			if n.match, err = p.c.Match(*n.Piece.Filter); err != nil {
				p.c.Logger.Warn("filter of a policy not read", "policy", d.Name, "error", err)
				n.match = nil
			}
		}
		pieces[d.Name] = n
		return nil
	})
	err = errors.Join(err, each(ctx, p.c.Store, store.DocumentTemplate, func(d store.Document) error {
		n := NamedTemplate{Document: d}
		templates[d.Name] = n
		if err := json.Unmarshal(d.Body, &n.Template); err != nil {
			return err
		}
		templates[d.Name] = n
		return nil
	}))
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.pieces, p.templates = pieces, templates
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

func each(ctx context.Context, s store.Documents, kind store.DocumentKind, fn func(store.Document) error) error {
	for after := ""; ; {
		page, err := s.Documents(ctx, kind, after, 200)
		if err != nil {
			return fmt.Errorf("read documents of kind %s: %w", kind, err)
		}
		for _, d := range page {
			after = d.Name
			if err := fn(d); err != nil {
				return fmt.Errorf("decode %s %s: %w", kind, d.Name, err)
			}
		}
		if len(page) < 200 {
			return nil
		}
	}
}

// Pieces are the pieces for many sites, by name.
func (p *Policies) Pieces() []NamedPiece {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(sorted(p.pieces), func(n NamedPiece) bool { return strings.HasPrefix(n.Name, ownPrefix) })
}

// Templates are the templates, by name.
func (p *Policies) Templates() []NamedTemplate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return sorted(p.templates)
}

func sorted[T any](m map[string]T) []T {
	out := make([]T, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[name])
	}
	return out
}

// Piece returns a piece; fleet.ErrNotFound.
func (p *Policies) Piece(name string) (NamedPiece, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, found := p.pieces[name]
	if !found {
		return n, fmt.Errorf("%w: policy %s", fleet.ErrNotFound, name)
	}
	return n, nil
}

// Template returns a template; fleet.ErrNotFound.
func (p *Policies) Template(name string) (NamedTemplate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, found := p.templates[name]
	if !found {
		return n, fmt.Errorf("%w: template %s", fleet.ErrNotFound, name)
	}
	return n, nil
}

// PutPiece stores a piece, if its version still is version (0: if there is none).
// Errors as of store.PutDocument, and fleet.ErrInvalid.
func (p *Policies) PutPiece(ctx context.Context, by fleet.Actor, name string, v Piece, version uint64) error {
	if err := p.c.check(v); err != nil {
		return err
	}
	return p.put(ctx, by, store.DocumentPolicy, name, v, version)
}

// PutTemplate stores a template, as PutPiece does a piece.
func (p *Policies) PutTemplate(ctx context.Context, by fleet.Actor, name string, v Template, version uint64) error {
	if err := v.Settings.Check(); err != nil {
		return err
	}
	for _, id := range v.Policies {
		if _, err := p.Piece(id); err != nil {
			return fmt.Errorf("%w: policies: there is no policy %q", fleet.ErrInvalid, id)
		}
	}
	return p.put(ctx, by, store.DocumentTemplate, name, v, version)
}

func (p *Policies) put(ctx context.Context, by fleet.Actor, kind store.DocumentKind, name string, v any, version uint64) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind, err)
	}
	if _, err := p.c.Store.PutDocument(ctx, by, store.Document{Kind: kind, Name: name, Body: body}, version); err != nil {
		return err
	}
	return p.Reload(ctx)
}

// Remove removes a piece or a template. Sites lose what they had from it.
func (p *Policies) Remove(ctx context.Context, by fleet.Actor, kind store.DocumentKind, name string, version uint64) error {
	if _, err := p.c.Store.PutDocument(ctx, by, store.Document{Kind: kind, Name: name, Removed: true}, version); err != nil {
		return err
	}
	return p.Reload(ctx)
}

// Source is a document that is wanted, with the piece that it is from.
type Source struct {
	fleet.PolicyDocument
	Piece string
	// Hides are pieces that name the document too, and are farther.
	Hides []string
}

// WantedOf is what is wanted of a site, by kind and name.
func (p *Policies) WantedOf(s store.Site) []Source {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wantedOf(s)
}

// Has reports whether a site has a piece.
func (p *Policies) Has(s store.Site, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.piecesOf(s), name)
}

// piecesOf are the names of the pieces that a site has, the nearest first. The
// caller holds the lock.
func (p *Policies) piecesOf(s store.Site) []string {
	type ranked struct {
		name string
		rank int
	}
	var of []ranked
	var template []string
	if t, found := p.templates[s.Settings.Template]; found {
		template = t.Template.Policies
	}
	for name, n := range p.pieces {
		switch {
		case name == OwnPiece(s.ID):
			of = append(of, ranked{name, 0})
		case strings.HasPrefix(name, ownPrefix):
		case slices.Contains(n.Piece.Sites, s.ID):
			of = append(of, ranked{name, 1})
		case n.match != nil && n.match(s.ID):
			of = append(of, ranked{name, 2})
		case slices.Contains(template, name):
			of = append(of, ranked{name, 3})
		}
	}
	slices.SortFunc(of, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.name, b.name)) })
	names := make([]string, len(of))
	for i, r := range of {
		names[i] = r.name
	}
	return names
}

func (p *Policies) wantedOf(s store.Site) []Source {
	of := p.piecesOf(s)
	at := map[fleet.DocumentName]int{}
	var out []Source
	for _, name := range of {
		for _, d := range p.pieces[name].Piece.Documents {
			n := fleet.DocumentName{Kind: d.Kind, Name: d.Name}
			if i, taken := at[n]; taken {
				out[i].Hides = append(out[i].Hides, name)
				continue
			}
			at[n] = len(out)
			out = append(out, Source{PolicyDocument: fleet.PolicyDocument{Kind: d.Kind, Name: d.Name, Body: d.Body}, Piece: name})
		}
	}
	slices.SortFunc(out, func(a, b Source) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return out
}

// Run computes what is wanted, until ctx ends.
func (p *Policies) Run(ctx context.Context) error {
	tick := time.NewTicker(p.c.Every)
	defer tick.Stop()
	for {
		if err := p.Recompute(ctx); err != nil && ctx.Err() == nil {
			if errors.Is(err, store.ErrFailed) || errors.Is(err, store.ErrClosed) {
				return err
			}
			p.c.Logger.Warn("policies not computed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-p.wake:
		}
	}
}

// Recompute stores the policy of every site that has become another.
func (p *Policies) Recompute(ctx context.Context) error {
	p.working.Lock()
	defer p.working.Unlock()
	var failed error
	for _, s := range p.c.Sites() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !s.RevokedAt.IsZero() || !s.RetiredAt.IsZero() {
			continue
		}
		p.mu.Lock()
		wanted := p.wantedOf(s)
		stamp := stampOf(wanted)
		known, before := p.done[s.ID]
		p.mu.Unlock()
		if before && known == stamp || !before && len(wanted) == 0 && s.Hub == "" {
			continue
		}
		changed, err := p.store(ctx, s.ID, wanted)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("site %s: %w", s.ID, err))
			continue
		}
		p.mu.Lock()
		p.done[s.ID] = stamp
		p.mu.Unlock()
		if changed {
			p.c.Wake(s.ID)
		}
	}
	return failed
}

// stampOf tells what is wanted from anything else that is.
func stampOf(wanted []Source) string {
	var b strings.Builder
	for _, w := range wanted {
		fmt.Fprintf(&b, "%s/%s %d:%s\n", w.Kind, w.Name, len(w.Body), w.Body)
	}
	return b.String()
}

// store stores what is wanted of a site, if it is not what was wanted last.
func (p *Policies) store(ctx context.Context, id fleet.SiteID, wanted []Source) (changed bool, err error) {
	err = p.c.Store.UpdateSite(ctx, id, func(tx store.SiteTx) error {
		changed = false
		before, found, err := tx.Policy()
		if err != nil {
			return err
		}
		next, changes := nextPolicy(before, wanted)
		if !changes || !found && len(wanted) == 0 {
			return nil
		}
		changed = true
		return tx.PutPolicy(next)
	})
	return changed, err
}

// nextPolicy is what follows before when wanted is wanted; false when that is
// the same. What is not wanted any more is to go, also for a hub that has missed
// a version.
func nextPolicy(before fleet.Policy, wanted []Source) (fleet.Policy, bool) {
	next := fleet.Policy{Version: before.Version + 1}
	was := map[fleet.DocumentName]fleet.PolicyDocument{}
	gone := map[fleet.DocumentName]bool{}
	for _, d := range before.Documents {
		n := fleet.DocumentName{Kind: d.Kind, Name: d.Name}
		was[n], gone[n] = d, true
	}
	for _, n := range before.Removed {
		gone[n] = true
	}
	same := len(wanted) == len(before.Documents)
	for _, w := range wanted {
		n := fleet.DocumentName{Kind: w.Kind, Name: w.Name}
		d := w.PolicyDocument
		if old, found := was[n]; found && SameJSON(old.Body, d.Body) {
			d.Over = old.Over
		} else {
			same = false
		}
		delete(gone, n)
		next.Documents = append(next.Documents, d)
	}
	for n := range gone {
		next.Removed = append(next.Removed, n)
	}
	slices.SortFunc(next.Removed, func(a, b fleet.DocumentName) int { return cmp.Compare(a.String(), b.String()) })
	return next, !same
}

// SameJSON reports whether two bodies say the same.
func SameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, errP := json.Marshal(x)
	q, errQ := json.Marshal(y)
	return errP == nil && errQ == nil && bytes.Equal(p, q)
}
