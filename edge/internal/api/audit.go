package api

import (
	"context"

	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

func (a *API) auditRoutes() {
	a.rest.AuditRoutes(rest.AuditConfig{
		Path: "/api/v1/audit", Name: "audit", What: "of this hub", Whole: true,
		View: func(_ context.Context, _ fleet.SiteID, fn func(audit.Source) error) error {
			return a.Store.ViewAudit(fn)
		},
	})
}
