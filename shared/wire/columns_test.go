package wire_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

func TestColumns_GiveBackTheRowsToTheLastBit(t *testing.T) {
	number := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.IntRange(-1000, 1000), func(n int) float64 { return float64(n) / 10 }))
	field := rapid.Custom(func(t *rapid.T) fleet.TrafficField {
		v := []float64{number.Draw(t, "a"), number.Draw(t, "b"), number.Draw(t, "c")}
		return fleet.TrafficField{
			Name: rapid.SampledFrom([]string{"battery", "signal", "up"}).Draw(t, "name"), Count: rapid.Uint64Range(1, 1<<40).Draw(t, "n"),
			Min: slices.Min(v), Max: slices.Max(v), Last: v[1],
		}
	})
	row := rapid.Custom(func(t *rapid.T) fleet.TrafficRow {
		r := fleet.TrafficRow{
			Device: rapid.StringMatching(`[a-z]{1,3}-[0-9]{1,3}`).Draw(t, "device"), Type: rapid.SampledFrom(fleet.DeviceTypes()).Draw(t, "type"),
			Room:   fleet.RoomID(rapid.SampledFrom([]string{"", "cabin-1", "bridge"}).Draw(t, "room")),
			Counts: fleet.TrafficCounts{MessagesIn: rapid.Uint64Range(0, 1<<60).Draw(t, "in"), Denied: rapid.Uint64Range(0, 9).Draw(t, "denied")},
			Fields: rapid.SliceOfNDistinct(field, 0, 3, func(f fleet.TrafficField) string { return f.Name }).Draw(t, "fields"),
		}
		slices.SortFunc(r.Fields, byName)
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(row, 0, 30).Draw(t, "rows")
		got, left, err := wire.DecodeColumns(wire.EncodeColumns(rows), 1000)
		if err != nil || left != 0 {
			t.Fatalf("%d rows left out, %v", left, err)
		}
		for _, r := range got {
			slices.SortFunc(r.Fields, byName)
		}
		want := append([]fleet.TrafficRow{}, rows...)
		for i := range want {
			if len(want[i].Fields) == 0 {
				want[i].Fields = nil
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
	})
}

func byName(a, b fleet.TrafficField) int { return strings.Compare(a.Name, b.Name) }

func FuzzDecodeColumns(f *testing.F) {
	f.Add(wire.EncodeColumns(hourOfThousand()[:20]))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, _, err := wire.DecodeColumns(b, 1000)
		if err != nil && !errors.Is(err, fleet.ErrInvalid) {
			t.Fatalf("not a fault of the input: %v", err)
		}
		for _, r := range rows {
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// The link is paid by the byte: an hour of a large site as columns takes less than
// half of what its rows take with gzip.
func TestColumns_TakeAFractionOfTheRows(t *testing.T) {
	rows := hourOfThousand()
	var m pb.SummaryPart
	for _, r := range rows {
		m.Rows = append(m.Rows, wire.EncodeTrafficRow(r))
	}
	plain, err := proto.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	columns := wire.EncodeColumns(rows)
	t.Logf("rows %d bytes, with gzip %d, columns %d", len(plain), zipped.Len(), len(columns))
	if len(columns)*2 > zipped.Len() {
		t.Errorf("columns take %d bytes, rows with gzip %d", len(columns), zipped.Len())
	}
}

// hourOfThousand is an hour of a site of 1,000 devices.
func hourOfThousand() []fleet.TrafficRow {
	r := rand.New(rand.NewPCG(1, 1))
	var rows []fleet.TrafficRow
	for i := range 1000 {
		battery, signal := float64(60+r.IntN(40)), float64(-50-r.IntN(40))
		rows = append(rows, fleet.TrafficRow{
			Device: fmt.Sprintf("btn-%04d", i), Type: "button", Room: fleet.RoomID(fmt.Sprintf("cabin-%d", i/3)),
			Counts: fleet.TrafficCounts{MessagesIn: 355 + r.Uint64N(10), BytesIn: 74_000 + r.Uint64N(900), MessagesOut: r.Uint64N(3), BytesOut: r.Uint64N(300)},
			Fields: []fleet.TrafficField{
				{Name: "battery", Count: 360, Min: battery - 1, Max: battery, Last: battery - 1},
				{Name: "signal_strength", Count: 360, Min: signal - 4, Max: signal + 5, Last: signal + float64(r.IntN(5))},
			},
		})
	}
	return rows
}
