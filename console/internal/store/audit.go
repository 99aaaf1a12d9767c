package store

import (
	"maps"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// What happens at the console has its entry in the console's own audit, in the
// transaction of the change. These are the actions; the target is the site,
// where there is one.
const (
	AuditSiteAdded     = "site.added"
	AuditSiteChanged   = "site.changed"
	AuditSiteRevoked   = "site.revoked"
	AuditClaimMade     = "claim.made"
	AuditHubEnrolled   = "hub.enrolled"
	AuditHubRenewed    = "hub.renewed"
	AuditCommandQueued = "command.queued"
	AuditCancelQueued  = "command.cancel_queued"
	AuditOrderQueued   = "order.queued"
	AuditJobBegun      = "job.begun"
	AuditJobCancelled  = "job.cancelled"
	AuditAlertSeen     = "alert.acknowledged"

	AuditOverrideDropped = "override.dropped"
)

// DocumentAction is the action of a change of a document: view.changed,
// view.removed.
func DocumentAction(d Document) string {
	if d.Removed {
		return string(d.Kind) + ".removed"
	}
	return string(d.Kind) + ".changed"
}

// firstChain is the audit of a store that has no identity yet.
const firstChain fleet.Epoch = "console"

// maxAuditText is the most that an entry keeps of a text, in bytes.
const maxAuditText = 512

// NextAuditEntry is the entry behind the newest one that there is (the zero
// value for none). A store with another identity than the newest entry's begins
// a new chain, which continues that entry. What is too long is cut.
func NextAuditEntry(
	newest fleet.AuditHead, i Identity, at time.Time, by fleet.Actor, action, target string, detail map[string]string,
) (fleet.AuditEntry, error) {
	e := fleet.AuditEntry{
		Chain: fleet.Epoch(i.Epoch), At: fleet.Millis(at), ClockTrusted: true, Actor: by, Action: action,
		Target: cutText(target), Detail: maps.Clone(detail), Prev: newest.Hash,
	}
	if e.Chain == "" {
		e.Chain = firstChain
	}
	if e.Chain == newest.Chain {
		e.N = newest.N
	}
	e.N++
	for k, v := range e.Detail {
		e.Detail[k] = cutText(v)
	}
	if len(e.Detail) == 0 {
		e.Detail = nil
	}
	if err := e.Check(); err != nil {
		return e, err
	}
	e.Hash = e.Sum()
	return e, nil
}

func cutText(s string) string {
	if len(s) > maxAuditText {
		s = s[:maxAuditText]
	}
	return strings.ToValidUTF8(s, "")
}
