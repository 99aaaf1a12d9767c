package rest

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// WriteWithin is how long a client may take for one write of a stream.
const WriteWithin = 30 * time.Second

// Timestamp is RFC 3339 in UTC with milliseconds, as exports write times.
const Timestamp = "2006-01-02T15:04:05.000Z"

// deadlineWriter gives each write its own deadline.
type deadlineWriter struct{ http.ResponseWriter }

// DeadlineWriter gives each write to w its own deadline, for routes that answer
// for long: whoever reads slowly is waited for, whoever does not read at all is
// given up.
func DeadlineWriter(w http.ResponseWriter) http.ResponseWriter { return deadlineWriter{w} }

func (d deadlineWriter) Write(b []byte) (int, error) {
	d.begin()
	return d.ResponseWriter.Write(b)
}

func (d deadlineWriter) begin() {
	// Not every connection has deadlines (tests in memory): then there is none.
	_ = http.NewResponseController(d.ResponseWriter).SetWriteDeadline(time.Now().Add(WriteWithin))
}

// BreakOff answers err where nothing was written yet; else it logs and breaks
// the connection, as what was sent must not look whole.
func (a *API) BreakOff(c *gin.Context, level slog.Level, text string, err error) {
	if !c.Writer.Written() {
		c.Writer.Header().Del("Content-Disposition")
		a.Fail(c, err)
		return
	}
	a.cfg.Log.Log(c.Request.Context(), level, text, "error", err)
	panic(http.ErrAbortHandler)
}

// AnswerJSON writes v within a deadline, for a route that has no other.
func (a *API) AnswerJSON(c *gin.Context, v any) {
	deadlineWriter{c.Writer}.begin()
	c.JSON(http.StatusOK, v)
}

// Download is an answer of lines that is written as it is made. Whoever reads
// slowly slows down the reading of what is exported and nothing else; whoever
// does not read at all is given up.
type Download struct {
	w   *bufio.Writer
	csv *csv.Writer
	enc *json.Encoder
}

// NewDownload begins a file of the given name (its suffix is added) in
// MediaNDJSON or MediaCSV; header is the first line of CSV.
func NewDownload(c *gin.Context, name, format string, header []string) *Download {
	suffix := map[string]string{MediaCSV: ".csv", MediaNDJSON: ".ndjson"}[format]
	h := c.Writer.Header()
	h.Set("Content-Type", format+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+suffix+`"`)
	c.Status(http.StatusOK)
	d := &Download{w: bufio.NewWriterSize(DeadlineWriter(c.Writer), 32<<10)}
	if format == MediaCSV {
		d.csv = csv.NewWriter(d.w)
		_ = d.csv.Write(header) // the error stays and comes at the end
		return d
	}
	d.enc = json.NewEncoder(d.w)
	d.enc.SetEscapeHTML(false)
	return d
}

// Row writes one line: fields for CSV, v for NDJSON.
func (d *Download) Row(v any, fields []string) error {
	if d.csv != nil {
		return d.csv.Write(fields)
	}
	return d.enc.Encode(v)
}

// End writes what is left.
func (d *Download) End() error {
	if d.csv != nil {
		d.csv.Flush()
		if err := d.csv.Error(); err != nil {
			return err
		}
	}
	return d.w.Flush()
}

// Cell keeps a spreadsheet from taking somebody's text for a formula.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
