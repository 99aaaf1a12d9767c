package fleetview

import (
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
)

// LinkState is how the link to a site's hub is. It says nothing of how old the
// data is: that is Row.DataAsOf.
type LinkState string

// The link states.
const (
	// Online: a session, with contact within the expected interval.
	Online LinkState = "online"
	// Late: no contact for longer than that.
	Late LinkState = "late"
	// Offline: no contact for so long that the link is taken to be gone.
	Offline LinkState = "offline"
	// Stalled: contact, but data does not move, or the hub and the console do
	// not hold the same.
	Stalled LinkState = "stalled"
	// NeverConnected: no hub of the site has ever greeted.
	NeverConnected LinkState = "never_connected"
	// Revoked: the site was shut out.
	Revoked LinkState = "revoked"
	// Retired: the site was taken out of service.
	Retired LinkState = "retired"
)

// LinkStates are all link states.
func LinkStates() []LinkState {
	return []LinkState{Online, Late, Offline, Stalled, NeverConnected, Revoked, Retired}
}

// Intervals are what is expected of a link. Zero fields take their defaults.
type Intervals struct {
	// Contact is within which a hub in session calls: its longest call and some
	// grace. 5 min.
	Contact time.Duration
	// Offline is after which a link without contact is taken to be gone. 15 min.
	Offline time.Duration
	// Stalled is how long data may wait on a hub that is in contact. 5 min.
	Stalled time.Duration
	// Refused is how long a hub that is out of line may pause between two tries.
	// 30 min.
	Refused time.Duration
}

func (i Intervals) withDefaults() Intervals {
	or := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&i.Contact, 5*time.Minute)
	or(&i.Offline, 15*time.Minute)
	or(&i.Stalled, 5*time.Minute)
	or(&i.Refused, 30*time.Minute)
	return i
}

// Link says how the link of a site is at a time, and since when. session says
// whether the hub has one. It is a function of its arguments only.
func Link(site store.Site, c store.Contact, backlog uint64, session bool, now time.Time, i Intervals) (LinkState, time.Time) {
	i = i.withDefaults()
	switch {
	case !site.RetiredAt.IsZero():
		return Retired, site.RetiredAt
	case !site.RevokedAt.IsZero():
		return Revoked, site.RevokedAt
	case c.At.IsZero():
		return NeverConnected, site.CreatedAt
	}
	silent := now.Sub(c.At)
	if outOfLine(c) && silent < i.Refused {
		return Stalled, c.VerdictAt
	}
	switch {
	case silent >= i.Offline:
		return Offline, c.At.Add(i.Offline)
	case backlog > 0 && now.Sub(waiting(c)) >= i.Stalled && silent < i.Contact:
		return Stalled, waiting(c).Add(i.Stalled)
	case silent >= i.Contact:
		return Late, c.At.Add(i.Contact)
	case !session:
		// It was not greeted, or its session was ended.
		return Late, c.At
	}
	return Online, c.UpAt
}

// outOfLine reports whether the last Hello was answered by "you are not what I
// know".
func outOfLine(c store.Contact) bool {
	switch c.Verdict {
	case lane.VerdictBehind.String(), lane.VerdictDiverged.String(), lane.VerdictFenced.String():
		return true
	}
	return false
}

// waiting is since when data that the hub is known to hold has not come.
func waiting(c store.Contact) time.Time {
	if c.MovedAt.Before(c.UpAt) {
		return c.UpAt
	}
	return c.MovedAt
}

// Backlog is what the hub is known to hold more than the console, by lane.
func Backlog(c store.Contact, durable map[fleet.Lane]uint64) map[fleet.Lane]uint64 {
	out := map[fleet.Lane]uint64{}
	for _, l := range []fleet.Lane{fleet.LaneRequests, fleet.LaneCommands, fleet.LaneState, fleet.LaneRegistry} {
		if head := c.Heads[l]; head > durable[l] {
			out[l] = head - durable[l]
		}
	}
	return out
}
