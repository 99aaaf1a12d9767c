package wire

import (
	"fmt"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"
	"github.com/obedio/obedio/shared/fleet"
)

var policyOutcomes = names[pb.PolicyOutcome, fleet.PolicyOutcome]{
	fleet.PolicyOutcomeApplied: pb.PolicyOutcome_POLICY_OUTCOME_APPLIED,
	fleet.PolicyOutcomeRefused: pb.PolicyOutcome_POLICY_OUTCOME_REFUSED,
}

// EncodeRestated returns the message of r.
func EncodeRestated(r fleet.Restated) (*pb.Restated, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	b, err := fleet.EncodeEntity(r.Entity)
	if err != nil {
		return nil, err
	}
	ref := r.Entity.Ref()
	return &pb.Restated{Kind: string(ref.Kind), Id: ref.ID, Entity: b}, nil
}

// DecodeRestated reads what EncodeRestated wrote; fleet.ErrInvalid.
func DecodeRestated(m *pb.Restated) (fleet.Restated, error) {
	e, err := fleet.DecodeEntity(fleet.EntityKind(m.GetKind()), m.GetEntity())
	if err != nil {
		return fleet.Restated{}, fmt.Errorf("%w: restated %s %s: %w", fleet.ErrInvalid, m.GetKind(), m.GetId(), err)
	}
	r := fleet.Restated{Entity: e}
	if e.Ref().ID != m.GetId() {
		return r, fmt.Errorf("%w: restated %s %s says that it is %s", fleet.ErrInvalid, m.GetKind(), m.GetId(), e.Ref().ID)
	}
	return r, r.Check()
}

// EncodePolicy returns the message of p.
func EncodePolicy(p fleet.Policy) *pb.Policy {
	m := &pb.Policy{Version: p.Version}
	for _, d := range p.Documents {
		m.Documents = append(m.Documents, &pb.PolicyDocument{Kind: string(d.Kind), Name: d.Name, Body: d.Body, Over: d.Over})
	}
	for _, n := range p.Removed {
		m.Removed = append(m.Removed, n.String())
	}
	return m
}

// DecodePolicy reads what EncodePolicy wrote; fleet.ErrInvalid.
func DecodePolicy(m *pb.Policy) (fleet.Policy, error) {
	p := fleet.Policy{Version: m.GetVersion()}
	for _, d := range m.GetDocuments() {
		p.Documents = append(p.Documents, fleet.PolicyDocument{Kind: fleet.DocumentKind(d.Kind), Name: d.Name, Body: d.Body, Over: d.Over})
	}
	for _, s := range m.GetRemoved() {
		n, err := fleet.ParseDocumentName(s)
		if err != nil {
			return p, err
		}
		p.Removed = append(p.Removed, n)
	}
	return p, p.Check()
}
