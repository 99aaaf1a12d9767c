package hub

import (
	"context"
	"fmt"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/journal"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// certified is who a client is by its certificate.
func (d *devices) certified(ctx context.Context, c broker.Credentials) (broker.Identity, error) {
	shown, err := d.pki.Verify(c.Certificate)
	if err != nil {
		return broker.Identity{}, err
	}
	dev, err := d.registry.Device(shown.Device)
	if err != nil {
		return broker.Identity{}, err
	}
	if shown.RenewOnly {
		d.tellLate(ctx)
	}
	return d.identityShown(dev, shown) // whatever user name it says
}

// identityShown is identityOf for a certificate that may be good for nothing but
// its renewal.
func (d *devices) identityShown(dev fleet.Device, shown pki.Shown) (broker.Identity, error) {
	id, err := d.identityOf(dev, string(dev.ID), shown.Serial)
	if err != nil || !shown.RenewOnly {
		return id, err
	}
	id.Rules, err = access.Compile(renewRoles(), access.DeviceVars(d.site, dev, string(dev.ID)))
	id.Retain = access.RetainNothing
	id.NoWill = true // firmware has one in every CONNECT
	return id, err
}

// identityAgain is who a connected device is now.
func (d *devices) identityAgain(dev fleet.Device, had broker.Identity) (broker.Identity, error) {
	if had.Certificate == "" {
		return d.identityOf(dev, had.Username, "")
	}
	shown, err := d.pki.Standing(had.Certificate)
	if err != nil {
		return had, err
	}
	return d.identityShown(dev, shown)
}

// renewRoles are the rights of a device whose certificate has expired. It may ask
// for the time, by which it finds that out.
func renewRoles() []access.Role {
	base := topic.Root + "/${site}/${room}/${type}/${device_id}"
	answer, now := base+"/cmd/"+topic.Certificate, topic.System("${site}", topic.SystemTime)
	return []access.Role{{Name: "renew", ACLs: []access.ACL{
		{Kind: access.PublishSend, Topic: base + "/" + topic.Renew, Allow: true},
		{Kind: access.SubscribeLiteral, Topic: answer, Allow: true},
		{Kind: access.SubscribeLiteral, Topic: base + "/cmd/#", Allow: true},
		{Kind: access.PublishReceive, Topic: answer, Allow: true},
		{Kind: access.SubscribeLiteral, Topic: now, Allow: true},
		{Kind: access.PublishReceive, Topic: now, Allow: true},
		{Kind: access.UnsubscribePattern, Topic: "#", Allow: true},
	}}}
}

// certificateChanged ends the connection that was made with a certificate which
// does not count any more. One that a newer certificate has replaced takes
// nothing with it; else the session goes too.
func (d *devices) certificateChanged(c fleet.Certificate) {
	if c.Device == "" || !c.Revoked() {
		return
	}
	d.mu.Lock()
	s, ok := d.sessions[c.Device]
	with := ""
	if ok {
		with = s.identity.Certificate
	}
	d.mu.Unlock()
	switch {
	case c.Reason == fleet.RevokedSuperseded:
		if with == c.Serial {
			d.broker.Kick(string(c.Device), "certificate replaced")
		}
	case with == c.Serial || !ok:
		// Of one that is away nobody knows what it came with last.
		d.broker.Forget(string(c.Device), "certificate revoked")
		if dev, err := d.registry.Device(c.Device); err == nil {
			d.broker.ClearRetained(dev.BaseTopic(d.site)) // nobody can renew it
		}
	}
}

// renew answers a device's request for a new certificate: the request (PKCS #10)
// comes on its topic renew, the certificate goes out as the command certificate.
func (d *devices) renew(ctx context.Context, s *broker.Session, dev *fleet.Device, m *broker.Message) error {
	pub, err := pki.ParseRequest(m.Payload)
	if err != nil {
		return err
	}
	var chain []byte
	err = d.journal.Do(ctx, func(tx *journal.Tx) (err error) {
		chain, err = d.pki.RenewIn(tx, fleet.ByDevice(dev.ID), dev.ID, s.Identity.Certificate, pub)
		return err
	})
	if err != nil {
		return fmt.Errorf("renew the certificate of %s: %w", dev.ID, err)
	}
	return d.broker.Send(ctx, broker.Message{
		Name: topic.Command(dev.BaseTopic(d.site), topic.Certificate), Payload: chain, QoS: 1,
	})
}

// arrival is a device that has come with a certificate.
type arrival struct {
	device fleet.DeviceID
	serial string
}

// settleCertificates takes back what was replaced, until ctx ends.
func (d *devices) settleCertificates(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-d.came:
			d.replaced(ctx, a.device, a.serial)
		}
	}
}

// replaced takes back the certificates of a device that are older than the one
// with which it has come: it has the new one for certain now.
func (d *devices) replaced(ctx context.Context, id fleet.DeviceID, serial string) {
	all := d.pki.Of(id)
	if len(all) < 2 || all[0].Serial != serial {
		return
	}
	older := false
	for _, c := range all[1:] {
		older = older || !c.Revoked()
	}
	if !older {
		return
	}
	err := d.journal.Do(ctx, func(tx *journal.Tx) error {
		_, err := d.pki.RevokeAllIn(tx, fleet.System("pki"), id, serial, fleet.RevokedSuperseded)
		return err
	})
	if err != nil && ctx.Err() == nil {
		d.log.Warn("certificates that were replaced not revoked", "device_id", id, "error", err)
	}
}
