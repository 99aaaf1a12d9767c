package wire

import (
	"fmt"
	"time"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
)

// EncodeOrder returns the message of o.
func EncodeOrder(o fleet.Order) (*pb.Order, error) {
	m := &pb.Order{
		Number: o.Number, OrderId: uuid(o.ID), CreatedAtMs: ms(o.CreatedAt), ExpiresAtMs: ms(o.ExpiresAt),
		Actor: actor(o.Actor),
	}
	switch b := o.Body.(type) {
	case fleet.SendCommand:
		m.Body = &pb.Order_SendCommand{SendCommand: &pb.SendCommand{
			CommandId: uuid(b.Command), DeviceId: string(b.Device), Name: b.Name, Args: b.Args, JobId: uuid(b.Job),
		}}
	case fleet.CancelCommand:
		m.Body = &pb.Order_CancelCommand{CancelCommand: &pb.CancelCommand{CommandId: uuid(b.Command)}}
	case fleet.PutDevice:
		m.Body = &pb.Order_PutDevice{PutDevice: &pb.PutDevice{Device: device(b.Device), IfVersion: b.IfVersion}}
	case fleet.RemoveDevice:
		m.Body = &pb.Order_RemoveDevice{RemoveDevice: &pb.RemoveDevice{DeviceId: string(b.Device), IfVersion: b.IfVersion}}
	case fleet.RevokeCertificate:
		m.Body = &pb.Order_RevokeCertificate{RevokeCertificate: &pb.RevokeCertificate{
			Serial: b.Serial, DeviceId: string(b.Device), Reason: string(b.Reason),
		}}
	case fleet.FetchHistory:
		m.Body = &pb.Order_FetchHistory{FetchHistory: &pb.FetchHistory{
			DeviceId: string(b.Device), Topic: b.Topic, FromMs: ms(b.From), ToMs: ms(b.To), Estimate: b.Estimate, MaxBytes: b.MaxBytes,
		}}
	default:
		return nil, fmt.Errorf("%w: order body %T", fleet.ErrInvalid, o.Body)
	}
	return m, nil
}

// DecodeOrder reads an order. One of a kind that this program does not know
// has the body fleet.UnknownOrder; its number and id are still good, so that
// it can be answered.
func DecodeOrder(m *pb.Order) (fleet.Order, error) {
	o := fleet.Order{Number: m.GetNumber(), CreatedAt: fromMS(m.GetCreatedAtMs()), ExpiresAt: fromMS(m.GetExpiresAtMs())}
	var err error
	if o.ID, err = fromUUID[fleet.OrderID]("order_id", m.GetOrderId()); err != nil {
		return o, err
	}
	if o.Actor, err = fromActor(m.GetActor()); err != nil {
		return o, err
	}
	switch b := m.GetBody().(type) {
	case *pb.Order_SendCommand:
		c := b.SendCommand
		body := fleet.SendCommand{Device: fleet.DeviceID(c.DeviceId), Name: c.Name, Args: rawJSON(c.Args)}
		if body.Command, err = fromUUID[fleet.CommandID]("command_id", c.CommandId); err != nil {
			return o, err
		}
		if body.Job, err = fromOptionalUUID[fleet.JobID]("job_id", c.JobId); err != nil {
			return o, err
		}
		if err = fleet.CheckCommand(body.Device, body.Name, body.Args, time.Second); err != nil {
			return o, err
		}
		o.Body = body
	case *pb.Order_CancelCommand:
		id, err := fromUUID[fleet.CommandID]("command_id", b.CancelCommand.CommandId)
		if err != nil {
			return o, err
		}
		o.Body = fleet.CancelCommand{Command: id}
	case *pb.Order_PutDevice:
		d, err := fromDevice(b.PutDevice.Device)
		if err != nil {
			return o, err
		}
		o.Body = fleet.PutDevice{Device: d, IfVersion: b.PutDevice.IfVersion}
	case *pb.Order_RemoveDevice:
		id, err := fleet.ParseDeviceID(b.RemoveDevice.DeviceId)
		if err != nil {
			return o, err
		}
		o.Body = fleet.RemoveDevice{Device: id, IfVersion: b.RemoveDevice.IfVersion}
	case *pb.Order_RevokeCertificate:
		c := b.RevokeCertificate
		body := fleet.RevokeCertificate{Serial: c.Serial, Device: fleet.DeviceID(c.DeviceId)}
		if body.Reason, err = fleet.ParseRevocationReason(c.Reason); err != nil {
			return o, err
		}
		if body.Serial == "" && body.Device == "" {
			return o, fmt.Errorf("%w: order %d revokes no certificate that it names", fleet.ErrInvalid, o.Number)
		}
		o.Body = body
	case *pb.Order_FetchHistory:
		h := b.FetchHistory
		body := fleet.FetchHistory{
			Device: fleet.DeviceID(h.DeviceId), Topic: h.Topic, From: fromMS(h.FromMs), To: fromMS(h.ToMs),
			Estimate: h.Estimate, MaxBytes: h.MaxBytes,
		}
		if !body.From.Before(body.To) {
			return o, fmt.Errorf("%w: order %d wants history from %s to %s", fleet.ErrInvalid, o.Number, body.From, body.To)
		}
		o.Body = body
	default:
		o.Body = fleet.UnknownOrder{}
	}
	return o, nil
}
