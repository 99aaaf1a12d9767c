package fleet_test

import (
	"errors"
	"testing"

	"github.com/obedio/obedio/shared/fleet"
)

// The whole table of product.md: every pair that is not in it is refused.
func TestRequestState_LeadsOnlyWhereTheProductSays(t *testing.T) {
	leads := map[fleet.RequestState][]fleet.RequestState{
		fleet.RequestOpen:     {fleet.RequestAccepted, fleet.RequestCancelled, fleet.RequestMissed},
		fleet.RequestAccepted: {fleet.RequestCompleted, fleet.RequestCancelled},
	}
	for _, from := range fleet.RequestStates() {
		ways := 0
		for _, to := range fleet.RequestStates() {
			want := contains(leads[from], to)
			if got := from.Leads(to); got != want {
				t.Errorf("%s leads to %s: %t, want %t", from, to, got, want)
			}
			if want {
				ways++
			}
		}
		if from.Ended() != (ways == 0) {
			t.Errorf("%s has %d ways out and ended is %t", from, ways, from.Ended())
		}
	}
}

func TestCommandState_LeadsOnlyForwardAndOnEvidence(t *testing.T) {
	const (
		queued, atHub, sent, delivered, acked = fleet.CommandQueued, fleet.CommandAtHub, fleet.CommandSent, fleet.CommandDelivered, fleet.CommandAcknowledged
		succeeded, failed                     = fleet.CommandSucceeded, fleet.CommandFailed
		expired, cancelled, superseded        = fleet.CommandExpired, fleet.CommandCancelled, fleet.CommandSuperseded
	)
	leads := map[fleet.CommandState][]fleet.CommandState{
		queued:    {atHub, expired, cancelled, superseded},
		atHub:     {sent, failed, expired, cancelled, superseded},
		sent:      {delivered, acked, succeeded, failed, expired, cancelled, superseded},
		delivered: {acked, succeeded, failed, expired},
		acked:     {succeeded, failed, expired},
	}
	for _, from := range fleet.CommandStates() {
		for _, to := range fleet.CommandStates() {
			if got, want := from.Leads(to), contains(leads[from], to); got != want {
				t.Errorf("%s leads to %s: %t, want %t", from, to, got, want)
			}
			if from.Leads(to) && to.Rank() <= from.Rank() {
				t.Errorf("%s leads back to %s", from, to)
			}
		}
		if from.Ended() != (len(leads[from]) == 0) {
			t.Errorf("%s: ended is %t", from, from.Ended())
		}
	}
	for _, s := range []fleet.CommandState{"", "nonsense"} {
		if s.Ended() || s.Leads(sent) || sent.Leads(s) {
			t.Errorf("%q takes part", s)
		}
	}
}

func TestRequestStep_SecondToAcceptTheSameVersionLearnsThatHeLost(t *testing.T) {
	r := fleet.Request{ID: "r", State: fleet.RequestOpen, Version: 1}
	if _, err := r.Step(1, fleet.RequestAccepted, "", ""); err != nil {
		t.Fatal(err)
	}
	r.State, r.Version = fleet.RequestAccepted, 2
	if _, err := r.Step(1, fleet.RequestAccepted, "", ""); !errors.Is(err, fleet.ErrVersion) {
		t.Errorf("old version: %v", err)
	}
	if _, err := r.Step(2, fleet.RequestAccepted, "", ""); !errors.Is(err, fleet.ErrState) {
		t.Errorf("new version: %v", err)
	}
	if _, err := r.Step(2, fleet.RequestCancelled, "", ""); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("cancelled without a reason: %v", err)
	}
	if _, err := r.Step(2, fleet.RequestCompleted, fleet.CancelGuest, ""); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("completed with a reason: %v", err)
	}
}

func contains[T comparable](all []T, v T) bool {
	for _, a := range all {
		if a == v {
			return true
		}
	}
	return false
}
