package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/notify"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/roster"
	"github.com/obedio/obedio/edge/internal/selftest"
	"github.com/obedio/obedio/shared/fleet"
)

// routing says who is told of a request: the policy's level, the crew on duty
// and the room's quiet together. Safe for use from any goroutine.
type routing struct {
	roster   *roster.Roster
	requests *request.Requests
	registry *registry.Registry
	notifier *notify.Notifier
	now      func() time.Time

	mu   sync.Mutex // guards what follows
	crew roster.Crew
	asOf time.Time // by the machine's running clock
}

// zone is the site's time zone.
func (h *Hub) zone() *time.Location {
	if h.api == nil {
		return time.UTC // the hub is being built
	}
	return h.api.Zone()
}

// crewFor is how long the crew on duty is taken to be the same: each press of
// many asks for it.
const crewFor = 250 * time.Millisecond

func (r *routing) onDuty() roster.Crew {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.asOf.IsZero() || now.Sub(r.asOf) > crewFor {
		r.crew, r.asOf = r.roster.Now(), now
	}
	return r.crew
}

// event forgets the crew when something that it follows from has changed.
func (r *routing) event(e journal.Event) {
	if _, ok := e.Body.(fleet.PolicyChanged); !ok {
		return
	}
	r.mu.Lock()
	r.asOf = time.Time{}
	r.mu.Unlock()
}

// recipients of a request at a level, and whether there is nobody more.
func (r *routing) recipients(team string, to fleet.Recipients) (told []notify.Recipient, everybody bool) {
	crew := r.onDuty()
	people, everybody := crew.Told(team, to)
	worn := map[fleet.DeviceID]bool{}
	for _, p := range crew.People {
		worn[p.Watch] = true
	}
	for _, p := range people {
		told = append(told, notify.Recipient{Watch: p.Watch, Person: p.ID, Name: p.Name})
	}
	if everybody {
		for _, d := range r.registry.Watches() {
			if !worn[d.ID] {
				told = append(told, notify.Recipient{Watch: d.ID})
			}
		}
	}
	return told, everybody
}

// quiet reports whether nobody is to be told of a request because its room is
// quiet.
func (r *routing) quiet(req fleet.Request) bool {
	if req.Priority == fleet.Emergency || req.Purpose == fleet.PurposeSelfTest {
		return false
	}
	room, err := r.registry.Room(req.Room)
	return err == nil && room.QuietAt(r.now())
}

// Route says whom the notifier is to tell.
func (r *routing) Route(req fleet.Request) notify.Routing {
	told, _ := r.recipients(req.Team, r.requests.Recipients(req))
	v := notify.Routing{To: told, Quiet: r.quiet(req), RingEvery: r.requests.RingEvery(req)}
	if o := req.Offer; o != nil {
		if p, ok := r.roster.Member(o.To); ok {
			v.Offeree = p.Watch
		}
	}
	return v
}

// Told says how a request stands with those of a level.
func (r *routing) Told(req fleet.Request, to fleet.Recipients) request.Standing {
	told, everybody := r.recipients(req.Team, to)
	s := request.Standing{People: len(told), Everybody: everybody, Quiet: r.quiet(req)}
	for _, who := range told {
		if req.HasDeclined(who.Person, who.Watch) {
			s.Declined++
			continue
		}
		if r.why(who) == "" {
			s.Reachable++
		}
	}
	return s
}

// why says why somebody cannot be told; empty when that is possible.
func (r *routing) why(who notify.Recipient) string {
	if who.Watch == "" {
		return notify.WhyNoWatch
	}
	d, err := r.registry.Device(who.Watch)
	if err != nil {
		return "its watch is not registered"
	}
	return r.notifier.Why(d)
}

// testRoute are the watches that a self-test asks: those of the first level,
// and then the others.
func (r *routing) testRoute(req fleet.Request) []selftest.Watch {
	var watches []selftest.Watch
	seen := map[fleet.DeviceID]bool{}
	for _, to := range []fleet.Recipients{fleet.ToDuty, fleet.ToAll} {
		told, _ := r.recipients(req.Team, to)
		for _, who := range told {
			d, err := r.registry.Device(who.Watch)
			if err != nil || seen[who.Watch] {
				continue
			}
			seen[who.Watch] = true
			watches = append(watches, selftest.Watch{Device: d, Why: r.why(who)})
		}
	}
	return watches
}

// testMessage says that a request is over: no watch knows of it, so none shows
// anything, and each acknowledges it.
type testMessage struct {
	RequestID fleet.RequestID    `json:"request_id"`
	Version   uint64             `json:"version"`
	Stage     fleet.RequestState `json:"stage"`
}

// askWatch sends the message of a self-test.
func (d *devices) askWatch(ctx context.Context, watch fleet.Device, id fleet.RequestID, ref string) error {
	payload, err := json.Marshal(testMessage{RequestID: id, Version: 1, Stage: fleet.RequestCompleted})
	if err != nil {
		return err
	}
	return d.Notify(ctx, notify.Outbound{Device: watch, Name: "notify", Payload: payload, Ref: ref})
}

// isWatch reports as fleet.ErrInvalid a device that nobody can wear.
func isWatch(tx *journal.Tx, id fleet.DeviceID) error {
	d, found, err := fleet.Get[fleet.Device](tx, fleet.DeviceRef(id))
	if err == nil && (!found || d.Removed || d.Type != fleet.Watch) {
		err = fmt.Errorf("%w: watch %s is not registered", fleet.ErrInvalid, id)
	}
	return err
}
