package wire

import (
	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
)

var presences = names[pb.Presence, fleet.Presence]{
	fleet.NeverSeen:    pb.Presence_PRESENCE_NEVER_SEEN,
	fleet.Ready:        pb.Presence_PRESENCE_READY,
	fleet.Sleeping:     pb.Presence_PRESENCE_SLEEPING,
	fleet.Late:         pb.Presence_PRESENCE_LATE,
	fleet.Lost:         pb.Presence_PRESENCE_LOST,
	fleet.Disconnected: pb.Presence_PRESENCE_DISCONNECTED,
	fleet.Retired:      pb.Presence_PRESENCE_RETIRED,
}

// EncodeState returns the message of s.
func EncodeState(s fleet.DeviceState) *pb.DeviceState {
	m := &pb.DeviceState{
		DeviceId: string(s.ID), Version: s.Version, Presence: presences.number(s.Presence),
		SinceMs: ms(s.Since), LastSeenMs: ms(s.LastSeen), FirmwareVersion: s.Firmware, BootId: s.BootID, UptimeS: s.UptimeS,
	}
	if s.Battery != nil {
		v := uint32(max(*s.Battery, 0))
		m.Battery = &v
	}
	if s.Signal != nil {
		v := int32(*s.Signal)
		m.Signal = &v
	}
	return m
}

// DecodeState reads the newest state of one device.
func DecodeState(m *pb.DeviceState) (fleet.DeviceState, error) {
	s := fleet.DeviceState{
		Version: m.GetVersion(), Since: fromMS(m.GetSinceMs()), LastSeen: fromMS(m.GetLastSeenMs()),
		Firmware: m.GetFirmwareVersion(), BootID: m.GetBootId(), UptimeS: m.UptimeS,
	}
	var err error
	if s.ID, err = fleet.ParseDeviceID(m.GetDeviceId()); err != nil {
		return s, err
	}
	if s.Presence, err = presences.word("presence", m.GetPresence()); err != nil {
		return s, err
	}
	if m.Battery != nil {
		v := int(min(*m.Battery, 100))
		s.Battery = &v
	}
	if m.Signal != nil {
		v := int(*m.Signal)
		s.Signal = &v
	}
	return s, nil
}
