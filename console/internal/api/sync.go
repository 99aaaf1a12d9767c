package api

import (
	"context"
	"net/http"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/lane"
	"github.com/obedio/obedio/shared/rest"
)

type laneView struct {
	Lane    fleet.Lane `json:"lane"`
	Name    string     `json:"name"`
	Durable uint64     `json:"durable" doc:"The highest number that the console holds; for summaries the hours of traffic."`
	Head    *uint64    `json:"head,omitempty" doc:"The highest number that the hub is known to hold."`
}

type deadLetterView struct {
	Epoch  fleet.Epoch `json:"epoch"`
	Lane   fleet.Lane  `json:"lane"`
	Seq    fleet.Seq   `json:"seq"`
	Reason string      `json:"reason"`
}

type syncView struct {
	Epoch       fleet.Epoch      `json:"epoch"`
	Lanes       []laneView       `json:"lanes" nullable:"false"`
	DeadLetters int              `json:"dead_letters" doc:"Records that could not be applied."`
	Letters     []deadLetterView `json:"letters" nullable:"false" doc:"The first hundred of them."`
	Digest      string           `json:"digest" doc:"Sums up the folded state but for the audit; equal on hub and console when they are in sync."`
}

func (a *API) syncRoutes() {
	rest.Register(a.rest, rest.Route{
		OperationID: "get-site-sync", Method: http.MethodGet, Path: "/api/v1/sites/{id}/sync", Permission: account.SyncRead, Site: "id",
		Summary: "How far the console is in sync with a site's hub", Tags: []string{"sites"},
	}, a.sync)
}

// lanesOf are the lanes of a site, in the order of their urgency.
func lanesOf(durable map[fleet.Lane]uint64, c store.Contact) []laneView {
	var out []laneView
	for _, l := range []fleet.Lane{fleet.LaneRequests, fleet.LaneCommands, fleet.LaneState, fleet.LaneRegistry, fleet.LaneSummaries} {
		v := laneView{Lane: l, Name: l.String(), Durable: durable[l]}
		if head, ok := c.Heads[l]; ok {
			head = max(head, v.Durable)
			v.Head = &head
		}
		out = append(out, v)
	}
	return out
}

func (a *API) sync(ctx context.Context, in *SitePath) (*struct{ Body syncView }, error) {
	out := syncView{Letters: []deadLetterView{}}
	err := a.view(ctx, *in, func(_ fleet.SiteID, v store.SiteView) error {
		row, err := fleetview.Positions(v)
		if err != nil {
			return err
		}
		contact, err := v.Contact()
		if err != nil {
			return err
		}
		out.Lanes = lanesOf(row, contact)
		if out.Epoch, err = v.Epoch(); err != nil {
			return err
		}
		counts, err := v.Counts()
		if err != nil {
			return err
		}
		out.DeadLetters = counts.DeadLetters
		err = v.DeadLetters(func(d store.DeadLetter) bool {
			out.Letters = append(out.Letters, letterOf(d.Epoch, d.Rejected))
			return len(out.Letters) < 100
		})
		if err != nil {
			return err
		}
		out.Digest, err = v.Digest()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body syncView }{out}, nil
}

func letterOf(e fleet.Epoch, r lane.Rejected) deadLetterView {
	return deadLetterView{Epoch: e, Lane: r.Lane, Seq: r.Seq, Reason: r.Reason}
}
