package fleet

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
)

// EntityKind says what an entity of the folded state is.
type EntityKind string

// The kinds of entities, with the lane whose records they follow from: an
// entity never follows from two lanes.
const (
	EntityPress       EntityKind = "press"        // lane 0
	EntityPressCursor EntityKind = "press_cursor" // lane 0
	EntityRequest     EntityKind = "request"      // lane 0
	EntityCommand     EntityKind = "command"      // lane 1
	EntityJob         EntityKind = "job"          // lane 1
	EntityDevice      EntityKind = "device"       // lane 3
	EntityRoom        EntityKind = "room"         // lane 3
	EntityOrderAnswer EntityKind = "order_answer" // lane 3
	EntityDocument    EntityKind = "document"     // lane 3
	EntityCertificate EntityKind = "certificate"  // lane 3
	EntityAuditEntry  EntityKind = "audit"        // lane 3
	EntityAuditHead   EntityKind = "audit_head"   // lane 3
	EntityAlert       EntityKind = "alert"        // lane 3
	// EntityAppliedPolicy is what became of the policy from ashore; lane 3.
	EntityAppliedPolicy EntityKind = "applied_policy"
)

// EntityKinds are all kinds of entities.
func EntityKinds() []EntityKind {
	return []EntityKind{
		EntityPress, EntityPressCursor, EntityRequest, EntityCommand, EntityJob, EntityDevice, EntityRoom, EntityOrderAnswer,
		EntityDocument, EntityCertificate, EntityAuditEntry, EntityAuditHead, EntityAlert,
		EntityAppliedPolicy,
	}
}

// Ref names an entity of one site.
type Ref struct {
	Kind EntityKind
	ID   string
}

// Entity is one thing of the folded state: a value of one of the types whose
// Ref is below. Entities are stored as JSON.
type Entity interface{ Ref() Ref }

// OrderAnswer is what became of an order that is not a command.
type OrderAnswer struct {
	Number  uint64       `json:"number"`
	Order   OrderID      `json:"order_id"`
	Outcome OrderOutcome `json:"outcome"`
	Detail  string       `json:"detail,omitempty"`
}

// Ref implements Entity.
func (d Device) Ref() Ref { return DeviceRef(d.ID) }

// Ref implements Entity.
func (r Room) Ref() Ref { return Ref{EntityRoom, string(r.ID)} }

// Ref implements Entity.
func (p Press) Ref() Ref { return p.PressKey.Ref() }

// Ref names the press with this key.
func (k PressKey) Ref() Ref {
	return Ref{EntityPress, string(k.Device) + "/" + k.BootID + "/" + strconv.FormatUint(k.SequenceID, 10)}
}

// Ref implements Entity.
func (c PressCursor) Ref() Ref { return PressCursorRef(c.Device) }

// Ref implements Entity.
func (r Request) Ref() Ref { return RequestRef(r.ID) }

// Ref implements Entity.
func (c Command) Ref() Ref { return CommandRef(c.ID) }

// Ref implements Entity. The number is padded so that refs sort as numbers do.
func (a OrderAnswer) Ref() Ref { return Ref{EntityOrderAnswer, fmt.Sprintf("%020d", a.Number)} }

// Ref implements Entity.
func (d Document) Ref() Ref { return DocumentRef(d.Kind, d.Name) }

// DocumentRef names a policy document. Its parts are segments, so the slash
// keeps them apart.
func DocumentRef(kind DocumentKind, name string) Ref {
	return Ref{EntityDocument, string(kind) + "/" + name}
}

// DeviceRef names a device.
func DeviceRef(id DeviceID) Ref { return Ref{EntityDevice, string(id)} }

// RoomRef names a room.
func RoomRef(id RoomID) Ref { return Ref{EntityRoom, string(id)} }

// PressCursorRef names the press cursor of a device.
func PressCursorRef(id DeviceID) Ref { return Ref{EntityPressCursor, string(id)} }

// RequestRef names a request.
func RequestRef(id RequestID) Ref { return Ref{EntityRequest, string(id)} }

// CommandRef names a command.
func CommandRef(id CommandID) Ref { return Ref{EntityCommand, string(id)} }

// View reads single entities of one site's folded state.
type View interface {
	// Entity returns the stored JSON of an entity, or nil when there is none.
	// The bytes are valid until the transaction behind the View ends.
	Entity(Ref) ([]byte, error)
}

// Get reads the entity that ref names from v into a T; false when there is
// none.
func Get[T Entity](v View, ref Ref) (T, bool, error) {
	var e T
	b, err := v.Entity(ref)
	if err != nil {
		return e, false, fmt.Errorf("read %s %s: %w", ref.Kind, ref.ID, err)
	}
	if b == nil {
		return e, false, nil
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, false, fmt.Errorf("decode %s %s: %w", ref.Kind, ref.ID, err)
	}
	return e, true, nil
}

// EncodeEntity returns the stored form of e. The same value gives the same
// bytes on hub and console, so that their states can be compared.
func EncodeEntity(e Entity) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", e.Ref().Kind, err)
	}
	return b, nil
}

// DecodeEntity reads the stored form of an entity of the given kind.
func DecodeEntity(kind EntityKind, b []byte) (Entity, error) {
	switch kind {
	case EntityPress:
		return decode[Press](b)
	case EntityPressCursor:
		return decode[PressCursor](b)
	case EntityRequest:
		return decode[Request](b)
	case EntityCommand:
		return decode[Command](b)
	case EntityJob:
		return decode[Job](b)
	case EntityDevice:
		return decode[Device](b)
	case EntityRoom:
		return decode[Room](b)
	case EntityOrderAnswer:
		return decode[OrderAnswer](b)
	case EntityDocument:
		return decode[Document](b)
	case EntityCertificate:
		return decode[Certificate](b)
	case EntityAuditEntry:
		return decode[AuditEntry](b)
	case EntityAuditHead:
		return decode[AuditHead](b)
	case EntityAlert:
		return decode[Alert](b)
	case EntityAppliedPolicy:
		return decode[AppliedPolicy](b)
	}
	return nil, fmt.Errorf("%w: entity kind %q", ErrInvalid, kind)
}

func decode[T Entity](b []byte) (Entity, error) {
	var e T
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("decode %T: %w", e, err)
	}
	return e, nil
}

// SyncDigest is Digest of what a hub and its console hold alike when they are in
// sync: all but the audit, of which a hub that was restored lacks for ever what it
// had told ashore.
func SyncDigest(all iter.Seq2[Ref, []byte]) string {
	return Digest(func(yield func(Ref, []byte) bool) {
		for ref, b := range all {
			if Restatable(ref.Kind) && !yield(ref, b) {
				return
			}
		}
	})
}

// Digest sums up entities in their stored form: two states with the same
// digest are equal. all must yield in the order of kind, then id, each once.
func Digest(all iter.Seq2[Ref, []byte]) string {
	h := sha256.New()
	var n [4]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for ref, b := range all {
		part([]byte(ref.Kind))
		part([]byte(ref.ID))
		part(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
