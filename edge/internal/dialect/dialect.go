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
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/klauspost/compress/zstd"

	"github.com/obedio/obedio/shared/fleet"
)

// Fields is a decoded payload: names in snake_case, numbers as json.Number.
// The issues that reading it brought up gather in it.
type Fields struct {
	values map[string]any
	// Issues say which fields had a wrong type or value, in order.
	Issues []string
}

// Decode reads a payload that is a JSON object, plain or compressed with gzip
// or zstd, of at most maxBytes after decompression.
func Decode(payload []byte, maxBytes int) (*Fields, error) {
	v, err := decodeJSON(payload, maxBytes)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: payload is not a JSON object", fleet.ErrInvalid)
	}
	return newFields(obj), nil
}

// DecodeBatch is Decode for payloads that may also be an array of objects.
func DecodeBatch(payload []byte, maxBytes int) ([]*Fields, error) {
	v, err := decodeJSON(payload, maxBytes)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case map[string]any:
		return []*Fields{newFields(v)}, nil
	case []any:
		batch := make([]*Fields, 0, len(v))
		for i, e := range v {
			obj, ok := e.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("%w: entry %d of the payload is not a JSON object", fleet.ErrInvalid, i)
			}
			batch = append(batch, newFields(obj))
		}
		return batch, nil
	}
	return nil, fmt.Errorf("%w: payload is neither a JSON object nor an array of them", fleet.ErrInvalid)
}

func decodeJSON(payload []byte, maxBytes int) (any, error) {
	plain, err := Decompress(payload, maxBytes)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: payload is not JSON: %w", fleet.ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON value", fleet.ErrInvalid)
	}
	return v, nil
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

func newFields(obj map[string]any) *Fields {
	f := &Fields{values: make(map[string]any, len(obj))}
	for k, v := range obj {
		name := snake(k)
		// The name as the interface writes it wins over a spelling of it.
		if _, taken := f.values[name]; taken && name != k {
			continue
		}
		f.values[name] = v
	}
	return f
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
func (f *Fields) first(names ...string) (string, any, bool) {
	for _, n := range names {
		if v, ok := f.values[n]; ok && v != nil {
			return n, v, true
		}
	}
	return "", nil, false
}

// text returns a text field of at most 256 bytes.
func (f *Fields) text(names ...string) string {
	n, v, ok := f.first(names...)
	if !ok {
		return ""
	}
	s, isText := v.(string)
	if num, isNumber := v.(json.Number); isNumber {
		s, isText = num.String(), true
	}
	if !isText || len(s) > 256 {
		f.issue(n, "want a text of at most 256 bytes")
		return ""
	}
	return s
}

// number returns a number, also one that was written as a text.
func (f *Fields) number(names ...string) (float64, bool) {
	n, v, ok := f.first(names...)
	if !ok {
		return 0, false
	}
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = strings.TrimSpace(v)
		f.issue(n, "want a number, got a text")
	default:
		f.issue(n, "want a number")
		return 0, false
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		f.issue(n, "want a number, got %.32q", s)
		return 0, false
	}
	return x, true
}

// count returns a whole number that is not negative.
func (f *Fields) count(names ...string) (uint64, bool) {
	if n, v, ok := f.first(names...); ok {
		if num, isNumber := v.(json.Number); isNumber {
			// Whole numbers beyond 2^53 must not pass through a float.
			if x, err := strconv.ParseUint(num.String(), 10, 64); err == nil {
				return x, true
			}
		}
		x, ok := f.number(n)
		if !ok {
			return 0, false
		}
		if x < 0 || x != math.Trunc(x) || x >= 1<<63 {
			f.issue(n, "want a whole number from 0")
			return 0, false
		}
		return uint64(x), true
	}
	return 0, false
}

// when returns a time: RFC 3339, or seconds or milliseconds since 1970. What
// can only be a time since boot is no time, and no issue.
func (f *Fields) when(names ...string) time.Time {
	n, v, ok := f.first(names...)
	if !ok {
		return time.Time{}
	}
	if s, isText := v.(string); isText {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime} {
			if t, err := time.Parse(layout, s); err == nil {
				return fleet.Millis(t)
			}
		}
	}
	x, ok := f.number(n)
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
	n, _, _ := f.first(names...)
	x, ok := f.number(names...)
	if !ok {
		return nil
	}
	if x < 0 || x > 100 {
		f.issue(n, "want 0 to 100, got %g", x)
		return nil
	}
	p := int(math.Round(x))
	return &p
}

// signal returns the strength of the radio signal in dBm: told as such, or as
// a percentage of the usual range from -100 to -50 dBm.
func (f *Fields) signal() *int {
	n, _, given := f.first("signal_strength", "rssi", "rssi_dbm", "signal")
	if !given {
		return nil
	}
	x, ok := f.number(n)
	switch {
	case !ok:
		return nil
	case x >= -130 && x < 0:
	case x >= 0 && x <= 100:
		x = x/2 - 100
	default:
		f.issue(n, "want -130 to 0 dBm or 0 to 100 per cent, got %g", x)
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
	n, _, _ := f.first(names...)
	f.issue(n, "want one of %s, got %.32q", strings.Join(allowed, ", "), w)
	return ""
}
