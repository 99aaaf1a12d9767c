package uplink

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// certified gives the site's authority what the fleet root has signed; nothing
// for a console that certifies none.
func (u *Uplink) certified(chain [][]byte, root []byte) error {
	if u.c.Authority == nil || len(chain) == 0 {
		return nil
	}
	var certs []*x509.Certificate
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("%w: certificate of the site's authority: %w", fleet.ErrInvalid, err)
		}
		certs = append(certs, c)
	}
	if !bytes.Equal(certs[len(certs)-1].Raw, root) {
		return fmt.Errorf("%w: the site's authority was certified by another root than the fleet's", fleet.ErrUnauthenticated)
	}
	return u.c.Authority.Certified(certs)
}

// certify renews the hub's certificate when two thirds of its time are over, and
// has the site's authority certified when it is not, or not for long. It reports
// whether the link has a new identity.
func (u *Uplink) certify(ctx context.Context) (bool, error) {
	s, found, err := store.Link[stored](u.c.Store, identityKey)
	if err != nil || !found || len(s.Chain) == 0 {
		return false, err
	}
	var ask pb.CertifyRequest
	if u.c.Authority != nil {
		if fleet := u.c.Authority.Fleet(); fleet == nil || u.due(fleet[0]) {
			if ask.SiteCsr, err = u.c.Authority.Request(); err != nil {
				return false, err
			}
		}
	}
	leaf, err := x509.ParseCertificate(s.Chain[0])
	if err != nil {
		return false, fmt.Errorf("read link identity: %w", err)
	}
	if u.due(leaf) {
		key, err := identity.DecodeKey(s.Key)
		if err != nil {
			return false, fmt.Errorf("read link identity: %w", err)
		}
		if ask.Csr, err = identity.Request(key, string(s.Site)); err != nil {
			return false, err
		}
	}
	if ask.Csr == nil && ask.SiteCsr == nil {
		return false, nil
	}
	call, cancel := context.WithTimeout(ctx, u.c.CallTimeout)
	defer cancel()
	answer, err := u.link.client.Certify(call, connect.NewRequest(&ask))
	if connect.CodeOf(err) == connect.CodeUnimplemented {
		return false, nil // an older console
	}
	if err != nil {
		return false, fmt.Errorf("certify: %w", err)
	}
	if !bytes.Equal(answer.Msg.FleetRoot, s.Root) {
		return false, fmt.Errorf("%w: certify: the fleet root is not the one that the hub knows", fleet.ErrUnauthenticated)
	}
	if err := u.certified(answer.Msg.SiteChain, s.Root); err != nil {
		return false, err
	}
	if len(answer.Msg.HubChain) == 0 {
		return false, nil
	}
	renewed, err := x509.ParseCertificate(answer.Msg.HubChain[0])
	if err != nil || !bytes.Equal(renewed.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo) {
		return false, fmt.Errorf("%w: certify: the hub's certificate is for another key", fleet.ErrInvalid)
	}
	s.Chain = answer.Msg.HubChain
	err = u.c.Store.Update(ctx, func(tx *store.Tx) error {
		tx.Essential()
		return tx.PutLink(identityKey, s)
	})
	if err != nil {
		return false, fmt.Errorf("store link identity: %w", err)
	}
	u.c.Logger.Info("the hub's certificate was renewed", "not_after", renewed.NotAfter)
	return true, u.adopt()
}

// due reports whether two thirds of a certificate's time are over.
func (u *Uplink) due(c *x509.Certificate) bool {
	return !u.c.now().Before(c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) * 2 / 3))
}

// keepCertified is certify for a session: what fails is tried again in the next
// one, and hinders nothing else. errEnrolledAgain when the session has to begin
// anew with the new identity.
func (u *Uplink) keepCertified(ctx context.Context) error {
	renewed, err := u.certify(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, store.ErrFailed), errors.Is(err, store.ErrClosed):
		return err
	case err != nil:
		u.c.Logger.Warn("certificates of hub and site not renewed", "error", err)
	case renewed:
		return errEnrolledAgain
	}
	return nil
}
