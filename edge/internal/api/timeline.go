package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// timelineEntry is one moment of a call.
type timelineEntry struct {
	At time.Time `json:"at"`
	// AfterMS is how long after the opening, in milliseconds.
	AfterMS int64  `json:"after_ms"`
	Event   string `json:"event" enum:"press,stored,opened,sent,told,unreachable,escalated,offered,offer_ended,declined,accepted,handed_over,completed,cancelled,missed"`

	By       *resource.Actor    `json:"by,omitempty" doc:"Who acted."`
	DeviceID fleet.DeviceID     `json:"device_id,omitempty" doc:"The button, or the watch that was told."`
	PersonID string             `json:"person_id,omitempty" doc:"Who wears the watch, or to whom it was offered."`
	Name     string             `json:"name,omitempty"`
	Why      string             `json:"why,omitempty" doc:"Of unreachable; the cause of an escalation; how an offer ended."`
	Stage    fleet.RequestState `json:"stage,omitempty" doc:"What the watch was told."`
	Level    uint32             `json:"level,omitempty"`
	To       fleet.Recipients   `json:"to,omitempty" doc:"Who is told from then on."`
	Press    *resource.Press    `json:"press,omitempty"`
	Note     string             `json:"note,omitempty"`
}

type timelineOutput struct {
	Body struct {
		Request resource.Request `json:"request"`
		Entries []timelineEntry  `json:"entries" nullable:"false" doc:"The oldest first."`
	} `nameHint:"Timeline"`
}

func (a *API) timelineRoute() {
	rest.Register(a.rest, rest.Route{
		OperationID: "get-request-timeline", Method: http.MethodGet, Path: "/api/v1/requests/{id}/timeline", Permission: account.RequestsRead,
		Summary: "All that happened to one request", Tags: []string{"requests"},
		Description: "Presses, who was told, who could not be reached and why, and each step. Who was told is kept for some months.",
	}, func(_ context.Context, in *RequestPath) (*timelineOutput, error) {
		id, err := in.parse()
		if err != nil {
			return nil, err
		}
		r, found, err := fleet.Get[fleet.Request](a.Store, fleet.RequestRef(id))
		if err == nil && !found {
			err = fmt.Errorf("%w: request %s", fleet.ErrNotFound, id)
		}
		if err != nil {
			return nil, err
		}
		out := &timelineOutput{}
		if out.Body.Request, err = a.oneRequest(r); err == nil {
			out.Body.Entries, err = a.timeline(r)
		}
		return out, err
	})
}

// order of what happens in the same millisecond.
var timelineOrder = []string{"press", "opened", "stored", "sent", "unreachable", "told"}

func (a *API) timeline(r fleet.Request) ([]timelineEntry, error) {
	entries := []timelineEntry{}
	for _, s := range r.Steps {
		by := resource.ActorOf(s.By)
		e := timelineEntry{At: s.At, Event: string(s.Event), By: &by, PersonID: s.Person, Name: s.Name, Level: s.Level, To: s.To, Note: s.Note}
		e.Why = cmp.Or(string(s.Cause), string(s.End))
		entries = append(entries, e)
	}
	if r.Device != "" {
		presses, err := a.Store.PressesOf(r.Device)
		if err != nil {
			return nil, err
		}
		for _, p := range presses {
			if p.Request == r.ID {
				v := resource.PressOf(p)
				entries = append(entries, timelineEntry{At: p.ReceivedAt, Event: "press", DeviceID: p.Device, Press: &v})
			}
		}
	}
	tellings, err := a.Store.Tellings(r.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range tellings {
		entries = append(entries, timelineEntry{
			At: t.At, Event: t.What, DeviceID: t.Device, PersonID: t.Person, Name: t.Name, Why: t.Why, Stage: t.Stage,
		})
	}
	slices.SortStableFunc(entries, func(x, y timelineEntry) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(place(x.Event), place(y.Event)))
	})
	for i := range entries {
		entries[i].AfterMS = entries[i].At.Sub(r.OpenedAt).Milliseconds()
	}
	return entries, nil
}

// place of an event among those of one millisecond; steps come after what they
// follow from.
func place(event string) int {
	if i := slices.Index(timelineOrder, event); i >= 0 {
		return i
	}
	return len(timelineOrder)
}
