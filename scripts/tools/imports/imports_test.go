// Package imports keeps the order of packages: who may import whom, with the
// reason beside each rule. It is a test only.
package imports

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const root = "github.com/obedio/obedio/"

// modules of the repository, from the one that imports nothing.
var modules = []string{"proto", "shared", "edge", "console", "firmware-sim"}

// rule says what the packages that match may import of what matches of.
type rule struct {
	// packages and of are patterns of path.Match on import paths; a trailing
	// /... matches everything below.
	packages string
	of       string
	only     []string // these alone; none for nothing
	reason   string
}

var rules = []rule{
	{"proto/...", root + "...", []string{"proto/..."}, "the contract knows no program"},
	{"shared/...", root + "...", []string{"proto/...", "shared/..."}, "what is shared knows no program"},
	{"edge/...", root + "...", []string{"proto/...", "shared/...", "edge/..."}, "a hub works without a console, also in its source"},
	{"console/...", root + "...", []string{"proto/...", "shared/...", "console/..."}, "the console knows what hubs tell it, not how they work"},
	{"firmware-sim/cmd/...", root + "edge/...", nil, "a simulated device knows a hub from outside only"},
	{"firmware-sim/cmd/...", root + "console/...", nil, "a simulated device knows no console"},
	{"firmware-sim/internal/...", root + "edge/...", nil, "a simulated device knows a hub from outside only"},
	{"firmware-sim/internal/...", root + "console/...", nil, "a simulated device knows no console"},

	{"shared/fleet", "*.*/...", nil, "the vocabulary is pure: standard library only"},
	{"shared/fleet", root + "...", nil, "the vocabulary stands below everything"},
	{"shared/feed", root + "...", nil, "a stream knows nothing of what it carries"},
	{"shared/topic", root + "...", []string{"shared/fleet"}, "the grammar of topics needs the vocabulary only"},
	{"shared/access", root + "...", []string{"shared/fleet", "shared/topic"}, "rights are about names and topics only"},
	{"shared/audit", root + "...", []string{"shared/fleet"}, "an audit is read the same wherever it is kept"},
	{"shared/wire", root + "...", []string{"shared/fleet", "proto/..."}, "it translates, and does nothing else"},
	{"shared/identity", root + "...", []string{"shared/fleet"}, "names and keys are nobody's business logic"},
	{"shared/lane", root + "...", []string{"shared/fleet", "shared/wire", "proto/..."}, "the sync core is pure"},

	// An engine has one owner.
	{"...", "github.com/mochi-mqtt/...", []string{"edge/internal/broker/..."}, "the broker library stays behind the gate"},
	{"...", "github.com/cockroachdb/pebble/...", []string{"edge/internal/store/...", "edge/internal/traffic"}, "two databases, two owners: history can be lost without the core"},
	{"...", "github.com/dgraph-io/badger/...", []string{"console/internal/store/badger/..."}, "one package knows the console's engine"},
	{"...", "github.com/jackc/pgx/...", []string{"console/internal/store/postgres/..."}, "one package knows the console's database server"},
	{"...", "github.com/redis/go-redis/...", []string{"console/internal/relay/..."}, "one package knows how consoles hear of each other"},
	{"...", "github.com/pressly/goose/...", []string{"console/internal/store/postgres"}, "tables are changed in one place"},
	{"...", "github.com/hashicorp/go-retryablehttp", []string{"edge/internal/uplink", "shared/courier"}, "each retry is paid for: those who retry are few"},
	{"...", "connectrpc.com/connect", []string{"edge/internal/uplink", "console/internal/hublink", "proto/gen/...", "firmware-sim/internal/flotilla"}, "the link has one end on each side; synthetic hubs are a third"},
	{"...", "github.com/gorilla/websocket", []string{"edge/internal/broker", "edge/internal/api", "firmware-sim/internal/hubapi"}, "WebSockets are ways in; the simulator reads one"},
	{"...", "github.com/gin-gonic/gin", []string{"shared/rest/...", "edge/internal/api", "console/internal/api"}, "gin stays at the rim"},
	{"...", "github.com/danielgtaylor/huma/...", []string{"shared/rest/..."}, "OpenAPI is made in one place"},

	// Layers of the hub. Packages beside each other do not import each other:
	// hub connects them.
	{"edge/internal/store", root + "edge/...", nil, "the store knows no business"},
	{"edge/internal/backup", root + "edge/...", []string{"edge/internal/store"}, "a backup is of stores and files, whatever is in them"},
	{"...", "filippo.io/age", []string{"edge/internal/backup", "edge/internal/config", "edge/internal/hub", "edge/cmd/obedio-hub"}, "files are encrypted in one place, with keys from the settings"},
	{"edge/internal/disk", root + "edge/...", nil, "the guard knows how much room there is, not what it is for"},
	{"edge/internal/support", root + "edge/...", nil, "a bundle holds what it is given"},
	{"edge/internal/dialect", root + "edge/...", nil, "reading payloads is pure"},
	{"edge/internal/journal", root + "edge/...", []string{"edge/internal/store"}, "the journal stands on the store"},
	{"edge/internal/document", root + "edge/...", []string{"edge/internal/store", "edge/internal/journal"}, "a document is versioned the same, whatever it is about"},
	{"edge/internal/broker/...", root + "edge/...", []string{"edge/internal/broker/..."}, "the broker knows no business"},
	{"edge/internal/pki", root + "edge/...", below("pki"), "beside each other, not through each other"},
	{"edge/internal/provision", root + "edge/...", below("provision"), "beside each other, not through each other"},
	{"edge/internal/registry", root + "edge/...", below("registry"), "beside each other, not through each other"},
	{"edge/internal/policy", root + "edge/...", below("policy"), "beside each other, not through each other"},
	{"edge/internal/mosquitto", root + "edge/...", below("mosquitto"), "beside each other, not through each other"},
	{"edge/internal/denial", root + "edge/...", nil, "it remembers what it is told, whoever tells it"},
	{"edge/internal/security", root + "edge/...", below("security"), "it tells the audit what it is told, whoever tells it"},
	{"edge/internal/presence", root + "edge/...", below("presence"), "beside each other, not through each other"},
	{"edge/internal/request", root + "edge/...", below("request"), "beside each other, not through each other"},
	{"edge/internal/roster", root + "edge/...", below("roster"), "beside each other, not through each other"},
	{"edge/internal/selftest", root + "edge/...", below("selftest"), "beside each other, not through each other"},
	{"edge/internal/command", root + "edge/...", below("command"), "beside each other, not through each other"},
	{"edge/internal/notify", root + "edge/...", below("notify"), "beside each other, not through each other"},
	{"...", "github.com/wneessen/go-mail", []string{"shared/courier"}, "mail leaves a program at one place"},
	{"edge/internal/courier", root + "edge/...", below("courier"), "beside each other, not through each other"},
	{"edge/internal/alert", root + "edge/...", below("alert"), "beside each other, not through each other"},
	{"edge/internal/traffic", root + "edge/...", []string{"edge/internal/store"}, "the record knows no business, and the store only as the name of a file system"},
	{"edge/internal/uplink", root + "edge/...", below("uplink"), "beside each other, not through each other"},
	{"...", root + "edge/internal/hub", []string{"edge/internal/hub", "edge/internal/config", "edge/cmd/...", "edge/hubtest"}, "nothing needs the wiring but main"},

	// Layers of the console.
	{"console/internal/pki", root + "console/...", nil, "keys and certificates know no business"},
	{"console/internal/store", root + "console/...", nil, "the port is in words of the domain"},
	{"console/internal/hublink", root + "console/...", []string{"console/internal/store", "console/internal/hublink"}, "beside each other, not through each other"},
	{"console/internal/relay", root + "console/...", nil, "it carries what it is given"},
	{"console/internal/dispatch", root + "console/...", []string{"console/internal/store", "console/internal/dispatch"}, "beside each other, not through each other"},
	{"console/internal/policy", root + "console/...", []string{"console/internal/store", "console/internal/policy"}, "beside each other, not through each other"},
	{"console/internal/notify", root + "console/...", []string{"console/internal/store", "console/internal/notify"}, "beside each other, not through each other"},
	{"console/internal/alert", root + "console/...", []string{"console/internal/store", "console/internal/alert"}, "beside each other, not through each other"},
	{"console/internal/fleetview", root + "console/...", []string{"console/internal/store", "console/internal/fleetview"}, "beside each other, not through each other"},
	{"...", root + "console/internal/console", []string{"console/internal/console", "console/internal/config", "console/cmd/...", "console/consoletest"}, "nothing needs the wiring but main"},
}

func below(self string) []string {
	return []string{
		"edge/internal/store", "edge/internal/journal", "edge/internal/document", "edge/internal/dialect", "edge/internal/" + self,
	}
}

// names that say nothing about what a package is for.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "model", "models", "manager", "managers", "types", "core", "misc"}

type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	used := make([]bool, len(rules))
	for _, m := range modules {
		for _, p := range list(t, m) {
			for _, name := range emptyNames {
				if path.Base(p.ImportPath) == name {
					t.Errorf("%s: the name says nothing: call it what it is for", p.ImportPath)
				}
			}
			for i, r := range rules {
				if !matches(full(r.packages), p.ImportPath) {
					continue
				}
				used[i] = true
				for _, imported := range p.Imports {
					if matches(r.of, imported) && !allowed(r, p.ImportPath, imported) {
						t.Errorf("%s imports %s: %s", p.ImportPath, imported, r.reason)
					}
				}
			}
		}
	}
	for i, r := range rules {
		if !used[i] {
			t.Errorf("rule %q about %q matches no package: remove it", r.packages, r.of)
		}
	}
}

// allowed reports whether the rule lets importer import imported. For rules
// about everybody's use of an engine, only lists the importers.
func allowed(r rule, importer, imported string) bool {
	subject := imported
	if r.packages == "..." {
		subject = importer
	}
	for _, only := range r.only {
		if matches(full(only), subject) {
			return true
		}
	}
	return false
}

func full(pattern string) string {
	if pattern == "..." {
		return root + "..."
	}
	return root + pattern
}

func matches(pattern, importPath string) bool {
	prefix, below := strings.CutSuffix(pattern, "/...")
	if pattern == root+"..." {
		return strings.HasPrefix(importPath, root)
	}
	if !below {
		return pattern == importPath
	}
	if prefix == "*.*" {
		first, _, _ := strings.Cut(importPath, "/")
		return strings.Contains(first, ".") // not the standard library's
	}
	return importPath == prefix || strings.HasPrefix(importPath, prefix+"/")
}

func list(t *testing.T, module string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "nomsgpack", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = filepath.Join("..", "..", "..", module)
	cmd.Env = append(cmd.Environ(), "GOWORK=")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v", module, err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
