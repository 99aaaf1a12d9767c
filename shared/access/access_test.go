package access

import (
	"errors"
	"strings"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

var btn = fleet.Device{ID: "btn-001", Type: fleet.Button, Room: "cabin-101"}

func mustCompile(t *testing.T, roles []Role, vars Vars) *Rules {
	t.Helper()
	r, err := Compile(roles, vars)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDeviceRoles_PublishBelowBaseExceptCommands(t *testing.T) {
	r := mustCompile(t, DeviceRoles(), DeviceVars("yacht-1", btn, "btn-001"))
	base := btn.BaseTopic("yacht-1")
	for _, c := range []struct {
		action Action
		name   string
		want   bool
	}{
		{Send, base + "/status", true}, {Send, base + "/press", true}, {Send, base + "/request/1", true},
		{Send, base + "/cmd", false}, {Send, base + "/cmd/reset", false}, {Send, base + "/cmd/a/b", false}, {Send, base + "/commands", true},
		{Send, "obedio/yacht-1/cabin-101/button/btn-002/press", false}, {Send, "obedio/yacht-1/cabin-102/button/btn-001/press", false},
		{Send, "obedio/yacht-1/cabin-101/watch/btn-001/press", false}, {Send, "obedio/yacht-2/cabin-101/button/btn-001/press", false},
		{Send, "obedio/yacht-1/system/time", false}, {Send, base + "/+", false}, {Send, base + "/#", false}, {Send, "$SYS/x", false},
		{Subscribe, base + "/cmd/#", true}, {Subscribe, base + "/cmd/reset", true}, {Subscribe, base + "/cmd/+", true}, {Subscribe, base + "/cmd", true},
		{Subscribe, "$share/g/" + base + "/cmd/#", true}, {Subscribe, "$SHARE/g/#", false}, {Subscribe, "$share/g/" + base + "/#", false},
		{Subscribe, "#", false}, {Subscribe, "+/#", false}, {Subscribe, base + "/#", false}, {Subscribe, base + "/+/#", false},
		{Subscribe, "obedio/yacht-1/+/button/btn-001/cmd/#", false}, {Subscribe, "obedio/yacht-1/cabin-101/button/+/cmd/#", false},
		{Subscribe, "obedio/yacht-1/system/time", true}, {Subscribe, "obedio/yacht-1/system/#", false}, {Subscribe, "obedio/yacht-1/system/+", false},
		{Receive, base + "/cmd/reset", true}, {Receive, base + "/status", false}, {Receive, "obedio/yacht-1/system/time", true},
		{Receive, "obedio/yacht-1/system/provision/request", false},
		{Unsubscribe, base + "/cmd/#", true}, {Unsubscribe, "#", true},
	} {
		if d := r.Decide(c.action, c.name); d.Allowed != c.want {
			t.Errorf("%s %s: %+v", c.action, c.name, d)
		}
	}
}

func TestDecide_SaysWhichRule(t *testing.T) {
	r := mustCompile(t, DeviceRoles(), DeviceVars("yacht-1", btn, "btn-001"))
	for name, want := range map[string]string{
		btn.BaseTopic("yacht-1") + "/cmd/reset": "device: publishClientSend obedio/${site}/${room}/${type}/${device_id}/cmd/#",
		btn.BaseTopic("yacht-1") + "/press":     "device: publishClientSend obedio/${site}/${room}/${type}/${device_id}/#",
		"elsewhere":                             RuleDefault,
		"a//b":                                  RuleInvalid,
	} {
		if d := r.Decide(Send, name); d.Rule != want {
			t.Errorf("%s: %q", name, d.Rule)
		}
	}
	var none *Rules
	if d := none.Decide(Send, "a"); d.Allowed || d.Rule != RuleDefault {
		t.Errorf("no rules: %+v", d)
	}
}

func TestCompile_OrdersByPriority(t *testing.T) {
	allowA := ACL{Kind: PublishSend, Topic: "a", Allow: true}
	denyA := ACL{Kind: PublishSend, Topic: "a"}
	with := func(a ACL, p int) ACL { a.Priority = p; return a }
	for name, c := range map[string]struct {
		roles []Role
		want  bool
	}{
		"as written":            {[]Role{{Name: "r", ACLs: []ACL{allowA, denyA}}}, true},
		"acl priority":          {[]Role{{Name: "r", ACLs: []ACL{allowA, with(denyA, 1)}}}, false},
		"roles as written":      {[]Role{{Name: "r", ACLs: []ACL{denyA}}, {Name: "s", ACLs: []ACL{allowA}}}, false},
		"role priority":         {[]Role{{Name: "r", ACLs: []ACL{denyA}}, {Name: "s", Priority: 1, ACLs: []ACL{allowA}}}, true},
		"role before acl":       {[]Role{{Name: "r", ACLs: []ACL{with(denyA, 9)}}, {Name: "s", Priority: 1, ACLs: []ACL{allowA}}}, true},
		"negative is last":      {[]Role{{Name: "r", Priority: -1, ACLs: []ACL{denyA}}, {Name: "s", ACLs: []ACL{allowA}}}, true},
		"other kinds are other": {[]Role{{Name: "r", ACLs: []ACL{{Kind: PublishReceive, Topic: "a", Allow: true}}}}, false},
	} {
		if d := mustCompile(t, c.roles, Vars{}).Decide(Send, "a"); d.Allowed != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestCompile_DoesNotTouchItsRoles(t *testing.T) {
	roles := []Role{{Name: "low"}, {Name: "high", Priority: 1, ACLs: []ACL{{Kind: PublishSend, Topic: "a"}, {Kind: PublishSend, Topic: "b", Priority: 1}}}}
	mustCompile(t, roles, Vars{})
	if roles[0].Name != "low" || roles[1].ACLs[0].Topic != "a" {
		t.Fatalf("roles were sorted in place: %+v", roles)
	}
}

func TestCompile_RefusesWhatCouldWidenARule(t *testing.T) {
	vars := Vars{ClientID: "c", Username: "u", DeviceID: "d", Site: "s", Room: "r", Type: "t"}
	ok := func(filter string, v Vars) error {
		_, err := Compile([]Role{{Name: "r", ACLs: []ACL{{Kind: PublishSend, Topic: filter, Allow: true}}}}, v)
		return err
	}
	for _, filter := range []string{"a/${clientid}/${username}/${device_id}/${site}/${room}/${type}/#", "a", "#", "a/+"} {
		if err := ok(filter, vars); err != nil {
			t.Errorf("%s: %v", filter, err)
		}
	}
	for _, filter := range []string{
		"a/${nobody}", "a/x${clientid}", "a/${clientid}x", "a/${clientid", "a/$clientid", "${}", "", "a//b", "a/#/b", "a+",
		"a/${site}${room}", "a/" + strings.Repeat("b/", 15) + "${site}", "$SYS/#", "$SYS/a", "$CONTROL/a", "a/$SYS/b",
	} {
		if err := ok(filter, vars); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%q: %v", filter, err)
		}
	}
	for _, value := range []string{"", "+", "#", "a/b", "a+", "${site}", "$share", "a b", "a\x00", strings.Repeat("a", 65), ".."} {
		if err := ok("a/${clientid}", Vars{ClientID: value}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("value %q: %v", value, err)
		}
		if err := ok("a/b", Vars{ClientID: value}); err != nil {
			t.Errorf("value %q that no rule uses: %v", value, err)
		}
	}
	if _, err := Compile([]Role{{ACLs: []ACL{{Kind: "publish", Topic: "a"}}}}, vars); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestSubscribePattern_IsInclusionNotMatch(t *testing.T) {
	r := mustCompile(t, []Role{{Name: "r", ACLs: []ACL{
		{Kind: SubscribePattern, Topic: "a/+/c", Allow: true}, {Kind: SubscribeLiteral, Topic: "b/#", Allow: true},
	}}}, Vars{})
	for filter, want := range map[string]bool{
		"a/b/c": true, "a/+/c": true, "a/#": false, "a/+/+": false, "+/b/c": false, "a/b/#": false,
		"b/#": true, "b/c": false, "b": false, "$share/g/b/#": true, "$share/g/a/+/c": true,
	} {
		if d := r.Decide(Subscribe, filter); d.Allowed != want {
			t.Errorf("%s: %+v", filter, d)
		}
	}
}

func TestProfile_RelayMayUseItsChildrensTopics(t *testing.T) {
	p := NewPolicy([]Profile{{Name: "repeater", ACL: DeviceACLs(), Relay: []fleet.DeviceID{"btn-001"}}}, nil)
	g, err := p.Grant("yacht-1", fleet.Device{ID: "rep-1", Type: fleet.Repeater, Room: "bridge", Profile: "repeater"}, "rep-1")
	if err != nil {
		t.Fatal(err)
	}
	r, rep := g.Rules, fleet.Device{ID: "rep-1", Type: fleet.Repeater, Room: "bridge"}
	for name, want := range map[string]bool{
		btn.BaseTopic("yacht-1") + "/press":                true,
		btn.BaseTopic("yacht-1") + "/cmd/reset":            false,
		rep.BaseTopic("yacht-1") + "/status":               true,
		"obedio/yacht-1/cabin-101/button/btn-002/press":    false,
		"obedio/yacht-2/cabin-101/button/btn-001/press":    false,
		"obedio/yacht-1/anywhere/button/btn-001/heartbeat": true,
	} {
		if d := r.Decide(Send, name); d.Allowed != want {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := r.Decide(Subscribe, btn.BaseTopic("yacht-1")+"/cmd/#"); !d.Allowed {
		t.Errorf("child's commands: %+v", d)
	}
	for _, p := range DefaultProfiles() {
		if err := p.Check(); err != nil || p.MaxQoS != 1 || p.MaxConnections != 1 {
			t.Errorf("%s: %v %+v", p.Name, err, p)
		}
	}
}

func TestRetain_DefaultIsStatus(t *testing.T) {
	for _, c := range []struct {
		retain Retain
		name   string
		want   bool
	}{
		{"", "obedio/y/r/button/b/status", true}, {"", "obedio/y/r/button/b/press", false}, {"", "obedio/y/system/status", false},
		{RetainStatus, "obedio/y/r/button/b/status", true}, {RetainStatus, "elsewhere", false},
		{RetainNothing, "obedio/y/r/button/b/status", false}, {RetainAnything, "elsewhere", true}, {"typo", "obedio/y/r/button/b/status", false},
	} {
		parsed, _ := topic.Parse(c.name)
		if got := c.retain.Allows(parsed); got != c.want {
			t.Errorf("%q %s: %v", c.retain, c.name, got)
		}
	}
}

func TestHubRoles_CommandsAndSystemTopicsOfItsSite(t *testing.T) {
	r := mustCompile(t, HubRoles(), Vars{Site: "yacht-1"})
	for name, want := range map[string]bool{
		btn.BaseTopic("yacht-1") + "/cmd/reset": true, btn.BaseTopic("yacht-1") + "/press": false,
		btn.BaseTopic("yacht-2") + "/cmd/reset": false, "obedio/yacht-1/system/time": true, "obedio/yacht-2/system/time": false,
	} {
		if d := r.Decide(Send, name); d.Allowed != want {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if d := r.Decide(Subscribe, "#"); d.Allowed {
		t.Error("the hub subscribes to nothing")
	}
}

func TestDecide_DoesNotAllocate(t *testing.T) {
	r := mustCompile(t, DeviceRoles(), DeviceVars("yacht-1", btn, "btn-001"))
	name := btn.BaseTopic("yacht-1") + "/press"
	if n := testing.AllocsPerRun(100, func() {
		if !r.Decide(Send, name).Allowed || r.Decide(Subscribe, "$share/g/#").Allowed {
			t.Fatal("decided wrongly")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
