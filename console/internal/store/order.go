package store

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/wire"
)

// OrderState is where an order stands, seen from ashore.
type OrderState string

// The order states.
const (
	OrderQueued    OrderState = "queued"
	OrderTaken     OrderState = "taken" // the hub holds it
	OrderApplied   OrderState = "applied"
	OrderConflict  OrderState = "conflict"
	OrderRefused   OrderState = "refused"
	OrderExpired   OrderState = "expired"
	OrderCancelled OrderState = "cancelled"
	// OrderLost: the hub that took it has lost its store; whether it was done is
	// not known.
	OrderLost OrderState = "lost"
)

// OrderStates are all order states.
func OrderStates() []OrderState {
	return []OrderState{
		OrderQueued, OrderTaken, OrderApplied, OrderConflict, OrderRefused, OrderExpired, OrderCancelled, OrderLost,
	}
}

// Ended reports whether nothing follows s.
func (s OrderState) Ended() bool {
	switch s {
	case OrderApplied, OrderConflict, OrderRefused, OrderExpired, OrderCancelled, OrderLost:
		return true
	case OrderQueued, OrderTaken:
	}
	return false
}

// Order is an order with what is known of its end.
type Order struct {
	fleet.Order
	// End is empty while no end is known.
	End     OrderState
	Detail  string
	EndedAt time.Time
}

// OrderMarks say how far the orders of a site have come.
type OrderMarks struct {
	// Head is the highest number; Offered the highest that was sent to a hub;
	// Taken the highest that a hub says it holds.
	Head    uint64 `json:"head"`
	Offered uint64 `json:"offered"`
	Taken   uint64 `json:"taken"`
}

// State is where o stands.
func (m OrderMarks) State(o Order) OrderState {
	switch {
	case o.End != "":
		return o.End
	case o.Number <= m.Taken:
		return OrderTaken
	}
	return OrderQueued
}

// storedOrder is how an order is stored: in its wire form, so that what is
// sent is what was stored.
type storedOrder struct {
	Order   []byte     `json:"order"`
	End     OrderState `json:"end,omitempty"`
	Detail  string     `json:"detail,omitempty"`
	EndedAt time.Time  `json:"ended_at,omitzero"`
}

// EncodeOrder returns the stored form of o.
func EncodeOrder(o Order) ([]byte, error) {
	m, err := wire.EncodeOrder(o.Order)
	if err != nil {
		return nil, err
	}
	s := storedOrder{End: o.End, Detail: o.Detail, EndedAt: o.EndedAt}
	if s.Order, err = (proto.MarshalOptions{Deterministic: true}).Marshal(m); err != nil {
		return nil, fmt.Errorf("encode order %d: %w", o.Number, err)
	}
	return json.Marshal(s)
}

// DecodeOrder reads what EncodeOrder wrote.
func DecodeOrder(b []byte) (Order, error) {
	var s storedOrder
	if err := json.Unmarshal(b, &s); err != nil {
		return Order{}, fmt.Errorf("decode order: %w", err)
	}
	var m pb.Order
	if err := proto.Unmarshal(s.Order, &m); err != nil {
		return Order{}, fmt.Errorf("decode order: %w", err)
	}
	o, err := wire.DecodeOrder(&m)
	if err != nil {
		return Order{}, fmt.Errorf("decode order: %w", err)
	}
	return Order{Order: o, End: s.End, Detail: s.Detail, EndedAt: s.EndedAt}, nil
}
