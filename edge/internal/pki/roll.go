package pki

import (
	"context"
	"errors"
	"fmt"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// roll begins a new authority when the present one is running out, and gives the
// old one up when its time is over or no device needs it any more.
func (p *PKI) roll(ctx context.Context) error {
	all := p.counting()
	certain := p.c.Clock.Certain()
	if len(all) == 1 {
		if certain.Before(all[0].cert.NotAfter.Add(-p.c.RollAt)) {
			return nil
		}
		return p.Roll(ctx)
	}
	old := all[1]
	needed, err := p.needed(old)
	if err != nil || needed && !certain.After(old.cert.NotAfter) {
		return err
	}
	if err := p.settle(ctx, all[0], authority{}); err != nil {
		return err
	}
	file := authorityFile + nameOf(old.cert)
	p.c.Logger.Info("old authority of the site given up", "not_after", old.cert.NotAfter)
	return errors.Join(p.files.Remove(file+".crt"), p.files.Remove(file+".key"))
}

// needed reports whether some device has a certificate of that authority that
// counts, and none of another.
func (p *PKI) needed(a authority) (bool, error) {
	key, err := identity.KeyID(&a.key.PublicKey)
	if err != nil {
		return false, err
	}
	return p.known.relies(key), nil
}

// Roll begins a new authority now. Certificates of the old one count until they
// expire, and its devices get new ones when they renew; the hub shows a
// certificate of the old one until the last of them has. fleet.ErrState while an
// authority before it is still in use.
func (p *PKI) Roll(ctx context.Context) error {
	all := p.counting()
	if len(all) > 1 {
		return fmt.Errorf("%w: the site's authority is being replaced already", fleet.ErrState)
	}
	next, err := p.newAuthority()
	if err != nil {
		return err
	}
	old := all[0]
	if p.c.Clock.Certain().After(old.cert.NotAfter) {
		old = authority{} // its devices have to join anew
	}
	if err := p.settle(ctx, next, old); err != nil {
		return err
	}
	p.mu.Lock()
	p.fleetChain = nil // it is of the old one; the next enrolment brings a new one
	p.mu.Unlock()
	return p.files.Remove(fleetFile + ".crt")
}
