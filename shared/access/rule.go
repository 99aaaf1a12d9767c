package access

import (
	"fmt"

	"github.com/obedio/obedio/shared/fleet"
)

// Action is what a client wants to do with a topic.
type Action uint8

// The actions.
const (
	// Send: publish a message.
	Send Action = iota
	// Receive: be given a message.
	Receive
	// Subscribe to a filter.
	Subscribe
	// Unsubscribe from a filter.
	Unsubscribe
)

// Actions are all actions, in the order of their values.
func Actions() []Action { return []Action{Send, Receive, Subscribe, Unsubscribe} }

// String is the action's name in counters and in the API.
func (a Action) String() string {
	switch a {
	case Send:
		return "publish_send"
	case Receive:
		return "publish_receive"
	case Subscribe:
		return "subscribe"
	case Unsubscribe:
		return "unsubscribe"
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// ParseAction returns the action that s names, or fleet.ErrInvalid. The short
// words are those that people say: publish, receive.
func ParseAction(s string) (Action, error) {
	switch s {
	case "publish":
		return Send, nil
	case "receive":
		return Receive, nil
	}
	for _, a := range Actions() {
		if a.String() == s {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w: action %q: want publish (or publish_send), receive (or publish_receive), subscribe or unsubscribe", fleet.ErrInvalid, s)
}

// Kind says which action a rule is about and how its topic is compared. The
// names are those of Mosquitto's dynamic security.
type Kind string

// The kinds of rules.
const (
	// PublishSend compares as a filter with the name that is published to.
	PublishSend Kind = "publishClientSend"
	// PublishReceive compares as a filter with the name of a message that is
	// about to be delivered.
	PublishReceive Kind = "publishClientReceive"
	// SubscribeLiteral wants exactly the requested filter.
	SubscribeLiteral Kind = "subscribeLiteral"
	// SubscribePattern wants to cover the requested filter: every name that the
	// request matches, the rule matches.
	SubscribePattern Kind = "subscribePattern"
	// UnsubscribeLiteral and UnsubscribePattern do the same for UNSUBSCRIBE.
	UnsubscribeLiteral Kind = "unsubscribeLiteral"
	UnsubscribePattern Kind = "unsubscribePattern"
)

// Kinds are all kinds of rules.
func Kinds() []Kind {
	return []Kind{PublishSend, PublishReceive, SubscribeLiteral, SubscribePattern, UnsubscribeLiteral, UnsubscribePattern}
}

// Action is what a valid kind is about.
func (k Kind) Action() Action {
	a, _, _ := k.action() // the zero Action for one that is not valid
	return a
}

// action returns what the kind is about and whether it compares literally.
func (k Kind) action() (a Action, literal bool, err error) {
	switch k {
	case PublishSend:
		return Send, false, nil
	case PublishReceive:
		return Receive, false, nil
	case SubscribeLiteral:
		return Subscribe, true, nil
	case SubscribePattern:
		return Subscribe, false, nil
	case UnsubscribeLiteral:
		return Unsubscribe, true, nil
	case UnsubscribePattern:
		return Unsubscribe, false, nil
	}
	return 0, false, fmt.Errorf("%w: acl type %q", fleet.ErrInvalid, string(k))
}

// ACL is one rule of a role.
type ACL struct {
	Kind Kind `json:"acltype"`
	// Topic is a filter. The variables ${clientid} ${username} ${device_id}
	// ${site} ${room} ${type} stand for whole levels of it.
	Topic string `json:"topic"`
	Allow bool   `json:"allow"`
	// Priority orders the rules of one role, the greatest first; equal ones
	// stay in the order in which they are written.
	Priority int `json:"priority,omitempty"`
}

// Role is a named list of rules.
type Role struct {
	Name string `json:"rolename"`
	// Priority orders the roles of one client, the greatest first.
	Priority int   `json:"priority,omitempty"`
	ACLs     []ACL `json:"acls"`
}
