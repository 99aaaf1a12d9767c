package request

import (
	"context"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// ByHand is a request that a person opens: a guest has asked on the way, or by
// telephone.
type ByHand struct {
	Room fleet.RoomID
	// Service is the kind; empty for a plain call.
	Service  string
	Priority fleet.Priority
	Note     string
}

// Open opens a request by hand. fleet.ErrInvalid.
func (r *Requests) Open(ctx context.Context, by fleet.Actor, h ByHand) (fleet.Request, error) {
	o := fleet.RequestOpened{Room: h.Room, Service: h.Service, Priority: h.Priority, Note: h.Note}
	if _, err := fleet.ParseRoomID(string(h.Room)); err != nil {
		return fleet.Request{}, err
	}
	if len(h.Note) > MaxNote {
		return fleet.Request{}, fmt.Errorf("%w: note has %d bytes: want at most %d", fleet.ErrInvalid, len(h.Note), MaxNote)
	}
	if h.Service != "" {
		s, err := r.Services.Get(h.Service)
		if err != nil {
			return fleet.Request{}, fmt.Errorf("%w: kind %q: there is no such service", fleet.ErrInvalid, h.Service)
		}
		o.Team = s.Value.Team
		if s.Value.Priority != "" {
			o.Priority = o.Priority.Max(s.Value.Priority)
		}
	}
	return r.open(ctx, by, func(tx *journal.Tx) (fleet.RequestOpened, error) {
		room, found, err := fleet.Get[fleet.Room](tx, fleet.RoomRef(h.Room))
		if err == nil && (!found || room.Removed) {
			err = fmt.Errorf("%w: room %s does not exist", fleet.ErrInvalid, h.Room)
		}
		if err != nil {
			return o, err
		}
		drill, err := DrillUntil(tx)
		if tx.Now().Before(drill) {
			o.Purpose = fleet.PurposeDrill
		}
		return o, err
	})
}

// Reopen opens a new request for one that has ended too early. fleet.ErrNotFound,
// fleet.ErrState.
func (r *Requests) Reopen(ctx context.Context, by fleet.Actor, id fleet.RequestID, note string) (fleet.Request, error) {
	if len(note) > MaxNote {
		return fleet.Request{}, fmt.Errorf("%w: note has %d bytes: want at most %d", fleet.ErrInvalid, len(note), MaxNote)
	}
	return r.open(ctx, by, func(tx *journal.Tx) (fleet.RequestOpened, error) {
		old, err := current(tx, id)
		if err == nil && !old.State.Ended() {
			err = &Conflict{Request: old, Err: fmt.Errorf("%w: request %s is %s: it has not ended", fleet.ErrState, id, old.State)}
		}
		return fleet.RequestOpened{
			Device: old.Device, Room: old.Room, Service: old.Kind, Team: old.Team, Priority: old.Priority, Purpose: old.Purpose,
			Reopens: id, Note: note,
		}, err
	})
}

func (r *Requests) open(ctx context.Context, by fleet.Actor, what func(*journal.Tx) (fleet.RequestOpened, error)) (fleet.Request, error) {
	var after fleet.Request
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		o, err := what(tx)
		if err != nil {
			return err
		}
		o.Request = fleet.NewUUID[fleet.RequestID](tx.Now())
		if err := tx.Append(by, o); err != nil {
			return err
		}
		after, err = current(tx, o.Request)
		return err
	})
	return after, err
}

// current is a request as the decision sees it; fleet.ErrNotFound.
func current(tx *journal.Tx, id fleet.RequestID) (fleet.Request, error) {
	req, found, err := fleet.Get[fleet.Request](tx, fleet.RequestRef(id))
	if err == nil && !found {
		err = fmt.Errorf("%w: request %s", fleet.ErrNotFound, id)
	}
	return req, err
}

// Offer offers a request to a person; it goes on as before until that person
// takes it or the offer ends. fleet.ErrNotFound, fleet.ErrInvalid, *Conflict.
func (r *Requests) Offer(ctx context.Context, by fleet.Actor, id fleet.RequestID, version uint64, person, name string) (fleet.Request, error) {
	var after fleet.Request
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		req, err := current(tx, id)
		switch {
		case err != nil:
			return err
		case req.Version != version:
			return &Conflict{req, fmt.Errorf("%w: request %s has version %d, not %d", fleet.ErrVersion, id, req.Version, version)}
		case req.State.Ended():
			return &Conflict{req, fmt.Errorf("%w: request %s is %s", fleet.ErrState, id, req.State)}
		case req.AcceptedBy != nil && req.AcceptedBy.PersonID == person:
			return fmt.Errorf("%w: %s has the request already", fleet.ErrInvalid, name)
		}
		err = tx.Append(by, fleet.RequestOffered{
			Request: id, Number: req.Entries + 1, Person: person, Name: name, ExpiresAt: fleet.Millis(tx.Now().Add(r.c.OfferLife)),
		})
		if err != nil {
			return err
		}
		after, err = current(tx, id)
		return err
	})
	return after, err
}

// Decline says that somebody will not take a request: it rings him no more. A
// person to whom it is offered declines the offer, and whoever offered it takes
// it back. fleet.ErrNotFound, *Conflict.
func (r *Requests) Decline(ctx context.Context, by fleet.Actor, id fleet.RequestID) (fleet.Request, error) {
	var after fleet.Request
	err := r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		req, err := current(tx, id)
		if err != nil {
			return err
		}
		after = req
		d := fleet.RequestDeclined{Request: id, Number: req.Entries + 1}
		switch {
		case req.OfferedTo(by.PersonID, tx.Now()):
			d.Offer = fleet.OfferDeclined
		case req.Offer != nil && req.Offer.By.Same(by):
			d.Offer = fleet.OfferWithdrawn
		case req.State != fleet.RequestOpen:
			return &Conflict{req, fmt.Errorf("%w: request %s is %s", fleet.ErrState, id, req.State)}
		case req.HasDeclined(by.PersonID, watchOf(by)):
			return nil
		}
		if err := tx.Append(by, d); err != nil {
			return err
		}
		after, err = current(tx, id)
		return err
	})
	return after, err
}

func watchOf(by fleet.Actor) fleet.DeviceID {
	if by.Kind == fleet.ActorDevice {
		return fleet.DeviceID(by.ID)
	}
	return ""
}

// drillSetting is until when the crew practises.
const drillSetting = "drill_until"

// DrillUntil is until when requests are a drill; zero when they are none.
func DrillUntil(tx *journal.Tx) (time.Time, error) {
	until, _, err := store.TxSetting[time.Time](tx.Tx, drillSetting)
	return until, err
}

// Drill is DrillUntil outside a decision.
func (r *Requests) Drill() (time.Time, error) {
	until, _, err := store.Setting[time.Time](r.c.Store, drillSetting)
	return until, err
}

// MaxDrill is how long a drill can last: a forgotten one would hide calls from
// the statistics.
const MaxDrill = 4 * time.Hour

// SetDrill begins a drill, or ends it with the zero time: what is opened
// meanwhile rings as ever, is marked, and stays out of statistics.
func (r *Requests) SetDrill(ctx context.Context, by fleet.Actor, until time.Time) error {
	return r.c.Journal.Do(ctx, func(tx *journal.Tx) error {
		if left := until.Sub(tx.Now()); !until.IsZero() && (left <= 0 || left > MaxDrill) {
			return fmt.Errorf("%w: until %s: want a time within the next %s", fleet.ErrInvalid, until.Format(time.RFC3339), MaxDrill)
		}
		action, detail := "drill.ended", map[string]string(nil)
		if !until.IsZero() {
			action, detail = "drill.begun", map[string]string{"until": until.UTC().Format(time.RFC3339)}
		}
		if err := tx.PutSetting(drillSetting, fleet.Millis(until)); err != nil {
			return err
		}
		return tx.Audit(by, action, "", detail)
	})
}

// purposeOf is what a press that opens a request is for.
func (r *Requests) purposeOf(tx *journal.Tx, device fleet.DeviceID) (fleet.Purpose, error) {
	awaited, err := r.walkAwaits(tx, device)
	if err != nil || awaited {
		return fleet.PurposeWalk, err
	}
	until, err := DrillUntil(tx)
	if err == nil && tx.Now().Before(until) {
		return fleet.PurposeDrill, nil
	}
	return fleet.PurposeCall, err
}
