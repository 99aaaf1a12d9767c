package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// writeWithin is how long a client may take for one write.
const writeWithin = 30 * time.Second

// deadlineWriter gives each write its own deadline, for routes that answer for
// long: whoever reads slowly is waited for, whoever does not read at all is
// given up.
type deadlineWriter struct{ http.ResponseWriter }

func (d deadlineWriter) Write(b []byte) (int, error) {
	d.begin()
	return d.ResponseWriter.Write(b)
}

func (d deadlineWriter) begin() {
	// Not every connection has deadlines (tests in memory): then there is none.
	_ = http.NewResponseController(d.ResponseWriter).SetWriteDeadline(time.Now().Add(writeWithin))
}

// breakOff answers err where nothing was written yet; else it logs and breaks
// the connection, as what was sent must not look whole.
func (a *API) breakOff(c *gin.Context, level slog.Level, text string, err error) {
	if !c.Writer.Written() {
		c.Writer.Header().Del("Content-Disposition")
		a.rest.Fail(c, err)
		return
	}
	a.Logger.Log(c.Request.Context(), level, text, "error", err)
	panic(http.ErrAbortHandler)
}

// answer writes v within a deadline: the route has no other.
func (a *API) answer(c *gin.Context, v any) {
	deadlineWriter{c.Writer}.begin()
	c.JSON(http.StatusOK, v)
}
