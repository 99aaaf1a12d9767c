package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/wire"
)

// backlog is how many records of each lane the console does not hold yet.
type backlog struct {
	Requests uint64 `json:"requests"`
	Commands uint64 `json:"commands"`
	State    uint64 `json:"state"`
	Registry uint64 `json:"registry"`
}

// uplinkView is how the link to the console is.
type uplinkView struct {
	State       uplink.State `json:"state" enum:"none,connecting,online,offline,refused"`
	Since       time.Time    `json:"since"`
	LastContact *time.Time   `json:"last_contact,omitempty"`
	LastError   string       `json:"last_error,omitempty"`
	ConsoleURL  string       `json:"console_url,omitempty"`
	Backlog     backlog      `json:"backlog"`
}

type deviceCounts struct {
	Ready        int `json:"ready"`
	Sleeping     int `json:"sleeping"`
	Late         int `json:"late"`
	Lost         int `json:"lost"`
	Disconnected int `json:"disconnected"`
	NeverSeen    int `json:"never_seen"`
	Retired      int `json:"retired"`
}

type systemView struct {
	Site         fleet.SiteID `json:"site"`
	SiteName     string       `json:"site_name"`
	TimeZone     string       `json:"time_zone,omitempty" doc:"Of the IANA database; pages show times in it."`
	HubID        string       `json:"hub_id" doc:"The installation's id."`
	Version      string       `json:"version"`
	Epoch        fleet.Epoch  `json:"epoch"`
	StartedAt    time.Time    `json:"started_at"`
	Now          time.Time    `json:"now"`
	ClockTrusted bool         `json:"clock_trusted"`
	Uplink       uplinkView   `json:"uplink"`
	Counts       struct {
		Devices  deviceCounts `json:"devices"`
		Requests struct {
			Open     int `json:"open"`
			Accepted int `json:"accepted"`
		} `json:"requests"`
		WatchesReachable int `json:"watches_reachable" doc:"Connected and subscribed now, and answering when asked."`
		Watches          int `json:"watches"`
	} `json:"counts"`
	Storage  storageView   `json:"storage"`
	Messages messageCounts `json:"messages"`
}

// messageCounts are the broker's counters since its start.
type messageCounts struct {
	In          uint64            `json:"in"`
	Out         uint64            `json:"out"`
	Connected   int               `json:"connected"`
	Refused     map[string]uint64 `json:"refused"`
	Denied      map[string]uint64 `json:"denied"`
	Dropped     map[string]uint64 `json:"dropped"`
	Limits      map[string]uint64 `json:"limits"`
	BadPayloads map[string]uint64 `json:"bad_payloads" doc:"Per device: payloads, or fields of them, that could not be read."`
}

type laneView struct {
	Lane    fleet.Lane `json:"lane"`
	Name    string     `json:"name"`
	Head    uint64     `json:"head"`
	Acked   uint64     `json:"acked"`
	Backlog uint64     `json:"backlog"`
	// OldestAt is absent for lanes that have no records of their own: the state
	// is the newest only, and hours are summed up when they are sent.
	OldestAt *time.Time `json:"oldest_at,omitempty" doc:"When the oldest record that the console does not hold was written; absent without one, and for lanes without records."`
}

type syncView struct {
	Epoch   fleet.Epoch `json:"epoch"`
	Console *struct {
		ConsoleID string `json:"console_id"`
		Epoch     string `json:"epoch"`
	} `json:"console,omitempty"`
	Uplink uplinkView `json:"uplink"`
	Lanes  []laneView `json:"lanes" nullable:"false"`
	Orders struct {
		Cursor uint64 `json:"cursor"`
		Head   uint64 `json:"head"`
	} `json:"orders"`
	Budget budgetView `json:"budget"`
	Digest string     `json:"digest" doc:"Sums up the folded state but for the audit; equal on hub and console when they are in sync."`
}

// budgetView is what the link may carry and has carried.
type budgetView struct {
	Rung      uplink.Rung `json:"rung" enum:"full,economy,crisis,calls,silent" doc:"How much goes up: full is everything, silent is nothing."`
	Cause     string      `json:"cause,omitempty"`
	PerDay    uint64      `json:"bytes_per_day" doc:"0 for no bound."`
	PerMonth  uint64      `json:"bytes_per_month" doc:"0 for no bound."`
	Reserve   int         `json:"reserve_percent" doc:"Kept for calls and commands."`
	UsedDay   uint64      `json:"used_today"`
	UsedMonth uint64      `json:"used_this_month"`
	Goodput   uint64      `json:"goodput_bytes_per_s" doc:"What the link has carried of bulk data; 0 when there was none."`
}

func (a *API) systemRoutes() {
	tags := []string{"system"}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-system", Method: http.MethodGet, Path: "/api/v1/system", Permission: account.SystemRead,
		Summary: "The hub at a glance", Tags: tags,
	}, func(context.Context, *struct{}) (*struct{ Body systemView }, error) {
		v, err := a.system()
		return &struct{ Body systemView }{v}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-sync", Method: http.MethodGet, Path: "/api/v1/sync", Permission: account.SyncRead,
		Summary: "Lanes, cursors and backlog", Tags: tags,
	}, func(context.Context, *struct{}) (*struct{ Body syncView }, error) {
		v, err := a.sync()
		return &struct{ Body syncView }{v}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "sync-now", Method: http.MethodPost, Path: "/api/v1/sync", Permission: account.SyncControl,
		Status: http.StatusAccepted, Summary: "Try the link now", Tags: tags,
	}, func(context.Context, *struct{}) (*struct{}, error) {
		a.Uplink.SyncNow()
		return nil, nil
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "enroll", Method: http.MethodPost, Path: "/api/v1/sync/enrolment", Permission: account.SystemWrite,
		Summary: "Enrol the hub at a console, with its claim file", Tags: tags,
	}, func(ctx context.Context, in *struct{ Body identity.Claim }) (*struct {
		Body struct {
			HubID fleet.HubID `json:"hub_id"`
		} `nameHint:"Enrolment"`
	}, error) {
		hub, err := a.Uplink.Enroll(ctx, actor(ctx), in.Body)
		if err != nil {
			return nil, err
		}
		out := &struct {
			Body struct {
				HubID fleet.HubID `json:"hub_id"`
			} `nameHint:"Enrolment"`
		}{}
		out.Body.HubID = hub
		return out, nil
	})
}

func (a *API) uplinkView(s uplink.Status) uplinkView {
	v := uplinkView{State: s.State, Since: s.Since, LastError: s.LastError, ConsoleURL: s.URL}
	if !s.LastContact.IsZero() {
		at := s.LastContact
		v.LastContact = &at
	}
	for _, l := range s.Lanes {
		switch n := l.Backlog(); l.Lane {
		case fleet.LaneRequests:
			v.Backlog.Requests = n
		case fleet.LaneCommands:
			v.Backlog.Commands = n
		case fleet.LaneState:
			v.Backlog.State = uint64(a.Presence.Changed(l.Acked))
		case fleet.LaneRegistry:
			v.Backlog.Registry = n
		case fleet.LaneSummaries, fleet.LaneHistory:
		}
	}
	return v
}

func (a *API) system() (systemView, error) {
	now, trusted := a.Clock.Now()
	v := systemView{
		Site: a.Identity.Site, SiteName: a.site.Load().SiteName, TimeZone: a.site.Load().TimeZone, HubID: a.Identity.InstallID, Version: a.Version, Epoch: a.Identity.Epoch,
		StartedAt: a.StartedAt, Now: fleet.Millis(now), ClockTrusted: trusted,
	}
	link, err := a.Uplink.Status()
	if err != nil {
		return v, err
	}
	v.Uplink = a.uplinkView(link)
	n := a.Presence.Counts()
	v.Counts.Devices = deviceCounts{
		Ready: n[fleet.Ready], Sleeping: n[fleet.Sleeping], Late: n[fleet.Late], Lost: n[fleet.Lost],
		Disconnected: n[fleet.Disconnected], NeverSeen: n[fleet.NeverSeen], Retired: n[fleet.Retired],
	}
	open, err := a.Store.OpenRequests()
	if err != nil {
		return v, fmt.Errorf("read open requests: %w", err)
	}
	for _, r := range open {
		switch {
		case !r.Purpose.ForPeople():
		case r.State == fleet.RequestOpen:
			v.Counts.Requests.Open++
		default:
			v.Counts.Requests.Accepted++
		}
	}
	devices, err := a.Registry.Devices()
	if err != nil {
		return v, err
	}
	for _, d := range devices {
		if d.Type != fleet.Watch {
			continue
		}
		v.Counts.Watches++
		if a.Why(d) == "" {
			v.Counts.WatchesReachable++
		}
	}
	v.Storage = a.storage()
	v.Messages = a.messages()
	return v, nil
}

func (a *API) messages() messageCounts {
	s := a.Broker.Stats()
	m := messageCounts{
		Connected: s.Connected, Refused: words(s.Refused), Denied: map[string]uint64{}, Dropped: words(s.Dropped),
		Limits: words(s.Limits), BadPayloads: a.BadPayloads(),
	}
	for k, n := range s.Denied {
		if n > 0 {
			m.Denied[k.String()] = n
		}
	}
	for k, n := range s.Messages {
		if k.Direction == "in" {
			m.In += n
		} else {
			m.Out += n
		}
	}
	return m
}

// words leaves out what never happened.
func words[K ~string](counts map[K]uint64) map[string]uint64 {
	out := map[string]uint64{}
	for k, n := range counts {
		if n > 0 {
			out[string(k)] = n
		}
	}
	return out
}

// writtenAt is when the first record of a lane from one number on was written;
// nil when there is none, or none that this program can read.
func (a *API) writtenAt(l fleet.Lane, from fleet.Seq) (*time.Time, error) {
	var at *time.Time
	err := a.Store.EachRecord(l, from, func(_ fleet.Seq, encoded []byte) (bool, error) {
		if r, err := wire.DecodeRecord(l, encoded); err == nil {
			t := fleet.Millis(r.At)
			at = &t
		}
		return false, nil
	})
	return at, err
}

func (a *API) sync() (syncView, error) {
	s, err := a.Uplink.Status()
	v := syncView{Epoch: a.Identity.Epoch, Lanes: []laneView{}, Uplink: a.uplinkView(s)}
	if err != nil {
		return v, err
	}
	if s.ConsoleID != "" {
		v.Console = &struct {
			ConsoleID string `json:"console_id"`
			Epoch     string `json:"epoch"`
		}{s.ConsoleID, s.ConsoleEpoch}
	}
	for _, l := range s.Lanes {
		view := laneView{Lane: l.Lane, Name: l.Lane.String(), Head: l.Head, Acked: l.Acked, Backlog: l.Backlog()}
		if view.Backlog > 0 && l.Lane != fleet.LaneState && l.Lane != fleet.LaneSummaries {
			if view.OldestAt, err = a.writtenAt(l.Lane, fleet.Seq(l.Acked+1)); err != nil {
				return v, err
			}
		}
		v.Lanes = append(v.Lanes, view)
	}
	v.Orders.Cursor, v.Orders.Head = s.OrderCursor, s.OrderHead
	b := s.Ladder
	v.Budget = budgetView{
		Rung: cmp.Or(b.Rung, uplink.RungFull), Cause: b.Cause, PerDay: b.Budget.PerDay, PerMonth: b.Budget.PerMonth, Reserve: b.Budget.Reserve,
		UsedDay: b.UsedDay, UsedMonth: b.UsedMonth, Goodput: s.Goodput,
	}
	v.Digest, err = a.Store.SyncDigest()
	return v, err
}
