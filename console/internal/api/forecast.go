package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/obedio/obedio/console/internal/alert"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/rest"
)

// endingView is a certificate that ends.
type endingView struct {
	SiteID   fleet.SiteID          `json:"site_id"`
	SiteName string                `json:"site_name"`
	Kind     fleet.CertificateKind `json:"kind" enum:"hub,authority,server,device" doc:"hub: with which a hub shows itself to the console; the others are the site's own."`
	DeviceID fleet.DeviceID        `json:"device_id,omitempty"`
	Serial   string                `json:"serial,omitempty"`
	NotAfter time.Time             `json:"not_after"`
	Ended    bool                  `json:"ended"`
	// LinkState says whether the hub can renew.
	LinkState fleetview.LinkState `json:"link_state,omitempty" enum:"online,late,offline,stalled,never_connected,revoked,retired"`
}

// forecastView is what ends when.
type forecastView struct {
	Items      []endingView `json:"items" nullable:"false" doc:"The first first."`
	NextCursor *string      `json:"next_cursor"`
	Total      int          `json:"total"`
	// Weeks are counts by week from now; the first has what has ended, too.
	Weeks []forecastWeek `json:"weeks" nullable:"false"`
	Whole bool           `json:"whole" doc:"All sites have been read since the start."`
}

type forecastWeek struct {
	From    time.Time `json:"from"`
	Hubs    int       `json:"hubs"`
	Sites   int       `json:"sites" doc:"Authorities and servers of sites."`
	Devices int       `json:"devices"`
}

func (a *API) forecastRoutes() {
	rest.Register(a.rest, rest.Route{
		OperationID: "forecast-certificates", Method: http.MethodGet, Path: "/api/v1/security/forecast", Permission: account.SecurityRead,
		Summary: "Certificates of all sites that end within some days", Tags: []string{"security"},
	}, a.forecast)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-sync-health", Method: http.MethodGet, Path: "/api/v1/sync", Permission: account.SyncRead,
		Summary: "How far the console is in sync with the hubs of all sites", Tags: []string{"sites"},
	}, a.syncHealth)
}

func (a *API) forecast(ctx context.Context, in *struct {
	rest.PageInput
	Days int    `query:"days" minimum:"1" maximum:"366" default:"90"`
	Kind string `query:"kind" enum:"hub,authority,server,device" doc:"Only these."`
	Site string `query:"site" maxLength:"64" doc:"Only of this site."`
}) (*struct{ Body forecastView }, error) {
	type position struct {
		At     time.Time             `json:"t"`
		Site   fleet.SiteID          `json:"s"`
		Kind   fleet.CertificateKind `json:"k"`
		Device fleet.DeviceID        `json:"d"`
	}
	after, err := rest.DecodeCursor[position](in.Cursor)
	if err != nil {
		return nil, err
	}
	now, sees := a.now(), a.sees(ctx)
	all, whole := a.Certificates.Endings(now.AddDate(0, 0, in.Days), func(id fleet.SiteID) bool {
		return sees(id) && (in.Site == "" || string(id) == in.Site)
	})
	all = slices.DeleteFunc(all, func(e fleetview.Ending) bool { return in.Kind != "" && string(e.Kind) != in.Kind })
	out := forecastView{Total: len(all), Whole: whole, Weeks: make([]forecastWeek, (in.Days+6)/7)}
	for i := range out.Weeks {
		out.Weeks[i].From = now.AddDate(0, 0, 7*i)
	}
	place := func(e fleetview.Ending) position { return position{e.NotAfter, e.Site, e.Kind, e.Device} }
	for _, e := range all {
		w := &out.Weeks[min(len(out.Weeks)-1, max(0, int(e.NotAfter.Sub(now)/(7*24*time.Hour))))]
		switch e.Kind {
		case fleetview.CertificateHub:
			w.Hubs++
		case fleet.CertificateDevice:
			w.Devices++
		case fleet.CertificateServer, fleet.CertificateAuthority:
			w.Sites++
		}
	}
	if i := slices.IndexFunc(all, func(e fleetview.Ending) bool { return in.Cursor != "" && place(e) == after }); i >= 0 {
		all = all[i+1:]
	}
	page := rest.PageOf(all[:min(len(all), in.Limit+1)], in.Limit, func(e fleetview.Ending) any { return place(e) })
	out.NextCursor, out.Items = page.NextCursor, make([]endingView, len(page.Items))
	for i, e := range page.Items {
		v := endingView{SiteID: e.Site, SiteName: string(e.Site), Kind: e.Kind, DeviceID: e.Device, Serial: e.Serial, NotAfter: e.NotAfter, Ended: !e.NotAfter.After(now)}
		if r, ok := a.Fleet.Known(e.Site); ok {
			v.SiteName, v.LinkState = r.Site.Name, r.Link
		}
		out.Items[i] = v
	}
	return &struct{ Body forecastView }{out}, nil
}

// syncHealthView is the sync of all sites in numbers.
type syncHealthView struct {
	Ages         []ageBucket  `json:"ages" nullable:"false" doc:"Sites by the age of their newest data."`
	Unknown      int          `json:"unknown" doc:"Sites of which there is no data."`
	Lanes        []laneHealth `json:"lanes" nullable:"false"`
	Stalled      int          `json:"stalled"`
	OutOfLine    int          `json:"out_of_line" doc:"Sites whose hub and console do not hold the same, or that two hubs speak for."`
	DeadLetters  int          `json:"dead_letters"`
	LetterSites  int          `json:"dead_letter_sites"`
	Conflicts    int          `json:"conflicts" doc:"Orders that came too late and that nobody has acknowledged."`
	Ingested     []ingested   `json:"ingested" nullable:"false" doc:"Taken from hubs since the start."`
	Troubled     []siteHealth `json:"troubled" nullable:"false" doc:"The hundred sites with the most to do, by what is wrong, then by backlog."`
	TroubledMore int          `json:"troubled_more" doc:"How many more there are."`
}

type ageBucket struct {
	UptoS int64 `json:"upto_s,omitempty" doc:"Seconds; absent for what is older than all."`
	Sites int   `json:"sites"`
}

type laneHealth struct {
	Lane    fleet.Lane `json:"lane"`
	Name    string     `json:"name"`
	Backlog uint64     `json:"backlog"`
	Sites   int        `json:"sites" doc:"With any backlog in it."`
}

type ingested struct {
	Lane    fleet.Lane `json:"lane"`
	Name    string     `json:"name"`
	Records uint64     `json:"records"`
}

type siteHealth struct {
	SiteID      fleet.SiteID        `json:"site_id"`
	Name        string              `json:"name"`
	LinkState   fleetview.LinkState `json:"link_state" enum:"online,late,offline,stalled,never_connected,revoked,retired"`
	DataAsOf    *time.Time          `json:"data_as_of,omitempty"`
	MovedAt     *time.Time          `json:"moved_at,omitempty" doc:"When data last came, or there was none to come."`
	Verdict     string              `json:"verdict,omitempty"`
	Backlog     *siteBacklog        `json:"backlog,omitempty"`
	DeadLetters int                 `json:"dead_letters"`
	Conflicts   int                 `json:"conflicts"`
}

// ageBuckets are the upper ends of the histogram.
var ageBuckets = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

func outOfLine(verdict string) bool {
	return verdict == lane.VerdictBehind.String() || verdict == lane.VerdictDiverged.String() || verdict == lane.VerdictFenced.String()
}

func (a *API) syncHealth(ctx context.Context, _ *struct{}) (*struct{ Body syncHealthView }, error) {
	sees := a.sees(ctx)
	conflicts := map[fleet.SiteID]int{}
	for _, v := range a.Alerts.Open(func(v store.Alert) bool { return v.Kind == alert.OrderConflict && sees(v.Site) }) {
		conflicts[v.Site]++
	}
	out := syncHealthView{Ages: make([]ageBucket, len(ageBuckets)+1), Lanes: []laneHealth{}, Ingested: []ingested{}, Troubled: []siteHealth{}}
	for i, d := range ageBuckets {
		out.Ages[i].UptoS = int64(d.Seconds())
	}
	lanes := map[fleet.Lane]*laneHealth{}
	for _, l := range []fleet.Lane{fleet.LaneRequests, fleet.LaneCommands, fleet.LaneState, fleet.LaneRegistry} {
		out.Lanes = append(out.Lanes, laneHealth{Lane: l, Name: l.String()})
		out.Ingested = append(out.Ingested, ingested{l, l.String(), a.Link.Ingested(l)})
	}
	out.Ingested = append(out.Ingested, ingested{fleet.LaneSummaries, fleet.LaneSummaries.String(), a.Link.Ingested(fleet.LaneSummaries)})
	for i := range out.Lanes {
		lanes[out.Lanes[i].Lane] = &out.Lanes[i]
	}
	type ranked struct {
		siteHealth
		rank    int
		waiting uint64
	}
	var troubled []ranked
	for _, r := range a.Fleet.Sites(func(r fleetview.Row) bool { return workable(r.Link) && sees(r.Site.ID) }) {
		if r.Contact.DataAsOf.IsZero() {
			out.Unknown++
		} else {
			age := r.At.Sub(r.Contact.DataAsOf)
			i := slices.IndexFunc(ageBuckets, func(d time.Duration) bool { return age <= d })
			if i < 0 {
				i = len(ageBuckets)
			}
			out.Ages[i].Sites++
		}
		for l, n := range r.Backlog {
			if n > 0 && lanes[l] != nil {
				lanes[l].Backlog += n
				lanes[l].Sites++
			}
		}
		v := ranked{waiting: r.Waiting(), siteHealth: siteHealth{
			SiteID: r.Site.ID, Name: r.Site.Name, LinkState: r.Link, DataAsOf: optional(r.Contact.DataAsOf), MovedAt: optional(r.Contact.MovedAt),
			Verdict: r.Contact.Verdict, DeadLetters: r.Counts.DeadLetters, Conflicts: conflicts[r.Site.ID], Backlog: backlogOf(r),
		}}
		if outOfLine(r.Contact.Verdict) {
			out.OutOfLine++
			v.rank += 8
		} else if r.Link == fleetview.Stalled {
			out.Stalled++
			v.rank += 4
		}
		if v.DeadLetters > 0 {
			out.DeadLetters += v.DeadLetters
			out.LetterSites++
			v.rank += 2
		}
		if v.Conflicts > 0 {
			out.Conflicts += v.Conflicts
			v.rank++
		}
		if v.rank > 0 || v.waiting > 0 {
			troubled = append(troubled, v)
		}
	}
	slices.SortFunc(troubled, func(x, y ranked) int {
		if x.rank != y.rank {
			return y.rank - x.rank
		}
		if x.waiting != y.waiting {
			if x.waiting > y.waiting {
				return -1
			}
			return 1
		}
		return compareIDs(x.SiteID, y.SiteID)
	})
	const most = 100
	out.TroubledMore = max(0, len(troubled)-most)
	for _, v := range troubled[:min(len(troubled), most)] {
		out.Troubled = append(out.Troubled, v.siteHealth)
	}
	return &struct{ Body syncHealthView }{out}, nil
}
