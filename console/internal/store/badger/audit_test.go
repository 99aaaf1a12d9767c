package badger

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/console/internal/store/storetest"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

func TestAudit_TamperingIsFoundAfterAStart(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*tx) error
		bad   uint64
		says  string
	}{
		"who": {func(t *tx) error {
			k := ownAudit(t).key("console", 2)
			e, _, err := getJSON[fleet.AuditEntry](t, k)
			e.Actor.ID = "somebody-else"
			return errors.Join(err, t.setJSON(k, e))
		}, 2, "entry 2 is not what was written"},
		"taken out": {func(t *tx) error {
			t.set(ownAudit(t).key("console", 2), nil)
			return nil
		}, 2, "entry 3 follows entry 1"},
		"the end": {func(t *tx) error {
			t.set(ownAudit(t).key("console", 3), nil)
			return nil
		}, 3, "entry 3 is missing"},
	} {
		dir := t.TempDir()
		s := open(t, Config{Dir: dir})
		for _, id := range []fleet.SiteID{"a", "b", "c"} {
			storetest.AddSite(t, s, id)
		}
		storetest.AuditOf(t, s)
		if err := errors.Join(s.update(t.Context(), c.spoil), s.Close()); err != nil {
			t.Fatal(err)
		}
		var got []audit.Chain
		err := open(t, Config{Dir: dir}).ViewAudit(t.Context(), func(src audit.Source) (err error) {
			got, err = audit.Verify(src, true)
			return err
		})
		if err != nil || len(got) != 1 || got[0].OK || got[0].FirstBad != c.bad || !strings.Contains(got[0].What, c.says) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Transactions that add nothing to the audit do not wait for one that does.
func TestAudit_OthersDoNotWait(t *testing.T) {
	s := open(t, Config{})
	storetest.AddSite(t, s, "a")
	storetest.AddSite(t, s, "b")
	err := s.UpdateSite(t.Context(), "a", func(outer store.SiteTx) error {
		if err := outer.Audit(fleet.System("test"), "order.queued", "a", nil); err != nil {
			return err
		}
		return s.UpdateSite(t.Context(), "b", func(tx store.SiteTx) error { return tx.PutContact(store.Contact{Version: "2"}) })
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAudit_EntriesAreStoredAsTheyAreHashed(t *testing.T) {
	s := open(t, Config{})
	storetest.AddSite(t, s, "a")
	e := storetest.AuditOf(t, s)[0]
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var again fleet.AuditEntry
	if err := json.Unmarshal(b, &again); err != nil || again.Sum() != e.Hash {
		t.Errorf("%+v, %v", again, err)
	}
}
