package uplink

import (
	"context"
	"errors"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// Summaries is the record of traffic, hour by hour. Its failures end a round,
// never the session: history may be away while the hub works.
type Summaries interface {
	lane.HourLog
	// PendingCount is how many hours are over and not acknowledged.
	PendingCount(ctx context.Context) (int, error)
	// AckHours notes, durably, that the console holds those hours. One that has
	// changed meanwhile stays pending.
	AckHours(ctx context.Context, hours []fleet.TrafficRef) error
	// ResendHours makes hours pending again that began at since or later.
	ResendHours(ctx context.Context, since time.Time) error
}

// resendKey says that the console lacks hours that were acknowledged.
const resendKey = "traffic_resend"

// beginRound lets pending hours go up, if the console takes any.
func (u *Uplink) beginRound(ctx context.Context) error {
	if u.c.Summaries == nil || !u.takesHours || !u.rung.traffic() {
		return nil
	}
	if u.resend {
		if err := u.c.Summaries.ResendHours(ctx, u.c.now().Add(-u.c.SummariesAgain)); err != nil {
			u.c.Logger.Warn("hours of traffic not sent again", "error", err)
			return ctx.Err() // the next round tries again
		}
		u.resend = false
		if err := u.save(ctx); err != nil {
			return err
		}
	}
	u.traffic.Begin()
	return nil
}

// carry begins to send hours, if there are any; it reports whether a call is
// under way. It is called only when the console holds everything of the other
// lanes that is due.
func (u *Uplink) carry(ctx context.Context, out chan<- uploaded) (bool, error) {
	parts, err := u.traffic.Next(ctx, u.c.Summaries, u.c.ChunkBytes, u.c.ChunkBytes*max(u.pace.chunks, 1))
	if err != nil {
		u.traffic.End()
		u.c.Logger.Warn("hours of traffic do not go up", "error", err)
		return false, ctx.Err()
	}
	if len(parts) == 0 {
		return false, nil
	}
	u.upload(ctx, parts, out)
	return true, nil
}

// carried takes the answer to a call of carry.
func (u *Uplink) carried(ctx context.Context, got uploaded) error {
	if got.err != nil {
		return got.err
	}
	u.pace.took(got.bytes, got.took)
	receipt, _, err := u.answered(ctx, got.answer)
	if err != nil {
		return err
	}
	u.traffic.OnPush(receipt)
	if len(receipt.Hours) == 0 {
		return nil
	}
	// Not before the console's count is stored: one that has lost these hours is
	// known by it.
	if err := u.c.Summaries.AckHours(ctx, receipt.Hours); err != nil && !errors.Is(err, context.Canceled) {
		u.c.Logger.Warn("acknowledged hours of traffic stay pending", "error", err)
	}
	return ctx.Err()
}

// hoursStatus is lane 4 as the other lanes are shown: its numbers count
// acknowledgements. While history is away nothing is known to wait.
func (u *Uplink) hoursStatus(acked uint64) LaneStatus {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	pending, err := u.c.Summaries.PendingCount(ctx)
	if err != nil {
		pending = 0
	}
	return LaneStatus{Lane: fleet.LaneSummaries, Head: acked + uint64(pending), Acked: acked}
}
