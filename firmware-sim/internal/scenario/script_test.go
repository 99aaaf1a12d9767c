package scenario

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
)

func TestBuiltin_AllCanBeReadAndResized(t *testing.T) {
	for _, name := range Names() {
		s, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name {
			t.Errorf("%s calls itself %s", name, s.Name)
		}
		ids := map[fleet.DeviceID]bool{}
		for i := range s.Groups {
			for _, p := range s.Groups[i].plan("p-", 1) {
				if ids[p.config.ID] {
					t.Errorf("%s: device %s twice", name, p.config.ID)
				}
				ids[p.config.ID] = true
				if _, err := fleet.ParseDeviceID(string(p.config.ID)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := fleet.ParseRoomID(string(p.room)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		for _, n := range []int{s.Devices() + 17, 2 * s.Devices(), 500} {
			if err := s.Resize(n); err != nil || s.Devices() != n {
				t.Errorf("%s: %d devices of %d: %v", name, s.Devices(), n, err)
			}
		}
		if err := s.Resize(1); err == nil {
			t.Errorf("%s: took 1 device", name)
		}
	}
}

const good = `name: tale
story: Once upon a time.
devices:
  - {group: cabins, type: button, count: 3, boot_ids: [yes, no], mqtt: ["5", "3.1.1"], battery: 5..7}
  - {type: watch, reaction: 2s..8s, names: [Anna]}
timeline:
  - {at: 0s, do: connect, who: all, spread: 3s}
  - {at: 2s, do: press, who: cabins, times: 1..3, every: 1s..2s, pick: 2}
  - {at: 2s, do: wait, for: receipts, who: cabins, within: 5s}
expect:
  - stored_once
  - {check: lateness, late_after: 1m}
`

func TestParse_ReadsAScript(t *testing.T) {
	s, err := Parse("tale.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if s.Devices() != 4 || len(s.Timeline) != 3 || len(s.Expect) != 2 {
		t.Fatalf("%+v", s)
	}
	p := s.Timeline[1].act.(*press)
	if p.Who != "cabins" || p.Pick != 2 || p.Times != (Range{1, 3}) || p.Every.Span != (device.Span{Least: time.Second, Most: 2 * time.Second}) {
		t.Errorf("%+v", p)
	}
	if c := s.Expect[1].check.(*lateness); c.LateAfter != time.Minute || c.Tolerance != 5*time.Second {
		t.Errorf("%+v", c)
	}
	plans := s.Groups[0].plan("x-", 1)
	var got []string
	for _, p := range plans {
		boot := "no"
		if p.config.BootIDs {
			boot = "yes"
		}
		if p.config.Battery < 5 || p.config.Battery > 7 {
			t.Errorf("battery %g", p.config.Battery)
		}
		got = append(got, string(p.config.ID)+" "+string(p.room)+" "+boot+" "+string(p.config.MQTT))
	}
	want := []string{"x-btn-001 cabin-101 yes 5", "x-btn-002 cabin-102 no 3.1.1", "x-btn-003 cabin-103 yes 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if w := s.Groups[1].plan("", 1)[0].config; w.Wearer == nil || w.Wearer.Attention != 1 || w.Name != "Anna" {
		t.Errorf("%+v", w)
	}
}

func TestParse_NamesTheLineOfAnError(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"spread: 3s", "sprawl: 3s", `tale.yaml: line 7: unknown key "sprawl"`},
		{"story:", "storey:", `tale.yaml: line 2: unknown key "storey"`},
		{"boot_ids:", "boots:", `tale.yaml: line 4: unknown key "boots"`},
		{"late_after", "late_atfer", `tale.yaml: line 12: unknown key "late_atfer"`},
		{"do: connect", "do: conect", `tale.yaml: line 7: do "conect": want one of calls,`},
		{"stored_once", "stored_twice", `tale.yaml: line 11: check "stored_twice": want one of`},
		{"who: all", "who: everybody", `tale.yaml: line 7: connect: who "everybody": there is no such group`},
		{"for: receipts", "for: godot", `tale.yaml: line 9: wait: for "godot": want one of`},
		{"1..3", "3..1", `line 8: "3..1": want a number from 0, or two such as 1..3`},
		{"2s..8s", "soon", `line 5: span "soon"`},
		{"[yes, no]", "[maybe]", `tale.yaml: line 4: boot_ids: "maybe": want one of yes, no`},
		{"type: watch", "type: clock", `tale.yaml: line 5: `},
		{"at: 2s, do: wait", "at: 1s, do: wait", `tale.yaml: line 9: at 1s: is before the step above it`},
		{"{type: watch,", "{group: cabins, type: watch,", `tale.yaml: line 5: group "cabins": this name is taken`},
		{"late_after: 1m", "late_after: soon", `line 12`},
		{"spread: 3s", "spread: 3s, spread: 4s", `line 7`},
		{"expect:", "endless: true\nexpect:", `want expect, or endless: true and no expect`},
		{"name: tale", "name: [", `tale.yaml: yaml: line`},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%q is not in the script", c.from)
		}
		if _, err := Parse("tale.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.to, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("name: x\ndevices: [1]\n")
	f.Add("")
	f.Add("- &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz.yaml", []byte(text))
		if (s == nil) == (err == nil) {
			t.Fatalf("%v %v", s, err)
		}
	})
}
