package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// fileSettings are the settings of the YAML file. Keys are the names of flags,
// with - or _; a map inside a map joins its names: "mqtt: {ws: …}" is
// --mqtt-ws. It is kong's resolver, which would outrank the environment, so it
// yields where a variable is set.
type fileSettings struct {
	path   string
	values map[string]fileValue // by flag name
}

type fileValue struct {
	line  int
	value any // string, or []any for lists
}

// Validate implements kong.Resolver; load has checked the keys.
func (f *fileSettings) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (f *fileSettings) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.values[flag.Name]
	if !ok {
		return nil, nil
	}
	for _, env := range flag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	// A first try into a value of its own, so that the error names the line.
	try := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Value.Mapper.Decode(&kong.DecodeContext{
		Value: flag.Value, Scan: kong.Scan().PushTyped(v.value, kong.FlagValueToken),
	}, try); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", f.path, v.line, err)
	}
	if flag.Enum != "" && try.Kind() == reflect.String && !slices.Contains(strings.Split(flag.Enum, ","), try.String()) {
		return nil, fmt.Errorf("%s:%d: want one of %s, not %q", f.path, v.line, flag.Enum, try.String())
	}
	return v.value, nil
}

// load reads the file; every key must be a setting of some command, because
// one file serves all commands of a program.
func (f *fileSettings) load(path string, model *kong.Node) error {
	data, err := os.ReadFile(path)
	var why *fs.PathError
	if errors.As(err, &why) {
		return fmt.Errorf("read settings %s: %w: check --config", path, why.Err)
	}
	if err != nil {
		return fmt.Errorf("read settings %s: %w", path, err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read settings %s: %w", path, err)
	}
	f.path, f.values = path, map[string]fileValue{}
	if len(doc.Content) == 0 {
		return nil // an empty file
	}
	known := map[string]*kong.Flag{}
	flagsOf(model, known)
	return f.walk(doc.Content[0], "", known)
}

func (f *fileSettings) walk(n *yaml.Node, prefix string, known map[string]*kong.Flag) error {
	n = followAlias(n)
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want settings as \"name: value\"", f.path, n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], followAlias(n.Content[i+1])
		name := prefix + strings.ReplaceAll(key.Value, "_", "-")
		flag, ok := known[name]
		switch {
		case !ok && val.Kind == yaml.MappingNode && anyPrefix(known, name+"-"):
			if err := f.walk(val, name+"-", known); err != nil {
				return err
			}
			continue
		case !ok:
			return fmt.Errorf("%s:%d: unknown setting %q%s", f.path, key.Line, key.Value, suggest(name, known))
		case flag.Name == "config" || flag.Name == "version" || flag.Name == "help":
			return fmt.Errorf("%s:%d: %q is no setting for a file", f.path, key.Line, key.Value)
		}
		if first, twice := f.values[name]; twice {
			return fmt.Errorf("%s:%d: %q is set already in line %d", f.path, key.Line, key.Value, first.line)
		}
		v, err := f.scalar(key, val)
		if err != nil {
			return err
		}
		f.values[name] = fileValue{line: key.Line, value: v}
	}
	return nil
}

// scalar returns a value as if it had been typed on the command line.
func (f *fileSettings) scalar(key, val *yaml.Node) (any, error) {
	switch {
	case val.Kind == yaml.ScalarNode && val.Tag == "!!null":
		return nil, fmt.Errorf("%s:%d: %q has no value (write \"\" for an empty one)", f.path, key.Line, key.Value)
	case val.Kind == yaml.ScalarNode:
		return val.Value, nil
	case val.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range val.Content {
			v, err := f.scalar(key, followAlias(item))
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	return nil, fmt.Errorf("%s:%d: %q wants a value or a list of values", f.path, key.Line, key.Value)
}

func followAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// flagsOf gathers the flags of all commands by name.
func flagsOf(n *kong.Node, into map[string]*kong.Flag) {
	for _, f := range n.Flags {
		into[f.Name] = f
	}
	for _, child := range n.Children {
		flagsOf(child, into)
	}
}

func anyPrefix(known map[string]*kong.Flag, prefix string) bool {
	for name := range known {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// suggest names a setting that was perhaps meant.
func suggest(name string, known map[string]*kong.Flag) string {
	best, least := "", 3
	for have := range known {
		if d := distance(name, have); d < least || d == least && best != "" && have < best {
			best, least = have, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// distance is the number of single-byte edits between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// configPath finds --config in args or in the environment before they are
// parsed.
func configPath(args []string, prefix string) string {
	path := os.Getenv(prefix + "_CONFIG")
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			path = v
		} else if a == "--config" && i+1 < len(args) {
			path = args[i+1]
		}
	}
	return path
}

// noSecretFlags refuses a flag whose value would be a secret: values of flags
// are seen in lists of processes and in shell histories.
func noSecretFlags(n *kong.Node) error {
	flags := map[string]*kong.Flag{}
	flagsOf(n, flags)
	for name, f := range flags {
		if f.IsBool() || strings.HasSuffix(name, "-file") {
			continue
		}
		for _, secret := range []string{"password", "secret", "token", "private-key", "passphrase"} {
			if name == secret || strings.HasSuffix(name, "-"+secret) {
				return fmt.Errorf("flag --%s takes a secret: take it from a file (--%s-file) or from standard input", name, name)
			}
		}
	}
	return nil
}
