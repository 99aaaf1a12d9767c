package account

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
)

func TestPolicy_RolesGrowFromTheLeastPowerful(t *testing.T) {
	for _, p := range []*Policy{HubPolicy(), ConsolePolicy()} {
		roles := p.Roles()
		for i := 1; i < len(roles); i++ {
			for _, a := range p.Actions(roles[i]) {
				if !slices.Contains(p.Actions(roles[i-1]), a) {
					t.Errorf("%s: %s may do %s and %s may not", p.Program(), roles[i], a, roles[i-1])
				}
			}
		}
		if p.Administrator() != roles[0] {
			t.Errorf("%s: %s is above the administrator", p.Program(), roles[0])
		}
		for _, r := range roles {
			for _, a := range p.Actions(r) {
				if !a.Known() {
					t.Errorf("%s: %s has the unknown action %s", p.Program(), r, a)
				}
			}
		}
	}
}

func TestPolicy_EveryActionIsOfSomeUse(t *testing.T) {
	for _, a := range Actions() {
		if !slices.Contains(HubPolicy().Actions(Admin), a) && !slices.Contains(ConsolePolicy().Actions(Owner), a) {
			t.Errorf("nobody may do %s", a)
		}
	}
}

func TestCan_NobodyAndStrangersMayNothing(t *testing.T) {
	for _, p := range []*Policy{HubPolicy(), ConsolePolicy()} {
		for _, a := range Actions() {
			for _, s := range []Subject{
				{}, {Kind: KindNone, Role: p.Administrator()}, {Kind: "other", Role: p.Administrator()},
				{Kind: KindUser, ID: "x"}, {Kind: KindUser, ID: "x", Role: "root"},
			} {
				if p.Can(s, a, Resource{}) {
					t.Errorf("%s: %+v may do %s", p.Program(), s, a)
				}
			}
		}
		if p.Can(Subject{Kind: KindUser, Role: p.Administrator()}, "no.such", Resource{}) {
			t.Error("an unknown action is granted")
		}
	}
	if HubPolicy().Can(Subject{Kind: KindUser, Role: Owner}, DevicesRead, Resource{}) {
		t.Error("a role of the console is known on the hub")
	}
}

func TestCan_SitesBind(t *testing.T) {
	p := ConsolePolicy()
	manager := Subject{Kind: KindUser, Role: Manager, Sites: []fleet.SiteID{"yacht-1"}}
	for _, c := range []struct {
		s    Subject
		a    Action
		site fleet.SiteID
		want bool
	}{
		{manager, DevicesWrite, "yacht-1", true},
		{manager, DevicesWrite, "yacht-2", false},
		{manager, DevicesWrite, AllSites, false},
		{manager, SitesRead, "", true},
		{manager, SitesWrite, "yacht-1", false},
		{Subject{Kind: KindUser, Role: Manager}, DevicesWrite, "yacht-1", false},
		{Subject{Kind: KindToken, Role: Viewer, Sites: []fleet.SiteID{AllSites}}, DevicesRead, "yacht-9", true},
		{Subject{Kind: KindUser, Role: Owner}, DevicesWrite, "yacht-9", true},
		{Subject{Kind: KindLocal, Role: Owner}, UsersWrite, "", true},
	} {
		if got := p.Can(c.s, c.a, Resource{Site: c.site}); got != c.want {
			t.Errorf("%+v may do %s on %q: %v, want %v", c.s, c.a, c.site, got, c.want)
		}
	}
}

func TestCan_ScopesNarrowAndNeverWiden(t *testing.T) {
	for _, p := range []*Policy{HubPolicy(), ConsolePolicy()} {
		for _, role := range p.Roles() {
			whole := Subject{Kind: KindToken, Role: role, Sites: []fleet.SiteID{AllSites}}
			for _, scope := range Actions() {
				narrow := whole
				narrow.Scopes = []Action{scope}
				for _, a := range Actions() {
					for _, site := range []fleet.SiteID{"", "yacht-1"} {
						r := Resource{Site: site}
						if got, want := p.Can(narrow, a, r), a == scope && p.Can(whole, a, r); got != want {
							t.Errorf("%s: %s narrowed to %s may do %s: %v, want %v", p.Program(), role, scope, a, got, want)
						}
					}
				}
				if got := p.ActionsOf(narrow); len(got) > 1 || len(got) == 1 && got[0] != scope {
					t.Errorf("%s: %s narrowed to %s has %v", p.Program(), role, scope, got)
				}
			}
		}
	}
}

func TestCovers_NothingIsGainedByHandingOn(t *testing.T) {
	sites := rapid.SliceOfDistinct(rapid.SampledFrom([]fleet.SiteID{"a", "b", "c", AllSites}), rapid.ID[fleet.SiteID])
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]*Policy{HubPolicy(), ConsolePolicy()}).Draw(t, "policy")
		role := rapid.SampledFrom(p.Roles())
		scopes := rapid.SliceOfNDistinct(rapid.SampledFrom(Actions()), 0, 5, rapid.ID[Action])
		giver := Subject{Kind: KindToken, Role: role.Draw(t, "giver"), Sites: sites.Draw(t, "giver's sites"), Scopes: scopes.Draw(t, "giver's scopes")}
		taker := Subject{Kind: KindToken, Role: role.Draw(t, "taker"), Sites: sites.Draw(t, "taker's sites"), Scopes: scopes.Draw(t, "taker's scopes")}
		if !p.Covers(giver.Rights(), taker.Rights()) {
			return
		}
		for _, a := range Actions() {
			for _, site := range []fleet.SiteID{"", "a", "b", "c", "d"} {
				r := Resource{Site: site}
				if p.Can(taker, a, r) && !p.Can(giver, a, r) {
					t.Fatalf("%+v may do %s on %q and got it from %+v, who may not", taker, a, site, giver)
				}
			}
		}
	})
}

func TestFoldUsername_IsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "name")
		folded, err := FoldUsername(s)
		if err != nil {
			return
		}
		if again, err := FoldUsername(folded); err == nil && again != folded {
			t.Fatalf("%q folds to %q and that to %q", s, folded, again)
		}
	})
	for _, pair := range [][2]string{{"ANNA", "anna"}, {"Émile", "E\u0301MILE"}, {"ΣΑΣ", "σας"}, {"ｂｅｒｔ", "BERT"}} {
		a, err1 := FoldUsername(pair[0])
		b, err2 := FoldUsername(pair[1])
		if err1 != nil || err2 != nil || a != b {
			t.Errorf("%q and %q fold to %q and %q (%v, %v)", pair[0], pair[1], a, b, err1, err2)
		}
	}
}
