package hub

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/disk"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/security"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
)

// writeSecurity adds entries to the audit. They are few whatever happens, so
// they are written as long as calls are.
func (h *Hub) writeSecurity(ctx context.Context, entries []security.Entry) error {
	return h.journal.Do(ctx, func(tx *journal.Tx) error {
		tx.Essential()
		for _, e := range entries {
			if err := tx.Audit(e.Actor, e.Action, e.Target, e.Detail); err != nil {
				return err
			}
		}
		return nil
	})
}

// tellSecurity tells the audit what the broker held against a client, as far as
// it is a matter of security.
func (d *devices) tellSecurity(o broker.Objection) {
	at, from := fleet.Millis(o.At), o.Remote.Addr()
	switch o.Kind {
	case broker.ObjectionDenied:
		d.security.Denied(security.Denial{
			At: at, Client: o.ClientID, Action: o.Action.String(), Topic: o.Topic, Rule: o.Reason, Remote: from,
		})
	case broker.ObjectionRefused:
		switch why := broker.Refusal(o.Reason); why {
		case broker.RefusedCredentials:
			d.security.CredentialsRefused(at, from, d.knownName(o.Username))
			d.suspected.Store(true)
		case broker.RefusedCertificate:
			d.security.CertificateRefused(security.CertificateRefusal{
				At: at, Reason: certificateReason(o.Detail), Remote: from, Listener: o.Listener, Detail: o.Detail,
			})
		case broker.RefusedForbidden, broker.RefusedClientID, broker.RefusedOrigin, broker.RefusedWill:
			d.security.ConnectionRefused(at, from, o.Reason, d.knownName(o.Username))
		default: // limits, and what is no client
		}
	case broker.ObjectionLimited:
	}
}

// certificateReason is why a certificate was refused, of which the broker knows
// the words.
func certificateReason(detail string) security.CertificateReason {
	for err, reason := range map[error]security.CertificateReason{
		pki.ErrExpired: security.CertificateExpired, pki.ErrNotYet: security.CertificateNotYet, pki.ErrRevoked: security.CertificateRevoked,
		pki.ErrOtherAuthority: security.CertificateIssuer, pki.ErrUnknown: security.CertificateUnknown, pki.ErrNotForClients: security.CertificateUse,
	} {
		if strings.HasPrefix(detail, err.Error()) {
			return reason
		}
	}
	return security.CertificateIdentity // the rest of what pki says is about the name
}

// knownName is a user name that is a device's; what else somebody has typed
// there may be his password.
func (d *devices) knownName(username string) string {
	if _, err := d.registry.Device(fleet.DeviceID(username)); err != nil {
		return ""
	}
	return username
}

// bansEvery is how soon a ban is told of.
const bansEvery = time.Second

// watchBans tells the audit of addresses that the broker does not let in any
// more, until ctx ends.
func (d *devices) watchBans(ctx context.Context) error {
	tick := time.NewTicker(bansEvery)
	defer tick.Stop()
	told := map[netip.Prefix]time.Time{}
	look := func() {
		if !d.suspected.Swap(false) {
			return
		}
		now := map[netip.Prefix]time.Time{}
		for _, b := range d.broker.Bans() {
			if !told[b.Address].Equal(b.Since) {
				d.security.Banned(fleet.Millis(b.Since), b.Address, b.Until, b.Failures)
			}
			now[b.Address] = b.Since
		}
		told = now
	}
	for {
		select {
		case <-ctx.Done():
			look()
			return nil
		case <-tick.C:
			look()
		}
	}
}

// watchDisk tells the audit when the disk stops something, and when everything
// goes on again, until ctx ends.
func (h *Hub) watchDisk(ctx context.Context) error {
	changes := h.disk.Changes()
	r := changes.Subscribe(0)
	before := disk.Ample
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			continue
		case err != nil:
			return nil //nolint:nilerr // the hub is stopping
		}
		s := item.Value
		if stopped := s.Level >= disk.HistoryStops; s.Level != before && (stopped || before >= disk.HistoryStops) {
			h.security.DiskLevel(fleet.Millis(s.Since), s.Level.String(), stopped, s.Free)
		}
		before = s.Level
	}
}
