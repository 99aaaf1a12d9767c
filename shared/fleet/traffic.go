package fleet

import (
	"fmt"
	"math"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what an hour of traffic may hold.
const (
	// MaxTrafficName is the greatest length of a client's name, in bytes.
	MaxTrafficName = 256
	// MaxTrafficFields of one row, and the greatest length of a field's name.
	MaxTrafficFields    = 64
	MaxTrafficFieldName = 128
	// MaxTrafficParts is how many parts an hour may be cut into on its way.
	MaxTrafficParts = 1024
)

// TrafficOther stands for clients that are not told apart. It is no name of a
// device, so nothing else is called so.
const TrafficOther = "~other"

// TrafficRef names an hour of traffic as it stands. A clock that is set back
// may change an hour; then its version is another. Versions have no order.
type TrafficRef struct {
	Start   time.Time
	Version uint32
}

// Check says what is wrong with r; ErrInvalid.
func (r TrafficRef) Check() error {
	if r.Start.UnixMilli() < 0 || !r.Start.Equal(r.Start.Truncate(time.Hour)) {
		return fmt.Errorf("%w: hour of traffic at %s: want a whole hour since 1970", ErrInvalid, r.Start.Format(time.RFC3339Nano))
	}
	return nil
}

// TrafficHour is what the clients of a hub's broker did in an hour that is
// over, as the hub has summed it up.
type TrafficHour struct {
	TrafficRef
	Rows []TrafficRow
}

// TrafficRow is what one client did, in the room where it was.
type TrafficRow struct {
	// Device is the MQTT client, which need not be a device.
	Device string
	// Type and Room are empty when the hub does not know them.
	Type   DeviceType
	Room   RoomID
	Counts TrafficCounts
	Fields []TrafficField
}

// TrafficCounts is what is counted of one client, or of many.
type TrafficCounts struct {
	// MessagesIn came from clients, MessagesOut went to them; the bytes are those
	// of their payloads.
	MessagesIn  uint64 `json:"messages_in"`
	MessagesOut uint64 `json:"messages_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	// Dropped messages, denied actions, connections that came back.
	Dropped    uint64 `json:"dropped"`
	Denied     uint64 `json:"denied"`
	Reconnects uint64 `json:"reconnects"`
}

// Add adds o to c.
func (c *TrafficCounts) Add(o TrafficCounts) {
	c.MessagesIn += o.MessagesIn
	c.MessagesOut += o.MessagesOut
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	c.Dropped += o.Dropped
	c.Denied += o.Denied
	c.Reconnects += o.Reconnects
}

// Messages is the number of messages of both directions.
func (c TrafficCounts) Messages() uint64 { return c.MessagesIn + c.MessagesOut }

// TrafficField is what a numeric field was.
type TrafficField struct {
	Name           string
	Count          uint64
	Min, Max, Last float64
}

// Then is what two times have been, f the earlier.
func (f TrafficField) Then(o TrafficField) TrafficField {
	if f.Count == 0 {
		return o
	}
	if o.Count == 0 {
		return f
	}
	return TrafficField{Name: f.Name, Count: f.Count + o.Count, Min: min(f.Min, o.Min), Max: max(f.Max, o.Max), Last: o.Last}
}

// Check says what is wrong with r; ErrInvalid.
func (r TrafficRow) Check() error {
	if !validText(r.Device, MaxTrafficName) || r.Device == "" {
		return fmt.Errorf("%w: client %.80q: want 1 to %d bytes of text", ErrInvalid, r.Device, MaxTrafficName)
	}
	if !validText(string(r.Type), MaxSegment) || !validText(string(r.Room), MaxSegment) {
		return fmt.Errorf("%w: type %.80q or room %.80q: want at most %d bytes of text", ErrInvalid, r.Type, r.Room, MaxSegment)
	}
	if len(r.Fields) > MaxTrafficFields {
		return fmt.Errorf("%w: %d fields: want at most %d", ErrInvalid, len(r.Fields), MaxTrafficFields)
	}
	for _, f := range r.Fields {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f TrafficField) check() error {
	if !validText(f.Name, MaxTrafficFieldName) || f.Name == "" {
		return fmt.Errorf("%w: field %.80q: want 1 to %d bytes of text", ErrInvalid, f.Name, MaxTrafficFieldName)
	}
	for _, v := range []float64{f.Min, f.Max, f.Last} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: field %.80q is %v", ErrInvalid, f.Name, v)
		}
	}
	return nil
}

// Bounded is r so that Check has nothing against it. Counts are kept in any
// case: a client whose name cannot be carried counts as TrafficOther.
func (r TrafficRow) Bounded() TrafficRow {
	if r.Check() == nil {
		return r
	}
	if !validText(r.Device, MaxTrafficName) || r.Device == "" {
		r.Device = TrafficOther
	}
	if !validText(string(r.Type), MaxSegment) {
		r.Type = ""
	}
	if !validText(string(r.Room), MaxSegment) {
		r.Room = ""
	}
	fields := make([]TrafficField, 0, min(len(r.Fields), MaxTrafficFields))
	for _, f := range r.Fields {
		if f.check() == nil && len(fields) < MaxTrafficFields {
			fields = append(fields, f)
		}
	}
	r.Fields = fields
	return r
}

// validText reports whether s is text without control characters, of at most
// so many bytes.
func validText(s string, most int) bool {
	if len(s) > most || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if unicode.IsControl(c) {
			return false
		}
	}
	return true
}
