package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/console/internal/alert"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// fleetAlert is an alert as it is known ashore.
type fleetAlert struct {
	SiteID   fleet.SiteID `json:"site_id"`
	SiteName string       `json:"site_name"`
	resource.Alert
	Origin    store.AlertOrigin `json:"origin" enum:"hub,console" doc:"Who has found the condition."`
	ArrivedAt time.Time         `json:"arrived_at" doc:"When the console learnt of this occurrence; since is when it happened."`
	SeenAt    *time.Time        `json:"seen_at,omitempty" doc:"When somebody ashore has acknowledged it."`
	SeenBy    *resource.Actor   `json:"seen_by,omitempty"`
	Open      bool              `json:"open" doc:"Its condition holds, or nobody ashore has seen that it was there."`
}

// SiteAlertPath is the path of one alert.
type SiteAlertPath struct {
	SitePath
	AlertID string `path:"alert_id" maxLength:"36"`
}

type alertOutput struct {
	Body fleetAlert
}

type alertsOutput struct {
	Body rest.Page[fleetAlert]
}

func (a *API) alertRoutes() {
	tags := []string{"alerts"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/api/v1/alerts", Permission: account.AlertsRead,
		Summary: "Alerts of all sites", Tags: tags,
		Description: "With open=true (if absent): those that hold and those that nobody ashore has seen, the worst first. With open=false: all, by arrival, newest first.",
	}, a.listAlerts)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-site-alerts", Method: http.MethodGet, Path: "/api/v1/sites/{id}/alerts", Permission: account.AlertsRead, Site: "id",
		Summary: "Alerts of a site, newest first", Tags: tags,
	}, a.siteAlerts)
	rest.Register(a.rest, rest.Route{
		OperationID: "acknowledge-site-alert", Method: http.MethodPost, Path: "/api/v1/sites/{id}/alerts/{alert_id}/acknowledge",
		Permission: account.AlertsAck, Site: "id", Summary: "Say that somebody ashore has seen an alert", Tags: tags,
		Description: "On board it stays what the crew has made of it. Said twice it is true already.",
	}, func(ctx context.Context, in *SiteAlertPath) (*alertOutput, error) {
		site, err := in.site()
		if err != nil {
			return nil, err
		}
		id, err := fleet.ParseUUID[fleet.AlertID]("alert_id", in.AlertID)
		if err != nil {
			return nil, err
		}
		v, err := a.Alerts.Acknowledge(ctx, actor(ctx), site, id)
		if err != nil {
			return nil, err
		}
		return &alertOutput{a.fleetAlert(v)}, nil
	})
	a.windowRoutes()
}

func (a *API) fleetAlert(v store.Alert) fleetAlert {
	out := fleetAlert{
		SiteID: v.Site, SiteName: string(v.Site), Alert: resource.AlertOf(v.Alert), Origin: v.Origin, ArrivedAt: v.ArrivedAt,
		SeenAt: optional(v.SeenAt), Open: v.Open(),
	}
	if r, ok := a.Fleet.Known(v.Site); ok {
		out.SiteName = r.Site.Name
	}
	if v.SeenBy != nil {
		by := resource.ActorOf(*v.SeenBy)
		out.SeenBy = &by
	}
	if v.Origin == store.AlertFromConsole {
		out.Title, out.Action = alert.Words(v.Kind)
	}
	if v.Room != "" {
		out.RoomName = string(v.Room)
	}
	return out
}

// alertMatch reads what is asked for of alerts.
func alertMatch(severity, kind, site string) (func(store.Alert) bool, error) {
	var severities []fleet.AlertSeverity
	for word := range strings.SplitSeq(severity, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		s, err := fleet.ParseAlertSeverity(word)
		if err != nil {
			return nil, err
		}
		severities = append(severities, s)
	}
	return func(v store.Alert) bool {
		return (len(severities) == 0 || slices.Contains(severities, v.Severity)) && (kind == "" || string(v.Kind) == kind) &&
			(site == "" || string(v.Site) == site)
	}, nil
}

func (a *API) listAlerts(ctx context.Context, in *struct {
	rest.PageInput
	Open     bool   `query:"open" default:"true"`
	Severity string `query:"severity" maxLength:"50" doc:"Severities, separated by commas."`
	Kind     string `query:"kind" maxLength:"64"`
	Site     string `query:"site" maxLength:"64"`
}) (*alertsOutput, error) {
	match, err := alertMatch(in.Severity, in.Kind, in.Site)
	if err != nil {
		return nil, err
	}
	at, err := rest.DecodeCursor[store.AlertRef](in.Cursor)
	if err != nil {
		return nil, err
	}
	sees := a.sees(ctx)
	wanted := func(v store.Alert) bool { return sees(v.Site) && match(v) }
	var rows []store.Alert
	if in.Open {
		rows = a.Alerts.Open(wanted)
		if i := slices.IndexFunc(rows, func(v store.Alert) bool { return v.ID == at.ID && v.Site == at.Site }); i >= 0 {
			rows = rows[i+1:]
		}
		rows = rows[:min(len(rows), in.Limit+1)]
	} else {
		looked := 0
		var last store.AlertRef
		err = a.Store.AlertsBefore(ctx, at, func(v store.Alert) bool {
			if wanted(v) {
				rows = append(rows, v)
			}
			looked++
			last = v.ArrivalRef()
			return len(rows) <= in.Limit && looked < a.ScanMost
		})
		if err == nil && looked == a.ScanMost && len(rows) <= in.Limit {
			page := rest.PageOf(a.shownAlerts(rows), in.Limit, func(fleetAlert) any { return nil })
			next := rest.EncodeCursor(last)
			page.NextCursor = &next
			return &alertsOutput{page}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	page := rest.PageOf(rows, in.Limit, func(v store.Alert) any { return v.ArrivalRef() })
	return &alertsOutput{rest.Page[fleetAlert]{Items: a.shownAlerts(page.Items), NextCursor: page.NextCursor}}, nil
}

func (a *API) shownAlerts(all []store.Alert) []fleetAlert {
	out := make([]fleetAlert, len(all))
	for i, v := range all {
		out[i] = a.fleetAlert(v)
	}
	return out
}

func (a *API) siteAlerts(ctx context.Context, in *struct {
	SitePath
	rest.PageInput
	Open bool `query:"open" doc:"Only those that are open."`
}) (*alertsOutput, error) {
	before, err := rest.DecodeCursor[fleet.AlertID](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []store.Alert
	err = a.view(ctx, in.SitePath, func(_ fleet.SiteID, v store.SiteView) error {
		return v.Alerts(before, func(one store.Alert) bool {
			if !in.Open || one.Open() {
				rows = append(rows, one)
			}
			return len(rows) <= in.Limit
		})
	})
	if err != nil {
		return nil, err
	}
	page := rest.PageOf(rows, in.Limit, func(v store.Alert) any { return v.ID })
	return &alertsOutput{rest.Page[fleetAlert]{Items: a.shownAlerts(page.Items), NextCursor: page.NextCursor}}, nil
}

// windowView is a time in which sites are expected to be away.
type windowView struct {
	ID string `json:"window_id"`
	alert.Window
	Active    bool           `json:"active" doc:"It is now."`
	UpdatedAt time.Time      `json:"updated_at"`
	UpdatedBy resource.Actor `json:"updated_by"`
	ETag      string         `json:"etag"`
}

type windowOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     windowView
}

func (a *API) windowRoutes() {
	tags := []string{"alerts"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-offline-windows", Method: http.MethodGet, Path: "/api/v1/offline-windows", Permission: account.AlertsRead,
		Summary: "Times in which sites are expected to be away", Tags: tags,
	}, a.listWindows)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-offline-window", Method: http.MethodPost, Path: "/api/v1/offline-windows", Permission: account.AlertsAck,
		Status: http.StatusCreated, Idempotent: true, Summary: "Say that sites are expected to be away", Tags: tags,
		Description: "In that time their being offline is no alert.",
	}, func(ctx context.Context, in *struct {
		Body alert.Window `nameHint:"OfflineWindow"`
	}) (*windowOutput, error) {
		return a.putWindow(ctx, fleet.NewUUID[string](a.now()), in.Body, 0)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "change-offline-window", Method: http.MethodPut, Path: "/api/v1/offline-windows/{id}", Permission: account.AlertsAck,
		IfMatch: true, Summary: "Change such a time", Tags: tags,
	}, func(ctx context.Context, in *struct {
		NamePath
		Body alert.Window `nameHint:"OfflineWindow"`
	}) (*windowOutput, error) {
		d, err := a.ownWindow(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		return a.putWindow(ctx, in.Name, in.Body, d.Version)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-offline-window", Method: http.MethodDelete, Path: "/api/v1/offline-windows/{id}", Permission: account.AlertsAck,
		IfMatch: true, Summary: "Forget such a time", Tags: tags,
	}, func(ctx context.Context, in *NamePath) (*struct{}, error) {
		d, err := a.ownWindow(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		if _, err := a.Store.PutDocument(ctx, actor(ctx), store.Document{Kind: store.DocumentWindow, Name: in.Name, Removed: true}, d.Version); err != nil {
			return nil, err
		}
		return nil, a.Windows.Reload(ctx)
	})
}

// mayWindow reports as fleet.ErrNotFound or fleet.ErrForbidden a window over
// sites that the subject does not see.
func (a *API) mayWindow(ctx context.Context, w alert.Window) error {
	sees := a.sees(ctx)
	for _, id := range w.Sites {
		if !sees(id) {
			return fmt.Errorf("%w: site %s", fleet.ErrNotFound, id)
		}
	}
	if w.Tag == "" {
		return nil
	}
	others := a.Fleet.Sites(func(r fleetview.Row) bool { return slices.Contains(r.Site.Settings.Tags, w.Tag) && !sees(r.Site.ID) })
	if len(others) > 0 {
		return fmt.Errorf("%w: sites of others have the tag too: name yours", fleet.ErrForbidden)
	}
	return nil
}

func (a *API) ownWindow(ctx context.Context, id string) (store.Document, error) {
	d, w, err := readDocument[alert.Window](ctx, a, store.DocumentWindow, id)
	if err == nil {
		err = a.mayWindow(ctx, w)
	}
	if err == nil {
		err = rest.CheckMatch(ctx, d.Version)
	}
	return d, err
}

func (a *API) putWindow(ctx context.Context, id string, w alert.Window, version uint64) (*windowOutput, error) {
	err := w.Check()
	if err == nil {
		err = a.mayWindow(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	w.From, w.To = fleet.Millis(w.From), fleet.Millis(w.To)
	d, err := a.putDocument(ctx, store.DocumentWindow, id, w, version)
	if err == nil {
		err = a.Windows.Reload(ctx)
	}
	if err != nil {
		return nil, err
	}
	v := a.windowView(d, w)
	return &windowOutput{ETag: v.ETag, Location: "/api/v1/offline-windows/" + id, Body: v}, nil
}

func (a *API) windowView(d store.Document, w alert.Window) windowView {
	now := a.now()
	if w.Sites == nil {
		w.Sites = []fleet.SiteID{}
	}
	return windowView{
		ID: d.Name, Window: w, Active: !now.Before(w.From) && now.Before(w.To), UpdatedAt: d.UpdatedAt,
		UpdatedBy: resource.ActorOf(d.UpdatedBy), ETag: rest.ETag(d.Version),
	}
}

func (a *API) listWindows(ctx context.Context, in *struct {
	rest.PageInput
	Site string `query:"site" maxLength:"64" doc:"Only those for this site."`
}) (*struct{ Body rest.Page[windowView] }, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	sees := a.sees(ctx)
	var tagsOf []string
	if r, ok := a.Fleet.Known(fleet.SiteID(in.Site)); ok {
		tagsOf = r.Site.Settings.Tags
	}
	rows, err := eachDocument(ctx, a, store.DocumentWindow, after, in.Limit+1, func(d store.Document, w alert.Window) (windowView, bool) {
		seen := w.Tag != "" || slices.ContainsFunc(w.Sites, sees)
		about := in.Site == "" || slices.Contains(w.Sites, fleet.SiteID(in.Site)) || w.Tag != "" && slices.Contains(tagsOf, w.Tag)
		w.Sites = slices.DeleteFunc(w.Sites, func(id fleet.SiteID) bool { return !sees(id) })
		return a.windowView(d, w), seen && about
	})
	return &struct{ Body rest.Page[windowView] }{rest.PageOf(rows, in.Limit, func(v windowView) any { return v.ID })}, err
}
