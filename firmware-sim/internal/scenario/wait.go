package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// wait holds the timeline up until something is so. When it does not become so
// in time the story goes on: the expectations judge what it came to.
type wait struct {
	who `yaml:",inline"`
	For string `yaml:"for"`
	// State is the presence that is waited for, or the state of the alert, which
	// is active if empty. Kind is that of the alert, Level that of a request.
	State List   `yaml:"state"`
	Kind  string `yaml:"kind"`
	Level string `yaml:"level"`
	// Known: only of what a watch has heard of, as the check watches_told has it.
	Known bool `yaml:"known"`
	// Within is in real time.
	Within time.Duration `yaml:"within"`
}

// conditions that the ledgers of devices can tell.
var conditions = map[string]func(f *device.Facts) bool{
	"connected": func(f *device.Facts) bool { return f.Online },
	"offline":   func(f *device.Facts) bool { return !f.Online },
	// acknowledged: no press waits for its PUBACK.
	"acknowledged": func(f *device.Facts) bool {
		return !slices.ContainsFunc(f.Presses, func(p device.PressFact) bool { return !p.Refused && !p.Acknowledged() })
	},
	// receipts: no press waits for its receipt.
	"receipts": func(f *device.Facts) bool {
		return !slices.ContainsFunc(f.Presses, func(p device.PressFact) bool { return !p.Refused && !p.Receipted() })
	},
	// answers: the hub has taken the last word on each command.
	"answers": func(f *device.Facts) bool {
		return len(f.Commands) > 0 && !slices.ContainsFunc(f.Commands, func(c device.CommandFact) bool { return c.Times > 0 && !c.Answered })
	},
	"lamp_off": func(f *device.Facts) bool { return f.Lamp == "" || f.Lamp == device.LampOff },
}

// questions that the hub must be asked.
var questions = map[string]func(context.Context, *run, *wait) (bool, error){
	// requests_ended: nobody of this run waits for the crew.
	"requests_ended": func(ctx context.Context, r *run, _ *wait) (bool, error) {
		requests, err := r.requests(ctx)
		return len(requests) > 0 && !slices.ContainsFunc(requests, requestRuns), err
	},
	"commands_ended": func(ctx context.Context, r *run, _ *wait) (bool, error) {
		commands, err := r.commandsNow(ctx)
		return len(commands) > 0 && !slices.ContainsFunc(commands, commandRuns), err
	},
	// presence: the hub says one of State of each device.
	"presence": func(ctx context.Context, r *run, w *wait) (bool, error) {
		all, err := r.devices(ctx)
		meant := r.meant(w.who)
		return err == nil && !slices.ContainsFunc(all, func(d hubapi.Device) bool {
			return meant[d.DeviceID] && !slices.Contains(w.State, string(d.Presence.State))
		}), err
	},
	// alert: the hub has one about each device; without who, about anything.
	"alert": func(ctx context.Context, r *run, w *wait) (bool, error) {
		if _, err := r.api.Alerts(ctx, "active"); hubapi.IsStatus(err, 404) {
			r.c.Logger.Warn("this hub knows no alerts")
			return true, nil
		}
		all, err := r.alerts(ctx)
		is := func(a hubapi.Alert) bool {
			return a.Kind == w.Kind && (len(w.State) == 0 && a.State == "active" || slices.Contains(w.State, a.State))
		}
		if w.Who == "" {
			return slices.ContainsFunc(all, is), err
		}
		for id := range r.meant(w.who) {
			if !slices.ContainsFunc(all, func(a hubapi.Alert) bool { return is(a) && a.Subject == string(id) }) {
				return false, err
			}
		}
		return true, err
	},
	// told: every watch knows how every request stands.
	"told": func(ctx context.Context, r *run, w *wait) (bool, error) {
		requests, err := r.requests(ctx)
		e := &Evidence{Requests: requests}
		for _, m := range r.members {
			e.Devices = append(e.Devices, DeviceEvidence{Group: m.group, ID: m.device.ID(), Type: m.device.Type(), Facts: m.device.Ledger().Facts()})
		}
		return err == nil && len((&told{anyone: anyone{w.Who}, Known: w.Known}).judge(e).Failures) == 0, err
	},
	// level: each request that is open has come to Level, if the hub escalates.
	"level": func(ctx context.Context, r *run, w *wait) (bool, error) {
		level, _ := hubapi.ParseLevel(w.Level) // valid has read it
		requests, err := r.requests(ctx)
		return len(requests) > 0 && !slices.ContainsFunc(requests, func(q hubapi.Request) bool {
			return q.State == fleet.RequestOpen && q.ToldTo != nil && *q.ToldTo < level
		}), err
	},
}

// meant are the devices that w means.
func (r *run) meant(w who) map[fleet.DeviceID]bool {
	ids := map[fleet.DeviceID]bool{}
	for _, m := range r.members {
		if w.Who == "all" || m.group == w.Who {
			ids[m.device.ID()] = true
		}
	}
	return ids
}

func (w *wait) valid(groups map[string]bool) error {
	switch w.For {
	case "told":
		return w.who.valid(groups)
	case "presence":
		if err := presences(w.State); err != nil {
			return err
		}
		return w.who.valid(groups)
	case "alert":
		if err := alertKind(w.Kind); err != nil {
			return err
		}
		if w.Who == "" {
			return nil
		}
		return w.who.valid(groups)
	case "level":
		_, err := hubapi.ParseLevel(w.Level)
		return err
	}
	if questions[w.For] != nil {
		if w.Who != "" {
			return fmt.Errorf("for %s is about the whole run: leave who out", w.For)
		}
		return nil
	}
	if conditions[w.For] == nil {
		return fmt.Errorf("for %q: want one of %s, %s", w.For, words(conditions), words(questions))
	}
	return w.who.valid(groups)
}

func (w *wait) start(ctx context.Context, r *run) error {
	ctx, cancel := context.WithTimeout(ctx, w.Within)
	defer cancel()
	var err error
	if ask := questions[w.For]; ask != nil {
		err = r.until(ctx, 200*time.Millisecond, func() (bool, error) { return ask(ctx, r, w) })
	} else {
		devices := r.pick(w.who, r.chance("wait"))
		holds := conditions[w.For]
		err = r.until(ctx, 20*time.Millisecond, func() (bool, error) {
			return !slices.ContainsFunc(devices, func(d *device.Device) bool {
				var so bool
				d.Ledger().Look(func(f *device.Facts) { so = holds(f) })
				return !so
			}), nil
		})
	}
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		r.c.Logger.Warn("waited in vain", "for", w.For, "within", w.Within)
		return nil
	}
	return err
}

// until asks after each piece of news, but not more often than every pause,
// until the answer is yes or ctx ends.
func (r *run) until(ctx context.Context, pause time.Duration, ask func() (bool, error)) error {
	for {
		news := r.news.Wait()
		if ok, err := ask(); ok || err != nil {
			return err
		}
		calm := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			calm.Stop()
			return ctx.Err()
		case <-calm.C:
		}
		// The hub may have news of which no device hears.
		late := time.NewTimer(10 * pause)
		select {
		case <-ctx.Done():
			late.Stop()
			return ctx.Err()
		case <-news:
		case <-late.C:
		}
		late.Stop()
	}
}
