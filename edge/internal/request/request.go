// Package request turns presses into requests and takes them through their
// steps. It decides; the journal stores; others tell the watches.
//
// What always holds: a press has one request and counts once, however often
// it arrives and wherever the hub was killed; of two who accept, the first one
// wins and the other is told who; a button's receipt is queued in the
// transaction that it speaks of. All methods may be called from any goroutine.
package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/obedio/obedio/edge/internal/dialect"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// Config is what New needs. Zero durations take their defaults.
type Config struct {
	Journal *journal.Journal
	// Owed is told of each receipt that was queued, once it is on disk; may be
	// nil. It must be quick.
	Owed func(store.Receipt)
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
}

// Requests is the hub's call handling.
type Requests struct {
	c Config

	mu     sync.Mutex // guards uptime
	uptime map[fleet.DeviceID]int64
}

// New returns the call handling over a journal.
func New(c Config) *Requests {
	c.CollapseAccepted = cmp.Or(c.CollapseAccepted, time.Minute)
	c.LateAfter = cmp.Or(c.LateAfter, 30*time.Second)
	c.LateMax = cmp.Or(c.LateMax, 7*24*time.Hour)
	c.RepeatWindow = cmp.Or(c.RepeatWindow, 2*time.Minute)
	if c.Owed == nil {
		c.Owed = func(store.Receipt) {}
	}
	return &Requests{c: c, uptime: map[fleet.DeviceID]int64{}}
}

// Incoming is a press as it came in.
type Incoming struct {
	Device fleet.Device
	Press  dialect.Press
	// Dup: the client says that it sends the message again.
	Dup bool
	// Via is the repeater that relayed it, if one did.
	Via fleet.DeviceID
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
		p := fleet.Pressed{
			Press: fleet.Press{
				PressKey: id.key, Type: in.Press.Type, Priority: in.Press.Priority, Duration: in.Press.Duration,
				DeviceTime: in.Press.At, ReceivedAt: tx.Now(), LateBy: r.late(tx, in.Press.At), Via: in.Via,
			},
			Room: in.Device.Room, HubMade: id.hubMade,
		}
		if id.hubMade {
			p.Fingerprint = in.Press.Fingerprint
		}
		if p.Request, err = r.joins(tx, in.Device.ID, p.Room); err != nil {
			return err
		}
		if p.Request == "" {
			p.Request, p.Opens = fleet.NewUUID[fleet.RequestID](tx.Now()), true
		}
		if err := tx.Append(by, p); err != nil {
			return err
		}
		return r.owe(tx, store.Receipt{Press: id.key, Stage: store.StageStored, HubMade: id.hubMade, At: tx.Now()})
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

// joins returns the request that a further press of the device joins; empty
// when it opens one.
func (r *Requests) joins(tx *journal.Tx, device fleet.DeviceID, room fleet.RoomID) (fleet.RequestID, error) {
	cursor, found, err := fleet.Get[fleet.PressCursor](tx, fleet.PressCursorRef(device))
	if err != nil || !found || cursor.Request == "" {
		return "", err
	}
	req, found, err := fleet.Get[fleet.Request](tx, fleet.RequestRef(cursor.Request))
	if err != nil || !found || req.Room != room {
		return "", err
	}
	if req.State == fleet.RequestOpen ||
		req.State == fleet.RequestAccepted && within(req.AcceptedAt, tx.Now(), r.c.CollapseAccepted) {
		return req.ID, nil
	}
	return "", nil
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
