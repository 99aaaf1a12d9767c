package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/obedio/obedio/firmware-sim/internal/device"
)

// strict decodes a mapping into the struct that into points to. A key that is
// none of its fields, nor one of also, is an error with its line.
func strict(n *yaml.Node, into any, also ...string) error {
	if n.Kind != yaml.MappingNode {
		return at(n, "want keys with values")
	}
	known := append(keysOf(reflect.TypeOf(into).Elem()), also...)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; !slices.Contains(known, k.Value) {
			slices.Sort(known)
			return at(k, "unknown key %q: want one of %s", k.Value, strings.Join(known, ", "))
		}
	}
	return n.Decode(into)
}

// keysOf are the names of a struct's fields in YAML.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			keys = append(keys, keysOf(f.Type)...)
		case name != "-" && name != "":
			keys = append(keys, name)
		}
	}
	return keys
}

func at(n *yaml.Node, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", n.Line, fmt.Sprintf(format, args...))
}

// value returns what stands behind a key; nil without it.
func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Span is a range of durations in a script.
type Span struct{ device.Span }

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *Span) UnmarshalYAML(n *yaml.Node) error {
	v, err := device.ParseSpan(n.Value)
	if err != nil {
		return at(n, "%s", err)
	}
	s.Span = v
	return nil
}

// Range is a range of numbers in a script: "1..3", or "2".
type Range struct{ Least, Most float64 }

// UnmarshalYAML implements yaml.Unmarshaler.
func (r *Range) UnmarshalYAML(n *yaml.Node) error {
	least, most, two := strings.Cut(n.Value, "..")
	a, err := strconv.ParseFloat(least, 64)
	b := a
	if err == nil && two {
		b, err = strconv.ParseFloat(most, 64)
	}
	if err != nil || b < a || a < 0 {
		return at(n, "%q: want a number from 0, or two such as 1..3", n.Value)
	}
	r.Least, r.Most = a, b
	return nil
}

// List is one word or several.
type List []string

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *List) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = List{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}
