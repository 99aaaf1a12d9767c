package api

import (
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/roster"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
)

// watchReach is whether a watch can be reached, by the evidence of now.
type watchReach struct {
	DeviceID  fleet.DeviceID    `json:"device_id"`
	Name      string            `json:"name,omitempty"`
	PersonID  string            `json:"person_id,omitempty" doc:"Who wears it."`
	Reachable bool              `json:"reachable"`
	Why       string            `json:"why,omitempty" doc:"Why it cannot be reached: not connected, not subscribed, does not answer."`
	Battery   *int              `json:"battery,omitempty" doc:"Per cent."`
	Presence  resource.Presence `json:"presence"`
}

// servingView is a member of the crew with the duty of now.
type servingView struct {
	PersonID   string      `json:"person_id"`
	Name       string      `json:"name"`
	Teams      []string    `json:"teams" nullable:"false"`
	Lead       bool        `json:"lead,omitempty"`
	UserID     string      `json:"user_id,omitempty"`
	Duty       roster.Duty `json:"duty" enum:"duty,backup,off"`
	Until      *time.Time  `json:"until,omitempty" doc:"When that ends, as far as it is known."`
	Overridden bool        `json:"overridden,omitempty" doc:"Somebody said so; else it is by the shifts."`
	Note       string      `json:"note,omitempty"`
	Watch      *watchReach `json:"watch,omitempty"`
}

type dutyView struct {
	AsOf     time.Time     `json:"as_of"`
	TimeZone string        `json:"time_zone"`
	Rostered bool          `json:"rostered" doc:"There are shifts. Without any, everybody is on duty."`
	Crew     []servingView `json:"crew" nullable:"false"`
	// Watches are all of them, worn or not.
	Watches   []watchReach   `json:"watches" nullable:"false"`
	OnDuty    int            `json:"on_duty"`
	Reachable int            `json:"reachable" doc:"People on duty whose watch can be reached; without a crew, watches."`
	Notes     []handoverNote `json:"notes" nullable:"false" doc:"What the last watch tells this one, the newest first."`
	Quiet     []room         `json:"quiet_rooms" nullable:"false"`
}

// handoverNote is something that the next watch has to know.
type handoverNote struct {
	ID   string         `json:"id"`
	At   time.Time      `json:"at"`
	By   resource.Actor `json:"by"`
	Text string         `json:"text"`
}

func handoverNoteOf(n roster.Note) handoverNote {
	return handoverNote{n.ID, n.At, resource.ActorOf(n.By), n.Text}
}

type dutyOutput struct{ Body dutyView }

// PersonPath is the path of one person's duty.
type PersonPath struct {
	PersonID string `path:"person_id" maxLength:"64"`
}

func (a *API) dutyRoutes() {
	tags := []string{"crew"}
	rest.Register(a.rest, rest.Route{
		OperationID: "get-duty", Method: http.MethodGet, Path: "/api/v1/duty", Permission: account.CrewRead,
		Summary: "Who is on duty and can be reached", Tags: tags,
	}, func(_ context.Context, in *struct {
		At time.Time `query:"at" doc:"Another moment than now, by the shifts as they are."`
	}) (*dutyOutput, error) {
		v, err := a.duty(in.At)
		return &dutyOutput{v}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "override-duty", Method: http.MethodPut, Path: "/api/v1/duty/{person_id}", Permission: account.CrewWrite,
		Summary: "Put somebody on duty, or off it, for a while", Tags: tags,
	}, func(ctx context.Context, in *struct {
		PersonPath
		Body struct {
			As    roster.Duty `json:"as" enum:"duty,backup,off"`
			Until time.Time   `json:"until" doc:"At most 7 days from now."`
			Note  string      `json:"note,omitempty" maxLength:"500"`
		} `nameHint:"DutyOverride"`
	}) (*dutyOutput, error) {
		b := in.Body
		o := roster.Override{As: b.As, Until: fleet.Millis(b.Until), Note: b.Note}
		return a.dutyAfter(a.Roster.Override(ctx, a.crewActor(ctx), in.PersonID, &o))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "end-duty-override", Method: http.MethodDelete, Path: "/api/v1/duty/{person_id}", Permission: account.CrewWrite,
		Status: http.StatusOK, Summary: "Let the shifts say again whether somebody is on duty", Tags: tags,
	}, func(ctx context.Context, in *PersonPath) (*dutyOutput, error) {
		return a.dutyAfter(a.Roster.Override(ctx, a.crewActor(ctx), in.PersonID, nil))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "wear-watch", Method: http.MethodPut, Path: "/api/v1/duty/watches/{id}", Permission: account.RequestsWrite,
		Summary: "Say who wears a watch", Tags: tags,
	}, func(ctx context.Context, in *struct {
		DevicePath
		Body struct {
			PersonID string `json:"person_id,omitempty" maxLength:"64" doc:"Nobody if absent."`
		} `nameHint:"WatchWearer"`
	}) (*dutyOutput, error) {
		return a.dutyAfter(a.Roster.Wear(ctx, a.crewActor(ctx), fleet.DeviceID(in.ID), in.Body.PersonID))
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "add-handover-note", Method: http.MethodPost, Path: "/api/v1/duty/notes", Permission: account.RequestsWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Tell the next watch something", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Body struct {
			Text string `json:"text" minLength:"1" maxLength:"800"`
		} `nameHint:"NewHandoverNote"`
	}) (*struct{ Body handoverNote }, error) {
		n, err := a.Roster.HandOver(ctx, a.crewActor(ctx), in.Body.Text)
		return &struct{ Body handoverNote }{handoverNoteOf(n)}, err
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-handover-note", Method: http.MethodDelete, Path: "/api/v1/duty/notes/{note}", Permission: account.RequestsWrite,
		Summary: "Take a note off the board", Tags: tags,
	}, func(ctx context.Context, in *struct {
		Note string `path:"note" maxLength:"36"`
	}) (*struct{}, error) {
		return nil, a.Roster.Done(ctx, a.crewActor(ctx), in.Note)
	})
}

func (a *API) dutyAfter(err error) (*dutyOutput, error) {
	if err != nil {
		return nil, err
	}
	v, err := a.duty(time.Time{})
	return &dutyOutput{v}, err
}

// duty is who is on duty at a time, now if zero. Who can be reached is always
// as of now.
func (a *API) duty(at time.Time) (dutyView, error) {
	crew := a.Roster.Now()
	v := dutyView{AsOf: fleet.Millis(a.now()), TimeZone: a.Zone().String()}
	if !at.IsZero() {
		crew, v.AsOf = a.Roster.At(at), fleet.Millis(at)
	}
	v.Rostered, v.Crew, v.Watches, v.Notes, v.Quiet = crew.Rostered, []servingView{}, []watchReach{}, []handoverNote{}, []room{}
	for _, n := range a.Roster.Notes() {
		v.Notes = append(v.Notes, handoverNoteOf(n))
	}
	reach := map[fleet.DeviceID]*watchReach{}
	for _, d := range a.Registry.Watches() {
		w := a.watchReach(d)
		v.Watches = append(v.Watches, w)
		reach[d.ID] = &w
		if len(crew.People) == 0 && w.Reachable {
			v.Reachable++
		}
	}
	for _, p := range crew.People {
		s := servingView{
			PersonID: p.ID, Name: p.Name, Teams: append([]string{}, p.Teams...), Lead: p.Lead, UserID: p.User, Duty: p.Duty,
			Overridden: p.Overridden, Note: p.Note, Watch: reach[p.Watch],
		}
		if !p.Until.IsZero() {
			until := p.Until.UTC()
			s.Until = &until
		}
		if p.Duty == roster.OnDuty {
			v.OnDuty++
			if s.Watch != nil && s.Watch.Reachable {
				v.Reachable++
			}
		}
		v.Crew = append(v.Crew, s)
	}
	rooms, err := a.Registry.Rooms()
	for _, r := range rooms {
		if r.QuietAt(a.now()) {
			v.Quiet = append(v.Quiet, a.roomView(r))
		}
	}
	return v, err
}

func (a *API) watchReach(d fleet.Device) watchReach {
	state, _ := a.Presence.State(d.ID)
	w := watchReach{
		DeviceID: d.ID, Name: d.Name, Why: a.Why(d), Battery: state.Battery,
		Presence: resource.DeviceOf(a.Identity.Site, d, "", state).Presence,
	}
	w.Reachable = w.Why == ""
	if p, ok := a.Roster.WornBy(d.ID); ok {
		w.PersonID = p.ID
	}
	return w
}
