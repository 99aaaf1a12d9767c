package courier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
)

// What rules are about.
const (
	OnAlert     = "alert"
	OnMissed    = "request_missed"
	OnEmergency = "emergency"
)

// Rule says who is notified of what. It is the body of a document of kind
// notification.
type Rule struct {
	Disabled bool `json:"disabled,omitempty"`
	// On are the sorts of events.
	On []string `json:"on" nullable:"false" enum:"alert,request_missed,emergency" minItems:"1" maxItems:"3" doc:"alert, request_missed, emergency (a call that is open)."`
	// MinSeverity of alerts; warning if empty.
	MinSeverity fleet.AlertSeverity `json:"min_severity,omitempty" enum:"info,warning,critical" doc:"Of alerts; warning if absent."`
	// Kinds of alerts; all if empty.
	Kinds []fleet.AlertKind `json:"kinds,omitempty" maxItems:"64" doc:"Of alerts; all if absent."`
	// WhenGone tells the end of an alert's condition too.
	WhenGone bool   `json:"when_gone,omitempty" doc:"Tell also when an alert's condition is gone."`
	Quiet    *Quiet `json:"quiet,omitempty"`

	// Sound on screens; empty for none.
	Sound string `json:"sound,omitempty" enum:"none,chime,alarm" doc:"On the hub's screens."`
	// Buzzer: obedio/{site}/system/buzzer is on while it lasts.
	Buzzer  bool     `json:"buzzer,omitempty" doc:"obedio/{site}/system/buzzer is on until it is acknowledged, accepted or gone."`
	Webhook *Webhook `json:"webhook,omitempty"`
	Mail    *Mail    `json:"mail,omitempty"`
}

// Webhook is a URL that is called.
type Webhook struct {
	URL string `json:"url" maxLength:"2048"`
}

// Mail is who is written to.
type Mail struct {
	To []string `json:"to" nullable:"false" minItems:"1" maxItems:"20"`
}

// Quiet is a time of the day in which only what is critical is told at once; the
// rest waits for its end, and is not heard on screens and buzzers.
type Quiet struct {
	From string `json:"from" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"In the site's time zone, such as 22:00."`
	To   string `json:"to" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$"`
	// Critical waits too.
	Critical bool `json:"critical,omitempty" doc:"What is critical waits too."`
}

// Check reports as fleet.ErrInvalid what is wrong with a rule.
func (r Rule) Check() error {
	if len(r.On) == 0 {
		return fmt.Errorf("%w: on: name %s, %s or %s", fleet.ErrInvalid, OnAlert, OnMissed, OnEmergency)
	}
	for _, on := range r.On {
		if on != OnAlert && on != OnMissed && on != OnEmergency {
			return fmt.Errorf("%w: on %q: want %s, %s or %s", fleet.ErrInvalid, on, OnAlert, OnMissed, OnEmergency)
		}
	}
	if r.MinSeverity != "" {
		if _, err := fleet.ParseAlertSeverity(string(r.MinSeverity)); err != nil {
			return fmt.Errorf("min_severity: %w", err)
		}
	}
	if !slices.Contains([]string{"", "none", "chime", "alarm"}, r.Sound) {
		return fmt.Errorf("%w: sound %q: want none, chime or alarm", fleet.ErrInvalid, r.Sound)
	}
	if q := r.Quiet; q != nil {
		for name, s := range map[string]string{"from": q.From, "to": q.To} {
			if _, err := time.Parse("15:04", s); err != nil {
				return fmt.Errorf("%w: quiet.%s %q: want a time of the day, such as 22:00", fleet.ErrInvalid, name, s)
			}
		}
		if q.From == q.To {
			return fmt.Errorf("%w: quiet: from and to are the same: leave it out, or disable the rule", fleet.ErrInvalid)
		}
	}
	if w := r.Webhook; w != nil {
		if err := courier.CheckURL(w.URL); err != nil {
			return err
		}
	}
	if m := r.Mail; m != nil {
		if err := courier.CheckAddresses(m.To); err != nil {
			return err
		}
	}
	return nil
}

// Masked is the rule as those may see it who may not change it.
func (r Rule) Masked() Rule {
	if r.Webhook != nil {
		to := r.channels()[channelWebhook]
		scheme, _, _ := strings.Cut(r.Webhook.URL, ":")
		r.Webhook = &Webhook{URL: scheme + "://" + to + "/"}
	}
	if r.Mail != nil {
		r.Mail = &Mail{To: []string{}}
	}
	return r
}

// wants reports whether the rule is about an alert.
func (r Rule) wants(a fleet.Alert) bool {
	least := r.MinSeverity
	if least == "" {
		least = fleet.AlertWarning
	}
	return !r.Disabled && slices.Contains(r.On, OnAlert) && a.Severity.Rank() >= least.Rank() &&
		(len(r.Kinds) == 0 || slices.Contains(r.Kinds, a.Kind))
}

// until is the end of the quiet hours that at is in; false when it is in none,
// or when they are not for that severity.
func (q *Quiet) until(at time.Time, zone *time.Location, s fleet.AlertSeverity) (time.Time, bool) {
	if q == nil || s == fleet.AlertCritical && !q.Critical {
		return at, false
	}
	from, _ := time.Parse("15:04", q.From) // Check has read them
	to, _ := time.Parse("15:04", q.To)
	local := at.In(zone)
	minute := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	now, begin, end := minute(local), minute(from), minute(to)
	inside := now >= begin && now < end
	if end < begin {
		inside = now >= begin || now < end
	}
	if !inside {
		return at, false
	}
	day := local.Day()
	if now >= end {
		day++ // it ends tomorrow
	}
	return time.Date(local.Year(), local.Month(), day, to.Hour(), to.Minute(), 0, 0, zone).UTC(), true
}
