package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

type requestOutput struct {
	Body resource.Request
}

type requestsOutput struct {
	Body rest.Page[resource.Request]
}

// RequestPath is the path of one request. Exported, as DeviceBody is.
type RequestPath struct {
	ID string `path:"id" maxLength:"36" doc:"request_id"`
}

func (p RequestPath) parse() (fleet.RequestID, error) {
	return fleet.ParseUUID[fleet.RequestID]("request_id", p.ID)
}

func (a *API) requestRoutes() {
	tags := []string{"requests"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-requests", Method: http.MethodGet, Path: "/api/v1/requests", Permission: account.RequestsRead,
		Summary: "Requests", Tags: tags,
		Description: "With only open or accepted asked for: all of them, highest priority and oldest first. Else newest first.",
	}, a.listRequests)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-request", Method: http.MethodGet, Path: "/api/v1/requests/{id}", Permission: account.RequestsRead,
		Summary: "One request", Tags: tags,
	}, func(_ context.Context, in *RequestPath) (*requestOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		r, found, err := fleet.Get[fleet.Request](a.Store, fleet.RequestRef(id))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("%w: request %s", fleet.ErrNotFound, id)
		}
		out, err := a.oneRequest(r)
		return &requestOutput{Body: out}, err
	})

	type step struct {
		name, summary string
		permission    account.Action
		to            fleet.RequestState
	}
	for _, s := range []step{
		{"accept", "Take a request", account.RequestsAccept, fleet.RequestAccepted},
		{"complete", "Say that a request is done", account.RequestsComplete, fleet.RequestCompleted},
	} {
		rest.Register(a.rest, rest.Route{
			OperationID: s.name + "-request", Method: http.MethodPost, Path: "/api/v1/requests/{id}/" + s.name,
			Permission: s.permission, Idempotent: true, Summary: s.summary, Tags: tags,
			Description: "409 with the member request when somebody was faster: it says who.",
		}, func(ctx context.Context, in *struct {
			RequestPath
			Body struct {
				Version uint64 `json:"version" minimum:"1" doc:"The version that was shown."`
				Note    string `json:"note,omitempty" maxLength:"1000"`
			} `nameHint:"RequestStep"`
		}) (*requestOutput, error) {
			return a.step(ctx, in.RequestPath, request.Step{Version: in.Body.Version, To: s.to, Note: in.Body.Note})
		})
	}
	rest.Register(a.rest, rest.Route{
		OperationID: "cancel-request", Method: http.MethodPost, Path: "/api/v1/requests/{id}/cancel",
		Permission: account.RequestsCancel, Idempotent: true, Summary: "Cancel a request", Tags: tags,
	}, func(ctx context.Context, in *struct {
		RequestPath
		Body struct {
			Version uint64 `json:"version" minimum:"1"`
			Reason  string `json:"reason" enum:"guest,false_press,duplicate,other"`
			Note    string `json:"note,omitempty" maxLength:"1000"`
		} `nameHint:"RequestCancel"`
	}) (*requestOutput, error) {
		return a.step(ctx, in.RequestPath, request.Step{
			Version: in.Body.Version, To: fleet.RequestCancelled, Reason: fleet.CancelReason(in.Body.Reason), Note: in.Body.Note,
		})
	})
}

func (a *API) step(ctx context.Context, p RequestPath, s request.Step) (*requestOutput, error) {
	var err error
	if s.Request, err = p.parse(); err != nil {
		return nil, err
	}
	after, err := a.Requests.Take(ctx, actor(ctx), s)
	var conflict *request.Conflict
	if errors.As(err, &conflict) {
		now, lookErr := a.oneRequest(conflict.Request)
		if lookErr != nil {
			return nil, lookErr
		}
		return nil, rest.WithMember(err, "request", now)
	}
	if err != nil {
		return nil, err
	}
	out, err := a.oneRequest(after)
	return &requestOutput{Body: out}, err
}

func (a *API) listRequests(_ context.Context, in *struct {
	rest.PageInput
	State    string `query:"state" maxLength:"100" doc:"States, separated by commas; all if absent."`
	DeviceID string `query:"device_id" maxLength:"64"`
}) (*requestsOutput, error) {
	states, live, err := parseStates(in.State)
	if err != nil {
		return nil, err
	}
	names, err := a.roomNames()
	if err != nil {
		return nil, err
	}
	wanted := func(r fleet.Request) bool {
		return (len(states) == 0 || slices.Contains(states, r.State)) && (in.DeviceID == "" || string(r.Device) == in.DeviceID)
	}
	var rows []fleet.Request
	if live {
		open, err := a.Store.OpenRequests()
		if err != nil {
			return nil, err
		}
		rows, err = openPage(open, wanted, in.PageInput)
		if err != nil {
			return nil, err
		}
	} else {
		before, err := rest.DecodeCursor[string](in.Cursor)
		if err != nil {
			return nil, err
		}
		err = store.EntitiesBefore(a.Store, "", before, func(r fleet.Request) bool {
			if wanted(r) {
				rows = append(rows, r)
			}
			return len(rows) <= in.Limit
		})
		if err != nil {
			return nil, err
		}
	}
	page := rest.PageOf(rows, in.Limit, func(r fleet.Request) any { return r.ID })
	out := rest.Page[resource.Request]{Items: make([]resource.Request, len(page.Items)), NextCursor: page.NextCursor}
	for i, r := range page.Items {
		out.Items[i] = a.requestResource(r, names)
	}
	return &requestsOutput{Body: out}, nil
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
// last request of the page before.
func openPage(open []fleet.Request, wanted func(fleet.Request) bool, page rest.PageInput) ([]fleet.Request, error) {
	open = slices.DeleteFunc(open, func(r fleet.Request) bool { return !wanted(r) })
	slices.SortFunc(open, func(x, y fleet.Request) int {
		return cmp.Or(cmp.Compare(y.Priority.Rank(), x.Priority.Rank()), x.OpenedAt.Compare(y.OpenedAt), cmp.Compare(x.ID, y.ID))
	})
	after, err := rest.DecodeCursor[fleet.RequestID](page.Cursor)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(open, func(r fleet.Request) bool { return r.ID == after }); i >= 0 {
		open = open[i+1:]
	}
	return open[:min(len(open), page.Limit+1)], nil
}
