package rest

import "context"

// ProblemOf returns err as the problem that a client would be told, for answers
// that go another way than HTTP.
func ProblemOf(err error) *Problem { return problemOf(err, false) }

// From is the address that the request of ctx comes from; empty for a Unix
// socket.
func From(ctx context.Context) string {
	if from := exchangeOf(ctx).from; from.IsValid() {
		return from.Unmap().String()
	}
	return ""
}

// Private reports whether nobody on the way can read the answer to the request of
// ctx: it goes over TLS, or does not leave the machine.
func Private(ctx context.Context) bool {
	x := exchangeOf(ctx)
	return x.secure || !x.from.IsValid() || x.from.IsLoopback()
}
