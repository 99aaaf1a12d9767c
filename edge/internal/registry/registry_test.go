package registry_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

var by = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Chief"}

type wall struct{}

func (wall) Now() (time.Time, bool) { return time.Now(), true }

func newRegistry(t *testing.T, most int) *registry.Registry {
	t.Helper()
	r, _ := newJournaled(t, most)
	return r
}

func newJournaled(t *testing.T, most int) (*registry.Registry, *journal.Journal) {
	t.Helper()
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	j := journal.New(journal.Config{Store: s, Clock: wall{}})
	r, err := registry.New(registry.Config{Site: "yacht-1", Store: s, Journal: j, MaxDevices: most})
	if err != nil {
		t.Fatal(err)
	}
	return r, j
}

var button = fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "cabin-101"}

func TestIdentify_OnlyTheRightPasswordOfAnExistingDevice(t *testing.T) {
	r := newRegistry(t, 0)
	d, password, err := r.Add(t.Context(), by, button, registry.Password{Generate: true})
	if err != nil || len(password) < 20 || d.Profile != "button" || d.Version != 1 {
		t.Fatalf("%+v, %q, %v", d, password, err)
	}
	for range 3 { // the second and third time from memory
		if got, err := r.Identify("btn-1", []byte(password)); err != nil || got.ID != "btn-1" || got.Profile != "button" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	for _, c := range [][2]string{{"btn-1", ""}, {"btn-1", password + "x"}, {"btn-2", password}, {"", password}, {"btn/1", password}} {
		if _, err := r.Identify(c[0], []byte(c[1])); !errors.Is(err, fleet.ErrUnauthenticated) {
			t.Errorf("%q %q: %v", c[0], c[1], err)
		}
	}
	if err := r.Remove(t.Context(), by, "btn-1", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Identify("btn-1", []byte(password)); !errors.Is(err, fleet.ErrUnauthenticated) {
		t.Errorf("removed: %v", err)
	}
	again, second, err := r.Add(t.Context(), by, button, registry.Password{Chosen: "correct horse"})
	if err != nil || again.Version != 3 || second != "correct horse" {
		t.Fatalf("%+v, %v", again, err)
	}
	if _, err := r.Identify("btn-1", []byte(password)); !errors.Is(err, fleet.ErrUnauthenticated) {
		t.Errorf("the password of the device before: %v", err)
	}
	if _, err := r.Identify("btn-1", []byte("correct horse")); err != nil {
		t.Error(err)
	}
}

func TestChange_TakesAllThatPeopleSayOfADevice(t *testing.T) {
	r := newRegistry(t, 0)
	added, _, err := r.Add(t.Context(), by, button, registry.Password{})
	if err != nil {
		t.Fatal(err)
	}
	want := added
	want.Room, want.Name, want.PressProfile, want.LegacyID = "deck-3", "Bar button", "bar", "17"
	want.Tags, want.Metadata = []string{"spare"}, map[string]string{"serial": "007"}
	if _, err := r.Change(t.Context(), by, want, added.Version); err != nil {
		t.Fatal(err)
	}
	got, err := r.Device(added.ID)
	want.Version, want.UpdatedAt = got.Version, got.UpdatedAt
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v %s", err, diff)
	}
}

func TestChange_OnAnOldVersionIsRefused(t *testing.T) {
	r := newRegistry(t, 0)
	if _, _, err := r.Add(t.Context(), by, button, registry.Password{}); err != nil {
		t.Fatal(err)
	}
	moved := button
	moved.Room = "deck-3"
	d, err := r.Change(t.Context(), by, moved, 1)
	if err != nil || d.Room != "deck-3" || d.Version != 2 || d.BaseTopic("yacht-1") != "obedio/yacht-1/deck-3/button/btn-1" {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := r.Change(t.Context(), by, moved, 1); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("change: %v", err)
	}
	if err := r.Remove(t.Context(), by, "btn-1", 1); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("remove: %v", err)
	}
	if _, _, err := r.Add(t.Context(), by, button, registry.Password{}); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("add: %v", err)
	}
	rooms, err := r.Rooms()
	if err != nil || len(rooms) != 2 || rooms[0].Name != "Cabin 101" {
		t.Errorf("rooms %v, %v", rooms, err)
	}
}

func TestAdd_BadDevicesAreRefusedWithAReason(t *testing.T) {
	r := newRegistry(t, 1)
	for name, d := range map[string]fleet.Device{
		"type":    {ID: "a", Type: "toaster", Room: "r"},
		"room":    {ID: "a", Type: fleet.Button, Room: "a/b"},
		"system":  {ID: "a", Type: fleet.Button, Room: "system"},
		"id":      {ID: "#", Type: fleet.Button, Room: "r"},
		"profile": {ID: "a", Type: fleet.Button, Room: "r", Profile: "nonesuch"},
	} {
		if _, _, err := r.Add(t.Context(), by, d, registry.Password{}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := r.Add(t.Context(), by, button, registry.Password{Chosen: "short"}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("short password: %v", err)
	}
	if _, _, err := r.Add(t.Context(), by, button, registry.Password{}); err != nil {
		t.Fatal(err)
	}
	other := button
	other.ID = "btn-2"
	if _, _, err := r.Add(t.Context(), by, other, registry.Password{}); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
}

func TestAddIn_HasTheLimitOfAdd(t *testing.T) {
	r, j := newJournaled(t, 1)
	addIn := func(id fleet.DeviceID) error {
		return j.Do(t.Context(), func(tx *journal.Tx) error {
			return r.AddIn(tx, by, fleet.Device{ID: id, Type: fleet.Button, Room: "cabin-101"})
		})
	}
	if err := addIn("btn-1"); err != nil {
		t.Fatal(err)
	}
	if err := addIn("btn-2"); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if err := r.Remove(t.Context(), by, "btn-1", 1); err != nil {
		t.Fatal(err)
	}
	// What was refused or removed takes no room.
	if err := addIn("btn-2"); err != nil || r.Spare() != 0 {
		t.Errorf("%v, %d to spare", err, r.Spare())
	}
}

func TestWatches_AreThoseOfTheDevicesAsTheyAre(t *testing.T) {
	r := newRegistry(t, 0)
	for _, d := range []fleet.Device{
		{ID: "w-2", Type: fleet.Watch, Room: "spa"}, {ID: "btn-1", Type: fleet.Button, Room: "spa"}, {ID: "w-1", Type: fleet.Watch, Room: "spa"},
	} {
		if _, _, err := r.Add(t.Context(), by, d, registry.Password{}); err != nil {
			t.Fatal(err)
		}
	}
	ids := func() (ids string) {
		for _, w := range r.Watches() {
			ids += string(w.ID) + " "
		}
		return ids
	}
	if got := ids(); got != "w-1 w-2 " {
		t.Errorf("watches %s", got)
	}
	if err := r.Remove(t.Context(), by, "w-1", 1); err != nil {
		t.Fatal(err)
	}
	if got := ids(); got != "w-2 " {
		t.Errorf("watches %s", got)
	}
}

func TestImport_WrongRowsAreToldWithTheirLineAndTheRestIsImported(t *testing.T) {
	r := newRegistry(t, 0)
	file := "\ufeffdevice_id,type,room,profile,password\n" +
		"btn-1,button,cabin-101,,\n" +
		"btn-2,toaster,cabin-101,,\n" +
		"btn-3,button\n" +
		"btn-4,button,cabin-102,button,chosen by hand\n" +
		"btn-1,button,cabin-103,,\n"
	var good, bad []string
	err := r.Import(t.Context(), by, strings.NewReader(file), func(row registry.Imported) error {
		if row.Err != nil {
			bad = append(bad, string(rune('0'+row.Line)))
		} else {
			good = append(good, string(row.Device.ID)+"="+row.Password)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(bad, "") != "346" || len(good) != 2 || good[1] != "btn-4=chosen by hand" || len(good[0]) < 20 {
		t.Errorf("good %q, bad lines %q", good, bad)
	}
	for _, header := range []string{"", "device_id,type\n", "device_id,type,room,colour\n"} {
		err := r.Import(t.Context(), by, strings.NewReader(header), func(registry.Imported) error { return nil })
		if !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("header %q: %v", header, err)
		}
	}
}

func TestImport_LegacyIDIsAColumnThatMayBeMissing(t *testing.T) {
	r := newRegistry(t, 0)
	file := "legacy_device_id,device_id,type,room\n17,btn-1,button,cabin-101\n,btn-2,button,cabin-102\n"
	if err := r.Import(t.Context(), by, strings.NewReader(file), func(row registry.Imported) error { return row.Err }); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[fleet.DeviceID]string{"btn-1": "17", "btn-2": ""} {
		if d, err := r.Device(id); err != nil || d.LegacyID != want {
			t.Errorf("%s: %+v %v", id, d, err)
		}
	}
}

// onlyProfile knows one profile.
type onlyProfile string

func (p onlyProfile) HasProfile(_ fleet.View, name string) (bool, error) {
	return name == string(p), nil
}

func TestAdd_DeviceHasAProfileThatExists(t *testing.T) {
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := registry.New(registry.Config{
		Site: "yacht-1", Store: s, Journal: journal.New(journal.Config{Store: s, Clock: wall{}}), Profiles: onlyProfile("quiet"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Add(t.Context(), by, button, registry.Password{}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("%v", err)
	}
	quiet := button
	quiet.Profile = "quiet"
	if _, _, err := r.Add(t.Context(), by, quiet, registry.Password{}); err != nil {
		t.Error(err)
	}
	if err := r.Remove(t.Context(), by, quiet.ID, 1); err != nil {
		t.Errorf("remove: %v", err)
	}
}

func TestIdentify_TakesEveryAlgorithmAndNoCredentialOfAnother(t *testing.T) {
	s, err := store.Open(store.Config{Dir: "hub", FS: store.InMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j := journal.New(journal.Config{Store: s, Clock: wall{}})
	r, err := registry.New(registry.Config{Site: "yacht-1", Store: s, Journal: j})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Add(t.Context(), by, button, registry.Password{}); err != nil {
		t.Fatal(err)
	}
	salt := []byte("a salt of 16 B..")
	sha256Key, err := pbkdf2.Key(sha256.New, "secret-1", salt, 7, 32)
	if err != nil {
		t.Fatal(err)
	}
	sha512Key, err := pbkdf2.Key(sha512.New, "secret-1", salt, 7, 64)
	if err != nil {
		t.Fatal(err)
	}
	salted := sha512.Sum512(append([]byte("secret-1"), salt...))
	for name, c := range map[string]struct {
		cred store.Credential
		want bool
	}{
		"of earlier builds":   {store.Credential{Salt: salt, Verifier: sha256Key, Iterations: 7}, true},
		"pbkdf2-sha512":       {store.Credential{Algorithm: store.PBKDF2SHA512, Salt: salt, Verifier: sha512Key, Iterations: 7}, true},
		"sha512":              {store.Credential{Algorithm: store.SaltedSHA512, Salt: salt, Verifier: salted[:]}, true},
		"mixed up":            {store.Credential{Algorithm: store.SaltedSHA512, Salt: salt, Verifier: sha512Key, Iterations: 7}, false},
		"empty verifier":      {store.Credential{Algorithm: "of tomorrow", Salt: salt}, false},
		"too many iterations": {store.Credential{Algorithm: store.PBKDF2SHA512, Salt: salt, Verifier: sha512Key, Iterations: store.MaxIterations + 1}, false},
	} {
		if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutCredential(button.ID, c.cred) }); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Identify("btn-1", []byte("secret-1")); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Identify("btn-1", []byte("secret-2")); !errors.Is(err, fleet.ErrUnauthenticated) {
			t.Errorf("%s, another password: %v", name, err)
		}
	}
}
