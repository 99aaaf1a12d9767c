package api

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

type siteCounts struct {
	Online         int `json:"online"`
	Late           int `json:"late"`
	Offline        int `json:"offline"`
	Stalled        int `json:"stalled"`
	NeverConnected int `json:"never_connected"`
	Revoked        int `json:"revoked"`
	Retired        int `json:"retired"`
}

type systemView struct {
	ConsoleID      string    `json:"console_id"`
	Version        string    `json:"version"`
	Epoch          string    `json:"epoch"`
	StartedAt      time.Time `json:"started_at"`
	Now            time.Time `json:"now"`
	HubLinkAddress string    `json:"hublink_address,omitempty" doc:"What claims tell hubs to dial."`
	FleetRoot      string    `json:"fleet_root_sha256"`
	Counts         struct {
		Sites         siteCounts `json:"sites"`
		Devices       int        `json:"devices"`
		OpenRequests  int        `json:"open_requests"`
		OrdersPending int        `json:"orders_pending"`
		OpenAlerts    int        `json:"open_alerts"`
		JobsRunning   int        `json:"jobs_running" doc:"Of all sites."`
	} `json:"counts" doc:"Of the sites that the subject sees."`
	Storage struct {
		Bytes uint64 `json:"bytes"`
	} `json:"storage"`
}

func (a *API) systemRoutes() {
	rest.Register(a.rest, rest.Route{
		OperationID: "get-system", Method: http.MethodGet, Path: "/api/v1/system", Permission: account.SystemRead,
		Summary: "The console at a glance", Tags: []string{"system"},
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body systemView }, error) {
		return &struct{ Body systemView }{a.system(ctx)}, nil
	})
}

func (a *API) system(ctx context.Context) systemView {
	v := systemView{
		ConsoleID: a.Identity.ConsoleID, Version: a.Version, Epoch: a.Identity.Epoch, StartedAt: a.StartedAt, Now: a.now(),
		FleetRoot: a.FleetRoot,
	}
	if url, err := a.LinkURL(ctx); err == nil {
		v.HubLinkAddress = url
	}
	sees := a.sees(ctx)
	t := a.Fleet.Totals(func(r fleetview.Row) bool { return sees(r.Site.ID) })
	n := t.Links
	v.Counts.Sites = siteCounts{
		n[fleetview.Online], n[fleetview.Late], n[fleetview.Offline], n[fleetview.Stalled],
		n[fleetview.NeverConnected], n[fleetview.Revoked], n[fleetview.Retired],
	}
	v.Counts.Devices, v.Counts.OpenRequests, v.Counts.OrdersPending = t.Devices, t.OpenRequests, t.OrdersPending
	v.Counts.OpenAlerts = len(a.Alerts.Open(func(one store.Alert) bool { return sees(one.Site) }))
	v.Counts.JobsRunning = a.Dispatch.ActiveJobs()
	v.Storage.Bytes = a.Store.Bytes()
	return v
}
