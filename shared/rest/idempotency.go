package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// IdempotencyKey is a key as one subject has used it: another's equal key is
// another key.
type IdempotencyKey struct {
	Subject, Key string
}

// Answer is a finished answer, to be given again.
type Answer struct {
	Status int
	// Header has the headers that belong to the answer: Content-Type, Location, ETag.
	Header map[string]string
	Body   []byte
}

// What Claim says of a key that is taken.
var (
	// ErrInProgress: the first request with the key has no answer yet.
	ErrInProgress = errors.New("the same request is being worked on")
	// ErrKeyReused: the key was used for another request.
	ErrKeyReused = errors.New("idempotency key was used for another request")
)

// IdempotencyStore remembers the answers to requests with an Idempotency-Key,
// within bounds of number, size and age that it states. It is safe for use
// from every goroutine.
type IdempotencyStore interface {
	// Claim takes the key for a request with that fingerprint. A nil answer
	// means that the caller has it and calls Finish or Release. Otherwise it is
	// the answer that was given, or ErrInProgress, ErrKeyReused, or
	// fleet.ErrUnavailable when no more keys can be remembered.
	Claim(ctx context.Context, k IdempotencyKey, fingerprint [32]byte) (*Answer, error)
	// Finish keeps the answer.
	Finish(ctx context.Context, k IdempotencyKey, a Answer) error
	// Release gives the key back: nothing was done.
	Release(ctx context.Context, k IdempotencyKey) error
}

// maxKeptAnswer is the greatest body of an answer that is kept, in bytes.
const maxKeptAnswer = 64 << 10

// keptHeaders belong to an answer and are given again with it.
var keptHeaders = []string{"Content-Type", "Location", "ETag"}

// once runs the handler unless the request was answered before.
func (a *API) once(c *gin.Context, route *Route, x *exchange, body []byte) {
	ctx := c.Request.Context()
	key := c.GetHeader("Idempotency-Key")
	if len(key) > 128 || strings.IndexFunc(key, func(r rune) bool { return r < '!' || r > '~' }) >= 0 {
		a.Fail(c, fmt.Errorf("idempotency key %w: want 1 to 128 printable ASCII characters without spaces", ErrSyntax))
		return
	}
	k := IdempotencyKey{Subject: x.subject.Key(), Key: key}
	x.once = Once{k, fingerprint(c.Request, body)}
	answer, err := a.cfg.Idempotency.Claim(ctx, k, x.once.Fingerprint)
	switch {
	case errors.Is(err, ErrInProgress):
		a.Fail(c, NewProblem(TypeBusy, "the first request with this idempotency key has no answer yet").With("Retry-After", "1"))
		return
	case errors.Is(err, ErrKeyReused):
		a.Fail(c, NewProblem(TypeKeyReused, "take a new key for each piece of work"))
		return
	case err != nil:
		a.Fail(c, fmt.Errorf("claim idempotency key: %w", err))
		return
	case answer != nil:
		giveAgain(c, answer)
		return
	}

	x.out.copy, x.out.copyMax = &bytes.Buffer{}, maxKeptAnswer
	done := false
	defer func() {
		// Also after a panic, and although the client may have gone.
		a.closeKey(context.WithoutCancel(ctx), k, x, done)
	}()
	c.Next()
	done = true
}

// closeKey keeps the answer if the work was done or refused for a reason that
// will not change by itself, and gives the key back otherwise.
func (a *API) closeKey(ctx context.Context, k IdempotencyKey, x *exchange, done bool) {
	out := x.out
	var err error
	if done && final(out.status()) {
		keep := Answer{Status: out.status(), Header: map[string]string{}}
		for _, h := range keptHeaders {
			if v := out.Header().Get(h); v != "" {
				keep.Header[h] = v
			}
		}
		if !out.tooLong {
			keep.Body = bytes.Clone(out.copy.Bytes())
		}
		err = a.cfg.Idempotency.Finish(ctx, k, keep)
	} else {
		err = a.cfg.Idempotency.Release(ctx, k)
	}
	if err != nil {
		a.cfg.Log.Error("idempotency key not closed", "err", err, "route", x.routeKey(), "request_id", x.id)
	}
}

func final(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 200 && status < 500
}

func giveAgain(c *gin.Context, a *Answer) {
	for name, v := range a.Header {
		c.Header(name, v)
	}
	c.Header("Idempotent-Replayed", "true")
	c.Status(a.Status)
	c.Writer.WriteHeaderNow()
	_, _ = c.Writer.Write(a.Body) // the client's loss
	c.Abort()
}

// fingerprint tells requests apart: method, path, query, and body, each with
// its length so that none can run into the next.
func fingerprint(r *http.Request, body []byte) [32]byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), body} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return [32]byte(h.Sum(nil))
}
