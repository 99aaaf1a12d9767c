package device

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"
)

// Chance returns a stream of chance that the seed and the names alone
// determine.
func Chance(seed uint64, names ...string) *rand.Rand {
	h := fnv.New64a()
	for _, n := range names {
		_, _ = h.Write([]byte(n))
		_, _ = h.Write([]byte{0})
	}
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Span is a range of durations: written "2s..8s", or "5s" for one value.
type Span struct{ Least, Most time.Duration }

// ParseSpan reads a Span.
func ParseSpan(s string) (Span, error) {
	least, most, two := strings.Cut(s, "..")
	a, err := time.ParseDuration(strings.TrimSpace(least))
	if err != nil {
		return Span{}, fmt.Errorf("span %q: want a duration such as 5s, or two such as 2s..8s", s)
	}
	b := a
	if two {
		if b, err = time.ParseDuration(strings.TrimSpace(most)); err != nil {
			return Span{}, fmt.Errorf("span %q: want two durations such as 2s..8s", s)
		}
	}
	if a < 0 || b < a {
		return Span{}, fmt.Errorf("span %q: want two durations from 0, the smaller one first", s)
	}
	return Span{a, b}, nil
}

// Draw picks a duration of the span.
func (s Span) Draw(r *rand.Rand) time.Duration {
	if s.Most <= s.Least {
		return s.Least
	}
	return s.Least + time.Duration(r.Int64N(int64(s.Most-s.Least)+1))
}

// String implements fmt.Stringer.
func (s Span) String() string {
	if s.Least == s.Most {
		return s.Least.String()
	}
	return s.Least.String() + ".." + s.Most.String()
}
