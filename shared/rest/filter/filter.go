// Package filter is the one filter grammar of the user interfaces, the API and
// the command line:
//
//	state:lost,late type:button room:cabin-1* battery:<20 -tag:spare word "two words"
//
// Terms are separated by spaces and must all match. A term is a word, which is
// looked for in the thing's texts, or field:value; a minus before it means
// that it must not match. Values are compared without regard to letter case;
// alternatives are separated by commas; * stands for any characters. A field
// that is a number takes <, <=, > and >= before it. What has spaces, commas or
// stars of its own is put between double quotes, with \" and \\ inside.
//
// A Query does not change after Parse and may be used from every goroutine.
package filter

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// Kind says how a field is compared.
type Kind int

// The kinds of fields.
const (
	Text   Kind = iota // equal, with * for any characters
	Number             // equal, or <, <=, >, >=
)

// Fields are the fields that a list has.
type Fields map[string]Kind

// Op is how a value is compared.
type Op string

// The operators.
const (
	Equal        Op = ""
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
)

// MaxLength of a filter in bytes, and MaxTerms in it.
const (
	MaxLength = 1024
	MaxTerms  = 32
)

// Query is a parsed filter. The zero Query matches everything.
type Query struct{ Terms []Term }

// Term is one condition.
type Term struct {
	// Pos is where it begins, in bytes from 0.
	Pos int
	// Not turns the condition round.
	Not bool
	// Field is empty for a word.
	Field string
	// Op compares the only value when it is not Equal.
	Op Op
	// Values are alternatives; one at least.
	Values []Value
}

// Value is what a field is compared with.
type Value struct {
	// Parts are the literal pieces between the stars: one piece is an exact
	// value, more are a pattern. They are in lower case.
	Parts []string
	// Number is the value of a numeric field.
	Number float64
}

// Error says where a filter is wrong. It is fleet.ErrInvalid.
type Error struct {
	// Pos is in bytes from 0.
	Pos     int
	Message string
}

// Error implements error; positions are told from 1.
func (e *Error) Error() string { return fmt.Sprintf("filter, position %d: %s", e.Pos+1, e.Message) }

// Unwrap makes it fleet.ErrInvalid.
func (e *Error) Unwrap() error { return fleet.ErrInvalid }

// Empty reports whether q matches everything.
func (q Query) Empty() bool { return len(q.Terms) == 0 }

// Match reports whether a thing matches. values returns what the thing has in
// a field (several for tags, none when it is unknown), and for "" the texts in
// which words are looked for. Numbers are given as strconv formats them.
func (q Query) Match(values func(field string) []string) bool {
	for _, t := range q.Terms {
		if t.match(values(t.Field)) == t.Not {
			return false
		}
	}
	return true
}

// Matches reports whether a text is one of the values, whatever Not says.
func (t Term) Matches(have string) bool { return t.match([]string{have}) }

func (t Term) match(have []string) bool {
	for _, h := range have {
		for _, v := range t.Values {
			if t.matchOne(h, v) {
				return true
			}
		}
	}
	return false
}

func (t Term) matchOne(have string, want Value) bool {
	switch {
	case t.Field == "":
		return strings.Contains(strings.ToLower(have), want.Parts[0])
	case want.Parts != nil:
		return glob(want.Parts, strings.ToLower(have))
	}
	n, err := strconv.ParseFloat(have, 64)
	if err != nil {
		return false // not known as a number: no comparison holds
	}
	switch t.Op {
	case Less:
		return n < want.Number
	case LessEqual:
		return n <= want.Number
	case Greater:
		return n > want.Number
	case GreaterEqual:
		return n >= want.Number
	case Equal:
	}
	return n == want.Number
}

// glob reports whether s is the parts in order with anything between them.
func glob(parts []string, s string) bool {
	if len(parts) == 1 {
		return s == parts[0]
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}

// String is q in its shortest form; Parse reads it back to the same terms.
func (q Query) String() string {
	var b strings.Builder
	for i, t := range q.Terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		if t.Not {
			b.WriteByte('-')
		}
		if t.Field != "" {
			b.WriteString(t.Field + ":" + string(t.Op))
		}
		for j, v := range t.Values {
			if j > 0 {
				b.WriteByte(',')
			}
			v.write(&b)
		}
	}
	return b.String()
}

func (v Value) write(b *strings.Builder) {
	if v.Parts == nil {
		b.WriteString(strconv.FormatFloat(v.Number, 'g', -1, 64))
		return
	}
	for i, p := range v.Parts {
		if i > 0 {
			b.WriteByte('*')
		}
		if p == "" && len(v.Parts) > 1 {
			continue
		}
		if plain(p) {
			b.WriteString(p)
			continue
		}
		b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p) + `"`)
	}
}

// plain reports whether p needs no quotes anywhere in a term.
func plain(p string) bool {
	return p != "" && !strings.ContainsAny(p, " \t\r\n\v\f\",*:<>=\\") && p[0] != '-'
}
