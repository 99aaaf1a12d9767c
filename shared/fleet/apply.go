package fleet

import (
	"fmt"
)

// Change is one entity that a record changed.
type Change struct {
	// Before is the entity as it was; nil when the record made it.
	Before Entity
	// After is the entity as it is now.
	After Entity
}

// Apply folds one record into the state behind v and returns what changed; v
// itself is left alone. It is a pure function: hub and console, given the same
// records lane by lane, come to the same state, however the lanes interleave.
//
// A record that has been applied before changes nothing. A reference to an
// entity of another lane that has not been seen yet is tolerated. An error
// means that v could not be read or that the record contradicts its own
// lane; the second kind is ErrInvalid or ErrState, and the caller sets the
// record aside as a dead letter.
func Apply(v View, r Record) ([]Change, error) {
	switch b := r.Body.(type) {
	case Pressed:
		return applyPressed(v, r, b)
	case EpochOpened:
		return applyEpoch(v, b)
	case RequestOpened:
		return applyOpened(v, r, b)
	case RequestStepped:
		return applyRequest(v, r, b)
	case RequestEscalated:
		return applyEscalated(v, r, b)
	case RequestOffered:
		return applyOffered(v, r, b)
	case RequestDeclined:
		return applyDeclined(v, r, b)
	case CommandStepped:
		return applyCommand(v, r, b)
	case JobChanged:
		before, found, err := Get[Job](v, b.Job.Ref())
		if err != nil || found && before.Version >= b.Job.Version {
			return nil, err
		}
		return changed(found, before, b.Job), nil
	case DeviceChanged:
		before, found, err := Get[Device](v, b.Device.Ref())
		if err != nil || found && before.Version >= b.Device.Version {
			return nil, err
		}
		return changed(found, before, b.Device), nil
	case RoomChanged:
		before, found, err := Get[Room](v, b.Room.Ref())
		if err != nil || found && before.Version >= b.Room.Version {
			return nil, err
		}
		return changed(found, before, b.Room), nil
	case PolicyChanged:
		before, found, err := Get[Document](v, b.Document.Ref())
		if err != nil || found && before.Version >= b.Document.Version {
			return nil, err
		}
		return changed(found, before, b.Document), nil
	case CertificateChanged:
		before, found, err := Get[Certificate](v, b.Certificate.Ref())
		if err != nil || found && before.Version >= b.Certificate.Version {
			return nil, err
		}
		return changed(found, before, b.Certificate), nil
	case AlertChanged:
		before, found, err := Get[Alert](v, b.Alert.Ref())
		if err != nil || found && before.Version >= b.Alert.Version {
			return nil, err
		}
		return changed(found, before, b.Alert), nil
	case Audited:
		return applyAudited(v, r, b)
	case OrderAnswered:
		a := OrderAnswer(b)
		before, found, err := Get[OrderAnswer](v, a.Ref())
		if err != nil || found {
			return nil, err
		}
		return changed(found, before, a), nil
	case PolicyApplied:
		return applyPolicy(v, r, b)
	case Restated:
		return applyRestated(v, b)
	case Unknown:
		return nil, nil
	}
	return nil, fmt.Errorf("%w: record body %T", ErrInvalid, r.Body)
}

func changed[T Entity](found bool, before, after T) []Change {
	if !found {
		return []Change{{After: after}}
	}
	return []Change{{Before: before, After: after}}
}

func applyPressed(v View, r Record, b Pressed) ([]Change, error) {
	known, hadPress, err := Get[Press](v, b.PressKey.Ref())
	if err != nil {
		return nil, err
	}
	if hadPress {
		// What a hub has restated may have come without the request.
		if _, found, err := Get[Request](v, RequestRef(b.Press.Request)); err != nil || found || !b.Opens {
			return nil, err
		}
	}
	cursor, hadCursor, err := Get[PressCursor](v, PressCursorRef(b.Device))
	if err != nil {
		return nil, err
	}
	next := cursor
	next.Device, next.LastAt, next.Request = b.Device, b.ReceivedAt, b.Press.Request
	if next.BootID != b.BootID {
		next.BootID, next.LastSeq, next.HubMade = b.BootID, 0, b.HubMade
	}
	next.LastSeq = max(next.LastSeq, b.SequenceID)

	req, hadRequest, err := Get[Request](v, RequestRef(b.Press.Request))
	if err != nil {
		return nil, err
	}
	before := req
	switch {
	case b.Opens && !hadRequest:
		req = Request{
			ID: b.Press.Request, Device: b.Device, Room: b.Room, Kind: b.Service, Team: b.Team, Purpose: b.Purpose,
			State: RequestOpen, Priority: b.Priority, Version: 1, Presses: 1,
			OpenedAt: r.At, LevelAt: r.At, LateBy: b.LateBy, LastPressAt: b.ReceivedAt, LastPress: b.PressKey,
		}
		req = req.note(RequestStep{Event: EventOpened, At: r.At, By: r.Actor})
	case !b.Opens && hadRequest:
		// The version stays: who accepts what he sees must not lose against the
		// guest's own impatience.
		req.Presses++
		req.Priority = req.Priority.Max(b.Priority)
		req.LastPressAt, req.LastPress = b.ReceivedAt, b.PressKey
	default:
		return nil, fmt.Errorf("%w: press %s opens=%t and request %s known=%t",
			ErrState, b.PressKey.Ref().ID, b.Opens, b.Press.Request, hadRequest)
	}
	changes := changed(hadPress, known, b.Press)
	changes = append(changes, changed(hadCursor, cursor, next)...)
	return append(changes, changed(hadRequest, before, req)...), nil
}

func applyEpoch(v View, b EpochOpened) ([]Change, error) {
	before, found, err := Get[PressCursor](v, PressCursorRef(b.Device))
	if err != nil || found && before.BootID == b.BootID {
		return nil, err
	}
	next := before
	next.Device, next.BootID, next.HubMade, next.LastSeq = b.Device, b.BootID, true, 0
	next.Epochs++
	return changed(found, before, next), nil
}

func applyCommand(v View, r Record, b CommandStepped) ([]Change, error) {
	before, found, err := Get[Command](v, CommandRef(b.Command))
	if err != nil {
		return nil, err
	}
	next := before
	if !found {
		d := b.Define
		if d == nil {
			return nil, fmt.Errorf("%w: step %s of command %s, which nothing defined", ErrState, b.State, b.Command)
		}
		next = Command{
			ID: b.Command, Device: d.Device, Name: d.Name, Args: d.Args, State: CommandQueued,
			IssuedBy: d.IssuedBy, IssuedAt: d.IssuedAt, ExpiresAt: d.ExpiresAt, Job: d.Job, Order: d.Order,
			Steps: []CommandStep{{State: CommandQueued, At: d.IssuedAt}},
		}
	}
	switch {
	case next.State.Leads(b.State):
		next.State, next.UpdatedAt = b.State, r.At
		next.Steps = append(next.Steps[:len(next.Steps):len(next.Steps)], CommandStep{State: b.State, At: r.At})
		next.Result, next.Error = b.Result, b.Error
	case next.State.Ended() && b.State.Ended() && b.State != next.State && next.Anomaly == "":
		// The device answered after the end was written: the end stands, and what
		// came after is shown.
		next.Anomaly = b.State
	default:
		return nil, nil
	}
	return changed(found, before, next), nil
}
