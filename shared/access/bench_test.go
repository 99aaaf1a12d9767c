package access

import (
	"testing"

	"github.com/obedio/obedio/shared/fleet"
)

// BenchmarkGrant is what a CONNECT and a change of the policy cost for one
// device.
func BenchmarkGrant(b *testing.B) {
	p := NewPolicy(DefaultProfiles(), []List{one("ban", Targets{Types: []fleet.DeviceType{fleet.Button}}, 1, ACL{Kind: PublishSend, Topic: "x"})})
	d := button("btn-001")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Grant(site, d, "btn-001"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecide is what rights cost each message.
func BenchmarkDecide(b *testing.B) {
	g, err := NewPolicy(DefaultProfiles(), nil).Grant(site, button("btn-001"), "btn-001")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !g.Rules.Decide(Send, "obedio/yacht-1/deck-3/button/btn-001/press").Allowed {
			b.Fatal("denied")
		}
	}
}
