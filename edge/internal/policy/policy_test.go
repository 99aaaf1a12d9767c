package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

var by = fleet.Actor{Kind: fleet.ActorUser, ID: "u", Name: "Mila"}

type clock struct{}

func (clock) Now() (time.Time, bool) { return time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC), true }

// site is a store with policies over it.
type site struct {
	*testing.T
	store   *store.Store
	journal *journal.Journal
	*policy.Policies
}

func newSite(t *testing.T, most int) *site {
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
	out := &site{T: t, store: s, journal: journal.New(journal.Config{Store: s, Clock: clock{}})}
	out.reopen(most)
	return out
}

// reopen reads the policies as the next start would.
func (s *site) reopen(most int) {
	s.Helper()
	p, err := policy.New(policy.Config{Site: "yacht-1", Store: s.store, Journal: s.journal, MaxDocuments: most})
	if err != nil {
		s.Fatal(err)
	}
	s.Policies = p
}

func (s *site) device(d fleet.Device) fleet.Device {
	s.Helper()
	err := s.journal.Do(s.Context(), func(tx *journal.Tx) error {
		d.Version++
		return tx.Append(by, fleet.DeviceChanged{Device: d})
	})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

func profile(name string) access.Profile {
	return access.Profile{Name: name, ACL: access.DeviceACLs(), MaxQoS: 1, MaxConnections: 1}
}

func TestProfiles_BuiltInIsThereUntilReplacedAndComesBack(t *testing.T) {
	s := newSite(t, 0)
	built, err := s.Profile("button")
	if err != nil || !built.BuiltIn || built.Version != 0 || len(s.Profiles()) != 4 {
		t.Fatalf("%+v %v", built, err)
	}
	quiet := profile("button")
	quiet.MaxQoS = 0
	if err := s.ChangeProfile(t.Context(), by, quiet, 0); err != nil {
		t.Fatal(err)
	}
	now, err := s.Profile("button")
	if err != nil || now.BuiltIn || now.Version != 1 || now.Value.MaxQoS != 0 {
		t.Fatalf("%+v %v", now, err)
	}
	if err := s.AddProfile(t.Context(), by, quiet); !errors.Is(err, fleet.ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	if err := s.RemoveProfile(t.Context(), by, "button", 1); err != nil {
		t.Fatal(err)
	}
	back, err := s.Profile("button")
	if err != nil || !back.BuiltIn || back.Version != 2 || back.Value.MaxQoS != 1 {
		t.Fatalf("%+v %v", back, err)
	}
	if err := s.RemoveProfile(t.Context(), by, "button", 2); !errors.Is(err, fleet.ErrState) {
		t.Errorf("the built-in itself is removed: %v", err)
	}
	// A change made on the built-in as it is after the removal.
	if err := s.ChangeProfile(t.Context(), by, quiet, 0); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("changed on version 0: %v", err)
	}
	if err := s.ChangeProfile(t.Context(), by, quiet, 2); err != nil {
		t.Error(err)
	}
	s.reopen(0)
	if now, err := s.Profile("button"); err != nil || now.Version != 3 || now.Value.MaxQoS != 0 {
		t.Errorf("after a restart: %+v %v", now, err)
	}
	// Revisions go on too.
	r := s.Changes().Subscribe(0)
	if err := s.ChangeProfile(t.Context(), by, quiet, 3); err != nil {
		t.Fatal(err)
	}
	if item, _, err := r.Poll(); err != nil || item.Value.Revision != 4 {
		t.Errorf("revision %d after three changes, a restart and one more: %v", item.Value.Revision, err)
	}
}

func TestProfiles_OneInUseCannotBeRemoved(t *testing.T) {
	s := newSite(t, 0)
	if err := s.AddProfile(t.Context(), by, profile("quiet")); err != nil {
		t.Fatal(err)
	}
	var devices []fleet.Device
	for i := range 7 {
		devices = append(devices, s.device(fleet.Device{ID: fleet.DeviceID(fmt.Sprintf("btn-%d", i)), Type: fleet.Button, Room: "deck-3", Profile: "quiet"}))
	}
	err := s.RemoveProfile(t.Context(), by, "quiet", 1)
	if !errors.Is(err, fleet.ErrState) || !strings.Contains(err.Error(), "btn-0, btn-1, btn-2, btn-3, btn-4 and 2 more") {
		t.Fatalf("%v", err)
	}
	for _, d := range devices {
		d.Removed = true
		s.device(d)
	}
	if err := s.RemoveProfile(t.Context(), by, "quiet", 1); err != nil {
		t.Error(err)
	}
	if ok, err := s.HasProfile(s.store, "quiet"); ok || err != nil {
		t.Errorf("it is still there: %v", err)
	}
	if ok, err := s.HasProfile(s.store, "watch"); !ok || err != nil {
		t.Errorf("a built-in one is not there: %v", err)
	}
}

func TestRelayOf_IsTheDeviceWhoseProfileSaysSo(t *testing.T) {
	s := newSite(t, 0)
	p := profile("rep-a")
	p.Relay = []fleet.DeviceID{"btn-1"}
	if err := s.AddProfile(t.Context(), by, p); err != nil {
		t.Fatal(err)
	}
	devices := func() ([]fleet.Device, error) {
		return []fleet.Device{{ID: "btn-1", Profile: "button"}, {ID: "rep-1", Profile: "rep-a"}}, nil
	}
	for id, want := range map[fleet.DeviceID]fleet.DeviceID{"btn-1": "rep-1", "btn-2": ""} {
		if got := s.RelayOf(id, devices); got != want {
			t.Errorf("%s is relayed by %q, want %q", id, got, want)
		}
	}
}

func TestLists_OneThatAProfileNamesCannotBeRemoved(t *testing.T) {
	s := newSite(t, 0)
	p := profile("quiet")
	p.Roles = []string{"extra"}
	var field *access.FieldError
	if err := s.AddProfile(t.Context(), by, p); !errors.As(err, &field) || field.Field != "roles[0]" {
		t.Fatalf("a profile with a list that is not there: %v", err)
	}
	extra := access.List{ID: "extra", Roles: []access.Role{{Name: "extra", ACLs: []access.ACL{{Kind: access.PublishSend, Topic: "extra", Allow: true}}}}}
	if err := s.AddList(t.Context(), by, extra); err != nil {
		t.Fatal(err)
	}
	if err := s.AddProfile(t.Context(), by, p); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveList(t.Context(), by, "extra", 1); !errors.Is(err, fleet.ErrState) || !strings.Contains(err.Error(), "quiet") {
		t.Fatalf("%v", err)
	}
	if err := s.ChangeProfile(t.Context(), by, profile("quiet"), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveList(t.Context(), by, "extra", 1); err != nil {
		t.Error(err)
	}
	if _, err := s.List("extra"); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestChange_NamesTheVersionItWasMadeOn(t *testing.T) {
	s := newSite(t, 0)
	l := access.List{ID: "l", Roles: []access.Role{}}
	if err := s.ChangeList(t.Context(), by, l, 0); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("changed before it was made: %v", err)
	}
	if err := s.AddList(t.Context(), by, l); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint64]error{0: fleet.ErrVersion, 2: fleet.ErrVersion} {
		if err := s.ChangeList(t.Context(), by, l, version); !errors.Is(err, want) {
			t.Errorf("on version %d: %v", version, err)
		}
		if err := s.RemoveList(t.Context(), by, "l", version); !errors.Is(err, want) {
			t.Errorf("removed on version %d: %v", version, err)
		}
	}
	if err := s.RemoveList(t.Context(), by, "l", 1); err != nil {
		t.Fatal(err)
	}
	// The name may be given again; versions go on.
	if err := s.AddList(t.Context(), by, l); err != nil {
		t.Fatal(err)
	}
	if d, err := s.List("l"); err != nil || d.Version != 3 {
		t.Errorf("%+v %v", d, err)
	}
}

func TestAdd_MoreDocumentsThanTheSiteMayHaveAreRefused(t *testing.T) {
	s := newSite(t, 2)
	if err := errors.Join(s.AddProfile(t.Context(), by, profile("a")), s.AddProfile(t.Context(), by, profile("b"))); err != nil {
		t.Fatal(err)
	}
	if err := s.AddProfile(t.Context(), by, profile("c")); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("%v", err)
	}
	if err := s.ChangeProfile(t.Context(), by, profile("b"), 1); err != nil {
		t.Errorf("a change needs no room: %v", err)
	}
}

func TestChange_ThatWouldLockADeviceOutIsRefused(t *testing.T) {
	s := newSite(t, 0)
	s.device(fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "deck-3", Profile: "button"})
	acls := make([]access.ACL, 500)
	for i := range acls {
		acls[i] = access.ACL{Kind: access.PublishSend, Topic: fmt.Sprintf("t/%d", i)}
	}
	wide := func(id string) access.List {
		return access.List{
			ID: id, AppliesTo: access.Targets{Types: []fleet.DeviceType{fleet.Button}},
			Roles: []access.Role{{Name: "many", ACLs: acls}},
		}
	}
	for _, id := range []string{"a", "b"} {
		if err := s.AddList(t.Context(), by, wide(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddList(t.Context(), by, wide("c")); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "btn-1") {
		t.Errorf("%v", err)
	}
}

func TestChanges_TellProfilesThatAListIsAbout(t *testing.T) {
	s := newSite(t, 0)
	r := s.Changes().Subscribe(0)
	p := profile("quiet")
	p.Roles = []string{"l"}
	l := access.List{ID: "l", Roles: []access.Role{}, AppliesTo: access.Targets{Profiles: []string{"watch"}}}
	if err := errors.Join(
		s.AddList(t.Context(), by, l), s.AddProfile(t.Context(), by, p), s.ChangeList(t.Context(), by, l, 1),
		s.Reload(),
	); err != nil {
		t.Fatal(err)
	}
	var got []policy.Change
	for {
		item, ok, err := r.Poll()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		got = append(got, item.Value)
	}
	if d := cmp.Diff([]policy.Change{
		{Revision: 1, Profiles: []string{"watch"}, ACLs: []string{"l"}},
		{Revision: 2, Profiles: []string{"quiet"}, ACLs: []string{}},
		{Revision: 3, Profiles: []string{"quiet", "watch"}, ACLs: []string{"l"}},
	}, got); d != "" {
		t.Error(d)
	}
}

// recorder is a record in memory.
type recorder []recorded

type recorded struct {
	at            time.Time
	inbound       bool
	client, topic string
	qos           byte
	retain        bool
}

func (r recorder) Replay(_ context.Context, from, to time.Time, fn func(time.Time, bool, string, string, byte, bool) bool) error {
	for _, m := range r {
		if !m.at.Before(from) && m.at.Before(to) && !fn(m.at, m.inbound, m.client, m.topic, m.qos, m.retain) {
			return nil
		}
	}
	return nil
}

func TestReplay_CountsWhatADraftWouldDecideOtherwise(t *testing.T) {
	s := newSite(t, 0)
	at, _ := clock{}.Now()
	var r recorder
	for _, id := range []fleet.DeviceID{"btn-1", "btn-2"} {
		d := s.device(fleet.Device{ID: id, Type: fleet.Button, Room: "deck-3", Profile: "button"})
		base := d.BaseTopic("yacht-1")
		for i := range 10 {
			when := at.Add(time.Duration(i) * time.Minute)
			r = append(r, recorded{when, true, string(id), base + "/heartbeat", 0, false}, recorded{when, true, string(id), base + "/status", 1, true},
				recorded{when, false, string(id), base + "/cmd/receipt", 1, false})
		}
	}
	r = append(r, recorded{at, true, "gone", "obedio/yacht-1/deck-3/button/gone/press", 1, false})
	only, err := access.DeviceACL{
		Device: "btn-1", Room: "deck-3", Type: fleet.Button, Publish: []string{"obedio/yacht-1/deck-3/button/btn-1/status"}, MaxQoS: 1,
	}.List("yacht-1")
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Replay(t.Context(), r, s.Policy().With(nil, []access.List{only}), at, at.Add(time.Hour), 1000)
	if err != nil {
		t.Fatal(err)
	}
	// All three: not on the list, may not retain, and is not sent its commands.
	if o.Examined != 61 || o.Unknown != 1 || o.Denied != 30 || o.Allowed != 0 || len(o.Streams) != 3 || o.Truncated || o.More {
		t.Fatalf("%+v", o)
	}
	if d := cmp.Diff([]policy.ClientOutcome{{Client: "btn-1", Denied: 30}}, o.Clients); d != "" {
		t.Error(d)
	}
	why := map[string]string{}
	for _, v := range o.Streams {
		why[v.Topic[strings.LastIndex(v.Topic, "/")+1:]] = v.Draft.Rule
		if v.Count != 10 || !v.FirstAt.Equal(at) || !v.Now.Allowed {
			t.Errorf("%+v", v)
		}
	}
	if d := cmp.Diff(map[string]string{"heartbeat": access.RuleDefault, "status": access.RuleRetain, "receipt": access.RuleDefault}, why); d != "" {
		t.Error(d)
	}
	if o, err := s.Replay(t.Context(), r, s.Policy(), at, at.Add(time.Hour), 1000); err != nil || o.Denied+o.Allowed != 0 {
		t.Errorf("the policy as it is: %+v %v", o, err)
	}
	if o, err := s.Replay(t.Context(), r, s.Policy(), at, at.Add(time.Hour), 7); err != nil || !o.Truncated || o.Examined != 7 || !o.To.Equal(at.Add(2*time.Minute)) {
		t.Errorf("at most 7: %+v %v", o, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Replay(ctx, r, s.Policy(), at, at.Add(time.Hour), 7); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
}
