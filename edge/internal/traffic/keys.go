package traffic

import "encoding/binary"

// The key layout, version 1. The first byte names the table; numbers are big
// endian, so that keys sort as numbers do.
//
//	M name           settings: format, alive, floor
//	C subject(4)     a subject: a device in its room
//	T stream(4)      a stream: subject, direction, topic, last known use
//	I seq(8)         header of a segment of raw records
//	R seq(8) n(2)    chunk n of that segment
//	N minute(8)      summaries of a minute, all subjects; minutes since 1970
//	H hour(8)        summaries of an hour, likewise
//	O hour(8)        an hour whose minutes are newer than its summary: empty
//	U hour(8)        an hour that the console does not hold: empty
//	G number(8)      a gap
const (
	tableMeta    = 'M'
	tableSubject = 'C'
	tableStream  = 'T'
	tableSegment = 'I'
	tableChunk   = 'R'
	tableMinute  = 'N'
	tableHour    = 'H'
	tableOpen    = 'O'
	tablePending = 'U'
	tableGap     = 'G'
)

const formatVersion = "1"

func metaKey(name string) []byte { return append([]byte{tableMeta}, name...) }

func idKey(table byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{table}, id)
}

func numKey(table byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{table}, n)
}

// timeKey is numKey for minutes and hours.
func timeKey(table byte, n int64) []byte { return numKey(table, uint64(max(n, 0))) }

func chunkKey(seq uint64, n int) []byte {
	return binary.BigEndian.AppendUint16(numKey(tableChunk, seq), uint16(n))
}

// keyNumber is the number in a key of numKey.
func keyNumber(k []byte) (uint64, bool) {
	if len(k) != 9 {
		return 0, false
	}
	return binary.BigEndian.Uint64(k[1:]), true
}

func keyID(k []byte) (uint32, bool) {
	if len(k) != 5 {
		return 0, false
	}
	return binary.BigEndian.Uint32(k[1:]), true
}

// table is where a table begins and where it ends.
func table(t byte) (from, to []byte) { return []byte{t}, []byte{t + 1} }
