package access

import "github.com/obedio/obedio/shared/topic"

// What Decision.Rule says when no rule of a role has decided.
const (
	// RuleDefault: no rule applies, so the answer is no.
	RuleDefault = "default: deny"
	// RuleInvalid: the topic itself is not valid.
	RuleInvalid = "invalid topic"
)

// Decision is an answer and what made it.
type Decision struct {
	Allowed bool
	// Rule is the role, the ACL type and the topic of the rule that decided, or
	// RuleDefault, or RuleInvalid.
	Rule string
	// Role is that rule's role; empty when no rule of a role decided.
	Role string
}

// Decide answers whether the client may do a with name, which is a topic name
// for Send and Receive and a filter for Subscribe and Unsubscribe. A $share
// prefix of a filter is taken off before rules are asked. It allocates nothing.
// A nil *Rules allows nothing.
func (r *Rules) Decide(a Action, name string) Decision {
	var valid bool
	switch a {
	case Send:
		valid = topic.ValidName(name)
	case Receive:
		valid = topic.CheckDelivered(name) == nil
	case Subscribe, Unsubscribe:
		if valid = topic.ValidFilter(name); valid {
			_, name, _ = topic.SplitShare(name)
		}
	}
	if !valid {
		return Decision{Rule: RuleInvalid}
	}
	if r == nil {
		return Decision{Rule: RuleDefault}
	}
	for i := range r.byAction[a] {
		if rule := &r.byAction[a][i]; rule.applies(a, name) {
			return Decision{Allowed: rule.allow, Rule: rule.name, Role: rule.role}
		}
	}
	return Decision{Rule: RuleDefault}
}

func (r *rule) applies(a Action, name string) bool {
	switch {
	case r.literal:
		return r.topic == name
	case a == Subscribe || a == Unsubscribe:
		return topic.Cover(r.topic, name)
	default:
		return topic.Match(r.topic, name)
	}
}
