package fleet

import (
	"errors"
	"fmt"
)

// What a caller may decide on. Everything else is wrapped with the verb and
// the subject of what failed.
var (
	// ErrInvalid: the value breaks a rule of its kind.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound: nothing has that name.
	ErrNotFound = errors.New("not found")
	// ErrExists: something has that name already.
	ErrExists = errors.New("already exists")
	// ErrVersion: the thing has changed since the caller saw it.
	ErrVersion = errors.New("version has changed")
	// ErrState: the step does not lead out of the state that the thing is in.
	ErrState = errors.New("not possible in this state")
	// ErrExpired: its time to live is over.
	ErrExpired = errors.New("expired")
	// ErrForbidden: the actor may not do that.
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthenticated: nobody knows who the actor is.
	ErrUnauthenticated = errors.New("not signed in")
	// ErrLimit: a limit that somebody set is reached.
	ErrLimit = errors.New("limit reached")
	// ErrFull: the disk has no room for it. It is an ErrLimit too.
	ErrFull = fmt.Errorf("%w: the disk is full", ErrLimit)
	// ErrUnavailable: what is needed for an answer is away for now.
	ErrUnavailable = errors.New("unavailable")
)
