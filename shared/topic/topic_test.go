package topic

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

func TestParse_TellsDeviceAndSystemTopicsApart(t *testing.T) {
	device := func(action string) Topic {
		return Topic{Site: "yacht-1", Room: "cabin-101", Type: fleet.Button, Device: "btn-001", Action: action}
	}
	for name, want := range map[string]Topic{
		"obedio/yacht-1/cabin-101/button/btn-001/status":      device("status"),
		"obedio/yacht-1/cabin-101/button/btn-001/cmd/reset":   device("cmd/reset"),
		"obedio/yacht-1/cabin-101/button/btn-001/a/b/c/d/e":   device("a/b/c/d/e"),
		"obedio/yacht-1/cabin-101/thermostat/th.1_x-2/status": {Site: "yacht-1", Room: "cabin-101", Type: "thermostat", Device: "th.1_x-2", Action: "status"},
		"obedio/yacht-1/system/time":                          {Site: "yacht-1", Action: "time", System: true},
		"obedio/yacht-1/system/provision/response/t-1":        {Site: "yacht-1", Action: "provision/response/t-1", System: true},
	} {
		got, err := Parse(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got.String() != name {
			t.Errorf("%s becomes %s", name, got)
		}
	}
}

func TestParse_RefusesWhatIsOutsideTheGrammar(t *testing.T) {
	for _, name := range []string{
		"", "obedio", "obedio/", "obedio/yacht-1", "obedio/yacht-1/", "obedio/yacht-1/cabin-101", "obedio/yacht-1/cabin-101/button",
		"obedio/yacht-1/cabin-101/button/btn-001", "obedio/yacht-1/cabin-101/button/btn-001/",
		"Obedio/yacht-1/cabin-101/button/btn-001/status", "/obedio/yacht-1/cabin-101/button/btn-001/status",
		"obedio//cabin-101/button/btn-001/status", "obedio/yacht-1/cabin-101/button//status",
		"obedio/yacht-1/cabin-101/button/btn-001/cmd//reset", "obedio/yacht-1/cabin-101/button/btn-001/status/",
		"obedio/+/cabin-101/button/btn-001/status", "obedio/yacht-1/cabin-101/button/btn-001/#",
		"obedio/yacht-1/cabin-101/button/.btn/status", "obedio/yacht-1/cabin-101/button/b n/status",
		"obedio/yacht-1/system", "obedio/yacht-1/system/", "obedio/yacht-1/system//time",
		"obedio/yacht-1/cabin-101/button/btn-001/" + strings.Repeat("a/", 11) + "a",
		"obedio/yacht-1/cabin-101/button/btn-001/" + strings.Repeat("a", 65),
		"obedio/" + strings.Repeat("a", 64) + "/" + strings.Repeat("b", 64) + "/" + strings.Repeat("c", 64) + "/" + strings.Repeat("d", 64) + "/status",
		"device/btn-001/status",
	} {
		if got, err := Parse(name); !errors.Is(err, fleet.ErrInvalid) || !got.IsZero() {
			t.Errorf("%q: got %+v, %v", name, got, err)
		}
	}
}

func TestBuild_MakesWhatParseReads(t *testing.T) {
	d := fleet.Device{ID: "w-1", Type: fleet.Watch, Room: "deck-3"}
	base := Base("yacht-1", d.Room, d.Type, d.ID)
	if base != d.BaseTopic("yacht-1") {
		t.Fatalf("base %s", base)
	}
	command, err := Parse(Command(base, Notify))
	if err != nil || !command.Of("yacht-1", d) || command.Of("yacht-2", d) || command.Of("yacht-1", fleet.Device{}) {
		t.Fatalf("%+v %v", command, err)
	}
	if name, ok := command.Command(); !ok || name != Notify {
		t.Fatalf("command %q", name)
	}
	if _, ok := command.Request(); ok {
		t.Fatal("a command is no request")
	}
	request, err := Parse(Request(base, "0190a1b2-0000-7000-8000-000000000000"))
	if id, ok := request.Request(); err != nil || !ok || id != "0190a1b2-0000-7000-8000-000000000000" {
		t.Fatalf("request %+v %v", request, err)
	}
	if !Match(Commands(base), Command(base, Receipt)) || Match(Commands(base), Action(base, Status)) {
		t.Fatal("commands")
	}
	sys, err := Parse(System("yacht-1", SystemTime))
	if err != nil || !sys.System || sys.Base() != "" {
		t.Fatalf("system %+v %v", sys, err)
	}
	if _, ok := sys.Command(); ok {
		t.Fatal("a system topic is no command")
	}
}

func TestParse_DoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Parse("obedio/yacht-1/cabin-101/button/btn-001/cmd/reset"); err != nil {
			t.Fatal(err)
		}
		if CheckName("obedio/yacht-1/cabin-101/button/btn-001/status") != nil || CheckFilter("$share/g/obedio/+/#") != nil {
			t.Fatal("invalid")
		}
		if !Match("obedio/+/cabin-101/#", "obedio/yacht-1/cabin-101/button/btn-001/status") || !Cover("a/#", "a/+/b") {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"obedio/y/r/button/b/status", "obedio/y/system/time", "obedio/y/system", "a//b", "obedio/y/r/t/d/a/b/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := Parse(name)
		if err != nil {
			if !got.IsZero() {
				t.Fatalf("%q: %+v with an error", name, got)
			}
			return
		}
		if got.String() != name || !ValidName(name) || !ValidFilter(name) {
			t.Fatalf("%q becomes %q", name, got.String())
		}
	})
}
