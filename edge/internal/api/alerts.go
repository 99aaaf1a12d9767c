package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

type alertOutput struct {
	Body resource.Alert
}

type alertsOutput struct {
	Body rest.Page[resource.Alert]
}

// AlertPath is the path of one alert. Exported, as DeviceBody is.
type AlertPath struct {
	ID string `path:"id" maxLength:"36" doc:"alert_id"`
}

func (p AlertPath) parse() (fleet.AlertID, error) {
	return fleet.ParseUUID[fleet.AlertID]("alert_id", p.ID)
}

func (a *API) alertRoutes() {
	tags := []string{"alerts"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/api/v1/alerts", Permission: account.AlertsRead,
		Summary: "Alerts", Tags: tags,
		Description: "Without cleared ones: those whose condition holds first, the worst first. With them: the newest first.",
	}, a.listAlerts)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-alert", Method: http.MethodGet, Path: "/api/v1/alerts/{id}", Permission: account.AlertsRead,
		Summary: "One alert", Tags: tags,
	}, func(_ context.Context, in *AlertPath) (*alertOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.oneAlert(a.Alerts.Alert(id))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "acknowledge-alert", Method: http.MethodPost, Path: "/api/v1/alerts/{id}/acknowledge", Permission: account.AlertsAck,
		Idempotent: true, Summary: "Say that an alert was seen", Tags: tags,
		Description: "One whose condition is gone ends by it. Said twice it is true already; 409 for one that has ended.",
	}, func(ctx context.Context, in *AlertPath) (*alertOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		return a.oneAlert(a.Alerts.Acknowledge(ctx, actor(ctx), id))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "silence-alert", Method: http.MethodPost, Path: "/api/v1/alerts/{id}/silence", Permission: account.AlertsAck,
		Idempotent: true, Summary: "Do not hear an alert for a while", Tags: tags,
		Description: "It is not acknowledged by that, and comes back when the time is over and its condition holds.",
	}, func(ctx context.Context, in *struct {
		AlertPath
		Body struct {
			Until   time.Time `json:"until,omitzero" doc:"Either this, or minutes."`
			Minutes int       `json:"minutes,omitempty" minimum:"0" maximum:"43200"`
		} `nameHint:"AlertSilence"`
	}) (*alertOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		until, minutes := in.Body.Until, in.Body.Minutes
		if until.IsZero() == (minutes == 0) {
			return nil, fmt.Errorf("%w: name until or minutes, one of them", fleet.ErrInvalid)
		}
		return a.oneAlert(a.Alerts.Silence(ctx, actor(ctx), id, func(now time.Time) time.Time {
			if minutes > 0 {
				return now.Add(time.Duration(minutes) * time.Minute)
			}
			return until
		}))
	})
}

func (a *API) oneAlert(v fleet.Alert, err error) (*alertOutput, error) {
	if err != nil {
		return nil, err
	}
	return &alertOutput{Body: a.alertResource(v)}, nil
}

// alertResource shows an alert with the words that people read.
func (a *API) alertResource(v fleet.Alert) resource.Alert {
	out := resource.AlertOf(v)
	if c, ok := a.Alerts.Condition(v.Kind); ok {
		out.Title, out.Action = c.Title, c.Action
	}
	if v.Room != "" {
		out.RoomName = string(v.Room)
		if room, found, err := fleet.Get[fleet.Room](a.Store, fleet.RoomRef(v.Room)); err == nil && found && room.Name != "" {
			out.RoomName = room.Name
		}
	}
	return out
}

func (a *API) listAlerts(_ context.Context, in *struct {
	rest.PageInput
	State    string `query:"state" maxLength:"100" doc:"States, separated by commas; open stands for all but cleared; all if absent."`
	Severity string `query:"severity" maxLength:"50" doc:"Severities, separated by commas."`
	Kind     string `query:"kind" maxLength:"64"`
	Subject  string `query:"subject" maxLength:"256" doc:"Such as a device_id."`
}) (*alertsOutput, error) {
	states, severities, err := alertFilter(in.State, in.Severity)
	if err != nil {
		return nil, err
	}
	wanted := func(v fleet.Alert) bool {
		return (len(states) == 0 || slices.Contains(states, v.State)) && (len(severities) == 0 || slices.Contains(severities, v.Severity)) &&
			(in.Kind == "" || string(v.Kind) == in.Kind) && (in.Subject == "" || v.Subject == in.Subject)
	}
	last, err := rest.DecodeCursor[fleet.AlertID](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []fleet.Alert
	if len(states) > 0 && !slices.ContainsFunc(states, fleet.AlertState.Ended) {
		rows = slices.DeleteFunc(a.Alerts.Open(), func(v fleet.Alert) bool { return !wanted(v) })
		if i := slices.IndexFunc(rows, func(v fleet.Alert) bool { return v.ID == last }); i >= 0 {
			rows = rows[i+1:]
		}
		rows = rows[:min(len(rows), in.Limit+1)]
	} else {
		err = store.EntitiesBefore(a.Store, "", string(last), func(v fleet.Alert) bool {
			if wanted(v) {
				rows = append(rows, v)
			}
			return len(rows) <= in.Limit
		})
		if err != nil {
			return nil, err
		}
	}
	page := rest.PageOf(rows, in.Limit, func(v fleet.Alert) any { return v.ID })
	out := rest.Page[resource.Alert]{Items: make([]resource.Alert, len(page.Items)), NextCursor: page.NextCursor}
	for i, v := range page.Items {
		out.Items[i] = a.alertResource(v)
	}
	return &alertsOutput{Body: out}, nil
}

// alertFilter reads ?state= and ?severity=.
func alertFilter(state, severity string) (states []fleet.AlertState, severities []fleet.AlertSeverity, err error) {
	for word := range strings.SplitSeq(state, ",") {
		switch word = strings.TrimSpace(word); word {
		case "":
		case "open":
			states = append(states, slices.DeleteFunc(fleet.AlertStates(), fleet.AlertState.Ended)...)
		default:
			s, err := fleet.ParseAlertState(word)
			if err != nil {
				return nil, nil, err
			}
			states = append(states, s)
		}
	}
	for word := range strings.SplitSeq(severity, ",") {
		if word = strings.TrimSpace(word); word != "" {
			s, err := fleet.ParseAlertSeverity(word)
			if err != nil {
				return nil, nil, err
			}
			severities = append(severities, s)
		}
	}
	return states, severities, nil
}
