package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

func TestAudit_FromTheCommandLineWithAndWithoutAHub(t *testing.T) {
	data := t.TempDir()
	stop := serveHub(t, data)
	for _, id := range []string{"btn-001", "btn-002", "btn-003"} {
		must(t, "device", "add", "--data", data, "--id", id, "--type", "button", "--room", "cabin-101", "--generate-password")
	}
	must(t, "device", "move", "--data", data, "btn-002", "bridge")
	list := func(more ...string) (out []struct {
		N      uint64
		Chain  string
		Action string
		Target string
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(must(t, append([]string{"audit", "list", "--data", data, "--json"}, more...)...)), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	look := func(when string) {
		t.Helper()
		all := list("--action", "device.")
		if len(all) != 4 || all[0].Action != "device.moved" || all[3].Target != "btn-001" {
			t.Errorf("%s: %+v", when, all)
		}
		if some := list("--target", "btn-002", "--limit", "1"); len(some) != 1 || some[0].Action != "device.moved" {
			t.Errorf("%s: %+v", when, some)
		}
		if out := must(t, "audit", "verify", "--data", data); !strings.Contains(out, "entries, head ") {
			t.Errorf("%s: %s", when, out)
		}
		if out := must(t, "audit", "export", "--data", data, "-", "--format", "csv", "--action", "device."); strings.Count(out, "\n") != 5 || !strings.HasPrefix(out, "chain,n,at,") {
			t.Errorf("%s: %s", when, out)
		}
	}
	look("running")
	stop()
	look("offline")
	must(t, "verify", "--data", data)
	mustNot(t, 1, "from", "audit", "list", "--data", data, "--from", "yesterday")

	moved := list("--action", "device.moved")[0]
	spoil(t, data, fleet.Epoch(moved.Chain), moved.N)
	mustNot(t, 1, "entry "+string(rune('0'+moved.N))+":", "audit", "verify", "--data", data)
	code, out, _ := run(t, "", "verify", "--data", data, "--json")
	if code != 1 || !strings.Contains(out, "audit chain "+moved.Chain) || !strings.Contains(out, "is not what was written") {
		t.Errorf("verify of a tampered store: %d, %s", code, out)
	}
}

// spoil changes a stored entry as somebody would who may write the data, and
// cannot write the hashes anew.
func spoil(t *testing.T, data string, chain fleet.Epoch, n uint64) {
	t.Helper()
	s, err := store.Open(store.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	e, found, err := fleet.Get[fleet.AuditEntry](s, fleet.AuditEntryRef(chain, n))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	e.Actor = fleet.Actor{Kind: fleet.ActorUser, ID: "u-7", Name: "Somebody else"}
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutEntity(fleet.Change{After: e}) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
