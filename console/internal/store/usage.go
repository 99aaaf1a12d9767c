package store

import "time"

// Usage is what has passed the sockets of a site's hub link on one day in UTC,
// in bytes: everything, TLS and all tries included.
type Usage struct {
	Day time.Time `json:"day"`
	// In came from the hub, Out went to it.
	In  uint64 `json:"in"`
	Out uint64 `json:"out"`
	// Calls counts the connections.
	Calls uint64 `json:"calls"`
}

// Sum is both directions.
func (u Usage) Sum() uint64 { return u.In + u.Out }

// DayOf is the day in UTC that a time is on.
func DayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
