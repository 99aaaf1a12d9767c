package fleetview

import (
	"fmt"

	"github.com/obedio/obedio/shared/fleet"
)

// Attention says how much a site needs somebody, and why, the strongest reason
// first. 0 is a site that needs nobody. It is a function of its arguments only.
//
//	200  an emergency that nobody has accepted
//	100  the hub and the console do not hold the same, or data does not move
//	100  the hub has told of a second history of its audit
//	 60  no contact, when it is not expected to be away
//	 40  records that could not be applied
//	 30  more than a tenth of the devices lost; 10 for any
//	 20  requests that wait
//	 15  contact is late
//	  5  never connected
func Attention(r Row) (score int, reasons []string) {
	add := func(n int, format string, args ...any) {
		score += n
		reasons = append(reasons, fmt.Sprintf(format, args...))
	}
	switch r.Link {
	case Revoked, Retired:
		return 0, nil // shut out on purpose
	case Online, Late, Offline, Stalled, NeverConnected:
	}
	if n := r.Counts.Emergency; n > 0 {
		add(200, "%s waiting", count(n, "emergency", "emergencies"))
	}
	switch r.Link {
	case Stalled:
		if outOfLine(r.Contact) {
			add(100, "hub is %s", r.Contact.Verdict)
		} else {
			add(100, "data does not move")
		}
	case Offline:
		if r.PlannedUntil.IsZero() {
			add(60, "no contact")
		}
	case Late:
		if r.PlannedUntil.IsZero() {
			add(15, "contact is late")
		}
	case NeverConnected:
		add(5, "never connected")
	case Online, Revoked, Retired:
	}
	if r.Counts.AuditForks > 0 {
		add(100, "audit was forked")
	}
	if n := r.Counts.DeadLetters - r.Counts.AuditForks; n > 0 {
		add(40, "%s could not be applied", count(n, "record", "records"))
	}
	if lost := r.Counts.Devices[fleet.Lost]; lost > 0 {
		n := 10
		if lost*10 > r.Counts.AllDevices() {
			n = 30
		}
		add(n, "%s lost", count(lost, "device", "devices"))
	}
	if n := r.Counts.Open - r.Counts.Emergency; n > 0 {
		add(20, "%s waiting", count(n, "request", "requests"))
	}
	return score, reasons
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
