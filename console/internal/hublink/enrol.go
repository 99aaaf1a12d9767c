package hublink

import (
	"context"
	"errors"
	"fmt"

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
	if len(m.SiteCsr) > 0 {
		return nil, connect.NewError(connect.CodeUnimplemented, errors.New("this console certifies no site authorities"))
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
		l.End(before.Hub)
		l.events.Publish(Event{Site: site})
	}
	return connect.NewResponse(&pb.EnrolResponse{
		HubId: string(c.Hub), SiteId: string(site), HubChain: c.Chain, FleetRoot: l.c.Authority.Root().Raw,
		ConsoleId: l.c.Identity.ConsoleID, ConsoleEpoch: l.c.Identity.Epoch,
	}), nil
}
