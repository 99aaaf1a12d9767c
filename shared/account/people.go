package account

import (
	"context"
	"fmt"

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
	if !a.policy.Covers(by.Role, by.Sites, n.Role, n.Sites) {
		return User{}, fmt.Errorf("%w: role %s may not make a user with role %q on these sites",
			fleet.ErrForbidden, by.Role, n.Role)
	}
	u, err := a.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	if err := a.store.AddUser(ctx, u); err != nil {
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
	if _, err := a.policy.ParseRole(string(n.Role)); err != nil {
		return User{}, err
	}
	if err := a.policy.CheckSites(n.Role, n.Sites); err != nil {
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

// SetPassword gives the person with that username a new password and ends all
// their sessions but the one of by itself. People may set their own.
func (a *Accounts) SetPassword(ctx context.Context, by Subject, username, password string) error {
	folded, err := FoldUsername(username)
	if err != nil {
		return err
	}
	u, err := a.store.UserByName(ctx, folded)
	if err != nil {
		return fmt.Errorf("find user %s: %w", username, err)
	}
	if by.Kind != KindUser || by.ID != string(u.ID) {
		if err := a.may(by, UsersWrite); err != nil {
			return err
		}
	}
	if err := a.passwords.checkNew(password, folded); err != nil {
		return err
	}
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	version := u.Version
	u.PasswordHash, u.UpdatedAt = hash, fleet.Millis(a.cfg.Now())
	u.Version++
	if err := a.store.ChangeUser(ctx, u, version); err != nil {
		return fmt.Errorf("set password of %s: %w", username, err)
	}
	keep := SessionID("")
	if by.Kind == KindUser && by.ID == string(u.ID) {
		keep = by.Session
	}
	if _, err := a.store.RemoveSessions(ctx, u.ID, keep); err != nil {
		return fmt.Errorf("end sessions of %s: %w", username, err)
	}
	return nil
}

// DisableUser switches a person off or on again. What was signed in ends at
// once. The last administrator cannot be switched off.
func (a *Accounts) DisableUser(ctx context.Context, by Subject, username string, disabled bool) error {
	if err := a.may(by, UsersWrite); err != nil {
		return err
	}
	folded, err := FoldUsername(username)
	if err != nil {
		return err
	}
	u, err := a.store.UserByName(ctx, folded)
	if err != nil {
		return fmt.Errorf("find user %s: %w", username, err)
	}
	if u.Disabled == disabled {
		return nil
	}
	if disabled && u.Role == a.policy.Administrator() {
		if err := a.notLast(ctx, u.ID); err != nil {
			return err
		}
	}
	version := u.Version
	u.Disabled, u.UpdatedAt = disabled, fleet.Millis(a.cfg.Now())
	u.Version++
	if err := a.store.ChangeUser(ctx, u, version); err != nil {
		return fmt.Errorf("change user %s: %w", username, err)
	}
	if disabled {
		if _, err := a.store.RemoveSessions(ctx, u.ID, ""); err != nil {
			return fmt.Errorf("end sessions of %s: %w", username, err)
		}
	}
	return nil
}

// notLast reports as ErrState that no other administrator could sign in.
func (a *Accounts) notLast(ctx context.Context, but UserID) error {
	for after := ""; ; {
		us, err := a.store.Users(ctx, after, 100)
		if err != nil {
			return fmt.Errorf("look for another administrator: %w", err)
		}
		for _, u := range us {
			if u.Role == a.policy.Administrator() && !u.Disabled && u.ID != but {
				return nil
			}
			after = u.Folded
		}
		if len(us) < 100 {
			return fmt.Errorf("%w: nobody else could administer the %s", fleet.ErrState, a.policy.Program())
		}
	}
}
