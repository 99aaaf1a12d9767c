package traffic

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/obedio/obedio/shared/fleet"
)

func someRecords(n int) []record {
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	rs := make([]record, n)
	at := int64(1_780_000_000_000)
	for i := range rs {
		at += int64(rng.IntN(40)) - 2 // the clock may go back
		rs[i] = record{
			at: at, stream: uint32(1 + rng.IntN(50)), size: uint32(rng.IntN(300)),
			flags: uint8(rng.IntN(3)) | uint8(rng.IntN(2))<<2,
		}
		if rng.IntN(4) == 0 {
			rs[i].payload = []byte("press " + string(rune('a'+rng.IntN(26))))
			rs[i].flags |= flagPayload
		}
	}
	slices.SortStableFunc(rs, before)
	return rs
}

func TestChunk_ComesBackAsItWas(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 100, chunkRecords} {
		want := someRecords(n)
		var got []record
		if err := decodeChunk(encodeChunk(want), true, nil, func(r record) { got = append(got, r) }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(record{})); d != "" {
			t.Errorf("%d records (-want +got):\n%s", n, d)
		}
	}
}

func TestSummaries_ComeBackAsTheyWere(t *testing.T) {
	want := summaries{
		1:     {Counts: Counts{MessagesIn: 3, BytesIn: 1 << 40, Actions: [actionCount]uint64{1, 2}}},
		7:     {fields: []fleet.TrafficField{{Name: "battery", Count: 2, Min: 0, Max: 80.5, Last: 80.5}, {Name: "x", Count: 1, Min: -1e300, Max: 1e300, Last: 0.1}}},
		70000: {Counts: Counts{Denied: 1}, fields: []fleet.TrafficField{{Name: "battery", Count: 1, Min: 55, Max: 55, Last: 55}}},
	}
	got, err := decodeSummaries(encodeSummaries(want))
	if err != nil {
		t.Fatal(err)
	}
	if !got.equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// damaged fails unless a decoder has taken the bytes or found them damaged.
func damaged(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, errDamaged) {
		t.Errorf("error %v: want errDamaged", err)
	}
}

// The checksum is put right, so that the fuzzer reaches what is behind it.
func FuzzDecodeChunk(f *testing.F) {
	for _, n := range []int{1, 20, 500} {
		b := encodeChunk(someRecords(n))
		f.Add(b[:len(b)-4])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		damaged(t, decodeChunk(seal(slices.Clone(b)), true, nil, func(record) { n++ }))
		if n > maxChunk {
			t.Errorf("%d records in one chunk", n)
		}
		damaged(t, decodeChunk(b, false, func(id uint32) bool { return id%2 == 0 }, func(record) {}))
	})
}

func FuzzDecodeSummaries(f *testing.F) {
	b := encodeSummaries(summaries{1: {Counts: Counts{MessagesIn: 3}}, 9: {fields: []fleet.TrafficField{{Name: "x", Count: 1, Min: 1.5, Max: 2, Last: 2}}}})
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := decodeSummaries(seal(slices.Clone(b)))
		damaged(t, err)
	})
}

func FuzzDecodeHeaders(f *testing.F) {
	s, _ := buildSegment(4, 9, 1, someRecords(50))
	b := encodeSegment(s)
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := seal(slices.Clone(b))
		_, err := decodeSegment(4, whole)
		damaged(t, err)
		_, err = decodeSubject(1, whole)
		damaged(t, err)
		_, err = decodeStream(1, whole, func(uint32) *subject { return &subject{} })
		damaged(t, err)
		_, err = decodeGap(whole)
		damaged(t, err)
	})
}
