package program

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Output is the flag --json; embed it in every command that prints data.
type Output struct {
	JSON bool `name:"json" help:"Print JSON." env:"-"`
}

// Print writes v as one line of JSON with --json; else it calls people, which
// writes what people read.
func (o Output) Print(env *Env, v any, people func(w io.Writer) error) error {
	if !o.JSON {
		w := bufio.NewWriter(env.Stdout)
		if err := people(w); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// Table writes rows in columns, the first being their titles.
func Table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}

// maxStdin is the most that ReadJSON reads, in bytes.
const maxStdin = 1 << 20

// ReadJSON reads one JSON object from standard input, as commands take
// secrets. Unknown fields and anything after the object are errors.
func (e *Env) ReadJSON(v any) error {
	dec := json.NewDecoder(io.LimitReader(e.Stdin, maxStdin))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return Usagef("read standard input: want one JSON object: %s", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Usagef("read standard input: something follows the JSON object")
	}
	return nil
}
