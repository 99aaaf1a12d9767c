package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// crockford is the alphabet of setup codes: without I, L, O and U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// SetupNeeded reports whether there is no user yet.
func (a *Accounts) SetupNeeded(ctx context.Context) (bool, error) {
	has, err := a.store.HasUsers(ctx)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return !has, nil
}

// SetupCode returns the code with which the first administrator is made, for
// the program to print. It is the same until the program ends and is kept in
// memory only. ErrState once there is a user.
func (a *Accounts) SetupCode(ctx context.Context) (string, error) {
	needed, err := a.SetupNeeded(ctx)
	if err != nil {
		return "", err
	}
	if !needed {
		return "", fmt.Errorf("%w: the first administrator exists", fleet.ErrState)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.setup == "" {
		a.setup = newSetupCode()
	}
	return a.setup, nil
}

// Setup makes the first administrator if code is the setup code. Of two at
// once one wins. Errors: ErrState when there is a user, ErrForbidden for a
// wrong code, a WaitError after too many of those, ErrInvalid.
func (a *Accounts) Setup(ctx context.Context, code string, n NewUser, from netip.Addr) (User, error) {
	needed, err := a.SetupNeeded(ctx)
	if err != nil {
		return User{}, err
	}
	if !needed {
		return User{}, fmt.Errorf("%w: the first administrator exists", fleet.ErrState)
	}
	try, err := a.limiter.begin("", from)
	if err != nil {
		return User{}, err
	}
	a.mu.Lock()
	want := a.setup
	a.mu.Unlock()
	if want == "" || subtle.ConstantTimeCompare([]byte(plainCode(code)), []byte(plainCode(want))) != 1 {
		a.refused("", from)
		return User{}, fmt.Errorf("%w: wrong setup code: the program prints it when it starts", fleet.ErrForbidden)
	}
	u, err := a.MakeFirst(ctx, n)
	try.undecided() // the code was right, whatever became of the rest
	return u, err
}

// MakeFirst makes the first administrator without a code: for whoever may
// read the data directory. ErrState when there is a user.
func (a *Accounts) MakeFirst(ctx context.Context, n NewUser) (User, error) {
	n.Role, n.Sites = a.policy.Administrator(), nil
	u, err := a.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	if err := a.store.AddFirstUser(noted(ctx, a.policy.Local(), "user.added", u.Username, detail("role", string(u.Role), "first", "true")), u); err != nil {
		return User{}, fmt.Errorf("add first user %s: %w", u.Username, err)
	}
	a.mu.Lock()
	a.setup = ""
	a.mu.Unlock()
	a.cfg.Log.Info("first administrator made", "user", u.ID, "username", u.Username)
	return u, nil
}

func newSetupCode() string {
	var b [12]byte
	rand.Read(b[:])
	var s strings.Builder
	for i, c := range b {
		if i > 0 && i%4 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(crockford[c%32])
	}
	return s.String()
}

// plainCode takes what people type: any case, with or without hyphens and
// spaces, and the letters that look like digits.
func plainCode(s string) string {
	if len(s) > 64 {
		return ""
	}
	return strings.NewReplacer("-", "", " ", "", "I", "1", "L", "1", "O", "0").Replace(strings.ToUpper(s))
}
