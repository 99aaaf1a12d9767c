package store_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// unpack makes a data directory of what an older program has left.
func unpack(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for a := tar.NewReader(z); ; {
		h, err := a.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o700)
		} else {
			var b []byte
			if b, err = io.ReadAll(a); err == nil {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// testdata/format-1.tar.gz is a store of format 1 as the first program of that
// format wrote it: a story of 150 records, and one row of each other table.
func TestF17_StoreOfFormat1IsReadWhole(t *testing.T) {
	dir := unpack(t, "testdata/format-1.tar.gz")
	s, err := store.Open(store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	whole(t, "format 1", s)
	if d, err := s.Digest(); err != nil || d != "dbf537f75ffe878f8fa0192d90d5e87e868128cae4e75d794fae375faae6fef1" {
		t.Errorf("digest %s, %v", d, err)
	}
	heads := map[fleet.Lane]fleet.Seq{}
	for _, l := range fleet.LogLanes() {
		var p lane.Position
		if p, err = s.Head(l); err != nil {
			t.Fatal(err)
		}
		heads[l] = p.Seq
	}
	if diff := cmp.Diff(map[fleet.Lane]fleet.Seq{fleet.LaneRequests: 81, fleet.LaneCommands: 31, fleet.LaneRegistry: 38}, heads); diff != "" {
		t.Error(diff)
	}
	id, found, err := s.Identity()
	if err != nil || !found || id.Site != "yacht-1" || id.Epoch != "epoch-1" {
		t.Errorf("identity %+v, %v", id, err)
	}
	if c, found, err := s.Credential("button-001"); err != nil || !found || string(c.Verifier) != "verifier" {
		t.Errorf("credential %+v, %v", c, err)
	}
	if all, err := s.States(); err != nil || len(all) != 1 || all[0].Version != 7 {
		t.Errorf("states %+v, %v", all, err)
	}
	if all, err := s.Receipts(); err != nil || len(all) != 1 || all[0].Stage != store.StageStored {
		t.Errorf("receipts %+v, %v", all, err)
	}
	if n, _, err := store.Link[uint64](s, "order_cursor"); err != nil || n != 3 {
		t.Errorf("order cursor %d, %v", n, err)
	}
	if err := newPresser(s).press(1, 1); err != nil {
		t.Error(err)
	}
	// The way back: the older program finds the format that it knows.
	if f, err := s.Get("Mformat"); err != nil || f != "1" {
		t.Errorf("format is %s now, %v", f, err)
	}
}

func TestF17_MigrationsRunInOrderAndANewerStoreIsRefused(t *testing.T) {
	dir := unpack(t, "testdata/format-1.tar.gz")
	s, err := store.Open(store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(true, "Zfirst", "Zsecond"); err != nil {
		t.Error(err)
	}
	if v, err := s.Get("Zfirst"); err != nil || v != "" {
		t.Errorf("looking at a store has migrated it: %q, %v", v, err)
	}
	if err := s.Migrate(false, "Zfirst", "Zsecond"); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"Zfirst": "migrated", "Zsecond": "migrated", "Mformat": "3"} {
		if v, err := s.Get(k); err != nil || v != want {
			t.Errorf("%s is %q, %v", k, v, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(store.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "store has format 3, this program knows 1") {
		t.Errorf("a newer store: %v", err)
	}
}

func TestVerify_NamesEveryThingThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(*store.Store) error
		want string
	}{
		"a key of no table":           {func(s *store.Store) error { return s.Put("!x", "1") }, "does not know"},
		"an entity that is no JSON":   {func(s *store.Store) error { return s.Put("Edevice\x00button-001", "{") }, "button-001"},
		"an entity under another key": {func(s *store.Store) error { return swap(s, "Edevice\x00"+firstDevice(s), "Edevice\x00zebra-999") }, "another key"},
		"an entity that was changed": {func(s *store.Store) error {
			b, err := s.Get("Edevice\x00" + firstDevice(s))
			return errors.Join(err, s.Put("Edevice\x00"+firstDevice(s), strings.Replace(b, `"version":`, `"version":9`, 1)))
		}, "follows from the journal"},
		"an entity that is gone": {func(s *store.Store) error { return s.Delete("Edevice\x00" + firstDevice(s)) }, "not there"},
		"a record that is gone":  {func(s *store.Store) error { return s.Delete("J\x00\x00\x00\x00\x00\x00\x00\x00\x05") }, "record 6 follows record 4"},
		"a record that was changed": {func(s *store.Store) error {
			k := "J\x00\x00\x00\x00\x00\x00\x00\x00\x05"
			b, err := s.Get(k)
			return errors.Join(err, s.Put(k, "x"+b[1:]))
		}, "breaks at record 5"},
		"a head that is wrong":             {func(s *store.Store) error { return swap(s, "H\x00", "H\x01") }, "its head says"},
		"a mark of nothing":                {func(s *store.Store) error { return s.Put("Onothing", "") }, "not there"},
		"a state that belongs to another":  {func(s *store.Store) error { return swap(s, "Sbutton-001", "Sbutton-002") }, "another key"},
		"a setting that cannot be decoded": {func(s *store.Store) error { return s.Put("Msetting\x00x", "{") }, "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(store.Config{Dir: unpack(t, "testdata/format-1.tar.gz")})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := c.harm(s); err != nil {
				t.Fatal(err)
			}
			r, err := s.Verify()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				if strings.Contains(f.Where+" "+f.What, c.want) {
					return
				}
			}
			t.Errorf("want %q among %v", c.want, r.Findings)
		})
	}
}

// swap puts the value of one key under another.
func swap(s *store.Store, from, to string) error {
	b, err := s.Get(from)
	if err != nil {
		return err
	}
	return s.Put(to, b)
}

func firstDevice(s *store.Store) (id string) {
	_ = store.Entities(s, "", func(d fleet.Device) bool { id = string(d.ID); return false })
	return id
}
