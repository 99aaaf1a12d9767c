package account

import (
	"context"
	"net/netip"

	"github.com/obedio/obedio/shared/fleet"
)

// Note is what the audit is to be told of a change. The store writes it in the
// transaction of the change (see NoteOf), so that there is neither without the
// other.
type Note struct {
	By     fleet.Actor
	Action string // noun.verb
	Target string
	Detail map[string]string
}

type noteKey struct{}

// noted returns a context for the one call of the store that makes the change.
func noted(ctx context.Context, by Subject, action, target string, detail map[string]string) context.Context {
	return context.WithValue(ctx, noteKey{}, Note{By: by.Actor(), Action: action, Target: target, Detail: detail})
}

// NoteOf returns the note of a change; false for what is no matter of the audit,
// such as that a session was used.
func NoteOf(ctx context.Context) (Note, bool) {
	n, ok := ctx.Value(noteKey{}).(Note)
	return n, ok
}

// detail is a map of those of the pairs whose value is not empty.
func detail(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			m[pairs[i]] = pairs[i+1]
		}
	}
	return m
}

// refused tells that somebody has shown a wrong secret. username is that of a
// person that there is, or empty: people type passwords there.
func (a *Accounts) refused(username string, from netip.Addr) {
	if a.cfg.Refused != nil {
		a.cfg.Refused(username, from)
	}
}
