package config

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
)

// leastBudget is what the engine needs for itself, and a little history.
const leastBudget = 16 << 20

func (s Serve) checkTraffic() error {
	if err := positive(map[string]time.Duration{
		"traffic-raw-age": s.TrafficRawAge, "traffic-minute-age": s.TrafficMinuteAge,
		"traffic-hour-age": s.TrafficHourAge, "traffic-flush-every": s.TrafficFlushEvery,
	}); err != nil {
		return err
	}
	if s.TrafficBudget < leastBudget {
		return fmt.Errorf("%w: --traffic-budget %d: want at least %d", fleet.ErrInvalid, s.TrafficBudget, leastBudget)
	}
	for _, p := range s.TrafficPayloads {
		if !fleet.ValidSegment(p) {
			return fmt.Errorf("%w: --traffic-payloads %q: want types of devices, or all", fleet.ErrInvalid, p)
		}
	}
	return nil
}

func (s Serve) traffic() traffic.Config {
	c := traffic.Config{
		Budget: s.TrafficBudget, RawAge: s.TrafficRawAge, MinuteAge: s.TrafficMinuteAge, HourAge: s.TrafficHourAge,
		PayloadBytes: s.TrafficPayload, FlushEvery: s.TrafficFlushEvery,
	}
	for _, p := range s.TrafficPayloads {
		c.Payloads = append(c.Payloads, fleet.DeviceType(p))
	}
	return c
}
