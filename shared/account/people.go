package account

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/obedio/obedio/shared/fleet"
)

// NewUser is what is asked for a new person. Name is the username if empty.
type NewUser struct {
	Username, Name, Password string
	Role                     Role
	Sites                    []fleet.SiteID
}

// AddUser adds a person. ErrForbidden, ErrInvalid, ErrExists.
func (a *Accounts) AddUser(ctx context.Context, by Subject, n NewUser) (User, error) {
	if err := a.may(by, UsersWrite); err != nil {
		return User{}, err
	}
	if !a.policy.Covers(by.Rights(), Rights{Role: n.Role, Sites: n.Sites}) {
		return User{}, fmt.Errorf("%w: role %s may not make a user with role %q on these sites",
			fleet.ErrForbidden, by.Role, n.Role)
	}
	u, err := a.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	if err := a.store.AddUser(noted(ctx, by, "user.added", u.Username, detail("role", string(u.Role))), u); err != nil {
		return User{}, fmt.Errorf("add user %s: %w", u.Username, err)
	}
	return u, nil
}

// newUser checks n and hashes the password.
func (a *Accounts) newUser(ctx context.Context, n NewUser) (User, error) {
	folded, err := FoldUsername(n.Username)
	if err != nil {
		return User{}, err
	}
	if n.Name == "" {
		n.Name = n.Username
	}
	if err := checkDisplayName(n.Name); err != nil {
		return User{}, err
	}
	if err := a.policy.checkRights(Rights{Role: n.Role, Sites: n.Sites}); err != nil {
		return User{}, err
	}
	if err := a.passwords.checkNew(n.Password, folded); err != nil {
		return User{}, err
	}
	hash, err := a.passwords.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	now := fleet.Millis(a.cfg.Now())
	return User{
		ID: fleet.NewUUID[UserID](now), Username: n.Username, Folded: folded, Name: n.Name,
		Role: n.Role, Sites: n.Sites, PasswordHash: hash, CreatedAt: now, UpdatedAt: now, Version: 1,
	}, nil
}

// User returns a person. ErrForbidden, ErrNotFound.
func (a *Accounts) User(ctx context.Context, by Subject, id UserID) (User, error) {
	if err := a.may(by, UsersRead); err != nil {
		return User{}, err
	}
	return a.find(ctx, id)
}

// UserByName returns the person with that username, however it is written.
// ErrForbidden, ErrInvalid, ErrNotFound.
func (a *Accounts) UserByName(ctx context.Context, by Subject, username string) (User, error) {
	if err := a.may(by, UsersRead); err != nil {
		return User{}, err
	}
	folded, err := FoldUsername(username)
	if err != nil {
		return User{}, err
	}
	u, err := a.store.UserByName(ctx, folded)
	if err != nil {
		return User{}, fmt.Errorf("find user %s: %w", username, err)
	}
	return u, nil
}

func (a *Accounts) find(ctx context.Context, id UserID) (User, error) {
	u, err := a.store.User(ctx, id)
	if err != nil {
		return User{}, fmt.Errorf("find user %s: %w", id, err)
	}
	return u, nil
}

// Users lists people by folded username after the given one.
func (a *Accounts) Users(ctx context.Context, by Subject, after string, limit int) ([]User, error) {
	if err := a.may(by, UsersRead); err != nil {
		return nil, err
	}
	us, err := a.store.Users(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return us, nil
}

// UserChange is what people may say of a person besides their secrets.
type UserChange struct {
	Name  string
	Role  Role
	Sites []fleet.SiteID
	// Disabled ends what was signed in, at once.
	Disabled bool
}

// ChangeUser replaces what c has of the person with that version. What they
// are signed in with has the new rights at once. Nobody changes somebody who
// has more than they, or gives more than they have; the last administrator
// stays one. ErrForbidden, ErrInvalid, ErrNotFound, ErrVersion, ErrState.
func (a *Accounts) ChangeUser(ctx context.Context, by Subject, id UserID, version uint64, c UserChange) (User, error) {
	if err := a.may(by, UsersWrite); err != nil {
		return User{}, err
	}
	a.people.Lock()
	defer a.people.Unlock()
	u, err := a.find(ctx, id)
	if err != nil {
		return User{}, err
	}
	rights := Rights{Role: c.Role, Sites: c.Sites}
	if err := a.checkChange(ctx, by, u, c.Name, rights, c.Disabled); err != nil {
		return User{}, err
	}
	u.Name, u.Role, u.Sites, u.Disabled = c.Name, c.Role, c.Sites, c.Disabled
	if u.Role != Crew {
		u.PINHash = ""
	}
	what := detail("role", string(u.Role))
	if u.Disabled {
		what["disabled"] = "true"
	}
	if u, err = a.replace(noted(ctx, by, "user.changed", u.Username, what), u, version); err != nil {
		return User{}, err
	}
	if u.Disabled {
		return u, a.endSessions(ctx, u, "")
	}
	return u, nil
}

// checkChange reports why u may not become what is asked for.
func (a *Accounts) checkChange(ctx context.Context, by Subject, u User, name string, rights Rights, disabled bool) error {
	if err := checkDisplayName(name); err != nil {
		return err
	}
	if err := a.policy.checkRights(rights); err != nil {
		return err
	}
	if !a.policy.Covers(by.Rights(), u.Rights()) || !a.policy.Covers(by.Rights(), rights) {
		return fmt.Errorf("%w: role %s may not change a user with role %s to role %s on these sites",
			fleet.ErrForbidden, by.Role, u.Role, rights.Role)
	}
	if u.External != nil && !u.Rights().Equal(rights) {
		return fmt.Errorf("%w: the role of %s comes from the identity provider at each sign-in", fleet.ErrState, u.Username)
	}
	if a.administers(u) && (disabled || rights.Role != a.policy.Administrator()) {
		return a.notLast(ctx, u.ID)
	}
	return nil
}

// RemoveUser removes a person with their sessions and tokens. ErrForbidden,
// ErrNotFound; ErrState for the last administrator.
func (a *Accounts) RemoveUser(ctx context.Context, by Subject, id UserID) error {
	if err := a.may(by, UsersWrite); err != nil {
		return err
	}
	a.people.Lock()
	defer a.people.Unlock()
	u, err := a.find(ctx, id)
	if err != nil {
		return err
	}
	if !a.policy.Covers(by.Rights(), u.Rights()) {
		return fmt.Errorf("%w: role %s may not remove a user with role %s on these sites", fleet.ErrForbidden, by.Role, u.Role)
	}
	if a.administers(u) {
		if err := a.notLast(ctx, u.ID); err != nil {
			return err
		}
	}
	if err := a.store.RemoveUser(noted(ctx, by, "user.removed", u.Username, nil), id); err != nil {
		return fmt.Errorf("remove user %s: %w", u.Username, err)
	}
	return nil
}

// PasswordChange is a new password. Current is the one until now, for whoever
// sets their own; From is as in SignIn.
type PasswordChange struct {
	Current, New string
	From         netip.Addr
}

// SetPassword gives a person a new password and ends all their sessions, but
// the one of whoever sets their own. One's own needs the current one; that of
// others, the right to change them. ErrForbidden (also for a wrong current
// one), a WaitError after too many of those, ErrInvalid, ErrNotFound.
func (a *Accounts) SetPassword(ctx context.Context, by Subject, id UserID, c PasswordChange) error {
	own := by.Kind == KindUser && by.ID == string(id)
	u, err := a.whosePassword(ctx, by, own, id)
	if err != nil {
		return err
	}
	if u.External != nil {
		return fmt.Errorf("%w: %s signs in at the identity provider", fleet.ErrState, u.Username)
	}
	if err := a.passwords.checkNew(c.New, u.Folded); err != nil {
		return err
	}
	if own {
		if err := a.confirm(ctx, u, c); err != nil {
			return err
		}
	}
	hash, err := a.passwords.hash(ctx, c.New)
	if err != nil {
		return err
	}
	// Confirming may have renewed the hash.
	if u, err = a.find(ctx, id); err != nil {
		return err
	}
	version := u.Version
	u.PasswordHash = hash
	if u, err = a.replace(noted(ctx, by, "user.password_set", u.Username, nil), u, version); err != nil {
		return err
	}
	if own {
		return a.endSessions(ctx, u, by.Session)
	}
	return a.endSessions(ctx, u, "")
}

// whosePassword returns the person whose password by may set.
func (a *Accounts) whosePassword(ctx context.Context, by Subject, own bool, id UserID) (User, error) {
	if own {
		return a.find(ctx, id)
	}
	if err := a.may(by, UsersWrite); err != nil {
		return User{}, err
	}
	u, err := a.find(ctx, id)
	if err != nil {
		return User{}, err
	}
	if !a.policy.Covers(by.Rights(), u.Rights()) {
		return User{}, fmt.Errorf("%w: role %s may not set the password of a user with role %s on these sites",
			fleet.ErrForbidden, by.Role, u.Role)
	}
	return u, nil
}

// confirm checks the current password, as a sign-in would.
func (a *Accounts) confirm(ctx context.Context, u User, c PasswordChange) error {
	try, err := a.limiter.begin(u.Folded, c.From)
	if err != nil {
		return err
	}
	_, ok, err := a.checkPassword(ctx, u.Folded, c.Current)
	if err != nil {
		try.undecided()
		return err
	}
	if !ok {
		return fmt.Errorf("%w: the current password is wrong", fleet.ErrForbidden)
	}
	try.succeeded()
	return nil
}

// replace stores u over the version that it was read at.
func (a *Accounts) replace(ctx context.Context, u User, version uint64) (User, error) {
	u.UpdatedAt = fleet.Millis(a.cfg.Now())
	u.Version = version + 1
	if err := a.store.ChangeUser(ctx, u, version); err != nil {
		return User{}, fmt.Errorf("change user %s: %w", u.Username, err)
	}
	return u, nil
}

// endSessions ends the sessions of u but the one named.
func (a *Accounts) endSessions(ctx context.Context, u User, but SessionID) error {
	if _, err := a.store.RemoveSessions(ctx, u.ID, but); err != nil {
		return fmt.Errorf("end sessions of %s: %w", u.Username, err)
	}
	return nil
}

// administers reports whether u can sign in and do everything.
// Those who depend on an identity provider do not count: it may be away.
func (a *Accounts) administers(u User) bool {
	return u.Role == a.policy.Administrator() && !u.Disabled && u.External == nil
}

// notLast reports as ErrState that no other administrator could sign in.
func (a *Accounts) notLast(ctx context.Context, but UserID) error {
	for after := ""; ; {
		us, err := a.store.Users(ctx, after, 100)
		if err != nil {
			return fmt.Errorf("look for another administrator: %w", err)
		}
		for _, u := range us {
			if a.administers(u) && u.ID != but {
				return nil
			}
			after = u.Folded
		}
		if len(us) < 100 {
			return fmt.Errorf("%w: nobody else could administer the %s", fleet.ErrState, a.policy.Program())
		}
	}
}
