package topic

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
)

var oldButton = fleet.Device{ID: "btn-001", Type: fleet.Button, Room: "cabin-101", LegacyID: "17"}

func TestLegacy_TranslatesTheDevicesOwnTopicsAndNoOthers(t *testing.T) {
	l := LegacyOf("yacht-1", oldButton)
	const base = "obedio/yacht-1/cabin-101/button/btn-001/"
	for name, want := range map[string]string{
		"obedio/device/btn-001/status":    base + "status",
		"obedio/device/17/press":          base + "press",
		"obedio/button/17/press":          base + "press",
		"obedio/button/btn-001/cmd/#":     base + "cmd/#",
		"obedio/device/17/cmd/reset":      base + "cmd/reset",
		"obedio/device/18/press":          "",
		"obedio/device/btn-0011/press":    "",
		"obedio/device/btn-001":           "",
		"obedio/device/btn-001/":          "",
		"obedio/device/+/press":           "",
		"obedio/watch/btn-001/press":      "",
		"Obedio/device/btn-001/press":     "",
		base + "press":                    "",
		"$share/g/obedio/device/17/cmd/#": "",
	} {
		got, ok := l.ToStandard(name)
		if want == "" {
			want = name
			if ok {
				t.Errorf("%s is translated", name)
			}
		}
		if got != want {
			t.Errorf("%s becomes %s", name, got)
		}
	}
}

func TestLegacy_CommandComesOnTheTopicThatWasSubscribed(t *testing.T) {
	l := LegacyOf("yacht-1", oldButton)
	const name = "obedio/yacht-1/cabin-101/button/btn-001/cmd/reset"
	for requested, want := range map[string]string{
		"obedio/device/17/cmd/#":                    "obedio/device/17/cmd/reset",
		"obedio/device/btn-001/cmd/reset":           "obedio/device/btn-001/cmd/reset",
		"obedio/button/17/cmd/+":                    "obedio/button/17/cmd/reset",
		"obedio/yacht-1/cabin-101/button/btn-001/#": name,
		"obedio/yacht-1/cabin-101/button/+/cmd/#":   name,
		"obedio/device/other/cmd/#":                 name,
	} {
		if got, ok := l.FromStandard(requested, name); got != want || ok != (want != name) {
			t.Errorf("%s: %s, %v", requested, got, ok)
		}
	}
	if got, ok := l.FromStandard("obedio/device/17/#", "obedio/yacht-1/system/time"); ok || got != "obedio/yacht-1/system/time" {
		t.Errorf("the hub's own topic becomes %s", got)
	}
}

func TestLegacy_WildcardAsLegacyIDSpeaksForNobody(t *testing.T) {
	d := oldButton
	for _, id := range []string{"+", "#", "a/b", ""} {
		d.LegacyID = id
		if _, ok := LegacyOf("yacht-1", d).ToStandard("obedio/device/" + id + "/press"); ok {
			t.Errorf("%q is taken", id)
		}
	}
	for _, site := range []fleet.SiteID{"device", "button"} {
		if _, ok := LegacyOf(site, oldButton).ToStandard("obedio/device/17/press"); ok {
			t.Errorf("site %s: its standard topics are translated", site)
		}
	}
}

func TestLegacy_ThereAndBackIsTheSame(t *testing.T) {
	segment := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		d := fleet.Device{
			ID: fleet.DeviceID(segment.Draw(t, "id")), Type: fleet.Button, Room: fleet.RoomID(segment.Draw(t, "room")),
			LegacyID: segment.Draw(t, "legacy id"),
		}
		l := LegacyOf("yacht-1", d)
		id := rapid.SampledFrom([]string{string(d.ID), d.LegacyID}).Draw(t, "by")
		old := rapid.SampledFrom(legacyRoots).Draw(t, "root") + id + "/" + rapid.SampledFrom([]string{"press", "cmd/reset", "a/b/c"}).Draw(t, "action")
		standard, ok := l.ToStandard(old)
		parsed, err := Parse(standard)
		if !ok || err != nil || !parsed.Of("yacht-1", d) {
			t.Fatalf("%s becomes %s: %v", old, standard, err)
		}
		if back, ok := l.FromStandard(old, standard); !ok || back != old {
			t.Fatalf("%s becomes %s and then %s", old, standard, back)
		}
	})
}
