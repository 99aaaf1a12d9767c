package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// trafficBucket is one hour or one day. Counts is absent when the console
// holds nothing of it, which is not the same as nothing having passed.
type trafficBucket struct {
	At     time.Time            `json:"at" doc:"When it begins, by the hub's clock."`
	Hours  int                  `json:"hours" doc:"How many of its hours are over."`
	Held   int                  `json:"held" doc:"How many of them the console holds."`
	Counts *fleet.TrafficCounts `json:"counts,omitempty" doc:"Absent when none is held."`
}

type trafficField struct {
	Name  string  `json:"name"`
	Count uint64  `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Last  float64 `json:"last"`
}

// trafficTalker is one device, type or room.
type trafficTalker struct {
	Key    string              `json:"key" doc:"The MQTT client, the type or the room; empty when the hub did not know it, ~other for clients that it did not tell apart."`
	Name   string              `json:"name,omitempty" doc:"Of the device or room, if the console knows it."`
	Known  bool                `json:"known" doc:"The key is a device or room of the site."`
	Totals fleet.TrafficCounts `json:"totals"`
	Fields []trafficField      `json:"fields,omitempty" doc:"Numeric fields of a device."`
}

// trafficGap is a time of which the console holds nothing.
type trafficGap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// siteTraffic is what passed the broker of a site's hub.
type siteTraffic struct {
	SiteID     fleet.SiteID         `json:"site_id"`
	From       time.Time            `json:"from"`
	To         time.Time            `json:"to"`
	Bucket     string               `json:"bucket" enum:"hour,day"`
	Group      string               `json:"group" enum:"none,device,type,room"`
	AsOf       *time.Time           `json:"as_of,omitempty" doc:"The end of the newest hour that the console holds, by the hub's clock; absent when it holds none."`
	Since      *time.Time           `json:"since,omitempty" doc:"The beginning of the oldest."`
	ReceivedAt *time.Time           `json:"received_at,omitempty" doc:"When an hour last came, by the console's clock."`
	Hours      int                  `json:"hours" doc:"How many hours of the range are over."`
	Held       int                  `json:"held" doc:"How many of them the console holds."`
	Totals     fleet.TrafficCounts  `json:"totals" doc:"Of the hours that are held."`
	Buckets    []trafficBucket      `json:"buckets" nullable:"false" doc:"All of the range, the earliest first."`
	Top        []trafficTalker      `json:"top" nullable:"false" doc:"Those with the most messages first; empty for group none."`
	Others     *fleet.TrafficCounts `json:"others,omitempty" doc:"What is beyond limit."`
	Gaps       []trafficGap         `json:"gaps" nullable:"false" doc:"Hours that are over and that the console does not hold: they are not known, not zero."`
	LeftOut    uint64               `json:"left_out" doc:"Rows of this site, ever, that broke a rule or were of hours that are not kept."`
}

const (
	// maxTrafficBuckets of one answer.
	maxTrafficBuckets = 2000
	// maxTrafficRows is how many hours are looked into row by row for a group.
	maxTrafficRows = 32 * 24
	maxTalkers     = 100
	// Groups that are summed up at once, and of one subject.
	maxTrafficReads    = 32
	ownMaxTrafficReads = 4
)

// The groups of a query.
const (
	groupNone   = "none"
	groupDevice = "device"
	groupType   = "type"
	groupRoom   = "room"
)

// trafficQuery is what a caller wants.
type trafficQuery struct {
	site     fleet.SiteID
	from, to time.Time
	bucket   time.Duration
	group    string
	limit    int
}

func (a *API) trafficRoutes() {
	a.rest.Raw(rest.Route{
		OperationID: "get-site-traffic", Method: http.MethodGet, Path: "/api/v1/sites/{id}/traffic", Permission: account.SitesRead, Site: "id",
		Summary: "What passed the broker of a site's hub, hour by hour", Tags: []string{"sites"}, Stream: true,
		Description: "From the hours that the hub has sent. Those that the console does not hold are gaps.",
		Answer:      siteTraffic{}, AlsoProduces: []string{rest.MediaCSV}, Errors: []int{http.StatusTooManyRequests},
		Params: map[string]string{
			"from": "RFC 3339, rounded down to a bucket; a day before to if absent.", "to": "RFC 3339; now if absent.",
			"bucket": "hour or day (UTC); hour if absent.",
			"group":  "none, device, type or room: what top lists; none if absent. At most 32 days at once.",
			"limit":  "How many of top; 10 if absent, at most 100.",
			"format": "json or csv; else by the header Accept. csv gives the buckets, or top for a group.",
		},
	}, a.siteTraffic)
}

func (a *API) siteTraffic(c *gin.Context) {
	q, err := a.trafficQuery(c)
	var format string
	if err == nil {
		format, err = rest.QueryFormat(c, rest.MediaJSON, rest.MediaCSV)
	}
	ctx := c.Request.Context()
	if err == nil && q.group != groupNone {
		var leave func()
		if ctx, leave, err = a.rest.EnterStream(ctx, maxTrafficReads, ownMaxTrafficReads); err == nil {
			defer leave()
		}
	}
	var v siteTraffic
	if err == nil {
		v, err = a.sumTraffic(ctx, q)
	}
	switch {
	case err != nil:
		a.rest.Fail(c, err)
	case format == rest.MediaCSV:
		a.trafficCSV(c, v)
	default:
		_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(writeWithin))
		c.JSON(http.StatusOK, v)
	}
}

func (a *API) trafficQuery(c *gin.Context) (trafficQuery, error) {
	q := trafficQuery{bucket: time.Hour, group: cmp.Or(c.Query("group"), groupNone)}
	var err error
	if q.site, err = fleet.ParseSiteID(c.Param("id")); err != nil {
		return q, err
	}
	if q.from, err = rest.QueryTime(c, "from"); err != nil {
		return q, err
	}
	if q.to, err = rest.QueryTime(c, "to"); err != nil {
		return q, err
	}
	if q.limit, err = rest.QueryNumber(c, "limit", maxTalkers); err != nil {
		return q, err
	}
	switch c.Query("bucket") {
	case "", "hour":
	case "day":
		q.bucket = 24 * time.Hour
	default:
		return q, rest.WrongQuery("bucket", "want hour or day")
	}
	if !slices.Contains([]string{groupNone, groupDevice, groupType, groupRoom}, q.group) {
		return q, rest.WrongQuery("group", "want none, device, type or room")
	}
	q.limit = cmp.Or(q.limit, 10)
	if q.to.IsZero() {
		q.to = a.now()
	}
	if q.from.IsZero() {
		q.from = q.to.Add(-24 * time.Hour)
	}
	q.from, q.to = q.from.UTC().Truncate(q.bucket), q.to.UTC()
	span := q.to.Sub(q.from)
	switch {
	case span <= 0 || q.from.Unix() < 0:
		return q, rest.WrongQuery("from", "want a time before to")
	case span/q.bucket > maxTrafficBuckets:
		return q, rest.WrongQuery("from", fmt.Sprintf("want at most %d buckets", maxTrafficBuckets))
	case q.group != groupNone && span > (maxTrafficRows+24)*time.Hour:
		return q, rest.WrongQuery("from", fmt.Sprintf("want at most %d days of a group", maxTrafficRows/24))
	}
	return q, nil
}

// sumTraffic answers a query from what is held.
func (a *API) sumTraffic(ctx context.Context, q trafficQuery) (siteTraffic, error) {
	out := siteTraffic{
		SiteID: q.site, From: q.from, To: q.to, Bucket: "hour", Group: q.group,
		Buckets: []trafficBucket{}, Top: []trafficTalker{}, Gaps: []trafficGap{},
	}
	if q.bucket > time.Hour {
		out.Bucket = "day"
	}
	err := a.Store.ViewSite(ctx, q.site, func(v store.SiteView) error {
		if err := out.age(v); err != nil {
			return err
		}
		sum := trafficSum{group: q.group, talkers: map[string]*talkerSum{}}
		held := map[time.Time]fleet.TrafficCounts{}
		if err := v.Traffic(q.from, q.to, q.group != groupNone, func(h store.TrafficHour) bool {
			held[h.Start] = h.Totals
			sum.add(h.Rows)
			return ctx.Err() == nil
		}); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		out.fill(q, held, a.now())
		if q.group == groupNone {
			return nil
		}
		var err error
		out.Top, out.Others, err = sum.top(v, q.limit)
		return err
	})
	return out, err
}

// age says how old what is held is.
func (t *siteTraffic) age(v store.SiteView) error {
	c, err := v.Contact()
	if err != nil {
		return err
	}
	t.ReceivedAt, t.LeftOut = optional(c.TrafficAt), c.TrafficLeftOut
	first, last, found, err := v.TrafficSpan()
	if err == nil && found {
		end := last.Add(time.Hour)
		t.Since, t.AsOf = &first, &end
	}
	return err
}

// fill makes buckets and gaps of the hours that are held. An hour that is not
// over is no gap; one from a hub whose clock is ahead counts all the same.
func (t *siteTraffic) fill(q trafficQuery, held map[time.Time]fleet.TrafficCounts, now time.Time) {
	for at := q.from; at.Before(q.to); at = at.Add(time.Hour) {
		counts, found := held[at]
		if !found && at.Add(time.Hour).After(now) {
			continue
		}
		if n := len(t.Buckets); n == 0 || !t.Buckets[n-1].At.Equal(at.Truncate(q.bucket)) {
			t.Buckets = append(t.Buckets, trafficBucket{At: at.Truncate(q.bucket)})
		}
		b := &t.Buckets[len(t.Buckets)-1]
		b.Hours++
		t.Hours++
		if !found {
			if n := len(t.Gaps); n == 0 || !t.Gaps[n-1].To.Equal(at) {
				t.Gaps = append(t.Gaps, trafficGap{From: at})
			}
			t.Gaps[len(t.Gaps)-1].To = at.Add(time.Hour)
			continue
		}
		b.Held++
		t.Held++
		if b.Counts == nil {
			b.Counts = &fleet.TrafficCounts{}
		}
		b.Counts.Add(counts)
		t.Totals.Add(counts)
	}
}

// trafficSum sums up rows by the group's key.
type trafficSum struct {
	group   string
	talkers map[string]*talkerSum
}

type talkerSum struct {
	totals fleet.TrafficCounts
	fields map[string]fleet.TrafficField
}

// add adds the rows of the next hour.
func (s *trafficSum) add(rows []fleet.TrafficRow) {
	for _, r := range rows {
		key := r.Device
		switch s.group {
		case groupType:
			key = string(r.Type)
		case groupRoom:
			key = string(r.Room)
		}
		t := s.talkers[key]
		if t == nil {
			t = &talkerSum{}
			s.talkers[key] = t
		}
		t.totals.Add(r.Counts)
		if s.group != groupDevice || len(r.Fields) == 0 {
			continue
		}
		if t.fields == nil {
			t.fields = map[string]fleet.TrafficField{}
		}
		for _, f := range r.Fields {
			t.fields[f.Name] = t.fields[f.Name].Then(f)
		}
	}
}

// top are the largest, and the sum of the rest.
func (s *trafficSum) top(v store.SiteView, limit int) ([]trafficTalker, *fleet.TrafficCounts, error) {
	keys := make([]string, 0, len(s.talkers))
	for k := range s.talkers {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.talkers[b].totals.Messages(), s.talkers[a].totals.Messages()), cmp.Compare(a, b))
	})
	out := []trafficTalker{}
	for _, k := range keys[:min(len(keys), limit)] {
		t := trafficTalker{Key: k, Totals: s.talkers[k].totals}
		for _, f := range s.talkers[k].fields {
			t.Fields = append(t.Fields, trafficField(f))
		}
		slices.SortFunc(t.Fields, func(a, b trafficField) int { return cmp.Compare(a.Name, b.Name) })
		var err error
		if t.Name, t.Known, err = nameOf(v, s.group, k); err != nil {
			return nil, nil, err
		}
		out = append(out, t)
	}
	if len(keys) <= limit {
		return out, nil, nil
	}
	var others fleet.TrafficCounts
	for _, k := range keys[limit:] {
		others.Add(s.talkers[k].totals)
	}
	return out, &others, nil
}

// nameOf is what people call a device or a room of the site.
func nameOf(v store.SiteView, group, key string) (name string, known bool, err error) {
	switch group {
	case groupDevice:
		d, found, err := fleet.Get[fleet.Device](v, fleet.DeviceRef(fleet.DeviceID(key)))
		return d.Name, found && !d.Removed, err
	case groupRoom:
		r, found, err := fleet.Get[fleet.Room](v, fleet.RoomRef(fleet.RoomID(key)))
		return r.Name, found && !r.Removed, err
	}
	return "", false, nil
}
