package account

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// PINLength is how many digits a PIN has.
const PINLength = 6

// checkPIN reports as ErrInvalid a PIN that may not be chosen: anything but
// six digits, one digit only, or a run up or down (over 9 and 0 too).
func checkPIN(pin string) error {
	if !isPIN(pin) {
		return fmt.Errorf("%w: a PIN has %d digits", fleet.ErrInvalid, PINLength)
	}
	for _, step := range []byte{0, 1, 9} { // the same, up, down
		regular := true
		for i := 1; i < len(pin); i++ {
			regular = regular && (pin[i-1]-'0'+step)%10 == pin[i]-'0'
		}
		if regular {
			return fmt.Errorf("%w: the PIN is too easy to guess: want no run, and not one digit only", fleet.ErrInvalid)
		}
	}
	return nil
}

func isPIN(s string) bool { return len(s) == PINLength && strings.Trim(s, "0123456789") == "" }

// PINChange is a new PIN. Current is one's PIN or password until now, for
// whoever sets their own; From is as in SignIn.
type PINChange struct {
	Current, New string
	From         netip.Addr
}

// SetPIN gives a person of the crew a PIN: oneself, or whoever may change the
// crew. What the person has signed in to with a PIN ends, but for the session
// of whoever sets their own. ErrForbidden (also for a wrong current one), a
// WaitError after too many of those, ErrInvalid, ErrNotFound; ErrState for
// somebody who is not crew.
func (a *Accounts) SetPIN(ctx context.Context, by Subject, id UserID, c PINChange) error {
	own := by.Kind == KindUser && by.ID == string(id)
	u, err := a.whosePIN(ctx, by, own, id)
	if err != nil {
		return err
	}
	if u.Role != Crew {
		return fmt.Errorf("%w: only role %s signs in with a PIN", fleet.ErrState, Crew)
	}
	if err := checkPIN(c.New); err != nil {
		return err
	}
	if own {
		if err := a.confirmPIN(ctx, u, c); err != nil {
			return err
		}
	}
	hash, err := a.passwords.hash(ctx, c.New)
	if err != nil {
		return err
	}
	return a.putPIN(ctx, by, id, hash)
}

// RemovePIN takes a person's PIN away, with what was signed in with it: oneself,
// or whoever may change the crew. ErrForbidden, ErrNotFound.
func (a *Accounts) RemovePIN(ctx context.Context, by Subject, id UserID) error {
	own := by.Kind == KindUser && by.ID == string(id)
	u, err := a.whosePIN(ctx, by, own, id)
	if err != nil {
		return err
	}
	if u.PINHash == "" {
		return fmt.Errorf("%w: the user has no PIN", fleet.ErrNotFound)
	}
	return a.putPIN(ctx, by, id, "")
}

// whosePIN returns the person whose PIN by may set.
func (a *Accounts) whosePIN(ctx context.Context, by Subject, own bool, id UserID) (User, error) {
	if own {
		return a.find(ctx, id)
	}
	if err := a.may(by, CrewWrite); err != nil {
		return User{}, err
	}
	u, err := a.find(ctx, id)
	if err != nil {
		return User{}, err
	}
	if !a.policy.Covers(by.Rights(), u.Rights()) {
		return User{}, fmt.Errorf("%w: role %s may not set the PIN of a user with role %s", fleet.ErrForbidden, by.Role, u.Role)
	}
	return u, nil
}

// confirmPIN checks the current PIN or password, as a sign-in would.
func (a *Accounts) confirmPIN(ctx context.Context, u User, c PINChange) error {
	if !isPIN(c.Current) || u.PINHash == "" {
		return a.confirm(ctx, u, PasswordChange{Current: c.Current, From: c.From})
	}
	try, err := a.limiter.begin(u.Folded, c.From)
	if err != nil {
		return err
	}
	ok, _, err := a.passwords.check(ctx, c.Current, u.PINHash)
	if err != nil {
		try.undecided()
		return err
	}
	if !ok {
		return fmt.Errorf("%w: the current PIN is wrong", fleet.ErrForbidden)
	}
	try.succeeded()
	return nil
}

// putPIN stores the hash and ends what was signed in with the PIN before.
func (a *Accounts) putPIN(ctx context.Context, by Subject, id UserID, hash string) error {
	u, err := a.find(ctx, id) // confirming may have changed it
	if err != nil {
		return err
	}
	version := u.Version
	u.PINHash = hash
	action := "user.pin_set"
	if hash == "" {
		action = "user.pin_removed"
	}
	if u, err = a.replace(noted(ctx, by, action, u.Username, nil), u, version); err != nil {
		return err
	}
	return a.endPINSessions(ctx, u, by.Session)
}

// endPINSessions ends what u has signed in to with a PIN, but the one named.
func (a *Accounts) endPINSessions(ctx context.Context, u User, but SessionID) error {
	all, err := a.store.Sessions(ctx, u.ID, "", 10*a.cfg.SessionsPerUser)
	if err != nil {
		return fmt.Errorf("list sessions of %s: %w", u.Username, err)
	}
	for _, s := range all {
		if s.Tablet == "" || s.ID == but {
			continue
		}
		if err := a.store.RemoveSession(ctx, s.ID); err != nil && !missing(err) {
			return fmt.Errorf("end session of %s: %w", u.Username, err)
		}
	}
	return nil
}

// Tiles are the people who can sign in with a PIN on the tablet whose secret it
// is, by name. ErrUnauthenticated when it is no tablet's.
func (a *Accounts) Tiles(ctx context.Context, tablet string) ([]User, error) {
	if _, err := a.Tablet(ctx, tablet); err != nil {
		return nil, err
	}
	var crew []User
	for after := ""; ; {
		us, err := a.store.Users(ctx, after, 100)
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		for _, u := range us {
			if u.hasPIN() {
				crew = append(crew, u)
			}
			after = u.Folded
		}
		if len(us) < 100 {
			break
		}
	}
	slices.SortStableFunc(crew, func(x, y User) int { return strings.Compare(x.Name, y.Name) })
	return crew, nil
}

// PINSignIn is what a person brings to sign in on a tablet.
type PINSignIn struct {
	// Tablet is the tablet's secret.
	Tablet string
	User   UserID
	PIN    string
	// From, Agent and Previous are as in SignIn.
	From            netip.Addr
	Agent, Previous string
}

// SignInWithPIN makes a new session on a tablet. Errors: ErrUnauthenticated,
// the same for every reason but that it is no tablet, and after the same work;
// a WaitError after too many failures of the person, or on the tablet: the
// success of one does not let others guess on.
func (a *Accounts) SignInWithPIN(ctx context.Context, in PINSignIn) (Session, string, Subject, error) {
	tablet, err := a.Tablet(ctx, in.Tablet)
	if err != nil {
		return Session{}, "", Subject{}, err
	}
	try, err := a.pinLimiter.start(string(in.User), string(tablet.ID))
	if err != nil {
		return Session{}, "", Subject{}, err
	}
	u, ok, err := a.checkUserPIN(ctx, in.User, in.PIN)
	if err != nil {
		try.undecided()
		return Session{}, "", Subject{}, err
	}
	if !ok {
		a.refused(u.Username, in.From)
		return Session{}, "", Subject{}, fmt.Errorf("%w: wrong PIN", fleet.ErrUnauthenticated)
	}
	try.succeeded()
	if err := a.store.UseTablet(ctx, tablet.ID, fleet.Millis(a.cfg.Now())); err != nil && !missing(err) {
		return Session{}, "", Subject{}, fmt.Errorf("note use of tablet: %w", err)
	}
	return a.open(ctx, u, Session{Agent: in.Agent, Tablet: tablet.ID}, in.From, in.Previous)
}

// checkUserPIN does the same work whether the user exists and has a PIN or not.
func (a *Accounts) checkUserPIN(ctx context.Context, id UserID, pin string) (User, bool, error) {
	hash, known := a.passwords.dummy, false
	u, err := a.store.User(ctx, id)
	switch {
	case err == nil && u.hasPIN() && isPIN(pin):
		hash, known = u.PINHash, true
	case err != nil && !missing(err):
		return User{}, false, fmt.Errorf("find user: %w", err)
	}
	if len(pin) > PINLength {
		pin = pin[:PINLength]
	}
	ok, _, err := a.passwords.check(ctx, pin, hash)
	return u, ok && known, err
}
