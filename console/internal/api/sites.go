package api

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// siteBacklog is what the hub is known to hold more than the console.
type siteBacklog struct {
	Requests uint64 `json:"requests"`
	Commands uint64 `json:"commands"`
	State    uint64 `json:"state" doc:"Changes of device states; one device may have many."`
	Registry uint64 `json:"registry"`
}

type siteDeviceCounts struct {
	Devices int `json:"devices"`
	Ready   int `json:"ready"`
	Late    int `json:"late"`
	Lost    int `json:"lost"`
	Other   int `json:"other" doc:"sleeping, disconnected, never_seen, retired"`
}

type siteRequestCounts struct {
	Open      int `json:"open"`
	Accepted  int `json:"accepted"`
	Emergency int `json:"emergency" doc:"Open ones of that priority."`
}

// siteView is a site as managers see it.
type siteView struct {
	SiteID      fleet.SiteID        `json:"site_id"`
	Name        string              `json:"name"`
	CreatedAt   time.Time           `json:"created_at"`
	LinkState   fleetview.LinkState `json:"link_state" enum:"online,late,offline,stalled,never_connected,revoked,retired"`
	LinkSince   time.Time           `json:"link_since"`
	LastContact *time.Time          `json:"last_contact,omitempty"`
	DataAsOf    *time.Time          `json:"data_as_of,omitempty" doc:"How new the newest data is that the console holds; never merged with link_state."`
	HubID       fleet.HubID         `json:"hub_id,omitempty"`
	HubVersion  string              `json:"hub_version,omitempty"`
	HubTime     *time.Time          `json:"hub_time,omitempty" doc:"The hub's clock at its last Hello."`
	// ClockOffsetMS is only told with HubTime.
	ClockOffsetMS int64             `json:"clock_offset_ms,omitempty" doc:"How far the console's clock was ahead of the hub's then."`
	ClockTrusted  bool              `json:"clock_trusted"`
	Verdict       string            `json:"verdict,omitempty" doc:"On the last Hello: ok, ahead, behind, diverged, fenced."`
	Epoch         fleet.Epoch       `json:"epoch,omitempty"`
	Backlog       *siteBacklog      `json:"backlog,omitempty"`
	Counts        siteDeviceCounts  `json:"counts"`
	Requests      siteRequestCounts `json:"requests"`
	OrdersPending int               `json:"orders_pending"`
	DeadLetters   int               `json:"dead_letters"`
	AuditForks    int               `json:"audit_forks,omitempty" doc:"Records that told of a second history of the hub's audit; somebody has rewritten it, or two hubs speak for the site."`
	Attention     int               `json:"attention" doc:"How much the site needs somebody; 0 for nobody."`
	Reasons       []string          `json:"attention_reasons" nullable:"false"`
}

func siteOf(r fleetview.Row) siteView {
	v := siteView{
		SiteID: r.Site.ID, Name: r.Site.Name, CreatedAt: r.Site.CreatedAt, LinkState: r.Link, LinkSince: r.LinkSince,
		LastContact: optional(r.Contact.At), DataAsOf: optional(r.Contact.DataAsOf), HubID: r.Site.Hub,
		HubVersion: r.Contact.Version, HubTime: optional(r.Contact.HubTime), ClockTrusted: r.Contact.ClockTrusted,
		Verdict: r.Contact.Verdict, Epoch: r.Epoch, OrdersPending: r.Counts.OrdersPending, DeadLetters: r.Counts.DeadLetters, AuditForks: r.Counts.AuditForks,
		Requests:  siteRequestCounts{r.Counts.Open, r.Counts.Accepted, r.Counts.Emergency},
		Attention: r.Attention, Reasons: r.Reasons,
	}
	if v.HubTime != nil {
		v.ClockOffsetMS = r.Contact.Offset.Milliseconds()
	}
	if r.Contact.Heads != nil {
		b := r.Backlog
		v.Backlog = &siteBacklog{b[fleet.LaneRequests], b[fleet.LaneCommands], b[fleet.LaneState], b[fleet.LaneRegistry]}
	}
	d := r.Counts.Devices
	v.Counts = siteDeviceCounts{Devices: r.Counts.AllDevices(), Ready: d[fleet.Ready], Late: d[fleet.Late], Lost: d[fleet.Lost]}
	v.Counts.Other = v.Counts.Devices - v.Counts.Ready - v.Counts.Late - v.Counts.Lost
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	return v
}

// siteFields are what a filter of sites may name.
var siteFields = filter.Fields{
	"site": filter.Text, "state": filter.Text, "hub": filter.Text, "version": filter.Text,
	"attention": filter.Number, "devices": filter.Number, "lost": filter.Number, "open": filter.Number, "pending": filter.Number,
}

func siteField(r fleetview.Row) func(string) []string {
	number := func(n int) []string { return []string{strconv.Itoa(n)} }
	return func(name string) []string {
		switch name {
		case "":
			return []string{string(r.Site.ID), r.Site.Name}
		case "site":
			return []string{string(r.Site.ID)}
		case "state":
			return []string{string(r.Link)}
		case "hub":
			return []string{string(r.Site.Hub)}
		case "version":
			return []string{r.Contact.Version}
		case "attention":
			return number(r.Attention)
		case "devices":
			return number(r.Counts.AllDevices())
		case "lost":
			return number(r.Counts.Devices[fleet.Lost])
		case "open":
			return number(r.Counts.Open)
		case "pending":
			return number(r.Counts.OrdersPending)
		}
		return nil
	}
}

type siteOutput struct {
	Location string `header:"Location"`
	Body     siteView
}

type claimOutput struct {
	Body identity.Claim
}

func (a *API) siteRoutes() {
	tags := []string{"sites"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-sites", Method: http.MethodGet, Path: "/api/v1/sites", Permission: account.SitesRead,
		Summary: "Sites, those that need somebody first", Tags: tags,
		Description: "filter: state:offline attention:>0 lost:>0 open:>0 pending:>0 version:1.* word.",
	}, a.listSites)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-site", Method: http.MethodPost, Path: "/api/v1/sites", Permission: account.SitesWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Register a site", Tags: tags,
	}, a.addSite)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-site", Method: http.MethodGet, Path: "/api/v1/sites/{id}", Permission: account.SitesRead, Site: "id",
		Summary: "One site", Tags: tags,
	}, func(ctx context.Context, in *SitePath) (*siteOutput, error) { return a.oneSite(ctx, *in) })
	rest.Register(a.rest, rest.Route{
		OperationID: "revoke-site", Method: http.MethodDelete, Path: "/api/v1/sites/{id}", Permission: account.SitesWrite, Site: "id",
		Summary: "Revoke a site: its hub and its claims are shut out at once", Tags: tags,
		Description: "What the console knows of the site stays.",
	}, a.revokeSite)
	rest.Register(a.rest, rest.Route{
		// Not idempotent: the answer has a secret, which is kept nowhere.
		OperationID: "claim-site", Method: http.MethodPost, Path: "/api/v1/sites/{id}/claim", Permission: account.ProvisionWrite, Site: "id",
		Summary: "Make a claim: the file with which a hub enrols, once", Tags: tags,
		Description: "The hub that enrols takes the place of the site's hub, which is revoked then.",
	}, a.claimSite)
}

func (a *API) listSites(ctx context.Context, in *struct {
	rest.PageInput
	Filter string `query:"filter" maxLength:"500"`
}) (*struct{ Body rest.Page[siteView] }, error) {
	q, err := filter.Parse(in.Filter, siteFields)
	if err != nil {
		return nil, err
	}
	type position struct {
		Attention int          `json:"a"`
		ID        fleet.SiteID `json:"s"`
	}
	after, err := rest.DecodeCursor[position](in.Cursor)
	if err != nil {
		return nil, err
	}
	sees := a.sees(ctx)
	rows := a.Fleet.Sites(func(r fleetview.Row) bool {
		if in.Cursor != "" && (r.Attention > after.Attention || r.Attention == after.Attention && r.Site.ID <= after.ID) {
			return false
		}
		return sees(r.Site.ID) && q.Match(siteField(r))
	})
	var items []siteView
	for _, r := range rows[:min(len(rows), in.Limit+1)] {
		items = append(items, siteOf(r))
	}
	page := rest.PageOf(items, in.Limit, func(v siteView) any { return position{v.Attention, v.SiteID} })
	return &struct{ Body rest.Page[siteView] }{page}, nil
}

func (a *API) addSite(ctx context.Context, in *struct {
	Body struct {
		SiteID string `json:"site_id" maxLength:"64" doc:"1 to 64 of A-Z a-z 0-9 . _ -; it cannot be changed."`
		Name   string `json:"name,omitempty" maxLength:"128" doc:"What people read; the id if absent."`
	} `nameHint:"NewSite"`
}) (*siteOutput, error) {
	id, err := fleet.ParseSiteID(in.Body.SiteID)
	if err != nil {
		return nil, err
	}
	s := store.Site{ID: id, Name: in.Body.Name, CreatedAt: a.now()}
	if s.Name == "" {
		s.Name = string(id)
	}
	if err := a.Store.AddSite(ctx, actor(ctx), s, a.MaxSites); err != nil {
		return nil, err
	}
	a.Link.Changed(id)
	out, err := a.oneSite(ctx, SitePath{string(id)})
	if err == nil {
		out.Location = "/api/v1/sites/" + string(id)
	}
	return out, err
}

func (a *API) oneSite(ctx context.Context, p SitePath) (*siteOutput, error) {
	id, err := p.site()
	if err != nil {
		return nil, err
	}
	r, err := a.Fleet.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	return &siteOutput{Body: siteOf(r)}, nil
}

func (a *API) revokeSite(ctx context.Context, in *SitePath) (*struct{}, error) {
	id, err := in.site()
	if err != nil {
		return nil, err
	}
	s, err := a.Store.RevokeSite(ctx, actor(ctx), id, a.now())
	if err != nil {
		return nil, err
	}
	a.Link.End(id, s.Hub)
	a.Logger.Info("site revoked", "site", id, "hub", s.Hub, "by", actor(ctx).ID)
	_, err = a.Fleet.Refresh(ctx, id)
	return nil, err
}

func (a *API) claimSite(ctx context.Context, in *struct {
	SitePath
	URL string `query:"url" maxLength:"300" doc:"Where the hub finds the hub link, https://host:port; the console's own setting if absent."`
}) (*claimOutput, error) {
	id, err := in.site()
	if err != nil {
		return nil, err
	}
	url := in.URL
	if url == "" {
		url, err = a.LinkURL(ctx)
	} else {
		_, err = identity.ParseLinkURL(url)
	}
	if err != nil {
		return nil, err
	}
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	secret := base64.RawURLEncoding.EncodeToString(b[:])
	c := store.Claim{
		Hash: account.HashSecret(secret), Site: id, By: actor(ctx), CreatedAt: a.now(), ExpiresAt: a.now().Add(a.ClaimTTL),
	}
	if err := a.Store.AddClaim(ctx, c); err != nil {
		return nil, fmt.Errorf("make a claim: %w", err)
	}
	a.Logger.Info("claim made", "site", id, "expires_at", c.ExpiresAt, "by", c.By.ID)
	return &claimOutput{identity.Claim{
		Version: 1, Site: id, URL: url, Secret: secret, FleetRoot: a.FleetRoot, ExpiresAt: c.ExpiresAt,
	}}, nil
}
