package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/obedio/obedio/shared/fleet"
)

// SignIn is what a person brings to sign in.
type SignIn struct {
	Username, Password string
	// From is where the request came from; not valid for a Unix socket.
	From netip.Addr
	// Agent is the browser's own word; cut to 200 bytes.
	Agent string
	// Previous is the secret of the session that the browser brought, if any:
	// it ends, whoever's it is, and is never taken over.
	Previous string
}

// touchEvery is how old SeenAt and UsedAt may be, so that reading does not
// make the store write.
const touchEvery = time.Minute

// SignIn makes a new session. The secret goes into the cookie and is not kept.
// Errors: ErrUnauthenticated, the same for every reason and after the same
// work; a WaitError after too many failures.
func (a *Accounts) SignIn(ctx context.Context, in SignIn) (Session, string, Subject, error) {
	no := fmt.Errorf("%w: wrong username or password", fleet.ErrUnauthenticated)
	// A name that cannot be a username is looked up nowhere but costs the same.
	folded, _ := FoldUsername(in.Username)
	try, err := a.limiter.begin(folded, in.From)
	if err != nil {
		return Session{}, "", Subject{}, err
	}
	u, ok, err := a.checkPassword(ctx, folded, in.Password)
	if err != nil {
		try.undecided()
		return Session{}, "", Subject{}, err
	}
	if !ok {
		a.refused(u.Username, in.From)
		return Session{}, "", Subject{}, no
	}
	try.succeeded()

	return a.open(ctx, u, Session{Agent: in.Agent}, in.From, in.Previous)
}

// open makes a new session of u, who has just shown a secret; s has what is
// known of it. The session that the browser brought ends.
func (a *Accounts) open(ctx context.Context, u User, s Session, from netip.Addr, previous string) (Session, string, Subject, error) {
	now := fleet.Millis(a.cfg.Now())
	secret := newSecret()
	s.ID, s.Hash, s.User, s.CreatedAt, s.SeenAt, s.Agent = fleet.NewUUID[SessionID](now), HashSecret(secret), u.ID, now, now, cut(s.Agent, 200)
	if from.IsValid() {
		s.Address = from.Unmap().String()
	}
	if err := a.makeRoom(ctx, u.ID); err != nil {
		return Session{}, "", Subject{}, err
	}
	opened := noted(ctx, u.subject(s, a.most(u)), "session.opened", u.Username, detail("address", s.Address, "tablet_id", string(s.Tablet)))
	if err := a.store.AddSession(opened, s); err != nil {
		return Session{}, "", Subject{}, fmt.Errorf("add session of %s: %w", u.Username, err)
	}
	// A secret that was changed after it was checked opens nothing: whoever
	// changes it ends the sessions that are there by then.
	if now, err := a.store.User(ctx, u.ID); err != nil || now.PasswordHash != u.PasswordHash || now.PINHash != u.PINHash {
		if err == nil || missing(err) {
			err = fmt.Errorf("%w: the secret was changed meanwhile", fleet.ErrUnauthenticated)
		}
		return Session{}, "", Subject{}, errors.Join(err, a.store.RemoveSession(ctx, s.ID))
	}
	if plausibleSession(previous) {
		if old, err := a.store.SessionByHash(ctx, HashSecret(previous)); err == nil {
			if err := a.store.RemoveSession(ctx, old.ID); err != nil && !missing(err) {
				return Session{}, "", Subject{}, fmt.Errorf("end previous session: %w", err)
			}
		}
	}
	return s, secret, u.subject(s, a.most(u)), nil
}

// checkPassword does the same work whether the user exists or not. Of one whose
// password is wrong it tells the name only.
func (a *Accounts) checkPassword(ctx context.Context, folded, password string) (User, bool, error) {
	hash, known := a.passwords.dummy, false
	var u User
	if folded != "" {
		var err error
		u, err = a.store.UserByName(ctx, folded)
		switch {
		case err == nil && u.PasswordHash != "":
			hash, known = u.PasswordHash, true
		case err == nil: // signs in at an identity provider
		case !missing(err):
			return User{}, false, fmt.Errorf("find user: %w", err)
		}
	}
	if len(password) > maxPassword {
		password, known = password[:maxPassword], false
	}
	ok, renew, err := a.passwords.check(ctx, password, hash)
	if err != nil {
		return User{}, false, err
	}
	if !ok || !known || u.Disabled {
		return User{Username: u.Username}, false, nil
	}
	if renew {
		u = a.renewHash(ctx, u, password)
	}
	return u, true, nil
}

// renewHash stores the password under today's parameters. It may fail: the
// old hash is good still, and the next sign-in tries again.
func (a *Accounts) renewHash(ctx context.Context, u User, password string) User {
	renewed := u
	hash, err := a.passwords.hash(ctx, password)
	if err == nil {
		renewed.PasswordHash = hash
		renewed.Version++
		err = a.store.ChangeUser(ctx, renewed, u.Version)
	}
	if err != nil {
		a.cfg.Log.Warn("password hash not renewed", "user", u.ID, "err", err)
		return u
	}
	return renewed
}

// makeRoom ends the sessions of user that were not used for the longest time,
// so that one more is within the limit.
func (a *Accounts) makeRoom(ctx context.Context, user UserID) error {
	all, err := a.store.Sessions(ctx, user, "", 10*a.cfg.SessionsPerUser)
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	over := len(all) + 1 - a.cfg.SessionsPerUser
	if over <= 0 {
		return nil
	}
	slices.SortStableFunc(all, func(x, y Session) int { return x.SeenAt.Compare(y.SeenAt) })
	for _, s := range all[:over] {
		if err := a.store.RemoveSession(ctx, s.ID); err != nil && !missing(err) {
			return fmt.Errorf("end session: %w", err)
		}
	}
	return nil
}

// BySession returns whose session the secret opens. ErrUnauthenticated when
// it opens none.
func (a *Accounts) BySession(ctx context.Context, secret string) (Subject, error) {
	no := fmt.Errorf("%w: the session has ended", fleet.ErrUnauthenticated)
	if !plausibleSession(secret) {
		return Subject{}, no
	}
	s, err := a.store.SessionByHash(ctx, HashSecret(secret))
	if missing(err) {
		return Subject{}, no
	}
	if err != nil {
		return Subject{}, fmt.Errorf("find session: %w", err)
	}
	sub, err := a.standing(ctx, s)
	if err != nil {
		return Subject{}, err
	}
	if now := fleet.Millis(a.cfg.Now()); now.Sub(s.SeenAt) >= touchEvery {
		if err := a.store.SeeSession(ctx, s.ID, now); missing(err) {
			return Subject{}, no // removed meanwhile
		} else if err != nil {
			return Subject{}, fmt.Errorf("note use of session: %w", err)
		}
	}
	return sub, nil
}

// standing returns the subject of s if it has not ended.
func (a *Accounts) standing(ctx context.Context, s Session) (Subject, error) {
	ended := fmt.Errorf("%w: the session has ended", fleet.ErrUnauthenticated)
	now, idle := a.cfg.Now(), a.cfg.SessionIdle
	if s.Tablet != "" {
		idle = min(idle, a.cfg.PINIdle)
	}
	if now.Sub(s.SeenAt) >= idle {
		return Subject{}, ended
	}
	u, err := a.store.User(ctx, s.User)
	if missing(err) || err == nil && (u.Disabled || now.Sub(s.CreatedAt) >= a.most(u)) {
		return Subject{}, ended
	}
	if err != nil {
		return Subject{}, fmt.Errorf("find user: %w", err)
	}
	if s.Tablet != "" {
		// Also for a session that was being made while the tablet was revoked.
		switch _, err := a.store.Tablet(ctx, s.Tablet); {
		case missing(err) || err == nil && u.Role != Crew:
			return Subject{}, ended
		case err != nil:
			return Subject{}, fmt.Errorf("find tablet: %w", err)
		}
	}
	return u.subject(s, a.most(u)), nil
}

// ByToken returns whose API token the secret is. ErrUnauthenticated when it
// is nobody's, has expired, or belongs to a person who may less by now.
func (a *Accounts) ByToken(ctx context.Context, secret string) (Subject, error) {
	no := fmt.Errorf("%w: the token is not valid", fleet.ErrUnauthenticated)
	if !plausibleToken(secret) {
		return Subject{}, no
	}
	t, err := a.store.TokenByHash(ctx, HashSecret(secret))
	if missing(err) {
		return Subject{}, no
	}
	if err != nil {
		return Subject{}, fmt.Errorf("find token: %w", err)
	}
	sub, err := a.valid(ctx, t)
	if err != nil {
		return Subject{}, err
	}
	if now := fleet.Millis(a.cfg.Now()); now.Sub(t.UsedAt) >= touchEvery {
		if err := a.store.UseToken(ctx, t.ID, now); missing(err) {
			return Subject{}, no
		} else if err != nil {
			return Subject{}, fmt.Errorf("note use of token: %w", err)
		}
	}
	return sub, nil
}

// valid returns the subject of t if it stands.
func (a *Accounts) valid(ctx context.Context, t Token) (Subject, error) {
	no := fmt.Errorf("%w: the token is not valid", fleet.ErrUnauthenticated)
	if !t.ExpiresAt.IsZero() && !a.cfg.Now().Before(t.ExpiresAt) {
		return Subject{}, no
	}
	if t.Person != "" {
		u, err := a.store.User(ctx, t.Person)
		if missing(err) {
			return Subject{}, no
		}
		if err != nil {
			return Subject{}, fmt.Errorf("find owner of token: %w", err)
		}
		if u.Disabled || !a.policy.Covers(u.Rights(), t.Rights()) {
			return Subject{}, no
		}
	}
	return t.subject(), nil
}

// Recheck returns s as it stands now: for what lasts longer than a call, such
// as a stream. ErrUnauthenticated when it has ended.
func (a *Accounts) Recheck(ctx context.Context, s Subject) (Subject, error) {
	switch s.Kind {
	case KindLocal:
		return s, nil
	case KindUser:
		ses, err := a.store.Session(ctx, s.Session)
		if err == nil {
			return a.standing(ctx, ses)
		}
		if !missing(err) {
			return Subject{}, fmt.Errorf("find session: %w", err)
		}
	case KindToken:
		t, err := a.store.Token(ctx, TokenID(s.ID))
		if err == nil {
			return a.valid(ctx, t)
		}
		if !missing(err) {
			return Subject{}, fmt.Errorf("find token: %w", err)
		}
	case KindNone:
	}
	return Subject{}, fmt.Errorf("%w: what was signed in has ended", fleet.ErrUnauthenticated)
}

// cut shortens s to at most n bytes of whole, printable runes.
func cut(s string, n int) string {
	out := make([]byte, 0, min(len(s), n))
	for _, r := range s {
		if r == utf8.RuneError || r < ' ' || r == 0x7f {
			continue
		}
		if len(out)+utf8.RuneLen(r) > n {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
