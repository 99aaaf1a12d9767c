package config

import (
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/fleet"
)

// AuditSettings bound what the audit is told of things that happen by
// themselves, and that somebody may make happen as often as he likes.
type AuditSettings struct {
	AuditEvery     time.Duration `name:"audit-every" default:"1m" help:"The same thing of the same client or address makes one entry of the audit in this time at the most, with a count."`
	AuditEveryMost time.Duration `name:"audit-every-most" default:"1h" help:"What that time grows to while the thing goes on."`
	AuditSubjects  int           `name:"audit-subjects" default:"200" help:"Clients or addresses that are told apart for each sort of security event."`
	AuditPerHour   int           `name:"audit-per-hour" default:"120" help:"Entries an hour about security events; what is left out is counted."`
}

func (s AuditSettings) check() error {
	if err := positive(map[string]time.Duration{"audit-every": s.AuditEvery}); err != nil {
		return err
	}
	if s.AuditEveryMost < s.AuditEvery {
		return fmt.Errorf("%w: --audit-every-most %s: want at least --audit-every %s", fleet.ErrInvalid, s.AuditEveryMost, s.AuditEvery)
	}
	return positive(map[string]int{"audit-subjects": s.AuditSubjects, "audit-per-hour": s.AuditPerHour})
}

func (s AuditSettings) security() security.Config {
	return security.Config{Every: s.AuditEvery, MostEvery: s.AuditEveryMost, MaxSubjects: s.AuditSubjects, PerHour: s.AuditPerHour}
}
