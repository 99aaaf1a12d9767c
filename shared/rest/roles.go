package rest

import (
	"context"
	"net/http"

	"github.com/obedio/obedio/shared/account"
)

// RoleView is a role of the program, with what it may do.
type RoleView struct {
	Role account.Role `json:"role"`
	// BySite tells roles that need a list of sites from those that have none.
	BySite        bool             `json:"by_site" doc:"Whether it sees only the sites of a list."`
	Administrator bool             `json:"administrator" doc:"Whether it may do everything; the last one stays."`
	Permissions   []account.Action `json:"permissions" nullable:"false" doc:"What it may do, by name; a token's scopes are some of these."`
}

// roleRoutes tell what is hidden nowhere: what each role may do, for whoever
// gives one to somebody and for whoever has one.
func (a *API) roleRoutes() {
	type output struct {
		Body struct {
			Items []RoleView `json:"items" nullable:"false" doc:"The most powerful first."`
		} `nameHint:"Roles"`
	}
	Register(a, Route{
		OperationID: "list-roles", Method: http.MethodGet, Path: "/api/v1/roles", Permission: account.SessionsOwn,
		Summary: "The roles, and what each may do", Tags: []string{"people"},
	}, func(context.Context, *struct{}) (*output, error) {
		out := &output{}
		for _, r := range a.policy.Roles() {
			out.Body.Items = append(out.Body.Items, RoleView{
				Role: r, BySite: a.policy.BySite(r), Administrator: r == a.policy.Administrator(), Permissions: a.policy.Actions(r),
			})
		}
		return out, nil
	})
}
