package broker

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// hubOrigin stands for the hub where the library wants a client id. No client
// id is like it, since those are segments.
const hubOrigin = "$hub"

// Send publishes a message of the hub's own: Name, Payload, QoS, Retain, Ref
// and Expires of m. It does not wait for any client.
//
// Its errors: fleet.ErrForbidden (the hub's own rights, which are commands to
// devices and the system topics of its site), ErrInvalid, ErrLimit (payload),
// ErrExpired, and ErrUnavailable: the broker has stopped, or, with a Ref, the
// device is not connected or not subscribed now.
func (b *Broker) Send(ctx context.Context, m Message) error {
	t, err := topic.Parse(m.Name)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if d := b.hubRules.Decide(access.Send, m.Name); !d.Allowed {
		b.counters.denied.add(access.Send)
		return fmt.Errorf("send to %s: %w: %s", m.Name, fleet.ErrForbidden, d.Rule)
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("send to %s: %w", m.Name, ctx.Err())
	case m.QoS > 2 || m.Ref != "" && (m.QoS == 0 || m.Retain || t.System):
		return fmt.Errorf("send to %s: %w: a Ref wants a device, QoS 1 or 2 and no retaining", m.Name, fleet.ErrInvalid)
	case len(m.Payload) > b.limits.MaxPayloadBytes:
		return fmt.Errorf("send to %s: %w: payload of %d bytes", m.Name, fleet.ErrLimit, len(m.Payload))
	case b.isStopping():
		return fmt.Errorf("send to %s: %w: the broker stops", m.Name, fleet.ErrUnavailable)
	}
	about := note{ref: m.Ref}
	carrier := cmp.Or(m.Through, string(t.Device))
	if carrier != string(t.Device) {
		about.through = carrier
	}
	var props packets.Properties
	if !m.Expires.IsZero() {
		left := m.Expires.Sub(b.now())
		if left <= 0 {
			b.drop(string(t.Device), DroppedExpired)
			return fmt.Errorf("send to %s: %w", m.Name, fleet.ErrExpired)
		}
		about.expires = m.Expires.UnixNano()
		// In whole seconds, for MQTT 5 clients; the gate knows the exact time.
		props.MessageExpiryInterval = uint32(min(left/time.Second+1, 1<<31))
	}
	if m.Ref != "" && !b.Subscribes(carrier, m.Name) {
		b.drop(carrier, DroppedGone)
		return fmt.Errorf("send to %s: %w: device not connected, or not subscribed", m.Name, fleet.ErrUnavailable)
	}
	m.Topic = t
	_, err = b.route(ctx, hubOrigin, frame.V5, &m, props, about)
	return err
}

// decodeProperties has the library decode properties that frame has found
// well-formed. What the library returns are parts of what it is given, and
// stay for as long as the message is kept: so it is given a copy.
func decodeProperties(t byte, raw []byte) (p packets.Properties) {
	if _, err := p.Decode(t, bytes.NewBuffer(bytes.Clone(raw))); err != nil {
		return packets.Properties{}
	}
	return p
}
