package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/obedio/obedio/firmware-sim/internal/device"
)

// wait holds the timeline up until something is so. When it does not become so
// in time the story goes on: the expectations judge what it came to.
type wait struct {
	who `yaml:",inline"`
	For string `yaml:"for"`
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
	"lamp_off": func(f *device.Facts) bool { return f.Lamp == "" || f.Lamp == device.LampOff },
}

// questions that the hub must be asked.
var questions = map[string]func(context.Context, *run) (bool, error){
	// requests_ended: nobody of this run waits for the crew.
	"requests_ended": func(ctx context.Context, r *run) (bool, error) {
		requests, err := r.requests(ctx)
		return len(requests) > 0 && !slices.ContainsFunc(requests, requestRuns), err
	},
	"commands_ended": func(ctx context.Context, r *run) (bool, error) {
		commands, err := r.commandsNow(ctx)
		return len(commands) > 0 && !slices.ContainsFunc(commands, commandRuns), err
	},
}

func (w *wait) valid(groups map[string]bool) error {
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
		err = r.until(ctx, 200*time.Millisecond, func() (bool, error) { return ask(ctx, r) })
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
