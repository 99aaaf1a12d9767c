package api

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// writeWithin is how long a client may take for an answer.
const writeWithin = 30 * time.Second

// csvTime is RFC 3339 in UTC.
const csvTime = "2006-01-02T15:04:05Z"

// trafficCSV writes the buckets, or top for a group. What is not known is
// empty, not 0.
func (a *API) trafficCSV(c *gin.Context, t siteTraffic) {
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(writeWithin))
	h := c.Writer.Header()
	h.Set("Content-Type", rest.MediaCSV+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="traffic-`+string(t.SiteID)+`.csv"`)
	c.Status(http.StatusOK)
	w := csv.NewWriter(c.Writer)
	counted := []string{"messages_in", "messages_out", "bytes_in", "bytes_out", "dropped", "denied", "reconnects"}
	if t.Group == groupNone {
		_ = w.Write(append([]string{"at", "hours", "held"}, counted...)) // the error stays and comes at the end
		for _, b := range t.Buckets {
			row := []string{b.At.Format(csvTime), strconv.Itoa(b.Hours), strconv.Itoa(b.Held)}
			_ = w.Write(append(row, cells(b.Counts)...))
		}
	} else {
		_ = w.Write(append([]string{t.Group, "name"}, counted...))
		for _, v := range t.Top {
			_ = w.Write(append([]string{rest.Cell(v.Key), rest.Cell(v.Name)}, cells(&v.Totals)...))
		}
		if t.Others != nil {
			_ = w.Write(append([]string{"~others", ""}, cells(t.Others)...))
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		a.Logger.Debug("export ended early", "error", err)
	}
}

func cells(c *fleet.TrafficCounts) []string {
	out := make([]string, 7)
	if c == nil {
		return out
	}
	for i, n := range []uint64{c.MessagesIn, c.MessagesOut, c.BytesIn, c.BytesOut, c.Dropped, c.Denied, c.Reconnects} {
		out[i] = strconv.FormatUint(n, 10)
	}
	return out
}
