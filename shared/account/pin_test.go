package account_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// tabletWorld has anna and bert of the crew, with the PINs 482913 and 591730,
// and a tablet.
type tabletWorld struct {
	*world
	anna, bert account.User
	tablet     account.Tablet
	secret     string
}

func newTabletWorld(t *testing.T, change func(*account.Config)) *tabletWorld {
	t.Helper()
	w := &tabletWorld{world: newWorld(t, account.HubPolicy(), change)}
	w.anna, w.bert = w.addUser(t, "anna", account.Crew), w.addUser(t, "bert", account.Crew)
	for id, pin := range map[account.UserID]string{w.anna.ID: "482913", w.bert.ID: "591730"} {
		if err := w.SetPIN(t.Context(), w.admin, id, account.PINChange{New: pin}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.tablet, w.secret, err = w.EnrolTablet(t.Context(), w.admin, "pantry", ""); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *tabletWorld) pin(ctx context.Context, u account.UserID, pin string) (string, error) {
	_, secret, _, err := w.SignInWithPIN(ctx, account.PINSignIn{Tablet: w.secret, User: u, PIN: pin})
	return secret, err
}

func TestPIN_WhatIsEasyToGuessIsRefused(t *testing.T) {
	w := newTabletWorld(t, nil)
	for _, pin := range []string{
		"000000", "777777", "123456", "012345", "654321", "987654", "890123", "210987",
		"", "12345", "1234567", "48291a", " 48291", "٤٨٢٩١٣", "-48291", "4829.3",
	} {
		wantErr(t, w.SetPIN(t.Context(), w.admin, w.anna.ID, account.PINChange{New: pin}), fleet.ErrInvalid)
	}
	for _, pin := range []string{"123457", "112233", "000001", "135791"} {
		wantErr(t, w.SetPIN(t.Context(), w.admin, w.anna.ID, account.PINChange{New: pin}), nil)
	}
	if _, err := w.pin(t.Context(), w.anna.ID, "135791"); err != nil {
		t.Error(err)
	}
}

func TestPIN_NeverForAnotherRoleThanCrew(t *testing.T) {
	w := newTabletWorld(t, nil)
	ctx := t.Context()
	for _, role := range []account.Role{account.Admin, account.Chief, account.Viewer} {
		u := w.addUser(t, "a-"+string(role), role)
		wantErr(t, w.SetPIN(ctx, w.admin, u.ID, account.PINChange{New: "482913"}), fleet.ErrState)
	}
	secret, err := w.pin(ctx, w.anna.ID, "482913")
	if err != nil {
		t.Fatal(err)
	}
	w.change(t, "anna", func(c *account.UserChange) { c.Role = account.Chief })
	_, err = w.BySession(ctx, secret) // made with a PIN, and not crew any more
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, fleet.ErrUnauthenticated)
	w.change(t, "anna", func(c *account.UserChange) { c.Role = account.Crew })
	_, err = w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, fleet.ErrUnauthenticated) // a PIN does not come back

	// A store that has a PIN for an administrator does not make it work.
	u := w.user(t, "a-admin")
	version := u.Version
	u.PINHash, u.Version = w.user(t, "bert").PINHash, version+1
	if err := w.store.ChangeUser(ctx, u, version); err != nil {
		t.Fatal(err)
	}
	_, err = w.pin(ctx, u.ID, "591730")
	wantErr(t, err, fleet.ErrUnauthenticated)
	tiles, err := w.Tiles(ctx, w.secret)
	if err != nil || len(tiles) != 1 || tiles[0].ID != w.bert.ID {
		t.Errorf("tiles are %v, %v", tiles, err)
	}
}

func TestPIN_SameErrorForEveryReason(t *testing.T) {
	w := newTabletWorld(t, nil)
	carl := w.addUser(t, "carl", account.Crew)
	w.change(t, "bert", func(c *account.UserChange) { c.Disabled = true })
	for _, c := range []struct {
		user account.UserID
		pin  string
	}{{w.anna.ID, "591730"}, {w.anna.ID, ""}, {w.anna.ID, "4829130"}, {w.bert.ID, "591730"}, {carl.ID, "482913"}, {"nobody", "482913"}, {"", ""}} {
		w.clock.pass(time.Minute)
		_, err := w.pin(t.Context(), c.user, c.pin)
		if !errors.Is(err, fleet.ErrUnauthenticated) || err.Error() != fleet.ErrUnauthenticated.Error()+": wrong PIN" {
			t.Errorf("%s %s: %v", c.user, c.pin, err)
		}
	}
}

func TestPIN_GuessingWaitsForThePersonOnEveryTablet(t *testing.T) {
	w := newTabletWorld(t, nil)
	ctx := t.Context()
	_, other, err := w.EnrolTablet(ctx, w.admin, "bridge", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		_, err := w.pin(ctx, w.anna.ID, "000001")
		wantErr(t, err, fleet.ErrUnauthenticated)
	}
	_, _, _, err = w.SignInWithPIN(ctx, account.PINSignIn{Tablet: other, User: w.anna.ID, PIN: "482913"})
	wantErr(t, err, fleet.ErrLimit)
	// Somebody else elsewhere does not wait, and does not help.
	if _, _, _, err := w.SignInWithPIN(ctx, account.PINSignIn{Tablet: other, User: w.bert.ID, PIN: "591730"}); err != nil {
		t.Error(err)
	}
	_, _, _, err = w.SignInWithPIN(ctx, account.PINSignIn{Tablet: other, User: w.anna.ID, PIN: "482913"})
	wantErr(t, err, fleet.ErrLimit)
	// A password is another secret, and takes other guesses.
	w.signIn(t, "anna")
	w.clock.pass(time.Second)
	if _, err := w.pin(ctx, w.anna.ID, "482913"); err != nil {
		t.Error(err)
	}
}

func TestPIN_GuessingWaitsForTheTabletWhoeverSucceedsOnIt(t *testing.T) {
	w := newTabletWorld(t, nil)
	ctx := t.Context()
	for i := range 4 {
		u := w.addUser(t, fmt.Sprint("crew", i), account.Crew)
		_, err := w.pin(ctx, u.ID, "482913")
		wantErr(t, err, fleet.ErrUnauthenticated)
		if _, err := w.pin(ctx, w.bert.ID, "591730"); err != nil { // forgives nothing
			t.Fatal(err)
		}
	}
	_, err := w.pin(ctx, w.anna.ID, "000001")
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.pin(ctx, w.bert.ID, "591730")
	wantErr(t, err, fleet.ErrLimit)
	// It takes a hundred guesses on one tablet many hours.
	var took time.Duration
	for range 100 {
		w.clock.pass(15 * time.Minute)
		took += 15 * time.Minute
		if _, err := w.pin(ctx, w.anna.ID, "000001"); err == nil {
			t.Fatal("guessed")
		}
	}
	_, err = w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, fleet.ErrLimit)
}

func TestPIN_SessionsEndSoonerWhenNobodyUsesThem(t *testing.T) {
	w := newTabletWorld(t, func(c *account.Config) { c.SessionIdle, c.PINIdle = 100*time.Hour, time.Hour })
	ctx := t.Context()
	_, password, _ := w.signIn(t, "anna")
	used, err := w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, nil)
	idle, err := w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, nil)
	for range 3 {
		w.clock.pass(30 * time.Minute)
		_, err := w.BySession(ctx, used)
		wantErr(t, err, nil)
	}
	_, err = w.BySession(ctx, idle)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.BySession(ctx, password)
	wantErr(t, err, nil)
}

func TestPIN_SessionsEndWithTheTabletAlsoThoseThatWereJustBeingMade(t *testing.T) {
	slow := &slowStore{before: func() {}}
	w := newTabletWorld(t, func(c *account.Config) {
		slow.Store = c.Store
		c.Store = slow
	})
	ctx := t.Context()
	before, err := w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, nil)
	slow.before = func() { wantErr(t, w.RevokeTablet(ctx, w.admin, w.tablet.ID), nil) }
	meanwhile, err := w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, nil)
	for _, secret := range []string{before, meanwhile} {
		_, err := w.BySession(ctx, secret)
		wantErr(t, err, fleet.ErrUnauthenticated)
	}
}

func TestPIN_ANewOneEndsWhatWasSignedInWithTheOld(t *testing.T) {
	w := newTabletWorld(t, nil)
	ctx := t.Context()
	_, password, _ := w.signIn(t, "anna")
	secret, err := w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, nil)
	wantErr(t, w.SetPIN(ctx, w.admin, w.anna.ID, account.PINChange{New: "000001"}), nil)
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.BySession(ctx, password)
	wantErr(t, err, nil)
}

func TestPIN_EndsTheSessionThatTheBrowserBroughtAndTakesNoneOver(t *testing.T) {
	w := newTabletWorld(t, nil)
	ctx := t.Context()
	first, err := w.pin(ctx, w.anna.ID, "482913")
	wantErr(t, err, nil)
	_, second, _, err := w.SignInWithPIN(ctx, account.PINSignIn{Tablet: w.secret, User: w.bert.ID, PIN: "591730", Previous: first})
	wantErr(t, err, nil)
	if first == second {
		t.Error("the session was taken over")
	}
	_, err = w.BySession(ctx, first)
	wantErr(t, err, fleet.ErrUnauthenticated)
}

func TestTablet_KeepsNoSecretAndNeedsAChief(t *testing.T) {
	w := newTabletWorld(t, nil)
	ctx := t.Context()
	if w.tablet.Hash != account.HashSecret(w.secret) {
		t.Error("the tablet is not stored hashed")
	}
	crew := account.Subject{Kind: account.KindUser, ID: string(w.anna.ID), Role: account.Crew}
	_, _, err := w.EnrolTablet(ctx, crew, "mine", "")
	wantErr(t, err, fleet.ErrForbidden)
	wantErr(t, w.RevokeTablet(ctx, crew, w.tablet.ID), fleet.ErrForbidden)
	_, err = w.Tablets(ctx, crew, "", 10)
	wantErr(t, err, fleet.ErrForbidden)
	_, _, err = w.EnrolTablet(ctx, w.admin, "", "")
	wantErr(t, err, fleet.ErrInvalid)
	for _, secret := range []string{"", w.secret + "A", w.secret[1:] + "A"} {
		_, err := w.Tiles(ctx, secret)
		wantErr(t, err, fleet.ErrUnauthenticated)
	}
}
