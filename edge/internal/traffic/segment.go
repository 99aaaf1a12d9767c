package traffic

import (
	"encoding/binary"
	"math"
	"slices"
)

// segment is the header of a block of raw records. Small segments, one a
// flush, are merged into large ones; a segment has the numbers first to last of
// the flushes that are in it.
type segment struct {
	first, last uint64
	// level counts how often its records were merged; full is as far as it goes.
	level    uint8
	records  int
	min, max int64 // times, milliseconds since 1970
	chunks   []chunkInfo
}

// full is the level of a segment that is not merged any more.
const full = 255

const segmentVersion = 1

// chunkInfo says what a chunk holds, so that a query reads only those that it
// needs.
type chunkInfo struct {
	firstSubject, lastSubject uint32
	records                   int
	bytes                     int
}

// bytes is the size of the segment's values.
func (s *segment) bytes() (n uint64) {
	for _, c := range s.chunks {
		n += uint64(c.bytes)
	}
	return n
}

func (s *segment) overlaps(from, to int64) bool { return s.max >= from && s.min <= to }

// buildSegment sorts records and cuts them into encoded chunks. A chunk also
// ends where its payloads would become too many.
func buildSegment(first, last uint64, level uint8, rs []record) (*segment, [][]byte) {
	slices.SortStableFunc(rs, before)
	s := &segment{first: first, last: last, level: level, records: len(rs), min: math.MaxInt64, max: math.MinInt64}
	for _, r := range rs {
		s.min, s.max = min(s.min, r.at), max(s.max, r.at)
	}
	var values [][]byte
	for len(rs) > 0 {
		n, payload := 0, 0
		for n < min(len(rs), chunkRecords) {
			if payload += len(rs[n].payload); n > 0 && payload > maxInflated/4 {
				break
			}
			n++
		}
		v := encodeChunk(rs[:n])
		values = append(values, v)
		s.chunks = append(s.chunks, chunkInfo{rs[0].subject, rs[n-1].subject, n, len(v)})
		rs = rs[n:]
	}
	return s, values
}

func encodeSegment(s *segment) []byte {
	out := []byte{segmentVersion, s.level}
	out = binary.AppendUvarint(out, s.last-s.first)
	out = binary.AppendUvarint(out, uint64(s.records))
	out = binary.AppendUvarint(out, zigzag(s.min))
	out = binary.AppendUvarint(out, uint64(s.max-s.min))
	out = binary.AppendUvarint(out, uint64(len(s.chunks)))
	for _, c := range s.chunks {
		out = binary.AppendUvarint(out, uint64(c.firstSubject))
		out = binary.AppendUvarint(out, uint64(c.lastSubject-c.firstSubject))
		out = binary.AppendUvarint(out, uint64(c.records))
		out = binary.AppendUvarint(out, uint64(c.bytes))
	}
	return seal(out)
}

func decodeSegment(first uint64, b []byte) (*segment, error) {
	body, err := unseal(b)
	if err != nil {
		return nil, err
	}
	r := &reader{b: body}
	if r.byte() != segmentVersion {
		r.fail("version of a segment")
	}
	s := &segment{first: first, level: r.byte()}
	s.last = first + r.uvarint()
	s.records = r.count(math.MaxInt32)
	s.min = r.varint()
	s.max = s.min + int64(r.uvarint())
	n := r.count(math.MaxUint16)
	left := s.records
	for range n {
		if r.err != nil {
			break
		}
		c := chunkInfo{firstSubject: uint32(r.uvarint())}
		c.lastSubject = c.firstSubject + uint32(r.uvarint())
		c.records, c.bytes = r.count(maxChunk), r.count(math.MaxInt32)
		left -= c.records
		s.chunks = append(s.chunks, c)
	}
	if left != 0 || s.last < s.first || s.max < s.min {
		r.fail("segment")
	}
	return s, r.end()
}
