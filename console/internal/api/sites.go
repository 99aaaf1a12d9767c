package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

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
	SiteID    fleet.SiteID `json:"site_id"`
	Name      string       `json:"name"`
	CreatedAt time.Time    `json:"created_at"`
	// Settings are what people say of it.
	store.SiteSettings
	ETag        string              `json:"etag"`
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
	OpenAlerts    int               `json:"open_alerts"`
	BytesToday    uint64            `json:"bytes_today" doc:"What has passed the link's sockets since midnight in UTC."`
	PlannedUntil  *time.Time        `json:"planned_until,omitempty" doc:"The site is expected to be away until then."`
	Attention     int               `json:"attention" doc:"How much the site needs somebody; 0 for nobody."`
	Reasons       []string          `json:"attention_reasons" nullable:"false"`
}

// backlogOf is nil when the hub has not said what it holds.
func backlogOf(r fleetview.Row) *siteBacklog {
	if r.Contact.Heads == nil {
		return nil
	}
	b := r.Backlog
	return &siteBacklog{b[fleet.LaneRequests], b[fleet.LaneCommands], b[fleet.LaneState], b[fleet.LaneRegistry]}
}

func siteOf(r fleetview.Row) siteView {
	v := siteView{
		SiteID: r.Site.ID, Name: r.Site.Name, CreatedAt: r.Site.CreatedAt, LinkState: r.Link, LinkSince: r.LinkSince,
		LastContact: optional(r.Contact.At), DataAsOf: optional(r.Contact.DataAsOf), HubID: r.Site.Hub,
		HubVersion: r.Contact.Version, HubTime: optional(r.Contact.HubTime), ClockTrusted: r.Contact.ClockTrusted,
		Verdict: r.Contact.Verdict, Epoch: r.Epoch, OrdersPending: r.Counts.OrdersPending, DeadLetters: r.Counts.DeadLetters, AuditForks: r.Counts.AuditForks,
		Requests:  siteRequestCounts{r.Counts.Open, r.Counts.Accepted, r.Counts.Emergency},
		Attention: r.Attention, Reasons: r.Reasons, SiteSettings: r.Site.Settings, ETag: rest.ETag(r.Site.Version),
		OpenAlerts: r.Alerts, BytesToday: r.BytesToday, PlannedUntil: optional(r.PlannedUntil),
	}
	if v.HubTime != nil {
		v.ClockOffsetMS = r.Contact.Offset.Milliseconds()
	}
	v.Backlog = backlogOf(r)
	d := r.Counts.Devices
	v.Counts = siteDeviceCounts{Devices: r.Counts.AllDevices(), Ready: d[fleet.Ready], Late: d[fleet.Late], Lost: d[fleet.Lost]}
	if v.Tags == nil {
		v.Tags = []string{}
	}
	v.Counts.Other = v.Counts.Devices - v.Counts.Ready - v.Counts.Late - v.Counts.Lost
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	return v
}

type siteOutput struct {
	Location string `header:"Location"`
	Body     siteView
}

type claimOutput struct {
	Body identity.Claim
}

// siteGrammar is the filter of sites in a few words.
const siteGrammar = "link:offline attention:>0 lost:>0 open:>0 orders:>0 backlog:>100 alerts:>0 version:1.* name:*aurelia* tag:charter -tag:demo word."

func (a *API) siteRoutes() {
	tags := []string{"sites"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-sites", Method: http.MethodGet, Path: "/api/v1/sites", Permission: account.SitesRead,
		Summary: "Sites, those that need somebody first", Tags: tags,
		Description: "filter: " + siteGrammar,
	}, a.listSites)
	a.rest.Raw(rest.Route{
		OperationID: "export-sites", Method: http.MethodGet, Path: "/api/v1/sites/export", Permission: account.SitesRead,
		Summary: "All sites that match a filter, as CSV or NDJSON", Tags: tags, Produces: rest.MediaCSV, AlsoProduces: []string{rest.MediaNDJSON}, Slow: true,
		Params: map[string]string{"filter": siteGrammar, "format": "csv (if absent) or ndjson"},
	}, a.exportSites)
	rest.Register(a.rest, rest.Route{
		OperationID: "change-site", Method: http.MethodPut, Path: "/api/v1/sites/{id}", Permission: account.SitesWrite, Site: "id",
		IfMatch: true, Summary: "Change what people say of a site: name, tags, zone, link profile, position", Tags: tags,
	}, a.changeSite)
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
	q, err := filter.Parse(in.Filter, fleetview.SiteFields())
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
	rows := a.Fleet.First(in.Limit+1, func(r fleetview.Row) bool {
		if in.Cursor != "" && (r.Attention > after.Attention || r.Attention == after.Attention && r.Site.ID <= after.ID) {
			return false
		}
		return sees(r.Site.ID) && q.Match(r.Field)
	})
	var items []siteView
	for _, r := range rows {
		items = append(items, siteOf(r))
	}
	page := rest.PageOf(items, in.Limit, func(v siteView) any { return position{v.Attention, v.SiteID} })
	return &struct{ Body rest.Page[siteView] }{page}, nil
}

func (a *API) addSite(ctx context.Context, in *struct {
	Body struct {
		SiteID string `json:"site_id" maxLength:"64" doc:"1 to 64 of A-Z a-z 0-9 . _ -; it cannot be changed."`
		Name   string `json:"name,omitempty" maxLength:"128" doc:"What people read; the id if absent."`
		store.SiteSettings
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
	if s.Settings, err = a.newSettings(in.Body.SiteSettings); err != nil {
		return nil, err
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

// newSettings are those of a new site: what was said, and for the rest what its
// template says. fleet.ErrInvalid.
func (a *API) newSettings(s store.SiteSettings) (store.SiteSettings, error) {
	if s.Template != "" {
		t, err := a.Policies.Template(s.Template)
		if err != nil {
			return s, fmt.Errorf("%w: there is no template %q", fleet.ErrInvalid, s.Template)
		}
		from := t.Template.Settings
		for _, tag := range from.Tags {
			if !slices.Contains(s.Tags, tag) {
				s.Tags = append(s.Tags, tag)
			}
		}
		s.Zone, s.Link = cmp.Or(s.Zone, from.Zone), cmp.Or(s.Link, from.Link)
		s.BytesPerDay, s.AwayMinutes = cmp.Or(s.BytesPerDay, from.BytesPerDay), cmp.Or(s.AwayMinutes, from.AwayMinutes)
	}
	return a.settings(s)
}

// settings are s as they are stored; fleet.ErrInvalid.
func (a *API) settings(s store.SiteSettings) (store.SiteSettings, error) {
	if s.Position != nil && s.Position.At.IsZero() {
		p := *s.Position
		p.At = a.now()
		s.Position = &p
	}
	if len(s.Tags) == 0 {
		s.Tags = nil
	}
	return s, s.Check()
}

func (a *API) changeSite(ctx context.Context, in *struct {
	SitePath
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"128"`
		store.SiteSettings
	} `nameHint:"SiteChange"`
}) (*siteOutput, error) {
	id, err := in.site()
	if err != nil {
		return nil, err
	}
	settings, err := a.settings(in.Body.SiteSettings)
	if err != nil {
		return nil, err
	}
	now, err := a.Store.Site(ctx, id)
	if err == nil {
		err = rest.CheckMatch(ctx, now.Version)
	}
	if err == nil {
		_, err = a.Store.PutSite(ctx, actor(ctx), id, in.Body.Name, settings, now.Version)
	}
	if err != nil {
		return nil, err
	}
	return a.oneSite(ctx, in.SitePath)
}

func (a *API) exportSites(c *gin.Context) {
	ctx := c.Request.Context()
	q, err := filter.Parse(c.Query("filter"), fleetview.SiteFields())
	format := map[string]string{"": rest.MediaCSV, "csv": rest.MediaCSV, "ndjson": rest.MediaNDJSON}[c.Query("format")]
	if err == nil && format == "" {
		err = fmt.Errorf("%w: format %q: want csv or ndjson", fleet.ErrInvalid, c.Query("format"))
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	sees := a.sees(ctx)
	rows := a.Fleet.Sites(func(r fleetview.Row) bool { return sees(r.Site.ID) && q.Match(r.Field) })
	d := rest.NewDownload(c, "sites", format, []string{
		"site_id", "name", "tags", "zone", "link_state", "link_since", "last_contact", "data_as_of", "hub_version", "backlog", "devices", "ready", "late", "lost",
		"requests_open", "orders_pending", "open_alerts", "dead_letters", "bytes_today", "attention", "reasons",
	})
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(rest.Timestamp)
	}
	for _, r := range rows {
		backlog := ""
		if r.Contact.Heads != nil {
			backlog = strconv.FormatUint(r.Waiting(), 10)
		}
		n := func(p fleet.Presence) string { return strconv.Itoa(r.Counts.Devices[p]) }
		err = d.Row(siteOf(r), []string{
			string(r.Site.ID), rest.Cell(r.Site.Name), rest.Cell(strings.Join(r.Site.Settings.Tags, " ")), r.Site.Settings.Zone, string(r.Link), at(r.LinkSince),
			at(r.Contact.At), at(r.Contact.DataAsOf), rest.Cell(r.Contact.Version), backlog, strconv.Itoa(r.Counts.AllDevices()), n(fleet.Ready), n(fleet.Late), n(fleet.Lost),
			strconv.Itoa(r.Counts.Open), strconv.Itoa(r.Counts.OrdersPending), strconv.Itoa(r.Alerts), strconv.Itoa(r.Counts.DeadLetters),
			strconv.FormatUint(r.BytesToday, 10), strconv.Itoa(r.Attention), strings.Join(r.Reasons, "; "),
		})
		if err != nil {
			break
		}
	}
	if err == nil {
		err = d.End()
	}
	if err != nil {
		a.rest.BreakOff(c, slog.LevelDebug, "export of sites ended early", err)
	}
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
