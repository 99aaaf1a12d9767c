package wire

import (
	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
)

// EncodeTrafficRow returns the message of r.
func EncodeTrafficRow(r fleet.TrafficRow) *pb.SummaryRow {
	c := r.Counts
	m := &pb.SummaryRow{
		DeviceId: r.Device, DeviceType: string(r.Type), Room: string(r.Room), MessagesIn: c.MessagesIn, MessagesOut: c.MessagesOut,
		BytesIn: c.BytesIn, BytesOut: c.BytesOut, Dropped: c.Dropped, Denied: c.Denied, Reconnects: c.Reconnects,
	}
	for _, f := range r.Fields {
		m.Fields = append(m.Fields, &pb.SummaryField{Name: f.Name, Count: f.Count, Min: f.Min, Max: f.Max, Last: f.Last})
	}
	return m
}

// DecodeTrafficRow reads a row; fleet.ErrInvalid.
func DecodeTrafficRow(m *pb.SummaryRow) (fleet.TrafficRow, error) {
	r := fleet.TrafficRow{
		Device: m.GetDeviceId(), Type: fleet.DeviceType(m.GetDeviceType()), Room: fleet.RoomID(m.GetRoom()),
		Counts: fleet.TrafficCounts{
			MessagesIn: m.GetMessagesIn(), MessagesOut: m.GetMessagesOut(), BytesIn: m.GetBytesIn(), BytesOut: m.GetBytesOut(),
			Dropped: m.GetDropped(), Denied: m.GetDenied(), Reconnects: m.GetReconnects(),
		},
	}
	for _, f := range m.GetFields() {
		r.Fields = append(r.Fields, fleet.TrafficField{Name: f.GetName(), Count: f.GetCount(), Min: f.GetMin(), Max: f.GetMax(), Last: f.GetLast()})
	}
	return r, r.Check()
}
