package broker

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// handshake reads the CONNECT, settles who the client is and makes this its
// only connection. On false everything is answered, counted and closed; on
// true the library's first read gets a CONNECT of the gate's own.
func (c *conn) handshake() bool {
	p, ok := c.readConnect()
	if !ok {
		return false
	}
	c.b.heardFrom(c.socket)
	c.version = p.Version
	c.said = Credentials{ClientID: p.ClientID, Username: p.Username}
	if !c.identify(p) || !c.checkWill(p.Will) {
		return false
	}
	c.settle(&p)
	if err := c.b.claim(c); err != nil {
		switch {
		case errors.Is(err, errSuperseded):
			return c.refuse(RefusedSuperseded, 0, "", err)
		case errors.Is(err, fleet.ErrLimit):
			return c.refuse(RefusedIdentity, frame.QuotaExceeded, "too many connections", err)
		default:
			return c.refuse(RefusedUnavailable, frame.ServerUnavailable, "try again", err)
		}
	}
	c.b.settleLateWill(c)
	var err error
	if c.kept, err = c.b.keptSession(c); err != nil {
		c.b.release(c)
		return c.refuse(RefusedUnavailable, frame.ServerUnavailable, "try again later", err)
	}
	c.pending = p.ForLibrary(c.session.Identity.ClientID)
	return true
}

// readConnect reads the first packet within ConnectTimeout and MaxConnectBytes.
func (c *conn) readConnect() (p frame.Connect, ok bool) {
	if !c.readUntil(time.Now().Add(c.b.limits.ConnectTimeout)) {
		return p, false
	}
	h, packet, err := c.readFrame(c.b.limits.MaxConnectBytes)
	var e *frame.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.isClosed():
		return p, c.refuse(RefusedSilent, 0, "", err)
	case errors.As(err, &e) && e.Reason == frame.PacketTooLarge:
		return p, c.refuse(RefusedTooLarge, 0, "", err)
	case errors.As(err, &e):
		return p, c.refuse(RefusedMalformed, 0, "", err)
	case err != nil:
		c.end(CauseLost) // a port scan or a health check, and no client
		return p, false
	case h.Type != frame.CONNECT:
		return p, c.refuse(RefusedMalformed, 0, "", errors.New("first packet is not a CONNECT")) // [MQTT-3.1.0-1]
	}
	p, err = frame.ParseConnect(packet[h.Size:])
	if errors.As(err, &e) && e.Reason == frame.UnsupportedVersion {
		return p, c.refuse(RefusedMalformed, frame.UnsupportedVersion, "", err)
	}
	if err != nil {
		return p, c.refuse(RefusedMalformed, 0, "", err)
	}
	return p, true
}

// refuse counts, answers with a CONNACK if there is a reason to give, and ends
// the connection. It returns false.
func (c *conn) refuse(why Refusal, reason byte, text string, err error) bool {
	c.b.counters.refused.add(why)
	detail := text
	if err != nil {
		detail = err.Error()
	}
	c.object(Objection{
		Kind: ObjectionRefused, ClientID: c.said.ClientID, Username: c.said.Username, Reason: string(why), Detail: detail,
	})
	c.b.log.Debug("mqtt connection refused", "reason", string(why), "listener", c.listener.Name,
		"remote", c.session.Remote, "client", c.session.Identity.ClientID, "error", err)
	if reason != frame.Success {
		c.out.control(frame.Refuse(c.version, reason, text))
	}
	c.end(CauseRefused)
	return false
}

// identify asks the Authenticator and settles the client id.
func (c *conn) identify(p frame.Connect) bool {
	if p.AuthMethod != "" {
		return c.refuse(RefusedCredentials, frame.BadAuthMethod, "no such authentication method", nil)
	}
	if p.ClientID == "" && p.Version < frame.V5 && !p.Clean {
		return c.refuse(RefusedClientID, frame.ClientIDNotValid, "", nil) // [MQTT-3.1.3-8] of 3.1.1
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.b.limits.AuthTimeout)
	defer cancel()
	shown := Credentials{
		ClientID: p.ClientID, Username: p.Username, Password: p.Password,
		Remote: c.session.Remote, Listener: c.listener.Name, TLS: c.tls != nil,
	}
	if c.tls != nil && len(c.tls.PeerCertificates) > 0 {
		shown.Certificate = c.tls.PeerCertificates[0]
	}
	id, err := c.b.cfg.Auth.Authenticate(ctx, shown)
	switch {
	case err == nil:
	case errors.Is(err, fleet.ErrUnauthenticated), errors.Is(err, fleet.ErrNotFound), errors.Is(err, fleet.ErrInvalid):
		if c.b.bans.failed(c.session.Remote.Addr(), p.Username) {
			c.b.log.Warn("mqtt address banned after failed sign-ins", "remote", c.session.Remote, "username", p.Username)
		}
		return c.refuse(RefusedCredentials, frame.BadCredentials, "bad user name or password", err)
	case errors.Is(err, fleet.ErrForbidden):
		return c.refuse(RefusedForbidden, frame.NotAuthorized, "not authorised", err)
	case errors.Is(err, fleet.ErrLimit):
		return c.refuse(RefusedUnavailable, frame.QuotaExceeded, "try again later", err)
	default:
		if c.ctx.Err() == nil {
			c.b.log.Warn("mqtt authentication failed", "listener", c.listener.Name, "remote", c.session.Remote, "error", err)
		}
		return c.refuse(RefusedUnavailable, frame.ServerUnavailable, "try again later", err)
	}
	if id.ClientID == "" || id.Device.ID != "" && id.ClientID != string(id.Device.ID) {
		c.b.log.Error("mqtt identity without its client id", "device", id.Device.ID, "client", id.ClientID)
		return c.refuse(RefusedUnavailable, frame.Implementation, "", nil)
	}
	if p.ClientID != "" && p.ClientID != id.ClientID {
		return c.refuse(RefusedClientID, frame.ClientIDNotValid, "client id is not that of the identity", nil)
	}
	c.session.Identity = id
	c.rights.Store(rightsOf(id))
	c.assigned = p.ClientID == ""
	return true
}

// checkWill applies to a will what will be asked again when it is published.
func (c *conn) checkWill(w *frame.Will) bool {
	id := &c.session.Identity
	if w == nil || id.NoWill {
		return true
	}
	r := rightsOf(*id)
	w.Name, _ = r.legacy.ToStandard(w.Name)
	d := r.rules.Decide(access.Send, w.Name)
	t, parseErr := topic.Parse(w.Name)
	switch {
	case d.Rule == access.RuleInvalid, parseErr != nil && id.Device.ID != "":
		return c.refuse(RefusedWill, frame.TopicInvalid, "will topic", parseErr)
	case !d.Allowed:
		c.deny(access.Send, w.Name, d.Rule)
		return c.refuse(RefusedWill, frame.NotAuthorized, "will topic", nil)
	case w.QoS > r.maxQoS:
		return c.refuse(RefusedWill, frame.QoSNotSupported, "will qos", nil)
	case w.Retain && !r.retain.Allows(t):
		return c.refuse(RefusedWill, frame.RetainNotSupported, "retained will", nil)
	case len(w.Payload) > c.b.limits.MaxPayloadBytes:
		return c.refuse(RefusedWill, frame.PacketTooLarge, "will payload", nil)
	}
	// Its bytes are of the CONNECT packet, which holds the password too.
	kept := *w
	kept.Payload = append([]byte(nil), w.Payload...)
	kept.Properties = append([]byte(nil), w.Properties...)
	c.will = &kept
	return true
}

// settle fixes what the session will be like, before there is one.
func (c *conn) settle(p *frame.Connect) {
	limits := &c.b.limits
	c.keepalive = time.Duration(p.Keepalive) * time.Second
	if p.Keepalive == 0 {
		c.keepalive = limits.DefaultKeepalive
		p.Keepalive = uint16(limits.DefaultKeepalive / time.Second)
		c.keepaliveGiven = true
	}
	if longest := uint32(limits.SessionExpiry / time.Second); p.SessionExpiry > longest {
		p.SessionExpiry = longest
		c.expiryBounded = true
	}
	c.expiry = p.SessionExpiry
	c.out.window = limits.MaxInflight
	if p.ReceiveMaximum > 0 {
		c.out.window = min(c.out.window, int(p.ReceiveMaximum))
	}
	c.session.Version = p.Version
	c.session.Clean = p.Clean
	c.session.Keepalive = c.keepalive
	if w := c.will; w != nil {
		c.session.Will = &Will{Name: w.Name, Payload: w.Payload, QoS: w.QoS, Retain: w.Retain}
	}
	c.session.ConnectedAt = c.b.now()
}
