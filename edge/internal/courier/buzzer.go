package courier

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// Buzzer is whether the site's buzzers sound, and why.
type Buzzer struct {
	On     bool      `json:"on"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// buzz tells the buzzer when it changes.
func (k *Courier) buzz(ctx context.Context) {
	if k.c.Buzz == nil {
		return
	}
	want := k.sounding()
	k.mu.Lock()
	told := k.buzzer
	k.mu.Unlock()
	if told != nil && told.On == want.On && told.Reason == want.Reason {
		return
	}
	if err := k.c.Buzz(ctx, want); err != nil {
		if ctx.Err() == nil {
			k.c.Logger.Warn("buzzer not told", "on", want.On, "error", err)
		}
		return
	}
	k.mu.Lock()
	k.buzzer = &want
	k.mu.Unlock()
}

// sounding is what the buzzer should do now: an emergency that nobody has
// accepted, or else the worst alert that nobody has acknowledged.
func (k *Courier) sounding() Buzzer {
	now := k.now()
	_, zone := k.c.About()
	loud := func(s fleet.AlertSeverity, wants func(Rule) bool) bool {
		return slices.ContainsFunc(slices.Collect(rulesOf(k)), func(r Rule) bool {
			_, quiet := r.Quiet.until(now, zone, s)
			return r.Buzzer && !r.Disabled && !quiet && wants(r)
		})
	}
	if loud(fleet.AlertCritical, func(r Rule) bool { return slices.Contains(r.On, OnEmergency) }) {
		open, err := k.c.Store.OpenRequests()
		for _, r := range open {
			if err == nil && r.State == fleet.RequestOpen && r.Priority == fleet.Emergency {
				return Buzzer{On: true, Reason: "emergency " + string(r.Room), Since: r.OpenedAt}
			}
		}
	}
	for _, a := range k.c.Alerts() { // the worst first
		if a.State == fleet.AlertActive && loud(a.Severity, func(r Rule) bool { return r.wants(a) }) {
			reason := "alert " + string(a.Kind)
			if a.Subject != "" {
				reason += " " + a.Subject
			}
			return Buzzer{On: true, Reason: reason, Since: a.Since}
		}
	}
	return Buzzer{Since: now}
}

func rulesOf(k *Courier) func(func(Rule) bool) {
	return func(yield func(Rule) bool) {
		for _, r := range k.rules.All() {
			if !yield(r.Value) {
				return
			}
		}
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
