package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/shared/fleet"
)

// race has the wearers of several watches accept the same request at nearly
// the same moment, all on the version that they were shown.
type race struct {
	who `yaml:",inline"` // the watches
	// On are the buttons, which are pressed in turn.
	On string `yaml:"on"`
	// Times that this happens, one after the other.
	Times int `yaml:"times"`
	// Within: all accept within this time. Limit for the hub to tell everybody.
	// Both are real time.
	Within time.Duration `yaml:"within"`
	Limit  time.Duration `yaml:"limit"`
}

// Race is what became of one race.
type Race struct {
	RequestID fleet.RequestID  `json:"request_id,omitempty"`
	Button    fleet.DeviceID   `json:"button"`
	Watches   []fleet.DeviceID `json:"watches"`
	// Broken says why it did not come to its end.
	Broken string `json:"broken,omitempty"`
}

func (c *race) valid(groups map[string]bool) error {
	switch {
	case !groups[c.On] || c.On == "all":
		return fmt.Errorf("on %q: there is no such group", c.On)
	case c.Times < 1 || c.Within < 0 || c.Limit <= 0:
		return errors.New("want times from 1, within from 0 and a limit")
	}
	return c.who.valid(groups)
}

func (c *race) start(ctx context.Context, r *run) error {
	chance := r.chance("race")
	watches, buttons := r.pick(c.who, chance), r.pick(who{Who: c.On}, chance)
	if len(watches) < 2 || len(buttons) == 0 {
		return fmt.Errorf("race: %d watches and %d buttons: want 2 and 1", len(watches), len(buttons))
	}
	seen := map[fleet.RequestID]bool{}
	for _, w := range watches {
		w.Ledger().Look(func(f *device.Facts) {
			for _, n := range f.Notices {
				seen[n.RequestID] = true
			}
		})
	}
	for i := range c.Times {
		b := buttons[i%len(buttons)]
		offsets := make([]time.Duration, len(watches))
		for j := range offsets {
			offsets[j] = spread(chance, c.Within)
		}
		run, err := c.once(ctx, r, b, watches, offsets, seen)
		r.mu.Lock()
		r.races = append(r.races, run)
		r.mu.Unlock()
		if err != nil {
			return err
		}
		if run.Broken != "" {
			return nil // the next one would have no fair start; the expectations tell
		}
		seen[run.RequestID] = true
	}
	return nil
}

func (c *race) once(ctx context.Context, r *run, b *device.Device, watches []*device.Device, offsets []time.Duration, seen map[fleet.RequestID]bool) (Race, error) {
	out := Race{Button: b.ID()}
	for _, w := range watches {
		out.Watches = append(out.Watches, w.ID())
	}
	limited, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	// all waits until every watch shows the request in a stage.
	all := func(stage fleet.RequestState) (last device.NoticeFact, ok bool) {
		err := r.until(limited, 2*time.Millisecond, func() (bool, error) {
			for _, w := range watches {
				var found bool
				if last, found = shows(w, stage, out.RequestID, seen); !found {
					return false, nil
				}
				out.RequestID = last.RequestID
			}
			return true, nil
		})
		return last, err == nil
	}
	b.Press(device.PressKind{})
	notice, ok := all(fleet.RequestOpen)
	if !ok {
		out.Broken = "not every watch was told of the request"
		return out, ctx.Err()
	}
	for i, w := range watches {
		time.AfterFunc(offsets[i], func() { w.Act(notice.RequestID, "accept", notice.Version) })
	}
	accepted := func() (bool, error) {
		for _, w := range watches {
			if !hasAccepted(w, notice.RequestID) {
				return false, nil
			}
		}
		return true, nil
	}
	if r.until(limited, 2*time.Millisecond, accepted) != nil {
		out.Broken = "not every watch could say that it accepts"
		return out, ctx.Err()
	}
	if notice, ok = all(fleet.RequestAccepted); !ok {
		out.Broken = "not every watch was told who has the request"
		return out, ctx.Err()
	}
	for _, w := range watches {
		if named(notice.TakenBy, w.ID(), w.Name()) {
			w.Act(notice.RequestID, "complete", notice.Version)
		}
	}
	if _, ok = all(fleet.RequestCompleted); !ok {
		out.Broken = "not every watch was told that the request is completed"
	}
	return out, ctx.Err()
}

// shows returns the newest notice of a stage: of the request, or of one that
// was not seen before.
func shows(w *device.Device, stage fleet.RequestState, id fleet.RequestID, seen map[fleet.RequestID]bool) (n device.NoticeFact, ok bool) {
	w.Ledger().Look(func(f *device.Facts) {
		for i := len(f.Notices) - 1; i >= 0 && !ok; i-- {
			if n = f.Notices[i]; n.Stage == stage && (n.RequestID == id || id == "" && !seen[n.RequestID]) {
				ok = true
			}
		}
	})
	return n, ok
}

// hasAccepted reports whether the hub has acknowledged a watch's accept.
func hasAccepted(w *device.Device, id fleet.RequestID) (has bool) {
	w.Ledger().Look(func(f *device.Facts) {
		for _, a := range f.Actions {
			has = has || a.RequestID == id && a.Action == "accept" && !a.AcknowledgedAt.IsZero()
		}
	})
	return has
}

// named reports whether a name in taken_by is that of a device.
func named(name string, id fleet.DeviceID, deviceName string) bool {
	return name != "" && (name == string(id) || name == deviceName)
}
