package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
)

// draftBody is a change of the policy that is not saved.
type draftBody struct {
	Profile *NamedProfile `json:"profile,omitempty" doc:"A profile as it would be."`
	ACL     *NamedACL     `json:"acl,omitempty" doc:"An ACL document as it would be."`
}

// draft is the policy with the change made.
func (a *API) draft(b draftBody) (*access.Policy, error) {
	var profiles []access.Profile
	var lists []access.List
	if b.Profile != nil {
		p := b.Profile.profile(b.Profile.ProfileName)
		if err := p.Check(); err != nil {
			return nil, fieldProblem(err)
		}
		profiles = append(profiles, p)
	}
	if b.ACL != nil {
		l, err := b.ACL.list(a.Identity.Site, b.ACL.ID)
		if err == nil {
			err = l.Check()
		}
		if err != nil {
			return nil, fieldProblem(err)
		}
		lists = append(lists, l)
	}
	return a.Policies.Policy().With(profiles, lists), nil
}

type testInput struct {
	Body struct {
		Client  string     `json:"client,omitempty" maxLength:"64" doc:"A registered device. Or name a profile, with what the rest of a device would be."`
		Profile string     `json:"profile,omitempty" maxLength:"64"`
		Device  string     `json:"device_id,omitempty" maxLength:"64" doc:"With profile; made up if absent."`
		Room    string     `json:"room,omitempty" maxLength:"64" doc:"With profile; made up if absent."`
		Type    string     `json:"type,omitempty" enum:"button,watch,repeater,sensor" doc:"With profile; button if absent."`
		Action  string     `json:"action" enum:"publish,receive,subscribe,unsubscribe,publish_send,publish_receive"`
		Topic   string     `json:"topic" maxLength:"1024" doc:"A name to publish or receive, a filter to subscribe or unsubscribe."`
		QoS     int        `json:"qos,omitempty" minimum:"0" maximum:"2" doc:"Of a message that it publishes."`
		Retain  bool       `json:"retain,omitempty" doc:"Of a message that it publishes."`
		Draft   *draftBody `json:"draft,omitempty" doc:"Ask the policy as it would be after this change."`
	} `nameHint:"ACLTest"`
}

type testOutput struct {
	Body struct {
		Allowed bool               `json:"allowed"`
		Rule    string             `json:"rule" doc:"What decided: role, type and topic of a rule; default: deny; invalid topic; max_qos; retain."`
		Role    string             `json:"role" doc:"The rule's role; empty when no rule of a role decided."`
		Profile string             `json:"profile"`
		MaxQoS  byte               `json:"max_qos"`
		Retain  access.Retain      `json:"retain"`
		Rules   []access.Effective `json:"effective" nullable:"false" doc:"The rules about this action, in the order in which they are asked."`
	} `nameHint:"ACLDecision"`
}

func (a *API) explainRoutes() {
	tags := []string{"security"}
	rest.Register(a.rest, rest.Route{
		OperationID: "test-acl", Method: http.MethodPost, Path: "/api/v1/security/acl/test", Permission: account.SecurityRead,
		Summary: "May a device do this, and which rule says so", Tags: tags,
	}, a.testACL)
	rest.Register(a.rest, rest.Route{
		OperationID: "replay-acl", Method: http.MethodPost, Path: "/api/v1/security/acl/replay", Permission: account.SecurityRead,
		Summary: "What a draft would have changed for the recorded messages", Tags: tags,
		Description: "Nothing is saved. Each recorded message is decided by the policy as it is and as it would be.",
	}, a.replayACL)
}

func (a *API) testACL(_ context.Context, in *testInput) (*testOutput, error) {
	b := in.Body
	action, err := access.ParseAction(b.Action)
	if err != nil {
		return nil, err
	}
	d, err := a.asked(in)
	if err != nil {
		return nil, err
	}
	p := a.Policies.Policy()
	if b.Draft != nil {
		if p, err = a.draft(*b.Draft); err != nil {
			return nil, err
		}
	}
	g, err := p.Grant(a.Identity.Site, d, string(d.ID))
	if err != nil {
		return nil, err
	}
	decision := g.Decide(access.Attempt{Action: action, Topic: b.Topic, QoS: byte(b.QoS), Retain: b.Retain})
	out := &testOutput{}
	out.Body.Allowed, out.Body.Rule, out.Body.Role = decision.Allowed, decision.Rule, decision.Role
	out.Body.Profile, out.Body.MaxQoS, out.Body.Retain, out.Body.Rules = g.Profile, g.MaxQoS, g.Retain, g.Rules.List(action)
	return out, nil
}

// asked is the device that a test is about.
func (a *API) asked(in *testInput) (fleet.Device, error) {
	b := in.Body
	if (b.Client == "") == (b.Profile == "") {
		return fleet.Device{}, fmt.Errorf("%w: name either a client or a profile", fleet.ErrInvalid)
	}
	if b.Client != "" {
		return a.device(b.Client)
	}
	if _, ok := a.Policies.Policy().Profile(b.Profile); !ok && (b.Draft == nil || b.Draft.Profile == nil || b.Draft.Profile.ProfileName != b.Profile) {
		return fleet.Device{}, fmt.Errorf("%w: profile %s", fleet.ErrNotFound, b.Profile)
	}
	d := fleet.Device{ID: "any-device", Room: "any-room", Type: fleet.Button, Profile: b.Profile}
	if b.Device != "" {
		d.ID = fleet.DeviceID(b.Device)
	}
	if b.Room != "" {
		d.Room = fleet.RoomID(b.Room)
	}
	if b.Type != "" {
		d.Type = fleet.DeviceType(b.Type)
	}
	return d, d.Check()
}
