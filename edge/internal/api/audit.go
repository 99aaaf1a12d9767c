package api

import (
	"context"
	"maps"

	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// record tells the audit what the subject of ctx did. It is done already, or
// would be known to be refused: that the audit cannot be written is said in the
// log.
func (a *API) record(ctx context.Context, action, target string, detail map[string]string) {
	err := a.Security.Record(context.WithoutCancel(ctx), actor(ctx), action, target, maps.Clone(detail))
	if err != nil {
		a.Logger.Error("entry of the audit not written", "action", action, "target", target, "detail", detail, "error", err)
	}
}

func (a *API) auditRoutes() {
	a.rest.AuditRoutes(rest.AuditConfig{
		Path: "/api/v1/audit", Name: "audit", What: "of this hub", Whole: true,
		View: func(_ context.Context, _ fleet.SiteID, fn func(audit.Source) error) error {
			return a.Store.ViewAudit(fn)
		},
	})
}
