package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/denial"
	"github.com/obedio/obedio/edge/internal/pki"
	"github.com/obedio/obedio/edge/internal/policy"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// identityOf is who a device is on the broker, with its rights as they are now.
// certificate is the serial number of the one that it came with; a device of a
// profile that requires one does not come in with a password: fleet.ErrForbidden.
func (d *devices) identityOf(dev fleet.Device, username, certificate string) (broker.Identity, error) {
	g, err := d.policies.Policy().Grant(d.site, dev, username)
	if err != nil {
		return broker.Identity{}, err
	}
	if before, ok := d.registry.Moved(dev); ok {
		old, err := d.policies.Policy().Grant(d.site, before, username)
		if err != nil {
			return broker.Identity{}, err
		}
		g.Rules = g.Rules.Beside(old.Rules)
	}
	if g.ClientCertRequired && certificate == "" {
		return broker.Identity{}, fmt.Errorf("%w: profile %s requires a client certificate, and %s came with a password",
			fleet.ErrForbidden, g.Profile, dev.ID)
	}
	return broker.Identity{
		Device: dev, ClientID: string(dev.ID), Username: username, Signed: g.SignMessages, Certificate: certificate, Rules: g.Rules,
		MaxQoS: g.MaxQoS, MaxConnections: g.MaxConnections, Retain: g.Retain, Rate: g.Rate, Legacy: d.legacyOf(dev),
	}, nil
}

// legacyOf translates the topics of old firmware for a device; nothing, unless
// the site has them switched on.
func (d *devices) legacyOf(dev fleet.Device) topic.Legacy {
	if !d.legacy {
		return topic.Legacy{}
	}
	return topic.LegacyOf(d.site, dev)
}

// doubt has the rights of a connected device looked at again soon. It does not
// block.
func (d *devices) doubt(ids ...fleet.DeviceID) {
	d.mu.Lock()
	for _, id := range ids {
		d.unsure[id] = struct{}{}
	}
	d.mu.Unlock()
	select {
	case d.look <- struct{}{}:
	default: // who looks will see these too
	}
}

// doubtAll is doubt for everybody who is connected.
func (d *devices) doubtAll() {
	d.mu.Lock()
	ids := make([]fleet.DeviceID, 0, len(d.sessions))
	for id := range d.sessions {
		ids = append(ids, id)
	}
	d.mu.Unlock()
	d.doubt(ids...)
}

// settleRights gives connected devices the rights that they have now, until
// ctx ends.
func (d *devices) settleRights(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.look:
		}
		d.mu.Lock()
		ids := d.unsure
		d.unsure = map[fleet.DeviceID]struct{}{}
		d.mu.Unlock()
		for id := range ids {
			d.settle(id)
		}
	}
}

// settle compares what a connected device may do with what it was told that it
// may, and has the broker go on with the new rights. A new connection's rights
// are told in any case: those that were on their way to the connection before
// it may have reached it.
func (d *devices) settle(id fleet.DeviceID) {
	d.mu.Lock()
	s, ok := d.sessions[id]
	var had broker.Identity
	var settled bool
	if ok {
		had, settled = s.identity, s.settled
	}
	d.mu.Unlock()
	if !ok {
		return
	}
	dev, err := d.registry.Device(id)
	if err != nil {
		// It may have been removed before it was connected, and so not been found.
		d.broker.Forget(string(id), "device removed")
		return
	}
	next, err := d.identityAgain(dev, had)
	switch {
	case errors.Is(err, pki.ErrRevoked):
		d.broker.Forget(string(id), "certificate revoked")
	case err != nil:
		d.log.Info("device may not stay connected", "device_id", id, "error", err)
		d.broker.Kick(string(id), "rights have changed")
	case dev.Room != had.Device.Room || dev.Type != had.Device.Type:
		d.broker.Kick(string(id), "device moved")
	case !settled || !sameRights(had, next):
		d.mu.Lock()
		if now, ok := d.sessions[id]; ok && now.generation == s.generation {
			now.identity, now.settled = next, true
		}
		d.mu.Unlock()
		d.broker.Reauthorize(string(id), next)
	}
}

func sameRights(a, b broker.Identity) bool {
	return a.Rules.Equal(b.Rules) && a.MaxQoS == b.MaxQoS && a.MaxConnections == b.MaxConnections && a.Retain == b.Retain && a.Rate == b.Rate && a.Legacy == b.Legacy && a.Signed == b.Signed
}

// followPolicy has everybody's rights looked at after a change of the policy,
// and tells devices of it, until ctx ends.
func (d *devices) followPolicy(ctx context.Context) error {
	changes := d.policies.Changes()
	r := changes.Subscribe(changes.Head())
	d.doubtAll() // what changed before the subscription
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			d.doubtAll()
			continue
		case err != nil:
			return nil //nolint:nilerr // the hub is stopping
		}
		d.doubtAll()
		if err := d.tellPolicy(ctx, item.Value); err != nil && ctx.Err() == nil {
			d.log.Warn("policy change not told to devices", "revision", item.Value.Revision, "error", err)
		}
	}
}

// aclUpdate is the payload of system/security/acl-update, for devices that
// cache their rights.
type aclUpdate struct {
	Version         uint64   `json:"version"`
	ChangedProfiles []string `json:"changed_profiles"`
	ChangedACLs     []string `json:"changed_acls"`
}

func (d *devices) tellPolicy(ctx context.Context, c policy.Change) error {
	payload, err := json.Marshal(aclUpdate{c.Revision, c.Profiles, c.ACLs})
	if err != nil {
		return err
	}
	return d.broker.Send(ctx, broker.Message{Name: topic.System(d.site, topic.SystemACLUpdate), Payload: payload, QoS: 1})
}

// objected remembers what the broker holds against clients.
func (d *devices) objected(o broker.Objection) {
	e := denial.Event{
		At: fleet.Millis(o.At), Kind: denial.Kind(o.Kind), Client: o.ClientID, Username: o.Username, Topic: o.Topic,
		Reason: o.Reason, Detail: o.Detail,
	}
	if o.Remote.IsValid() {
		e.Remote = o.Remote.Addr().Unmap().String()
	}
	if o.Kind == broker.ObjectionDenied {
		d.traffic.Denied(o.ClientID, o.At)
		e.Action = o.Action.String()
	}
	if o.Kind == broker.ObjectionRefused && broker.Refusal(o.Reason) == broker.RefusedCertificate {
		// One that has expired and one that was forged are not the same thing.
		e.Reason += "_" + string(certificateReason(o.Detail))
	}
	d.denials.Note(e)
	d.tellSecurity(o)
}
