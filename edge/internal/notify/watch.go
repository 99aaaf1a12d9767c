package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// request is one that watches are to be told of.
type request struct {
	fleet.Request
	watches map[fleet.DeviceID]*watchAttempt
	// offeree is the watch to which it is offered; empty for none.
	offeree fleet.DeviceID
	// settled is when it was accepted or ended; watches are told of an end for a
	// while, and of an accepted one whenever they come back.
	settled time.Time
	due     time.Time // when the next watch is to be told again
	// ringEvery as the routing has it.
	ringEvery time.Duration
}

type watchAttempt struct {
	attempt
	// told is what the watch has acknowledged; see mark.
	told string
	why  string
	// begun: something was sent to it. Whether it took that is only certain if told
	// says so: its radio may have gone before its acknowledgement.
	begun bool
	who   Recipient
	// last is what it is told now, acknowledged or not.
	last string
	// logged is what was last written of it.
	logged string
}

// mark names what a watch is told of a request: it is told again when that
// changes.
func (r *request) mark(watch fleet.DeviceID) string {
	m := string(r.ID) + "\x00" + strconv.FormatUint(r.Version, 10) + "\x00" + string(r.State) + "\x00" + string(r.Priority)
	if r.Offer != nil && watch == r.offeree {
		m += "\x00" + strconv.FormatInt(r.Offer.At.UnixMilli(), 10)
	}
	return m
}

// Unreached is a watch, or a person without one, that has not been told, and
// why.
type Unreached struct {
	Device fleet.DeviceID `json:"device_id,omitempty"`
	Person string         `json:"person_id,omitempty"`
	Name   string         `json:"name,omitempty"`
	Why    string         `json:"why"`
}

// Reached is a watch that has been told.
type Reached struct {
	Device fleet.DeviceID `json:"device_id"`
	Person string         `json:"person_id,omitempty"`
	Name   string         `json:"name,omitempty"`
}

// Reach says who knows of a request.
type Reach struct {
	// Watches are those that are to be told, and Reached how many of them have
	// been.
	Watches     int         `json:"watches"`
	Reached     int         `json:"reached"`
	Told        []Reached   `json:"told"`
	Unreachable []Unreached `json:"unreachable"`
	// Quiet: nobody is told because the room is quiet.
	Quiet bool `json:"quiet,omitempty"`
}

// Reach returns who has been told of an open request.
func (n *Notifier) Reach(id fleet.RequestID) Reach {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reach[id]
}

func (n *Notifier) changed(r fleet.Request) {
	old, ok := n.requests[r.ID]
	if !ok {
		if r.State.Ended() {
			return // nobody was told of it
		}
		n.requests[r.ID] = &request{Request: r, watches: map[fleet.DeviceID]*watchAttempt{}}
		n.news[r.ID] = struct{}{}
		return
	}
	if r.Version < old.Version {
		return // the store told of a newer one
	}
	before := old.mark("")
	old.Request = r
	n.news[r.ID] = struct{}{}
	if old.mark("") == before {
		return
	}
	if r.State != fleet.RequestOpen {
		old.settled = n.c.Now()
	}
}

// heard takes a watch's acknowledgement of mark.
func (n *Notifier) heard(watch fleet.DeviceID, mark string) {
	n.answered(watch)
	id, _, _ := strings.Cut(mark, "\x00")
	r, ok := n.requests[fleet.RequestID(id)]
	if !ok {
		return
	}
	w, ok := r.watches[watch]
	if !ok {
		return
	}
	if w.told != mark {
		n.log(store.Telling{Request: r.ID, Device: watch, Person: w.who.Person, Name: w.who.Name, What: ToldTold, Stage: r.State})
	}
	w.told, w.tries = mark, 0
	n.news[r.ID] = struct{}{}
	if r.State == fleet.RequestOpen && mark == r.mark(watch) { // not of what it was before
		w.next = n.c.Now().Add(n.ringEvery(r))
	}
}

func (n *Notifier) ringEvery(r *request) time.Duration {
	return cmp.Or(r.ringEvery, n.c.RingEvery[r.Priority])
}

// settledFor is how long watches are told that a request is over.
const settledFor = 2 * time.Minute

// notifyPayload is what a watch gets.
type notifyPayload struct {
	RequestID fleet.RequestID    `json:"request_id"`
	Version   uint64             `json:"version"`
	Stage     fleet.RequestState `json:"stage"`
	Priority  fleet.Priority     `json:"priority"`
	Room      fleet.RoomID       `json:"room"`
	Message   string             `json:"message"`
	WaitingS  int64              `json:"waiting_s"`
	TakenBy   string             `json:"taken_by,omitempty"`
	// OfferedBy is who offers the request to the watch's wearer, until ExpiresAt:
	// then the stage is open, whoever has the request.
	OfferedBy string     `json:"offered_by,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Drill: the crew practises.
	Drill bool `json:"drill,omitempty"`
}

// tellWatches tells watches of the requests that have news for them: those that
// have changed or were answered, those whose time has come, and all of them
// when a watch has come or the watches are others.
func (n *Notifier) tellWatches(ctx context.Context, now time.Time, awake map[fleet.DeviceID]bool, again bool, wait *time.Duration) {
	watches := n.c.Devices.Watches()
	others := again || !sameWatches(n.watches, watches)
	n.watches = watches
	for _, d := range watches {
		others = others || awake[d.ID]
	}
	if others || !now.Before(n.due) {
		n.due = now.Add(time.Minute)
		for _, r := range n.requests {
			if _, news := n.news[r.ID]; news || others || !now.Before(r.due) {
				n.tellAll(ctx, now, r, watches, awake)
			}
			n.due = minTime(n.due, r.due)
		}
	} else {
		for id := range n.news {
			if r, ok := n.requests[id]; ok {
				n.tellAll(ctx, now, r, watches, awake)
				n.due = minTime(n.due, r.due)
			}
		}
	}
	clear(n.news)
	*wait = min(*wait, n.due.Sub(now))
}

// tellAll tells the watches of one request.
func (n *Notifier) tellAll(ctx context.Context, now time.Time, r *request, watches []fleet.Device, awake map[fleet.DeviceID]bool) {
	if r.State.Ended() && now.Sub(r.settled) > settledFor {
		delete(n.requests, r.ID)
		n.mu.Lock()
		delete(n.reach, r.ID)
		n.mu.Unlock()
		return
	}
	routing := n.route(r.Request, watches)
	r.offeree, r.ringEvery = routing.Offeree, routing.RingEvery
	to := make(map[fleet.DeviceID]Recipient, len(routing.To))
	reach := Reach{Told: []Reached{}, Unreachable: []Unreached{}, Quiet: routing.Quiet}
	for _, who := range routing.To {
		if who.Watch != "" {
			to[who.Watch] = who
		} else if r.State == fleet.RequestOpen {
			reach.Unreachable = append(reach.Unreachable, Unreached{Person: who.Person, Name: who.Name, Why: WhyNoWatch})
		}
	}
	next := time.Minute
	if routing.Quiet {
		next = quietLook
	}
	for _, d := range watches {
		who, routed := to[d.ID]
		w, known := r.watches[d.ID]
		switch {
		case routed && (!routing.Quiet || r.State != fleet.RequestOpen), d.ID == r.offeree:
		case known && w.told != "": // it knows, so it is told how that ends
			who = w.who
		default:
			continue
		}
		if !known {
			w = &watchAttempt{}
			r.watches[d.ID] = w
		}
		if who.Watch != "" {
			w.who = who
		}
		n.tellWatch(ctx, now, r, w, d, awake[d.ID], &reach, &next)
	}
	r.due = now.Add(next)
	n.mu.Lock()
	n.reach[r.ID] = reach
	n.mu.Unlock()
}

// quietLook is how soon it is seen that the quiet of a room is over by itself.
const quietLook = 5 * time.Second

// route says who is to be told: all watches unless somebody knows better.
func (n *Notifier) route(r fleet.Request, watches []fleet.Device) Routing {
	if n.c.Route != nil {
		return n.c.Route(r)
	}
	var all Routing
	for _, d := range watches {
		all.To = append(all.To, Recipient{Watch: d.ID})
	}
	return all
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// sameWatches reports whether two lists are of the same devices in the same
// versions.
func sameWatches(a, b []fleet.Device) bool {
	return slices.EqualFunc(a, b, func(x, y fleet.Device) bool { return x.ID == y.ID && x.Version == y.Version })
}

// WhyNoWatch is why a person cannot be told who wears no watch.
const WhyNoWatch = "wears no watch"

// WhyDeclined is why a watch does not ring: its wearer will not take the request.
const WhyDeclined = "declined"

func (n *Notifier) tellWatch(
	ctx context.Context, now time.Time, r *request, w *watchAttempt, d fleet.Device, awake bool, reach *Reach, wait *time.Duration,
) {
	mark := r.mark(d.ID)
	if w.last != mark {
		w.last, w.attempt = mark, attempt{}
	}
	reach.Watches++
	why := n.Why(d)
	offered := r.Offer != nil && d.ID == r.offeree
	switch {
	case r.State == fleet.RequestOpen && !offered && r.HasDeclined(w.who.Person, d.ID):
		reach.Unreachable = append(reach.Unreachable, Unreached{d.ID, w.who.Person, w.who.Name, WhyDeclined})
		return
	case w.told == mark:
		reach.Reached++
		reach.Told = append(reach.Told, Reached{d.ID, w.who.Person, w.who.Name})
		if r.State != fleet.RequestOpen && !offered && !awake {
			return
		}
	case r.State != fleet.RequestOpen && !offered && w.told == "" && !w.begun && w.tries == 0 && w.why != "":
		return // it never knew of the request
	default:
		w.why = why
		reach.Unreachable = append(reach.Unreachable, Unreached{d.ID, w.who.Person, w.who.Name, cmp.Or(why, "no answer yet")})
		n.logWhy(r, w, d.ID, why)
	}
	if !w.due(now, awake, n.c.Tries, wait) {
		return
	}
	if w.why = n.c.Sender.Why(d, "notify"); w.why != "" {
		w.tries = n.c.Tries // until it listens
		return
	}
	if w.told != mark && w.tries == 0 {
		n.log(store.Telling{Request: r.ID, Device: d.ID, Person: w.who.Person, Name: w.who.Name, What: ToldSent, Stage: r.State})
	}
	n.send(ctx, d, "notify", n.payload(r, d.ID, now), requestRef+mark)
	w.begun = true
	n.mu.Lock()
	if n.asked[d.ID].IsZero() {
		n.asked[d.ID] = time.Now()
	}
	n.mu.Unlock()
	pause := n.c.RepeatEvery
	if w.told == mark {
		pause = n.ringEvery(r)
		w.tries = 0
	}
	w.sent(now, pause, wait)
}

// deafAfter so many times the pause between two tries without an answer, a watch
// is connected but deaf.
const deafAfter = 2

// WhyNoAnswer is why a watch is not counted on that is connected and subscribed.
const WhyNoAnswer = "does not answer"

// Why says why a watch cannot be reached; empty when it is connected and
// subscribed, and has answered lately if it was asked.
func (n *Notifier) Why(watch fleet.Device) string {
	if why := n.c.Sender.Why(watch, "notify"); why != "" {
		return why
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at := n.asked[watch.ID]; !at.IsZero() && time.Since(at) > deafAfter*n.c.RepeatEvery {
		return WhyNoAnswer
	}
	return ""
}

// answered notes that a watch has answered, or has begun to listen anew.
func (n *Notifier) answered(watch fleet.DeviceID) {
	n.mu.Lock()
	delete(n.asked, watch)
	n.mu.Unlock()
}

// tellLate tells one watch how a request stands, once: the watch asks again if
// that is lost.
func (n *Notifier) tellLate(ctx context.Context, now time.Time, l late) error {
	r, found, err := fleet.Get[fleet.Request](n.c.Store, fleet.RequestRef(l.request))
	if err != nil {
		return fmt.Errorf("read request %s: %w", l.request, err)
	}
	d, err := n.c.Devices.Device(l.watch)
	if errors.Is(err, fleet.ErrNotFound) || !found {
		return nil
	}
	if err != nil || n.c.Sender.Why(d, "notify") != "" {
		return err
	}
	told := &request{Request: r}
	n.send(ctx, d, "notify", n.payload(told, "", now), requestRef+told.mark(""))
	return nil
}

func (n *Notifier) payload(r *request, watch fleet.DeviceID, now time.Time) notifyPayload {
	p := notifyPayload{
		RequestID: r.ID, Version: r.Version, Stage: r.State, Priority: r.Priority, Room: r.Room, Drill: r.Purpose == fleet.PurposeDrill,
		Message: string(r.Room), WaitingS: max(0, int64(now.Sub(r.OpenedAt).Seconds())),
	}
	if room, found, err := fleet.Get[fleet.Room](n.c.Store, fleet.RoomRef(r.Room)); err == nil && found && room.Name != "" {
		p.Message = room.Name
	}
	if r.Presses > 1 {
		p.Message += " ×" + strconv.FormatUint(r.Presses, 10)
	}
	if r.AcceptedBy != nil {
		p.TakenBy = cmp.Or(r.AcceptedBy.Name, r.AcceptedBy.ID)
	}
	if o := r.Offer; o != nil && watch != "" && watch == r.offeree {
		p.Stage, p.OfferedBy, p.ExpiresAt = fleet.RequestOpen, cmp.Or(o.By.Name, o.By.ID), &o.ExpiresAt
	}
	return p
}
