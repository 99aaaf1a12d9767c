package hub

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// auditOf reads the audit through the API, the newest first.
func auditOf(h *fullHub, query string) (all []fleet.AuditEntry) {
	h.T.Helper()
	var page struct {
		Items []fleet.AuditEntry `json:"items"`
		Next  *string            `json:"next_cursor"`
	}
	for cursor := ""; ; cursor = *page.Next {
		page.Next = nil
		h.Call("GET", "/api/v1/audit?limit=2&"+query+"&cursor="+cursor, nil, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
	}
}

// wantWhole fails unless the whole audit is as it was written, in so many
// chains.
func wantWhole(h *fullHub, chains int) []audit.Chain {
	h.T.Helper()
	var v struct {
		OK     bool          `json:"ok"`
		Chains []audit.Chain `json:"chains"`
	}
	h.Call("GET", "/api/v1/audit/verify", nil, &v)
	if !v.OK || len(v.Chains) != chains {
		h.T.Fatalf("audit is %+v", v)
	}
	return v.Chains
}

// The restored hub begins a chain of its own, which goes on from the last entry
// that the backup has.
func TestRestore_TheAuditGoesOnInANewChain(t *testing.T) {
	d := smallDisk{dir: t.TempDir()}
	h := startFull(t, d)
	h.addDevice("btn-001")
	var made struct {
		Name string `json:"name"`
	}
	h.Call("POST", "/api/v1/backups", map[string]any{"plain": true}, &made)
	h.addDevice("btn-002") // after the backup
	old := h.identity.Epoch
	wantWhole(h, 1)
	h.stop()

	data := filepath.Join(d.dir, "data")
	f, err := os.Open(filepath.Join(data, backup.Dir, made.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := backup.Restore(t.Context(), f, backup.RestoreConfig{Dir: data, Replace: true, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	h = startFull(t, d)
	h.addDevice("btn-003")
	chains := wantWhole(h, 2)
	if chains[0].Chain != old || chains[1].Chain != h.identity.Epoch ||
		chains[1].Continues == nil || *chains[1].Continues != (audit.Place{Chain: old, N: chains[0].Entries}) {
		t.Errorf("chains are %+v", chains)
	}
	all := auditOf(h, "action=device.")
	if len(all) != 2 || all[0].Target != "btn-003" || all[1].Target != "btn-001" || all[1].Chain != old {
		t.Errorf("the audit of devices is %+v", all)
	}
	begins := auditOf(h, "chain="+string(h.identity.Epoch))
	if first := begins[len(begins)-1]; first.N != 1 || first.Prev != chains[0].Head {
		t.Errorf("the new chain begins with %+v, the old one ends with %s", first, chains[0].Head)
	}
}

// A decision that fails leaves neither the change nor the entry; so nothing
// that ends the hub can leave one without the other.
func TestDecision_ThatFailsLeavesNeitherChangeNorEntry(t *testing.T) {
	h := startFull(t, smallDisk{dir: t.TempDir()})
	h.addDevice("btn-001")
	before := auditOf(h, "")
	boom := errors.New("boom")
	err := h.journal.Do(t.Context(), func(tx *journal.Tx) error {
		room := fleet.Room{ID: "bridge", Name: "Bridge", Version: 1}
		if err := tx.Append(fleet.System("test"), fleet.RoomChanged{Room: room}); err != nil {
			return err
		}
		if _, found, err := fleet.Get[fleet.AuditEntry](tx, fleet.AuditEntryRef(h.identity.Epoch, before[0].N+1)); err != nil || !found {
			t.Errorf("the decision does not see its entry: %t, %v", found, err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if _, found, err := fleet.Get[fleet.Room](h.store, fleet.RoomRef("bridge")); err != nil || found {
		t.Errorf("the room is there: %t, %v", found, err)
	}
	if after := auditOf(h, ""); len(after) != len(before) {
		t.Errorf("%d entries, %d before", len(after), len(before))
	}
	wantWhole(h, 1)
}
