package program

import (
	"runtime/debug"
	"sync"
	"time"
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

// BuiltAt is when the source that the program was built from was committed; zero
// when that is not known.
func BuiltAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // zero for another form
			return t
		}
	}
	return time.Time{}
}

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
