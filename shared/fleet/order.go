package fleet

import (
	"encoding/json"
	"time"
)

// Order is one thing that the console wants of a hub. Orders of a hub are
// numbered from 1 without holes.
type Order struct {
	Number    uint64
	ID        OrderID
	CreatedAt time.Time
	// ExpiresAt ends its time to live, by the console's clock.
	ExpiresAt time.Time
	Actor     Actor
	Body      OrderBody
}

// OrderBody is one of the types below.
type OrderBody interface{ OrderKind() OrderKind }

// OrderKind says what an order wants.
type OrderKind string

// The kinds of orders.
const (
	OrderCommand       OrderKind = "command"
	OrderCancelCommand OrderKind = "cancel_command"
	OrderPutDevice     OrderKind = "put_device"
	OrderRemoveDevice  OrderKind = "remove_device"
	OrderRevoke        OrderKind = "revoke_certificate"
	OrderFetchHistory  OrderKind = "fetch_history"
	OrderUnknown       OrderKind = "unknown"
)

// SendCommand wants a command to be sent to a device.
type SendCommand struct {
	Command CommandID
	Device  DeviceID
	Name    string
	Args    json.RawMessage
	Job     JobID
}

// CancelCommand wants a command not to be sent any more.
type CancelCommand struct{ Command CommandID }

// PutDevice wants a device to be as told, if the hub still has IfVersion of
// it (0: only if the hub has none).
type PutDevice struct {
	Device    Device
	IfVersion uint64
}

// RemoveDevice wants a device removed, if the hub still has IfVersion of it.
type RemoveDevice struct {
	Device    DeviceID
	IfVersion uint64
}

// RevokeCertificate wants a certificate not to count any more, or every one of
// a device. It names no version: a deny wins.
type RevokeCertificate struct {
	// Serial in hexadecimal digits; empty for all of Device.
	Serial string
	Device DeviceID
	Reason RevocationReason
}

// FetchHistory wants raw records of traffic of a time range, the newest first.
type FetchHistory struct {
	// Device and Topic (a pattern) choose; empty for all.
	Device   DeviceID
	Topic    string
	From, To time.Time
	// Estimate: only say how many bytes they would take on the link.
	Estimate bool
	// MaxBytes that may go up; what is older is left out.
	MaxBytes uint64
}

// UnknownOrder is an order of a kind that this hub does not know; it is
// answered as refused.
type UnknownOrder struct{}

// OrderKind implements OrderBody.
func (SendCommand) OrderKind() OrderKind       { return OrderCommand }
func (CancelCommand) OrderKind() OrderKind     { return OrderCancelCommand }
func (PutDevice) OrderKind() OrderKind         { return OrderPutDevice }
func (RemoveDevice) OrderKind() OrderKind      { return OrderRemoveDevice }
func (RevokeCertificate) OrderKind() OrderKind { return OrderRevoke }
func (FetchHistory) OrderKind() OrderKind      { return OrderFetchHistory }
func (UnknownOrder) OrderKind() OrderKind      { return OrderUnknown }

// OrderOutcome is what became of an order.
type OrderOutcome string

// The outcomes.
const (
	OrderApplied  OrderOutcome = "applied"
	OrderConflict OrderOutcome = "conflict" // the hub has a newer version
	OrderRefused  OrderOutcome = "refused"  // it breaks a rule of the hub
	OrderExpired  OrderOutcome = "expired"
)
