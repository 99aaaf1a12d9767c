package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// summaries is the record of traffic as the uplink wants it: hour by hour.
type summaries struct {
	record *traffic.Traffic
	log    *slog.Logger
}

// PendingCount implements uplink.Summaries.
func (s summaries) PendingCount(ctx context.Context) (int, error) { return s.record.PendingCount(ctx) }

// PendingHours implements lane.HourLog.
func (s summaries) PendingHours(ctx context.Context, most int) ([]fleet.TrafficRef, error) {
	refs, err := s.record.PendingHours(ctx, most)
	out := make([]fleet.TrafficRef, len(refs))
	for i, r := range refs {
		out[i] = fleet.TrafficRef(r)
	}
	return out, err
}

// Hour implements lane.HourLog. An hour that cannot be read is not there: it
// must not keep those before it from going up.
func (s summaries) Hour(ctx context.Context, start time.Time) (fleet.TrafficHour, error) {
	h, err := s.record.HourSummaries(ctx, start)
	switch {
	case err == nil:
	case ctx.Err() != nil, errors.Is(err, fleet.ErrNotFound), errors.Is(err, fleet.ErrUnavailable):
		return fleet.TrafficHour{}, err
	default:
		s.log.Error("hour of traffic cannot be read and does not go up", "hour", start, "error", err)
		return fleet.TrafficHour{}, fmt.Errorf("hour %s: %w", start.Format(time.RFC3339), fleet.ErrNotFound)
	}
	out := fleet.TrafficHour{TrafficRef: fleet.TrafficRef(h.HourRef)}
	for _, r := range h.Rows {
		out.Rows = append(out.Rows, trafficRow(r))
	}
	return out, nil
}

func trafficRow(s traffic.Summary) fleet.TrafficRow {
	c := s.Counts
	r := fleet.TrafficRow{
		Device: s.Device, Type: s.Type, Room: s.Room,
		Counts: fleet.TrafficCounts{
			MessagesIn: c.MessagesIn, MessagesOut: c.MessagesOut, BytesIn: c.BytesIn, BytesOut: c.BytesOut,
			Dropped: c.Dropped, Denied: c.Denied, Reconnects: c.Reconnects,
		},
	}
	r.Fields = s.Fields
	return r.Bounded()
}

// AckHours implements uplink.Summaries.
func (s summaries) AckHours(ctx context.Context, refs []fleet.TrafficRef) error {
	hours := make([]traffic.HourRef, len(refs))
	for i, r := range refs {
		hours[i] = traffic.HourRef(r)
	}
	return s.record.AckHours(ctx, hours)
}

// ResendHours implements uplink.Summaries.
func (s summaries) ResendHours(ctx context.Context, since time.Time) error {
	return s.record.ResendHours(ctx, since)
}
