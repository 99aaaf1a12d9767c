package broker

import (
	"context"
	"fmt"

	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/time/rate"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// ByHand publishes a message that a person has written: Name, Payload, QoS and
// Retain of m. It is for devices and programs that subscribe to the topic; the
// hub itself takes nothing from it, so that nobody makes a press, an answer to
// a command or a sign of life by hand. It returns how many clients it was for,
// those included whose session waits for them.
//
// Its errors: fleet.ErrInvalid (a topic outside the grammar, such as one with
// wildcards or $, and QoS above 2), ErrForbidden (another site's topic, or a
// system topic), ErrLimit (the payload, the rate of all people together, or
// what may be retained) and ErrUnavailable: the broker has stopped.
func (b *Broker) ByHand(ctx context.Context, m Message) (subscribers int, err error) {
	t, err := topic.Parse(m.Name)
	if err != nil {
		return 0, fmt.Errorf("publish by hand: %w", err)
	}
	switch {
	case t.System || t.Site != b.cfg.Site:
		b.counters.denied.add(access.Send)
		return 0, fmt.Errorf("publish %s by hand: %w: want a device's topic of %s", m.Name, fleet.ErrForbidden, b.cfg.Site)
	case m.QoS > 2:
		return 0, fmt.Errorf("publish %s by hand: %w: QoS %d", m.Name, fleet.ErrInvalid, m.QoS)
	case len(m.Payload) > b.limits.MaxPayloadBytes:
		return 0, fmt.Errorf("publish %s by hand: %w: payload of %d bytes: want at most %d", m.Name, fleet.ErrLimit, len(m.Payload), b.limits.MaxPayloadBytes)
	case m.Retain && !b.retained.has(&b.limits, hubOrigin, m.Name, len(m.Payload)):
		return 0, fmt.Errorf("publish %s by hand: %w: as much is retained as may be", m.Name, fleet.ErrLimit)
	case b.isStopping():
		return 0, fmt.Errorf("publish %s by hand: %w: the broker stops", m.Name, fleet.ErrUnavailable)
	case !b.byHand.AllowN(b.now(), 1):
		return 0, fmt.Errorf("publish %s by hand: %w: want at most %g messages a second", m.Name, fleet.ErrLimit, b.limits.HandRate)
	}
	m.Topic, m.Received = t, b.now()
	b.passedIn(hubOrigin, &m)
	subscribers = len(b.subscribersOf(m.Name))
	_, err = b.route(ctx, hubOrigin, frame.V5, &m, packets.Properties{}, note{})
	return subscribers, err
}

func newHandLimiter(l *Limits) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(l.HandRate), max(1, int(l.HandRate)))
}
