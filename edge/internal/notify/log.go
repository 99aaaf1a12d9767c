package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// What the log says of a request and a watch.
const (
	ToldStored      = "stored"      // the request is on disk
	ToldSent        = "sent"        // to the watch
	ToldTold        = "told"        // the watch has acknowledged it
	ToldUnreachable = "unreachable" // see Why
)

// maxLog entries wait to be written; of more, the newest are dropped: they are
// evidence for people, and calls come first.
const maxLog = 20_000

// log has an entry written within the next second.
func (n *Notifier) log(v store.Telling) {
	v.At = fleet.Millis(n.c.Now())
	n.telling.Lock()
	if len(n.telling.log) < maxLog {
		n.telling.log = append(n.telling.log, v)
	}
	n.telling.Unlock()
	signal(n.gone)
}

// logWhy logs why a watch cannot be told, when that has changed.
func (n *Notifier) logWhy(r *request, w *watchAttempt, watch fleet.DeviceID, why string) {
	if why == "" || w.logged == why {
		return
	}
	w.logged = why
	n.log(store.Telling{
		Request: r.ID, Device: watch, Person: w.who.Person, Name: w.who.Name, What: ToldUnreachable, Stage: r.State, Why: why,
	})
}

// writeLog writes what was logged.
func (n *Notifier) writeLog(ctx context.Context) error {
	n.telling.Lock()
	entries, first := n.telling.log, n.telling.n
	n.telling.log = nil
	n.telling.n += uint64(len(entries))
	n.telling.Unlock()
	if len(entries) == 0 {
		return nil
	}
	err := n.c.Store.Update(ctx, func(tx *store.Tx) error {
		for i, v := range entries {
			if err := tx.AddTelling(v, first+uint64(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, fleet.ErrFull) { // on a full disk calls go on without it
		return fmt.Errorf("log who was told: %w", err)
	}
	return nil
}

// forgetEach is how many entries of the log are removed in one write.
const forgetEach = 1000

// forgetLog removes old entries.
func (n *Notifier) forgetLog(ctx context.Context) error {
	before := n.c.Now().Add(-n.c.LogFor)
	for more := true; more; {
		err := n.c.Store.Update(ctx, func(tx *store.Tx) (err error) {
			more, err = tx.ForgetTellings(before, forgetEach)
			return err
		})
		if err != nil {
			return fmt.Errorf("forget who was told: %w", err)
		}
	}
	return nil
}

// forgetLogEvery is how often old entries are looked for.
const forgetLogEvery = time.Hour
