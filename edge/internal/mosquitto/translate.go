package mosquitto

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// defaultsID is the document that holds what the plugin allows by default,
// defaults the name by which that stands among the roles: no role of a file
// has it.
const (
	defaultsID = "mosquitto-defaults"
	defaults   = "\x00defaults"
)

// member is a client of the dynamic security file that is a device.
type member struct {
	device fleet.DeviceID
	client client
}

// translation turns roles into ACL documents.
type translation struct {
	file  dynsec
	notes []Note

	acls   map[string][]access.ACL // by the role's name in the file
	narrow map[string]string       // roles with a denying rule that is lost: the rule
	ids    map[string]string       // role name → document id
	taken  map[string]bool         // document ids
}

func (t *translation) note(entry, format string, args ...any) {
	t.notes = append(t.notes, Note{File: "dynsec", Entry: entry, Problem: fmt.Sprintf(format, args...)})
}

// translate returns the ACL documents for the members, and which members are
// left out because their rights would grow.
func translate(file dynsec, members []member) (lists []access.List, leftOut map[fleet.DeviceID]bool, notes []Note) {
	t := &translation{
		file: file, acls: map[string][]access.ACL{}, narrow: map[string]string{}, ids: map[string]string{}, taken: map[string]bool{},
	}
	for _, r := range file.Roles {
		if r.Name != defaults {
			t.role(r)
		}
	}
	t.defaults()
	if file.AnonymousGroup != "" {
		t.note("anonymous group "+file.AnonymousGroup, "nobody is anonymous here: left out")
	}
	lists, leftOut = t.lists(members)
	return lists, leftOut, t.notes
}

// role translates the rules of a role, in the order in which they are asked.
func (t *translation) role(r role) {
	entry := "role " + r.Name
	if _, twice := t.acls[r.Name]; twice {
		t.note(entry, "there are two of that name: the second is left out")
		return
	}
	asked := slices.Clone(r.ACLs)
	slices.SortStableFunc(asked, func(a, b acl) int { return b.Priority - a.Priority })
	rules := []access.ACL{}
	for _, a := range asked {
		filter, err := variables(a.Topic)
		rule := access.ACL{Kind: access.Kind(a.Type), Topic: filter, Allow: a.Allow}
		if err == nil {
			err = rule.Check()
		}
		if err != nil {
			t.note(entry, "%s %s: %v", a.Type, a.Topic, err)
			if !a.Allow && !impossible(a.Topic) {
				t.narrow[r.Name] = a.Type + " " + a.Topic
			}
			continue
		}
		rules = append(rules, rule)
	}
	t.acls[r.Name] = rules
	t.ids[r.Name] = t.id(r.Name)
	if t.ids[r.Name] != r.Name {
		t.note(entry, "is called %s here", t.ids[r.Name])
	}
}

// impossible reports whether nothing can have such a topic on the hub, so that
// nothing is lost with a rule that denies it.
func impossible(filter string) bool { return !topic.ValidFilter(filter) }

// variables writes the plugin's variables as the hub does.
func variables(name string) (string, error) {
	levels := strings.Split(name, "/")
	for i, level := range levels {
		switch level {
		case "%c":
			levels[i] = "${clientid}"
		case "%u":
			levels[i] = "${username}"
		default:
			if strings.Contains(level, "%c") || strings.Contains(level, "%u") {
				return name, fmt.Errorf("%w: a variable is a whole level here", fleet.ErrInvalid)
			}
		}
	}
	return strings.Join(levels, "/"), nil
}

// id returns a document id for a name, and takes it.
func (t *translation) id(name string) string {
	id := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			return c
		}
		return '-'
	}, name)
	id = strings.TrimLeft(id, "-._")
	if id = id[:min(len(id), fleet.MaxSegment-4)]; id == "" {
		id = "role"
	}
	if fleet.ValidSegment(name) {
		id = name
	}
	for n, free := 2, id; ; n++ {
		if !t.taken[free] {
			t.taken[free] = true
			return free
		}
		free = fmt.Sprintf("%s-%d", id[:min(len(id), fleet.MaxSegment-4)], n)
	}
}

// defaults makes a role of what the plugin allows where no rule applies.
func (t *translation) defaults() {
	d, rules := t.file.DefaultACLAccess, []access.ACL{}
	allow := func(on bool, kind access.Kind, filters ...string) {
		for _, filter := range filters {
			if on {
				rules = append(rules, access.ACL{Kind: kind, Topic: filter, Allow: true})
			}
		}
	}
	allow(d.PublishClientSend, access.PublishSend, "#")
	allow(d.PublishClientReceive, access.PublishReceive, "#", "$SYS/#")
	allow(d.Subscribe, access.SubscribePattern, "#", "$SYS/#")
	allow(d.Unsubscribe, access.UnsubscribePattern, "#", "$SYS/#")
	if len(rules) > 0 {
		t.acls[defaults], t.ids[defaults] = rules, t.id(defaultsID)
	}
}

// lists gives each role a document with the devices that have it. A role is
// asked before those that come after it for any device, which its priority
// says. Where two devices have two roles in opposite orders, the later device
// gets a document of its own.
func (t *translation) lists(members []member) ([]access.List, map[fleet.DeviceID]bool) {
	leftOut := map[fleet.DeviceID]bool{}
	after := map[string]map[string]bool{} // role → roles that come behind it
	holders := map[string][]fleet.DeviceID{}
	var own []access.List
	for _, m := range members {
		names, ok := t.roles(m)
		if !ok {
			leftOut[m.device] = true
			continue
		}
		if t.contradicts(after, names) {
			own = append(own, t.own(m, names))
			t.note("client "+m.client.Username, "has its roles in another order than others have: their rules are together in the acl %s", own[len(own)-1].ID)
			continue
		}
		if len(names) == 0 {
			own = append(own, t.own(m, nil))
			continue
		}
		for i, name := range names {
			holders[name] = append(holders[name], m.device)
			if after[name] == nil {
				after[name] = map[string]bool{}
			}
			if i+1 < len(names) {
				after[name][names[i+1]] = true
			}
		}
	}
	var lists []access.List
	height := heights(after)
	for _, name := range slices.Sorted(maps.Keys(holders)) {
		id, devices := t.ids[name], slices.Sorted(slices.Values(holders[name]))
		lists = append(lists, access.List{
			ID: id, ReplacesProfile: true, AppliesTo: access.Targets{Devices: devices},
			Roles: []access.Role{{Name: id, Priority: height(name), ACLs: t.acls[name]}},
		})
	}
	return append(lists, own...), leftOut
}

// roles returns the names of a member's roles in their order; false when its
// rights would grow.
func (t *translation) roles(m member) ([]string, bool) {
	entry := "client " + m.client.Username
	var names []string
	for _, name := range t.file.sequence(m.client) {
		if _, known := t.acls[name]; !known {
			t.note(entry, "has the role %s, which is not in the file", name)
			continue
		}
		if rule, lost := t.narrow[name]; lost {
			t.note(entry, "left out: its role %s denies %s, which cannot be translated, and without it the client could do more", name, rule)
			return nil, false
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		t.note(entry, "has no role: it may do what the default access allows, and nothing else")
	}
	if _, ok := t.acls[defaults]; ok {
		names = append(names, defaults)
	}
	return names, true
}

// contradicts reports whether a sequence of roles goes against the order that
// is there already.
func (t *translation) contradicts(after map[string]map[string]bool, names []string) bool {
	for i := range names {
		for _, later := range names[i+1:] {
			if reaches(after, later, names[i]) {
				return true
			}
		}
	}
	return false
}

func reaches(after map[string]map[string]bool, from, to string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(at string) bool {
		if at == to {
			return true
		}
		if seen[at] {
			return false
		}
		seen[at] = true
		for next := range after[at] {
			if visit(next) {
				return true
			}
		}
		return false
	}
	return visit(from)
}

// heights says of each role how many may come one behind the other after it.
func heights(after map[string]map[string]bool) func(name string) int {
	known := map[string]int{}
	var height func(string) int
	height = func(name string) int {
		if n, ok := known[name]; ok {
			return n
		}
		most := 0
		for next := range after[name] {
			most = max(most, 1+height(next))
		}
		known[name] = most
		return most
	}
	return height
}

// own puts all of a member's rules into one document.
func (t *translation) own(m member, names []string) access.List {
	role := access.Role{Name: t.id(string(m.device)), ACLs: []access.ACL{}}
	for _, name := range names {
		role.ACLs = append(role.ACLs, t.acls[name]...)
	}
	return access.List{
		ID: role.Name, ReplacesProfile: true, Roles: []access.Role{role},
		AppliesTo: access.Targets{Devices: []fleet.DeviceID{m.device}},
	}
}
