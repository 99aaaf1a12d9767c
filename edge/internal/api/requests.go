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

	a.openRoutes()
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

// crewActor is who makes the request of ctx, as a member of the crew when he is
// one.
func (a *API) crewActor(ctx context.Context) fleet.Actor {
	by := actor(ctx)
	user := by.ID
	if by.PersonID != "" {
		user = by.PersonID // a person's program
	}
	if p, ok := a.Roster.OfUser(user); ok {
		by.PersonID, by.Name = p.ID, p.Name
	}
	return by
}

// after is the answer of a step; a conflict shows the request as it is.
func (a *API) after(req fleet.Request, err error) (*requestOutput, error) {
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
	out, err := a.oneRequest(req)
	return &requestOutput{Body: out}, err
}

func (a *API) openRoutes() {
	tags := []string{"requests"}
	rest.Register(a.rest, rest.Route{
		OperationID: "open-request", Method: http.MethodPost, Path: "/api/v1/requests", Permission: account.RequestsWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Open a request by hand", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Room     string `json:"room" maxLength:"64"`
			Kind     string `json:"kind,omitempty" maxLength:"64" doc:"A service; a plain call if absent."`
			Priority string `json:"priority,omitempty" enum:"normal,urgent,emergency" default:"normal"`
			Note     string `json:"note,omitempty" maxLength:"1000"`
		} `nameHint:"NewRequest"`
	}) (*requestOutput, error) {
		b := in.Body
		return a.after(a.Requests.Open(ctx, a.crewActor(ctx), request.ByHand{
			Room: fleet.RoomID(b.Room), Service: b.Kind, Priority: fleet.Priority(cmp.Or(b.Priority, string(fleet.Normal))), Note: b.Note,
		}))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "reopen-request", Method: http.MethodPost, Path: "/api/v1/requests/{id}/reopen", Permission: account.RequestsWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Open a new request for one that has ended", Tags: tags,
	}, func(ctx context.Context, in *struct {
		RequestPath
		Body struct {
			Note string `json:"note,omitempty" maxLength:"1000"`
		} `nameHint:"RequestReopen"`
	}) (*requestOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.after(a.Requests.Reopen(ctx, a.crewActor(ctx), id, in.Body.Note))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "delegate-request", Method: http.MethodPost, Path: "/api/v1/requests/{id}/delegate", Permission: account.RequestsDelegate,
		Idempotent: true, Summary: "Offer a request to a member of the crew", Tags: tags,
		Description: "Nothing is taken from whoever has the request until that person accepts it; the offer ends by itself.",
	}, func(ctx context.Context, in *struct {
		RequestPath
		Body struct {
			Version  uint64 `json:"version" minimum:"1" doc:"The version that was shown."`
			PersonID string `json:"person_id" maxLength:"64"`
		} `nameHint:"RequestDelegate"`
	}) (*requestOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		p, ok := a.Roster.Member(in.Body.PersonID)
		if !ok {
			return nil, fmt.Errorf("%w: person_id %q: there is nobody of that id", fleet.ErrInvalid, in.Body.PersonID)
		}
		return a.after(a.Requests.Offer(ctx, a.crewActor(ctx), id, in.Body.Version, p.ID, p.Name))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "decline-request", Method: http.MethodPost, Path: "/api/v1/requests/{id}/decline", Permission: account.RequestsAccept,
		Idempotent: true, Summary: "Say that one will not take a request", Tags: tags,
		Description: "To whom it is offered declines the offer; who offered it takes that back.",
	}, func(ctx context.Context, in *RequestPath) (*requestOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.after(a.Requests.Decline(ctx, a.crewActor(ctx), id))
	})
}

func (a *API) step(ctx context.Context, p RequestPath, s request.Step) (*requestOutput, error) {
	var err error
	if s.Request, err = p.parse(); err != nil {
		return nil, err
	}
	return a.after(a.Requests.Take(ctx, a.crewActor(ctx), s))
}

func (a *API) listRequests(_ context.Context, in *struct {
	rest.PageInput
	State    string `query:"state" maxLength:"100" doc:"States, separated by commas; all if absent."`
	DeviceID string `query:"device_id" maxLength:"64"`
	Room     string `query:"room" maxLength:"64"`
	Purpose  string `query:"purpose" maxLength:"100" doc:"call, drill, self_test, walk, separated by commas; calls and drills if absent."`
}) (*requestsOutput, error) {
	states, live, err := parseStates(in.State)
	if err != nil {
		return nil, err
	}
	names, err := a.roomNames()
	if err != nil {
		return nil, err
	}
	purposes, err := parsePurposes(in.Purpose)
	if err != nil {
		return nil, err
	}
	wanted := func(r fleet.Request) bool {
		return (len(states) == 0 || slices.Contains(states, r.State)) && (in.DeviceID == "" || string(r.Device) == in.DeviceID) &&
			(in.Room == "" || string(r.Room) == in.Room) && slices.Contains(purposes, r.Purpose)
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

func parsePurposes(s string) ([]fleet.Purpose, error) {
	if s == "" {
		return []fleet.Purpose{fleet.PurposeCall, fleet.PurposeDrill}, nil
	}
	var purposes []fleet.Purpose
	for word := range strings.SplitSeq(s, ",") {
		switch p := fleet.Purpose(strings.TrimSpace(word)); p {
		case "call":
			purposes = append(purposes, fleet.PurposeCall)
		case fleet.PurposeDrill, fleet.PurposeSelfTest, fleet.PurposeWalk:
			purposes = append(purposes, p)
		default:
			return nil, fmt.Errorf("%w: purpose %q: want call, drill, self_test or walk", fleet.ErrInvalid, word)
		}
	}
	return purposes, nil
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
