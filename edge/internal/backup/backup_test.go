package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// hub is a data directory with a store that a story is told to.
type hub struct {
	t     *testing.T
	dir   string
	store *store.Store
	story *fleettest.Story
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{t: t, dir: t.TempDir(), story: fleettest.NewStory(1)}
	s, err := store.Open(store.Config{Dir: h.dir, MemTableBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	h.store = s
	t.Cleanup(func() { _ = s.Close() })
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		return tx.PutIdentity(store.Identity{Site: "yacht-1", Epoch: fleet.NewEpoch(), InstallID: "install", CreatedAt: now})
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"site.key": "secret", "pki/ca.pem": "certificate", "ballast": "nothing", "backups/old": "old", "traffic.db.damaged-1/000001.log": "history"} {
		path := filepath.Join(h.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

type at time.Time

func (a at) Now() (time.Time, bool) { return time.Time(a), true }

// tell tells n records to the store.
func (h *hub) tell(n int) {
	for range n {
		r := h.story.Next()
		j := journal.New(journal.Config{Store: h.store, Clock: at(r.At)})
		if err := j.Do(context.Background(), func(tx *journal.Tx) error { return tx.Append(r.Actor, r.Body) }); err != nil {
			h.t.Error(err)
			return
		}
	}
}

func (h *hub) backup(to ...age.Recipient) []byte {
	h.t.Helper()
	var out bytes.Buffer
	if _, err := Write(h.t.Context(), &out, Source{Dir: h.dir, Stores: []Store{h.store}, Version: "test", Now: now}, to...); err != nil {
		h.t.Fatal(err)
	}
	return out.Bytes()
}

// look returns identity, mark and digest of a data directory.
func look(t *testing.T, dir string) (store.Identity, store.Restored, string) {
	t.Helper()
	s, err := store.Open(store.Config{Dir: dir, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err1 := s.Identity()
	mark, _, err2 := s.Restored()
	digest, err3 := s.Digest()
	report, err4 := s.Verify()
	if err := errors.Join(err1, err2, err3, err4, s.Close()); err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) > 0 {
		t.Errorf("verify of %s: %v", dir, report.Findings)
	}
	return id, mark, digest
}

// A backup is made while records are written: restored, it equals the store as
// it was at one moment, and is of a new epoch.
func TestBackup_MadeWhileTheHubWritesIsOneMomentOfIt(t *testing.T) {
	h := newHub(t)
	h.tell(50)
	moments := map[string]bool{} // heads and digest
	var enough atomic.Bool
	done := make(chan struct{})
	note := func() {
		name := ""
		for _, l := range fleet.LogLanes() {
			p, err := h.store.Head(l)
			if err != nil {
				t.Error(err)
			}
			name += fmt.Sprintf("%d ", p.Seq)
		}
		digest, err := h.store.Digest()
		if err != nil {
			t.Error(err)
		}
		moments[name+digest] = true
	}
	note()
	begun := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; !enough.Load() || i < 50; i++ {
			h.tell(1)
			note()
			if i == 20 {
				close(begun)
			}
		}
	}()
	<-begun
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	b := h.backup(key.Recipient())
	enough.Store(true)
	<-done

	to := filepath.Join(t.TempDir(), "data")
	m, aside, err := Restore(t.Context(), bytes.NewReader(b), RestoreConfig{Dir: to, Keys: []age.Identity{key}, Now: now})
	if err != nil || aside != "" {
		t.Fatal(aside, err)
	}
	id, mark, digest := look(t, to)
	heads := ""
	for _, h := range m.Heads {
		heads += fmt.Sprintf("%d ", h.Seq)
	}
	if !moments[heads+digest] {
		t.Errorf("the restored store (heads %s) is no moment of the one that was backed up", heads)
	}
	before, _, err := h.store.Identity()
	if err != nil {
		t.Fatal(err)
	}
	if id.Epoch == before.Epoch || mark.From != before.Epoch || id.Site != before.Site || id.InstallID != before.InstallID {
		t.Errorf("restored identity %+v with mark %+v, before %+v", id, mark, before)
	}
	for name, want := range map[string]string{"site.key": "secret", "pki/ca.pem": "certificate", "ballast": "", "backups": "", "traffic.db.damaged-1": ""} {
		b, err := os.ReadFile(filepath.Join(to, name))
		if want == "" && !errors.Is(err, os.ErrNotExist) || want != "" && string(b) != want {
			t.Errorf("%s after the restore: %q, %v", name, b, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, ".backup-*")); len(left) > 0 {
		t.Errorf("the backup has left %v", left)
	}
}

func TestRestore_RefusesWhatIsNotAWholeBackupAndLeavesTheDataAlone(t *testing.T) {
	h := newHub(t)
	h.tell(200)
	plain := h.backup()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	locked := h.backup(key.Recipient())
	if bytes.Contains(locked, []byte("site.key")) {
		t.Error("an encrypted backup shows names")
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to := newHub(t)
	to.tell(30)
	if err := to.store.Close(); err != nil {
		t.Fatal(err)
	}
	idBefore, _, digestBefore := look(t, to.dir)
	refused := func(name string, b []byte, want error, keys ...age.Identity) {
		t.Helper()
		_, _, err := Restore(t.Context(), bytes.NewReader(b), RestoreConfig{Dir: to.dir, Replace: true, Keys: keys, Now: now})
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused("no key", locked, ErrKey)
	refused("wrong key", locked, ErrKey, other)
	for i := 1; i < 8; i++ {
		refused(fmt.Sprintf("cut at %d/8", i), plain[:len(plain)*i/8], fleet.ErrInvalid)
		refused(fmt.Sprintf("encrypted, cut at %d/8", i), locked[:len(locked)*i/8], nil, key)
		bad := bytes.Clone(plain)
		bad[len(bad)*i/8] ^= 4
		refused(fmt.Sprintf("bit flipped at %d/8", i), bad, nil)
	}
	refused("only its last byte is missing", plain[:len(plain)-1], nil)
	refused("rubbish", []byte("no backup at all"), nil)
	refused("a path that leads out", tarOf(t, "../evil", "x"), fleet.ErrInvalid)
	refused("a file twice", tarOf(t, "a", "x", "a", "y"), fleet.ErrInvalid)
	refused("a file that the manifest does not name", tarOf(t, "a", "x", manifestName, `{"format":1}`), fleet.ErrInvalid)
	refused("a newer format", tarOf(t, manifestName, `{"format":2}`), nil)
	if _, _, err := Restore(t.Context(), bytes.NewReader(plain), RestoreConfig{Dir: to.dir, Now: now}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("without --replace: %v", err)
	}
	if id, _, digest := look(t, to.dir); id != idBefore || digest != digestBefore {
		t.Error("a refused restore has changed the data")
	}
	if left, _ := filepath.Glob(filepath.Join(to.dir, ".restore*")); len(left) > 0 {
		t.Errorf("refused restores have left %v", left)
	}
}

// tarOf is a plain archive of names and contents.
func tarOf(t *testing.T, entries ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	a := tar.NewWriter(z)
	for i := 0; i < len(entries); i += 2 {
		if err := a.WriteHeader(&tar.Header{Name: entries[i], Mode: 0o600, Size: int64(len(entries[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(a, entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(a.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The restore is killed before each of its steps: afterwards the old data are
// there whole, or the restored ones, and the old ones beside them.
func TestRestore_KilledAtAnyStepIsAllOrNothing(t *testing.T) {
	h := newHub(t)
	h.tell(100)
	b := h.backup()
	_, _, restored := lookRestored(t, b)
	var steps int
	for kill := 0; ; kill++ {
		to := newHub(t)
		to.tell(10)
		if err := to.store.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, old := look(t, to.dir)
		n, decidedAt := 0, ""
		_, _, err := Restore(t.Context(), bytes.NewReader(b), RestoreConfig{Dir: to.dir, Replace: true, Now: now, step: func(name string) error {
			if n++; n > kill {
				decidedAt = name
				return errKilled
			}
			return nil
		}})
		if err == nil {
			steps = n
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		if _, err := Finish(to.dir); err != nil {
			t.Fatalf("killed before %q: %v", decidedAt, err)
		}
		_, mark, digest := look(t, to.dir)
		whole := decidedAt != "extract" && decidedAt != "epoch" && decidedAt != "decide"
		if want := map[bool]string{true: restored, false: old}[whole]; digest != want || whole != (mark.From != "") {
			t.Errorf("killed before %q: restored %t, mark %+v", decidedAt, digest == restored, mark)
		}
		if whole {
			aside, _ := filepath.Glob(filepath.Join(to.dir, asidePrefix+"*"))
			if len(aside) != 1 {
				t.Fatalf("killed before %q: the old data are in %v", decidedAt, aside)
			}
			if _, _, digest := look(t, aside[0]); digest != old {
				t.Errorf("killed before %q: the old data are not what they were", decidedAt)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(to.dir, ".restore*")); len(left) > 0 && whole {
			t.Errorf("killed before %q: %v are left", decidedAt, left)
		}
	}
	if steps < 8 {
		t.Errorf("only %d steps", steps)
	}
}

// lookRestored restores b somewhere and looks there.
func lookRestored(t *testing.T, b []byte) (store.Identity, store.Restored, string) {
	t.Helper()
	to := t.TempDir()
	if _, _, err := Restore(t.Context(), bytes.NewReader(b), RestoreConfig{Dir: to, Now: now}); err != nil {
		t.Fatal(err)
	}
	return look(t, to)
}

func TestKeeper_KeepsTheNewestAndEncryptsAsTold(t *testing.T) {
	h := newHub(t)
	h.tell(20)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	clock := now
	k := NewKeeper(KeeperConfig{
		Source: Source{Dir: h.dir, Stores: []Store{h.store}, Version: "test"}, Site: "yacht-1", Keep: 3,
		Recipients: []age.Recipient{key.Recipient()},
		Now:        func() time.Time { clock = clock.Add(time.Hour); return clock },
	})
	if _, _, err := k.Make(t.Context(), Lock{Plain: true, Passphrase: "x"}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("plain under a passphrase: %v", err)
	}
	if _, _, err := NewKeeper(KeeperConfig{Source: k.c.Source, Now: k.c.Now}).Make(t.Context(), Lock{}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("plain without anybody saying so: %v", err)
	}
	var last Kept
	for range 5 {
		if last, _, err = k.Make(t.Context(), Lock{}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := k.List()
	if err != nil || len(all) != 3 || all[0] != last || !last.Encrypted {
		t.Errorf("%d backups, newest %+v, made last %+v: %v", len(all), all[0], last, err)
	}
	f, _, err := k.Open(last.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if i, err := f.Stat(); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", i.Mode(), err)
	}
	if _, _, err := Restore(t.Context(), f, RestoreConfig{Dir: t.TempDir(), Keys: []age.Identity{key}, Now: now}); err != nil {
		t.Errorf("restore a kept backup: %v", err)
	}
	for _, name := range []string{"../site.key", "old", last.Name + "/../" + last.Name} {
		if _, _, err := k.Open(name); !errors.Is(err, fleet.ErrNotFound) {
			t.Errorf("open %q: %v", name, err)
		}
	}
	if err := k.Remove(last.Name); err != nil {
		t.Error(err)
	}
	if err := k.Remove(last.Name); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("remove twice: %v", err)
	}
}

func TestKeeper_KeepsTheOneJustMadeWhenTheClockWasSetBack(t *testing.T) {
	h := newHub(t)
	clock := now
	k := NewKeeper(KeeperConfig{
		Source: Source{Dir: h.dir, Stores: []Store{h.store}, Version: "test"}, Site: "yacht-1", Keep: 2,
		Now: func() time.Time { clock = clock.Add(-time.Hour); return clock },
	})
	for range 3 {
		made, _, err := k.Make(t.Context(), Lock{Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		if all, err := k.List(); err != nil || len(all) > 2 || !slices.Contains(all, made) {
			t.Errorf("made %s, kept are %v: %v", made.Name, all, err)
		}
	}
}
