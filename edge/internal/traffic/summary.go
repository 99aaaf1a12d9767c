package traffic

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
)

// Counts is what is counted of a device, or of many, in a time.
type Counts struct {
	// MessagesIn and MessagesOut, with their payloads' bytes.
	MessagesIn, MessagesOut, BytesIn, BytesOut uint64
	// Dropped messages, denied actions, connections that came back.
	Dropped, Denied, Reconnects uint64
	// Actions counts the messages of both directions by Action.
	Actions [actionCount]uint64
}

// countColumns is how many numbers Counts has.
const countColumns = 7 + int(actionCount)

// columns are pointers to all numbers of c, in the order of the format.
func (c *Counts) columns() [countColumns]*uint64 {
	out := [countColumns]*uint64{
		&c.MessagesIn, &c.MessagesOut, &c.BytesIn, &c.BytesOut, &c.Dropped, &c.Denied, &c.Reconnects,
	}
	for i := range c.Actions {
		out[7+i] = &c.Actions[i]
	}
	return out
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	to, from := c.columns(), o.columns()
	for i := range to {
		*to[i] += *from[i]
	}
}

// Messages is the number of messages of both directions.
func (c Counts) Messages() uint64 { return c.MessagesIn + c.MessagesOut }

// row is the summary of one subject.
type row struct {
	Counts
	fields []fleet.TrafficField // few, in the order in which they came
}

// observe adds a value; false when the row has most fields already.
func (r *row) observe(f fleet.TrafficField, most int) bool {
	for i := range r.fields {
		if r.fields[i].Name == f.Name {
			r.fields[i] = r.fields[i].Then(f)
			return true
		}
	}
	if len(r.fields) >= most {
		return false
	}
	r.fields = append(r.fields, f)
	return true
}

// add adds what came later.
func (r *row) add(o *row, mostFields int) {
	r.Counts.Add(o.Counts)
	for _, f := range o.fields {
		r.observe(f, mostFields)
	}
}

// summaries is one minute, or one hour, by subject.
type summaries map[uint32]*row

func (s summaries) row(subject uint32) *row {
	r := s[subject]
	if r == nil {
		r = &row{}
		s[subject] = r
	}
	return r
}

func (s summaries) add(o summaries, mostFields int) {
	for id, r := range o {
		s.row(id).add(r, mostFields)
	}
}

// equal reports whether both say the same, in whatever order of fields.
func (s summaries) equal(o summaries) bool {
	return maps.EqualFunc(s, o, func(a, b *row) bool {
		return a.Counts == b.Counts && maps.Equal(a.byName(), b.byName())
	})
}

func (r *row) byName() map[string]fleet.TrafficField {
	m := make(map[string]fleet.TrafficField, len(r.fields))
	for _, f := range r.fields {
		m[f.Name] = f
	}
	return m
}

const summaryVersion = 1

// Bounds of what a block may claim.
const (
	maxSubjects = 1 << 16
	maxFields   = 1 << 12
)

// encodeSummaries writes a minute or an hour as columns.
func encodeSummaries(s summaries) []byte {
	ids := slices.Sorted(maps.Keys(s))
	out := binary.AppendUvarint([]byte{summaryVersion}, uint64(len(ids)))
	col := make([]uint64, len(ids))
	var prev uint32
	for i, id := range ids {
		col[i], prev = uint64(id-prev), id
	}
	out = appendNumbers(out, col)
	for c := range countColumns {
		for i, id := range ids {
			col[i] = *s[id].columns()[c]
		}
		out = appendNumbers(out, col)
	}
	byName := map[string][]int{} // rows that have the field
	for i, id := range ids {
		for _, f := range s[id].fields {
			byName[f.Name] = append(byName[f.Name], i)
		}
	}
	out = binary.AppendUvarint(out, uint64(len(byName)))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(binary.AppendUvarint(out, uint64(len(name))), name...)
		out = appendField(out, s, ids, name, byName[name])
	}
	return seal(out)
}

func appendField(out []byte, s summaries, ids []uint32, name string, rows []int) []byte {
	out = binary.AppendUvarint(out, uint64(len(rows)))
	at, counts := make([]uint64, len(rows)), make([]uint64, len(rows))
	// One column for all three, so that a field that stands still is one
	// difference and two zeros.
	values := make([]float64, 0, 3*len(rows))
	prev := 0
	for i, n := range rows {
		for _, f := range s[ids[n]].fields {
			if f.Name == name {
				at[i], counts[i], prev = uint64(n-prev), f.Count, n
				values = append(values, f.Min, f.Max, f.Last)
			}
		}
	}
	out = appendNumbers(appendNumbers(out, at), counts)
	return appendFloats(out, values)
}

func decodeSummaries(b []byte) (summaries, error) {
	body, err := unseal(b)
	if err != nil {
		return nil, err
	}
	r := &reader{b: body}
	if r.byte() != summaryVersion {
		r.fail("version of a summary")
	}
	n := r.count(maxSubjects)
	deltas := r.numbers(n)
	if r.err != nil {
		return nil, r.err
	}
	rows, s := make([]*row, n), make(summaries, n)
	var id uint64
	for i, d := range deltas {
		if id += d; id > 1<<32-1 || i > 0 && d == 0 {
			r.fail("subject")
			return nil, r.err
		}
		rows[i] = s.row(uint32(id))
	}
	for c := range countColumns {
		for i, v := range r.numbers(n) {
			*rows[i].columns()[c] = v
		}
	}
	for range r.count(maxFields) {
		if r.err != nil {
			break
		}
		readField(r, rows)
	}
	return s, r.end()
}

func readField(r *reader, rows []*row) {
	name := r.text()
	n := r.count(len(rows))
	at, counts, values := r.numbers(n), r.numbers(n), r.floats(3*n)
	if r.err != nil {
		return
	}
	pos := uint64(0)
	for i := range n {
		if pos += at[i]; pos >= uint64(len(rows)) {
			r.fail("field")
			return
		}
		v := values[3*i:]
		rows[pos].fields = append(rows[pos].fields, fleet.TrafficField{Name: name, Count: counts[i], Min: v[0], Max: v[1], Last: v[2]})
	}
}
