package fleet

import (
	"fmt"
	"strings"
	"time"
)

// DeviceType says what a device is. The four below are built in; a site may
// configure more, which behave like sensors.
type DeviceType string

// The built-in device types.
const (
	Button   DeviceType = "button"
	Watch    DeviceType = "watch"
	Repeater DeviceType = "repeater"
	Sensor   DeviceType = "sensor"
)

// DeviceTypes are the built-in device types, in the order of their display.
func DeviceTypes() []DeviceType { return []DeviceType{Button, Watch, Repeater, Sensor} }

// ParseDeviceType returns s as one of the built-in types, or ErrInvalid.
func ParseDeviceType(s string) (DeviceType, error) {
	for _, t := range DeviceTypes() {
		if string(t) == s {
			return t, nil
		}
	}
	return "", fmt.Errorf("%w: type %q: want button, watch, repeater or sensor", ErrInvalid, s)
}

// Device is one registered device of a site.
type Device struct {
	ID      DeviceID   `json:"device_id"`
	Type    DeviceType `json:"type"`
	Room    RoomID     `json:"room"`
	Name    string     `json:"name,omitempty"`
	Profile string     `json:"security_profile"`
	// PressProfile says what its presses mean; empty for the site's default.
	PressProfile string            `json:"press_profile,omitempty"`
	Tags         []string          `json:"tags,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	// LegacyID is the device's number in the system that it was imported from.
	LegacyID  string    `json:"legacy_device_id,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Version counts the changes of this device, from 1. It goes on over
	// removal, so that a tombstone outranks what it removed.
	Version uint64 `json:"version"`
	// Removed marks a tombstone: the device was removed and its name may be
	// given again only at a higher version.
	Removed bool `json:"removed,omitempty"`
}

// BaseTopic is the topic that every topic of the device begins with, without
// a slash at its end: obedio/{site}/{room}/{type}/{device_id}.
func (d Device) BaseTopic(site SiteID) string {
	return strings.Join([]string{"obedio", string(site), string(d.Room), string(d.Type), string(d.ID)}, "/")
}

// Check reports as ErrInvalid what is wrong with a device that somebody wants
// to register or to change.
func (d Device) Check() error {
	if _, err := ParseDeviceID(string(d.ID)); err != nil {
		return err
	}
	if _, err := ParseRoomID(string(d.Room)); err != nil {
		return err
	}
	if _, err := ParseDeviceType(string(d.Type)); err != nil {
		return err
	}
	if !ValidSegment(d.Profile) {
		return fmt.Errorf("%w: security_profile %q: want 1 to %d of A-Z a-z 0-9 . _ -", ErrInvalid, d.Profile, MaxSegment)
	}
	if d.PressProfile != "" && !ValidSegment(d.PressProfile) {
		return fmt.Errorf("%w: press_profile %q: want 1 to %d of A-Z a-z 0-9 . _ -", ErrInvalid, d.PressProfile, MaxSegment)
	}
	if len(d.Name) > 128 {
		return fmt.Errorf("%w: name has %d bytes: want at most 128", ErrInvalid, len(d.Name))
	}
	if len(d.Tags) > 32 {
		return fmt.Errorf("%w: %d tags: want at most 32", ErrInvalid, len(d.Tags))
	}
	for _, t := range d.Tags {
		if !ValidSegment(t) {
			return fmt.Errorf("%w: tag %q: want 1 to %d of A-Z a-z 0-9 . _ -", ErrInvalid, t, MaxSegment)
		}
	}
	if len(d.Metadata) > 32 {
		return fmt.Errorf("%w: %d metadata entries: want at most 32", ErrInvalid, len(d.Metadata))
	}
	for k, v := range d.Metadata {
		if !ValidSegment(k) || len(v) > 256 {
			return fmt.Errorf("%w: metadata %q: want a name as of a tag and a value of at most 256 bytes", ErrInvalid, k)
		}
	}
	return nil
}

// Presence is what the evidence says about a device.
type Presence string

// The presence states.
const (
	// NeverSeen: registered, and nothing was heard of it yet.
	NeverSeen Presence = "never_seen"
	// Ready: heard of within its reporting interval.
	Ready Presence = "ready"
	// Sleeping: silent as its type's sleep policy allows.
	Sleeping Presence = "sleeping"
	// Late: silent for longer than its reporting interval.
	Late Presence = "late"
	// Lost: silent for so long that somebody should look.
	Lost Presence = "lost"
	// Disconnected: its connection ended, by its own word or by its will.
	Disconnected Presence = "disconnected"
	// Retired: taken out of service.
	Retired Presence = "retired"
)

// Presences are all presence states.
func Presences() []Presence {
	return []Presence{NeverSeen, Ready, Sleeping, Late, Lost, Disconnected, Retired}
}

// DeviceState is the newest that is known about a device: only the last value
// counts, so it is not a record but a row of lane 2.
type DeviceState struct {
	ID       DeviceID  `json:"device_id"`
	Presence Presence  `json:"presence"`
	Since    time.Time `json:"since"`
	// LastSeen is when the hub last had evidence of the device; zero if never.
	LastSeen time.Time `json:"last_seen,omitzero"`
	// Battery is a percentage from 0 to 100; nil when never told.
	Battery *int `json:"battery,omitempty"`
	// Signal is the strength of the radio signal in dBm; nil when never told.
	Signal   *int   `json:"signal_strength,omitempty"`
	Firmware string `json:"firmware_version,omitempty"`
	BootID   string `json:"boot_id,omitempty"`
	// UptimeS is the device's own word on how long it runs, in seconds.
	UptimeS *int64 `json:"uptime_s,omitempty"`
	// Version orders the states of all devices of one epoch: each change of any
	// state takes the next number.
	Version uint64 `json:"version"`
}
