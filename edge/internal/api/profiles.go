package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// ProfileBody is what people may say of a profile. Exported, as DeviceBody is.
type ProfileBody struct {
	Roles              []string     `json:"roles,omitempty" doc:"ACL documents whose roles its devices have."`
	ACLPattern         []access.ACL `json:"acl_pattern,omitempty" doc:"Its own rules; without these and roles, the standard rules of a device."`
	MaxQoS             *int         `json:"max_qos,omitempty" minimum:"0" maximum:"2" doc:"1 if absent."`
	MaxConnections     *int         `json:"max_connections,omitempty" minimum:"1" doc:"1 if absent."`
	ClientCertRequired bool         `json:"client_cert_required,omitempty" doc:"Refuses clients that come without a certificate."`
	SignMessages       bool         `json:"sign_messages,omitempty" doc:"Its devices sign their messages; one without a right signature does not count."`
	Retain             string       `json:"retain,omitempty" enum:"nothing,status,anything" doc:"Which of its messages may be retained; status if absent."`
	Rate               *rateBody    `json:"rate,omitempty"`
	ReportingIntervalS int          `json:"reporting_interval_s,omitempty" doc:"In seconds; that of the device's type if absent."`
	Relay              []string     `json:"relay,omitempty" doc:"Devices whose topics a repeater may use for them."`
}

type rateBody struct {
	MessagesPerSecond float64 `json:"messages_per_second,omitempty" minimum:"0" doc:"The broker's default if absent."`
	BytesPerSecond    float64 `json:"bytes_per_second,omitempty" minimum:"0"`
}

// NamedProfile is a ProfileBody with its name.
type NamedProfile struct {
	ProfileName string `json:"profile_name" maxLength:"64"`
	ProfileBody
}

func (b ProfileBody) profile(name string) access.Profile {
	p := access.Profile{
		Name: name, Roles: b.Roles, ACL: b.ACLPattern, MaxQoS: 1, MaxConnections: 1, ClientCertRequired: b.ClientCertRequired,
		SignMessages: b.SignMessages, Retain: access.Retain(b.Retain), ReportingInterval: b.ReportingIntervalS,
	}
	if b.MaxQoS != nil {
		p.MaxQoS = byte(*b.MaxQoS)
	}
	if b.MaxConnections != nil {
		p.MaxConnections = *b.MaxConnections
	}
	if b.Rate != nil {
		p.Rate = access.Rate{Messages: b.Rate.MessagesPerSecond, Bytes: b.Rate.BytesPerSecond}
	}
	for _, id := range b.Relay {
		p.Relay = append(p.Relay, fleet.DeviceID(id))
	}
	if p.ACL == nil {
		p.ACL = []access.ACL{}
		if len(p.Roles) == 0 {
			p.ACL = access.DeviceACLs()
		}
	}
	if p.Retain == "" {
		p.Retain = access.RetainStatus
	}
	return p
}

// profileView is a profile as it is shown.
type profileView struct {
	access.Profile
	BuiltIn   bool       `json:"built_in" doc:"Part of the program: PUT replaces it, and DELETE then brings it back."`
	Devices   int        `json:"devices" doc:"How many devices have it."`
	UpdatedAt *time.Time `json:"updated_at,omitempty"`
	Version   uint64     `json:"version"`
	ETag      string     `json:"etag"`
}

type profileOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     profileView
}

type profilesOutput struct {
	Body rest.Page[profileView]
}

// ProfilePath is the path of one profile.
type ProfilePath struct {
	Name string `path:"name" maxLength:"64" doc:"profile_name"`
}

func (a *API) profileRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-profiles", Method: http.MethodGet, Path: "/api/v1/security/profiles", Permission: account.SecurityRead,
		Summary: "Security profiles, by name", Tags: tags,
	}, a.listProfiles)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-profile", Method: http.MethodPost, Path: "/api/v1/security/profiles", Permission: account.SecurityWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Make a security profile", Tags: tags,
		Description: "One with the name of a built-in profile takes its place.",
	}, func(ctx context.Context, in *struct{ Body NamedProfile }) (*profileOutput, error) {
		if err := a.Policies.AddProfile(ctx, actor(ctx), in.Body.profile(in.Body.ProfileName)); err != nil {
			return nil, fieldProblem(err)
		}
		return a.oneProfile(in.Body.ProfileName)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-profile", Method: http.MethodGet, Path: "/api/v1/security/profiles/{name}", Permission: account.SecurityRead,
		Summary: "One security profile", Tags: tags,
	}, func(_ context.Context, in *ProfilePath) (*profileOutput, error) { return a.oneProfile(in.Name) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-profile", Method: http.MethodPut, Path: "/api/v1/security/profiles/{name}", Permission: account.SecurityWrite,
		IfMatch: true, Summary: "Replace a security profile", Tags: tags,
		Description: "Connected devices have the new rights within a second; subscriptions that they may not have any more are taken away.",
	}, func(ctx context.Context, in *struct {
		ProfilePath
		Body ProfileBody
	}) (*profileOutput, error) {
		now, err := a.Policies.Profile(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err == nil {
			err = a.Policies.ChangeProfile(ctx, actor(ctx), in.Body.profile(in.Name), now.Version)
		}
		if err != nil {
			return nil, fieldProblem(err)
		}
		return a.oneProfile(in.Name)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-profile", Method: http.MethodDelete, Path: "/api/v1/security/profiles/{name}", Permission: account.SecurityWrite,
		IfMatch: true, Summary: "Remove a security profile", Tags: tags,
		Description: "Not while a device has it (409). After the removal of one that replaced a built-in profile, that is there again.",
	}, func(ctx context.Context, in *ProfilePath) (*struct{}, error) {
		now, err := a.Policies.Profile(in.Name)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.Policies.RemoveProfile(ctx, actor(ctx), in.Name, now.Version)
	})
}

// fieldProblem names the field of the body that a policy document is wrong in.
func fieldProblem(err error) error {
	var f *access.FieldError
	if errors.As(err, &f) {
		return rest.NewProblem(rest.TypeInvalid, err.Error(), rest.FieldError{Location: "body." + f.Field, Message: f.Message})
	}
	return err
}

func (a *API) oneProfile(name string) (*profileOutput, error) {
	d, err := a.Policies.Profile(name)
	if err != nil {
		return nil, err
	}
	n, err := a.devicesByProfile()
	if err != nil {
		return nil, err
	}
	v := profileViewOf(d, n)
	return &profileOutput{ETag: v.ETag, Location: "/api/v1/security/profiles/" + name, Body: v}, nil
}

func (a *API) listProfiles(_ context.Context, in *rest.PageInput) (*profilesOutput, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	n, err := a.devicesByProfile()
	if err != nil {
		return nil, err
	}
	var rows []profileView
	for _, d := range a.Policies.Profiles() {
		if d.Value.Name > after && len(rows) <= in.Limit {
			rows = append(rows, profileViewOf(d, n))
		}
	}
	return &profilesOutput{Body: rest.PageOf(rows, in.Limit, func(v profileView) any { return v.Name })}, nil
}

func (a *API) devicesByProfile() (map[string]int, error) {
	devices, err := a.Registry.Devices()
	if err != nil {
		return nil, err
	}
	n := map[string]int{}
	for _, d := range devices {
		n[d.Profile]++
	}
	return n, nil
}

func profileViewOf(d policy.Document[access.Profile], devices map[string]int) profileView {
	return profileView{
		Profile: d.Value, BuiltIn: d.BuiltIn, Devices: devices[d.Value.Name], UpdatedAt: optionalTime(d.UpdatedAt),
		Version: d.Version, ETag: rest.ETag(d.Version),
	}
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
