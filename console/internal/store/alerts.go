package store

import (
	"context"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// AlertOrigin says who has found an alert's condition.
type AlertOrigin string

// The origins.
const (
	AlertFromHub     AlertOrigin = "hub"
	AlertFromConsole AlertOrigin = "console"
)

// Alert is an alert as it is known ashore: one that a hub has told of, or one of
// the console's own.
type Alert struct {
	fleet.Alert
	Site   fleet.SiteID `json:"site_id"`
	Origin AlertOrigin  `json:"origin"`
	// ArrivedAt is when the console learnt of this occurrence.
	ArrivedAt time.Time `json:"arrived_at"`
	// SeenAt and SeenBy say who ashore has acknowledged this occurrence.
	SeenAt time.Time    `json:"seen_at,omitzero"`
	SeenBy *fleet.Actor `json:"seen_by,omitempty"`
	// ToldAt is when who is to be notified of this occurrence was notified, or it
	// was found that nobody is.
	ToldAt time.Time `json:"told_at,omitzero"`
	// GoneTold: the end of its condition was told.
	GoneTold bool `json:"gone_told,omitempty"`
}

// Open reports whether somebody ashore may still have to do with it: its
// condition holds, or nobody ashore and on board has seen that it was there.
func (a Alert) Open() bool {
	return a.State.Holds() || a.State == fleet.AlertRectified && a.SeenAt.IsZero()
}

// AlertRef names an alert of the fleet, and its place in the order of arrival.
type AlertRef struct {
	ArrivedAt time.Time     `json:"t"`
	Site      fleet.SiteID  `json:"s"`
	ID        fleet.AlertID `json:"a"`
}

// Ref names a.
func (a Alert) ArrivalRef() AlertRef { return AlertRef{a.ArrivedAt, a.Site, a.ID} }

// Alerts is the part of Store with the alerts of all sites.
type Alerts interface {
	// OpenAlerts calls fn with every alert that is Open, by site, until fn says
	// false.
	OpenAlerts(ctx context.Context, fn func(Alert) bool) error
	// AlertsBefore calls fn with alerts in the order of their arrival, the newest
	// first, before the given one (the zero value for all), until fn says false.
	AlertsBefore(ctx context.Context, before AlertRef, fn func(Alert) bool) error
}
