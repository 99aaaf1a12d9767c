// Package request turns presses into requests and takes them through their
// steps: who is told at which level, who was offered what, and when a request
// is missed. It decides; the journal stores; others tell the watches.
//
// What always holds: a press has one request and counts once, however often
// it arrives and wherever the hub was killed; of two who accept, the first one
// wins and the other is told who; a button's receipt is queued in the
// transaction that it speaks of; an emergency is told to everybody and ends by
// a person only. All methods may be called from any goroutine.
package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero durations take their defaults.
type Config struct {
	Store   *store.Store
	Journal *journal.Journal
	// Owed is told of each receipt that was queued, once it is on disk; may be
	// nil. It must be quick.
	Owed func(store.Receipt)
	// Told counts the people and watches that a request would be told to at a
	// level, and how many of them can be told; may be nil. See Standing.
	Told func(r fleet.Request, to fleet.Recipients) Standing
	// CollapseAccepted: a press within this time after its button's request was
	// accepted joins it. 60 s.
	CollapseAccepted time.Duration
	// LateAfter: a press that was under way for longer says so. 30 s.
	LateAfter time.Duration
	// LateMax: a device time that is further away is taken for absurd. 7 days.
	LateMax time.Duration
	// RepeatWindow: without time and boot_id in it, the same message within this
	// time is the same press. 2 min.
	RepeatWindow time.Duration
	// OfferLife is how long an offer stands. 60 s.
	OfferLife time.Duration
	// Hurry makes what escalations wait for shorter by this factor, for
	// demonstrations and tests; 1 by default.
	Hurry float64
	// MaxDocuments: see document.Config.
	MaxDocuments int
}

// Requests is the hub's call handling.
type Requests struct {
	c Config
	Policies
	watched watched
	// walk is the newest walk as of the last commit; nil when there was none.
	walk atomic.Pointer[Walk]

	mu     sync.Mutex // guards what follows
	uptime map[fleet.DeviceID]int64
	// lastCall is when a guest called last from a room.
	lastCall map[fleet.RoomID]time.Time
}

// New returns the call handling over a journal.
func New(c Config) (*Requests, error) {
	c.CollapseAccepted = cmp.Or(c.CollapseAccepted, time.Minute)
	c.LateAfter = cmp.Or(c.LateAfter, 30*time.Second)
	c.LateMax = cmp.Or(c.LateMax, 7*24*time.Hour)
	c.RepeatWindow = cmp.Or(c.RepeatWindow, 2*time.Minute)
	c.OfferLife = cmp.Or(c.OfferLife, time.Minute)
	c.Hurry = cmp.Or(c.Hurry, 1)
	if c.Owed == nil {
		c.Owed = func(store.Receipt) {}
	}
	r := &Requests{c: c, uptime: map[fleet.DeviceID]int64{}, lastCall: map[fleet.RoomID]time.Time{}}
	r.watched.requests = map[fleet.RequestID]*waiting{}
	var err error
	if r.Policies, err = newPolicies(c); err != nil {
		return nil, err
	}
	if w, found, err := store.Setting[Walk](c.Store, walkSetting); err != nil {
		return nil, fmt.Errorf("read the last walk: %w", err)
	} else if found {
		r.walk.Store(&w)
	}
	if err := r.loadLastCalls(); err != nil {
		return nil, err
	}
	c.Journal.Follow(r.event)
	return r, nil
}

// Incoming is a press as it came in.
type Incoming struct {
	Device fleet.Device
	Press  dialect.Press
	// Dup: the client says that it sends the message again.
	Dup bool
	// Via is the repeater that relayed it, if one did.
	Via fleet.DeviceID
	// Signal (dBm) and Battery (per cent) are the newest known of the button; nil
	// when they are not known.
	Signal, Battery *int
}

// Press stores a press and the request that it opens or joins. When it returns
// nil both are on disk, or were so before: then duplicate is true.
func (r *Requests) Press(ctx context.Context, in Incoming) (duplicate bool, err error) {
	err = r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		duplicate = false
		id, err := identify(tx, in.Device.ID, in.Press, in.Dup, tx.Now(), r.c.RepeatWindow)
		if err != nil {
			return err
		}
		if id.duplicate != nil {
			duplicate = true
			return r.receiptAgain(tx, *id.duplicate, id.hubMade)
		}
		by := fleet.ByDevice(in.Device.ID)
		if id.opens != "" {
			opened := fleet.EpochOpened{Device: in.Device.ID, BootID: id.key.BootID, Cause: id.opens}
			if err := tx.Append(fleet.System("request"), opened); err != nil {
				return err
			}
		}
		joins, err := r.joins(tx, in.Device.ID, in.Device.Room)
		if err != nil {
			return err
		}
		meaning, team := r.meaning(in.Device.PressProfile, in.Press.Type, in.Press.Priority, joins.Presses+1)
		p := fleet.Pressed{
			Press: fleet.Press{
				PressKey: id.key, Type: in.Press.Type, Priority: meaning.Priority, Duration: in.Press.Duration,
				DeviceTime: in.Press.At, ReceivedAt: tx.Now(), LateBy: r.late(tx, in.Press.At), Via: in.Via,
			},
			Room: in.Device.Room, HubMade: id.hubMade,
		}
		if id.hubMade {
			p.Fingerprint = in.Press.Fingerprint
		}
		if p.Request = joins.ID; p.Request == "" {
			p.Request, p.Opens = fleet.NewUUID[fleet.RequestID](tx.Now()), true
			p.Service, p.Team = meaning.Service, team
			if p.Purpose, err = r.purposeOf(tx, in.Device.ID); err != nil {
				return err
			}
		}
		if err := tx.Append(by, p); err != nil {
			return err
		}
		if err := r.owe(tx, store.Receipt{Press: id.key, Stage: store.StageStored, HubMade: id.hubMade, At: tx.Now()}); err != nil {
			return err
		}
		return r.pressed(tx, in, p)
	})
	return duplicate, err
}

// owe queues a receipt.
func (r *Requests) owe(tx *journal.Tx, receipt store.Receipt) error {
	tx.Then(func() { r.c.Owed(receipt) })
	return tx.PutReceipt(receipt)
}

// receiptAgain queues the receipt of a press that has come again: the button
// has not had it.
func (r *Requests) receiptAgain(tx *journal.Tx, p fleet.Press, hubMade bool) error {
	req, found, err := fleet.Get[fleet.Request](tx, fleet.RequestRef(p.Request))
	if err != nil {
		return err
	}
	stage := store.StageStored
	switch {
	case !found, req.State == fleet.RequestOpen:
	case req.State == fleet.RequestAccepted:
		stage = store.StageAccepted
	default:
		stage = store.StageCompleted
	}
	return r.owe(tx, store.Receipt{Press: p.PressKey, Stage: stage, HubMade: hubMade, At: tx.Now()})
}

// pressed does what else a press asks for: one that comes too late to ring is
// missed, and one of a walk is done.
func (r *Requests) pressed(tx *journal.Tx, in Incoming, p fleet.Pressed) error {
	if p.Purpose == fleet.PurposeWalk {
		return r.walked(tx, in, p)
	}
	most := time.Duration(r.Escalation(p.Priority).LateMaxS) * time.Second
	if !p.Opens || most == 0 || p.LateBy <= most {
		return nil
	}
	return tx.Append(fleet.System("request"), fleet.RequestStepped{Request: p.Press.Request, Version: 2, State: fleet.RequestMissed})
}

// joins returns the request that a further press of the device joins; the zero
// value when it opens one.
func (r *Requests) joins(tx *journal.Tx, device fleet.DeviceID, room fleet.RoomID) (fleet.Request, error) {
	var none fleet.Request
	cursor, found, err := fleet.Get[fleet.PressCursor](tx, fleet.PressCursorRef(device))
	if err != nil || !found || cursor.Request == "" {
		return none, err
	}
	req, found, err := fleet.Get[fleet.Request](tx, fleet.RequestRef(cursor.Request))
	if err != nil || !found || req.Room != room {
		return none, err
	}
	if req.State == fleet.RequestOpen ||
		req.State == fleet.RequestAccepted && within(req.AcceptedAt, tx.Now(), r.c.CollapseAccepted) {
		return req, nil
	}
	return none, nil
}

// within reports whether now is at most window after a time. A clock that was
// set back says nothing of how long ago that was, and a call too many rings
// where a call too few would be missed.
func within(at, now time.Time, window time.Duration) bool {
	age := now.Sub(at)
	return age >= 0 && age < window
}

// late is how long a press was under way, when both clocks make sense and it
// is worth telling.
func (r *Requests) late(tx *journal.Tx, at time.Time) time.Duration {
	by := tx.Now().Sub(at)
	if at.IsZero() || !tx.Trusted() || by < r.c.LateAfter || by > r.c.LateMax {
		return 0
	}
	return by
}

// Observe looks at what a device without boot_id tells of itself for signs
// that it has restarted: then its counter begins anew. first says that it is
// the first status of a connection.
func (r *Requests) Observe(ctx context.Context, device fleet.DeviceID, t dialect.Telemetry, first bool) error {
	if t.BootID != "" {
		return nil
	}
	cause := ""
	if t.UptimeS != nil {
		r.mu.Lock()
		before, known := r.uptime[device]
		r.uptime[device] = *t.UptimeS
		r.mu.Unlock()
		if known && *t.UptimeS < before-5 {
			cause = "uptime"
		}
	}
	if first && t.ResetReason != "" && (t.UptimeS == nil || *t.UptimeS < 120) {
		cause = "birth"
		if t.UptimeS == nil {
			// The first heartbeat after this tells of the same restart.
			r.mu.Lock()
			delete(r.uptime, device)
			r.mu.Unlock()
		}
	}
	if cause == "" {
		return nil
	}
	return r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		cursor, found, err := fleet.Get[fleet.PressCursor](tx, fleet.PressCursorRef(device))
		if err != nil || !found || !cursor.HubMade || cursor.LastSeq == 0 {
			return err // it has never pressed, or not since the last epoch began
		}
		return tx.Append(fleet.System("request"), fleet.EpochOpened{Device: device, BootID: epochName(cursor.Epochs + 1), Cause: cause})
	})
}

// Conflict is the error of a step that came too late: it holds the request as
// it is, which says who was faster. It wraps fleet.ErrVersion or
// fleet.ErrState.
type Conflict struct {
	Request fleet.Request
	Err     error
}

// Error implements error.
func (c *Conflict) Error() string { return c.Err.Error() }

// Unwrap implements the errors package's convention.
func (c *Conflict) Unwrap() error { return c.Err }

// Step is what somebody wants to do with a request.
type Step struct {
	Request fleet.RequestID
	// Version of the request that the actor saw.
	Version uint64
	To      fleet.RequestState
	Reason  fleet.CancelReason
	Note    string
}

// MaxNote is the greatest length of a step's note, in bytes.
const MaxNote = 1000

// Take takes a step and returns the request after it. fleet.ErrNotFound,
// fleet.ErrInvalid, *Conflict.
func (r *Requests) Take(ctx context.Context, by fleet.Actor, s Step) (fleet.Request, error) {
	var after fleet.Request
	if len(s.Note) > MaxNote {
		return after, fmt.Errorf("%w: note has %d bytes: want at most %d", fleet.ErrInvalid, len(s.Note), MaxNote)
	}
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		req, found, err := fleet.Get[fleet.Request](tx, fleet.RequestRef(s.Request))
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: request %s", fleet.ErrNotFound, s.Request)
		}
		if taking := s.To == fleet.RequestAccepted && req.State == fleet.RequestAccepted; taking && !req.OfferedTo(by.PersonID, tx.Now()) {
			return &Conflict{Request: req, Err: fmt.Errorf("%w: request %s is accepted and not offered to you", fleet.ErrState, req.ID)}
		}
		body, err := req.Step(s.Version, s.To, s.Reason, s.Note)
		if errors.Is(err, fleet.ErrVersion) || errors.Is(err, fleet.ErrState) {
			return &Conflict{Request: req, Err: err}
		}
		if err != nil {
			return err
		}
		if err := tx.Append(by, body); err != nil {
			return err
		}
		if after, _, err = fleet.Get[fleet.Request](tx, fleet.RequestRef(s.Request)); err != nil {
			return err
		}
		return r.tellButton(tx, after)
	})
	return after, err
}

// tellButton queues the receipt that says how far the button's press has come.
func (r *Requests) tellButton(tx *journal.Tx, req fleet.Request) error {
	if req.LastPress.Device == "" {
		return nil // nobody pressed
	}
	stage := store.StageCompleted
	if req.State == fleet.RequestAccepted {
		stage = store.StageAccepted
	}
	cursor, _, err := fleet.Get[fleet.PressCursor](tx, fleet.PressCursorRef(req.Device))
	if err != nil {
		return err
	}
	hubMade := isEpochName(req.LastPress.BootID)
	if hubMade && cursor.BootID != req.LastPress.BootID {
		// The button has restarted since: it does not know the press any more, and
		// its number may be another press's by now.
		return nil
	}
	return r.owe(tx, store.Receipt{Press: req.LastPress, Stage: stage, At: tx.Now(), HubMade: hubMade})
}
