package disk

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// History is what stops first.
type History interface {
	// Pause stops (true) the recording of history, or lets it go on.
	Pause(bool)
}

// Config is what New needs. Zero fields take their defaults.
type Config struct {
	// Dir is the data directory.
	Dir string
	// Usage measures the file system of a directory; statfs by default.
	Usage func(dir string) (Usage, error)
	// Warn, History, Essential and Stop are the percent of the file system that
	// is free below which those levels begin. 15, 10, 5 and 2.
	Warn, History, Essential, Stop float64
	// Floor in bytes is the least of Stop; the least of Essential is twice, of
	// History three times, of Warn four times that. 16 MiB; -1 for none.
	Floor int64
	// Spare is how many percent more than its threshold must be free before a
	// level is left again. 10.
	Spare float64
	// Ballast in bytes; by default 64 MiB, or 1 % of a smaller disk; -1 for none.
	Ballast int64
	// StartNeeds is how many bytes must be free to open the stores. 8 MiB.
	StartNeeds int64
	// Every is how often the room is measured. 2 s.
	Every time.Duration
	// Fresh is how long Level takes the last measurement for the present one.
	// 50 ms.
	Fresh  time.Duration
	Logger *slog.Logger
}

// Status is how the disk is.
type Status struct {
	Usage
	Level Level
	// Ballast is the size of the ballast file; 0 while it is given up.
	Ballast uint64
	// Since is when the level began.
	Since time.Time
	// Err is why the room could not be measured; the rest is of before then.
	Err error
}

// Guard watches the room on a disk.
type Guard struct {
	c       Config
	poke    chan struct{} // the level has changed
	changes *feed.Feed[Status]
	history []History // does not change any more when Run has begun

	mu       sync.Mutex // guards all below, and the ballast file
	status   Status
	measured time.Time
	wanted   uint64 // size of the ballast
}

// New measures the disk. Nothing is written or given up yet: see Prepare.
func New(c Config) (*Guard, error) {
	c.Warn, c.History, c.Essential, c.Stop = cmp.Or(c.Warn, 15), cmp.Or(c.History, 10), cmp.Or(c.Essential, 5), cmp.Or(c.Stop, 2)
	c.Floor, c.StartNeeds = cmp.Or(c.Floor, 16<<20), cmp.Or(c.StartNeeds, 8<<20)
	c.Spare = cmp.Or(c.Spare, 10)
	c.Every, c.Fresh = cmp.Or(c.Every, 2*time.Second), cmp.Or(c.Fresh, 50*time.Millisecond)
	c.Floor = max(c.Floor, 0)
	if c.Usage == nil {
		c.Usage = Statfs
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if !(c.Warn >= c.History && c.History >= c.Essential && c.Essential >= c.Stop && c.Stop >= 0 && c.Warn < 100) {
		return nil, fmt.Errorf("%w: free space: want warn %v >= history %v >= essential %v >= stop %v percent",
			fleet.ErrInvalid, c.Warn, c.History, c.Essential, c.Stop)
	}
	g := &Guard{c: c, poke: make(chan struct{}, 1), changes: feed.New[Status](16)}
	u, err := c.Usage(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("measure the disk of %s: %w", c.Dir, err)
	}
	switch {
	case c.Ballast > 0:
		g.wanted = uint64(c.Ballast)
	case c.Ballast == 0:
		g.wanted = min(64<<20, u.Total/100)
	}
	g.status = Status{Usage: u, Since: time.Now()}
	g.status.Ballast, err = ballastSize(g.path())
	return g, err
}

func (g *Guard) path() string { return filepath.Join(g.c.Dir, "ballast") }

// Prepare makes a start possible: it makes the ballast on a disk with room, and
// gives it up on a full one. fleet.ErrFull when even then the stores cannot be
// opened.
func (g *Guard) Prepare() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.measure()
	g.restore()
	if free := g.status.Free; free < uint64(g.c.StartNeeds) {
		return fmt.Errorf("%w: %d bytes are free on the disk of %s, %d are needed to start: make room there",
			fleet.ErrFull, free, g.c.Dir, g.c.StartNeeds)
	}
	return nil
}

// Tell makes h stop and go on with the levels. Call it before Run.
func (g *Guard) Tell(h History) { g.history = append(g.history, h) }

// Changes is the feed of changes of the level.
func (g *Guard) Changes() *feed.Feed[Status] { return g.changes }

// Status is how the disk was when it was last measured.
func (g *Guard) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status
}

// Level is what the room allows now; it measures when the last measurement is
// not fresh.
func (g *Guard) Level() Level {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.measured) >= g.c.Fresh {
		g.measure()
	}
	return g.status.Level
}

// NoSpace takes the file system's word that it is full, whatever was measured.
func (g *Guard) NoSpace() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.release()
	g.measure()
}

// measure looks at the disk and gives the ballast up at the hard stop. A disk
// that cannot be measured stays at its level.
func (g *Guard) measure() {
	g.measured = time.Now()
	u, err := g.c.Usage(g.c.Dir)
	if err != nil {
		g.status.Err = fmt.Errorf("measure the disk of %s: %w", g.c.Dir, err)
		return
	}
	g.status.Usage, g.status.Err = u, nil
	level := g.c.judge(u, g.status.Level)
	if level == HardStop && g.release() {
		if u, err = g.c.Usage(g.c.Dir); err == nil {
			g.status.Usage = u
			level = g.c.judge(u, EssentialOnly)
		}
	}
	if g.status.Ballast < g.wanted {
		level = max(level, EssentialOnly) // what is left is the reserve
	}
	if level != g.status.Level {
		g.status.Level, g.status.Since = level, g.measured
		select {
		case g.poke <- struct{}{}:
		default:
		}
	}
}

// release gives the ballast up; false when there is none.
func (g *Guard) release() bool {
	if g.status.Ballast == 0 {
		return false
	}
	if err := removeBallast(g.path()); err != nil {
		g.c.Logger.Error("reserve on the disk cannot be given up", "error", err)
		return false
	}
	g.status.Ballast = 0
	g.c.Logger.Warn("reserve on the disk was given up: make room", "dir", g.c.Dir, "bytes", g.wanted)
	return true
}

// restore makes the ballast again where that leaves room for more than the
// essential.
func (g *Guard) restore() {
	lacks := g.wanted - min(g.status.Ballast, g.wanted)
	if lacks == 0 || g.status.Free < lacks+g.c.spare(g.c.thresholds(g.status.Total)[EssentialOnly]) {
		return
	}
	if err := makeBallast(g.path(), int64(g.wanted)); err != nil {
		// Without a reserve the levels still hold.
		g.c.Logger.Error("reserve on the disk cannot be made", "error", err, "bytes", g.wanted)
		g.wanted, g.status.Ballast = 0, 0
	} else {
		g.status.Ballast = g.wanted
		g.c.Logger.Info("reserve on the disk was made", "bytes", g.wanted, "free_bytes", g.status.Free)
	}
	g.measure()
}

// Run measures, tells of changes, and pauses history, until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	tick := time.NewTicker(g.c.Every)
	defer tick.Stop()
	told := Status{}
	for {
		g.mu.Lock()
		g.measure()
		g.restore()
		now := g.status
		g.mu.Unlock()
		if now.Level != told.Level {
			g.tell(told.Level, now)
		}
		if now.Level != told.Level || now.Ballast != told.Ballast {
			g.changes.Publish(now)
		}
		if now.Err != nil && told.Err == nil {
			g.c.Logger.Error("disk cannot be measured", "error", now.Err)
		}
		told = now
		select {
		case <-ctx.Done():
			return nil
		case <-g.poke:
		case <-tick.C:
		}
	}
}

func (g *Guard) tell(before Level, now Status) {
	if paused := now.Level >= HistoryStops; paused != (before >= HistoryStops) {
		for _, h := range g.history {
			h.Pause(paused)
		}
	}
	log := g.c.Logger.With("level", now.Level.String(), "free_bytes", now.Free, "total_bytes", now.Total, "dir", g.c.Dir)
	switch now.Level {
	case Ample:
		log.Info("disk has room again")
	case Warning:
		log.Warn("disk is getting full: delete what is not needed, or put in a larger one")
	case HistoryStops:
		log.Warn("disk is nearly full: history of traffic has stopped; make room")
	case EssentialOnly:
		log.Error("disk is nearly full: only calls, commands and audit are stored; make room now")
	case HardStop:
		log.Error("disk is full: nothing is stored, presses are refused; make room now")
	}
}
