package identity_test

import (
	"testing"
	"time"

	"github.com/obedio/obedio/shared/identity"
)

var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// board is a board whose clock a test sets.
type board struct {
	system time.Time
	mono   time.Duration
	synced bool
}

func (b *board) pass(d time.Duration) { b.system, b.mono = b.system.Add(d), b.mono+d }

func (b *board) clock() *identity.Clock {
	return identity.NewClock(identity.ClockConfig{
		System: func() time.Time { return b.system }, Monotonic: func() time.Duration { return b.mono },
		Built: built, Synchronised: func() bool { return b.synced },
	})
}

func is(t *testing.T, k *identity.Clock, want time.Time, source identity.ClockSource, trusted bool) {
	t.Helper()
	if r := k.Read(); !r.Now.Equal(want) || r.Source != source || r.Trusted != trusted {
		t.Errorf("%s from %s, trusted %t: want %s from %s, %t", r.Now, r.Source, r.Trusted, want, source, trusted)
	}
}

func certain(t *testing.T, k *identity.Clock, want time.Time) {
	t.Helper()
	if got := k.Certain(); !got.Equal(want) {
		t.Errorf("certain is %s: want %s", got, want)
	}
}

func TestClock_GoesOnFromWhatIsKnownUntilTheSystemsCanBeRight(t *testing.T) {
	b := &board{system: time.Date(1970, 1, 1, 0, 0, 7, 0, time.UTC)}
	k := b.clock()
	is(t, k, built, identity.ClockUnset, false)
	b.pass(time.Hour)
	is(t, k, built.Add(time.Hour), identity.ClockUnset, false)
	stored := built.Add(1000 * time.Hour)
	k.Raise(stored)
	is(t, k, stored, identity.ClockFloor, false)
	b.system = b.system.Add(-30 * time.Minute) // set back
	b.mono += time.Minute
	is(t, k, stored.Add(time.Minute), identity.ClockFloor, false)
	certain(t, k, stored.Add(time.Minute))
	b.system = stored.Add(time.Hour)
	is(t, k, b.system, identity.ClockRTC, true)
	certain(t, k, b.system)
}

func TestClock_AJumpOfMoreThanADayExpiresNothingUntilItIsConfirmed(t *testing.T) {
	stored := built.Add(1000 * time.Hour)
	for name, c := range map[string]struct {
		confirm func(*board, *identity.Clock) error
		source  identity.ClockSource
		trusted bool
	}{
		"operator": {func(_ *board, k *identity.Clock) error { return k.Confirm() }, identity.ClockOperator, true},
		"console":  {func(b *board, k *identity.Clock) error { return k.Tell(b.system, identity.ClockConsole) }, identity.ClockConsole, true},
		"ntp":      {func(b *board, k *identity.Clock) error { b.synced = true; k.Look(); return nil }, identity.ClockNTP, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := &board{system: stored.AddDate(10, 0, 0)}
			k := b.clock()
			k.Raise(stored)
			is(t, k, b.system, identity.ClockRTC, false)
			if r := k.Read(); r.Ahead < 9*365*24*3600 {
				t.Errorf("ahead by %g s", r.Ahead)
			}
			certain(t, k, stored)
			b.pass(time.Hour)
			certain(t, k, stored.Add(time.Hour))
			if err := c.confirm(b, k); err != nil {
				t.Fatal(err)
			}
			is(t, k, b.system, c.source, c.trusted)
			certain(t, k, b.system)
		})
	}
}

func TestClock_AStepBackInARunningProgramRevivesNothing(t *testing.T) {
	b := &board{system: built.Add(2000 * time.Hour)}
	k := b.clock()
	k.Raise(b.system)
	b.pass(5 * time.Minute)
	was := k.Certain()
	b.system = time.Unix(0, 0)
	is(t, k, was, identity.ClockFloor, false)
	certain(t, k, was)
	b.pass(time.Minute)
	certain(t, k, was.Add(time.Minute))
}

func TestClock_WhoKnowsTheTimeCorrectsAClockThatWasBelieved(t *testing.T) {
	right := built.Add(3000 * time.Hour)
	b := &board{system: right.AddDate(10, 0, 0)}
	k := b.clock() // new: nothing is known, so the board's clock is believed
	is(t, k, b.system, identity.ClockRTC, true)
	if err := k.Tell(right, identity.ClockConsole); err != nil {
		t.Fatal(err)
	}
	is(t, k, right, identity.ClockConsole, true)
	certain(t, k, right)
	b.pass(time.Hour)
	is(t, k, right.Add(time.Hour), identity.ClockConsole, true)
	b.system = right.Add(time.Hour + time.Second) // the system was set right meanwhile
	is(t, k, b.system, identity.ClockConsole, true)
	if err := k.Tell(time.Unix(0, 0), identity.ClockOperator); err == nil {
		t.Error("a time before the program was made was taken")
	}
	if err := k.Tell(right, identity.ClockNTP); err == nil {
		t.Error("somebody said that he is NTP")
	}
}

func TestClock_WhatIsOnlyKnownToBeOverIsNoJump(t *testing.T) {
	b := &board{system: built.AddDate(1, 0, 0)}
	k := b.clock()
	k.AtLeast(b.system.AddDate(0, 0, -7))
	is(t, k, b.system, identity.ClockRTC, true)
	b.system = time.Unix(0, 0)
	if now, trusted := k.Now(); trusted || now.Before(built.AddDate(1, 0, -7)) {
		t.Errorf("%s, trusted %t", now, trusted)
	}
}

func TestClock_SmallStepsOfTheSystemsClockAreNoFault(t *testing.T) {
	b := &board{system: built.Add(2000 * time.Hour)}
	k := b.clock()
	k.Raise(b.system)
	for range 100 {
		b.pass(10 * time.Minute)
		b.system = b.system.Add(-time.Second) // slower than it should be
		if _, trusted := k.Now(); !trusted {
			t.Fatal("not trusted")
		}
		k.Raise(k.Certain())
	}
}
