package store

import "github.com/obedio/obedio/shared/fleet"

// TrafficHour is an hour of traffic as the console holds it.
type TrafficHour struct {
	fleet.TrafficRef
	// Epoch is the hub's that it came from.
	Epoch fleet.Epoch
	// Totals is the sum of all rows.
	Totals fleet.TrafficCounts
	// Rows are read only when they are asked for.
	Rows []fleet.TrafficRow
}
