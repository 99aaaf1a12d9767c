package api

import (
	"log/slog"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/traffic"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// Exports at once, and of one subject: each holds a moment of the record.
const (
	maxExports    = 64
	ownMaxExports = 4
)

// exportHistory writes all that f wants, the oldest first. CSV has no
// payloads: a spreadsheet would take some of them for formulas.
func (a *API) exportHistory(c *gin.Context, f traffic.Filter, format string) {
	if c.Query("cursor") != "" || c.Query("limit") != "" {
		a.rest.Fail(c, rest.WrongQuery("limit", "an export has no pages: narrow it with from and to"))
		return
	}
	ctx, leave, err := a.rest.EnterStream(c.Request.Context(), maxExports, ownMaxExports)
	if err != nil {
		a.rest.Fail(c, err)
		return
	}
	defer leave()
	payloads := format == rest.MediaNDJSON && a.mayRead(rest.SubjectOf(ctx))
	d := rest.NewDownload(c, "traffic-history", format, []string{
		"at", "direction", "device_id", "topic", "type", "room", "qos", "retain", "size",
	})
	err = a.Traffic.Export(ctx, f, payloads, func(m traffic.Message) error {
		v := trafficMessageOf(&m, payloads)
		if format == rest.MediaNDJSON {
			return d.Row(v, nil)
		}
		return d.Row(nil, []string{
			v.At.Format(rest.Timestamp), v.Direction, v.DeviceID, v.Topic, string(v.Type), string(v.Room),
			strconv.Itoa(v.QoS), strconv.FormatBool(v.Retain), strconv.Itoa(v.Size),
		})
	})
	if err == nil {
		err = d.End()
	}
	if err != nil {
		a.rest.BreakOff(c, slog.LevelDebug, "export ended early", err)
	}
}

// metricsRow is one line of exported metrics.
type metricsRow struct {
	Key string `json:"key"`
	trafficPoint
}

func (a *API) exportMetrics(c *gin.Context, m trafficMetrics, format string) {
	d := rest.NewDownload(c, "traffic-metrics", format, []string{
		"at", "key", "messages_in", "messages_out", "bytes_in", "bytes_out", "dropped", "denied", "reconnects",
	})
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for _, s := range m.Series {
		for _, p := range s.Points {
			if err := d.Row(metricsRow{s.Key, p}, []string{
				fleet.Millis(p.At).Format(rest.Timestamp), s.Key, number(p.MessagesIn), number(p.MessagesOut), number(p.BytesIn),
				number(p.BytesOut), number(p.Dropped), number(p.Denied), number(p.Reconnects),
			}); err != nil {
				return // the client has gone
			}
		}
	}
	if err := d.End(); err != nil {
		a.Logger.Debug("export ended early", "error", err)
	}
}
