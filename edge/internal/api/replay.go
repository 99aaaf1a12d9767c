package api

import (
	"context"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// How much a replay looks at.
const (
	replayDefault = 24 * time.Hour
	replayMost    = 1_000_000
)

type replayInput struct {
	Body struct {
		Draft draftBody  `json:"draft"`
		From  *time.Time `json:"from,omitempty" doc:"A day before to, if absent."`
		To    *time.Time `json:"to,omitempty" doc:"Now, if absent."`
		Most  int        `json:"max_messages,omitempty" minimum:"1" maximum:"1000000" doc:"How many recorded messages to look at; 1000000 if absent."`
	} `nameHint:"ACLReplay"`
}

type decisionView struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule"`
}

type replayClient struct {
	Client  string `json:"client"`
	Denied  uint64 `json:"newly_denied"`
	Allowed uint64 `json:"newly_allowed"`
}

type replayStream struct {
	Client    string       `json:"client"`
	Direction string       `json:"direction" enum:"in,out"`
	Topic     string       `json:"topic"`
	QoS       byte         `json:"qos"`
	Retain    bool         `json:"retain"`
	Messages  uint64       `json:"messages"`
	FirstAt   time.Time    `json:"first_at"`
	Now       decisionView `json:"now"`
	Draft     decisionView `json:"draft"`
}

type replayOutput struct {
	Body struct {
		From      time.Time      `json:"from"`
		To        time.Time      `json:"to" doc:"The time of the last message that was looked at, when there were more."`
		Truncated bool           `json:"truncated"`
		Examined  uint64         `json:"examined"`
		Unknown   uint64         `json:"unknown_clients" doc:"Messages of clients that are no registered devices."`
		Otherwise uint64         `json:"otherwise" doc:"Messages that would be decided otherwise."`
		Denied    uint64         `json:"newly_denied"`
		Allowed   uint64         `json:"newly_allowed"`
		Lifted    uint64         `json:"denials_lifted" doc:"Of the denials that are remembered: how many the draft would allow. They are not among the recorded messages."`
		Clients   []replayClient `json:"clients" nullable:"false"`
		Streams   []replayStream `json:"examples" nullable:"false" doc:"By client and topic, the most messages first."`
		More      bool           `json:"more" doc:"There are more clients or topics than are listed."`
	} `nameHint:"ACLReplayResult"`
}

func (a *API) replayACL(ctx context.Context, in *replayInput) (*replayOutput, error) {
	if a.Recorded == nil {
		return nil, fmt.Errorf("%w: no messages are recorded on this hub", fleet.ErrUnavailable)
	}
	b := in.Body
	if b.Draft.Profile == nil && b.Draft.ACL == nil {
		return nil, fmt.Errorf("%w: draft: want a profile, an acl or both", fleet.ErrInvalid)
	}
	draft, err := a.draft(b.Draft)
	if err != nil {
		return nil, err
	}
	to := a.now()
	if b.To != nil {
		to = *b.To
	}
	from := to.Add(-replayDefault)
	if b.From != nil {
		from = *b.From
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("%w: from is not before to", fleet.ErrInvalid)
	}
	most := uint64(replayMost)
	if b.Most > 0 {
		most = uint64(b.Most)
	}
	o, err := a.Policies.Replay(ctx, a.Recorded, draft, from, to, most)
	if err != nil {
		return nil, err
	}
	out := replayOutputOf(o)
	out.Body.From, out.Body.Lifted = fleet.Millis(from), a.lifted(draft)
	return out, nil
}

func replayOutputOf(o policy.Outcome) *replayOutput {
	out := &replayOutput{}
	v := &out.Body
	v.To, v.Truncated, v.Examined, v.Unknown = fleet.Millis(o.To), o.Truncated, o.Examined, o.Unknown
	v.Denied, v.Allowed, v.Otherwise, v.More = o.Denied, o.Allowed, o.Denied+o.Allowed, o.More
	v.Clients, v.Streams = []replayClient{}, []replayStream{}
	for _, c := range o.Clients {
		v.Clients = append(v.Clients, replayClient(c))
	}
	for _, s := range o.Streams {
		direction := "out"
		if s.Inbound {
			direction = "in"
		}
		v.Streams = append(v.Streams, replayStream{
			Client: s.Client, Direction: direction, Topic: s.Topic, QoS: s.QoS, Retain: s.Retain, Messages: s.Count, FirstAt: s.FirstAt,
			Now: decisionView{s.Now.Allowed, s.Now.Rule}, Draft: decisionView{s.Draft.Allowed, s.Draft.Rule},
		})
	}
	return out
}

// lifted counts the remembered denials that a draft would allow.
func (a *API) lifted(draft *access.Policy) (n uint64) {
	for _, g := range a.Denials.List(denial.Query{Kind: denial.Denied}) {
		action, err := access.ParseAction(g.Last.Action)
		if err != nil {
			continue
		}
		d, err := a.device(g.Last.Client)
		if err != nil {
			continue // removed since
		}
		grant, err := draft.Grant(a.Identity.Site, d, string(d.ID))
		if err == nil && grant.Rules.Decide(action, g.Last.Topic).Allowed {
			n += g.Count
		}
	}
	return n
}
