package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/policy"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// versionInfo is what every versioned document tells of its version.
type versionInfo struct {
	Version   uint64         `json:"version"`
	UpdatedAt time.Time      `json:"updated_at"`
	UpdatedBy resource.Actor `json:"updated_by"`
	ETag      string         `json:"etag"`
}

func versionOf(d store.Document) versionInfo {
	return versionInfo{d.Version, d.UpdatedAt, resource.ActorOf(d.UpdatedBy), rest.ETag(d.Version)}
}

// Version is exported so that huma sees it where it is embedded.
type Version = versionInfo

type policyView struct {
	ID string `json:"policy_id"`
	policy.Piece
	Version
	Assigned int `json:"assigned" doc:"Sites that have it now."`
}

type policyOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     policyView
}

type templateView struct {
	ID string `json:"template_id"`
	policy.Template
	Version
	Sites int `json:"sites" doc:"That began with it."`
}

type templateOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     templateView
}

// oldVersion is one version of a policy or template.
type oldVersion struct {
	Version
	Removed bool            `json:"removed,omitempty"`
	Body    json.RawMessage `json:"body,omitempty" doc:"As it was; none of a removal."`
}

// driftView is where one site stands.
type driftView struct {
	SiteID    fleet.SiteID        `json:"site_id"`
	SiteName  string              `json:"site_name"`
	LinkState fleetview.LinkState `json:"link_state" enum:"online,late,offline,stalled,never_connected,revoked,retired"`
	DataAsOf  *time.Time          `json:"data_as_of,omitempty"`
	Standing  policy.Standing     `json:"standing" enum:"in_sync,pending,refused,overridden,differs,unmanaged"`
	Wanted    uint64              `json:"wanted_version"`
	Applied   uint64              `json:"applied_version"`
	Detail    string              `json:"detail,omitempty" doc:"Why the hub has refused it."`
	Overrides []string            `json:"overrides" nullable:"false" doc:"Documents that were changed on board, as kind/name."`
}

// DriftView is exported so that huma sees it where it is embedded.
type DriftView = driftView

// sitePolicyView is the policy of one site.
type sitePolicyView struct {
	DriftView
	AppliedAt *time.Time      `json:"applied_at,omitempty"`
	Documents []driftDocument `json:"documents" nullable:"false"`
}

type driftDocument struct {
	Document     string          `json:"document" doc:"kind/name"`
	Kind         string          `json:"kind"`
	Name         string          `json:"name"`
	Standing     policy.Standing `json:"standing" enum:"in_sync,pending,refused,overridden,differs,unmanaged"`
	PolicyID     string          `json:"policy_id,omitempty" doc:"The policy that it is from."`
	Hides        []string        `json:"hides,omitempty" doc:"Policies that name it too, and are farther."`
	Wanted       json.RawMessage `json:"wanted,omitempty"`
	Board        json.RawMessage `json:"board,omitempty" doc:"As the hub has told it."`
	BoardVersion uint64          `json:"board_version,omitempty"`
	BoardAt      *time.Time      `json:"board_changed_at,omitempty"`
}

// DocumentInput names a document of a site.
type DocumentInput struct {
	SitePath
	Body struct {
		Document string `json:"document" maxLength:"130" doc:"kind/name"`
	} `nameHint:"DocumentChoice"`
}

func (a *API) policyRoutes() {
	tags := []string{"policies"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-policies", Method: http.MethodGet, Path: "/api/v1/policies", Permission: account.TemplatesRead, Summary: "Pieces of policy for many sites, by id", Tags: tags,
	}, a.listPolicies)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-policy", Method: http.MethodPost, Path: "/api/v1/policies", Permission: account.TemplatesWrite, MaxBody: 512 << 10,
		Status: http.StatusCreated, Idempotent: true, Summary: "Make a piece of policy", Tags: tags,
		Description: "The policy of each site is computed from the pieces that are assigned to it and given to its hub as one whole.",
	}, func(ctx context.Context, in *struct {
		Body policy.Piece `nameHint:"Policy"`
	}) (*policyOutput, error) {
		return a.putPolicy(ctx, fleet.NewUUID[string](a.now()), in.Body, 0)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-policy", Method: http.MethodGet, Path: "/api/v1/policies/{id}", Permission: account.TemplatesRead, Summary: "One piece of policy", Tags: tags,
	}, func(_ context.Context, in *NamePath) (*policyOutput, error) { return a.onePolicy(in.Name) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-policy", Method: http.MethodPut, Path: "/api/v1/policies/{id}", Permission: account.TemplatesWrite, MaxBody: 512 << 10,
		IfMatch: true, Summary: "Make the next version of a piece of policy", Tags: tags,
	}, func(ctx context.Context, in *struct {
		NamePath
		Body policy.Piece `nameHint:"Policy"`
	}) (*policyOutput, error) {
		now, err := a.Policies.Piece(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return a.putPolicy(ctx, in.Name, in.Body, now.Version)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-policy", Method: http.MethodDelete, Path: "/api/v1/policies/{id}", Permission: account.TemplatesWrite,
		IfMatch: true, Summary: "Remove a piece of policy: sites lose what they had from it", Tags: tags,
	}, func(ctx context.Context, in *NamePath) (*struct{}, error) {
		now, err := a.Policies.Piece(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.Policies.Remove(ctx, actor(ctx), store.DocumentPolicy, in.Name, now.Version)
	})
	a.versionRoute("policies", "policy", store.DocumentPolicy, tags)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-policy-sites", Method: http.MethodGet, Path: "/api/v1/policies/{id}/sites", Permission: account.TemplatesRead,
		Summary: "Sites that have a piece of policy, and how far they are from what is wanted", Tags: tags,
	}, a.policySites)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-site-policy", Method: http.MethodGet, Path: "/api/v1/sites/{id}/policy", Permission: account.TemplatesRead, Site: "id",
		Summary: "What is wanted of a site's policy, and what its hub has", Tags: tags,
	}, a.sitePolicy)
	rest.Register(a.rest, rest.Route{
		OperationID: "adopt-override", Method: http.MethodPost, Path: "/api/v1/sites/{id}/policy/adopt", Permission: account.TemplatesWrite, Site: "id",
		Summary: "Want of this site what a document is on board", Tags: tags,
	}, func(ctx context.Context, in *DocumentInput) (*struct{ Body sitePolicyView }, error) {
		return a.decideOverride(ctx, in, a.Policies.Adopt)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "drop-override", Method: http.MethodPost, Path: "/api/v1/sites/{id}/policy/drop", Permission: account.TemplatesWrite, Site: "id",
		Summary: "Have what was changed on board replaced by what is wanted", Tags: tags,
	}, func(ctx context.Context, in *DocumentInput) (*struct{ Body sitePolicyView }, error) {
		return a.decideOverride(ctx, in, a.Policies.Drop)
	})
	a.templateRoutes()
}

func (a *API) templateRoutes() {
	tags := []string{"templates"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-templates", Method: http.MethodGet, Path: "/api/v1/templates", Permission: account.TemplatesRead, Summary: "Templates of new sites, by id", Tags: tags,
	}, a.listTemplates)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-template", Method: http.MethodPost, Path: "/api/v1/templates", Permission: account.TemplatesWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Make a template", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Body policy.Template `nameHint:"Template"`
	}) (*templateOutput, error) {
		return a.putTemplate(ctx, fleet.NewUUID[string](a.now()), in.Body, 0)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-template", Method: http.MethodGet, Path: "/api/v1/templates/{id}", Permission: account.TemplatesRead, Summary: "One template", Tags: tags,
	}, func(_ context.Context, in *NamePath) (*templateOutput, error) { return a.oneTemplate(in.Name) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-template", Method: http.MethodPut, Path: "/api/v1/templates/{id}", Permission: account.TemplatesWrite,
		IfMatch: true, Summary: "Make the next version of a template", Tags: tags,
		Description: "Policies of it reach its sites; settings are those of new ones.",
	}, func(ctx context.Context, in *struct {
		NamePath
		Body policy.Template `nameHint:"Template"`
	}) (*templateOutput, error) {
		now, err := a.Policies.Template(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return a.putTemplate(ctx, in.Name, in.Body, now.Version)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-template", Method: http.MethodDelete, Path: "/api/v1/templates/{id}", Permission: account.TemplatesWrite,
		IfMatch: true, Summary: "Remove a template: its sites lose the policies that they had from it", Tags: tags,
	}, func(ctx context.Context, in *NamePath) (*struct{}, error) {
		now, err := a.Policies.Template(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.Policies.Remove(ctx, actor(ctx), store.DocumentTemplate, in.Name, now.Version)
	})
	a.versionRoute("templates", "template", store.DocumentTemplate, tags)
}

// versionRoute lists the versions of a document.
func (a *API) versionRoute(path, name string, kind store.DocumentKind, tags []string) {
	rest.Register(a.rest, rest.Route{
		OperationID: "list-" + name + "-versions", Method: http.MethodGet, Path: "/api/v1/" + path + "/{id}/versions", Permission: account.TemplatesRead,
		Summary: "All versions of a " + name + ", the newest first", Tags: tags,
	}, func(ctx context.Context, in *struct {
		NamePath
		rest.PageInput
	}) (*struct{ Body rest.Page[oldVersion] }, error) {
		before, err := rest.DecodeCursor[uint64](in.Cursor)
		if err != nil {
			return nil, err
		}
		all, err := a.Store.DocumentVersions(ctx, kind, in.Name, before, in.Limit+1)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 && before == 0 {
			return nil, fmt.Errorf("%w: %s %s", fleet.ErrNotFound, name, in.Name)
		}
		rows := make([]oldVersion, len(all))
		for i, d := range all {
			rows[i] = oldVersion{versionOf(d), d.Removed, d.Body}
		}
		return &struct{ Body rest.Page[oldVersion] }{rest.PageOf(rows, in.Limit, func(v oldVersion) any { return v.Version.Version })}, nil
	})
}

// assigned are the sites that have a piece.
func (a *API) assigned(name string, keep func(fleetview.Row) bool) []fleetview.Row {
	rows := a.Fleet.Sites(func(r fleetview.Row) bool { return workable(r.Link) && keep(r) && a.Policies.Has(r.Site, name) })
	slices.SortFunc(rows, func(x, y fleetview.Row) int { return compareIDs(x.Site.ID, y.Site.ID) })
	return rows
}

func (a *API) policyView(n policy.NamedPiece, sees func(fleet.SiteID) bool) policyView {
	v := policyView{ID: n.Name, Piece: n.Piece, Version: versionOf(n.Document)}
	v.Assigned = len(a.assigned(n.Name, func(r fleetview.Row) bool { return sees(r.Site.ID) }))
	if v.Documents == nil {
		v.Documents = []policy.Wanted{}
	}
	return v
}

func everySite(fleet.SiteID) bool { return true }

func (a *API) onePolicy(name string) (*policyOutput, error) {
	n, err := a.Policies.Piece(name)
	if err != nil {
		return nil, err
	}
	v := a.policyView(n, everySite)
	return &policyOutput{ETag: v.ETag, Location: "/api/v1/policies/" + name, Body: v}, nil
}

func (a *API) putPolicy(ctx context.Context, name string, p policy.Piece, version uint64) (*policyOutput, error) {
	if err := a.Policies.PutPiece(ctx, actor(ctx), name, p, version); err != nil {
		return nil, err
	}
	return a.onePolicy(name)
}

func (a *API) listPolicies(ctx context.Context, in *rest.PageInput) (*struct{ Body rest.Page[policyView] }, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []policyView
	for _, n := range a.Policies.Pieces() {
		if n.Name > after && len(rows) <= in.Limit {
			rows = append(rows, a.policyView(n, a.sees(ctx)))
		}
	}
	return &struct{ Body rest.Page[policyView] }{rest.PageOf(rows, in.Limit, func(v policyView) any { return v.ID })}, nil
}

func (a *API) templateView(n policy.NamedTemplate) templateView {
	v := templateView{ID: n.Name, Template: n.Template, Version: versionOf(n.Document)}
	v.Sites = len(a.Fleet.Sites(func(r fleetview.Row) bool { return r.Site.Settings.Template == n.Name }))
	if v.Settings.Tags == nil {
		v.Settings.Tags = []string{}
	}
	return v
}

func (a *API) oneTemplate(name string) (*templateOutput, error) {
	n, err := a.Policies.Template(name)
	if err != nil {
		return nil, err
	}
	v := a.templateView(n)
	return &templateOutput{ETag: v.ETag, Location: "/api/v1/templates/" + name, Body: v}, nil
}

func (a *API) putTemplate(ctx context.Context, name string, t policy.Template, version uint64) (*templateOutput, error) {
	var err error
	if t.Settings, err = a.settings(t.Settings); err == nil {
		err = a.Policies.PutTemplate(ctx, actor(ctx), name, t, version)
	}
	if err != nil {
		return nil, err
	}
	return a.oneTemplate(name)
}

func (a *API) listTemplates(_ context.Context, in *rest.PageInput) (*struct{ Body rest.Page[templateView] }, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []templateView
	for _, n := range a.Policies.Templates() {
		if n.Name > after && len(rows) <= in.Limit {
			rows = append(rows, a.templateView(n))
		}
	}
	return &struct{ Body rest.Page[templateView] }{rest.PageOf(rows, in.Limit, func(v templateView) any { return v.ID })}, nil
}

func driftOf(r fleetview.Row, d policy.SiteDrift) driftView {
	v := driftView{
		SiteID: r.Site.ID, SiteName: r.Site.Name, LinkState: r.Link, DataAsOf: optional(r.Contact.DataAsOf), Standing: d.Standing,
		Wanted: d.Wanted, Applied: d.Applied.Version, Detail: d.Applied.Detail, Overrides: d.Applied.Overrides,
	}
	if v.Overrides == nil {
		v.Overrides = []string{}
	}
	return v
}

func (a *API) policySites(ctx context.Context, in *struct {
	NamePath
	rest.PageInput
	Standing string `query:"standing" enum:"in_sync,pending,refused,overridden,differs" doc:"Only those that stand so."`
}) (*struct{ Body rest.Page[driftView] }, error) {
	after, err := rest.DecodeCursor[fleet.SiteID](in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, err := a.Policies.Piece(in.Name); err != nil {
		return nil, err
	}
	sees := a.sees(ctx)
	var rows []driftView
	for _, r := range a.assigned(in.Name, func(r fleetview.Row) bool { return r.Site.ID > after && sees(r.Site.ID) }) {
		var d policy.SiteDrift
		err := a.Store.ViewSite(ctx, r.Site.ID, func(v store.SiteView) (err error) {
			d, err = a.Policies.Drift(v, false)
			return err
		})
		if err != nil {
			return nil, err
		}
		if in.Standing == "" || string(d.Standing) == in.Standing {
			rows = append(rows, driftOf(r, d))
		}
		if len(rows) > in.Limit {
			break
		}
	}
	return &struct{ Body rest.Page[driftView] }{rest.PageOf(rows, in.Limit, func(v driftView) any { return v.SiteID })}, nil
}

func (a *API) sitePolicy(ctx context.Context, in *SitePath) (*struct{ Body sitePolicyView }, error) {
	id, err := in.site()
	if err != nil {
		return nil, err
	}
	r, err := a.Fleet.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	out := sitePolicyView{Documents: []driftDocument{}}
	err = a.Store.ViewSite(ctx, id, func(v store.SiteView) error {
		d, err := a.Policies.Drift(v, true)
		if err != nil {
			return err
		}
		out.DriftView, out.AppliedAt = driftOf(r, d), optional(d.Applied.At)
		for _, one := range d.Documents {
			shown := driftDocument{
				Document: one.String(), Kind: string(one.Kind), Name: one.Name, Standing: one.Standing, PolicyID: one.Piece, Hides: one.Hides, Wanted: one.Wanted,
			}
			if b := one.Board; b != nil {
				shown.Board, shown.BoardVersion, shown.BoardAt = b.Body, b.Version, optional(b.UpdatedAt)
			}
			out.Documents = append(out.Documents, shown)
		}
		return nil
	})
	return &struct{ Body sitePolicyView }{out}, err
}

func (a *API) decideOverride(
	ctx context.Context, in *DocumentInput, decide func(context.Context, fleet.Actor, fleet.SiteID, fleet.DocumentName) error,
) (*struct{ Body sitePolicyView }, error) {
	id, err := in.site()
	if err != nil {
		return nil, err
	}
	n, err := fleet.ParseDocumentName(in.Body.Document)
	if err != nil {
		return nil, err
	}
	if err := decide(ctx, actor(ctx), id, n); err != nil {
		return nil, err
	}
	return a.sitePolicy(ctx, &in.SitePath)
}
