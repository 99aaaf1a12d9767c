package account_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
)

// user returns the person with that username.
func (w *world) user(t *testing.T, name string) account.User {
	t.Helper()
	u, err := w.UserByName(t.Context(), w.admin, name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// change changes the person with that username as the machine itself.
func (w *world) change(t *testing.T, name string, edit func(*account.UserChange)) account.User {
	t.Helper()
	u, err := w.tryChange(t.Context(), w.admin, w.user(t, name), edit)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (w *world) tryChange(ctx context.Context, by account.Subject, u account.User, edit func(*account.UserChange)) (account.User, error) {
	c := account.UserChange{Name: u.Name, Role: u.Role, Sites: u.Sites, Disabled: u.Disabled}
	edit(&c)
	return w.ChangeUser(ctx, by, u.ID, u.Version, c)
}

func TestSetPassword_OnesOwnNeedsTheCurrentAndEndsOtherSessions(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	u := w.addUser(t, "anna", account.Crew)
	bert := w.addUser(t, "bert", account.Crew)
	ctx := t.Context()
	_, other, _ := w.signIn(t, "anna")
	_, own, anna := w.signIn(t, "anna")
	wrong := account.PasswordChange{New: "battery staple", From: addr("192.0.2.7")}
	for _, wrong.Current = range []string{"", "battery staple", "correct horse bert"} {
		wantErr(t, w.SetPassword(ctx, anna, u.ID, wrong), fleet.ErrForbidden)
	}
	right := account.PasswordChange{Current: "correct horse anna", New: "battery staple"}
	if err := w.SetPassword(ctx, anna, u.ID, right); err != nil {
		t.Fatal(err)
	}
	if _, err := w.BySession(ctx, own); err != nil {
		t.Errorf("one's own session ended: %v", err)
	}
	_, err := w.BySession(ctx, other)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, _, _, err = w.SignIn(ctx, account.SignIn{Username: "anna", Password: "correct horse anna"})
	wantErr(t, err, fleet.ErrUnauthenticated)
	wantErr(t, w.SetPassword(ctx, anna, bert.ID, right), fleet.ErrForbidden)
	right.New = "short"
	wantErr(t, w.SetPassword(ctx, anna, u.ID, right), fleet.ErrInvalid)
}

func TestSetPassword_ThatOfOthersEndsAllTheirSessions(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	u := w.addUser(t, "bert", account.Crew)
	_, secret, _ := w.signIn(t, "bert")
	if err := w.SetPassword(t.Context(), w.admin, u.ID, account.PasswordChange{New: "battery staple"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.BySession(t.Context(), secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, _, _, err = w.SignIn(t.Context(), account.SignIn{Username: "bert", Password: "battery staple"})
	wantErr(t, err, nil)
}

func TestSetPassword_GuessingTheCurrentWaits(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	u := w.addUser(t, "anna", account.Crew)
	_, _, anna := w.signIn(t, "anna")
	guess := account.PasswordChange{Current: "a guess", New: "battery staple", From: addr("192.0.2.7")}
	for range 5 {
		wantErr(t, w.SetPassword(t.Context(), anna, u.ID, guess), fleet.ErrForbidden)
	}
	wantErr(t, w.SetPassword(t.Context(), anna, u.ID, guess), fleet.ErrLimit)
}

// slowStore lets another change happen between the check of a password and
// the session.
type slowStore struct {
	account.Store
	before func()
}

func (s *slowStore) AddSession(ctx context.Context, v account.Session) error {
	s.before()
	return s.Store.AddSession(ctx, v)
}

func TestSignIn_APasswordThatIsChangedMeanwhileOpensNothing(t *testing.T) {
	slow := &slowStore{before: func() {}}
	w := newWorld(t, account.HubPolicy(), func(c *account.Config) {
		slow.Store = c.Store
		c.Store = slow
	})
	u := w.addUser(t, "anna", account.Crew)
	slow.before = func() {
		if err := w.SetPassword(t.Context(), w.admin, u.ID, account.PasswordChange{New: "battery staple"}); err != nil {
			t.Error(err)
		}
	}
	_, _, _, err := w.SignIn(t.Context(), account.SignIn{Username: "anna", Password: "correct horse anna"})
	wantErr(t, err, fleet.ErrUnauthenticated)
	if left, err := w.store.Sessions(t.Context(), u.ID, "", 10); err != nil || len(left) != 0 {
		t.Errorf("sessions are %v, %v", left, err)
	}
}

func TestChangeUser_ARoleCountsAtOnceWhereSomebodyIsSignedIn(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	w.addUser(t, "anna", account.Crew)
	_, secret, before := w.signIn(t, "anna")
	if w.Policy().Can(before, account.DevicesWrite, account.Resource{}) {
		t.Fatal("crew may change devices")
	}
	u := w.change(t, "anna", func(c *account.UserChange) { c.Role, c.Name = account.Chief, "Anna B" })
	if u.Version != 2 || u.Role != account.Chief || !u.UpdatedAt.Equal(w.clock.now()) {
		t.Errorf("user is %+v", u)
	}
	now, err := w.BySession(t.Context(), secret)
	if err != nil || !w.Policy().Can(now, account.DevicesWrite, account.Resource{}) || now.Name != "Anna B" {
		t.Errorf("after the change: %+v, %v", now, err)
	}
	w.change(t, "anna", func(c *account.UserChange) { c.Role = account.Viewer })
	now, err = w.Recheck(t.Context(), before)
	if err != nil || w.Policy().Can(now, account.RequestsAccept, account.Resource{}) {
		t.Errorf("what has gone on since before has: %+v, %v", now, err)
	}
}

func TestChangeUser_DisabledEndsEverything(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	ctx := t.Context()
	w.addUser(t, "anna", account.Admin)
	w.addUser(t, "bert", account.Admin)
	_, secret, anna := w.signIn(t, "anna")
	_, token, err := w.AddToken(ctx, anna, account.NewToken{Name: "prometheus", Role: account.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	w.change(t, "anna", func(c *account.UserChange) { c.Disabled = true })
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.ByToken(ctx, token)
	wantErr(t, err, fleet.ErrUnauthenticated)
	w.change(t, "anna", func(c *account.UserChange) { c.Disabled = false })
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated) // it has ended, not paused
	w.signIn(t, "anna")
}

func TestChangeUser_OneVersionWins(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	old := w.addUser(t, "anna", account.Crew)
	w.change(t, "anna", func(c *account.UserChange) { c.Name = "first" })
	_, err := w.tryChange(t.Context(), w.admin, old, func(c *account.UserChange) { c.Name = "second" })
	wantErr(t, err, fleet.ErrVersion)
	old.ID = "00000000-0000-7000-8000-000000000099"
	_, err = w.tryChange(t.Context(), w.admin, old, func(*account.UserChange) {})
	wantErr(t, err, fleet.ErrNotFound)
}

func TestUsers_NobodyGivesOrTakesMoreThanTheyHave(t *testing.T) {
	w := newWorld(t, account.ConsolePolicy(), nil)
	ctx := t.Context()
	olga := w.addUser(t, "olga", account.Owner)
	w.addUser(t, "otto", account.Owner)
	max := w.addUser(t, "max", account.Manager, "yacht-1")
	far := w.addUser(t, "far", account.Viewer, "yacht-2")
	// A policy in which managers may change people, as another may one day.
	deputy := account.Subject{Kind: account.KindUser, ID: string(max.ID), Role: account.Manager, Sites: max.Sites}
	w.Policy().Grant(t, account.Manager, account.UsersRead, account.UsersWrite)

	_, err := w.tryChange(ctx, deputy, olga, func(c *account.UserChange) { c.Disabled = true })
	wantErr(t, err, fleet.ErrForbidden)
	_, err = w.tryChange(ctx, deputy, max, func(c *account.UserChange) { c.Role, c.Sites = account.Owner, nil })
	wantErr(t, err, fleet.ErrForbidden)
	_, err = w.tryChange(ctx, deputy, max, func(c *account.UserChange) { c.Sites = []fleet.SiteID{account.AllSites} })
	wantErr(t, err, fleet.ErrForbidden)
	_, err = w.tryChange(ctx, deputy, far, func(c *account.UserChange) { c.Sites = []fleet.SiteID{"yacht-1"} })
	wantErr(t, err, fleet.ErrForbidden)
	wantErr(t, w.RemoveUser(ctx, deputy, olga.ID), fleet.ErrForbidden)
	wantErr(t, w.SetPassword(ctx, deputy, olga.ID, account.PasswordChange{New: "battery staple"}), fleet.ErrForbidden)
	_, err = w.tryChange(ctx, deputy, max, func(c *account.UserChange) { c.Role = account.Viewer })
	wantErr(t, err, nil)
}

func TestUsers_TheLastAdministratorStays(t *testing.T) {
	w := newWorld(t, account.HubPolicy(), nil)
	ctx := t.Context()
	anna := w.addUser(t, "anna", account.Admin)
	w.addUser(t, "carl", account.Admin)
	w.change(t, "carl", func(c *account.UserChange) { c.Disabled = true }) // does not count
	_, err := w.tryChange(ctx, w.admin, anna, func(c *account.UserChange) { c.Disabled = true })
	wantErr(t, err, fleet.ErrState)
	_, err = w.tryChange(ctx, w.admin, anna, func(c *account.UserChange) { c.Role = account.Chief })
	wantErr(t, err, fleet.ErrState)
	wantErr(t, w.RemoveUser(ctx, w.admin, anna.ID), fleet.ErrState)
	w.change(t, "anna", func(c *account.UserChange) { c.Name = "still one" })
	if err := w.RemoveUser(ctx, w.admin, w.user(t, "carl").ID); err != nil {
		t.Errorf("one who could not sign in: %v", err)
	}
	w.addUser(t, "bert", account.Admin)
	_, secret, _ := w.signIn(t, "anna")
	if err := w.RemoveUser(ctx, w.admin, anna.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.BySession(ctx, secret)
	wantErr(t, err, fleet.ErrUnauthenticated)
	_, err = w.User(ctx, w.admin, anna.ID)
	wantErr(t, err, fleet.ErrNotFound)
}

func TestUsers_AdministratorsWhoGoAtOnceDoNotAllGo(t *testing.T) {
	for range 20 {
		w := newWorld(t, account.HubPolicy(), nil)
		var all []account.User
		for _, name := range []string{"anna", "bert", "carl"} {
			all = append(all, w.addUser(t, name, account.Admin))
		}
		var refused atomic.Int32
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i, u := range all {
			wg.Go(func() {
				<-start
				var err error
				if i == 0 {
					err = w.RemoveUser(t.Context(), w.admin, u.ID)
				} else {
					_, err = w.tryChange(t.Context(), w.admin, u, func(c *account.UserChange) { c.Role = account.Crew })
				}
				if errors.Is(err, fleet.ErrState) {
					refused.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if refused.Load() != 1 {
			t.Fatalf("%d of 3 were refused, want 1", refused.Load())
		}
	}
}
