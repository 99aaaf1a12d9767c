package access

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

const site fleet.SiteID = "yacht-1"

func grant(t *testing.T, p *Policy, d fleet.Device) Grant {
	t.Helper()
	g, err := p.Grant(site, d, string(d.ID))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func button(id fleet.DeviceID) fleet.Device {
	return fleet.Device{ID: id, Type: fleet.Button, Room: "deck-3", Profile: "button"}
}

func one(id string, to Targets, priority int, acls ...ACL) List {
	return List{ID: id, AppliesTo: to, Roles: []Role{{Name: id, Priority: priority, ACLs: acls}}}
}

func TestGrant_ListsReachClientsByDeviceProfileTypeAndName(t *testing.T) {
	extra := ACL{Kind: PublishSend, Topic: "extra", Allow: true}
	for name, l := range map[string]List{
		"device":  one("l", Targets{Devices: []fleet.DeviceID{"btn-001"}}, 0, extra),
		"type":    one("l", Targets{Types: []fleet.DeviceType{fleet.Button}}, 0, extra),
		"profile": one("l", Targets{Profiles: []string{"button"}}, 0, extra),
	} {
		p := NewPolicy(DefaultProfiles(), []List{l})
		if d := grant(t, p, button("btn-001")).Rules.Decide(Send, "extra"); !d.Allowed || d.Role != "l" {
			t.Errorf("%s: %+v", name, d)
		}
		watch := fleet.Device{ID: "w-1", Type: fleet.Watch, Room: "deck-3", Profile: "watch"}
		if d := grant(t, p, watch).Rules.Decide(Send, "extra"); d.Allowed {
			t.Errorf("%s reaches a watch", name)
		}
	}
	named := DefaultProfiles()
	named[0].Roles = []string{"l"}
	p := NewPolicy(named, []List{one("l", Targets{}, 0, extra)})
	if d := grant(t, p, button("btn-001")).Rules.Decide(Send, "extra"); !d.Allowed {
		t.Errorf("named by the profile: %+v", d)
	}
	if _, err := NewPolicy(named, nil).Grant(site, button("btn-001"), "u"); !errors.Is(err, fleet.ErrForbidden) {
		t.Errorf("a list that is not there: %v", err)
	}
	if _, err := p.Grant(site, fleet.Device{ID: "x", Profile: "nobody"}, "u"); !errors.Is(err, fleet.ErrForbidden) {
		t.Errorf("a profile that is not there: %v", err)
	}
}

func TestDeviceACL_ReplacesTheProfileAndStopsAtItsTopics(t *testing.T) {
	const base = "obedio/yacht-1/deck-3/button/btn-001"
	l, err := DeviceACL{
		Device: "btn-001", Site: site, Room: "deck-3", Type: fleet.Button, MaxQoS: 1,
		Publish:   []string{base + "/status", base + "/press", base + "/cmd/reset"},
		Subscribe: []string{base + "/cmd/#"},
	}.List(site)
	if err != nil {
		t.Fatal(err)
	}
	ban := one("ban", Targets{Types: []fleet.DeviceType{fleet.Button}}, 10, ACL{Kind: PublishSend, Topic: "obedio/${site}/${room}/${type}/${device_id}/press"})
	for _, c := range []struct {
		lists []List
		room  fleet.RoomID
		ask   Attempt
		want  bool
		rule  string
	}{
		{[]List{l}, "deck-3", Attempt{Send, base + "/status", 1, false}, true, ""},
		{[]List{l}, "deck-3", Attempt{Send, base + "/heartbeat", 1, false}, false, RuleDefault},
		{nil, "deck-3", Attempt{Send, base + "/heartbeat", 1, false}, true, ""},
		{[]List{l}, "deck-3", Attempt{Send, base + "/cmd/reset", 1, false}, false, ""},
		{[]List{l}, "deck-3", Attempt{Send, base + "/status", 1, true}, false, RuleRetain},
		{nil, "deck-3", Attempt{Send, base + "/status", 1, true}, true, ""},
		{[]List{l}, "deck-3", Attempt{Send, base + "/status", 2, false}, false, RuleMaxQoS},
		{[]List{l}, "deck-3", Attempt{Action: Subscribe, Topic: base + "/cmd/#"}, true, ""},
		{[]List{l}, "deck-3", Attempt{Action: Receive, Topic: base + "/cmd/reset"}, true, ""},
		{[]List{l}, "deck-3", Attempt{Action: Subscribe, Topic: "obedio/yacht-1/system/time"}, false, RuleDefault},
		{[]List{l}, "deck-3", Attempt{Action: Unsubscribe, Topic: "obedio/yacht-1/system/time"}, true, ""},
		// The rights move with the device.
		{[]List{l}, "deck-4", Attempt{Send, base + "/status", 1, false}, false, RuleDefault},
		{[]List{l}, "deck-4", Attempt{Send, strings.Replace(base, "deck-3", "deck-4", 1) + "/status", 1, false}, true, ""},
		// A list of higher priority is asked first.
		{[]List{l, ban}, "deck-3", Attempt{Send, base + "/press", 1, false}, false, ""},
		{[]List{l, ban}, "deck-3", Attempt{Send, base + "/status", 1, false}, true, ""},
	} {
		d := button("btn-001")
		d.Room = c.room
		got := grant(t, NewPolicy(DefaultProfiles(), c.lists), d).Decide(c.ask)
		if got.Allowed != c.want || c.rule != "" && got.Rule != c.rule {
			t.Errorf("%d lists, %s, %+v: %+v", len(c.lists), c.room, c.ask, got)
		}
	}
	// Another device is not touched by it.
	if !grant(t, NewPolicy(DefaultProfiles(), []List{l}), button("btn-002")).Decide(Attempt{Send, "obedio/yacht-1/deck-3/button/btn-002/heartbeat", 1, false}).Allowed {
		t.Error("the list of btn-001 narrows btn-002")
	}
}

func TestDeviceACL_RefusesAnotherSiteAndBadTopics(t *testing.T) {
	for field, a := range map[string]DeviceACL{
		"device_id":        {Device: "a/b"},
		"site":             {Device: "a", Site: "yacht-2"},
		"permissions":      {Device: "a", Publish: []string{""}},
		"roles[0].acls[1]": {Device: "a", Publish: []string{"a//b"}},
		"max_qos":          {Device: "a", MaxQoS: 3},
	} {
		_, err := a.List(site)
		var f *FieldError
		if !errors.As(err, &f) || !errors.Is(err, fleet.ErrInvalid) || !strings.HasPrefix(f.Field, field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestGrant_NarrowestOfTwoReplacingListsCounts(t *testing.T) {
	zero, two := byte(0), byte(2)
	to := Targets{Devices: []fleet.DeviceID{"btn-001"}}
	p := NewPolicy(DefaultProfiles(), []List{
		{ID: "a", AppliesTo: to, ReplacesProfile: true, Retain: RetainAnything, MaxQoS: &two},
		{ID: "b", AppliesTo: to, ReplacesProfile: true, Retain: RetainNothing, MaxQoS: &zero},
		{ID: "c", AppliesTo: to},
	})
	if g := grant(t, p, button("btn-001")); g.MaxQoS != 0 || g.Retain != RetainNothing {
		t.Errorf("%+v", g)
	}
	if g := grant(t, p, button("btn-002")); g.MaxQoS != 1 || g.Retain != RetainStatus {
		t.Errorf("another device: %+v", g)
	}
}

func TestCheck_NamesTheFieldAndWhatToWrite(t *testing.T) {
	good := Profile{Name: "p", MaxQoS: 1, MaxConnections: 1}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Profile){
		"profile_name":            func(p *Profile) { p.Name = "a b" },
		"max_qos":                 func(p *Profile) { p.MaxQoS = 3 },
		"max_connections":         func(p *Profile) { p.MaxConnections = 0 },
		"retain":                  func(p *Profile) { p.Retain = "all" },
		"rate.bytes_per_second":   func(p *Profile) { p.Rate.Bytes = -1 },
		"reporting_interval_s":    func(p *Profile) { p.ReportingInterval = 1 },
		"roles[0]":                func(p *Profile) { p.Roles = []string{"+"} },
		"relay[0]":                func(p *Profile) { p.Relay = []fleet.DeviceID{"a/b"} },
		"acl_pattern[0].acltype":  func(p *Profile) { p.ACL = []ACL{{Kind: "publish", Topic: "a"}} },
		"acl_pattern[0].topic":    func(p *Profile) { p.ACL = []ACL{{Kind: PublishSend, Topic: "a/${rom}"}} },
		"acl_pattern[0].priority": func(p *Profile) { p.ACL = []ACL{{Kind: PublishSend, Topic: "a", Priority: 1 << 30}} },
	} {
		p := good
		change(&p)
		var f *FieldError
		if err := p.Check(); !errors.As(err, &f) || f.Field != field || !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v", field, err)
		}
	}
	qos := byte(1)
	for field, l := range map[string]List{
		"id":                     {ID: "a/b"},
		"replaces_profile":       {ID: "a", ReplacesProfile: true},
		"retain":                 {ID: "a", Retain: RetainNothing},
		"max_qos":                {ID: "a", MaxQoS: &qos},
		"roles[0].rolename":      {ID: "a", Roles: []Role{{}}},
		"roles[0].acls[0].topic": {ID: "a", Roles: []Role{{Name: "r", ACLs: []ACL{{Kind: PublishSend, Topic: "$SYS/#"}}}}},
		"applies_to.types[0]":    {ID: "a", AppliesTo: Targets{Types: []fleet.DeviceType{"a b"}}},
	} {
		var f *FieldError
		if err := l.Check(); !errors.As(err, &f) || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestCheck_RefusesARuleThatNeverApplies(t *testing.T) {
	for _, filter := range []string{"$share/g/a", "$SHARE/g/#", "$share/${clientid}/a"} {
		if err := (ACL{Kind: SubscribePattern, Topic: filter}).Check(); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func TestPolicy_WithIsAnotherPolicy(t *testing.T) {
	p := NewPolicy(DefaultProfiles(), nil)
	quiet := Profile{Name: "button", MaxQoS: 0, MaxConnections: 1}
	next := p.With([]Profile{quiet}, []List{one("l", Targets{}, 0)})
	if v, _ := p.Profile("button"); v.MaxQoS != 1 || len(p.Lists()) != 0 {
		t.Error("the first policy has changed")
	}
	if v, _ := next.Profile("button"); v.MaxQoS != 0 || len(next.Lists()) != 1 || len(next.Profiles()) != len(p.Profiles()) {
		t.Errorf("%+v", next.Profiles())
	}
	if grant(t, p, button("a")).Equal(grant(t, next, button("a"))) || !grant(t, p, button("a")).Equal(grant(t, p, button("a"))) {
		t.Error("equality of grants")
	}
}

func TestSys_NeedsARuleThatNamesIt(t *testing.T) {
	sys := []ACL{{Kind: SubscribePattern, Topic: "$SYS/#", Allow: true}, {Kind: PublishReceive, Topic: "$SYS/broker/#", Allow: true}}
	all := []ACL{{Kind: SubscribePattern, Topic: "#", Allow: true}, {Kind: PublishReceive, Topic: "#", Allow: true}, {Kind: PublishReceive, Topic: "+/#", Allow: true}}
	for _, c := range []struct {
		acls []ACL
		a    Action
		name string
		want bool
	}{
		{sys, Subscribe, "$SYS/#", true}, {sys, Subscribe, "$SYS/broker/+", true}, {sys, Subscribe, "#", false}, {sys, Subscribe, "$CONTROL/#", false},
		{sys, Receive, "$SYS/broker/uptime", true}, {sys, Receive, "$SYS/other", false}, {sys, Send, "$SYS/broker/uptime", false},
		{all, Subscribe, "$SYS/#", false}, {all, Receive, "$SYS/broker/uptime", false}, {all, Subscribe, "#", true}, {all, Receive, "a", true},
	} {
		if d := mustCompile(t, []Role{{Name: "r", ACLs: c.acls}}, Vars{}).Decide(c.a, c.name); d.Allowed != c.want {
			t.Errorf("%v %s: %+v", c.a, c.name, d)
		}
	}
}

func TestList_ShowsRulesInTheOrderInWhichTheyAreAsked(t *testing.T) {
	p := NewPolicy(DefaultProfiles(), []List{
		one("low", Targets{Types: []fleet.DeviceType{fleet.Button}}, -1, ACL{Kind: PublishSend, Topic: "low"}),
		one("high", Targets{Types: []fleet.DeviceType{fleet.Button}}, 1, ACL{Kind: PublishSend, Topic: "high/${device_id}"}),
	})
	var roles []string
	list := grant(t, p, button("btn-001")).Rules.List(Send)
	for _, e := range list {
		roles = append(roles, e.Role)
	}
	if d := cmp.Diff([]string{"high", "profile button", "profile button", "low"}, roles); d != "" {
		t.Error(d)
	}
	if list[0].Topic != "high/btn-001" || list[0].Written != "high/${device_id}" {
		t.Errorf("%+v", list[0])
	}
}

func TestCompile_RefusesMoreRulesThanAMessageMayCost(t *testing.T) {
	many := make([]ACL, MaxRules+1)
	for i := range many {
		many[i] = ACL{Kind: PublishSend, Topic: "a"}
	}
	if _, err := Compile([]Role{{Name: "r", ACLs: many}}, Vars{}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestProfile_JSONHasTheNamesOfTheInterface(t *testing.T) {
	b, err := json.Marshal(Profile{
		Name: "p", Roles: []string{"r"}, ACL: []ACL{{Kind: PublishSend, Topic: "a", Allow: true}}, MaxConnections: 2, Retain: RetainNothing,
		Rate: Rate{Messages: 5}, ReportingInterval: 60, Relay: []fleet.DeviceID{"d"}, ClientCertRequired: true,
	})
	want := `{"profile_name":"p","roles":["r"],"acl_pattern":[{"acltype":"publishClientSend","topic":"a","allow":true}],"max_qos":0,` +
		`"max_connections":2,"client_cert_required":true,"retain":"nothing","rate":{"messages_per_second":5},"reporting_interval_s":60,"relay":["d"]}`
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s\n%s", err, b, want)
	}
}

func TestBeside_MayDoWhatEitherPlaceAllowsAndNothingElse(t *testing.T) {
	old := fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "cabin-1", Profile: "button"}
	now := old
	now.Room = "bridge"
	at := func(d fleet.Device) *Rules { return mustCompile(t, DeviceRoles(), DeviceVars("yacht-1", d, "btn-1")) }
	both := at(now).Beside(at(old))
	for name, want := range map[string]bool{
		now.BaseTopic("yacht-1") + "/press":        true,
		old.BaseTopic("yacht-1") + "/press":        true,
		now.BaseTopic("yacht-1") + "/cmd/reset":    false,
		old.BaseTopic("yacht-1") + "/cmd/reset":    false,
		"obedio/yacht-1/galley/button/btn-1/press": false,
	} {
		if got := both.Decide(Send, name); got.Allowed != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if n := len(both.List(Subscribe)) - len(at(now).List(Subscribe)); n != 1 {
		t.Errorf("%d rules more to subscribe by, want the old place's one", n)
	}
}
