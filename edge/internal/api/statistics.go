package api

import (
	"cmp"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// responseSpread is how a duration is spread, in milliseconds.
type responseSpread struct {
	Count    int   `json:"count"`
	MedianMS int64 `json:"median_ms"`
	P95MS    int64 `json:"p95_ms"`
}

// ResponseTimes are those of some requests, from when they were opened. Exported,
// as DeviceBody is.
type ResponseTimes struct {
	Requests  int             `json:"requests"`
	Missed    int             `json:"missed"`
	Cancelled int             `json:"cancelled"`
	Accept    *responseSpread `json:"accept,omitempty" doc:"Until somebody took it; absent when nobody took any."`
	Complete  *responseSpread `json:"complete,omitempty" doc:"Until it was done."`
}

type responseGroup struct {
	Key  string `json:"key" doc:"A room, a team, a kind, an hour of the day as 08, or a day as 2026-05-01."`
	Name string `json:"name,omitempty"`
	ResponseTimes
}

type responseStatistics struct {
	From   time.Time        `json:"from"`
	To     time.Time        `json:"to"`
	By     request.Grouping `json:"by" enum:"room,team,kind,hour,day"`
	Total  ResponseTimes    `json:"total"`
	Groups []responseGroup  `json:"groups" nullable:"false"`
}

func (a *API) statisticsRoute() {
	a.rest.Raw(rest.Route{
		OperationID: "request-statistics", Method: http.MethodGet, Path: "/api/v1/requests/statistics", Permission: account.RequestsRead,
		Summary: "Response times", Tags: []string{"requests"}, Answer: responseStatistics{}, AlsoProduces: []string{rest.MediaCSV},
		Params: map[string]string{
			"from": "RFC 3339; a week before to if absent.", "to": "RFC 3339; now if absent.",
			"by": "room, team, kind, hour or day; room if absent.", "format": "json or csv; else by the header Accept.",
		},
		Description: "Of calls: no drills, tests of the hub, or walks. Medians and 95th percentiles are times that have happened.",
	}, a.statistics)
}

func (a *API) statistics(c *gin.Context) {
	format, err := rest.QueryFormat(c, rest.MediaJSON, rest.MediaCSV)
	var from, to time.Time
	if err == nil {
		from, err = rest.QueryTime(c, "from")
	}
	if err == nil {
		to, err = rest.QueryTime(c, "to")
	}
	if to.IsZero() {
		to = a.now().Add(time.Second) // what was opened in this moment counts too
	}
	if from.IsZero() {
		from = to.Add(-7 * 24 * time.Hour)
	}
	by := request.Grouping(cmp.Or(c.Query("by"), string(request.ByRoom)))
	var s request.Statistics
	if err == nil {
		s, err = a.Requests.Statistics(from, to, by, a.Zone())
	}
	var names func(string) string
	if err == nil {
		names, err = a.groupNames(by)
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	v := responseStatistics{From: from, To: to, By: by, Total: responseTimesOf(s.Total), Groups: []responseGroup{}}
	for _, g := range s.Groups {
		v.Groups = append(v.Groups, responseGroup{g.Key, names(g.Key), responseTimesOf(g.Times)})
	}
	if format == rest.MediaJSON {
		a.rest.AnswerJSON(c, v)
		return
	}
	a.exportStatistics(c, v)
}

// groupNames are what people read in the place of keys.
func (a *API) groupNames(by request.Grouping) (func(string) string, error) {
	switch by {
	case request.ByRoom:
		rooms, err := a.roomNames()
		return func(k string) string { return rooms[fleet.RoomID(k)] }, err
	case request.ByTeam:
		return func(k string) string {
			t, _ := a.Roster.Teams.Get(k)
			return t.Value.Name
		}, nil
	case request.ByKind:
		return func(k string) string {
			s, _ := a.Requests.Services.Get(k)
			return s.Value.Label
		}, nil
	case request.ByHour, request.ByDay:
	}
	return func(string) string { return "" }, nil
}

func (a *API) exportStatistics(c *gin.Context, v responseStatistics) {
	d := rest.NewDownload(c, "response-times", rest.MediaCSV, []string{
		string(v.By), "name", "requests", "missed", "cancelled", "accepted", "accept_median_s", "accept_p95_s",
		"completed", "complete_median_s", "complete_p95_s",
	})
	row := func(key, name string, t ResponseTimes) error {
		fields := []string{rest.Cell(key), rest.Cell(name), strconv.Itoa(t.Requests), strconv.Itoa(t.Missed), strconv.Itoa(t.Cancelled)}
		for _, s := range []*responseSpread{t.Accept, t.Complete} {
			if s == nil {
				fields = append(fields, "0", "", "")
				continue
			}
			fields = append(fields, strconv.Itoa(s.Count), seconds(s.MedianMS), seconds(s.P95MS))
		}
		return d.Row(nil, fields)
	}
	err := row("total", "", v.Total)
	for _, g := range v.Groups {
		if err == nil {
			err = row(g.Key, g.Name, g.ResponseTimes)
		}
	}
	if err == nil {
		err = d.End()
	}
	if err != nil {
		a.rest.BreakOff(c, slog.LevelDebug, "export ended early", err)
	}
}

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64) }

func responseTimesOf(t request.Times) ResponseTimes {
	return ResponseTimes{
		Requests: t.Requests, Missed: t.Missed, Cancelled: t.Cancelled, Accept: responseSpreadOf(t.Accept), Complete: responseSpreadOf(t.Complete),
	}
}

func responseSpreadOf(s request.Spread) *responseSpread {
	if s.N == 0 {
		return nil
	}
	return &responseSpread{Count: s.N, MedianMS: s.Median.Milliseconds(), P95MS: s.P95.Milliseconds()}
}
