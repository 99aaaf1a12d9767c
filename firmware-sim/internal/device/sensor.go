package device

import (
	"math"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// startMetrics begins to measure, for those who do.
func (d *Device) startMetrics() {
	if d.c.Type == fleet.Sensor || d.c.Type == fleet.Repeater {
		d.later(d.jitter(d.c.Metrics, 0, 1), 0, d.measure)
	}
}

// measure takes a sample; a full batch goes out.
func (d *Device) measure() {
	d.samples = append(d.samples, sample{at: d.wall(), up: d.uptime(), values: d.values()})
	if over := len(d.samples) - 2*d.c.Batch; over > 0 {
		d.samples = d.samples[over:] // offline for long: the newest are enough
	}
	if len(d.samples) >= d.c.Batch && d.link != nil {
		m := message{topic: topic.Action(d.c.BaseTopic, topic.Metrics), payload: d.write.metrics(d.samples), qos: 1}
		d.samples = nil
		d.ledger.note(func(f *Facts) { f.Metrics.Sent++ })
		d.send(m, func(err error) {
			if err == nil {
				d.ledger.note(func(f *Facts) { f.Metrics.Acknowledged++ })
			}
		})
	}
	d.later(time.Duration(float64(d.c.Metrics)*(0.9+0.2*d.chances.beat.Float64())), 0, d.measure)
}

// values are what the device measures around it.
func (d *Device) values() map[string]float64 {
	noise := d.chances.metrics.NormFloat64
	if d.c.Type == fleet.Repeater {
		return map[string]float64{
			"clients": float64(3 + d.chances.metrics.IntN(9)), "queue_length": float64(d.chances.metrics.IntN(3)),
			"forwarded": math.Floor(d.uptime().Seconds() * 0.8), "noise_floor_dbm": -96 + 2*noise(),
		}
	}
	day := 2 * math.Pi * d.c.Clock.Now().Hours() / 24
	return map[string]float64{
		"temperature_c": 22 + 2*math.Sin(day) + 0.2*noise(), "humidity_pct": 48 - 5*math.Sin(day) + noise(),
		"co2_ppm": 520 + 40*math.Sin(3*day) + 8*noise(),
	}
}
