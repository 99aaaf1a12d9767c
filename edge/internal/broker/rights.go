package broker

import "github.com/obedio/obedio/shared/access"

// rights are what an identity may do. They may change while its connection
// lives; each decision is made on one set of them.
type rights struct {
	rules  *access.Rules
	retain access.Retain
	maxQoS byte
	rate   access.Rate
}

func rightsOf(id Identity) *rights {
	return &rights{rules: id.Rules, retain: id.Retain, maxQoS: id.MaxQoS, rate: id.Rate}
}
