package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// errDamaged: bytes of the database are not what this package has written.
var errDamaged = errors.New("damaged")

// How a column of bytes is stored.
const (
	columnConstant = iota // one byte stands for all
	columnRaw
	columnZstd
)

// maxInflated bounds what one compressed piece may become.
const maxInflated = 16 << 20

// codec is the compressor, made once: it owns some memory.
var codec = sync.OnceValues(func() (*zstd.Encoder, *zstd.Decoder) {
	// The options are constant and right, so there is no error.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(128<<10), zstd.WithSingleSegment(true),
		// Columns have few repetitions and much order.
		zstd.WithAllLitEntropyCompression(true))
	if err != nil {
		panic(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxInflated), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		panic(err)
	}
	return enc, dec
})

// appendColumn adds a column of bytes in its shortest form. The reader knows
// how many there are.
func appendColumn(dst, col []byte) []byte {
	constant := true
	for _, b := range col {
		if b != col[0] {
			constant = false
			break
		}
	}
	if constant {
		if len(col) == 0 {
			return append(dst, columnConstant, 0)
		}
		return append(dst, columnConstant, col[0])
	}
	if len(col) > 24 {
		enc, _ := codec()
		if z := enc.EncodeAll(col, nil); len(z)+3 < len(col) {
			dst = binary.AppendUvarint(append(dst, columnZstd), uint64(len(z)))
			return append(dst, z...)
		}
	}
	return append(append(dst, columnRaw), col...)
}

// appendNumbers adds a column of numbers: their low bits, which are noise,
// packed as they are, and what is above as planes of bytes, which a compressor
// makes small.
func appendNumbers(dst []byte, vs []uint64) []byte {
	low := noiseBits(vs)
	var all uint64
	for _, v := range vs {
		all |= v >> low
	}
	planes := (bits.Len64(all) + 7) / 8
	dst = append(dst, byte(low), byte(planes))
	dst = appendBits(dst, vs, low)
	plane := make([]byte, len(vs))
	for p := range planes {
		for i, v := range vs {
			plane[i] = byte(v >> (low + 8*p))
		}
		dst = appendColumn(dst, plane)
	}
	return dst
}

// noiseBits is how many low bits of the numbers hold no order that a
// compressor finds: all but about the highest four of a usual number.
func noiseBits(vs []uint64) int {
	if len(vs) < 16 {
		return 0
	}
	var lengths [65]int
	for _, v := range vs {
		lengths[bits.Len64(v)]++
	}
	n, usual := 0, 0
	for n += lengths[0]; n <= len(vs)/2; n += lengths[usual] {
		usual++
	}
	if usual <= 7 {
		return 0 // a byte: its values may repeat
	}
	return min(usual-4, maxNoise)
}

// maxNoise bits can be packed at once.
const maxNoise = 56

// appendBits packs the lowest n bits of each number.
func appendBits(dst []byte, vs []uint64, n int) []byte {
	if n == 0 {
		return dst
	}
	var acc uint64
	have, mask := 0, uint64(1)<<n-1
	for _, v := range vs {
		acc |= v & mask << have
		for have += n; have >= 8; have -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	if have > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// appendFloats adds numbers that are often decimals of few digits.
func appendFloats(dst []byte, vs []float64) []byte {
	for power, scale := range []float64{1, 10, 100, 1000, 10000} {
		ints, ok := scaled(vs, scale)
		if !ok {
			continue
		}
		dst = append(dst, byte(power))
		var prev int64
		out := make([]uint64, len(ints))
		for i, v := range ints {
			out[i] = zigzag(v - prev)
			prev = v
		}
		return appendNumbers(dst, out)
	}
	dst = append(dst, floatRaw)
	out := make([]uint64, len(vs))
	for i, v := range vs {
		out[i] = math.Float64bits(v)
	}
	return appendNumbers(dst, out)
}

const floatRaw = 0xff

// scaled returns vs times scale when all of them are whole then and come back
// exactly.
func scaled(vs []float64, scale float64) ([]int64, bool) {
	out := make([]int64, len(vs))
	for i, v := range vs {
		x := math.Round(v * scale)
		if math.Abs(x) >= 1<<52 || math.Float64bits(x/scale) != math.Float64bits(v) {
			return nil, false
		}
		out[i] = int64(x)
	}
	return out, true
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal ends a value with its checksum.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unseal checks and removes the checksum.
func unseal(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", errDamaged, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum", errDamaged)
	}
	return body, nil
}

// reader reads what the append functions wrote. After the first error it
// returns zeros; the error stays.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errDamaged, what)
	}
}

func (r *reader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)) {
		r.fail("too short")
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

func (r *reader) text() string { return string(r.bytes(r.uvarint())) }

// count is a number of things, of which there are at most most.
func (r *reader) count(most int) int {
	n := r.uvarint()
	if n > uint64(most) {
		r.fail("count")
		return 0
	}
	return int(n)
}

// column reads n bytes of appendColumn.
func (r *reader) column(n int) []byte {
	switch r.byte() {
	case columnConstant:
		b := r.byte()
		if r.err != nil {
			return nil
		}
		out := make([]byte, n)
		if b != 0 {
			for i := range out {
				out[i] = b
			}
		}
		return out
	case columnRaw:
		return r.bytes(uint64(n))
	case columnZstd:
		return r.inflate(n)
	}
	r.fail("column")
	return nil
}

// inflate reads a compressed piece that becomes n bytes.
func (r *reader) inflate(n int) []byte {
	z := r.bytes(r.uvarint())
	if r.err != nil {
		return nil
	}
	_, dec := codec()
	out, err := dec.DecodeAll(z, make([]byte, 0, n))
	if err != nil || len(out) != n {
		r.fail("compressed column")
		return nil
	}
	return out
}

// numbers reads n numbers of appendNumbers.
func (r *reader) numbers(n int) []uint64 {
	low, planes := int(r.byte()), int(r.byte())
	if low > maxNoise || planes > 8 {
		r.fail("planes")
	}
	packed := r.bytes((uint64(n)*uint64(low) + 7) / 8)
	if r.err != nil {
		return nil
	}
	out := make([]uint64, n)
	for p := range planes {
		col := r.column(n)
		if r.err != nil {
			return nil
		}
		shift := low + 8*p
		for i, b := range col {
			out[i] |= uint64(b) << shift
		}
	}
	if low > 0 {
		unpack(out, packed, low)
	}
	return out
}

// unpack adds the low bits of appendBits; packed has enough of them.
func unpack(out []uint64, packed []byte, n int) {
	var acc uint64
	have, mask := 0, uint64(1)<<n-1
	for i := range out {
		for have < n {
			acc |= uint64(packed[0]) << have
			packed = packed[1:]
			have += 8
		}
		out[i] |= acc & mask
		acc >>= n
		have -= n
	}
}

// floats reads n numbers of appendFloats.
func (r *reader) floats(n int) []float64 {
	power := r.byte()
	ints := r.numbers(n)
	if power > 4 && power != floatRaw {
		r.fail("scale")
	}
	if r.err != nil {
		return nil
	}
	out := make([]float64, n)
	if power == floatRaw {
		for i, v := range ints {
			out[i] = math.Float64frombits(v)
		}
		return out
	}
	scale := []float64{1, 10, 100, 1000, 10000}[power]
	var prev int64
	for i, v := range ints {
		prev += unzigzag(v)
		out[i] = float64(prev) / scale
	}
	return out
}

// end reports the error, or that something is left.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("something follows")
	}
	return r.err
}
