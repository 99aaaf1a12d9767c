package topic

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/obedio/obedio/shared/fleet"
)

// Sys is the first level of what the broker tells of itself. Clients may
// subscribe to it where their rights say so; nobody publishes there.
const Sys = "$SYS"

// The limits of a name and of a filter.
const (
	// MaxLevels is the greatest number of levels.
	MaxLevels = 16
	// MaxBytes is the greatest length in bytes, without a $share prefix.
	MaxBytes = 256
	// MaxShare is the greatest length of the group in $share/{group}/….
	MaxShare = 64
)

// What can be wrong with a name or a filter. Each wraps fleet.ErrInvalid.
var (
	errEmpty    = fmt.Errorf("%w: empty topic", fleet.ErrInvalid)
	errBytes    = fmt.Errorf("%w: topic longer than %d bytes", fleet.ErrInvalid, MaxBytes)
	errLevels   = fmt.Errorf("%w: topic with more than %d levels", fleet.ErrInvalid, MaxLevels)
	errLevel    = fmt.Errorf("%w: topic with an empty level", fleet.ErrInvalid)
	errDollar   = fmt.Errorf("%w: topic that begins with $, which is the broker's own", fleet.ErrInvalid)
	errText     = fmt.Errorf("%w: topic that is not UTF-8 text without control characters", fleet.ErrInvalid)
	errWildcard = fmt.Errorf("%w: wildcard that is not a whole level, or # that is not the last", fleet.ErrInvalid)
	errShare    = fmt.Errorf("%w: shared subscription: want $share/{group}/{filter}", fleet.ErrInvalid)
)

// CheckName reports as fleet.ErrInvalid what is wrong with a topic name that a
// client wants to publish to. It allocates nothing.
func CheckName(name string) error {
	return checkName(name, false)
}

// CheckDelivered is CheckName for a message that is about to be delivered: it
// may also be one of the broker's own, below $SYS. It allocates nothing.
func CheckDelivered(name string) error { return checkName(name, true) }

func checkName(name string, sys bool) error {
	if err := check(name, sys); err != nil {
		return err
	}
	if strings.IndexByte(name, '+') >= 0 || strings.IndexByte(name, '#') >= 0 {
		return errWildcard
	}
	return nil
}

// ValidName reports whether CheckName finds nothing.
func ValidName(name string) bool { return CheckName(name) == nil }

// CheckFilter reports as fleet.ErrInvalid what is wrong with a filter that a
// client wants to subscribe to. A $share prefix is taken off first. Below $SYS
// there are filters, but no shared ones. It allocates nothing.
func CheckFilter(filter string) error {
	group, filter, err := SplitShare(filter)
	if err != nil {
		return err
	}
	if err := check(filter, group == ""); err != nil {
		return err
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		switch {
		case level == "#" && more:
			return errWildcard
		case level == "+", level == "#":
		case strings.IndexByte(level, '+') >= 0, strings.IndexByte(level, '#') >= 0:
			return errWildcard
		}
	}
	return nil
}

// ValidFilter reports whether CheckFilter finds nothing.
func ValidFilter(filter string) bool { return CheckFilter(filter) == nil }

// check finds what is wrong with a name and with a filter alike. sys lets in
// what begins with $SYS/.
func check(s string, sys bool) error {
	switch {
	case s == "":
		return errEmpty
	case len(s) > MaxBytes:
		return errBytes
	case s[0] == '$' && !(sys && strings.HasPrefix(s, Sys+"/")):
		return errDollar
	case s[0] == '/', s[len(s)-1] == '/':
		return errLevel
	}
	levels := 1
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			// The rest of the string is judged as text; levels go on here.
		case c == '/':
			if levels++; levels > MaxLevels {
				return errLevels
			}
			if s[i-1] == '/' {
				return errLevel
			}
		case c < 0x20, c == 0x7f:
			return errText
		}
	}
	return checkText(s)
}

// checkText takes UTF-8 without the C1 control characters and without the
// code points that Unicode keeps as non-characters [MQTT-1.5.4-1].
func checkText(s string) error {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return errText
	}
	for _, r := range s {
		if unicode.IsControl(r) || r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef {
			return errText
		}
	}
	return nil
}

// SplitShare takes $share/{group}/ off a filter. The group is empty when the
// filter is not shared. The prefix is found in any letter case, because the
// broker library finds it so, and a decision must see what the library does.
func SplitShare(filter string) (group, rest string, err error) {
	const prefix = "$share"
	if len(filter) < len(prefix) || !strings.EqualFold(filter[:len(prefix)], prefix) {
		return "", filter, nil
	}
	after := filter[len(prefix):]
	if after != "" && after[0] != '/' {
		return "", filter, nil // such as $shared/…: an ordinary $-topic
	}
	if after == "" {
		return "", "", errShare
	}
	group, rest, ok := strings.Cut(after[1:], "/")
	if !ok || rest == "" || !fleet.ValidSegment(group) || len(group) > MaxShare {
		return "", "", errShare
	}
	return group, rest, nil
}
