package program

import (
	"runtime/debug"
	"sync"
)

// version is set by the release build:
// -ldflags "-X github.com/obedio/obedio/shared/program.version=1.2.3".
var version string

// Version is what was built: the release's version, or the commit.
func Version() string { return readVersion() }

var readVersion = sync.OnceValue(func() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "0.0.0-dev"
	}
	return versionOf(info.Settings)
})

func versionOf(settings []debug.BuildSetting) string {
	v := "0.0.0-dev"
	dirty := ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			v += "+" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ".dirty"
		}
	}
	if dirty != "" && v != "0.0.0-dev" {
		v += dirty
	}
	return v
}
