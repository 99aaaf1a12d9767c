package mosquitto_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/mosquitto"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

var update = flag.Bool("update", false, "write the golden files anew")

var by = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Mila"}

type clock struct{}

func (clock) Now() (time.Time, bool) { return time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), true }

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// hub is what a mover needs of one.
type hub struct {
	failer
	store    *store.Store
	registry *registry.Registry
	policies *policy.Policies
	*mosquitto.Mover
}

func newHub(t failer, most int, devices ...fleet.DeviceID) *hub {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	j := journal.New(journal.Config{Store: s, Clock: clock{}})
	p, err := policy.New(policy.Config{Site: "yacht-1", Store: s, Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.New(registry.Config{Site: "yacht-1", Store: s, Journal: j, Profiles: p, MaxDevices: most})
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{failer: t, store: s, registry: r, policies: p, Mover: mosquitto.New(mosquitto.Config{
		Site: "yacht-1", Store: s, Journal: j, Devices: r, Policies: p,
	})}
	for _, id := range devices {
		if _, _, err := r.Add(background(), by, fleet.Device{ID: id, Type: fleet.Button, Room: "deck-3"}, registry.Password{}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *hub) close() {
	h.Helper()
	if err := h.store.Close(); err != nil {
		h.Fatal(err)
	}
}

// move imports, and fails the test on an error.
func (h *hub) move(f mosquitto.Files, dryRun bool) mosquitto.Report {
	h.Helper()
	r, err := h.Import(background(), by, f, nil, dryRun)
	if err != nil {
		h.Fatal(err)
	}
	return r
}

func (h *hub) export() (mosquitto.Files, []mosquitto.Note) {
	h.Helper()
	f, notes, err := h.Export()
	if err != nil {
		h.Fatal(err)
	}
	return f, notes
}

// credentials are the stored ones, by device.
func (h *hub) credentials() map[fleet.DeviceID]store.Credential {
	h.Helper()
	devices, err := h.registry.Devices()
	if err != nil {
		h.Fatal(err)
	}
	all := map[fleet.DeviceID]store.Credential{}
	for _, d := range devices {
		if c, found, err := h.store.Credential(d.ID); err != nil {
			h.Fatal(err)
		} else if found {
			c.ChangedAt = time.Time{}
			all[d.ID] = c
		}
	}
	return all
}

func (h *hub) grant(id fleet.DeviceID) access.Grant {
	h.Helper()
	d, err := h.registry.Device(id)
	if err != nil {
		h.Fatal(err)
	}
	g, err := h.policies.Policy().Grant("yacht-1", d, string(id))
	if err != nil {
		h.Fatal(err)
	}
	return g
}

// files are the test data: files that mosquitto_passwd and mosquitto_ctrl 2.0
// have made, with a few more entries.
func files(t failer) mosquitto.Files {
	t.Helper()
	passwd, err := os.ReadFile("testdata/passwd")
	if err != nil {
		t.Fatal(err)
	}
	dynsec, err := os.ReadFile("testdata/dynsec.json")
	if err != nil {
		t.Fatal(err)
	}
	return mosquitto.Files{Passwd: string(passwd), Dynsec: string(dynsec)}
}

var buttons = []fleet.DeviceID{"btn-001", "btn-002", "btn-003", "btn-004", "btn-005", "btn-006"}

func TestImport_DeviceGoesOnConnectingWithItsPassword(t *testing.T) {
	h := newHub(t, 0, buttons...)
	defer h.close()
	h.move(mosquitto.Files{Passwd: files(t).Passwd}, false)
	for id, password := range map[string]string{"btn-001": "pw-one-one", "btn-002": "pw-two-two"} {
		if d, err := h.registry.Identify(id, []byte(password)); err != nil || string(d.ID) != id {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := h.registry.Identify(id, []byte(password+"x")); !errors.Is(err, fleet.ErrUnauthenticated) {
			t.Errorf("%s with a wrong password: %v", id, err)
		}
	}
	// Where a user is in both files, Mosquitto asks the dynamic security first.
	h.move(files(t), false)
	if _, err := h.registry.Identify("btn-001", []byte("pw111111")); err != nil {
		t.Errorf("the password of the dynamic security file: %v", err)
	}
	if _, err := h.registry.Identify("btn-001", []byte("pw-one-one")); err == nil {
		t.Error("the password of the password file counts")
	}
}

func TestImport_ReportsWhatIsLeftOutAndImportsTheRest(t *testing.T) {
	h := newHub(t, 0, buttons...)
	defer h.close()
	r := h.move(files(t), false)
	var notes []string
	for _, n := range r.Notes {
		notes = append(notes, fmt.Sprintf("%s %d %s", n.File, n.Line, n.Entry))
	}
	for _, want := range []string{
		"passwd 4 user plain", "passwd 5 line", "passwd 6 user old", "passwd 7 user too many", "passwd 8 user short", "passwd 9 user btn-009",
		"dynsec 0 user admin", "dynsec 0 client btn-002", "dynsec 0 role reader", "dynsec 0 role own topics", "dynsec 0 client btn-004",
		"dynsec 0 client btn-005", "dynsec 0 client btn-006", "dynsec 0 client btn-003",
	} {
		if !slices.Contains(notes, want) {
			t.Errorf("nothing is said of %s", want)
		}
	}
	if d := cmp.Diff([]fleet.DeviceID{"btn-001", "btn-002"}, slices.Sorted(slices.Values(r.Credentials))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"btn-003", "mosquitto-defaults", "own-topics", "reader", "writer"}, slices.Sorted(slices.Values(r.ACLs))); d != "" {
		t.Error(d)
	}
	for _, c := range []struct {
		id     fleet.DeviceID
		action access.Action
		topic  string
		want   bool
	}{
		{"btn-001", access.Send, "obedio/y", true}, {"btn-001", access.Send, "obedio/x", false}, {"btn-001", access.Subscribe, "obedio/+", true},
		{"btn-001", access.Receive, "anything", true}, {"btn-001", access.Subscribe, "other", false}, {"btn-001", access.Subscribe, "$SYS/broker/+", true},
		{"btn-002", access.Send, "dev/btn-002/btn-002/x", true}, {"btn-002", access.Send, "dev/btn-001/btn-002/x", false},
		{"btn-002", access.Subscribe, "obedio/yacht-1/deck-3/button/btn-002/cmd/#", true}, {"btn-002", access.Send, "obedio/yacht-1/deck-3/button/btn-002/press", false},
		{"btn-003", access.Send, "obedio/y", true}, {"btn-003", access.Send, "obedio/x", false}, {"btn-003", access.Subscribe, "obedio/#", true},
		// Left out: what it had before, the rights of its profile.
		{"btn-004", access.Send, "obedio/yacht-1/deck-3/button/btn-004/press", true}, {"btn-004", access.Send, "anything", false},
	} {
		if d := h.grant(c.id).Rules.Decide(c.action, c.topic); d.Allowed != c.want {
			t.Errorf("%s %v %s: %+v", c.id, c.action, c.topic, d)
		}
	}
}

func TestImport_DryRunChangesNothingAndSaysTheSame(t *testing.T) {
	h := newHub(t, 0, buttons...)
	defer h.close()
	before, err := h.store.Digest()
	if err != nil {
		t.Fatal(err)
	}
	dry := h.move(files(t), true)
	if after, err := h.store.Digest(); err != nil || after != before || len(h.credentials()) != 0 || len(h.policies.Lists()) != 0 {
		t.Errorf("a dry run has changed something: %v", err)
	}
	wet := h.move(files(t), false)
	dry.DryRun = false
	if d := cmp.Diff(wet, dry); d != "" {
		t.Errorf("(-import +dry run):\n%s", d)
	}
	// What is there already is not written again.
	if again := h.move(files(t), false); len(again.ACLs) != 0 {
		t.Errorf("written again: %v", again.ACLs)
	}
}

func TestImport_SaysWhichDocumentsItReplacesAndLocksNobodyOut(t *testing.T) {
	h := newHub(t, 0, buttons...)
	defer h.close()
	mine := access.List{ID: "reader", Roles: []access.Role{{Name: "mine", ACLs: []access.ACL{}}}}
	if err := h.policies.AddList(t.Context(), by, mine); err != nil {
		t.Fatal(err)
	}
	if r := h.move(files(t), false); !slices.Contains(r.Notes, mosquitto.Note{File: "hub", Entry: "acl reader", Problem: "was there, and is replaced"}) {
		t.Errorf("%+v", r.Notes)
	}
	var roles, refs []string
	for i := range 3 {
		var rules []string
		for j := range 400 {
			rules = append(rules, fmt.Sprintf(`{"acltype":"publishClientSend","topic":"t/%d/%d","allow":true}`, i, j))
		}
		roles = append(roles, fmt.Sprintf(`{"rolename":"many-%d","acls":[%s]}`, i, strings.Join(rules, ",")))
		refs = append(refs, fmt.Sprintf(`{"rolename":"many-%d"}`, i))
	}
	many := fmt.Sprintf(`{"clients":[{"username":"btn-001","roles":[%s]}],"roles":[%s]}`, strings.Join(refs, ","), strings.Join(roles, ","))
	if _, err := h.Import(t.Context(), by, mosquitto.Files{Dynsec: many}, nil, false); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "btn-001") {
		t.Errorf("more rules than a client may have: %v", err)
	}
}

func TestImport_RightsDoNotGrowByWhatTheFileLeavesOut(t *testing.T) {
	h := newHub(t, 0, buttons...)
	defer h.close()
	// Without defaultACLAccess the plugin denies everything that no rule allows.
	r := h.move(mosquitto.Files{Dynsec: `{"clients": [{"username": "btn-001", "roles": [{"rolename": "sub"}]}, {"username": "btn-002", "roles": [{"rolename": "shared"}]}],
		"roles": [
			{"rolename": "sub", "acls": [{"acltype": "subscribePattern", "topic": "a/#", "allow": true}]},
			{"rolename": "shared", "acls": [{"acltype": "subscribeLiteral", "topic": "$share/g/a", "priority": 1, "allow": false},
				{"acltype": "subscribePattern", "topic": "a", "allow": true}]}]}`}, false)
	for _, a := range []access.Action{access.Send, access.Receive, access.Unsubscribe} {
		if d := h.grant("btn-001").Rules.Decide(a, "a/b"); d.Allowed {
			t.Errorf("%s: %+v", a, d)
		}
	}
	if d := h.grant("btn-001").Rules.Decide(access.Subscribe, "a/b"); !d.Allowed {
		t.Errorf("subscribe: %+v", d)
	}
	// A denying rule about a shared subscription has no like here.
	if !slices.ContainsFunc(r.Notes, func(n mosquitto.Note) bool {
		return n.Entry == "client btn-002" && strings.Contains(n.Problem, "$share/g/a")
	}) {
		t.Errorf("%+v", r.Notes)
	}
	if d := h.grant("btn-002").Rules.Decide(access.Subscribe, "$share/g/a"); d.Allowed {
		t.Errorf("shared: %+v", d)
	}
}

func TestImport_RegistersUsersWhenAskedAsFarAsThereIsRoom(t *testing.T) {
	h := newHub(t, 3, "btn-001")
	defer h.close()
	to := &mosquitto.Register{Type: fleet.Sensor, Room: "engine"}
	r, err := h.Import(t.Context(), by, mosquitto.Files{Passwd: files(t).Passwd + strings.ReplaceAll(files(t).Passwd, "btn-009", "btn-010")}, to, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]fleet.DeviceID{"btn-002", "btn-009"}, r.Registered); d != "" {
		t.Error(d)
	}
	if d, err := h.registry.Device("btn-009"); err != nil || d.Type != fleet.Sensor || d.Room != "engine" || d.Profile != "sensor" {
		t.Errorf("%+v %v", d, err)
	}
	if last := r.Notes[len(r.Notes)-1]; !strings.Contains(last.Problem, "as many devices as it may have") {
		t.Errorf("%+v", last)
	}
	if _, err := h.Import(t.Context(), by, mosquitto.Files{}, &mosquitto.Register{Type: "kettle", Room: "x"}, false); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a type that is none: %v", err)
	}
	if _, err := h.Import(t.Context(), by, mosquitto.Files{Dynsec: "{"}, nil, false); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a file that is none: %v", err)
	}
}

func TestExport_BroughtInAgainIsTheSame(t *testing.T) {
	first := newHub(t, 0, buttons...)
	defer first.close()
	first.move(files(t), false)
	out, _ := first.export()

	second := newHub(t, 0, buttons...)
	defer second.close()
	second.move(out, false)
	if d := cmp.Diff(first.credentials(), second.credentials()); d != "" {
		t.Errorf("passwords (-first +second):\n%s", d)
	}
	imported := func(h *hub) (lists []access.List) {
		for _, d := range h.policies.Lists() {
			// What has variables is written out for each device: the rules of
			// profiles, and a role of the file.
			if !strings.HasPrefix(d.Value.ID, "profile.") && !strings.HasPrefix(d.Value.ID, "own-topics") {
				lists = append(lists, d.Value)
			}
		}
		return lists
	}
	if d := cmp.Diff(imported(first), imported(second)); d != "" {
		t.Errorf("documents (-first +second):\n%s", d)
	}
	if again, _ := second.export(); again.Passwd != out.Passwd {
		t.Errorf("%s\n%s", again.Passwd, out.Passwd)
	}
}

// The golden files are what Mosquitto 2.0.11 has loaded: a change of them must
// be tried with it.
func TestExport_WritesWhatMosquittoLoads(t *testing.T) {
	h := newHub(t, 0, buttons...)
	defer h.close()
	h.move(files(t), false)
	out, notes := h.export()
	for name, got := range map[string]string{"passwd.golden": out.Passwd, "dynsec.golden.json": out.Dynsec} {
		if *update {
			if err := os.WriteFile("testdata/"+name, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if !slices.ContainsFunc(notes, func(n mosquitto.Note) bool { return n.Entry == "device btn-003" && n.Problem == "has no password" }) {
		t.Errorf("%+v", notes)
	}
}

func TestExport_DecidesAsTheHubDoes(t *testing.T) {
	filters := []string{
		"a", "#", "a/+", "obedio/yacht-1/${room}/${type}/${device_id}/#", "obedio/yacht-1/+/button/+/cmd/#", "${clientid}/#", "a/#", "$SYS/#",
		"obedio/${site}/system/time",
	}
	asked := []string{
		"a", "a/b", "btn-001/x", "btn-002/x", "obedio/yacht-1/deck-3/button/btn-001/press", "obedio/yacht-1/deck-3/button/btn-001/cmd/reset",
		"obedio/yacht-1/deck-3/button/btn-002/cmd/reset", "obedio/yacht-1/system/time", "$SYS/a",
	}
	acl := rapid.Custom(func(t *rapid.T) access.ACL {
		a := access.ACL{
			Kind: rapid.SampledFrom(access.Kinds()).Draw(t, "kind"), Topic: rapid.SampledFrom(filters).Draw(t, "topic"),
			Allow: rapid.Bool().Draw(t, "allow"), Priority: rapid.IntRange(-2, 2).Draw(t, "priority"),
		}
		if a.Check() != nil {
			a.Topic = "a"
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		first := newHub(t, 0, "btn-001", "btn-002")
		defer first.close()
		for i := range rapid.IntRange(0, 4).Draw(t, "lists") {
			l := access.List{ID: fmt.Sprintf("l%d", i), ReplacesProfile: rapid.Bool().Draw(t, "replaces")}
			for j := range rapid.IntRange(0, 2).Draw(t, "roles") {
				l.Roles = append(l.Roles, access.Role{
					Name: fmt.Sprintf("r%d", j), Priority: rapid.IntRange(-2, 2).Draw(t, "priority"), ACLs: rapid.SliceOfN(acl, 0, 4).Draw(t, "acls"),
				})
			}
			l.AppliesTo.Devices = rapid.SampledFrom([][]fleet.DeviceID{{"btn-001"}, {"btn-002"}, {"btn-001", "btn-002"}}).Draw(t, "devices")
			if err := first.policies.AddList(background(), by, l); err != nil {
				t.Fatal(err)
			}
		}
		out, _ := first.export()
		second := newHub(t, 0, "btn-001", "btn-002")
		defer second.close()
		second.move(out, false)
		for _, id := range []fleet.DeviceID{"btn-001", "btn-002"} {
			was, is := first.grant(id), second.grant(id)
			for _, a := range access.Actions() {
				for _, name := range slices.Concat(asked, []string{"#", "a/+", "a/#", "+", "$SYS/#", "$SYS/+"}) {
					if got, want := is.Rules.Decide(a, name), was.Rules.Decide(a, name); got.Allowed != want.Allowed {
						t.Fatalf("%s %v %s: %+v, was %+v\n%s", id, a, name, got, want, out.Dynsec)
					}
				}
			}
		}
	})
}
