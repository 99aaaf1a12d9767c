// Package wire translates between fleet's values and the messages of the
// contract in proto/, and does nothing else. What it decodes has been checked:
// ids are parsed, enumerations are known, times are in whole milliseconds.
//
// A record of a kind that this program does not know decodes to fleet.Unknown
// and keeps its bytes. All functions are pure and may be called from anywhere.
package wire

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// names pairs the numbers of a proto enumeration with fleet's words.
type names[N ~int32, T ~string] map[T]N

func (m names[N, T]) number(word T) N { return m[word] }

func (m names[N, T]) word(what string, n N) (T, error) {
	for w, k := range m {
		if k == n {
			return w, nil
		}
	}
	return "", fmt.Errorf("%w: %s number %d", fleet.ErrInvalid, what, n)
}

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// uuid returns the 16 bytes of an id; none for an empty one.
func uuid[T ~string](id T) []byte {
	if id == "" {
		return nil
	}
	b, err := fleet.UUIDBytes(id)
	if err != nil {
		return nil // ids are parsed at the border; encode cannot fail half way
	}
	return b[:]
}

func fromUUID[T ~string](what string, b []byte) (T, error) {
	if len(b) != 16 {
		return "", fmt.Errorf("%w: %s has %d bytes: want 16", fleet.ErrInvalid, what, len(b))
	}
	return T(fleet.FormatUUID([16]byte(b))), nil
}

func fromOptionalUUID[T ~string](what string, b []byte) (T, error) {
	if len(b) == 0 {
		return "", nil
	}
	return fromUUID[T](what, b)
}
