package rest

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestBreakOff_AnAnswerThatWasBegunDoesNotLookWhole(t *testing.T) {
	a := &API{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/system/support", nil)
	c.String(http.StatusOK, "the beginning")
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the handler ended with %v, want the connection broken", err)
		}
	}()
	a.BreakOff(c, slog.LevelInfo, "test", errors.New("input/output error"))
}

func TestCell_IsNoFormula(t *testing.T) {
	for in, want := range map[string]string{"": "", "btn-1": "btn-1", "=1+1": "'=1+1", "@x": "'@x", "-1": "'-1", "+1": "'+1", "\tx": "'\tx"} {
		if got := Cell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
