package access

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/topic"
)

// universe is every name of up to three levels of three letters, as they are
// and below $SYS. Filters of two levels of two letters differ in it wherever
// they differ at all.
var universe = func() (all []string) {
	letters := []string{"a", "b", "c"}
	for _, root := range []string{"", "$SYS/"} {
		for _, x := range letters {
			all = append(all, root+x)
			for _, y := range letters {
				all = append(all, root+x+"/"+y)
				for _, z := range letters {
					all = append(all, root+x+"/"+y+"/"+z)
				}
			}
		}
	}
	return all
}()

// naive decides as the definition reads: over sets of names.
func naive(roles []Role, a Action, name string) (allowed bool, role string) {
	type candidate struct{ rolePriority, role, aclPriority, acl int }
	var best candidate
	found := false
	filter := a == Subscribe || a == Unsubscribe
	shared := strings.SplitN(name, "/", 3)
	if filter && len(shared) == 3 && strings.ToLower(shared[0]) == "$share" {
		name = shared[2]
	}
	if a == Send && strings.HasPrefix(name, "$") {
		return false, ""
	}
	for i, r := range roles {
		for j, acl := range r.ACLs {
			applies := false
			switch {
			case a == Send && acl.Kind == PublishSend, a == Receive && acl.Kind == PublishReceive:
				applies = topic.Match(acl.Topic, name)
			case a == Subscribe && acl.Kind == SubscribeLiteral, a == Unsubscribe && acl.Kind == UnsubscribeLiteral:
				applies = acl.Topic == name
			case a == Subscribe && acl.Kind == SubscribePattern, a == Unsubscribe && acl.Kind == UnsubscribePattern:
				applies = true
				for _, n := range universe {
					if topic.Match(name, n) && !topic.Match(acl.Topic, n) {
						applies = false
					}
				}
			}
			c := candidate{r.Priority, -i, acl.Priority, -j}
			if applies && (!found || precedes(c.rolePriority, best.rolePriority, c.role, best.role, c.aclPriority, best.aclPriority, c.acl, best.acl)) {
				best, found, allowed, role = c, true, acl.Allow, r.Name
			}
		}
	}
	return allowed, role
}

// precedes compares pairs of numbers in turn; the greater first one precedes.
func precedes(pairs ...int) bool {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			return pairs[i] > pairs[i+1]
		}
	}
	return false
}

// agree compares the compiled rules with the definition for one question.
func agree(t interface{ Fatalf(string, ...any) }, roles []Role, rules *Rules, a Action, name string) {
	allowed, role := naive(roles, a, name)
	if got := rules.Decide(a, name); got.Allowed != allowed || got.Role != role {
		t.Fatalf("%s %s: %+v, want %v by %q\nroles %+v", a, name, got, allowed, role, roles)
	}
}

func TestDecide_AgreesWithTheDefinition(t *testing.T) {
	filter := rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "+"}), 0, 2).Draw(t, "levels")
		if len(parts) == 0 || rapid.Bool().Draw(t, "hash") {
			parts = append(parts, "#")
		}
		return strings.Join(parts, "/")
	})
	acl := rapid.Custom(func(t *rapid.T) ACL {
		a := ACL{
			Kind: rapid.SampledFrom(Kinds()).Draw(t, "kind"), Topic: filter.Draw(t, "topic"),
			Allow: rapid.Bool().Draw(t, "allow"), Priority: rapid.IntRange(-1, 1).Draw(t, "priority"),
		}
		if a.Kind != PublishSend && rapid.IntRange(0, 3).Draw(t, "sys") == 0 {
			a.Topic = "$SYS/" + a.Topic
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		roles := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Role {
			return Role{
				Name: rapid.StringMatching(`[a-z]{6}`).Draw(t, "name"), Priority: rapid.IntRange(-1, 1).Draw(t, "priority"),
				ACLs: rapid.SliceOfN(acl, 0, 4).Draw(t, "acls"),
			}
		}), 0, 3).Draw(t, "roles")
		rules, err := Compile(roles, Vars{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range Actions() {
			name := rapid.SampledFrom(universe).Draw(t, "name")
			if a == Subscribe || a == Unsubscribe {
				if name = filter.Draw(t, "filter"); rapid.Bool().Draw(t, "shared") {
					name = "$SHARE/g/" + name
				} else if rapid.Bool().Draw(t, "sys") {
					name = "$SYS/" + name
				}
			}
			agree(t, roles, rules, a, name)
		}
	})
}

// rolesOf reads roles from fuzz bytes, three for each rule; a rule whose first
// byte is great begins a new role.
func rolesOf(data []byte) []Role {
	filters := []string{"a", "b", "+", "#", "a/b", "a/+", "a/#", "+/b", "+/#", "b/a", "+/+", "a/b/#", "$SYS/#", "$SYS/a", "$SYS/+", "$SYS/a/#"}
	var roles []Role
	for n := 0; len(data) >= 3 && n < 24; n++ {
		if len(roles) == 0 || data[0] >= 192 {
			roles = append(roles, Role{Name: fmt.Sprintf("r%d", len(roles)), Priority: int(data[0]%5) - 2})
		}
		r := &roles[len(roles)-1]
		acl := ACL{
			Kind: Kinds()[int(data[1])%len(Kinds())], Topic: filters[int(data[2])%len(filters)],
			Allow: data[1] >= 128, Priority: int(data[2]/16%3) - 1,
		}
		if acl.Kind != PublishSend || !strings.HasPrefix(acl.Topic, "$") {
			r.ACLs = append(r.ACLs, acl)
		}
		data = data[3:]
	}
	return roles
}

func FuzzDecide_RolesAndPrioritiesAgreeWithTheDefinition(f *testing.F) {
	f.Add([]byte{200, 128, 3, 10, 0, 20}, uint8(0), uint8(4))
	f.Add([]byte{195, 131, 8, 199, 3, 24, 1, 130, 60}, uint8(2), uint8(14))
	f.Add([]byte{200, 129, 12, 0, 1, 13}, uint8(1), uint8(60))
	f.Fuzz(func(t *testing.T, data []byte, action, which uint8) {
		roles, a := rolesOf(data), Action(action%4)
		rules, err := Compile(roles, Vars{})
		if err != nil {
			t.Fatal(err)
		}
		name := universe[int(which)%len(universe)]
		if a == Subscribe || a == Unsubscribe {
			filters := []string{"a", "#", "+/#", "a/+", "a/#", "a/b", "+", "+/+", "b/#", "$SYS/#", "$SYS/a", "$SYS/+", "$share/g/a/#", "$SHARE/h/#"}
			name = filters[int(which)%len(filters)]
		}
		agree(t, roles, rules, a, name)
	})
}

func FuzzDecide_AnyPatternAndNameIsSafe(f *testing.F) {
	f.Add("a/#", "a/+", uint8(2), true)
	f.Add("${clientid}/#", "c/x", uint8(0), true)
	f.Add("$share/g/a", "$SHARE/h/a", uint8(2), true)
	f.Fuzz(func(t *testing.T, pattern, name string, action uint8, isAllow bool) {
		a := Action(action % 4)
		kind := []Kind{PublishSend, PublishReceive, SubscribePattern, UnsubscribePattern}[a]
		rules, err := Compile([]Role{{Name: "r", ACLs: []ACL{{Kind: kind, Topic: pattern, Allow: isAllow}}}}, Vars{ClientID: "c"})
		if err != nil {
			return
		}
		d := rules.Decide(a, name)
		if d.Allowed && !isAllow {
			t.Fatalf("a rule that denies allows %q", name)
		}
		valid := map[Action]bool{
			Send: topic.ValidName(name), Receive: topic.CheckDelivered(name) == nil,
			Subscribe: topic.ValidFilter(name), Unsubscribe: topic.ValidFilter(name),
		}
		if d.Allowed && !valid[a] {
			t.Fatalf("%q is not valid and allowed", name)
		}
		if d.Allowed && name[0] == '$' && pattern[0] != '$' && !strings.EqualFold(name[:min(7, len(name))], "$share/") {
			t.Fatalf("%q lets in %q", pattern, name)
		}
		if strings.HasPrefix(d.Rule, "r: ") != (fmt.Sprintf("r: %s %s", kind, pattern) == d.Rule) {
			t.Fatalf("rule %q", d.Rule)
		}
	})
}
