package api

import (
	"errors"
	"time"

	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/shared/fleet"
)

// storageView is what the hub stores, and the room that is left for it.
type storageView struct {
	Bytes        uint64    `json:"bytes" doc:"Size of the store on disk."`
	FreeBytes    uint64    `json:"free_bytes" doc:"What the hub may still take of its disk."`
	TotalBytes   uint64    `json:"total_bytes" doc:"Size of its disk."`
	Level        string    `json:"level" enum:"ok,warning,history_stopped,essential_only,hard_stop" doc:"What the room allows: history stops first, calls and commands last."`
	Since        time.Time `json:"since" doc:"When the level began."`
	BallastBytes uint64    `json:"ballast_bytes" doc:"The reserve that is given up when the disk is full; 0 while it is."`
	Error        string    `json:"error,omitempty" doc:"What is wrong with the disk or the store on it."`
}

func (a *API) storage() storageView {
	d := a.Disk.Status()
	v := storageView{
		Bytes: a.Store.Bytes(), FreeBytes: d.Free, TotalBytes: d.Total, Level: d.Level.String(),
		Since: fleet.Millis(d.Since), BallastBytes: d.Ballast,
	}
	if err := errors.Join(d.Err, a.Store.Damage()); err != nil {
		v.Error = err.Error()
	}
	return v
}

// diskEvent tells the screens at once when the level has changed.
func (a *API) diskEvent(disk.Status) { a.healthEvent() }
