package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/obedio/obedio/console/internal/dispatch"
	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// jobView is a job with how far it has come, on the sites that the subject sees.
type jobView struct {
	JobID       fleet.JobID               `json:"job_id"`
	Name        string                    `json:"name"`
	Args        json.RawMessage           `json:"args,omitempty"`
	SiteFilter  string                    `json:"site_filter,omitempty" doc:"What the sites were chosen by."`
	Filter      string                    `json:"filter,omitempty" doc:"What the devices were chosen by."`
	Targets     int                       `json:"targets"`
	Sites       int                       `json:"sites"`
	IssuedBy    resource.Actor            `json:"issued_by"`
	IssuedAt    time.Time                 `json:"issued_at"`
	ExpiresAt   time.Time                 `json:"expires_at"`
	NotBefore   *time.Time                `json:"not_before,omitempty"`
	Window      *store.JobWindow          `json:"window,omitempty"`
	Retries     fleet.JobID               `json:"retries,omitempty" doc:"The job whose failures it tries again."`
	CancelledAt *time.Time                `json:"cancelled_at,omitempty"`
	CancelledBy *resource.Actor           `json:"cancelled_by,omitempty"`
	DoneAt      *time.Time                `json:"done_at,omitempty"`
	States      map[store.TargetState]int `json:"states" doc:"How many targets are in each state: scheduled, or one of a command's."`
	Choosing    int                       `json:"choosing" doc:"Sites whose targets are not chosen yet."`
	Done        bool                      `json:"done" doc:"All targets have ended."`
}

type jobOutput struct {
	Location string `header:"Location"`
	Body     jobView
}

// JobPath is the path of one job.
type JobPath struct {
	ID string `path:"id" maxLength:"36" doc:"job_id"`
}

func (p JobPath) parse() (fleet.JobID, error) { return fleet.ParseUUID[fleet.JobID]("job_id", p.ID) }

// targetView is one device of a job.
type targetView struct {
	SiteID      fleet.SiteID        `json:"site_id"`
	SiteName    string              `json:"site_name"`
	LinkState   fleetview.LinkState `json:"link_state,omitempty" enum:"online,late,offline,stalled,never_connected,revoked,retired"`
	LastContact *time.Time          `json:"last_contact,omitempty"`
	DeviceID    fleet.DeviceID      `json:"device_id"`
	State       store.TargetState   `json:"state" enum:"scheduled,queued,at_hub,sent,delivered,acknowledged,succeeded,failed,expired,cancelled,superseded"`
	CommandID   fleet.CommandID     `json:"command_id,omitempty"`
	Attempts    int                 `json:"attempts"`
	Due         *time.Time          `json:"due,omitempty" doc:"When it is to be ordered, while it is scheduled."`
	CancelSince *time.Time          `json:"cancel_since,omitempty" doc:"When it was to be cancelled, while the hub has not answered that."`
	UpdatedAt   time.Time           `json:"updated_at"`
	Error       string              `json:"error,omitempty"`
}

// JobChoice says which devices are meant. Exported so that huma sees it where it
// is embedded.
type JobChoice struct {
	SiteFilter *string        `json:"site_filter,omitempty" maxLength:"500" doc:"The typed grammar of /sites; an empty one is all sites. link:online tag:charter"`
	Filter     *string        `json:"filter,omitempty" maxLength:"500" doc:"The typed grammar of devices; an empty one is all devices of those sites. type:watch battery:<30"`
	Targets    []targetChoice `json:"targets,omitempty" maxItems:"10000" doc:"Or these."`
}

type targetChoice struct {
	SiteID   fleet.SiteID   `json:"site_id"`
	DeviceID fleet.DeviceID `json:"device_id"`
}

// chosen is what a choice comes to.
type chosen struct {
	siteFilter, filter string
	plan               []store.JobSite
	links              map[fleetview.LinkState]int
	targets            int
	// more: there are more, which were not counted.
	more bool
}

type previewView struct {
	Targets   int                         `json:"targets" doc:"Devices that are meant now."`
	Sites     int                         `json:"sites" doc:"Sites with at least one of them."`
	More      bool                        `json:"more" doc:"There are more than this; counting has ended at the limit."`
	Limit     int                         `json:"limit" doc:"How many targets one job may have."`
	LinkState map[fleetview.LinkState]int `json:"link_states" doc:"Those sites, by the state of their links."`
}

func (a *API) jobRoutes() {
	tags := []string{"jobs"}
	rest.Register(a.rest, rest.Route{
		OperationID: "preview-job", Method: http.MethodPost, Path: "/api/v1/jobs/preview", Permission: account.CommandsSend, MaxBody: 2 << 20,
		Summary: "Count the devices that a job would be for", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Body JobChoice `nameHint:"JobChoice"`
	}) (*struct{ Body previewView }, error) {
		c, err := a.choose(ctx, in.Body)
		if err != nil {
			return nil, err
		}
		return &struct{ Body previewView }{previewView{c.targets, len(c.plan), c.more, a.MaxTargets, c.links}}, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "begin-job", Method: http.MethodPost, Path: "/api/v1/jobs", Permission: account.CommandsSend, MaxBody: 2 << 20,
		Status: http.StatusAccepted, Idempotent: true, Summary: "Send a command to many devices of many sites", Tags: tags,
		Description: "The job is stored, then its commands are ordered in the background, also after a restart. Devices that filters match are those at that moment.",
	}, a.beginJob)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/api/v1/jobs", Permission: account.JobsRead, Summary: "Jobs, newest first", Tags: tags,
	}, a.listJobs)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-job", Method: http.MethodGet, Path: "/api/v1/jobs/{id}", Permission: account.JobsRead, Summary: "One job", Tags: tags,
	}, func(ctx context.Context, in *JobPath) (*jobOutput, error) { return a.oneJob(ctx, *in) })
	rest.Register(a.rest, rest.Route{
		OperationID: "list-job-targets", Method: http.MethodGet, Path: "/api/v1/jobs/{id}/targets", Permission: account.JobsRead,
		Summary: "What became of each device of a job, by site and device", Tags: tags,
	}, a.jobTargets)
	rest.Register(a.rest, rest.Route{
		OperationID: "cancel-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/cancel", Permission: account.CommandsCancel,
		Status: http.StatusAccepted, Summary: "Take back what has not ended", Tags: tags,
		Description: "What no hub was offered ends at once; of the rest the hubs decide.",
	}, func(ctx context.Context, in *JobPath) (*jobOutput, error) {
		id, err := in.parse()
		if err == nil {
			err = a.wholeJob(ctx, id)
		}
		if err != nil {
			return nil, err
		}
		if _, err := a.Dispatch.CancelJob(ctx, actor(ctx), id); err != nil {
			return nil, err
		}
		return a.oneJob(ctx, *in)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "retry-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/retry", Permission: account.CommandsSend,
		Status: http.StatusAccepted, Idempotent: true, Summary: "Try again where a job failed or expired", Tags: tags,
	}, func(ctx context.Context, in *JobPath) (*jobOutput, error) {
		id, err := in.parse()
		if err == nil {
			_, err = a.oneJob(ctx, *in)
		}
		if err != nil {
			return nil, err
		}
		return a.jobAnswer(ctx)(a.Dispatch.RetryJob(ctx, actor(ctx), id, a.sees(ctx), onceOf(ctx)))
	})
}

// onceOf names the piece of work that the request of ctx asks for; "" without a
// key.
func onceOf(ctx context.Context) string {
	o := rest.OnceOf(ctx)
	if o.Key == "" {
		return ""
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(o.Subject), {0}, []byte(o.Key), {0}, o.Fingerprint[:]} {
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// choose finds the devices that are meant, of the sites that the subject sees.
func (a *API) choose(ctx context.Context, in JobChoice) (chosen, error) {
	out := chosen{links: map[fleetview.LinkState]int{}}
	if len(in.Targets) > 0 {
		if in.SiteFilter != nil || in.Filter != nil {
			return out, fmt.Errorf("%w: either targets or filters say which devices are meant", fleet.ErrInvalid)
		}
		return out, a.named(ctx, in.Targets, &out)
	}
	if in.SiteFilter == nil && in.Filter == nil {
		return out, fmt.Errorf("%w: site_filter, filter or targets say which devices are meant", fleet.ErrInvalid)
	}
	if in.SiteFilter != nil {
		out.siteFilter = *in.SiteFilter
	}
	if in.Filter != nil {
		out.filter = *in.Filter
	}
	q, err := filter.Parse(out.siteFilter, fleetview.SiteFields())
	if err != nil {
		return out, fmt.Errorf("site_filter: %w", err)
	}
	match, err := fleetview.MatchDevices(out.filter)
	if err != nil {
		return out, err
	}
	sees := a.sees(ctx)
	rows := a.Fleet.Sites(func(r fleetview.Row) bool { return workable(r.Link) && sees(r.Site.ID) && q.Match(r.Field) })
	all := out.filter == ""
	looked := 0
	for _, r := range rows {
		n := r.Counts.AllDevices()
		if n == 0 {
			continue
		}
		if !all {
			if looked += n; looked > a.ScanMost*50 {
				out.more = true
				break
			}
			err := a.Store.ViewSite(ctx, r.Site.ID, func(v store.SiteView) error {
				ids, err := match(v)
				n = len(ids)
				return err
			})
			if err != nil {
				return out, err
			}
			if n == 0 {
				continue
			}
		}
		out.targets += n
		out.links[r.Link]++
		out.plan = append(out.plan, store.JobSite{Site: r.Site.ID})
	}
	slices.SortFunc(out.plan, func(x, y store.JobSite) int { return compareIDs(x.Site, y.Site) })
	return out, nil
}

func compareIDs[T ~string](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// workable reports whether anything can be ordered for a site with that link.
func workable(l fleetview.LinkState) bool { return l != fleetview.Revoked && l != fleetview.Retired }

// named is choose for devices that are named.
func (a *API) named(ctx context.Context, targets []targetChoice, out *chosen) error {
	sees := a.sees(ctx)
	bySite := map[fleet.SiteID]map[fleet.DeviceID]bool{}
	for _, t := range targets {
		if _, err := fleet.ParseSiteID(string(t.SiteID)); err != nil {
			return err
		}
		if _, err := fleet.ParseDeviceID(string(t.DeviceID)); err != nil {
			return err
		}
		if !sees(t.SiteID) {
			return fmt.Errorf("%w: site %s", fleet.ErrNotFound, t.SiteID)
		}
		if bySite[t.SiteID] == nil {
			bySite[t.SiteID] = map[fleet.DeviceID]bool{}
		}
		bySite[t.SiteID][t.DeviceID] = true
	}
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		r, err := a.Fleet.Site(ctx, site)
		if err != nil {
			return err
		}
		err = a.Store.ViewSite(ctx, site, func(v store.SiteView) error {
			for id := range bySite[site] {
				d, found, err := fleet.Get[fleet.Device](v, fleet.DeviceRef(id))
				if err != nil {
					return err
				}
				if !found || d.Removed {
					return fmt.Errorf("%w: device %s on site %s", fleet.ErrNotFound, id, site)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		devices := slices.Sorted(maps.Keys(bySite[site]))
		out.plan = append(out.plan, store.JobSite{Site: site, Devices: devices})
		out.targets += len(devices)
		out.links[r.Link]++
	}
	return nil
}

func (a *API) beginJob(ctx context.Context, in *struct {
	Body struct {
		JobChoice
		Name      string           `json:"name" maxLength:"64"`
		Args      json.RawMessage  `json:"args,omitempty" doc:"Any JSON, at most 16 KiB."`
		TTLMS     int64            `json:"ttl_ms,omitempty" minimum:"1" doc:"Time to live of the job in milliseconds, and so of each command; 24 h if absent, 30 days at most."`
		NotBefore *time.Time       `json:"not_before,omitempty" doc:"Nothing is ordered before."`
		Window    *store.JobWindow `json:"window,omitempty" doc:"Commands go out only between these times of the day, in each site's zone; what came to nothing in one window is ordered again in the next."`
	} `nameHint:"NewJob"`
}) (*jobOutput, error) {
	b := in.Body
	c, err := a.choose(ctx, b.JobChoice)
	if err != nil {
		return nil, err
	}
	if c.more {
		return nil, fmt.Errorf("%w: the filters match too many devices to count", fleet.ErrLimit)
	}
	if c.targets == 0 {
		return nil, fmt.Errorf("%w: no device matches", fleet.ErrInvalid)
	}
	w := dispatch.WantJob{
		SiteFilter: c.siteFilter, Filter: c.filter, Plan: c.plan, Targets: c.targets, Name: b.Name, Args: b.Args,
		TTL: milliseconds(b.TTLMS), Window: b.Window, Once: onceOf(ctx),
	}
	if b.NotBefore != nil {
		w.NotBefore = fleet.Millis(*b.NotBefore)
	}
	return a.jobAnswer(ctx)(a.Dispatch.Begin(ctx, actor(ctx), w))
}

func (a *API) jobAnswer(ctx context.Context) func(store.Job, error) (*jobOutput, error) {
	return func(j store.Job, err error) (*jobOutput, error) {
		if err != nil {
			return nil, err
		}
		v, _, err := a.jobView(ctx, j)
		return &jobOutput{Location: "/api/v1/jobs/" + string(j.ID), Body: v}, err
	}
}

// jobView shows what the subject sees of a job; false when that is nothing.
func (a *API) jobView(ctx context.Context, j store.Job) (jobView, bool, error) {
	sees := a.sees(ctx)
	counts, err := a.Dispatch.Progress(ctx, j)
	if err != nil {
		return jobView{}, false, err
	}
	v := jobView{
		JobID: j.ID, Name: j.Name, Args: j.Args, SiteFilter: j.SiteFilter, Filter: j.Filter, Targets: j.Targets,
		IssuedBy: resource.ActorOf(j.IssuedBy), IssuedAt: j.IssuedAt, ExpiresAt: j.ExpiresAt, NotBefore: optional(j.NotBefore), Window: j.Window,
		Retries: j.Retries, CancelledAt: optional(j.CancelledAt), DoneAt: optional(j.DoneAt), States: map[store.TargetState]int{}, Done: !j.DoneAt.IsZero(),
	}
	if j.CancelledBy != nil {
		by := resource.ActorOf(*j.CancelledBy)
		v.CancelledBy = &by
	}
	hidden := 0
	for site, states := range counts {
		if !sees(site) {
			hidden++
			for _, n := range states {
				v.Targets -= n
			}
			continue
		}
		v.Sites++
		for s, n := range states {
			v.States[s] += n
		}
	}
	for _, s := range j.Plan {
		if sees(s.Site) {
			v.Choosing++
			if _, begun := counts[s.Site]; !begun {
				v.Sites++
			}
		} else {
			hidden++
		}
	}
	if hidden > 0 { // what is not chosen yet is not known by site
		v.Targets = 0
		for _, n := range v.States {
			v.Targets += n
		}
	}
	return v, hidden == 0 || v.Sites > 0, nil
}

// wholeJob reports as fleet.ErrNotFound a job of which the subject sees nothing,
// and as fleet.ErrForbidden one of which it sees only a part.
func (a *API) wholeJob(ctx context.Context, id fleet.JobID) error {
	j, err := a.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	counts, err := a.Dispatch.Progress(ctx, j)
	if err != nil {
		return err
	}
	sees := a.sees(ctx)
	some, all := false, true
	for site := range counts {
		some, all = some || sees(site), all && sees(site)
	}
	for _, s := range j.Plan {
		some, all = some || sees(s.Site), all && sees(s.Site)
	}
	switch {
	case !some && !all:
		return fmt.Errorf("%w: job %s", fleet.ErrNotFound, id)
	case !all:
		return fmt.Errorf("%w: job %s is for sites of others too", fleet.ErrForbidden, id)
	}
	return nil
}

func (a *API) oneJob(ctx context.Context, p JobPath) (*jobOutput, error) {
	id, err := p.parse()
	if err != nil {
		return nil, err
	}
	j, err := a.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	v, seen, err := a.jobView(ctx, j)
	if err == nil && !seen {
		err = fmt.Errorf("%w: job %s", fleet.ErrNotFound, id)
	}
	if err != nil {
		return nil, err
	}
	return &jobOutput{Location: "/api/v1/jobs/" + string(id), Body: v}, nil
}

func (a *API) listJobs(ctx context.Context, in *struct {
	rest.PageInput
	Active bool `query:"active" doc:"Only those that are not done."`
}) (*struct{ Body rest.Page[jobView] }, error) {
	before, err := rest.DecodeCursor[fleet.JobID](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []jobView
	for len(rows) <= in.Limit {
		page, err := a.Store.Jobs(ctx, before, in.Limit+1)
		if err != nil {
			return nil, err
		}
		for _, j := range page {
			before = j.ID
			if in.Active && !j.DoneAt.IsZero() {
				continue
			}
			v, seen, err := a.jobView(ctx, j)
			if err != nil {
				return nil, err
			}
			if seen && len(rows) <= in.Limit {
				rows = append(rows, v)
			}
		}
		if len(page) <= in.Limit {
			break
		}
	}
	return &struct{ Body rest.Page[jobView] }{rest.PageOf(rows, in.Limit, func(v jobView) any { return v.JobID })}, nil
}

func (a *API) jobTargets(ctx context.Context, in *struct {
	JobPath
	rest.PageInput
	State string `query:"state" maxLength:"20" doc:"Only those in this state."`
	Site  string `query:"site" maxLength:"64" doc:"Only those of this site."`
}) (*struct{ Body rest.Page[targetView] }, error) {
	id, err := in.parse()
	if err != nil {
		return nil, err
	}
	if in.State != "" {
		if _, err := store.ParseTargetState(in.State); err != nil {
			return nil, err
		}
	}
	after, err := rest.DecodeCursor[store.TargetRef](in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, err := a.oneJob(ctx, in.JobPath); err != nil {
		return nil, err
	}
	sees := a.sees(ctx)
	var found []store.JobTarget
	err = a.Store.JobTargets(ctx, id, after, func(v store.JobTarget) bool {
		if sees(v.Site) && (in.State == "" || string(v.State) == in.State) && (in.Site == "" || string(v.Site) == in.Site) {
			found = append(found, v)
		}
		return len(found) <= in.Limit
	})
	if err != nil {
		return nil, err
	}
	page := rest.PageOf(found, in.Limit, func(v store.JobTarget) any { return store.TargetRef{Site: v.Site, Device: v.Device} })
	out := rest.Page[targetView]{Items: make([]targetView, len(page.Items)), NextCursor: page.NextCursor}
	for i, v := range page.Items {
		out.Items[i] = targetView{
			SiteID: v.Site, SiteName: string(v.Site), DeviceID: v.Device, State: v.State, CommandID: v.Command, Attempts: v.Attempts,
			Due: optional(v.Due), CancelSince: optional(v.CancelSince), UpdatedAt: v.UpdatedAt, Error: v.Error,
		}
		if r, ok := a.Fleet.Known(v.Site); ok {
			out.Items[i].SiteName, out.Items[i].LinkState, out.Items[i].LastContact = r.Site.Name, r.Link, optional(r.Contact.At)
		}
	}
	return &struct{ Body rest.Page[targetView] }{out}, nil
}
