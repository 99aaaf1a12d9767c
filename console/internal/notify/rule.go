package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/courier"
	"github.com/obedio/obedio/shared/fleet"
)

// The events that rules can be about.
const (
	EventRaised   = "alert.raised"
	EventGone     = "alert.gone"
	EventReturned = "site.returned"
	EventTest     = "test"
)

// Rule says who is notified of what. It is the body of a document.
type Rule struct {
	Disabled bool `json:"disabled,omitempty"`
	// Events are the sorts of events.
	Events []string `json:"events" nullable:"false" enum:"alert.raised,alert.gone,site.returned" minItems:"1" maxItems:"3"`
	// MinSeverity of alerts; warning if empty. A digest of an absence counts as what
	// it is.
	MinSeverity fleet.AlertSeverity `json:"min_severity,omitempty" enum:"info,warning,critical" doc:"Of alerts; warning if absent. It does not bind site.returned."`
	// Kinds of alerts; all if empty.
	Kinds []fleet.AlertKind `json:"kinds,omitempty" maxItems:"64" doc:"Of alerts; all if absent."`
	// Sites, or those with Tag; all if both are empty.
	Sites []fleet.SiteID `json:"sites,omitempty" maxItems:"1000" doc:"Only of these sites."`
	Tag   string         `json:"tag,omitempty" maxLength:"64" doc:"Only of sites with this tag."`

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

// The channels.
const (
	channelWebhook = "webhook"
	channelMail    = "mail"
)

// Check reports as fleet.ErrInvalid what is wrong with a rule.
func (r Rule) Check() error {
	if len(r.Events) == 0 {
		return fmt.Errorf("%w: events: name %s, %s or %s", fleet.ErrInvalid, EventRaised, EventGone, EventReturned)
	}
	for _, e := range r.Events {
		if e != EventRaised && e != EventGone && e != EventReturned {
			return fmt.Errorf("%w: event %q: want %s, %s or %s", fleet.ErrInvalid, e, EventRaised, EventGone, EventReturned)
		}
	}
	if r.MinSeverity != "" {
		if _, err := fleet.ParseAlertSeverity(string(r.MinSeverity)); err != nil {
			return fmt.Errorf("min_severity: %w", err)
		}
	}
	for _, id := range r.Sites {
		if _, err := fleet.ParseSiteID(string(id)); err != nil {
			return err
		}
	}
	if r.Webhook == nil && r.Mail == nil {
		return fmt.Errorf("%w: name a webhook, or who gets mail", fleet.ErrInvalid)
	}
	if r.Webhook != nil {
		if err := courier.CheckURL(r.Webhook.URL); err != nil {
			return err
		}
	}
	if r.Mail != nil {
		return courier.CheckAddresses(r.Mail.To)
	}
	return nil
}

// Masked is the rule as those may see it who may not change it.
func (r Rule) Masked() Rule {
	if r.Webhook != nil {
		scheme, _, _ := strings.Cut(r.Webhook.URL, ":")
		r.Webhook = &Webhook{URL: scheme + "://" + courier.Host(r.Webhook.URL) + "/"}
	}
	if r.Mail != nil {
		r.Mail = &Mail{To: []string{}}
	}
	return r
}

// wants reports whether the rule is about an event.
func (r Rule) wants(event string, a fleet.Alert, site fleet.SiteID, tags []string) bool {
	if r.Disabled || !slices.Contains(r.Events, event) || len(r.Kinds) > 0 && !slices.Contains(r.Kinds, a.Kind) {
		return false
	}
	if len(r.Sites) > 0 && !slices.Contains(r.Sites, site) || r.Tag != "" && !slices.Contains(tags, r.Tag) {
		return false
	}
	least := r.MinSeverity
	if least == "" {
		least = fleet.AlertWarning
	}
	return event == EventReturned || a.Severity.Rank() >= least.Rank()
}

// channels are the ways of a rule, with their receivers as people may see them.
func (r Rule) channels() map[string]string {
	out := map[string]string{}
	if r.Webhook != nil {
		out[channelWebhook] = courier.Host(r.Webhook.URL)
	}
	if r.Mail != nil {
		out[channelMail] = strings.Join(r.Mail.To, ", ")
	}
	return out
}
