package api

import (
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/rest"
)

// rangeOf reads from and to.
func rangeOf(c *gin.Context) (from, to time.Time, err error) {
	if from, err = rest.QueryTime(c, "from"); err == nil {
		to, err = rest.QueryTime(c, "to")
	}
	if err == nil && !from.IsZero() && !to.IsZero() && to.Before(from) {
		err = rest.WrongQuery("to", "is before from")
	}
	return from, to, err
}

func trafficFilter(c *gin.Context) (traffic.Filter, error) {
	f := traffic.Filter{Device: c.Query("device"), Topic: c.Query("topic")}
	var err error
	if f.Direction, err = traffic.ParseDirection(c.Query("direction")); err != nil {
		return f, rest.WrongQuery("direction", "want inbound or outbound")
	}
	if f.From, f.To, err = rangeOf(c); err != nil {
		return f, err
	}
	return f, f.Check()
}

func metricsQuery(c *gin.Context) (traffic.MetricsQuery, error) {
	q := traffic.MetricsQuery{Group: traffic.Group(c.Query("group_by")), Device: c.Query("device")}
	var err error
	if q.From, q.To, err = rangeOf(c); err != nil {
		return q, err
	}
	if q.Top, err = rest.QueryNumber(c, "top", 100); err != nil {
		return q, err
	}
	if s := c.Query("bucket"); s != "" {
		if q.Bucket, err = time.ParseDuration(s); err != nil || q.Bucket <= 0 {
			return q, rest.WrongQuery("bucket", "want a duration such as 5m or 1h")
		}
	}
	return q, nil
}

func (a *API) trafficHistory(c *gin.Context) {
	f, err := trafficFilter(c)
	var format string
	if err == nil {
		format, err = rest.QueryFormat(c, rest.MediaJSON, rest.MediaCSV, rest.MediaNDJSON)
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	if format != rest.MediaJSON {
		a.exportHistory(c, f, format)
		return
	}
	page, err := a.historyPage(c, f)
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	a.rest.AnswerJSON(c, page)
}

func (a *API) historyPage(c *gin.Context, f traffic.Filter) (trafficHistory, error) {
	limits := a.rest.Config()
	limit, err := rest.QueryNumber(c, "limit", limits.PageMax)
	if err != nil {
		return trafficHistory{}, err
	}
	if limit == 0 {
		limit = limits.PageDefault
	}
	cursor, err := rest.DecodeCursor[traffic.Cursor](c.Query("cursor"))
	if err != nil {
		return trafficHistory{}, err
	}
	h, err := a.Traffic.History(c.Request.Context(), f, limit, cursor)
	if err != nil {
		return trafficHistory{}, err
	}
	payloads := a.mayRead(rest.SubjectOf(c.Request.Context()))
	page := trafficHistory{Items: []trafficMessage{}, Gaps: append([]traffic.Gap{}, h.Gaps...)}
	for _, m := range h.Messages {
		page.Items = append(page.Items, trafficMessageOf(&m, payloads))
	}
	if h.Next != nil {
		next := rest.EncodeCursor(h.Next)
		page.NextCursor = &next
	}
	return page, nil
}

func (a *API) trafficMetrics(c *gin.Context) {
	q, err := metricsQuery(c)
	var format string
	if err == nil {
		format, err = rest.QueryFormat(c, rest.MediaJSON, rest.MediaCSV, rest.MediaNDJSON)
	}
	var m traffic.Metrics
	if err == nil {
		m, err = a.Traffic.Metrics(c.Request.Context(), q)
	}
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	if format != rest.MediaJSON {
		a.exportMetrics(c, metricsView(m), format)
		return
	}
	a.rest.AnswerJSON(c, metricsView(m))
}
