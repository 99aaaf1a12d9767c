// Package selftest tries again and again, zone by zone, whether a call would
// come through: it opens a request as a press would, routes it, has a watch
// acknowledge a message, and ends the request. It stays out of statistics and
// rings nobody: the message says that a request is over that no watch knows.
//
// What always holds: a result says when it was found and what for; a zone that
// was not tried yet has none.
//
// On disk: the newest result of each zone, and the requests. All methods may be
// called from any goroutine.
package selftest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero durations take their defaults.
type Config struct {
	Store   *store.Store
	Journal *journal.Journal
	// Route are the watches that a request from a room is told to at its first
	// level, and then the others, each with why it cannot be told (empty: it can).
	Route func(fleet.Request) []Watch
	// Ask sends a watch the message; its acknowledgement comes back through
	// Delivered with the same ref.
	Ask func(ctx context.Context, watch fleet.Device, id fleet.RequestID, ref string) error
	// Found is told of each result; may be nil.
	Found func(Result)
	// Every is how often each zone is tried. 1 h; negative: only when somebody asks.
	Every time.Duration
	// After the start of the hub it waits for so long, until watches are back. 2 min.
	After time.Duration
	// Patience is how long a watch has to answer. 10 s.
	Patience time.Duration
}

// Watch is one that could be asked.
type Watch struct {
	fleet.Device
	Why string
}

// Result is what a test of one zone found.
type Result struct {
	// Zone is what rooms say; empty for the rooms without one.
	Zone string       `json:"zone"`
	Room fleet.RoomID `json:"room"`
	At   time.Time    `json:"at"`
	OK   bool         `json:"ok"`
	// Why it failed.
	Why     string          `json:"why,omitempty"`
	Request fleet.RequestID `json:"request_id,omitempty"`
	// Watch that answered.
	Watch fleet.DeviceID `json:"watch,omitempty"`
	// StoredMS is how long the request took to the disk, and AnsweredMS until the
	// watch had answered, in milliseconds.
	StoredMS   int64 `json:"stored_ms"`
	AnsweredMS int64 `json:"answered_ms,omitempty"`
}

// SelfTest tries the way of a call.
type SelfTest struct {
	c    Config
	busy sync.Mutex // one round at a time

	mu      sync.Mutex // guards what follows
	results map[string]Result
	waits   map[string]chan struct{} // closed when the watch has answered, by ref
}

const setting = "self_test"

// refPrefix marks the messages of a test.
const refPrefix = "selftest\x00"

// New reads the newest results.
func New(c Config) (*SelfTest, error) {
	c.Every, c.After = cmp.Or(c.Every, time.Hour), cmp.Or(c.After, 2*time.Minute)
	c.Patience = cmp.Or(c.Patience, 10*time.Second)
	if c.Found == nil {
		c.Found = func(Result) {}
	}
	results, _, err := store.Setting[[]Result](c.Store, setting)
	if err != nil {
		return nil, fmt.Errorf("read results of the self-test: %w", err)
	}
	t := &SelfTest{c: c, results: map[string]Result{}, waits: map[string]chan struct{}{}}
	for _, r := range results {
		t.results[r.Zone] = r
	}
	return t, nil
}

// Results are the newest result of each zone, by zone.
func (t *SelfTest) Results() []Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := []Result{}
	for _, r := range t.results {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Result) int { return strings.Compare(a.Zone, b.Zone) })
	return rows
}

// Every is how often each zone is tried; negative: only when somebody asks.
func (t *SelfTest) Every() time.Duration { return t.c.Every }

// Run tries all zones now and then until ctx ends.
func (t *SelfTest) Run(ctx context.Context) error {
	if err := t.endLeft(ctx); err != nil && !errors.Is(err, fleet.ErrFull) {
		return err
	}
	if t.c.Every < 0 {
		<-ctx.Done()
		return nil
	}
	timer := time.NewTimer(t.c.After)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if _, err := t.Try(ctx, fleet.System("selftest")); err != nil && ctx.Err() == nil && !errors.Is(err, fleet.ErrFull) {
			return err
		}
		timer.Reset(t.c.Every)
	}
}

// endLeft ends the requests of a test during which the hub ended.
func (t *SelfTest) endLeft(ctx context.Context) error {
	open, err := t.c.Store.OpenRequests()
	if err != nil {
		return fmt.Errorf("read open requests: %w", err)
	}
	for _, req := range open {
		if req.Purpose != fleet.PurposeSelfTest {
			continue
		}
		if err := t.end(ctx, req, fleet.RequestMissed); err != nil {
			return err
		}
	}
	return nil
}

// end takes the request of a test through steps.
func (t *SelfTest) end(ctx context.Context, req fleet.Request, steps ...fleet.RequestState) error {
	err := t.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		for i, to := range steps {
			step := fleet.RequestStepped{Request: req.ID, Version: req.Version + uint64(i) + 1, State: to}
			if err := tx.Append(fleet.System("selftest"), step); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("end the request of a self-test: %w", err)
	}
	return nil
}

// Try tries all zones, one after the other, and returns what was found.
func (t *SelfTest) Try(ctx context.Context, by fleet.Actor) ([]Result, error) {
	t.busy.Lock()
	defer t.busy.Unlock()
	zones := map[string]fleet.RoomID{}
	err := store.Entities(t.c.Store, "", func(r fleet.Room) bool {
		if _, known := zones[r.Zone]; !known && !r.Removed {
			zones[r.Zone] = r.ID
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	found := map[string]Result{}
	for zone, room := range zones {
		r, err := t.try(ctx, by, zone, room)
		if err != nil {
			return nil, err
		}
		found[zone] = r
		t.c.Found(r)
	}
	t.mu.Lock()
	t.results = found // zones that are gone have no result any more
	t.mu.Unlock()
	rows := t.Results()
	return rows, t.c.Store.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(setting, rows) })
}

func (t *SelfTest) try(ctx context.Context, by fleet.Actor, zone string, room fleet.RoomID) (Result, error) {
	result := Result{Zone: zone, Room: room}
	begun := time.Now()
	var req fleet.Request
	err := t.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		result.At = tx.Now()
		result.Request = fleet.NewUUID[fleet.RequestID](tx.Now())
		o := fleet.RequestOpened{Request: result.Request, Room: room, Priority: fleet.Normal, Purpose: fleet.PurposeSelfTest}
		if err := tx.Append(by, o); err != nil {
			return err
		}
		var err error
		req, _, err = fleet.Get[fleet.Request](tx, fleet.RequestRef(o.Request))
		return err
	})
	if err != nil {
		return result, fmt.Errorf("open the request of a self-test: %w", err)
	}
	result.StoredMS = time.Since(begun).Milliseconds()
	t.ask(ctx, req, begun, &result)
	steps := []fleet.RequestState{fleet.RequestMissed}
	if result.OK {
		steps = []fleet.RequestState{fleet.RequestAccepted, fleet.RequestCompleted}
	}
	return result, t.end(context.WithoutCancel(ctx), req, steps...)
}

// asked is how many watches are asked until one answers.
const asked = 3

// ask has one of the watches answer that would be told.
func (t *SelfTest) ask(ctx context.Context, req fleet.Request, begun time.Time, result *Result) {
	watches := t.c.Route(req)
	if len(watches) == 0 {
		result.Why = "no watch is registered"
		return
	}
	result.Why = "no watch can be reached"
	n := 0
	for _, w := range watches {
		if w.Why != "" {
			continue
		}
		if n++; n > asked {
			return
		}
		ref := refPrefix + string(req.ID) + "\x00" + string(w.ID)
		heard := make(chan struct{})
		t.mu.Lock()
		t.waits[ref] = heard
		t.mu.Unlock()
		err := t.c.Ask(ctx, w.Device, req.ID, ref)
		ok := err == nil && t.answers(ctx, heard)
		t.mu.Lock()
		delete(t.waits, ref)
		t.mu.Unlock()
		if ok {
			result.OK, result.Why, result.Watch, result.AnsweredMS = true, "", w.ID, time.Since(begun).Milliseconds()
			return
		}
		result.Why = fmt.Sprintf("watch %s does not answer", w.ID)
	}
}

func (t *SelfTest) answers(ctx context.Context, heard <-chan struct{}) bool {
	timer := time.NewTimer(t.c.Patience)
	defer timer.Stop()
	select {
	case <-heard:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Delivered takes a device's acknowledgement; false when it is of no test.
func (t *SelfTest) Delivered(ref string) bool {
	if !strings.HasPrefix(ref, refPrefix) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if heard, ok := t.waits[ref]; ok {
		close(heard)
		delete(t.waits, ref)
	}
	return true
}
