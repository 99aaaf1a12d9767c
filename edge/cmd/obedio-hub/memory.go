package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent trades a little processor time for memory: a hub's live data are
// small, and a board has one gigabyte.
const gcPercent = 40

// boundMemory sets the collector's limits: GOGC unless the environment does, and
// a limit of so many bytes; 0 takes GOMEMLIMIT if that is set, else nine tenths
// of what the control group of the process allows, if that is bounded. Near the limit the collector works
// harder; the broker's own limits keep the live data far below it.
func boundMemory(limit int64, log *slog.Logger) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
		return
	}
	_, err := memlimit.Set(memlimit.WithRatio(0.9), memlimit.WithProvider(memlimit.FromCgroup))
	if err != nil {
		log.Debug("memory limit not set", "reason", err)
	}
}
