package hub

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.golang/paho"

	"github.com/obedio/obedio/edge/internal/backup"
	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
)

// auditOf reads the audit through the API, the newest first.
func auditOf(h *fullHub, query string) (all []fleet.AuditEntry) {
	h.T.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []fleet.AuditEntry `json:"items"`
			Next  *string            `json:"next_cursor"`
		}
		h.Call("GET", "/api/v1/audit?limit=2&"+query+"&cursor="+cursor, nil, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			return all
		}
		cursor = *page.Next
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
	if first := begins[len(begins)-1]; first.N != 1 || first.Action != "hub.restored" || first.Detail["epoch_before"] != string(old) || first.Prev != chains[0].Head {
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

// What somebody without rights can make happen as often as he likes makes a
// bounded number of entries, which count all of it.
func TestSecurity_AFloodOfDenialsMakesAFewEntries(t *testing.T) {
	h := startFull(t, smallDisk{dir: t.TempDir()})
	h.addDevice("btn-001")
	const flood = 100_000
	for i := range flood {
		h.devices.objected(broker.Objection{
			At: time.Now(), Kind: broker.ObjectionDenied, ClientID: fmt.Sprint("client-", i%1000), Action: access.Send,
			Topic: "obedio/yacht-1/bridge/button/x/press", Reason: "default: deny", Remote: netip.MustParseAddrPort("192.0.2.7:1000"),
		})
	}
	h.stop() // what was counted is written at the end

	h = startFull(t, smallDisk{dir: filepath.Dir(h.c.Data)})
	wantWhole(h, 1)
	told := 0
	for _, e := range auditOf(h, "action=mqtt.denied") {
		n := 1
		if c, ok := e.Detail["count"]; ok {
			n, _ = strconv.Atoi(c)
		}
		told += n
	}
	left := auditOf(h, "action=security.unwritten")
	for _, e := range left {
		n, _ := strconv.Atoi(e.Detail["mqtt.denied"])
		told += n
	}
	if all := auditOf(h, ""); len(all) > 70 || len(left) == 0 || told != flood {
		t.Errorf("%d entries tell of %d denials", len(all), told)
	}
}

func TestSecurity_WhatHappensIsInTheAudit(t *testing.T) {
	full := atomic.Bool{}
	h := startFull(t, smallDisk{dir: t.TempDir(), usage: func(string) (disk.Usage, error) {
		u := disk.Usage{Free: 1000 * mb, Total: 2000 * mb}
		if full.Load() {
			u.Free = 150 * mb // history stops
		}
		return u, nil
	}})
	h.addDevice("btn-001")
	from := netip.MustParseAddrPort("192.0.2.7:1000")
	for _, name := range []string{"btn-001", "hunter2"} {
		h.devices.objected(broker.Objection{
			At: time.Now(), Kind: broker.ObjectionRefused, Reason: string(broker.RefusedCredentials), Username: name, Remote: from,
		})
	}
	h.devices.objected(broker.Objection{
		At: time.Now(), Kind: broker.ObjectionRefused, Reason: string(broker.RefusedCertificate), Remote: from, Listener: "mqtts",
		Detail: fmt.Errorf("%w (device %s, serial %s)", pki.ErrRevoked, "btn-001", "0a").Error(),
	})
	var made struct {
		Name string `json:"name"`
	}
	h.Call("POST", "/api/v1/backups", map[string]any{"plain": true}, &made)
	h.Call("GET", "/api/v1/system/support", nil, nil)
	h.Call("DELETE", "/api/v1/backups/"+made.Name, nil, nil)
	h.Call("POST", "/api/v1/security/mosquitto/import", map[string]any{"dynsec": `{"clients":[],"roles":[]}`}, nil)
	h.Call("POST", "/api/v1/security/mosquitto/import", map[string]any{"dynsec": `{"clients":[],"roles":[]}`, "dry_run": true}, nil)
	full.Store(true)
	wanted := map[string]int{
		"backup.made": 1, "backup.removed": 1, "support.made": 1, "mosquitto.imported": 1, "certificate.refused": 1,
		"mqtt.credentials_refused": 1, "disk.stopped": 1,
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		missing := []string{}
		for action, n := range wanted {
			if got := auditOf(h, "action="+action); len(got) < n {
				missing = append(missing, action)
			}
		}
		if len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("not in the audit: %v", missing)
		}
	}
	if made := auditOf(h, "action=backup.made")[0]; made.Actor.ID != "local" || made.Detail["encrypted"] != "false" {
		t.Errorf("%+v", made)
	}
	if refused := auditOf(h, "action=certificate.refused")[0]; refused.Target != "192.0.2.7" || refused.Detail["reason"] != "revoked" {
		t.Errorf("%+v", refused)
	}
	if imports := auditOf(h, "action=mosquitto.imported"); len(imports) != 1 {
		t.Errorf("a dry run is in the audit: %+v", imports)
	}
	h.stop()
	h = startFull(t, smallDisk{dir: filepath.Dir(h.c.Data)})
	for _, e := range auditOf(h, "") {
		for _, v := range e.Detail {
			if v == "hunter2" {
				t.Errorf("what somebody has typed as his name is in the audit: %+v", e)
			}
		}
	}
}

// An address that is banned is in the audit, and so is who lets it in again.
func TestSecurity_BansAreInTheAudit(t *testing.T) {
	h := startFull(t, smallDisk{dir: t.TempDir()})
	for range 40 {
		h.tryWrongPassword()
	}
	var bans struct {
		Items []struct {
			Address string `json:"address"`
		} `json:"items"`
	}
	h.Call("GET", "/api/v1/security/bans", nil, &bans)
	if len(bans.Items) != 1 {
		t.Fatalf("bans are %+v", bans)
	}
	for end := time.Now().Add(20 * time.Second); len(auditOf(h, "action=address.banned")) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the ban is not in the audit")
		}
	}
	h.Call("DELETE", "/api/v1/security/bans/"+bans.Items[0].Address, nil, nil)
	all := auditOf(h, "target="+bans.Items[0].Address)
	if len(all) < 3 || all[0].Action != "address.unbanned" || all[0].Actor.ID != "local" || all[1].Action != "address.banned" {
		t.Errorf("%+v", all)
	}
}

func (h *fullHub) tryWrongPassword() {
	h.T.Helper()
	conn, err := net.Dial("tcp", h.c.Listeners.MQTT.Addr().String())
	if err != nil {
		h.T.Fatal(err)
	}
	defer conn.Close()
	c := paho.NewClient(paho.ClientConfig{Conn: conn, PacketTimeout: 20 * time.Second})
	_, err = c.Connect(h.T.Context(), &paho.Connect{ClientID: "x", Username: "x", UsernameFlag: true, Password: []byte("wrong"), PasswordFlag: true, CleanStart: true})
	if err == nil {
		h.T.Fatal("a wrong password is let in")
	}
}

func TestSecurity_MattersAreToldAtOnce(t *testing.T) {
	h := startFull(t, smallDisk{dir: t.TempDir()})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := h.API().LocalServer()
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	resp, err := http.Get("http://" + l.Addr().String() + "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h.security.CertificateRefused(security.CertificateRefusal{At: time.Now(), Reason: security.CertificateRevoked, Device: "btn-001"})
	lines := bufio.NewScanner(resp.Body)
	for event := ""; lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event:"); ok {
			event = strings.TrimSpace(name)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data:"); ok && event == "mqtt:security-alert" {
			if !strings.Contains(data, `"kind":"audit","reason":"certificate.refused","target":"btn-001"`) || !strings.Contains(data, `"reason":"revoked"`) {
				t.Error(data)
			}
			return
		}
	}
	t.Fatal(lines.Err())
}
