package fleet_test

import (
	"errors"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/fleettest"
)

var (
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	mila = fleet.Actor{Kind: fleet.ActorUser, ID: "u-1", Name: "Mila"}
)

func raised() fleet.Alert {
	return fleet.Alert{
		ID: fleet.NewUUID[fleet.AlertID](noon), Kind: "disk_low", Severity: fleet.AlertWarning, SubjectKind: fleet.AlertOfHub,
		State: fleet.AlertActive, Since: noon, RaisedAt: noon, UpdatedAt: noon, Occurrences: 1, Version: 1,
	}
}

func acknowledged(t *testing.T, a fleet.Alert) fleet.Alert {
	t.Helper()
	a, err := a.Acknowledge(mila, noon)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAlert_GoneBeforeItWasSeenWaitsForTheAcknowledgement(t *testing.T) {
	a := raised().Rectify(noon)
	if a.State != fleet.AlertRectified || !a.ClearedAt.IsZero() {
		t.Fatalf("%+v", a)
	}
	if _, err := a.Silence(noon.Add(time.Hour), noon); !errors.Is(err, fleet.ErrState) {
		t.Errorf("nothing is to be heard of it: %v", err)
	}
	a = acknowledged(t, a)
	if a.State != fleet.AlertCleared || a.ClearedAt.IsZero() || a.Version != 3 {
		t.Errorf("%+v", a)
	}
	if _, err := a.Acknowledge(mila, noon); !errors.Is(err, fleet.ErrState) {
		t.Errorf("acknowledged after its end: %v", err)
	}
}

func TestAlert_GoneAfterItWasSeenIsOver(t *testing.T) {
	if a := acknowledged(t, raised()).Rectify(noon); a.State != fleet.AlertCleared {
		t.Errorf("%+v", a)
	}
	// Silence is not acknowledgement, and does not take one away.
	quiet, err := raised().Silence(noon.Add(time.Hour), noon)
	if err != nil {
		t.Fatal(err)
	}
	if a := quiet.Rectify(noon); a.State != fleet.AlertRectified || !a.SilencedUntil.IsZero() {
		t.Errorf("%+v", a)
	}
	quiet, err = acknowledged(t, raised()).Silence(noon.Add(time.Hour), noon)
	if err != nil {
		t.Fatal(err)
	}
	if a := quiet.Rectify(noon); a.State != fleet.AlertCleared {
		t.Errorf("%+v", a)
	}
}

func TestAlert_SilenceEndsAndThenItIsHeardAgain(t *testing.T) {
	if _, err := raised().Silence(noon, noon); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("silent until now: %v", err)
	}
	quiet, err := acknowledged(t, raised()).Silence(noon.Add(time.Hour), noon)
	if err != nil {
		t.Fatal(err)
	}
	if a := quiet.Expire(noon.Add(time.Hour)); a.State != fleet.AlertActive || a.AcknowledgedBy != nil {
		t.Errorf("%+v", a)
	}
}

func TestAlert_ComesAgainAsTheSameAlert(t *testing.T) {
	a := raised().Rectify(noon).Recur(noon.Add(time.Minute), noon.Add(2*time.Minute))
	if a.State != fleet.AlertActive || a.Occurrences != 2 || !a.RaisedAt.Equal(noon) || !a.Since.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v", a)
	}
}

func TestApply_AlertsAreTakenByVersionAndAuditedWhenAPersonActs(t *testing.T) {
	state := fleettest.NewMemory()
	apply := func(by fleet.Actor, a fleet.Alert) (int, string) {
		t.Helper()
		r := fleet.Record{At: noon, Actor: by, Body: fleet.AlertChanged{Alert: a}}
		changes, err := fleet.Apply(state, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if err := state.PutEntity(c.After); err != nil {
				t.Fatal(err)
			}
		}
		action, _, _, _ := fleet.Auditable(r, changes)
		return len(changes), action
	}
	a := raised()
	if n, action := apply(fleet.System("alert"), a); n != 1 || action != "" {
		t.Errorf("raised: %d changes, audited as %q", n, action)
	}
	if n, _ := apply(fleet.System("alert"), a); n != 0 {
		t.Errorf("twice: %d changes", n)
	}
	quiet, err := a.Silence(noon.Add(time.Hour), noon)
	if err != nil {
		t.Fatal(err)
	}
	if n, action := apply(mila, quiet); n != 1 || action != "alert.silenced" {
		t.Errorf("silenced: %d changes, audited as %q", n, action)
	}
	if n, action := apply(mila, acknowledged(t, quiet)); n != 1 || action != "alert.acknowledged" {
		t.Errorf("acknowledged: %d changes, audited as %q", n, action)
	}
	if n, _ := apply(fleet.System("alert"), a); n != 0 {
		t.Errorf("an old one: %d changes", n)
	}
}
