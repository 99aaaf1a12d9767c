package api

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/document"
	"github.com/obedio/obedio/edge/internal/request"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// NewService is a service with its kind.
type NewService struct {
	Kind string `json:"kind" maxLength:"64"`
	request.Service
}

type serviceView struct {
	Kind string `json:"kind" doc:"What requests for it are called."`
	request.Service
	DocumentView
}

// NewPressProfile is a press profile with its name.
type NewPressProfile struct {
	Name string `json:"name" maxLength:"64"`
	request.PressProfile
}

type pressProfileView struct {
	Name string `json:"name"`
	request.PressProfile
	BuiltIn bool `json:"built_in,omitempty" doc:"It is part of the program; changing it stores one in its place."`
	DocumentView
}

// NewEscalation is an escalation with the priority that it is for.
type NewEscalation struct {
	Priority string `json:"priority" enum:"normal,urgent,emergency"`
	request.Escalation
}

type escalationView struct {
	Priority string `json:"priority" enum:"normal,urgent,emergency"`
	request.Escalation
	BuiltIn bool `json:"built_in,omitempty"`
	DocumentView
}

type drillView struct {
	Active bool       `json:"active"`
	Until  *time.Time `json:"until,omitempty"`
}

// callingRoutes are what calls mean and who is told of them.
func (a *API) callingRoutes() {
	documents[request.Service, NewService, serviceView]{
		path: "/api/v1/services", noun: "service", plural: "services", tag: "requests",
		read: account.RequestsRead, write: account.CrewWrite, set: a.Requests.Services,
		named: func(n NewService) (string, request.Service) { return n.Kind, n.Service },
		view: func(d document.Of[request.Service]) serviceView {
			return serviceView{d.Name, d.Value, documentViewOf(d)}
		},
	}.register(a)
	documents[request.PressProfile, NewPressProfile, pressProfileView]{
		path: "/api/v1/press-profiles", noun: "press-profile", plural: "press-profiles", tag: "requests",
		read: account.RequestsRead, write: account.CrewWrite, set: a.Requests.Profiles,
		named: func(n NewPressProfile) (string, request.PressProfile) { return n.Name, n.PressProfile },
		view: func(d document.Of[request.PressProfile]) pressProfileView {
			return pressProfileView{d.Name, d.Value, d.Version == 0, documentViewOf(d)}
		},
		builtIn: func() []document.Of[request.PressProfile] {
			return []document.Of[request.PressProfile]{{Name: request.DefaultPressProfile, Value: a.Requests.Profile("")}}
		},
	}.register(a)
	documents[request.Escalation, NewEscalation, escalationView]{
		path: "/api/v1/escalations", noun: "escalation", plural: "escalations", tag: "requests",
		read: account.RequestsRead, write: account.CrewWrite, set: a.Requests.Escalations,
		named: func(n NewEscalation) (string, request.Escalation) { return n.Priority, n.Escalation },
		view: func(d document.Of[request.Escalation]) escalationView {
			return escalationView{d.Name, d.Value, d.Version == 0, documentViewOf(d)}
		},
		builtIn: func() []document.Of[request.Escalation] {
			var all []document.Of[request.Escalation]
			for _, p := range fleet.Priorities() {
				all = append(all, document.Of[request.Escalation]{Name: string(p), Value: a.Requests.Escalation(p)})
			}
			return all
		},
	}.register(a)
	a.drillRoutes()
}

func (a *API) drillRoutes() {
	tags := []string{"requests"}
	type output struct{ Body drillView }
	show := func() (*output, error) {
		until, err := a.Requests.Drill()
		v := drillView{Active: a.now().Before(until)}
		if v.Active {
			v.Until = &until
		}
		return &output{v}, err
	}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-drill", Method: http.MethodGet, Path: "/api/v1/drill", Permission: account.RequestsRead,
		Summary: "Whether the crew practises", Tags: tags,
	}, func(context.Context, *struct{}) (*output, error) { return show() })
	rest.Register(a.rest, rest.Route{
		OperationID: "set-drill", Method: http.MethodPut, Path: "/api/v1/drill", Permission: account.CrewWrite,
		Summary: "Begin a drill, or end it", Tags: tags,
		Description: "What is opened meanwhile rings as ever, is marked as a drill, and stays out of the response times.",
	}, func(ctx context.Context, in *struct {
		Body struct {
			Until time.Time `json:"until,omitzero" doc:"At most 4 h from now; absent ends the drill."`
		} `nameHint:"Drill"`
	}) (*output, error) {
		if err := a.Requests.SetDrill(ctx, actor(ctx), in.Body.Until); err != nil {
			return nil, err
		}
		a.publish(eventConfig, account.RequestsRead, removed{Kind: "drill"})
		return show()
	})
}
