package filter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads a filter over fields. The error is an *Error.
func Parse(s string, fields Fields) (Query, error) {
	if len(s) > MaxLength {
		return Query{}, &Error{Pos: MaxLength, Message: fmt.Sprintf("longer than %d bytes", MaxLength)}
	}
	if !utf8.ValidString(s) {
		return Query{}, &Error{Message: "not UTF-8"}
	}
	p := &parser{s: s, fields: fields}
	var q Query
	for {
		p.spaces()
		if p.end() {
			return q, nil
		}
		if len(q.Terms) == MaxTerms {
			return Query{}, p.fail(p.i, "more than %d terms", MaxTerms)
		}
		t, err := p.term()
		if err != nil {
			return Query{}, err
		}
		q.Terms = append(q.Terms, t)
	}
}

type parser struct {
	s      string
	i      int
	fields Fields
}

func (p *parser) end() bool { return p.i >= len(p.s) }

func (p *parser) fail(pos int, format string, args ...any) error {
	return &Error{Pos: pos, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) spaces() {
	for !p.end() && isSpace(p.s[p.i]) {
		p.i++
	}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func (p *parser) term() (Term, error) {
	t := Term{Pos: p.i}
	if p.s[p.i] == '-' {
		t.Not = true
		p.i++
		if p.end() || isSpace(p.s[p.i]) {
			return t, p.fail(t.Pos, "nothing follows the minus")
		}
	}
	name, ok, err := p.field()
	if err != nil {
		return t, err
	}
	if !ok {
		return p.word(t)
	}
	t.Field = name
	if p.fields[name] == Number {
		t.Op = p.op()
		return p.numbers(t)
	}
	return p.texts(t)
}

// field reads "name:" if the term begins with one.
func (p *parser) field() (string, bool, error) {
	rest := p.s[p.i:]
	n := strings.IndexAny(rest, ": \t\r\n\v\f\",*")
	if n < 0 || rest[n] != ':' {
		return "", false, nil
	}
	name := rest[:n]
	if _, ok := p.fields[name]; !ok {
		return "", false, p.fail(p.i, "unknown field %q: want one of %s", name, p.names())
	}
	p.i += n + 1
	return name, true, nil
}

func (p *parser) names() string {
	var names []string
	for n := range p.fields {
		names = append(names, n)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// word reads what is looked for in texts: one piece, taken as it is.
func (p *parser) word(t Term) (Term, error) {
	start := p.i
	parts, err := p.value(false)
	if err != nil {
		return t, err
	}
	if parts[0] == "" {
		return t, p.fail(start, "an empty word")
	}
	t.Values = []Value{{Parts: parts}}
	return t, nil
}

func (p *parser) texts(t Term) (Term, error) {
	for {
		start := p.i
		if p.end() || isSpace(p.s[p.i]) || p.s[p.i] == ',' {
			return t, p.fail(start, "field %s has no value here (write \"\" for an empty one)", t.Field)
		}
		parts, err := p.value(true)
		if err != nil {
			return t, err
		}
		t.Values = append(t.Values, Value{Parts: parts})
		if p.end() || p.s[p.i] != ',' {
			return t, nil
		}
		p.i++
	}
}

func (p *parser) op() Op {
	for _, o := range []Op{LessEqual, GreaterEqual, Less, Greater} {
		if strings.HasPrefix(p.s[p.i:], string(o)) {
			p.i += len(o)
			return o
		}
	}
	return Equal
}

func (p *parser) numbers(t Term) (Term, error) {
	for {
		start := p.i
		for !p.end() && !isSpace(p.s[p.i]) && p.s[p.i] != ',' {
			p.i++
		}
		n, err := strconv.ParseFloat(p.s[start:p.i], 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return t, p.fail(start, "field %s wants a number, not %q", t.Field, p.s[start:p.i])
		}
		t.Values = append(t.Values, Value{Number: n})
		if p.end() || p.s[p.i] != ',' {
			return t, nil
		}
		if t.Op != Equal {
			return t, p.fail(p.i, "%s takes one number", t.Op)
		}
		p.i++
	}
}

// value reads the pieces of one value up to a space or (in a field) a comma;
// stars separate the pieces of a field's value.
func (p *parser) value(inField bool) ([]string, error) {
	parts := []string{""}
	add := func(s string) { parts[len(parts)-1] += strings.ToLower(s) }
	for !p.end() {
		switch c := p.s[p.i]; {
		case isSpace(c), inField && c == ',':
			return parts, nil
		case c == '"':
			s, err := p.quoted()
			if err != nil {
				return nil, err
			}
			add(s)
		case inField && c == '*':
			parts = append(parts, "")
			p.i++
		default:
			_, n := utf8.DecodeRuneInString(p.s[p.i:])
			add(p.s[p.i : p.i+n])
			p.i += n
		}
	}
	return parts, nil
}

func (p *parser) quoted() (string, error) {
	start := p.i
	var b strings.Builder
	for p.i++; !p.end(); p.i++ {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return b.String(), nil
		case '\\':
			p.i++
			if p.end() || p.s[p.i] != '"' && p.s[p.i] != '\\' {
				return "", p.fail(p.i-1, `after \ comes " or \`)
			}
			b.WriteByte(p.s[p.i])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, "the quotation does not end")
}
