package api

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"net/http"
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

// download is an answer that is written as it is made. Whoever reads slowly
// slows down the reading of the record and nothing else; whoever does not read
// at all is given up.
type download struct {
	w   *bufio.Writer
	csv *csv.Writer
	enc *json.Encoder
}

func newDownload(c *gin.Context, name, format string, header []string) *download {
	suffix := map[string]string{rest.MediaCSV: ".csv", rest.MediaNDJSON: ".ndjson"}[format]
	h := c.Writer.Header()
	h.Set("Content-Type", format+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+suffix+`"`)
	c.Status(http.StatusOK)
	d := &download{w: bufio.NewWriterSize(deadlineWriter{c.Writer}, 32<<10)}
	if format == rest.MediaCSV {
		d.csv = csv.NewWriter(d.w)
		_ = d.csv.Write(header) // the error stays and comes at the end
		return d
	}
	d.enc = json.NewEncoder(d.w)
	d.enc.SetEscapeHTML(false)
	return d
}

// row writes one line: fields for CSV, v for NDJSON.
func (d *download) row(v any, fields []string) error {
	if d.csv != nil {
		return d.csv.Write(fields)
	}
	return d.enc.Encode(v)
}

func (d *download) end() error {
	if d.csv != nil {
		d.csv.Flush()
		if err := d.csv.Error(); err != nil {
			return err
		}
	}
	return d.w.Flush()
}

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
	d := newDownload(c, "traffic-history", format, []string{
		"at", "direction", "device_id", "topic", "type", "room", "qos", "retain", "size",
	})
	err = a.Traffic.Export(ctx, f, payloads, func(m traffic.Message) error {
		v := trafficMessageOf(&m, payloads)
		if format == rest.MediaNDJSON {
			return d.row(v, nil)
		}
		return d.row(nil, []string{
			v.At.Format(fleetTime), v.Direction, v.DeviceID, v.Topic, string(v.Type), string(v.Room),
			strconv.Itoa(v.QoS), strconv.FormatBool(v.Retain), strconv.Itoa(v.Size),
		})
	})
	if err == nil {
		err = d.end()
	}
	if err != nil {
		a.breakOff(c, slog.LevelDebug, "export ended early", err)
	}
}

// fleetTime is RFC 3339 in UTC with milliseconds.
const fleetTime = "2006-01-02T15:04:05.000Z"

// metricsRow is one line of exported metrics.
type metricsRow struct {
	Key string `json:"key"`
	trafficPoint
}

func (a *API) exportMetrics(c *gin.Context, m trafficMetrics, format string) {
	d := newDownload(c, "traffic-metrics", format, []string{
		"at", "key", "messages_in", "messages_out", "bytes_in", "bytes_out", "dropped", "denied", "reconnects",
	})
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	for _, s := range m.Series {
		for _, p := range s.Points {
			if err := d.row(metricsRow{s.Key, p}, []string{
				fleet.Millis(p.At).Format(fleetTime), s.Key, number(p.MessagesIn), number(p.MessagesOut), number(p.BytesIn),
				number(p.BytesOut), number(p.Dropped), number(p.Denied), number(p.Reconnects),
			}); err != nil {
				return // the client has gone
			}
		}
	}
	if err := d.end(); err != nil {
		a.Logger.Debug("export ended early", "error", err)
	}
}
