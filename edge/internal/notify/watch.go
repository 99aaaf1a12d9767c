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

	"github.com/obedio/obedio/shared/fleet"
)

// request is one that watches are to be told of.
type request struct {
	fleet.Request
	watches map[fleet.DeviceID]*watchAttempt
	// settled is when it was accepted or ended; watches are told of an end for a
	// while, and of an accepted one whenever they come back.
	settled time.Time
	due     time.Time // when the next watch is to be told again
}

type watchAttempt struct {
	attempt
	// told is what the watch has acknowledged; see mark.
	told string
	why  string
}

// mark names what a watch is told of a request: it is told again when that
// changes.
func (r *request) mark() string {
	return string(r.ID) + "\x00" + strconv.FormatUint(r.Version, 10) + "\x00" + string(r.State) + "\x00" + string(r.Priority)
}

// Unreached is a watch that has not been told, and why.
type Unreached struct {
	Device fleet.DeviceID `json:"device_id"`
	Why    string         `json:"why"`
}

// Reach says who knows of a request.
type Reach struct {
	Watches     int         `json:"watches"`
	Reached     int         `json:"reached"`
	Unreachable []Unreached `json:"unreachable"`
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
	before := old.mark()
	old.Request = r
	n.news[r.ID] = struct{}{}
	if old.mark() == before {
		return
	}
	for _, w := range old.watches {
		w.attempt = attempt{}
	}
	if r.State != fleet.RequestOpen {
		old.settled = n.c.Now()
	}
}

// heard takes a watch's acknowledgement of mark.
func (n *Notifier) heard(watch fleet.DeviceID, mark string) {
	id, _, _ := strings.Cut(mark, "\x00")
	if r, ok := n.requests[fleet.RequestID(id)]; ok {
		if w, ok := r.watches[watch]; ok {
			w.told, w.tries = mark, 0
			n.news[r.ID] = struct{}{}
			if r.State == fleet.RequestOpen && mark == r.mark() { // not of what it was before
				w.next = n.c.Now().Add(n.c.RingEvery[r.Priority])
			}
		}
	}
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
}

// tellWatches tells watches of the requests that have news for them: those that
// have changed or were answered, those whose time has come, and all of them
// when a watch has come or the watches are others.
func (n *Notifier) tellWatches(ctx context.Context, now time.Time, awake map[fleet.DeviceID]bool, wait *time.Duration) {
	watches := n.c.Devices.Watches()
	others := !sameWatches(n.watches, watches)
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
	reach := Reach{Unreachable: []Unreached{}}
	next := time.Minute
	for _, d := range watches {
		n.tellWatch(ctx, now, r, d, awake[d.ID], &reach, &next)
	}
	r.due = now.Add(next)
	n.mu.Lock()
	n.reach[r.ID] = reach
	n.mu.Unlock()
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

func (n *Notifier) tellWatch(ctx context.Context, now time.Time, r *request, d fleet.Device, awake bool, reach *Reach, wait *time.Duration) {
	w, ok := r.watches[d.ID]
	if !ok {
		w = &watchAttempt{}
		r.watches[d.ID] = w
	}
	mark := r.mark()
	reach.Watches++
	why := n.c.Sender.Why(d, "notify")
	switch {
	case w.told == mark:
		reach.Reached++
		if r.State != fleet.RequestOpen && !awake {
			return
		}
	case r.State != fleet.RequestOpen && w.told == "" && w.tries == 0 && w.why != "":
		return // it never knew of the request
	default:
		w.why = why
		reach.Unreachable = append(reach.Unreachable, Unreached{d.ID, cmp.Or(why, "no answer yet")})
	}
	if !w.due(now, awake, n.c.Tries, wait) {
		return
	}
	if w.why = why; why != "" {
		w.tries = n.c.Tries // until it listens
		return
	}
	n.send(ctx, d, "notify", n.payload(r, now), requestRef+mark)
	pause := n.c.RepeatEvery
	if w.told == mark {
		pause = n.c.RingEvery[r.Priority]
		w.tries = 0
	}
	w.sent(now, pause, wait)
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
	n.send(ctx, d, "notify", n.payload(told, now), requestRef+told.mark())
	return nil
}

func (n *Notifier) payload(r *request, now time.Time) notifyPayload {
	p := notifyPayload{
		RequestID: r.ID, Version: r.Version, Stage: r.State, Priority: r.Priority, Room: r.Room,
		Message: string(r.Room), WaitingS: max(0, int64(now.Sub(r.OpenedAt).Seconds())),
	}
	if room, found, err := fleet.Get[fleet.Room](n.c.Store, fleet.RoomRef(r.Room)); err == nil && found && room.Name != "" {
		p.Message = room.Name
	}
	if r.Presses > 1 {
		p.Message += " ×" + strconv.FormatUint(r.Presses, 10)
	}
	if r.AcceptedBy != nil {
		p.TakenBy = r.AcceptedBy.Name
		if p.TakenBy == "" {
			p.TakenBy = r.AcceptedBy.ID
		}
	}
	return p
}
