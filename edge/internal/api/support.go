package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/edge/internal/support"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

// Support is what the support bundle has from outside the API.
type Support struct {
	Settings map[string]any
	Log      *support.Ring
	Metrics  func(io.Writer) error
}

type settingsView struct {
	Settings map[string]any `json:"settings" doc:"By the name of the program's flag; durations as 1h30m. Secrets are removed."`
}

func (a *API) supportRoute() {
	rest.Register(a.rest, rest.Route{
		OperationID: "get-settings", Method: http.MethodGet, Path: "/api/v1/system/settings", Permission: account.SystemWrite,
		Summary: "What the hub was started with", Tags: []string{"system"},
		Description: "Changed by its flags, environment or file, and a restart.",
	}, func(context.Context, *struct{}) (*struct{ Body settingsView }, error) {
		v := settingsView{a.Support.Settings}
		if v.Settings == nil {
			v.Settings = map[string]any{}
		}
		return &struct{ Body settingsView }{v}, nil
	})
	a.rest.Raw(rest.Route{
		OperationID: "get-support", Method: http.MethodGet, Path: "/api/v1/system/support", Permission: account.SystemWrite,
		Summary: "A zip for those who help: state, log, metrics, no secrets", Tags: []string{"system"}, Produces: "application/zip",
	}, func(c *gin.Context) {
		now := a.now()
		a.record(c.Request.Context(), security.SupportMade, "", nil)
		c.Header("Content-Type", "application/zip")
		c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=%q",
			fmt.Sprintf("support-%s-%s.zip", a.Identity.Site, now.UTC().Format("20060102T150405Z"))))
		if err := a.supportBundle().Write(c.Writer); err != nil {
			a.rest.BreakOff(c, slog.LevelWarn, "support bundle was not sent to its end", err)
		}
	})
}

// deniedInSupport groups of denials are in a support bundle.
const deniedInSupport = 500

func (a *API) supportBundle() support.Bundle {
	b := support.Bundle{
		Version: a.Version, Now: a.now(), StartedAt: a.StartedAt, Settings: a.Support.Settings, Views: map[string]any{},
		Texts: map[string]func(io.Writer) error{
			"store": func(w io.Writer) error {
				_, err := io.WriteString(w, a.Store.Statistics())
				return err
			},
		},
	}
	view := func(name string, v any, err error) {
		if err != nil {
			v = map[string]string{"not gathered": err.Error()}
		}
		b.Views[name] = v
	}
	system, err := a.system()
	view("system", system, err)
	sync, err := a.sync()
	view("sync", sync, err)
	denials := []denialView{}
	for _, g := range a.Denials.List(denial.Query{Limit: deniedInSupport}) {
		denials = append(denials, denialViewOf(g))
	}
	b.Views["denials"] = denials
	if a.Support.Metrics != nil {
		b.Texts["metrics"] = a.Support.Metrics
	}
	if a.Support.Log != nil {
		b.Texts["log"] = func(w io.Writer) error {
			_, err := a.Support.Log.WriteTo(w)
			return err
		}
	}
	return b
}
