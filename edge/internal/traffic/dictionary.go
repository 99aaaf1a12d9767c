package traffic

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// subject is a device in its place: summaries are kept by subject, so that a
// device that moves leaves its past in the room where it was.
type subject struct {
	id     uint32
	device string
	kind   fleet.DeviceType
	room   fleet.RoomID
}

// stream is what one device sends, or gets, on one topic.
type stream struct {
	id      uint32
	subject *subject
	out     bool
	topic   string
	action  Action
	// used is a segment in which it was used, near the last such one; waiting
	// says that records in memory name it; placed that its messages do not tell
	// where the device is. Guarded by Traffic.mu.
	used    uint64
	unsaved bool
	waiting bool
	placed  bool
}

// refreshUse: a stream's used is written again when it is this many segments
// old, so a stream whose used is older than that has not been used since.
const refreshUse = 16384

// other stands for what is beyond a limit. It is no segment of a topic, so
// nothing else is called so.
const other = "~other"

// maxTopicBytes of a topic that is recorded under its name.
const maxTopicBytes = 512

type streamKey struct {
	device, topic string
	out           bool
}

// dictionary gives streams and subjects their numbers. Guarded by Traffic.mu;
// streams and subjects themselves do not change but where said.
type dictionary struct {
	maxStreams, maxSubjects int
	refresh                 uint64 // refreshUse, but in tests
	place                   func(device string) (fleet.DeviceType, fleet.RoomID)
	byKey                   map[streamKey]*stream
	byPlace                 map[subject]*subject // with id 0
	devices                 map[string]*subject  // the newest of each device
	// By number; nil where there is none. They only grow, and are replaced
	// where entries go, so that a copy of the slice is a snapshot.
	streams         []*stream
	subjects        []*subject
	live            int // streams that are there
	unsaved         []*stream
	unsavedSubjects []*subject
	// overflowed counts messages on streams that are not told apart.
	overflowed uint64
}

func newDictionary(c Config) *dictionary {
	return &dictionary{
		maxStreams: c.MaxTopics, maxSubjects: c.MaxSubjects, refresh: refreshUse, place: c.Place,
		byKey: map[streamKey]*stream{}, byPlace: map[subject]*subject{}, devices: map[string]*subject{},
		streams: []*stream{nil}, subjects: []*subject{nil}, // 0 is no number
	}
}

// stream returns the stream of a message; a new one is remembered to be saved.
func (d *dictionary) stream(m *Message) *stream {
	key := streamKey{m.Device, m.Topic, m.Direction == Outbound}
	s := d.byKey[key]
	if s == nil {
		s = d.newStream(key, m.Type, m.Room)
	}
	s.placed = m.Type == ""
	return s
}

// placeAgain lets go of a stream whose device is elsewhere by now: its next
// message begins another one.
func (d *dictionary) placeAgain(s *stream) {
	if !s.placed || d.place == nil {
		return
	}
	kind, room := d.place(s.subject.device)
	key := streamKey{s.subject.device, s.topic, s.out}
	if kind != "" && (kind != s.subject.kind || room != s.subject.room) && d.byKey[key] == s {
		delete(d.byKey, key)
	}
}

func (d *dictionary) newStream(key streamKey, kind fleet.DeviceType, room fleet.RoomID) *stream {
	sub := d.subject(key.device, kind, room)
	if d.live >= d.maxStreams || len(key.topic) > maxTopicBytes || sub.device == other {
		d.overflowed++
		key.device, key.topic = sub.device, other
		if s := d.byKey[key]; s != nil {
			return s
		}
	}
	s := &stream{
		id: uint32(len(d.streams)), subject: sub, out: key.out, topic: strings.Clone(key.topic),
		action: actionOf(key.topic), unsaved: true,
	}
	d.add(s)
	d.unsaved = append(d.unsaved, s)
	return s
}

// add puts s under its number, which is not taken.
func (d *dictionary) add(s *stream) {
	d.streams = put(d.streams, s.id, s)
	d.byKey[streamKey{s.subject.device, s.topic, s.out}] = s
	d.live++
}

// put sets the element at id, growing the slice.
func put[T any](all []*T, id uint32, v *T) []*T {
	for uint32(len(all)) <= id {
		all = append(all, nil)
	}
	all[id] = v
	return all
}

// at is the element at id, or nil.
func at[T any](all []*T, id uint32) *T {
	if uint64(id) < uint64(len(all)) {
		return all[id]
	}
	return nil
}

func (d *dictionary) subject(device string, kind fleet.DeviceType, room fleet.RoomID) *subject {
	if kind == "" && d.place != nil {
		kind, room = d.place(device)
	}
	key := subject{device: device, kind: kind, room: room}
	if s := d.byPlace[key]; s != nil {
		d.devices[s.device] = s
		return s
	}
	if len(d.byPlace) >= d.maxSubjects {
		key = subject{device: other, kind: other, room: ""}
		if s := d.byPlace[key]; s != nil {
			return s
		}
	}
	s := &subject{
		id: uint32(len(d.subjects)), device: strings.Clone(key.device),
		kind: fleet.DeviceType(strings.Clone(string(key.kind))), room: fleet.RoomID(strings.Clone(string(key.room))),
	}
	d.addSubject(s)
	d.unsavedSubjects = append(d.unsavedSubjects, s)
	return s
}

func (d *dictionary) addSubject(s *subject) {
	d.subjects = put(d.subjects, s.id, s)
	d.byPlace[subject{device: s.device, kind: s.kind, room: s.room}] = s
	d.devices[s.device] = s
}

// of is the subject of a device for what is not a message: the newest that is
// known, or where the device is now.
func (d *dictionary) of(device string) *subject {
	if s := d.devices[device]; s != nil {
		return s
	}
	return d.subject(device, "", "")
}

// forget removes streams that no segment from seq on has used. It returns
// their ids.
func (d *dictionary) forget(seq uint64) (ids []uint32) {
	for _, s := range d.streams {
		if s == nil || s.waiting || s.unsaved || s.used+d.refresh > seq {
			continue
		}
		ids = append(ids, s.id)
		key := streamKey{s.subject.device, s.topic, s.out}
		if d.byKey[key] == s {
			delete(d.byKey, key)
		}
	}
	if len(ids) > 0 {
		d.streams = slices.Clone(d.streams)
		for _, id := range ids {
			d.streams[id] = nil
		}
		d.live -= len(ids)
	}
	return ids
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func encodeSubject(s *subject) []byte {
	return seal(appendText(appendText(appendText(nil, s.device), string(s.kind)), string(s.room)))
}

func decodeSubject(id uint32, b []byte) (*subject, error) {
	body, err := unseal(b)
	if err != nil {
		return nil, err
	}
	r := &reader{b: body}
	s := &subject{id: id, device: r.text(), kind: fleet.DeviceType(r.text()), room: fleet.RoomID(r.text())}
	return s, r.end()
}

func encodeStream(s *stream) []byte {
	out := binary.AppendUvarint(nil, uint64(s.subject.id))
	out = append(out, oneIf(s.out))
	return seal(appendText(binary.AppendUvarint(out, s.used), s.topic))
}

// decodeStream reads a stream; its subject is found with find.
func decodeStream(id uint32, b []byte, find func(uint32) *subject) (*stream, error) {
	body, err := unseal(b)
	if err != nil {
		return nil, err
	}
	r := &reader{b: body}
	sub := find(uint32(r.uvarint()))
	s := &stream{id: id, subject: sub, out: r.byte() == 1, used: r.uvarint(), topic: r.text()}
	if sub == nil {
		r.fail("stream without subject")
	}
	s.action = actionOf(s.topic)
	return s, r.end()
}

func oneIf(b bool) byte {
	if b {
		return 1
	}
	return 0
}
