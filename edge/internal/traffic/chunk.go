package traffic

import (
	"encoding/binary"
	"fmt"
)

// chunkRecords is how many records are compressed together: enough for the
// compressor, few enough that one device's hour is quick to read.
const chunkRecords = 4096

// chunkVersion begins every chunk.
const chunkVersion = 1

// maxChunk bounds what a chunk may claim to hold.
const maxChunk = 1 << 16

// encodeChunk writes records, sorted by before, as columns.
//
// A run is what one stream has in the chunk. Times are differences, the first
// of a run from the chunk's base; sizes are what is above the run's smallest;
// flags are where they differ from those of the run's first.
func encodeChunk(rs []record) []byte {
	base := rs[0].at
	for _, r := range rs {
		base = min(base, r.at)
	}
	var streams, counts, smallest, lengths []uint64
	times, sizes := make([]uint64, len(rs)), make([]uint64, len(rs))
	flags := make([]byte, len(rs))
	var usual, payloads []byte
	var prevStream int64
	for from := 0; from < len(rs); {
		to, least := from, rs[from].size
		for to < len(rs) && rs[to].stream == rs[from].stream {
			least = min(least, rs[to].size)
			to++
		}
		streams = append(streams, zigzag(int64(rs[from].stream)-prevStream))
		prevStream = int64(rs[from].stream)
		counts = append(counts, uint64(to-from-1))
		smallest = append(smallest, uint64(least))
		usual = append(usual, rs[from].flags)
		prev := base
		for i := from; i < to; i++ {
			r := rs[i]
			times[i], sizes[i], flags[i] = uint64(r.at-prev), uint64(r.size-least), r.flags^rs[from].flags
			prev = r.at
			if r.flags&flagPayload != 0 {
				lengths = append(lengths, uint64(len(r.payload)))
				payloads = append(payloads, r.payload...)
			}
		}
		from = to
	}
	out := binary.AppendUvarint([]byte{chunkVersion}, uint64(len(rs)))
	out = binary.AppendUvarint(out, uint64(len(streams)))
	out = binary.AppendUvarint(out, zigzag(base))
	for _, col := range [][]uint64{streams, counts, smallest, times, sizes} {
		out = appendNumbers(out, col)
	}
	out = appendColumn(appendColumn(out, usual), flags)
	out = appendNumbers(out, lengths)
	if len(payloads) > 0 {
		enc, _ := codec()
		z := enc.EncodeAll(payloads, nil)
		out = append(binary.AppendUvarint(out, uint64(len(z))), z...)
	}
	return seal(out)
}

// decodeChunk gives emit the records of those streams that want is true for
// (nil for all), in order, without their subjects. payloads says whether they
// are read too.
func decodeChunk(b []byte, payloads bool, want func(stream uint32) bool, emit func(record)) error {
	body, err := unseal(b)
	if err != nil {
		return err
	}
	r := &reader{b: body}
	if r.byte() != chunkVersion {
		r.fail("version of a chunk")
	}
	n := r.count(maxChunk)
	runs := r.count(n)
	base := r.varint()
	streams, counts, smallest := r.numbers(runs), r.numbers(runs), r.numbers(runs)
	times, sizes, usual, flags := r.numbers(n), r.numbers(n), r.column(runs), r.column(n)
	if r.err != nil {
		return r.err
	}
	if flags, err = wholeFlags(flags, usual, counts); err != nil {
		return err
	}
	texts, err := readPayloads(r, flags, payloads)
	if err != nil {
		return err
	}
	i, text := 0, 0
	var stream int64
	for run := range runs {
		stream += unzigzag(streams[run])
		if stream < 0 || stream > 1<<32-1 {
			r.fail("run")
			return r.err
		}
		id := uint32(stream)
		take := want == nil || want(id)
		at := base
		for range counts[run] + 1 {
			at += int64(times[i])
			rec := record{at: at, stream: id, size: uint32(sizes[i] + smallest[run]), flags: flags[i]}
			if rec.flags&flagPayload != 0 {
				if payloads {
					rec.payload = texts[text]
				}
				text++
			}
			if take {
				emit(rec)
			}
			i++
		}
	}
	return nil
}

// wholeFlags returns the flags of each record, from those of its run and where
// it differs; and checks that the runs are as long as all records.
func wholeFlags(different, usual []byte, counts []uint64) ([]byte, error) {
	out, i := make([]byte, len(different)), 0
	for run, more := range counts {
		if more >= uint64(len(out)-i) {
			return nil, fmt.Errorf("%w: run", errDamaged)
		}
		for range more + 1 {
			out[i] = different[i] ^ usual[run]
			i++
		}
	}
	if i != len(out) {
		return nil, fmt.Errorf("%w: runs", errDamaged)
	}
	return out, nil
}

// readPayloads reads the end of a chunk: the payloads of those records whose
// flags say that there is one.
func readPayloads(r *reader, flags []byte, wanted bool) ([][]byte, error) {
	with := 0
	for _, f := range flags {
		if f > flagsKnown {
			r.fail("flags")
		}
		if f&flagPayload != 0 {
			with++
		}
	}
	lengths := r.numbers(with)
	total := uint64(0)
	for _, l := range lengths {
		if total += min(l, maxInflated+1); total > maxInflated {
			r.fail("payloads")
			break
		}
	}
	if r.err != nil || total == 0 {
		return make([][]byte, with), r.end()
	}
	if !wanted {
		r.bytes(r.uvarint())
		return nil, r.end()
	}
	text := r.inflate(int(total))
	if err := r.end(); err != nil {
		return nil, err
	}
	out := make([][]byte, with)
	for i, l := range lengths {
		out[i], text = text[:l:l], text[l:]
	}
	return out, nil
}
