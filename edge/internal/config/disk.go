package config

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/shared/fleet"
)

// DiskSettings are about the room on the disk.
type DiskSettings struct {
	DiskWarn       float64       `name:"disk-warn" default:"15" help:"Percent of the disk that is free below which the hub warns."`
	DiskHistory    float64       `name:"disk-history" default:"10" help:"Percent free below which the history of traffic stops."`
	DiskEssential  float64       `name:"disk-essential" default:"5" help:"Percent free below which only calls, commands and audit are stored."`
	DiskStop       float64       `name:"disk-stop" default:"2" help:"Percent free below which nothing is stored."`
	DiskFloor      int64         `name:"disk-floor" default:"16777216" help:"Bytes free below which nothing is stored, whatever the percent; the levels before it begin at two, three and four times that. -1 for none."`
	DiskSpare      float64       `name:"disk-spare" default:"10" help:"Percent more than a level's limit that must be free before it is left again."`
	DiskBallast    int64         `name:"disk-ballast" default:"0" help:"Bytes of the reserve that is given up when the disk is full; 0 for 64 MiB, or 1 % of a smaller disk; -1 for none."`
	DiskStartNeeds int64         `name:"disk-start-needs" default:"8388608" help:"Bytes that must be free to start."`
	DiskEvery      time.Duration `name:"disk-every" default:"2s" help:"How often the room on the disk is measured."`
}

func (s DiskSettings) check() error {
	if !(s.DiskWarn >= s.DiskHistory && s.DiskHistory >= s.DiskEssential && s.DiskEssential >= s.DiskStop && s.DiskStop > 0 && s.DiskWarn < 100) {
		return fmt.Errorf("%w: want --disk-warn >= --disk-history >= --disk-essential >= --disk-stop, all between 0 and 100", fleet.ErrInvalid)
	}
	if s.DiskSpare <= 0 || s.DiskStartNeeds <= 0 || s.DiskEvery <= 0 || s.DiskFloor < -1 || s.DiskBallast < -1 {
		return fmt.Errorf("%w: --disk-spare, --disk-start-needs and --disk-every: want more than 0; --disk-floor and --disk-ballast: at least -1", fleet.ErrInvalid)
	}
	return nil
}

func (s DiskSettings) guard() disk.Config {
	return disk.Config{
		Warn: s.DiskWarn, History: s.DiskHistory, Essential: s.DiskEssential, Stop: s.DiskStop, Floor: s.DiskFloor,
		Spare: s.DiskSpare, Ballast: s.DiskBallast, StartNeeds: s.DiskStartNeeds, Every: s.DiskEvery,
	}
}
