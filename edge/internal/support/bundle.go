package support

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"time"
)

// Bundle is what goes into the file.
type Bundle struct {
	Version   string
	Now       time.Time
	StartedAt time.Time
	// Settings as Settings returns them.
	Settings map[string]any
	// Views are resources by their file's name: they are written as JSON.
	Views map[string]any
	// Texts write files of text by name.
	Texts map[string]func(io.Writer) error
}

// Write writes the bundle as a zip. A part that cannot be gathered is in it as
// the reason why: whoever asks for help has enough trouble.
func (b Bundle) Write(w io.Writer) error {
	z := zip.NewWriter(w)
	add := func(name string, write func(io.Writer) error) error {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			fmt.Fprintf(&text, "\nnot gathered: %v\n", err)
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: b.Now.UTC()})
		if err == nil {
			_, err = f.Write(scrub(text.Bytes()))
		}
		if err != nil {
			return fmt.Errorf("write support bundle: %w", err)
		}
		return nil
	}
	if err := add("version.json", asJSON(b.version())); err != nil {
		return err
	}
	if err := add("settings.json", asJSON(b.Settings)); err != nil {
		return err
	}
	for _, name := range sorted(b.Views) {
		if err := add(name+".json", asJSON(b.Views[name])); err != nil {
			return err
		}
	}
	for _, name := range sorted(b.Texts) {
		if err := add(name+".txt", b.Texts[name]); err != nil {
			return err
		}
	}
	if err := add("goroutines.txt", func(w io.Writer) error { return pprof.Lookup("goroutine").WriteTo(w, 1) }); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write support bundle: %w", err)
	}
	return nil
}

func (b Bundle) version() map[string]any {
	v := map[string]any{
		"version": b.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU(),
		"now": b.Now, "started_at": b.StartedAt, "goroutines": runtime.NumGoroutine(),
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	v["heap_bytes"], v["sys_bytes"], v["gc"] = m.HeapAlloc, m.Sys, m.NumGC
	if i, ok := debug.ReadBuildInfo(); ok {
		modules := map[string]string{}
		for _, d := range i.Deps {
			modules[d.Path] = d.Version
		}
		v["modules"] = modules
	}
	return v
}

func asJSON(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
