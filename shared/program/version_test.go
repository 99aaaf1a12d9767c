package program

import (
	"runtime/debug"
	"testing"
)

func TestVersion_OfTheCommitWhereThereIsNoRelease(t *testing.T) {
	set := func(kv ...string) []debug.BuildSetting {
		var s []debug.BuildSetting
		for i := 0; i < len(kv); i += 2 {
			s = append(s, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return s
	}
	for _, c := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, "0.0.0-dev"},
		{set("vcs.modified", "true"), "0.0.0-dev"},
		{set("vcs.revision", "0123456789abcdef", "vcs.modified", "false"), "0.0.0-dev+0123456789ab"},
		{set("vcs.revision", "0123456789abcdef", "vcs.modified", "true"), "0.0.0-dev+0123456789ab.dirty"},
	} {
		if got := versionOf(c.settings); got != c.want {
			t.Errorf("%v: %s, want %s", c.settings, got, c.want)
		}
	}
}
