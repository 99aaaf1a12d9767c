package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// ACLBody is an ACL document: roles with rules and whom they are for, or the
// short form, one device's own list of topics. Exported, as DeviceBody is.
type ACLBody struct {
	Roles           []access.Role   `json:"roles,omitempty"`
	AppliesTo       *access.Targets `json:"applies_to,omitempty" doc:"Who has the roles, besides the devices of profiles that name the document."`
	ReplacesProfile bool            `json:"replaces_profile,omitempty" doc:"For the devices of applies_to it stands in place of their profile's rules."`
	Retain          string          `json:"retain,omitempty" enum:"nothing,status,anything" doc:"In place of the profile's; with replaces_profile."`
	MaxQoS          *int            `json:"max_qos,omitempty" minimum:"0" maximum:"2" doc:"In place of the profile's; with replaces_profile."`

	Permissions *permissionsBody `json:"permissions,omitempty" doc:"The short form: all that a device may do, in place of its profile's rules."`
	DeviceID    string           `json:"device_id,omitempty" maxLength:"64" doc:"Short form: the device."`
	SeedID      string           `json:"deviceId,omitempty" maxLength:"64" doc:"The same as device_id."`
	Site        string           `json:"site,omitempty" maxLength:"64" doc:"Short form: this site."`
	Room        string           `json:"room,omitempty" maxLength:"64" doc:"Short form: where the device is. Topics below its base topic move with it."`
	Type        string           `json:"type,omitempty" maxLength:"64" doc:"Short form: the device's type."`
}

type permissionsBody struct {
	Publish    []string `json:"publish,omitempty" maxItems:"100" doc:"Filters that it may publish to; never its own cmd/."`
	Subscribe  []string `json:"subscribe,omitempty" maxItems:"100" doc:"Filters that it may subscribe to and is sent."`
	Retain     bool     `json:"retain,omitempty" doc:"Whether it may set retained messages; one that it may not is refused."`
	MaxQoS     *int     `json:"max_qos,omitempty" minimum:"0" maximum:"2" doc:"1 if absent."`
	SeedMaxQoS *int     `json:"maxQoS,omitempty" minimum:"0" maximum:"2" doc:"The same as max_qos."`
}

// NamedACL is an ACLBody with its id.
type NamedACL struct {
	ID string `json:"id,omitempty" maxLength:"64" doc:"That of the device, in the short form, if absent."`
	ACLBody
}

// list is the document that a body says; id is empty for the body's own.
func (b ACLBody) list(site fleet.SiteID, id string) (access.List, error) {
	device := cmp.Or(b.DeviceID, b.SeedID)
	if b.Permissions == nil {
		if device != "" {
			return access.List{}, &access.FieldError{Field: "permissions", Message: "a device's own list needs them: publish, subscribe, retain, max_qos"}
		}
		l := access.List{ID: id, Roles: b.Roles, ReplacesProfile: b.ReplacesProfile, Retain: access.Retain(b.Retain)}
		if l.Roles == nil {
			l.Roles = []access.Role{}
		}
		if b.AppliesTo != nil {
			l.AppliesTo = *b.AppliesTo
		}
		if b.MaxQoS != nil {
			qos := byte(*b.MaxQoS)
			l.MaxQoS = &qos
		}
		return l, nil
	}
	if len(b.Roles) > 0 || b.AppliesTo != nil || b.ReplacesProfile {
		return access.List{}, &access.FieldError{Field: "permissions", Message: "either these, or roles with applies_to: take one out"}
	}
	qos := 1
	for _, v := range []*int{b.Permissions.SeedMaxQoS, b.Permissions.MaxQoS} {
		if v != nil {
			qos = *v
		}
	}
	l, err := access.DeviceACL{
		Device: fleet.DeviceID(device), Site: fleet.SiteID(b.Site), Room: fleet.RoomID(b.Room), Type: fleet.DeviceType(b.Type),
		Publish: b.Permissions.Publish, Subscribe: b.Permissions.Subscribe, Retain: b.Permissions.Retain, MaxQoS: byte(qos),
	}.List(site)
	if id != "" {
		l.ID = id
	}
	return l, err
}

// aclView is an ACL document as it is shown.
type aclView struct {
	access.List
	UpdatedAt time.Time `json:"updated_at"`
	Version   uint64    `json:"version"`
	ETag      string    `json:"etag"`
}

type aclOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     aclView
}

type aclsOutput struct {
	Body rest.Page[aclView]
}

// ACLPath is the path of one ACL document.
type ACLPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) aclRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "list-acls", Method: http.MethodGet, Path: "/api/v1/security/acl", Permission: account.SecurityRead,
		Summary: "ACL documents, by id", Tags: tags,
	}, a.listACLs)
	rest.Register(a.rest, rest.Route{
		OperationID: "add-acl", Method: http.MethodPost, Path: "/api/v1/security/acl", Permission: account.SecurityWrite,
		Status: http.StatusCreated, Idempotent: true, Summary: "Make an ACL document", Tags: tags,
	}, func(ctx context.Context, in *struct{ Body NamedACL }) (*aclOutput, error) {
		l, err := in.Body.list(a.Identity.Site, in.Body.ID)
		if err == nil {
			err = a.Policies.AddList(ctx, actor(ctx), l)
		}
		if err != nil {
			return nil, fieldProblem(err)
		}
		return a.oneACL(l.ID)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-acl", Method: http.MethodGet, Path: "/api/v1/security/acl/{id}", Permission: account.SecurityRead,
		Summary: "One ACL document", Tags: tags,
	}, func(_ context.Context, in *ACLPath) (*aclOutput, error) { return a.oneACL(in.ID) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-acl", Method: http.MethodPut, Path: "/api/v1/security/acl/{id}", Permission: account.SecurityWrite,
		IfMatch: true, Summary: "Replace an ACL document", Tags: tags,
		Description: "Connected devices have the new rights within a second; subscriptions that they may not have any more are taken away.",
	}, func(ctx context.Context, in *struct {
		ACLPath
		Body ACLBody
	}) (*aclOutput, error) {
		now, err := a.Policies.List(in.ID)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		var l access.List
		if err == nil {
			l, err = in.Body.list(a.Identity.Site, in.ID)
		}
		if err == nil {
			err = a.Policies.ChangeList(ctx, actor(ctx), l, now.Version)
		}
		if err != nil {
			return nil, fieldProblem(err)
		}
		return a.oneACL(in.ID)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-acl", Method: http.MethodDelete, Path: "/api/v1/security/acl/{id}", Permission: account.SecurityWrite,
		IfMatch: true, Summary: "Remove an ACL document", Tags: tags, Description: "Not while a profile names it (409).",
	}, func(ctx context.Context, in *ACLPath) (*struct{}, error) {
		now, err := a.Policies.List(in.ID)
		if err == nil {
			err = rest.CheckMatch(ctx, now.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.Policies.RemoveList(ctx, actor(ctx), in.ID, now.Version)
	})
}

func (a *API) oneACL(id string) (*aclOutput, error) {
	d, err := a.Policies.List(id)
	if err != nil {
		return nil, err
	}
	v := aclViewOf(d)
	return &aclOutput{ETag: v.ETag, Location: "/api/v1/security/acl/" + id, Body: v}, nil
}

func (a *API) listACLs(_ context.Context, in *rest.PageInput) (*aclsOutput, error) {
	after, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	var rows []aclView
	for _, d := range a.Policies.Lists() {
		if d.Value.ID > after && len(rows) <= in.Limit {
			rows = append(rows, aclViewOf(d))
		}
	}
	return &aclsOutput{Body: rest.PageOf(rows, in.Limit, func(v aclView) any { return v.ID })}, nil
}

func aclViewOf(d policy.Document[access.List]) aclView {
	return aclView{List: d.Value, UpdatedAt: d.UpdatedAt, Version: d.Version, ETag: rest.ETag(d.Version)}
}
