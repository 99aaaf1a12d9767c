package store

import (
	"context"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// DeliveryState is where a notification stands.
type DeliveryState string

// The states.
const (
	DeliveryWaiting   DeliveryState = "waiting"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"  // refused for good
	DeliveryExpired   DeliveryState = "expired" // its time was over
	DeliveryDropped   DeliveryState = "dropped" // nobody wants it any more
)

// Delivery is a notification by webhook or mail.
type Delivery struct {
	ID      string `json:"delivery_id"`
	Rule    string `json:"rule"`
	Channel string `json:"channel"`
	// To is the receiver as people may see it.
	To        string              `json:"to"`
	Event     string              `json:"event"`
	Site      fleet.SiteID        `json:"site_id,omitempty"`
	Severity  fleet.AlertSeverity `json:"severity"`
	Body      []byte              `json:"body"`
	State     DeliveryState       `json:"state"`
	CreatedAt time.Time           `json:"created_at"`
	ExpiresAt time.Time           `json:"expires_at"`
	// Next is the time of the next try.
	Next   time.Time `json:"next"`
	Tries  int       `json:"tries,omitempty"`
	Error  string    `json:"error,omitempty"`
	DoneAt time.Time `json:"done_at,omitzero"`
	// Version counts the changes, from 1.
	Version uint64 `json:"version"`
}

// Deliveries is the part of Store with notifications.
type Deliveries interface {
	// PutDelivery stores a notification, if its version still is ifVersion (0: if
	// there is none), under the next one. fleet.ErrExists, fleet.ErrVersion,
	// fleet.ErrNotFound.
	PutDelivery(ctx context.Context, d Delivery, ifVersion uint64) (Delivery, error)
	// DeleteDelivery forgets a notification; one that is not there is forgotten.
	DeleteDelivery(ctx context.Context, id string) error
	// Deliveries lists notifications before the given one ("" for all), the newest
	// first. Ids sort by the time of their making.
	Deliveries(ctx context.Context, before string, limit int) ([]Delivery, error)
}
