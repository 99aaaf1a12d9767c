package api

import (
	"context"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/audit"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// auditRoutes serve the console's own audit, and what hubs tell of theirs.
func (a *API) auditRoutes() {
	a.rest.AuditRoutes(rest.AuditConfig{
		Path: "/api/v1/audit", Name: "audit", What: "of this console", Whole: true,
		View: func(ctx context.Context, _ fleet.SiteID, fn func(audit.Source) error) error {
			return a.Store.ViewAudit(ctx, fn)
		},
	})
	a.rest.AuditRoutes(rest.AuditConfig{
		Path: "/api/v1/sites/{id}/audit", Name: "site-audit", What: "of a site, as its hub tells of it", Site: "id",
		View: func(ctx context.Context, site fleet.SiteID, fn func(audit.Source) error) error {
			return a.Store.ViewSite(ctx, site, func(v store.SiteView) error { return fn(v.HubAudit()) })
		},
	})
}
