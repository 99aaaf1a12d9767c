package traffic

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// DeviceTopic is a topic on which a device was seen.
type DeviceTopic struct {
	Topic     string
	Direction Direction
}

// maxDeviceTopics are named in an overview.
const maxDeviceTopics = 200

// DeviceTraffic is one device at a glance.
type DeviceTraffic struct {
	Device string
	Type   fleet.DeviceType
	Room   fleet.RoomID
	// Last message that is recorded; nil for none.
	Last *Message
	// Hour and Day are the last 60 minutes and 24 hours, up to now.
	Hour, Day Counts
	// Topics that history has of it, sorted, at most 200.
	Topics []DeviceTopic
	// Fields are its numeric fields of the last day.
	Fields []fleet.TrafficField
}

// Device is an overview of one device; empty for one that never sent or got
// anything.
func (t *Traffic) Device(ctx context.Context, device string) (DeviceTraffic, error) {
	out := DeviceTraffic{Device: device}
	last, err := t.History(ctx, Filter{Device: device}, 1, Cursor{})
	if err != nil {
		return out, err
	}
	if len(last.Messages) > 0 {
		out.Last = &last.Messages[0]
		out.Last.Payload, out.Last.Truncated = nil, false
	}
	v, err := t.view(ctx)
	if err != nil {
		return out, err
	}
	defer v.close()
	for _, s := range v.subjects {
		if s != nil && s.device == device {
			out.Type, out.Room = s.kind, s.room // the newest counts
		}
	}
	now := t.now()
	fields := map[string][]FieldPoint{}
	for _, part := range []struct {
		span time.Duration
		to   *Counts
	}{{time.Hour, &out.Hour}, {24 * time.Hour, &out.Day}} {
		q := MetricsQuery{From: now.Add(-part.span).Truncate(time.Minute), To: now, Bucket: time.Minute, Device: device}
		if err := v.blocks(ctx, q, func(_ time.Time, _ *subject, r *row) {
			part.to.Add(r.Counts)
			if part.span > time.Hour {
				addFields(fields, now, r)
			}
		}); err != nil {
			return out, err
		}
	}
	for _, ps := range fields {
		out.Fields = append(out.Fields, ps[0].TrafficField)
	}
	slices.SortFunc(out.Fields, func(a, b fleet.TrafficField) int { return cmp.Compare(a.Name, b.Name) })
	out.Topics = v.topics(device)
	return out, nil
}

func (v *view) topics(device string) []DeviceTopic {
	var out []DeviceTopic
	for _, s := range v.streams {
		if s != nil && s.subject.device == device {
			d := Inbound
			if s.out {
				d = Outbound
			}
			out = append(out, DeviceTopic{s.topic, d})
		}
	}
	slices.SortFunc(out, func(a, b DeviceTopic) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Direction, b.Direction))
	})
	out = slices.Compact(out) // a device that has moved has some twice
	return out[:min(len(out), maxDeviceTopics)]
}
