package fleet_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

// Both programs fold lane by lane, and lanes travel at their own speed: how
// they interleave must not matter, and nor must a record that comes twice.
func TestApply_LanesMayInterleaveInAnyWayAndRepeat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		story := fleettest.NewStory(rapid.Uint64().Draw(t, "story"))
		lanes := map[fleet.Lane][]fleet.Record{}
		for range rapid.IntRange(1, 120).Draw(t, "records") {
			r := story.Next()
			lanes[r.Body.Lane()] = append(lanes[r.Body.Lane()], r)
		}
		other := fleettest.NewMemory()
		var done []fleet.Record
		apply := func(r fleet.Record) {
			changes, err := fleet.Apply(other, r)
			if err != nil {
				t.Fatalf("apply %s: %v", r.Body.Kind(), err)
			}
			for _, c := range changes {
				if err := other.PutEntity(c.After); err != nil {
					t.Fatal(err)
				}
			}
		}
		for len(lanes) > 0 {
			var have []fleet.Lane
			for _, l := range fleet.LogLanes() {
				if len(lanes[l]) > 0 {
					have = append(have, l)
				} else {
					delete(lanes, l)
				}
			}
			if len(have) == 0 {
				break
			}
			l := rapid.SampledFrom(have).Draw(t, "lane")
			r := lanes[l][0]
			lanes[l] = lanes[l][1:]
			apply(r)
			done = append(done, r)
		}
		if got, want := other.Digest(), story.State().Digest(); got != want {
			t.Fatalf("interleaved: %s, in order: %s", got, want)
		}
		// Again from any point: an end that lost its position but not its state.
		for _, r := range done[rapid.IntRange(0, len(done)).Draw(t, "again from"):] {
			if changes, err := fleet.Apply(other, r); err == nil {
				for _, c := range changes {
					t.Fatalf("%s applied again changes %s", r.Body.Kind(), c.After.Ref().ID)
				}
			}
		}
	})
}

func TestApply_ImpatientPressesAreOneRequestWithTheHighestPriority(t *testing.T) {
	m := fleettest.NewMemory()
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	fold := func(body fleet.Body) {
		t.Helper()
		changes, err := fleet.Apply(m, fleet.Record{At: at, Actor: fleet.System("test"), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if err := m.PutEntity(c.After); err != nil {
				t.Fatal(err)
			}
		}
	}
	const req = fleet.RequestID("0190163d-8694-739b-aea5-966c26f8ad91")
	for i, p := range []fleet.Priority{fleet.Normal, fleet.Emergency, fleet.Normal, fleet.Urgent, fleet.Normal} {
		fold(fleet.Pressed{
			Press: fleet.Press{
				PressKey: fleet.PressKey{Device: "btn-1", BootID: "b", SequenceID: uint64(i + 1)},
				Type:     fleet.PressSingle, Priority: p, ReceivedAt: at, Request: req,
			},
			Room: "cabin-1", Opens: i == 0,
		})
	}
	r, found, err := fleet.Get[fleet.Request](m, fleet.RequestRef(req))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if r.Presses != 5 || r.Priority != fleet.Emergency || r.Version != 1 || r.State != fleet.RequestOpen {
		t.Errorf("got %+v", r)
	}
	// Who accepts the version that he saw before the last press still wins.
	if _, err := r.Step(1, fleet.RequestAccepted, "", ""); err != nil {
		t.Error(err)
	}
}

func TestApply_SecondDifferentEndOfACommandIsShownAndChangesNothing(t *testing.T) {
	m := fleettest.NewMemory()
	const id = fleet.CommandID("0190163d-8694-739b-aea5-966c26f8ad92")
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	steps := []fleet.CommandStepped{
		{Command: id, State: fleet.CommandAtHub, Define: &fleet.CommandDefinition{Device: "d", Name: "locate", IssuedBy: fleet.System("x"), IssuedAt: at, ExpiresAt: at}},
		{Command: id, State: fleet.CommandSent},
		{Command: id, State: fleet.CommandExpired},
		{Command: id, State: fleet.CommandSucceeded},
		{Command: id, State: fleet.CommandFailed},
	}
	for _, s := range steps {
		changes, err := fleet.Apply(m, fleet.Record{At: at, Actor: fleet.System("x"), Body: s})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if err := m.PutEntity(c.After); err != nil {
				t.Fatal(err)
			}
		}
	}
	c, _, err := fleet.Get[fleet.Command](m, fleet.CommandRef(id))
	if err != nil {
		t.Fatal(err)
	}
	if c.State != fleet.CommandExpired || c.Anomaly != fleet.CommandSucceeded {
		t.Errorf("state %s, anomaly %s", c.State, c.Anomaly)
	}
	var states []fleet.CommandState
	for _, s := range c.Steps {
		states = append(states, s.State)
	}
	want := []fleet.CommandState{fleet.CommandQueued, fleet.CommandAtHub, fleet.CommandSent, fleet.CommandExpired}
	if d := cmp.Diff(want, states); d != "" {
		t.Errorf("timeline (-want +got):\n%s", d)
	}
}

func TestApply_TombstoneOutranksWhatComesLateOfTheOldDevice(t *testing.T) {
	m := fleettest.NewMemory()
	device := fleet.Device{ID: "btn-1", Type: fleet.Button, Room: "cabin-1", Profile: "button", Version: 3}
	gone := device
	gone.Version, gone.Removed = 4, true
	for _, d := range []fleet.Device{device, gone, device} {
		changes, err := fleet.Apply(m, fleet.Record{Actor: fleet.System("x"), Body: fleet.DeviceChanged{Device: d}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if err := m.PutEntity(c.After); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, _, err := fleet.Get[fleet.Device](m, fleet.DeviceRef("btn-1"))
	if err != nil || !got.Removed || got.Version != 4 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestApply_RecordThatContradictsItsLaneIsAnErrorThatCanBeSetAside(t *testing.T) {
	m := fleettest.NewMemory()
	const unknown = fleet.RequestID("0190163d-8694-739b-aea5-966c26f8ad93")
	for name, body := range map[string]fleet.Body{
		"step of nothing":            fleet.RequestStepped{Request: unknown, Version: 2, State: fleet.RequestAccepted},
		"command without definition": fleet.CommandStepped{Command: fleet.CommandID(unknown), State: fleet.CommandSent},
		"press that joins nothing":   fleet.Pressed{Press: fleet.Press{PressKey: fleet.PressKey{Device: "d", BootID: "b", SequenceID: 1}, Request: unknown}, Room: "r"},
	} {
		if _, err := fleet.Apply(m, fleet.Record{Actor: fleet.System("x"), Body: body}); !errors.Is(err, fleet.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDocument_TombstoneOutranksWhatItRemovedAndKindsMayBeUnknown(t *testing.T) {
	state := fleettest.NewMemory()
	apply := func(d fleet.Document) []fleet.Change {
		t.Helper()
		changes, err := fleet.Apply(state, fleet.Record{Body: fleet.PolicyChanged{Document: d}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if err := state.PutEntity(c.After); err != nil {
				t.Fatal(err)
			}
		}
		return changes
	}
	first := fleet.Document{Kind: "of-tomorrow", Name: "a", Version: 1, Body: []byte(`{"x":1}`)}
	gone := fleet.Document{Kind: "of-tomorrow", Name: "a", Version: 2, Removed: true}
	if len(apply(first)) != 1 || len(apply(gone)) != 1 || len(apply(first)) != 0 {
		t.Fatal("the tombstone does not outrank what it removed")
	}
	d, found, err := fleet.Get[fleet.Document](state, first.Ref())
	if err != nil || !found || !d.Removed || d.Version != 2 || d.Body != nil {
		t.Fatalf("%+v %v %v", d, found, err)
	}
}

func TestDocument_CheckNamesTheFieldThatIsWrong(t *testing.T) {
	good := fleet.Document{Kind: fleet.DocumentACL, Name: "a", Version: 1, Body: []byte(`{}`)}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*fleet.Document){
		"document kind": func(d *fleet.Document) { d.Kind = "" },
		"name":          func(d *fleet.Document) { d.Name = "a/b" },
		"bytes":         func(d *fleet.Document) { d.Body = append([]byte(`"`), make([]byte, fleet.MaxDocument)...) },
		"has a body":    func(d *fleet.Document) { d.Removed = true },
		"not JSON":      func(d *fleet.Document) { d.Body = nil },
	} {
		d := good
		change(&d)
		if err := d.Check(); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
