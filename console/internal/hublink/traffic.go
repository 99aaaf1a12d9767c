package hublink

import (
	"time"

	"github.com/obedio/obedio/shared/lane"
)

// trafficAhead is how far ahead of the console's clock an hour of traffic may
// begin: a hub's clock may be a little wrong.
const trafficAhead = 24 * time.Hour

// sift takes out the parts of hours that would be dropped at once, or never
// dropped: the hub's clock was wrong then. They are acknowledged, since they
// would be no more welcome later, and counted.
func (l *Link) sift(parts []lane.TrafficPart) (wanted, unwanted []lane.TrafficPart) {
	now := l.now()
	oldest := now.Add(-l.c.TrafficAge).Truncate(24 * time.Hour)
	for _, p := range parts {
		if p.Start.Before(oldest) || p.Start.After(now.Add(trafficAhead)) {
			unwanted = append(unwanted, p)
		} else {
			wanted = append(wanted, p)
		}
	}
	return wanted, unwanted
}

func rowsIn(parts []lane.TrafficPart) int {
	n := 0
	for _, p := range parts {
		n += len(p.Rows)
	}
	return n
}

// TrafficLeftOut counts, since the start, rows of traffic that broke a rule or
// were of an hour that is not kept.
func (l *Link) TrafficLeftOut() uint64 { return l.leftOut.Load() }
