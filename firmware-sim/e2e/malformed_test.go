package e2e

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// corpus reads the lines of a file that are not comments.
func corpus(t *testing.T, name string) (lines []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "malformed", name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// seeded is a source of chance whose seed is printed; OBEDIO_SEED repeats it.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("OBEDIO_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatalf("OBEDIO_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// mutate changes a few bytes.
func mutate(rng *rand.Rand, in []byte) []byte {
	b := bytes.Clone(in)
	for range 1 + rng.IntN(4) {
		if len(b) == 0 {
			b = append(b, byte(rng.IntN(256)))
		}
		at := rng.IntN(len(b))
		switch rng.IntN(5) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b[at] = byte(rng.IntN(256))
		case 2:
			b = b[:at]
		case 3:
			b = append(b[:at:at], append([]byte{byte(rng.IntN(256))}, b[at:]...)...)
		case 4:
			b = append(b, b[at:]...)
		}
	}
	return b
}

// malformed is a line of packets.txt.
type malformed struct {
	when, what string
	bytes      []byte
}

func malformedPackets(t *testing.T) (all []malformed) {
	t.Helper()
	for _, line := range corpus(t, "packets.txt") {
		f := strings.SplitN(line, " ", 3)
		if len(f) < 3 {
			t.Fatalf("packets.txt: %q: want when, bytes and what is wrong", line)
		}
		b, err := hex.DecodeString(f[1])
		if err != nil {
			t.Fatalf("packets.txt: %q: %v", line, err)
		}
		all = append(all, malformed{f[0], f[2], b})
	}
	return all
}

// greeting is what is sent before a malformed packet, so that it is the first
// or a later one.
func (m malformed) greeting(d device) []byte {
	switch m.when {
	case "later4":
		return hello{}.packet(d)
	case "later5":
		return hello{version: 5}.packet(d)
	}
	return nil
}

func sum(counts map[string]uint64) (n uint64) {
	for _, v := range counts {
		n += v
	}
	return n
}
