package disk

import "fmt"

// Level is what the room on the disk allows, the most first.
type Level uint8

// The levels.
const (
	// Ample: everything goes on.
	Ample Level = iota
	// Warning: everything goes on, and somebody should make room.
	Warning
	// HistoryStops: no more history of traffic.
	HistoryStops
	// EssentialOnly: calls, commands and audit go on, nothing else is stored.
	EssentialOnly
	// HardStop: nothing is stored.
	HardStop
)

var levelWords = [...]string{"ok", "warning", "history_stopped", "essential_only", "hard_stop"}

// Levels are all levels.
func Levels() []Level { return []Level{Ample, Warning, HistoryStops, EssentialOnly, HardStop} }

// String returns the level's word.
func (l Level) String() string {
	if int(l) < len(levelWords) {
		return levelWords[l]
	}
	return fmt.Sprintf("level-%d", uint8(l))
}

// thresholds are the free bytes below which each level begins.
type thresholds [HardStop + 1]uint64

// thresholds returns the greater of each level's share of total and its
// multiple of the floor, so that the order holds on a small disk too.
func (c Config) thresholds(total uint64) thresholds {
	var t thresholds
	for _, l := range []struct {
		level   Level
		percent float64
		floors  uint64
	}{{Warning, c.Warn, 4}, {HistoryStops, c.History, 3}, {EssentialOnly, c.Essential, 2}, {HardStop, c.Stop, 1}} {
		t[l.level] = max(uint64(float64(total)*l.percent/100), l.floors*uint64(c.Floor))
	}
	return t
}

// spare adds the hysteresis to a threshold.
func (c Config) spare(bytes uint64) uint64 { return bytes + uint64(float64(bytes)*c.Spare/100) }

// judge is the level for so many free bytes, when it was before until now.
func (c Config) judge(u Usage, before Level) Level {
	t := c.thresholds(u.Total)
	for l := HardStop; l > Ample; l-- {
		if u.Free < t[l] || l <= before && u.Free < c.spare(t[l]) {
			return l
		}
	}
	return Ample
}
