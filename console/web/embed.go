// Package web holds the console's user interface as Vite has built it. A build of
// the program without Node embeds an empty dist, and the program then serves a
// page that says how to build it. Safe for use from any goroutine.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the built user interface, with index.html at its root if one
// was built.
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil { // dist is embedded, so this cannot happen
		panic(err)
	}
	return sub
}

// Ready reports whether Files holds a built user interface.
func Ready() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}
