package traffic

import (
	"context"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// HourlyField returns a numeric field of all devices by the hour, from a time
// on, each in the order of time. It is as new as the last write.
func (t *Traffic) HourlyField(ctx context.Context, name string, from time.Time) (map[fleet.DeviceID][]FieldPoint, error) {
	q, err := t.complete(MetricsQuery{From: from, Bucket: time.Hour, Group: GroupNone})
	if err != nil {
		return nil, err
	}
	v, err := t.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	fields := map[string]map[string][]FieldPoint{}
	if err := v.blocks(ctx, q, func(at time.Time, s *subject, r *row) {
		for _, f := range r.fields {
			if f.Name != name {
				continue
			}
			if fields[s.device] == nil {
				fields[s.device] = map[string][]FieldPoint{}
			}
			addFields(fields[s.device], at, &row{fields: []fleet.TrafficField{f}})
		}
	}); err != nil {
		return nil, err
	}
	out := make(map[fleet.DeviceID][]FieldPoint, len(fields))
	for device, f := range fields {
		out[fleet.DeviceID(device)] = f[name]
	}
	return out, nil
}
