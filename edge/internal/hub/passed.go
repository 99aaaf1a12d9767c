package hub

import (
	"context"
	"errors"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// passed hands every message that passes the broker to the record.
func (d *devices) passed(p broker.Passage) {
	m := traffic.Message{
		At: p.At, Direction: traffic.Inbound, Device: p.Client, Topic: p.Name,
		QoS: p.QoS, Retain: p.Retain, Size: len(p.Payload), Payload: p.Payload,
	}
	if p.Out {
		m.Direction = traffic.Outbound
	}
	if string(p.Topic.Device) == p.Client {
		m.Type, m.Room = p.Topic.Type, p.Topic.Room
	}
	d.traffic.Record(m)
}

// dropped counts what did not reach its device.
func (d *devices) dropped(client string, _ broker.DropReason) { d.traffic.Dropped(client, d.now()) }

// place tells the type and room of a client that uses another one's topics.
// It looks at connections only: it is called on the way of a message.
func (d *devices) place(client string) (fleet.DeviceType, fleet.RoomID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.sessions[fleet.DeviceID(client)]; ok {
		return s.identity.Device.Type, s.identity.Device.Room
	}
	return "", ""
}

func (d *devices) now() time.Time {
	now, _ := d.clock.Now()
	return now
}

// telemetryNumbers are the numeric fields of a status or heartbeat.
func telemetryNumbers(t dialect.Telemetry) []traffic.Number {
	out := make([]traffic.Number, 0, 3)
	if t.Battery != nil {
		out = append(out, traffic.Number{Name: "battery", Value: float64(*t.Battery)})
	}
	if t.Signal != nil {
		out = append(out, traffic.Number{Name: "signal_strength", Value: float64(*t.Signal)})
	}
	if t.UptimeS != nil {
		out = append(out, traffic.Number{Name: "uptime_s", Value: float64(*t.UptimeS)})
	}
	return out
}

// metricNumbers are the numeric fields of a metrics sample.
func metricNumbers(f *dialect.Fields) []traffic.Number {
	fields := dialect.Numbers(f)
	out := make([]traffic.Number, 0, len(fields))
	for name, v := range fields {
		out = append(out, traffic.Number{Name: name, Value: v})
	}
	return out
}

// recorded is the record of messages as the what-if of rules wants it.
type recorded struct{ *traffic.Traffic }

// errEnough ends a replay whose reader has seen enough.
var errEnough = errors.New("enough")

// Replay implements policy.Recorded.
func (r recorded) Replay(ctx context.Context, from, to time.Time,
	fn func(at time.Time, inbound bool, client, topic string, qos byte, retain bool) bool,
) error {
	err := r.Traffic.Replay(ctx, from, to.Add(-time.Millisecond), func(m traffic.Message) error {
		if !fn(m.At, m.Direction == traffic.Inbound, m.Device, m.Topic, m.QoS, m.Retain) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
