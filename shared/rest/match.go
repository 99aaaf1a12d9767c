package rest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// Match is what the header If-Match says.
type Match struct {
	// Any is "*": whatever is there.
	Any bool
	// Versions are those that the change may be based on.
	Versions []uint64
}

// ETag is the entity tag of a thing with that version.
func ETag(version uint64) string { return fmt.Sprintf(`"v%d"`, version) }

// Allows reports whether a thing with that version may be changed.
func (m Match) Allows(version uint64) bool { return m.Any || slices.Contains(m.Versions, version) }

// MatchOf is the If-Match of the request of ctx; ok is false on routes that
// do not ask for it.
func MatchOf(ctx context.Context) (m Match, ok bool) {
	if p := exchangeOf(ctx).match; p != nil {
		return *p, true
	}
	return Match{}, false
}

// CheckMatch reports as ErrVersion (412) that the thing, which has version
// now, is not what the request of ctx is based on.
func CheckMatch(ctx context.Context, version uint64) error {
	if m, ok := MatchOf(ctx); ok && !m.Allows(version) {
		return fmt.Errorf("%w: it is %s now", fleet.ErrVersion, ETag(version))
	}
	return nil
}

// parseMatch reads If-Match. Tags that are not ours match nothing, as do weak
// ones (RFC 9110, 13.1.1).
func parseMatch(headers []string) (*Match, error) {
	h := strings.TrimSpace(strings.Join(headers, ","))
	if h == "" {
		return nil, NewProblem(TypeNeedsMatch, "send If-Match with the ETag of what the change is based on")
	}
	if h == "*" {
		return &Match{Any: true}, nil
	}
	m := &Match{}
	for tag := range strings.SplitSeq(h, ",") {
		n, ok := strings.CutPrefix(strings.TrimSpace(tag), `"v`)
		if !ok || !strings.HasSuffix(n, `"`) {
			continue
		}
		if v, err := strconv.ParseUint(strings.TrimSuffix(n, `"`), 10, 64); err == nil {
			m.Versions = append(m.Versions, v)
		}
	}
	return m, nil
}
