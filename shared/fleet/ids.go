package fleet

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// Names that people choose. Each is one segment of a topic:
// [A-Za-z0-9][A-Za-z0-9._-]{0,63}.
type (
	// SiteID names an installation, such as "yacht-1".
	SiteID string
	// RoomID names a place on a site, such as "cabin-101".
	RoomID string
	// DeviceID names a device; unique in its site.
	DeviceID string
)

// Names that programs make: UUIDs in their canonical lower-case text form.
type (
	// HubID names a hub. It survives a change of disk if the identity does.
	HubID string
	// RequestID names a request.
	RequestID string
	// CommandID names a command on one device.
	CommandID string
	// JobID names one command for many targets.
	JobID string
	// OrderID names an order; the number of an order says where it stands.
	OrderID string
)

// Epoch says which life of a store numbered a record. It is random, made when
// a store is new and again when a restore is found out.
type Epoch string

// Seq numbers the records of one lane of one epoch, from 1, without holes.
type Seq uint64

// MaxSegment is the greatest length of a name that people choose, in bytes.
const MaxSegment = 64

// ParseSiteID returns s as a SiteID, or ErrInvalid.
func ParseSiteID(s string) (SiteID, error) { return parseSegment[SiteID]("site_id", s) }

// ParseRoomID returns s as a RoomID, or ErrInvalid.
func ParseRoomID(s string) (RoomID, error) { return parseSegment[RoomID]("room_id", s) }

// ParseDeviceID returns s as a DeviceID, or ErrInvalid.
func ParseDeviceID(s string) (DeviceID, error) { return parseSegment[DeviceID]("device_id", s) }

// ParseUUID returns s as an id of the kind T, or ErrInvalid. Only the
// canonical text form (RFC 9562, lower case) is taken.
func ParseUUID[T ~string](what, s string) (T, error) {
	if !validUUID(s) {
		return "", fmt.Errorf("%w: %s %q is not a UUID in lower case", ErrInvalid, what, s)
	}
	return T(s), nil
}

// NewUUID returns a fresh id of the kind T: a UUID version 7 (RFC 9562), so
// that ids sort by the time they were made at.
func NewUUID[T ~string](at time.Time) T {
	var b [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (8 * (5 - i)))
	}
	rand.Read(b[6:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return T(FormatUUID(b))
}

// FormatUUID returns the canonical text form of b.
func FormatUUID(b [16]byte) string {
	var t [36]byte
	hex.Encode(t[0:8], b[0:4])
	hex.Encode(t[9:13], b[4:6])
	hex.Encode(t[14:18], b[6:8])
	hex.Encode(t[19:23], b[8:10])
	hex.Encode(t[24:36], b[10:16])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}

// UUIDBytes returns the 16 bytes of an id that ParseUUID has taken or NewUUID
// has made.
func UUIDBytes[T ~string](id T) ([16]byte, error) {
	var b [16]byte
	s := string(id)
	if !validUUID(s) {
		return b, fmt.Errorf("%w: %q is not a UUID in lower case", ErrInvalid, s)
	}
	packed := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(b[:], []byte(packed)); err != nil {
		return b, fmt.Errorf("%w: %q: %w", ErrInvalid, s, err)
	}
	return b, nil
}

// UUIDFloor is what the ids of NewUUID that were made at a time or later do not
// sort before, and earlier ones do (RFC 9562, section 5.7).
func UUIDFloor(t time.Time) string {
	ms := uint64(max(0, t.UnixMilli()))
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}

// NewEpoch returns a fresh random epoch.
func NewEpoch() Epoch {
	var b [8]byte
	rand.Read(b[:])
	return Epoch(hex.EncodeToString(b[:]))
}

func parseSegment[T ~string](what, s string) (T, error) {
	if !ValidSegment(s) {
		return "", fmt.Errorf("%w: %s %q: want 1 to %d of A-Z a-z 0-9 . _ -, the first a letter or a digit",
			ErrInvalid, what, s, MaxSegment)
	}
	return T(s), nil
}

// ValidSegment reports whether s can be a name that people choose, and so one
// level of a topic.
func ValidSegment(s string) bool {
	if len(s) == 0 || len(s) > MaxSegment {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return true
}

func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
