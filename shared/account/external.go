package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// External names a person at an identity provider, for ever.
type External struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Key is a short name of e that is as unique.
func (e External) Key() string {
	sum := sha256.Sum256([]byte(e.Issuer + "\x00" + e.Subject))
	return hex.EncodeToString(sum[:])
}

// ExternalSignIn is what an identity provider vouches for.
type ExternalSignIn struct {
	External
	// Usernames are what the provider calls the person, the best first. They
	// make the username of somebody who comes for the first time, if it can be
	// one and is free: they never lead to a person who is here already.
	Usernames []string
	// Name is what others read, of somebody who comes for the first time.
	Name string
	// Rights are those that the provider's word comes to; they replace the ones
	// until now.
	Rights
	// From, Agent and Previous are as in SignIn.
	From            netip.Addr
	Agent, Previous string
}

// SignInExternal makes a new session of a person for whom an identity provider
// vouches. ErrForbidden for who is disabled, ErrInvalid for rights that cannot
// be.
func (a *Accounts) SignInExternal(ctx context.Context, in ExternalSignIn) (Session, string, Subject, error) {
	if in.Issuer == "" || in.Subject == "" {
		return Session{}, "", Subject{}, fmt.Errorf("%w: an external sign-in needs issuer and subject", fleet.ErrInvalid)
	}
	if err := a.policy.checkRights(in.Rights); err != nil {
		return Session{}, "", Subject{}, err
	}
	u, err := a.externalUser(ctx, in)
	if err != nil {
		return Session{}, "", Subject{}, err
	}
	return a.open(ctx, u, Session{Agent: in.Agent}, in.From, in.Previous)
}

// externalUser returns the person of in with the rights of in.
func (a *Accounts) externalUser(ctx context.Context, in ExternalSignIn) (User, error) {
	a.people.Lock()
	defer a.people.Unlock()
	u, err := a.store.UserByExternal(ctx, in.External)
	switch {
	case missing(err):
		return a.addExternal(ctx, in)
	case err != nil:
		return User{}, fmt.Errorf("find external user: %w", err)
	case u.Disabled:
		return User{}, fmt.Errorf("%w: %s is disabled here", fleet.ErrForbidden, u.Username)
	case u.Rights().Equal(in.Rights):
		return u, nil
	}
	u.Role, u.Sites = in.Role, in.Sites
	return a.replace(ctx, u, u.Version)
}

// addExternal adds somebody who comes for the first time.
func (a *Accounts) addExternal(ctx context.Context, in ExternalSignIn) (User, error) {
	now := fleet.Millis(a.cfg.Now())
	u := User{
		ID: fleet.NewUUID[UserID](now), External: &in.External, Role: in.Role, Sites: in.Sites,
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	// The last one is free: nobody else has the key.
	for _, name := range append(slices.Clone(in.Usernames), "external-"+in.Key()[:32]) {
		folded, err := FoldUsername(name)
		if err != nil {
			continue
		}
		u.Username, u.Folded, u.Name = name, folded, displayName(in.Name, name)
		added := noted(ctx, a.policy.Local(), "user.added", u.Username, detail("role", string(u.Role), "issuer", in.Issuer))
		if err = a.store.AddUser(added, u); err == nil {
			a.cfg.Log.Info("external user added", "user", u.ID, "username", u.Username, "role", u.Role)
			return u, nil
		} else if !errors.Is(err, fleet.ErrExists) {
			return User{}, fmt.Errorf("add external user: %w", err)
		}
	}
	return User{}, fmt.Errorf("add external user: %w: no username is free", fleet.ErrExists)
}

// displayName is name as far as it can be shown, or else username.
func displayName(name, username string) string {
	if name = strings.TrimSpace(cut(name, 128)); checkDisplayName(name) != nil {
		return username
	}
	return name
}

// RefuseExternal ends what is signed in of a person to whom the identity
// provider gives no role any more.
func (a *Accounts) RefuseExternal(ctx context.Context, e External) error {
	u, err := a.store.UserByExternal(ctx, e)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find external user: %w", err)
	}
	return a.endSessions(ctx, u, "")
}
