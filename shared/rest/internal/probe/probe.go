// Package probe lets the walking test of package resttest ask a route's guard
// for its decision without running the handler. Only code of this program can
// put the mark into a context; no request carries it.
package probe

import "context"

type key struct{}

// Status is the answer to a probe that would have reached the handler.
const Status = 299

// With returns ctx with the mark.
func With(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// On reports whether ctx has the mark.
func On(ctx context.Context) bool { return ctx.Value(key{}) != nil }
