package traffic

import (
	"math"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// pageRecords is how many records a page of a tail holds.
const pageRecords = 1024

// tail is what has come and is not on disk: records in pages, which readers
// may look at while more is added behind, and what was counted besides.
type tail struct {
	pages   [][]record
	records int
	bytes   int // of payloads
	extra   map[extraKey]*row
	from    time.Time // of the first record that found no room
	lost    uint64
	gaps    []Gap // beside those that found no room
}

type extraKey struct {
	minute  int64
	subject uint32
}

func (t *tail) add(r record, free *[][]record) {
	last := len(t.pages) - 1
	if last < 0 || len(t.pages[last]) == pageRecords {
		var page []record
		if n := len(*free); n > 0 {
			page, *free = (*free)[n-1], (*free)[:n-1]
		} else {
			page = make([]record, 0, pageRecords)
		}
		t.pages = append(t.pages, page)
		last++
	}
	t.pages[last] = append(t.pages[last], r)
	t.records++
	t.bytes += len(r.payload)
}

// Record takes a message that passed the broker. It never waits for the disk
// or for a reader, and keeps nothing of m.Payload.
func (t *Traffic) Record(m Message) {
	at := m.At.UnixMilli()
	t.mu.Lock()
	s := t.dict.stream(&m)
	switch {
	case t.off != "":
		t.offLost++
		t.counts.Lost++
	case t.crowded():
		if t.waiting.lost == 0 {
			t.waiting.from = m.At
		}
		t.waiting.lost++
		t.counts.Lost++
	default:
		s.waiting = true
		t.waiting.add(t.recordOf(&m, s, at), &t.pages)
		t.counts.Records++
		if t.waiting.records >= t.c.BlockRecords {
			select {
			case t.full <- struct{}{}:
			default: // told already
			}
		}
	}
	t.mu.Unlock()
	t.live.pass(&m, s, t.c.LivePayloadBytes)
}

// crowded reports whether so much waits for the disk that there is no room for
// more. The caller holds mu.
func (t *Traffic) crowded() bool {
	return t.waiting.records+t.flushing.records >= t.c.MaxWaiting || len(t.waiting.extra) >= t.c.MaxWaiting
}

func (t *Traffic) recordOf(m *Message, s *stream, at int64) record {
	r := record{
		at: at, subject: s.subject.id, stream: s.id,
		size: uint32(min(max(m.Size, len(m.Payload)), math.MaxInt32)), flags: m.QoS & flagQoS,
	}
	if m.Retain {
		r.flags |= flagRetain
	}
	if len(m.Payload) > 0 && len(t.c.Payloads) > 0 && t.c.records(s.subject.kind) &&
		t.waiting.bytes+t.flushing.bytes < t.c.WaitingBytes {
		n := min(len(m.Payload), t.c.PayloadBytes)
		r.payload = append(make([]byte, 0, n), m.Payload[:n]...)
		r.flags |= flagPayload
		if n < len(m.Payload) {
			r.flags |= flagTruncated
		}
	}
	return r
}

// extra is the row for what is counted beside the messages. The caller holds
// mu.
func (t *Traffic) extra(device string, at time.Time) *row {
	k := extraKey{minuteOf(at.UnixMilli()), t.dict.of(device).id}
	r := t.waiting.extra[k]
	if r == nil {
		if t.waiting.extra == nil {
			t.waiting.extra = map[extraKey]*row{}
		}
		r = &row{}
		t.waiting.extra[k] = r
	}
	return r
}

// Observe takes the numeric fields of a payload of a device. Fields beyond the
// limits, and values that are no numbers, are left out.
func (t *Traffic) Observe(device fleet.DeviceID, at time.Time, numbers []Number) {
	if len(numbers) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off != "" || t.crowded() {
		return
	}
	r := t.extra(string(device), at)
	for _, n := range numbers {
		if math.IsNaN(n.Value) || math.IsInf(n.Value, 0) {
			continue
		}
		if name, ok := t.fieldName(n.Name); ok {
			r.observe(fleet.TrafficField{Name: name, Count: 1, Min: n.Value, Max: n.Value, Last: n.Value}, t.c.MaxFields)
		}
	}
}

// fieldName is the one copy of a field's name.
func (t *Traffic) fieldName(name string) (string, bool) {
	if known, ok := t.names[name]; ok {
		return known, true
	}
	if len(name) > 64 || len(t.names) >= t.c.MaxFieldNames {
		return "", false
	}
	name = strings.Clone(name)
	t.names[name] = name
	return name, true
}

// Dropped counts a message for, or from, a device that was not delivered.
func (t *Traffic) Dropped(device string, at time.Time) {
	t.count(device, at, func(c *Counts) { c.Dropped++ })
}

// Denied counts a decision against a device.
func (t *Traffic) Denied(device string, at time.Time) {
	t.count(device, at, func(c *Counts) { c.Denied++ })
}

// Reconnected counts a connection of a device.
func (t *Traffic) Reconnected(device string, at time.Time) {
	t.count(device, at, func(c *Counts) { c.Reconnects++ })
}

func (t *Traffic) count(device string, at time.Time, one func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off == "" && !t.crowded() {
		one(&t.extra(device, at).Counts)
	}
}

// Pause stops the recording, for a disk that is filling, or lets it go on. The
// live view goes on all the time; history has a gap.
func (t *Traffic) Pause(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case on && t.off == "":
		t.turnOff(GapPaused)
	case !on && t.off == GapPaused:
		t.waiting.gaps = append(t.waiting.gaps, Gap{From: t.offSince, To: t.now(), Reason: t.off, Lost: t.offLost})
		t.off, t.offLost = "", 0
	}
}

// turnOff begins a time without recording. The caller holds mu.
func (t *Traffic) turnOff(why GapReason) {
	if t.off == "" {
		t.offSince = t.now()
	}
	t.off = why
}

func minuteOf(ms int64) int64   { return max(ms, 0) / 60_000 }
func hourOf(minute int64) int64 { return minute / 60 }
