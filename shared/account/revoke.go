package account

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/shared/fleet"
)

// Sessions lists sessions by id after the given one: all of them for whoever
// may see those of others and asks for it, else those of by itself.
func (a *Accounts) Sessions(ctx context.Context, by Subject, all bool, after SessionID, limit int) ([]Session, error) {
	var user UserID
	if all {
		if err := a.may(by, SessionsOfOthers); err != nil {
			return nil, err
		}
	} else {
		if by.Kind != KindUser {
			return nil, nil // only people have sessions
		}
		user = UserID(by.ID)
	}
	ss, err := a.store.Sessions(ctx, user, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return ss, nil
}

// EndSession ends one's own session, or another's for whoever may.
// ErrNotFound for one that by may not see.
func (a *Accounts) EndSession(ctx context.Context, by Subject, id SessionID) error {
	s, err := a.store.Session(ctx, id)
	if err != nil {
		return fmt.Errorf("find session %s: %w", id, err)
	}
	own := by.Kind == KindUser && string(s.User) == by.ID
	if !own && !a.policy.Can(by, SessionsOfOthers, Resource{}) {
		return fmt.Errorf("find session %s: %w", id, fleet.ErrNotFound)
	}
	if err := a.store.RemoveSession(noted(ctx, by, "session.ended", string(id), detail("user_id", string(s.User))), id); err != nil {
		return fmt.Errorf("end session %s: %w", id, err)
	}
	return nil
}
