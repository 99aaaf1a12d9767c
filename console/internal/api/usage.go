package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

type usageDay struct {
	Day   string `json:"day" doc:"In UTC, such as 2026-03-01."`
	In    uint64 `json:"bytes_in" doc:"From the hub."`
	Out   uint64 `json:"bytes_out" doc:"To the hub."`
	Calls uint64 `json:"connections"`
}

type usageView struct {
	Days        []usageDay `json:"days" nullable:"false" doc:"Days on which anything has passed, the first first."`
	In          uint64     `json:"bytes_in"`
	Out         uint64     `json:"bytes_out"`
	BytesPerDay uint64     `json:"bytes_per_day,omitempty" doc:"More on one day is an alert; absent for any number."`
}

// RangeInput is the part of an input that names days.
type RangeInput struct {
	From string `query:"from" format:"date" doc:"The first day in UTC; 30 days ago if absent."`
	To   string `query:"to" format:"date" doc:"The day after the last; tomorrow if absent."`
}

func (a *API) parseRange(in RangeInput) (from, to time.Time, err error) {
	today := store.DayOf(a.now())
	from, to = today.AddDate(0, 0, -29), today.AddDate(0, 0, 1)
	for _, v := range []struct {
		name, text string
		to         *time.Time
	}{{"from", in.From, &from}, {"to", in.To, &to}} {
		if v.text == "" {
			continue
		}
		if *v.to, err = time.Parse(time.DateOnly, v.text); err != nil {
			return from, to, fmt.Errorf("%w: %s %q: want a day such as 2026-03-01", fleet.ErrInvalid, v.name, v.text)
		}
	}
	if !to.After(from) || to.Sub(from) > 800*24*time.Hour {
		return from, to, fmt.Errorf("%w: to: want a day after from, and at most 800 days", fleet.ErrInvalid)
	}
	return from, to, nil
}

func (a *API) usageRoutes() {
	tags := []string{"sites"}
	const about = "Everything at the sockets of the hub link is counted, TLS and all tries included; it is stored every few minutes."
	rest.Register(a.rest, rest.Route{
		OperationID: "get-site-usage", Method: http.MethodGet, Path: "/api/v1/sites/{id}/usage", Permission: account.SitesRead, Site: "id",
		Summary: "Bytes of a site's link, by day", Tags: tags, Description: about,
	}, func(ctx context.Context, in *struct {
		SitePath
		RangeInput
	}) (*struct{ Body usageView }, error) {
		from, to, err := a.parseRange(in.RangeInput)
		if err != nil {
			return nil, err
		}
		var v usageView
		err = a.view(ctx, in.SitePath, func(_ fleet.SiteID, s store.SiteView) error {
			v, err = usageOf(s, from, to)
			return err
		})
		return &struct{ Body usageView }{v}, err
	})
	a.rest.Raw(rest.Route{
		OperationID: "export-usage", Method: http.MethodGet, Path: "/api/v1/usage/export", Permission: account.SitesRead,
		Summary: "Bytes of the links of all sites, by site and day, as CSV or NDJSON", Tags: tags, Description: about,
		Produces: rest.MediaCSV, AlsoProduces: []string{rest.MediaNDJSON}, Slow: true,
		Params: map[string]string{"from": "The first day in UTC.", "to": "The day after the last.", "site": "Only this site.", "format": "csv (if absent) or ndjson"},
	}, a.exportUsage)
}

func usageOf(s store.SiteView, from, to time.Time) (usageView, error) {
	v := usageView{Days: []usageDay{}, BytesPerDay: s.Site().Settings.Budget()}
	err := s.Usage(from, to, func(u store.Usage) bool {
		v.Days = append(v.Days, usageDay{u.Day.Format(time.DateOnly), u.In, u.Out, u.Calls})
		v.In += u.In
		v.Out += u.Out
		return true
	})
	return v, err
}

func (a *API) exportUsage(c *gin.Context) {
	ctx := c.Request.Context()
	from, to, err := a.parseRange(RangeInput{c.Query("from"), c.Query("to")})
	format := map[string]string{"": rest.MediaCSV, "csv": rest.MediaCSV, "ndjson": rest.MediaNDJSON}[c.Query("format")]
	if err == nil && format == "" {
		err = fmt.Errorf("%w: format %q: want csv or ndjson", fleet.ErrInvalid, c.Query("format"))
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	sees, only := a.sees(ctx), c.Query("site")
	rows := a.Fleet.Sites(func(r fleetview.Row) bool { return sees(r.Site.ID) && (only == "" || string(r.Site.ID) == only) })
	slices.SortFunc(rows, func(x, y fleetview.Row) int { return compareIDs(x.Site.ID, y.Site.ID) })
	d := rest.NewDownload(c, "usage", format, []string{"site_id", "name", "day", "bytes_in", "bytes_out", "connections"})
	type row struct {
		Site fleet.SiteID `json:"site_id"`
		usageDay
	}
	for _, r := range rows {
		err = a.Store.ViewSite(ctx, r.Site.ID, func(s store.SiteView) error {
			v, err := usageOf(s, from, to)
			if err != nil {
				return err
			}
			for _, day := range v.Days {
				err := d.Row(row{r.Site.ID, day}, []string{
					string(r.Site.ID), rest.Cell(r.Site.Name), day.Day, strconv.FormatUint(day.In, 10), strconv.FormatUint(day.Out, 10), strconv.FormatUint(day.Calls, 10),
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			break
		}
	}
	if err == nil {
		err = d.End()
	}
	if err != nil {
		a.rest.BreakOff(c, slog.LevelDebug, "export of usage ended early", err)
	}
}
