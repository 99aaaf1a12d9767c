package hublink

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/identity"
	"github.com/obedio/obedio/shared/lane"
)

type hubKey struct{}

// CheckCertificate is for the handshake: a certificate that is shown must name
// a hub of this console. Whether that hub was revoked is asked at every call,
// where it can be told.
func (l *Link) CheckCertificate(c *x509.Certificate) error {
	_, err := identity.Hub(l.c.Authority.Authority(), c)
	return err
}

// identify puts the hub that a connection's certificate names into the
// context, and keeps the gRPC protocols away, which cost more bytes.
func (l *Link) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			http.Error(w, "this link speaks the Connect protocol", http.StatusUnsupportedMediaType)
			return
		}
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			if hub, err := identity.Hub(l.c.Authority.Authority(), r.TLS.PeerCertificates[0]); err == nil {
				belongs(r.Context(), hub)
				r = r.WithContext(context.WithValue(r.Context(), hubKey{}, hub))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// caller is the hub that calls: fleet.ErrUnauthenticated without a
// certificate, fleet.ErrForbidden when it or its site was revoked.
func (l *Link) caller(ctx context.Context) (store.Hub, error) {
	id, ok := ctx.Value(hubKey{}).(fleet.HubID)
	if !ok {
		return store.Hub{}, fmt.Errorf("%w: show the hub's certificate", fleet.ErrUnauthenticated)
	}
	h, err := l.c.Store.Hub(ctx, id)
	if errors.Is(err, fleet.ErrNotFound) {
		return h, fmt.Errorf("%w: the console does not know hub %s", fleet.ErrForbidden, id)
	}
	if err != nil {
		return h, err
	}
	if !h.RevokedAt.IsZero() {
		return h, fmt.Errorf("%w: hub %s was revoked", fleet.ErrForbidden, id)
	}
	return h, nil
}

// allowed is caller inside the transaction: a site may have been revoked, or
// given to another hub, since.
func allowed(v store.SiteView, h store.Hub) error {
	if s := v.Site(); !s.RevokedAt.IsZero() || s.Hub != h.ID {
		return fmt.Errorf("%w: hub %s was revoked", fleet.ErrForbidden, h.ID)
	}
	return nil
}

var errInternal = errors.New("the console failed")

// codes is the one table from sentinel errors to Connect's codes. The first
// that matches decides.
var codes = []struct {
	err  error
	code connect.Code
}{
	{lane.ErrTicket, connect.CodeFailedPrecondition},
	{lane.ErrDiverged, connect.CodeFailedPrecondition},
	{lane.ErrBehind, connect.CodeFailedPrecondition},
	{fleet.ErrInvalid, connect.CodeInvalidArgument},
	{fleet.ErrForbidden, connect.CodePermissionDenied},
	{fleet.ErrExpired, connect.CodePermissionDenied},
	{fleet.ErrUnauthenticated, connect.CodeUnauthenticated},
	{fleet.ErrExists, connect.CodeAlreadyExists},
	{fleet.ErrState, connect.CodeFailedPrecondition},
	{fleet.ErrLimit, connect.CodeResourceExhausted},
	{fleet.ErrUnavailable, connect.CodeUnavailable},
	{store.ErrClosed, connect.CodeUnavailable},
	{store.ErrFailed, connect.CodeUnavailable},
	{context.Canceled, connect.CodeCanceled},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded},
}

// translate gives errors their code. What is not in the table is the console's
// own fault: its text stays in the log.
func (l *Link) translate(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		resp, err := next(ctx, req)
		if err == nil {
			return resp, nil
		}
		if c := new(connect.Error); errors.As(err, &c) {
			return nil, err
		}
		for _, k := range codes {
			if errors.Is(err, k.err) {
				return nil, connect.NewError(k.code, err)
			}
		}
		l.c.Logger.Error("call failed", "procedure", req.Spec().Procedure, "error", err)
		return nil, connect.NewError(connect.CodeInternal, errInternal)
	}
}
