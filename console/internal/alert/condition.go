package alert

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
)

// The conditions that the console finds by itself.
const (
	SiteOffline      fleet.AlertKind = "site_offline"
	SiteStalled      fleet.AlertKind = "site_stalled"
	SiteReturned     fleet.AlertKind = "site_returned"
	HubBehind        fleet.AlertKind = "hub_behind"
	HubDiverged      fleet.AlertKind = "hub_diverged"
	HubFenced        fleet.AlertKind = "hub_fenced"
	AuditForked      fleet.AlertKind = "audit_forked"
	RecordsRefused   fleet.AlertKind = "records_refused"
	BacklogLarge     fleet.AlertKind = "backlog_large"
	HubCertificate   fleet.AlertKind = "hub_certificate_expiring"
	LinkOver         fleet.AlertKind = "link_over_budget"
	PolicyRefused    fleet.AlertKind = "policy_refused"
	PolicyOverridden fleet.AlertKind = "policy_overridden"
	OrderConflict    fleet.AlertKind = "order_conflict"
)

// Words are what people read of a condition of the console's own.
func Words(k fleet.AlertKind) (title, action string) {
	switch k {
	case SiteOffline:
		return "A site is offline for longer than expected", "Call somebody on board, or note until when it is expected to be away."
	case SiteStalled:
		return "Data of a site does not move", "Look at its sync: the hub is in contact, and what it holds does not come."
	case SiteReturned:
		return "A site is back", "Read what happened while it was away."
	case HubBehind:
		return "A hub has lost what the console holds", "It was restored or replaced: find out which before trusting either."
	case HubDiverged:
		return "Hub and console disagree about the past", "Export both audits, find the right one, and give the hub a new claim."
	case HubFenced:
		return "Two hubs speak for one site", "One is a clone: find the right one, and revoke the other."
	case AuditForked:
		return "The audit of a hub was told in two ways", "Somebody has rewritten it, or two hubs speak for the site."
	case RecordsRefused:
		return "Records could not be applied", "Look at the dead letters of the site; the lane has moved on."
	case BacklogLarge:
		return "Much waits on a hub", "See whether its link is too slow for what it sends."
	case HubCertificate:
		return "A hub's certificate ends soon", "The hub renews it when it is in contact; see why it has not."
	case PolicyRefused:
		return "A hub has refused its policy", "Read why on the site's page, correct the policy, and save it again."
	case PolicyOverridden:
		return "Policy is overridden on board", "Adopt what was changed on board, or have it dropped."
	case LinkOver:
		return "A link carries more than it may", "See what the site sends: Traffic names the devices; or raise what its link may carry in a day."
	case OrderConflict:
		return "An order has come too late", "Somebody on board has changed the same thing: look, and order again if it is still wanted."
	}
	return "", ""
}

// Evidence is what is known of a site at a moment.
type Evidence struct {
	Site store.Site
	// Offline and Stalled are of the state of its link, Since when.
	Offline, Stalled bool
	Since            time.Time
	// Planned: it is expected to be away now.
	Planned bool
	// Gone: it was revoked or retired.
	Gone    bool
	Contact store.Contact
	Backlog uint64
	// BytesToday is what has passed its link today.
	BytesToday              uint64
	DeadLetters, AuditForks int
	// Policy is what became of the newest policy that the hub was given.
	Policy fleet.AppliedPolicy
	// HubNotAfter is when the hub's certificate ends; zero when that is not known.
	HubNotAfter time.Time
	// Behind: records of the log lanes wait on the hub.
	Behind bool
}

// Limits say what is too much. Zero fields take their defaults.
type Limits struct {
	// Away is how long a site may be offline. 1 h.
	Away time.Duration
	// Backlog of records. 50,000.
	Backlog uint64
	// Certificate is how long before its end a hub's certificate is an alert; the
	// last quarter of it is critical. 14 days.
	Certificate time.Duration
	// Digest is after how long an absence the return is told as a digest. 1 h.
	Digest time.Duration
	// CatchUp is how long a site that has come back may take to tell what it has
	// before what it has told is told on. 15 min.
	CatchUp time.Duration
}

func (l Limits) withDefaults() Limits {
	l.Away = cmp.Or(l.Away, time.Hour)
	l.Backlog = cmp.Or(l.Backlog, 50_000)
	l.Certificate = cmp.Or(l.Certificate, 14*24*time.Hour)
	l.Digest = cmp.Or(l.Digest, time.Hour)
	l.CatchUp = cmp.Or(l.CatchUp, 15*time.Minute)
	return l
}

// found is a condition that holds.
type found struct {
	severity fleet.AlertSeverity
	subject  fleet.AlertSubject
	since    time.Time
	detail   map[string]string
}

// conditions are those that hold. It is a function of its arguments only.
func conditions(e Evidence, l Limits, now time.Time) map[fleet.AlertKind]found {
	out := map[fleet.AlertKind]found{}
	if e.Gone {
		return out
	}
	seen := map[string]string{}
	if !e.Contact.At.IsZero() {
		seen["last_contact"] = e.Contact.At.Format(time.RFC3339)
	}
	away := l.Away
	if m := e.Site.Settings.AwayMinutes; m > 0 {
		away = time.Duration(m) * time.Minute
	}
	if e.Offline && !e.Planned && !e.Contact.At.IsZero() && now.Sub(e.Contact.At) >= away {
		out[SiteOffline] = found{fleet.AlertWarning, fleet.AlertOfSite, e.Contact.At, seen}
	}
	verdict := map[string]fleet.AlertKind{"behind": HubBehind, "diverged": HubDiverged, "fenced": HubFenced}[e.Contact.Verdict]
	switch {
	case verdict != "":
		out[verdict] = found{fleet.AlertCritical, fleet.AlertOfHub, e.Contact.VerdictAt, seen}
	case e.Stalled:
		out[SiteStalled] = found{fleet.AlertCritical, fleet.AlertOfSite, e.Since, seen}
	}
	if e.AuditForks > 0 {
		out[AuditForked] = found{fleet.AlertCritical, fleet.AlertOfHub, now, map[string]string{"records": strconv.Itoa(e.AuditForks)}}
	}
	if n := e.DeadLetters - e.AuditForks; n > 0 {
		out[RecordsRefused] = found{fleet.AlertWarning, fleet.AlertOfHub, now, map[string]string{"records": strconv.Itoa(n)}}
	}
	if e.Backlog > l.Backlog && !e.Offline {
		out[BacklogLarge] = found{fleet.AlertWarning, fleet.AlertOfHub, now, map[string]string{
			"records": strconv.FormatUint(e.Backlog, 10), "limit": strconv.FormatUint(l.Backlog, 10),
		}}
	}
	switch {
	case e.Policy.Outcome == fleet.PolicyOutcomeRefused:
		out[PolicyRefused] = found{fleet.AlertWarning, fleet.AlertOfHub, e.Policy.At, map[string]string{
			"version": strconv.FormatUint(e.Policy.Version, 10), "said": cut(e.Policy.Detail),
		}}
	case len(e.Policy.Overrides) > 0:
		out[PolicyOverridden] = found{fleet.AlertWarning, fleet.AlertOfHub, e.Policy.At, map[string]string{
			"documents": cut(strings.Join(e.Policy.Overrides, ", ")),
		}}
	}
	if most := e.Site.Settings.Budget(); most > 0 && e.BytesToday > most {
		out[LinkOver] = found{fleet.AlertWarning, fleet.AlertOfSite, now, map[string]string{
			"bytes_today": strconv.FormatUint(e.BytesToday, 10), "limit": strconv.FormatUint(most, 10),
		}}
	}
	if left := e.HubNotAfter.Sub(now); !e.HubNotAfter.IsZero() && left < l.Certificate {
		severity := fleet.AlertWarning
		if left < l.Certificate/4 {
			severity = fleet.AlertCritical
		}
		out[HubCertificate] = found{severity, fleet.AlertOfHub, e.HubNotAfter.Add(-l.Certificate), map[string]string{
			"not_after": e.HubNotAfter.Format(time.RFC3339),
		}}
	}
	return out
}

// catchingUp reports whether a site has been away for long and has not told yet
// what happened.
func catchingUp(e Evidence, l Limits, now time.Time) bool {
	c := e.Contact
	return !c.AwaySince.IsZero() && c.UpAt.Sub(c.AwaySince) >= l.Digest && e.Behind && now.Sub(c.UpAt) < l.CatchUp
}
