package store

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/wire"
)

// TrafficHour is an hour of traffic as the console holds it.
type TrafficHour struct {
	fleet.TrafficRef
	// Epoch is the hub's that it came from.
	Epoch fleet.Epoch
	// Totals is the sum of all rows.
	Totals fleet.TrafficCounts
	// Rows are read only when they are asked for.
	Rows []fleet.TrafficRow
}

// StoredHour is how engines store an hour of traffic beside the rows of its
// parts: what is held of it, and what has begun.
type StoredHour struct {
	// Parts of the version that is held; 0 for none.
	Version uint32              `json:"version,omitempty"`
	Parts   int                 `json:"parts,omitempty"`
	Epoch   fleet.Epoch         `json:"epoch,omitempty"`
	Totals  fleet.TrafficCounts `json:"totals,omitzero"`
	Begun   *BegunHour          `json:"begun,omitempty"`
}

// BegunHour is a version of which some parts are there, from the first on.
type BegunHour struct {
	Version uint32              `json:"version"`
	Parts   int                 `json:"parts"`
	Have    int                 `json:"have"`
	Totals  fleet.TrafficCounts `json:"totals"`
}

// AddedPart is what has become of an hour by one more part.
type AddedPart struct {
	// Taken: the part follows those before and is to be stored.
	Taken bool
	// Whole: all parts are there, and are what is held now. First: nothing was
	// held before.
	Whole, First bool
	// DropVersion and DropParts name rows that are not wanted any more, to be
	// dropped before the part is stored.
	DropVersion uint32
	DropParts   int
	// AlsoVersion and AlsoParts are those of the version that was replaced.
	AlsoVersion uint32
	AlsoParts   int
}

// Add takes a part of the hour, which came in an epoch.
func (h *StoredHour) Add(p lane.TrafficPart, e fleet.Epoch) (out AddedPart) {
	b := h.Begun
	switch {
	case p.Part == 0:
		if b != nil {
			out.DropVersion, out.DropParts = b.Version, b.Have
		}
		b = &BegunHour{Version: p.Version, Parts: p.Parts}
	case b == nil || b.Version != p.Version || b.Parts != p.Parts || b.Have != p.Part:
		return out
	}
	for _, r := range p.Rows {
		b.Totals.Add(r.Counts)
	}
	b.Have++
	h.Begun, out.Taken = b, true
	if b.Have < b.Parts {
		return out
	}
	out.Whole, out.First = true, h.Parts == 0
	if !out.First && h.Version != b.Version {
		out.AlsoVersion, out.AlsoParts = h.Version, h.Parts
	}
	*h = StoredHour{Version: b.Version, Parts: b.Parts, Epoch: e, Totals: b.Totals}
	return out
}

// Hour is the hour as it is shown, without rows; false when none is held.
func (h StoredHour) Hour(number uint32) (TrafficHour, bool) {
	return TrafficHour{
		TrafficRef: fleet.TrafficRef{Start: HourStart(number), Version: h.Version}, Epoch: h.Epoch, Totals: h.Totals,
	}, h.Parts > 0
}

// HourNumber is the first hour since 1970 that does not begin before t.
func HourNumber(t time.Time) uint32 {
	n := (max(0, t.Unix()) + 3599) / 3600
	return uint32(min(n, math.MaxUint32))
}

// HourStart is when an hour begins.
func HourStart(n uint32) time.Time { return time.Unix(int64(n)*3600, 0).UTC() }

// EncodeTrafficRows returns the stored form of the rows of a part.
func EncodeTrafficRows(rows []fleet.TrafficRow) ([]byte, error) {
	m := &pb.SummaryPart{}
	for _, r := range rows {
		m.Rows = append(m.Rows, wire.EncodeTrafficRow(r))
	}
	b, err := (proto.MarshalOptions{Deterministic: true}).Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode hour of traffic: %w", err)
	}
	if b == nil {
		b = []byte{} // a part may have no rows
	}
	return b, nil
}

// DecodeTrafficRows reads what EncodeTrafficRows wrote.
func DecodeTrafficRows(b []byte) ([]fleet.TrafficRow, error) {
	var m pb.SummaryPart
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("decode hour of traffic: %w", err)
	}
	rows := make([]fleet.TrafficRow, 0, len(m.Rows))
	for _, r := range m.Rows {
		row, err := wire.DecodeTrafficRow(r)
		if err != nil {
			return nil, fmt.Errorf("decode hour of traffic: %w", err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
