package fleet

import (
	"bytes"
	"fmt"
)

// Restated: the hub tells an entity as it is, over whatever is held of it. It
// follows on a restore or a gap, when single steps cannot be told any more. The
// audit is never restated: what is written there stays, or is shown as forked.
type Restated struct{ Entity Entity }

// Kind implements Body.
func (Restated) Kind() Kind { return KindRestated }

// Lane implements Body: it is the lane whose records the entity follows from.
func (r Restated) Lane() Lane {
	if r.Entity == nil {
		return LaneRegistry
	}
	return LaneOf(r.Entity.Ref().Kind)
}

// LaneOf is the lane whose records entities of a kind follow from.
func LaneOf(k EntityKind) Lane {
	switch k {
	case EntityPress, EntityPressCursor, EntityRequest:
		return LaneRequests
	case EntityCommand, EntityJob:
		return LaneCommands
	case EntityDevice, EntityRoom, EntityOrderAnswer, EntityDocument, EntityCertificate, EntityAuditEntry, EntityAuditHead,
		EntityAlert, EntityAppliedPolicy:
	}
	return LaneRegistry
}

// Restatable reports whether entities of a kind may be restated.
func Restatable(k EntityKind) bool { return k != EntityAuditEntry && k != EntityAuditHead }

// Check reports as ErrInvalid what is wrong with a restatement.
func (r Restated) Check() error {
	switch {
	case r.Entity == nil:
		return fmt.Errorf("%w: nothing is restated", ErrInvalid)
	case !Restatable(r.Entity.Ref().Kind):
		return fmt.Errorf("%w: %s is not restated", ErrInvalid, r.Entity.Ref().Kind)
	case r.Entity.Ref().ID == "":
		return fmt.Errorf("%w: restated %s has no id", ErrInvalid, r.Entity.Ref().Kind)
	}
	return nil
}

func applyRestated(v View, b Restated) ([]Change, error) {
	if err := b.Check(); err != nil {
		return nil, err
	}
	ref := b.Entity.Ref()
	held, err := v.Entity(ref)
	if err != nil {
		return nil, fmt.Errorf("read %s %s: %w", ref.Kind, ref.ID, err)
	}
	if held == nil {
		return []Change{{After: b.Entity}}, nil
	}
	wanted, err := EncodeEntity(b.Entity)
	if err != nil || bytes.Equal(held, wanted) {
		return nil, err
	}
	before, err := DecodeEntity(ref.Kind, held)
	if err != nil {
		return nil, err
	}
	return []Change{{Before: before, After: b.Entity}}, nil
}

// Touched are the entities that a record may change. It reads nothing, so it
// may name some that the record leaves alone.
func Touched(r Record) []Ref {
	switch b := r.Body.(type) {
	case Pressed:
		return []Ref{b.PressKey.Ref(), PressCursorRef(b.Device), RequestRef(b.Press.Request)}
	case EpochOpened:
		return []Ref{PressCursorRef(b.Device)}
	case RequestOpened:
		refs := []Ref{RequestRef(b.Request)}
		if b.Device != "" {
			refs = append(refs, PressCursorRef(b.Device))
		}
		return refs
	case RequestStepped:
		return []Ref{RequestRef(b.Request)}
	case RequestEscalated:
		return []Ref{RequestRef(b.Request)}
	case RequestOffered:
		return []Ref{RequestRef(b.Request)}
	case RequestDeclined:
		return []Ref{RequestRef(b.Request)}
	case CommandStepped:
		return []Ref{CommandRef(b.Command)}
	case JobChanged:
		return []Ref{b.Job.Ref()}
	case DeviceChanged:
		return []Ref{b.Device.Ref()}
	case RoomChanged:
		return []Ref{b.Room.Ref()}
	case PolicyChanged:
		return []Ref{b.Document.Ref()}
	case PolicyApplied:
		return []Ref{AppliedPolicyRef()}
	case CertificateChanged:
		return []Ref{b.Certificate.Ref()}
	case AlertChanged:
		return []Ref{b.Alert.Ref()}
	case OrderAnswered:
		return []Ref{OrderAnswer(b).Ref()}
	case Audited:
		return []Ref{AuditEntryRef(b.Chain, b.N), AuditHeadRef(b.Chain)}
	case Restated:
		return []Ref{b.Entity.Ref()}
	}
	return nil
}

// Reconcile says what an entity is after a hub has lost records: ours is what
// the hub holds (nil for nothing), theirs what the console does, and mine says
// that the hub has changed it since both last agreed. What was changed on
// board stands, but a revocation stands in any case, and a command's end too.
func Reconcile(ours, theirs Entity, mine bool) Entity {
	if ours == nil {
		return theirs
	}
	switch t := theirs.(type) {
	case Certificate:
		if o := ours.(Certificate); t.Revoked() && !o.Revoked() {
			return t
		}
		return ours
	case Command:
		o := ours.(Command)
		switch {
		case t.State.Rank() > o.State.Rank():
			return t
		case t.State.Ended() && o.State.Ended() && t.State != o.State:
			// What was told ashore came first; the other end is shown beside it.
			if t.Anomaly == "" {
				t.Anomaly = o.State
			}
			return t
		}
		return o
	case Device:
		return standing(ours.(Device), t, mine, func(e *Device) *uint64 { return &e.Version })
	case Room:
		return standing(ours.(Room), t, mine, func(e *Room) *uint64 { return &e.Version })
	case Document:
		return standing(ours.(Document), t, mine, func(e *Document) *uint64 { return &e.Version })
	case Job:
		return standing(ours.(Job), t, mine, func(e *Job) *uint64 { return &e.Version })
	case Alert:
		return standing(ours.(Alert), t, mine, func(e *Alert) *uint64 { return &e.Version })
	case Request:
		if o := ours.(Request); !mine && (t.Version > o.Version || t.Version == o.Version && (t.Entries > o.Entries || t.Presses > o.Presses)) {
			return t
		}
		return ours
	}
	if mine {
		return ours
	}
	return theirs
}

// standing is which of two versions of one entity counts. Ours, when it stands
// against theirs, gets a version above both, so that nobody goes on from the
// other one.
func standing[T Entity](ours, theirs T, mine bool, version func(*T) *uint64) Entity {
	our, their := version(&ours), *version(&theirs)
	if !mine && their > *our {
		return theirs
	}
	a, errA := EncodeEntity(ours)
	b, errB := EncodeEntity(theirs)
	if same := errA == nil && errB == nil && bytes.Equal(a, b); !same && *our <= their {
		*our = their + 1
	}
	return ours
}
