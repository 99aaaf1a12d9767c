package api

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/rest"
)

// denialView is one group of denials, in the list and as a live event.
type denialView struct {
	ID       uint64      `json:"id"`
	Kind     denial.Kind `json:"kind" enum:"denied,refused,limited" doc:"Rights said no; a connection got no session; a limit was met."`
	ClientID string      `json:"client_id,omitempty" doc:"For refused ones only what the client said."`
	Username string      `json:"username,omitempty"`
	Action   string      `json:"action,omitempty"`
	Topic    string      `json:"topic,omitempty"`
	Reason   string      `json:"reason" doc:"The rule that decided, or the broker's word for why."`
	Detail   string      `json:"detail,omitempty"`
	Remote   string      `json:"remote,omitempty" doc:"The address that the last one came from."`
	FirstAt  time.Time   `json:"first_at"`
	LastAt   time.Time   `json:"last_at"`
	Count    uint64      `json:"count"`
}

func denialViewOf(g denial.Group) denialView {
	e := g.Last
	return denialView{
		ID: g.ID, Kind: e.Kind, ClientID: e.Client, Username: e.Username, Action: e.Action, Topic: e.Topic, Reason: e.Reason,
		Detail: e.Detail, Remote: e.Remote, FirstAt: g.FirstAt, LastAt: e.At, Count: g.Count,
	}
}

type denialsOutput struct {
	Body struct {
		rest.Page[denialView]
		Groups  int    `json:"groups" doc:"How many are remembered."`
		Dropped uint64 `json:"dropped" doc:"How many were forgotten to make room, since the hub's start."`
	} `nameHint:"Denials"`
}

func (a *API) denialRoutes() {
	rest.Register(a.rest, rest.Route{
		OperationID: "list-denials", Method: http.MethodGet, Path: "/api/v1/security/denials", Permission: account.SecurityRead,
		Summary: "What the broker held against clients, the newest group first", Tags: []string{"security"},
		Description: "What is alike but for its time is one group. They are in memory and begin anew with the hub.",
	}, func(_ context.Context, in *struct {
		rest.PageInput
		Kind     string    `query:"kind" enum:"denied,refused,limited"`
		ClientID string    `query:"client_id" maxLength:"256"`
		Action   string    `query:"action" enum:"publish_send,publish_receive,subscribe,unsubscribe"`
		Since    time.Time `query:"since" doc:"Groups with a denial at that time or later."`
	}) (*denialsOutput, error) {
		before, err := rest.DecodeCursor[uint64](in.Cursor)
		if err != nil {
			return nil, err
		}
		var rows []denialView
		for _, g := range a.Denials.List(denial.Query{
			Kind: denial.Kind(in.Kind), Client: in.ClientID, Action: in.Action, Since: in.Since, Before: before, Limit: in.Limit + 1,
		}) {
			rows = append(rows, denialViewOf(g))
		}
		out := &denialsOutput{}
		out.Body.Page = rest.PageOf(rows, in.Limit, func(v denialView) any { return v.ID })
		out.Body.Groups, out.Body.Dropped = a.Denials.Counts()
		return out, nil
	})
}
