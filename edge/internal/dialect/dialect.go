// Package dialect reads what devices say. Firmware differs: snake_case or
// camelCase, rssi in dBm or signal in per cent, times in four forms, payloads
// that are compressed. The decoder takes all of it, keeps fields that it does
// not know, and reports wrong types without giving up the rest.
//
// All functions are pure and may be called from any goroutine. Only a payload
// that cannot serve its purpose at all (no JSON object, a press without
// sequence number) is an error, fleet.ErrInvalid.
package dialect

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"

	"github.com/obedio/obedio/shared/fleet"
)

// Fields is a decoded payload, with its names in snake_case. The issues that
// reading it brought up gather in it.
type Fields struct {
	list []field
	few  [12]field // the list of most payloads
	// Issues say which fields had a wrong type or value, in order.
	Issues []string
}

// field is one member of the payload's object.
type field struct {
	name string
	kind gjson.Type
	// text is a string's value, and of all else the JSON text.
	text string
}

// maxFields of one object are read; no firmware says as much.
const maxFields = 256

// Decode reads a payload that is a JSON object, plain or compressed with gzip
// or zstd, of at most maxBytes after decompression.
func Decode(payload []byte, maxBytes int) (*Fields, error) {
	v, err := decodeJSON(payload, maxBytes)
	if err != nil {
		return nil, err
	}
	if !v.IsObject() {
		return nil, fmt.Errorf("%w: payload is not a JSON object", fleet.ErrInvalid)
	}
	return newFields(v), nil
}

// DecodeBatch is Decode for payloads that may also be an array of objects.
func DecodeBatch(payload []byte, maxBytes int) ([]*Fields, error) {
	v, err := decodeJSON(payload, maxBytes)
	switch {
	case err != nil:
		return nil, err
	case v.IsObject():
		return []*Fields{newFields(v)}, nil
	case !v.IsArray():
		return nil, fmt.Errorf("%w: payload is neither a JSON object nor an array of them", fleet.ErrInvalid)
	}
	var batch []*Fields
	v.ForEach(func(_, e gjson.Result) bool {
		if len(batch) == maxBatch {
			err = fmt.Errorf("%w: payload has more than %d entries", fleet.ErrInvalid, maxBatch)
			return false
		}
		if !e.IsObject() {
			err = fmt.Errorf("%w: entry %d of the payload is not a JSON object", fleet.ErrInvalid, len(batch))
			return false
		}
		batch = append(batch, newFields(e))
		return true
	})
	return batch, err
}

// maxBatch is the greatest number of objects in one payload: each takes more
// room than its few bytes.
const maxBatch = 1024

// maxDepth of arrays and objects in each other.
const maxDepth = 64

func decodeJSON(payload []byte, maxBytes int) (v gjson.Result, err error) {
	plain, err := Decompress(payload, maxBytes)
	if err != nil {
		return v, err
	}
	if depth(plain) > maxDepth {
		return v, fmt.Errorf("%w: payload nests arrays and objects deeper than %d", fleet.ErrInvalid, maxDepth)
	}
	text := string(plain) // the payload is the broker's, and what is read of it stays
	if !gjson.Valid(text) {
		return v, fmt.Errorf("%w: payload is not JSON", fleet.ErrInvalid)
	}
	return gjson.Parse(text), nil
}

// depth is how deep arrays and objects are nested in b, as far as it is JSON.
func depth(b []byte) int {
	open, deepest := 0, 0
	quoted, escaped := false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
			continue
		case quoted:
			escaped, quoted = c == '\\', c != '"'
			continue
		}
		switch c {
		case '"':
			quoted = true
		case '{', '[':
			open++
			deepest = max(deepest, open)
		case '}', ']':
			open--
		}
	}
	return deepest
}

// Decompress returns payload as it is, or what it holds when its first bytes
// are those of gzip (RFC 1952) or zstd (RFC 8878). The result has at most
// maxBytes; ErrInvalid otherwise.
func Decompress(payload []byte, maxBytes int) ([]byte, error) {
	var r io.Reader
	switch {
	case bytes.HasPrefix(payload, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(payload))
		if err != nil {
			return nil, fmt.Errorf("%w: gzip: %w", fleet.ErrInvalid, err)
		}
		r = z
	case bytes.HasPrefix(payload, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(bytes.NewReader(payload), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxMemory(uint64(maxBytes)+1), zstd.WithDecoderMaxWindow(1<<20))
		if err != nil {
			return nil, fmt.Errorf("%w: zstd: %w", fleet.ErrInvalid, err)
		}
		defer z.Close()
		r = z
	default:
		if len(payload) > maxBytes {
			return nil, fmt.Errorf("%w: payload has %d bytes: want at most %d", fleet.ErrInvalid, len(payload), maxBytes)
		}
		return payload, nil
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(maxBytes)+1))
	if err != nil {
		return nil, fmt.Errorf("%w: decompress payload: %w", fleet.ErrInvalid, err)
	}
	if len(plain) > maxBytes {
		return nil, fmt.Errorf("%w: payload has more than %d bytes after decompression", fleet.ErrInvalid, maxBytes)
	}
	return plain, nil
}

// pool holds Fields that nobody reads any more: one is wanted for every message.
var pool = sync.Pool{New: func() any { return new(Fields) }}

// Release gives f to another message. Nothing of f may be used after; what was
// read from it may.
func (f *Fields) Release() {
	*f = Fields{}
	pool.Put(f)
}

func newFields(obj gjson.Result) *Fields {
	f := pool.Get().(*Fields)
	f.list = f.few[:0]
	obj.ForEach(func(k, v gjson.Result) bool {
		if len(f.list) == maxFields {
			f.issue("payload", "has more than %d fields", maxFields)
			return false
		}
		f.add(k.Str, v)
		return true
	})
	return f
}

// add takes one member. The name as the interface writes it wins over another
// spelling of it, and otherwise the last one that was written.
func (f *Fields) add(written string, v gjson.Result) {
	n := field{name: snake(written), kind: v.Type, text: v.Raw}
	if v.Type == gjson.String {
		n.text = v.Str
		if !utf8.ValidString(n.text) {
			n.text = strings.ToValidUTF8(n.text, "\ufffd")
		}
	}
	for i := range f.list {
		if f.list[i].name == n.name {
			if n.name == written {
				f.list[i] = n
			}
			return
		}
	}
	f.list = append(f.list, n)
}

// get returns the named field, null or not.
func (f *Fields) get(name string) (field, bool) {
	for i := range f.list {
		if f.list[i].name == name {
			return f.list[i], true
		}
	}
	return field{}, false
}

// snake turns deviceId and DeviceID into device_id.
func snake(s string) string {
	if !strings.ContainsFunc(s, unicode.IsUpper) {
		return s
	}
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		if unicode.IsUpper(r) {
			boundary := i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
			if boundary && runes[i-1] != '_' {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (f *Fields) issue(name, format string, args ...any) {
	f.Issues = append(f.Issues, name+": "+fmt.Sprintf(format, args...))
}

// first returns the first of the named fields that is there and not null.
func (f *Fields) first(names ...string) (field, bool) {
	for _, n := range names {
		if v, ok := f.get(n); ok && v.kind != gjson.Null {
			return v, true
		}
	}
	return field{}, false
}

// text returns a text field of at most 256 bytes.
func (f *Fields) text(names ...string) string {
	v, ok := f.first(names...)
	if !ok {
		return ""
	}
	if v.kind != gjson.String && v.kind != gjson.Number || len(v.text) > 256 {
		f.issue(v.name, "want a text of at most 256 bytes")
		return ""
	}
	return v.text
}

// number returns a number, also one that was written as a text.
func (f *Fields) number(names ...string) (float64, bool) {
	v, ok := f.first(names...)
	if !ok {
		return 0, false
	}
	s := v.text
	switch v.kind {
	case gjson.Number:
	case gjson.String:
		s = strings.TrimSpace(s)
		f.issue(v.name, "want a number, got a text")
	default:
		f.issue(v.name, "want a number")
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		f.issue(v.name, "want a number, got %.32q", s)
		return 0, false
	}
	return x, true
}

// count returns a whole number that is not negative.
func (f *Fields) count(names ...string) (uint64, bool) {
	v, ok := f.first(names...)
	if !ok {
		return 0, false
	}
	if v.kind == gjson.Number {
		// Whole numbers beyond 2^53 must not pass through a float.
		if x, err := strconv.ParseUint(v.text, 10, 64); err == nil {
			return x, true
		}
	}
	x, ok := f.number(v.name)
	if !ok {
		return 0, false
	}
	if x < 0 || x != math.Trunc(x) || x >= 1<<63 {
		f.issue(v.name, "want a whole number from 0")
		return 0, false
	}
	return uint64(x), true
}

// when returns a time: RFC 3339, or seconds or milliseconds since 1970. What
// can only be a time since boot is no time, and no issue.
func (f *Fields) when(names ...string) time.Time {
	v, ok := f.first(names...)
	if !ok {
		return time.Time{}
	}
	if s := v.text; v.kind == gjson.String {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime} {
			if t, err := time.Parse(layout, s); err == nil {
				return fleet.Millis(t)
			}
		}
	}
	x, ok := f.number(v.name)
	switch {
	case !ok:
	case x >= 1e14: // microseconds
		return fleet.Millis(time.UnixMicro(int64(min(x, 1<<62))))
	case x >= 1e11:
		return fleet.Millis(time.UnixMilli(int64(x)))
	case x >= 1e9:
		return fleet.Millis(time.UnixMilli(int64(x * 1000)))
	}
	return time.Time{}
}

// percent returns a whole number from 0 to 100.
func (f *Fields) percent(names ...string) *int {
	v, _ := f.first(names...)
	x, ok := f.number(v.name)
	if !ok {
		return nil
	}
	if x < 0 || x > 100 {
		f.issue(v.name, "want 0 to 100, got %g", x)
		return nil
	}
	p := int(math.Round(x))
	return &p
}

// signal returns the strength of the radio signal in dBm: told as such, or as
// a percentage of the usual range from -100 to -50 dBm.
func (f *Fields) signal() *int {
	v, given := f.first("signal_strength", "rssi", "rssi_dbm", "signal")
	if !given {
		return nil
	}
	x, ok := f.number(v.name)
	switch {
	case !ok:
		return nil
	case x >= -130 && x < 0:
	case x >= 0 && x <= 100:
		x = x/2 - 100
	default:
		f.issue(v.name, "want -130 to 0 dBm or 0 to 100 per cent, got %g", x)
		return nil
	}
	dbm := int(math.Round(x))
	return &dbm
}

// speaksFor reports as ErrInvalid a payload that names another device than the
// topic does.
func (f *Fields) speaksFor(device fleet.DeviceID) error {
	id := f.text("device_id", "device")
	if id != "" && id != string(device) {
		return fmt.Errorf("%w: payload names device %.64q, its topic %q", fleet.ErrInvalid, id, device)
	}
	return nil
}

// oneOf returns a word in lower case if it is one of those allowed.
func (f *Fields) oneOf(allowed []string, names ...string) string {
	w := strings.ToLower(f.text(names...))
	if w == "" || slices.Contains(allowed, w) {
		return w
	}
	v, _ := f.first(names...)
	f.issue(v.name, "want one of %s, got %.32q", strings.Join(allowed, ", "), w)
	return ""
}
