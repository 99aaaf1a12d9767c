package broker

import (
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/topic"
)

// rights are what an identity may do. They may change while its connection
// lives; each decision is made on one set of them.
type rights struct {
	rules  *access.Rules
	retain access.Retain
	maxQoS byte
	rate   access.Rate
	legacy topic.Legacy
}

func rightsOf(id Identity) *rights {
	return &rights{rules: id.Rules, retain: id.Retain, maxQoS: id.MaxQoS, rate: id.Rate, legacy: id.Legacy}
}
