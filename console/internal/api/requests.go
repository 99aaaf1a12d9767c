package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

type requestsOutput struct {
	Body rest.Page[resource.Request]
}

func (a *API) requestRoutes() {
	rest.Register(a.rest, rest.Route{
		OperationID: "list-site-requests", Method: http.MethodGet, Path: "/api/v1/sites/{id}/requests", Permission: account.RequestsRead, Site: "id",
		Summary: "Requests of a site, as the hub has told of them", Tags: []string{"requests"},
		Description: "With only open or accepted asked for: all of them, highest priority and oldest first. Else newest first.",
	}, a.listRequests)
}

func (a *API) listRequests(ctx context.Context, in *struct {
	SitePath
	rest.PageInput
	State string `query:"state" maxLength:"100" doc:"States, separated by commas; all if absent."`
}) (*requestsOutput, error) {
	states, live, err := parseStates(in.State)
	if err != nil {
		return nil, err
	}
	at, err := rest.DecodeCursor[fleet.RequestID](in.Cursor)
	if err != nil {
		return nil, err
	}
	wanted := func(r fleet.Request) bool {
		return r.Purpose.ForPeople() && (len(states) == 0 || slices.Contains(states, r.State))
	}
	out := &requestsOutput{}
	err = a.view(ctx, in.SitePath, func(_ fleet.SiteID, v store.SiteView) error {
		var rows []fleet.Request
		most := in.Limit + 1
		if live {
			most = -1 // they are sorted first
		}
		keep := func(r fleet.Request) bool {
			if wanted(r) {
				rows = append(rows, r)
			}
			return len(rows) != most
		}
		if live {
			err = v.OpenRequests(keep)
			rows = openPage(rows, at, in.Limit+1)
		} else {
			err = v.Requests(at, keep)
		}
		if err != nil {
			return err
		}
		page := rest.PageOf(rows, in.Limit, func(r fleet.Request) any { return r.ID })
		names, err := readRooms(v)
		if err != nil {
			return err
		}
		out.Body = rest.Page[resource.Request]{Items: make([]resource.Request, len(page.Items)), NextCursor: page.NextCursor}
		for i, r := range page.Items {
			if out.Body.Items[i], err = a.requestOf(v, r, names); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// parseStates reads ?state=; live says that only requests that have not ended
// are asked for.
func parseStates(s string) (states []fleet.RequestState, live bool, err error) {
	if s == "" {
		return nil, false, nil
	}
	live = true
	for word := range strings.SplitSeq(s, ",") {
		state, err := fleet.ParseRequestState(strings.TrimSpace(word))
		if err != nil {
			return nil, false, err
		}
		live = live && !state.Ended()
		states = append(states, state)
	}
	return states, live, nil
}

// openPage sorts what waits: highest priority, then oldest. The cursor is the
// last request of the page before; when that has ended since, the page begins
// anew.
func openPage(open []fleet.Request, at fleet.RequestID, most int) []fleet.Request {
	slices.SortFunc(open, func(x, y fleet.Request) int {
		return cmp.Or(cmp.Compare(y.Priority.Rank(), x.Priority.Rank()), x.OpenedAt.Compare(y.OpenedAt), cmp.Compare(x.ID, y.ID))
	})
	if i := slices.IndexFunc(open, func(r fleet.Request) bool { return r.ID == at }); i >= 0 {
		open = open[i+1:]
	}
	return open[:min(len(open), most)]
}
