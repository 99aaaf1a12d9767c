package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Config is what Accounts needs. Store and Policy are required; zero fields
// take the defaults.
type Config struct {
	Store  Store
	Policy *Policy
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// Log gets what a person may have to act on; discarded by default.
	Log *slog.Logger

	// Refused is told of each wrong password, PIN or setup code; may be nil. It
	// must be quick. username is empty unless there is such a person.
	Refused func(username string, from netip.Addr)

	Passwords PasswordConfig
	Limiter   LimiterConfig
	// PINLimiter is for PINs: by person and by tablet (in place of the address).
	// A PIN is short, so the waits for a person last up to 5 min and failures
	// are remembered for a day by default.
	PINLimiter LimiterConfig
	// SessionIdle ends a session that was not used for so long; 14 days by default.
	SessionIdle time.Duration
	// SessionMax ends every session so long after its sign-in; 90 days by default.
	SessionMax time.Duration
	// ExternalMax is SessionMax for who signs in at an identity provider, so that
	// what the provider says of them is asked anew; 24 h by default.
	ExternalMax time.Duration
	// PINIdle ends a session that was made with a PIN and not used for so long;
	// 12 h by default.
	PINIdle time.Duration
	// SessionsPerUser is how many sessions a person has at most; the one not
	// used for the longest time makes room. 32 by default.
	SessionsPerUser int
	// Tokens is how many API tokens there are at most; 1000 by default.
	Tokens int
}

// Accounts answers who somebody is and changes people, sessions and tokens.
// Safe for use from every goroutine.
type Accounts struct {
	cfg       Config
	store     Store
	policy    *Policy
	passwords *passwords
	limiter   *limiter
	// pinLimiter counts by user id and by tablet id.
	pinLimiter *limiter

	changes *listeners // also of store

	people sync.Mutex // one at a time changes who administers

	mu    sync.Mutex // guards setup
	setup string     // the setup code as printed; "" until SetupCode was asked
}

// New returns Accounts over the store; it reads nothing yet.
func New(c Config) (*Accounts, error) {
	if c.Store == nil || c.Policy == nil {
		return nil, fmt.Errorf("%w: accounts need a store and a policy", fleet.ErrInvalid)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SessionIdle <= 0 {
		c.SessionIdle = 14 * 24 * time.Hour
	}
	if c.SessionMax <= 0 {
		c.SessionMax = 90 * 24 * time.Hour
	}
	if c.ExternalMax <= 0 {
		c.ExternalMax = 24 * time.Hour
	}
	if c.PINIdle <= 0 {
		c.PINIdle = 12 * time.Hour
	}
	c.PINLimiter.LongestForName = cmp.Or(c.PINLimiter.LongestForName, 5*time.Minute)
	c.PINLimiter.Forget = cmp.Or(c.PINLimiter.Forget, 24*time.Hour)
	if c.SessionsPerUser <= 0 {
		c.SessionsPerUser = 32
	}
	if c.Tokens <= 0 {
		c.Tokens = 1000
	}
	changes := &listeners{}
	return &Accounts{
		cfg: c, store: telling{c.Store, changes}, changes: changes, policy: c.Policy,
		passwords: newPasswords(c.Passwords), limiter: newLimiter(c.Limiter, c.Now),
		pinLimiter: newLimiter(c.PINLimiter, c.Now),
	}, nil
}

// SessionLimits end sessions by time; zero fields change nothing. See Config.
type SessionLimits struct{ Idle, Max, PINIdle time.Duration }

// LimitSessions replaces the limits of Config. It is called before anything
// else is.
func (a *Accounts) LimitSessions(l SessionLimits) {
	a.cfg.SessionIdle = cmp.Or(l.Idle, a.cfg.SessionIdle)
	a.cfg.SessionMax = cmp.Or(l.Max, a.cfg.SessionMax)
	a.cfg.PINIdle = cmp.Or(l.PINIdle, a.cfg.PINIdle)
}

// Policy is the table that the accounts go by.
func (a *Accounts) Policy() *Policy { return a.policy }

// SessionMax is how long a session lasts at most.
func (a *Accounts) SessionMax() time.Duration { return a.cfg.SessionMax }

// most is how long a session of u lasts at most.
func (a *Accounts) most(u User) time.Duration {
	if u.External != nil {
		return min(a.cfg.SessionMax, a.cfg.ExternalMax)
	}
	return a.cfg.SessionMax
}

// Sweep removes sessions that have ended by time and says how many. Call it
// now and then; nothing depends on when.
func (a *Accounts) Sweep(ctx context.Context) (int, error) {
	now := a.cfg.Now()
	n, err := a.store.RemoveStaleSessions(ctx, now.Add(-a.cfg.SessionMax), now.Add(-a.cfg.SessionIdle))
	if err != nil {
		return n, fmt.Errorf("remove ended sessions: %w", err)
	}
	return n, nil
}

// may reports as ErrForbidden what by may not do.
func (a *Accounts) may(by Subject, action Action) error {
	if !a.policy.Can(by, action, Resource{}) {
		return fmt.Errorf("%w: role %s may not do %s", fleet.ErrForbidden, by.Role, action)
	}
	return nil
}

// missing says whether err is ErrNotFound.
func missing(err error) bool { return errors.Is(err, fleet.ErrNotFound) }
