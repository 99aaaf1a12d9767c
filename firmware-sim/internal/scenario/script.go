package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/obedio/obedio/shared/fleet"
)

// Script is a scenario as it is written.
type Script struct {
	Name  string
	Story string
	// Endless: it goes on until it is told to end, and expects nothing.
	Endless  bool
	Groups   []Group
	Timeline []Step
	Expect   []Expectation
}

// Step is one entry of the timeline.
type Step struct {
	// At is when the step begins, after the start and not before the steps
	// before it; a step that waits holds up those behind it.
	At   time.Duration
	Do   string
	Line int
	act  action
}

// Expectation is one entry of what a script expects.
type Expectation struct {
	Check string
	Line  int
	check check
}

//go:embed scripts/*.yaml
var builtin embed.FS

// Names of the built-in scenarios, in alphabetical order.
func Names() []string {
	files, err := fs.Glob(builtin, "scripts/*.yaml")
	if err != nil {
		panic("scenario: " + err.Error()) // the pattern is a constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	slices.Sort(files)
	return files
}

// Load reads a built-in scenario by its name, or a file.
func Load(name string) (*Script, error) {
	if slices.Contains(Names(), name) {
		b, err := builtin.ReadFile("scripts/" + name + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("read scenario %s: %w", name, err)
		}
		return Parse(name+".yaml", b)
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("scenario %q: neither a file nor one of %s", name, strings.Join(Names(), ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	return Parse(path.Base(name), b)
}

// Parse reads a script. Errors name file and line.
func Parse(file string, text []byte) (*Script, error) {
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		return nil, fmt.Errorf("%s: more than one document", file)
	}
	s := &Script{}
	if err := s.parse(doc.Content[0]); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func (s *Script) parse(n *yaml.Node) error {
	var raw struct {
		Name     string      `yaml:"name"`
		Story    string      `yaml:"story"`
		Endless  bool        `yaml:"endless"`
		Devices  []yaml.Node `yaml:"devices"`
		Timeline []yaml.Node `yaml:"timeline"`
		Expect   []yaml.Node `yaml:"expect"`
	}
	if err := strict(n, &raw); err != nil {
		return err
	}
	s.Name, s.Story, s.Endless = raw.Name, strings.TrimSpace(raw.Story), raw.Endless
	if s.Name == "" || s.Story == "" || len(raw.Devices) == 0 || len(raw.Timeline) == 0 {
		return at(n, "want name, story, devices and timeline")
	}
	if s.Endless != (len(raw.Expect) == 0) {
		return at(n, "want expect, or endless: true and no expect")
	}
	names := map[string]bool{"all": true}
	for i := range raw.Devices {
		var g Group
		if err := g.parse(&raw.Devices[i]); err != nil {
			return err
		}
		if names[g.Group] {
			return at(&raw.Devices[i], "group %q: this name is taken", g.Group)
		}
		names[g.Group] = true
		s.Groups = append(s.Groups, g)
	}
	for i, g := range s.Groups {
		if g.Via != "" && !slices.ContainsFunc(s.Groups, func(r Group) bool { return r.Group == g.Via && r.Type == fleet.Repeater }) {
			return at(value(&raw.Devices[i], "via"), "via %q: there is no such group of repeaters", g.Via)
		}
		if g.Via != "" && g.Type == fleet.Repeater {
			return at(value(&raw.Devices[i], "via"), "via: a repeater does not speak through another")
		}
	}
	for i := range raw.Timeline {
		step, err := parseStep(&raw.Timeline[i], names)
		if err != nil {
			return err
		}
		if i > 0 && step.At < s.Timeline[i-1].At {
			return at(&raw.Timeline[i], "at %s: is before the step above it", step.At)
		}
		s.Timeline = append(s.Timeline, step)
	}
	for i := range raw.Expect {
		e, err := parseExpectation(&raw.Expect[i], names)
		if err != nil {
			return err
		}
		s.Expect = append(s.Expect, e)
	}
	return nil
}

func parseStep(n *yaml.Node, groups map[string]bool) (Step, error) {
	var head struct {
		At time.Duration `yaml:"at"`
		Do string        `yaml:"do"`
	}
	if err := n.Decode(&head); err != nil {
		return Step{}, err
	}
	make, ok := actions[head.Do]
	if !ok {
		return Step{}, at(n, "do %q: want one of %s", head.Do, words(actions))
	}
	act := make()
	if err := strict(n, act, "at", "do"); err != nil {
		return Step{}, err
	}
	if err := act.valid(groups); err != nil {
		return Step{}, at(n, "%s: %s", head.Do, err)
	}
	return Step{At: head.At, Do: head.Do, Line: n.Line, act: act}, nil
}

func parseExpectation(n *yaml.Node, groups map[string]bool) (Expectation, error) {
	head := struct {
		Check string `yaml:"check"`
	}{}
	if n.Kind == yaml.ScalarNode { // a check without parameters
		head.Check = n.Value
		n = &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column}
	} else if err := n.Decode(&head); err != nil {
		return Expectation{}, err
	}
	make, ok := checks[head.Check]
	if !ok {
		return Expectation{}, at(n, "check %q: want one of %s", head.Check, words(checks))
	}
	c := make()
	if err := strict(n, c, "check"); err != nil {
		return Expectation{}, err
	}
	if err := c.valid(groups); err != nil {
		return Expectation{}, at(n, "%s: %s", head.Check, err)
	}
	return Expectation{Check: head.Check, Line: n.Line, check: c}, nil
}

func words[T any](of map[string]T) string {
	var all []string
	for w := range of {
		all = append(all, w)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Devices is how many devices the script has.
func (s *Script) Devices() int {
	n := 0
	for _, g := range s.Groups {
		n += g.Count
	}
	return n
}

// Resize gives the script n devices: each group keeps its share, and at least
// one device; the largest group takes what rounding leaves.
func (s *Script) Resize(n int) error {
	total := s.Devices()
	if n < len(s.Groups) {
		return fmt.Errorf("%d devices: scenario %s has %d groups of devices", n, s.Name, len(s.Groups))
	}
	largest, left := 0, n
	for i := range s.Groups {
		g := &s.Groups[i]
		if g.Count > s.Groups[largest].Count {
			largest = i
		}
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		if i != largest {
			if g.Count > 1 {
				g.Count = max(1, g.Count*n/total)
			}
			left -= g.Count
		}
	}
	if left < 1 {
		return fmt.Errorf("%d devices: too few for scenario %s", n, s.Name)
	}
	s.Groups[largest].Count = left
	return nil
}
