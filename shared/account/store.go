package account

import (
	"context"
	"time"
)

// Store keeps users, sessions and tokens. Every method is one transaction
// that is durable when it returns nil, and may be called from any goroutine.
// Errors are those of package fleet that a method names, or wrap others.
//
// Lists are sorted by the key that the method names, in byte order, begin
// after the given key, and have at most limit entries (limit > 0).
type Store interface {
	// HasUsers reports whether there is any user.
	HasUsers(ctx context.Context) (bool, error)
	// AddFirstUser stores u if there is no user at all: ErrState otherwise.
	// Of two that race, one wins.
	AddFirstUser(ctx context.Context, u User) error
	// AddUser stores u; ErrExists if its ID, its Folded or its External is taken.
	AddUser(ctx context.Context, u User) error
	// ChangeUser replaces the user u.ID if the stored one has version;
	// ErrNotFound, ErrVersion, or ErrExists if u.Folded is another's. External
	// does not change.
	ChangeUser(ctx context.Context, u User, version uint64) error
	// RemoveUser removes the user with all their sessions and tokens; ErrNotFound.
	RemoveUser(ctx context.Context, id UserID) error
	// User returns the user; ErrNotFound.
	User(ctx context.Context, id UserID) (User, error)
	// UserByName returns the user whose Folded is folded; ErrNotFound.
	UserByName(ctx context.Context, folded string) (User, error)
	// UserByExternal returns the user whose External is e; ErrNotFound.
	UserByExternal(ctx context.Context, e External) (User, error)
	// Users lists users by Folded.
	Users(ctx context.Context, after string, limit int) ([]User, error)

	// AddSession stores s; ErrExists if its ID or Hash is taken.
	AddSession(ctx context.Context, s Session) error
	// SessionByHash returns the session; ErrNotFound.
	SessionByHash(ctx context.Context, hash SecretHash) (Session, error)
	// Session returns the session; ErrNotFound.
	Session(ctx context.Context, id SessionID) (Session, error)
	// SeeSession sets SeenAt if the session is there and seen is later;
	// ErrNotFound. It must not bring back a session that was removed. It need
	// not be durable at once.
	SeeSession(ctx context.Context, id SessionID, seen time.Time) error
	// Sessions lists sessions by ID: those of user, or of all for "".
	Sessions(ctx context.Context, user UserID, after SessionID, limit int) ([]Session, error)
	// RemoveSession removes the session; ErrNotFound.
	RemoveSession(ctx context.Context, id SessionID) error
	// RemoveSessions removes the sessions of user but the one named (which may
	// be ""), and says how many.
	RemoveSessions(ctx context.Context, user UserID, but SessionID) (int, error)
	// RemoveStaleSessions removes sessions with CreatedAt before created or
	// SeenAt before seen, and says how many.
	RemoveStaleSessions(ctx context.Context, created, seen time.Time) (int, error)

	// AddToken stores t; ErrExists if its ID or Hash is taken.
	AddToken(ctx context.Context, t Token) error
	// TokenByHash returns the token; ErrNotFound.
	TokenByHash(ctx context.Context, hash SecretHash) (Token, error)
	// Token returns the token; ErrNotFound.
	Token(ctx context.Context, id TokenID) (Token, error)
	// UseToken sets UsedAt as SeeSession sets SeenAt.
	UseToken(ctx context.Context, id TokenID, used time.Time) error
	// Tokens lists tokens by ID.
	Tokens(ctx context.Context, after TokenID, limit int) ([]Token, error)
	// RemoveToken removes the token; ErrNotFound.
	RemoveToken(ctx context.Context, id TokenID) error

	// AddTablet stores t; ErrExists if its ID or Hash is taken.
	AddTablet(ctx context.Context, t Tablet) error
	// TabletByHash returns the tablet; ErrNotFound.
	TabletByHash(ctx context.Context, hash SecretHash) (Tablet, error)
	// Tablet returns the tablet; ErrNotFound.
	Tablet(ctx context.Context, id TabletID) (Tablet, error)
	// UseTablet sets UsedAt as SeeSession sets SeenAt.
	UseTablet(ctx context.Context, id TabletID, used time.Time) error
	// Tablets lists tablets by ID.
	Tablets(ctx context.Context, after TabletID, limit int) ([]Tablet, error)
	// RemoveTablet removes the tablet with the sessions that were made on it;
	// ErrNotFound.
	RemoveTablet(ctx context.Context, id TabletID) error
}
