package hublink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	pb "github.com/obedio/obedio/proto/gen/obedio/v1"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
)

// errClaim is all that is told of a claim that cannot be used: who guesses
// learns nothing.
var errClaim = fmt.Errorf("%w: the claim is not known, or its time is over", fleet.ErrForbidden)

// Enrol implements HubLink: it gives a hub its identity.
func (l *Link) Enrol(ctx context.Context, req *connect.Request[pb.EnrolRequest]) (*connect.Response[pb.EnrolResponse], error) {
	if err := l.limits.take(req.Peer().Addr, l.c.Now()); err != nil {
		return nil, err
	}
	m := req.Msg
	site, err := fleet.ParseSiteID(m.SiteId)
	if err != nil {
		return nil, err
	}
	if len(m.Claim) < 20 || len(m.Claim) > 200 || len(m.InstallId) > 128 || len(m.HubVersion) > 128 {
		return nil, fmt.Errorf("%w: claim, install_id or hub_version is too short or too long", fleet.ErrInvalid)
	}
	pub, err := identity.RequestedKey(m.Csr)
	if err != nil {
		return nil, err
	}
	key, err := identity.KeyID(pub)
	if err != nil {
		return nil, err
	}
	// Looked at before anything is signed; UseClaim decides.
	hash := account.HashSecret(m.Claim)
	c, err := l.c.Store.Claim(ctx, hash)
	if errors.Is(err, fleet.ErrNotFound) {
		return nil, errClaim
	}
	if err != nil {
		return nil, err
	}
	if c.Site != site {
		return nil, fmt.Errorf("%w: the claim is for another site than %s", fleet.ErrInvalid, site)
	}
	before, err := l.c.Store.Site(ctx, site)
	if err != nil {
		return nil, err
	}
	h := store.Hub{
		ID: fleet.NewUUID[fleet.HubID](l.now()), Site: site, Key: key, Install: m.InstallId, Version: m.HubVersion,
		EnrolledAt: l.now(),
	}
	siteChain, err := l.signSite(m.SiteCsr) // before the claim is used up
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	if c.UsedAt.IsZero() {
		if chain, h.NotAfter, err = l.c.Authority.SignHub(h.ID, pub); err != nil {
			return nil, err
		}
	}
	c, err = l.c.Store.UseClaim(ctx, hash, h, chain)
	switch {
	case errors.Is(err, fleet.ErrNotFound), errors.Is(err, fleet.ErrExpired):
		return nil, errClaim
	case err != nil:
		return nil, err
	}
	if c.Hub == h.ID {
		l.c.Logger.Info("hub enrolled", "site", site, "hub", h.ID, "replaces", before.Hub, "version", h.Version)
		l.End(site, before.Hub)
	}
	return connect.NewResponse(&pb.EnrolResponse{
		HubId: string(c.Hub), SiteId: string(site), HubChain: c.Chain, FleetRoot: l.c.Authority.Root().Raw, SiteChain: siteChain,
		ConsoleId: l.c.Identity.ConsoleID, ConsoleEpoch: l.c.Identity.Epoch,
	}), nil
}

// signSite certifies the authority of a site; nothing for no request. The same
// key may be certified again: each time it is the same site.
func (l *Link) signSite(csr []byte) ([][]byte, error) {
	if len(csr) == 0 {
		return nil, nil
	}
	return l.c.Authority.SignSite(csr)
}

// Certify implements HubLink: it renews what Enrol has given.
func (l *Link) Certify(ctx context.Context, req *connect.Request[pb.CertifyRequest]) (*connect.Response[pb.CertifyResponse], error) {
	hub, err := l.caller(ctx)
	if err != nil {
		return nil, err
	}
	out := &pb.CertifyResponse{FleetRoot: l.c.Authority.Root().Raw}
	if len(req.Msg.Csr) > 0 {
		pub, err := identity.RequestedKey(req.Msg.Csr)
		if err != nil {
			return nil, err
		}
		if key, err := identity.KeyID(pub); err != nil || key != hub.Key {
			return nil, fmt.Errorf("%w: the request is for another key than the hub's: enrol it anew", errors.Join(fleet.ErrForbidden, err))
		}
		var notAfter time.Time
		if out.HubChain, notAfter, err = l.c.Authority.SignHub(hub.ID, pub); err != nil {
			return nil, err
		}
		if err := l.c.Store.RenewHub(ctx, hub.ID, notAfter); err != nil {
			return nil, err
		}
		l.c.Logger.Info("hub's certificate renewed", "site", hub.Site, "hub", hub.ID, "not_after", notAfter)
	}
	if out.SiteChain, err = l.signSite(req.Msg.SiteCsr); err != nil {
		return nil, err
	}
	return connect.NewResponse(out), nil
}
