package store

import (
	"errors"
	"maps"
	"math"
	"time"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// What engines count of a site, in the transaction that changes it. n is 1 for
// what comes and -1 for what goes.

// Clone returns a copy that may be changed.
func (c Counts) Clone() Counts {
	c.Devices = maps.Clone(c.Devices)
	if c.Devices == nil {
		c.Devices = map[fleet.Presence]int{}
	}
	return c
}

// AddDevices counts registered devices with a presence.
func (c *Counts) AddDevices(p fleet.Presence, n int) {
	if c.Devices[p] += n; c.Devices[p] == 0 {
		delete(c.Devices, p)
	}
}

// AddRequest counts a request by its state.
func (c *Counts) AddRequest(r fleet.Request, n int) {
	if !r.Purpose.ForPeople() {
		return
	}
	switch r.State {
	case fleet.RequestOpen:
		c.Open += n
		if r.Priority == fleet.Emergency {
			c.Emergency += n
		}
	case fleet.RequestAccepted:
		c.Accepted += n
	case fleet.RequestCompleted, fleet.RequestCancelled, fleet.RequestMissed:
	}
}

// AddLetter counts a dead letter.
func (c *Counts) AddLetter(r lane.Rejected) {
	c.DeadLetters++
	if fleet.AuditForked(r.Reason) {
		c.AuditForks++
	}
}

// Recount counts a site anew from what is there.
func Recount(v SiteView) (Counts, error) {
	c := Counts{}.Clone()
	var failed error
	err := v.Devices("", func(d fleet.Device) bool {
		var row StateRow
		var found bool
		if row, found, failed = v.State(d.ID); failed != nil {
			return false
		}
		if !found {
			row.Presence = fleet.NeverSeen
		}
		c.Devices[row.Presence]++
		return true
	})
	err = errors.Join(err, failed, v.Requests("", func(r fleet.Request) bool {
		c.AddRequest(r, 1)
		return true
	}))
	err = errors.Join(err, v.DeadLetters(func(d DeadLetter) bool {
		c.AddLetter(d.Rejected)
		return true
	}))
	err = errors.Join(err, v.Gaps(func(lane.Gap) bool {
		c.Gaps++
		return true
	}))
	err = errors.Join(err, v.Traffic(time.Time{}, HourStart(math.MaxUint32), false, func(TrafficHour) bool {
		c.TrafficHours++
		return true
	}))
	return c, errors.Join(err, v.OrdersAfter(0, func(o Order) bool {
		if o.End == "" {
			c.OrdersPending++
		}
		return true
	}))
}
