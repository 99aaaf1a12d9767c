package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/badger"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/fleet"
)

// rig is the policies of two sites: a has the tag charter.
type rig struct {
	*Policies
	t     *testing.T
	s     store.Store
	sites []store.Site
	woken []fleet.SiteID
}

func newRig(t *testing.T) *rig {
	s, err := badger.Open(badger.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	r := &rig{t: t, s: s}
	for _, id := range []fleet.SiteID{"a", "b"} {
		storetest.AddSite(t, s, id)
		r.sites = append(r.sites, store.Site{ID: id, Hub: "hub"})
	}
	r.start()
	return r
}

func (r *rig) start() {
	var err error
	r.Policies, err = New(r.t.Context(), Config{
		Store: r.s, Sites: func() []store.Site { return r.sites },
		Match: func(f string) (func(fleet.SiteID) bool, error) {
			switch f {
			case "":
				return func(fleet.SiteID) bool { return true }, nil
			case "tag:charter":
				return func(id fleet.SiteID) bool { return id == "a" }, nil
			}
			return nil, fmt.Errorf("%w: filter %q", fleet.ErrInvalid, f)
		},
		Wake: func(id fleet.SiteID) { r.woken = append(r.woken, id) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

var by = fleet.System("test")

func wanted(kind fleet.DocumentKind, name, body string) Wanted {
	return Wanted{kind, name, json.RawMessage(body)}
}

func (r *rig) put(name string, version uint64, p Piece) {
	r.t.Helper()
	p.Title = name
	if err := r.PutPiece(r.t.Context(), by, name, p, version); err != nil {
		r.t.Fatal(err)
	}
	if err := r.Recompute(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) policy(id fleet.SiteID) (p fleet.Policy) {
	r.t.Helper()
	if err := r.s.ViewSite(r.t.Context(), id, func(v store.SiteView) (err error) {
		p, _, err = v.Policy()
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// board has the hub of a site tell of a document, and of what it has applied.
func (r *rig) board(id fleet.SiteID, applied fleet.AppliedPolicy, docs ...fleet.Document) {
	r.t.Helper()
	if err := r.s.UpdateSite(r.t.Context(), id, func(tx store.SiteTx) error {
		err := tx.PutEntity(applied)
		for _, d := range docs {
			err = errors.Join(err, tx.PutEntity(d))
		}
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) drift(id fleet.SiteID) (d SiteDrift) {
	r.t.Helper()
	if err := r.s.ViewSite(r.t.Context(), id, func(v store.SiteView) (err error) {
		d, err = r.Drift(v, false)
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return d
}

func text(p fleet.Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "v%d", p.Version)
	for _, d := range p.Documents {
		fmt.Fprintf(&b, " %s/%s=%s", d.Kind, d.Name, d.Body)
		if d.Over > 0 {
			fmt.Fprintf(&b, " over %d", d.Over)
		}
	}
	for _, n := range p.Removed {
		fmt.Fprintf(&b, " -%s", n)
	}
	return b.String()
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("differs (-want +got):\n%s", d)
	}
}

func TestPolicies_AreOneWholeOfWhatIsAssigned(t *testing.T) {
	r := newRig(t)
	all, charter := "", "tag:charter"
	r.put("base", 0, Piece{Filter: &all, Documents: []Wanted{wanted("profile", "button", `1`), wanted("service", "tea", `1`)}})
	r.put("charter", 0, Piece{Filter: &charter, Documents: []Wanted{wanted("service", "wine", `1`)}})
	r.put("hand", 0, Piece{Sites: []fleet.SiteID{"b"}, Documents: []Wanted{wanted("service", "tea", `2`)}})
	same(t, text(r.policy("a")), "v2 profile/button=1 service/tea=1 service/wine=1")
	same(t, text(r.policy("b")), "v2 profile/button=1 service/tea=2")
	same(t, r.woken, []fleet.SiteID{"a", "b", "a", "b"})
	for _, w := range r.WantedOf(r.sites[1]) {
		if w.Name == "tea" && (w.Piece != "hand" || !cmp.Equal(w.Hides, []string{"base"})) {
			t.Errorf("tea is from %s and hides %v", w.Piece, w.Hides)
		}
	}
	// What says the same is no new version; what is not wanted any more is to go,
	// also for a hub that has missed when it was.
	r.put("charter", 1, Piece{Filter: &charter, Documents: []Wanted{wanted("service", "wine", ` 1 `)}})
	same(t, text(r.policy("a")), "v2 profile/button=1 service/tea=1 service/wine=1")
	r.put("charter", 2, Piece{Filter: &charter})
	same(t, text(r.policy("a")), "v3 profile/button=1 service/tea=1 -service/wine")
	r.put("base", 1, Piece{Filter: &all, Documents: []Wanted{wanted("profile", "button", `2`)}})
	same(t, text(r.policy("a")), "v4 profile/button=2 -service/tea -service/wine")
	r.start()
	if err := r.Recompute(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, r.policy("a").Version, uint64(4)) // a start makes none
}

func TestPolicies_OfATemplateAreTheFarthest(t *testing.T) {
	r := newRig(t)
	r.put("yachts", 0, Piece{Documents: []Wanted{wanted("service", "tea", `1`), wanted("service", "wine", `1`)}})
	r.put("hand", 0, Piece{Sites: []fleet.SiteID{"a"}, Documents: []Wanted{wanted("service", "tea", `2`)}})
	if err := r.PutTemplate(t.Context(), by, "yacht", Template{Title: "Yacht", Policies: []string{"nothing"}}, 0); !errors.Is(err, fleet.ErrInvalid) {
		t.Fatalf("a template of a policy that is not there: %v", err)
	}
	if err := r.PutTemplate(t.Context(), by, "yacht", Template{Title: "Yacht", Policies: []string{"yachts"}}, 0); err != nil {
		t.Fatal(err)
	}
	r.sites[0].Settings.Template = "yacht"
	if err := r.Recompute(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, text(r.policy("a")), "v2 service/tea=2 service/wine=1")
	same(t, r.policy("b").Version, uint64(0))
	if !r.Has(r.sites[0], "yachts") || r.Has(r.sites[1], "yachts") {
		t.Error("who has the piece is wrong")
	}
}

func TestDrift_ShowsWhatTheHubHasInsteadOfWhatIsWanted(t *testing.T) {
	r := newRig(t)
	r.put("base", 0, Piece{Sites: []fleet.SiteID{"a"}, Documents: []Wanted{wanted("service", "tea", `{"n":1}`)}})
	same(t, r.drift("a").Standing, Pending)
	same(t, r.drift("b").Standing, Unmanaged)
	tea := fleet.Document{Kind: "service", Name: "tea", Version: 3, UpdatedAt: storetest.At, Body: json.RawMessage(`{ "n": 1 }`)}
	applied := fleet.AppliedPolicy{Version: 1, Outcome: fleet.PolicyOutcomeApplied, At: storetest.At}
	r.board("a", applied, tea)
	same(t, r.drift("a").Standing, InSync)
	same(t, r.drift("a").Documents[0].Standing, InSync)

	// Somebody on board changes it, and then another version comes from ashore.
	tea.Version, tea.Body = 4, json.RawMessage(`{"n":7}`)
	r.put("base", 1, Piece{Sites: []fleet.SiteID{"a"}, Documents: []Wanted{wanted("service", "tea", `{"n":2}`)}})
	applied.Version, applied.Overrides = 2, []string{"service/tea"}
	r.board("a", applied, tea)
	d := r.drift("a")
	if d.Standing != Overridden || d.Documents[0].Standing != Overridden || d.Documents[0].Piece != "base" {
		t.Fatalf("drift is %+v", d)
	}

	tenth := fleet.DocumentName{Kind: "service", Name: "tea"}
	if err := r.Drop(t.Context(), by, "a", tenth); err != nil {
		t.Fatal(err)
	}
	same(t, text(r.policy("a")), `v3 service/tea={"n":2} over 4`)
	if err := r.Recompute(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, r.policy("a").Version, uint64(3))

	if err := r.Adopt(t.Context(), by, "a", tenth); err != nil {
		t.Fatal(err)
	}
	same(t, text(r.policy("a")), `v4 service/tea={"n":7}`)
	applied.Version, applied.Overrides = 4, nil
	r.board("a", applied)
	same(t, r.drift("a").Standing, InSync)
	same(t, len(r.Pieces()), 1) // what is one site's alone is not in the list
	if err := r.Drop(t.Context(), by, "a", tenth); !errors.Is(err, fleet.ErrState) {
		t.Errorf("nothing to drop: %v", err)
	}
	if err := r.Adopt(t.Context(), by, "a", fleet.DocumentName{Kind: "service", Name: "rum"}); !errors.Is(err, fleet.ErrState) {
		t.Errorf("nothing to adopt: %v", err)
	}

	applied.Version, applied.Outcome, applied.Detail = 4, fleet.PolicyOutcomeRefused, "tea is no service"
	applied.At = applied.At.Add(1)
	r.board("a", applied)
	same(t, r.drift("a").Standing, Refused)
}

func TestPiece_SaysWhatIsWrong(t *testing.T) {
	r := newRig(t)
	bad := "colour:blue"
	for what, p := range map[string]Piece{
		"a kind":   {Documents: []Wanted{wanted("a b", "x", `1`)}},
		"a body":   {Documents: []Wanted{wanted("service", "x", `{`)}},
		"twice":    {Documents: []Wanted{wanted("service", "x", `1`), wanted("service", "x", `2`)}},
		"the site": {Sites: []fleet.SiteID{"no site"}},
		"a filter": {Filter: &bad},
	} {
		if err := r.PutPiece(t.Context(), by, "p", p, 0); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
