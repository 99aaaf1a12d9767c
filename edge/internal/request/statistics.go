package request

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Grouping says by what response times are told apart.
type Grouping string

// The groupings.
const (
	ByRoom Grouping = "room"
	ByTeam Grouping = "team"
	ByKind Grouping = "kind"
	ByHour Grouping = "hour" // of the day, in the site's time zone, as 08
	ByDay  Grouping = "day"  // as 2026-05-01
)

// Times are the response times of some requests, from when they were opened.
// Durations of none are absent.
type Times struct {
	Requests  int
	Missed    int
	Cancelled int
	// Accept is until somebody took it, Complete until it was done.
	Accept, Complete Spread
}

// Spread is how a duration is spread over N requests.
type Spread struct {
	N           int
	Median, P95 time.Duration
}

// Group is the times of the requests that have a key in common.
type Group struct {
	Key string
	Times
}

// Statistics are response times over a range of time.
type Statistics struct {
	Total  Times
	Groups []Group
}

// MaxRange is the longest range of time that Statistics looks at.
const MaxRange = 400 * 24 * time.Hour

// Statistics are the response times of the calls that were opened from a time
// to before another one: no drills, tests of the hub, or walks. Hours and days
// are those of a time zone. fleet.ErrInvalid.
func (r *Requests) Statistics(from, to time.Time, by Grouping, zone *time.Location) (Statistics, error) {
	if !from.Before(to) || to.Sub(from) > MaxRange {
		return Statistics{}, fmt.Errorf("%w: from %s to %s: want a range of at most 400 days", fleet.ErrInvalid, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	key, err := by.key(zone)
	if err != nil {
		return Statistics{}, err
	}
	total, groups := &tally{}, map[string]*tally{}
	err = store.EntitiesBefore(r.c.Store, "", fleet.UUIDFloor(to), func(req fleet.Request) bool {
		if string(req.ID) < fleet.UUIDFloor(from) {
			return false
		}
		if req.Purpose != fleet.PurposeCall {
			return true
		}
		k := key(req)
		if groups[k] == nil {
			groups[k] = &tally{}
		}
		total.add(req)
		groups[k].add(req)
		return true
	})
	s := Statistics{Total: total.times(), Groups: []Group{}}
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		s.Groups = append(s.Groups, Group{k, groups[k].times()})
	}
	return s, err
}

func (g Grouping) key(zone *time.Location) (func(fleet.Request) string, error) {
	switch g {
	case ByRoom:
		return func(r fleet.Request) string { return string(r.Room) }, nil
	case ByTeam:
		return func(r fleet.Request) string { return r.Team }, nil
	case ByKind:
		return func(r fleet.Request) string { return r.Kind }, nil
	case ByHour:
		return func(r fleet.Request) string { return r.OpenedAt.In(zone).Format("15") }, nil
	case ByDay:
		return func(r fleet.Request) string { return r.OpenedAt.In(zone).Format(time.DateOnly) }, nil
	}
	return nil, fmt.Errorf("%w: by %q: want room, team, kind, hour or day", fleet.ErrInvalid, g)
}

// tally gathers requests.
type tally struct {
	requests, missed, cancelled int
	accept, complete            []time.Duration
}

func (t *tally) add(r fleet.Request) {
	t.requests++
	if !r.AcceptedAt.IsZero() {
		t.accept = append(t.accept, max(0, r.AcceptedAt.Sub(r.OpenedAt)))
	}
	switch r.State {
	case fleet.RequestCompleted:
		t.complete = append(t.complete, max(0, r.EndedAt.Sub(r.OpenedAt)))
	case fleet.RequestMissed:
		t.missed++
	case fleet.RequestCancelled:
		t.cancelled++
	case fleet.RequestOpen, fleet.RequestAccepted:
	}
}

func (t *tally) times() Times {
	return Times{Requests: t.requests, Missed: t.missed, Cancelled: t.cancelled, Accept: spread(t.accept), Complete: spread(t.complete)}
}

// spread takes the nearest rank, so that each figure is one that has happened.
func spread(d []time.Duration) Spread {
	if len(d) == 0 {
		return Spread{}
	}
	slices.SortFunc(d, cmp.Compare[time.Duration])
	at := func(percent int) time.Duration { return d[(len(d)*percent+99)/100-1] }
	return Spread{N: len(d), Median: at(50), P95: at(95)}
}

// called notes when a guest called from a room.
func (r *Requests) called(req fleet.Request) {
	if req.Purpose != fleet.PurposeCall {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lastCall[req.Room].Before(req.LastPressAt) {
		r.lastCall[req.Room] = req.LastPressAt
	}
}

// lastCallsOf is in how many of the newest requests the last call of a room is
// looked for after a start.
const lastCallsOf = 2000

func (r *Requests) loadLastCalls() error {
	n := 0
	err := store.EntitiesBefore(r.c.Store, "", "", func(req fleet.Request) bool {
		r.called(req)
		n++
		return n < lastCallsOf
	})
	if err != nil {
		return fmt.Errorf("read the last calls: %w", err)
	}
	return nil
}

// LastCall is when a guest called last from a room; nil when that is too long
// ago, or never was.
func (r *Requests) LastCall(room fleet.RoomID) *time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.lastCall[room]; ok {
		return &at
	}
	return nil
}
