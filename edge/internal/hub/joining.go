package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/provision"
	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// joining is the user name of a device that has nothing but a provisioning token,
// which is its password. It may publish its claim and be sent the answer.
const joining = "provision"

// joins is who such a device is.
func (d *devices) joins(c broker.Credentials) (broker.Identity, error) {
	id, err := d.provision.Holder(string(c.Password), c.Remote.Addr().String())
	if err != nil {
		return broker.Identity{}, err
	}
	client := registry.ClaimPrefix + id
	if strings.HasPrefix(c.ClientID, registry.ClaimPrefix) {
		client = c.ClientID
	}
	answer := topic.System("${site}", topic.SystemClaimed+"/"+id)
	any := topic.System("${site}", topic.SystemClaimed+"/+") // a QR code does not tell the token's id
	rules, err := access.Compile([]access.Role{{Name: joining, ACLs: []access.ACL{
		{Kind: access.PublishSend, Topic: topic.System("${site}", topic.SystemClaim), Allow: true},
		{Kind: access.SubscribeLiteral, Topic: answer, Allow: true},
		{Kind: access.SubscribeLiteral, Topic: any, Allow: true},
		{Kind: access.PublishReceive, Topic: answer, Allow: true},
		{Kind: access.UnsubscribePattern, Topic: "#", Allow: true},
	}}}, access.Vars{ClientID: client, Username: joining, Site: string(d.site)})
	if err != nil {
		return broker.Identity{}, err
	}
	return broker.Identity{
		ClientID: client, Username: joining, Token: id, Rules: rules, MaxQoS: 1, MaxConnections: maxJoining, Retain: access.RetainNothing,
	}, nil
}

// maxJoining devices may be connected at once.
const maxJoining = 50

// join answers a claim.
func (d *devices) join(ctx context.Context, s *broker.Session, m *broker.Message) error {
	if s.Identity.Token == "" || m.Topic.Action != topic.SystemClaim || m.Will {
		return nil
	}
	answer := d.claim(ctx, m.Payload, s.Remote.Addr().String())
	err := d.broker.Send(ctx, broker.Message{
		Name: topic.System(d.site, topic.SystemClaimed+"/"+s.Identity.Token), Payload: answer, QoS: 1,
	})
	if err != nil && !errors.Is(err, fleet.ErrUnavailable) {
		return fmt.Errorf("answer a claim: %w", err)
	}
	return nil
}

// addresses are where devices reach the hub: under its first name that is none of
// the machine itself, and the ports of its listeners.
func (h *Hub) addresses() provision.Addresses {
	host := "localhost"
	for _, n := range h.names() {
		if n != "localhost" {
			host = n
			break
		}
	}
	at := func(scheme string, l net.Listener, path string) string {
		if l == nil {
			return ""
		}
		hub, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return ""
		}
		if ip := net.ParseIP(hub); ip == nil || ip.IsUnspecified() {
			hub = host
		}
		return scheme + "://" + net.JoinHostPort(hub, port) + path
	}
	l := h.c.Listeners
	a := provision.Addresses{
		MQTT: at("mqtt", l.MQTT, ""), MQTTS: at("mqtts", l.MQTTS, ""), WS: at("ws", l.MQTTWS, "/mqtt"), WSS: at("wss", l.MQTTWSS, "/mqtt"),
		Enrol: at("https", l.HTTPS, "/api/v1/provision/claim"),
	}
	if a.Enrol == "" {
		a.Enrol = at("http", l.HTTP, "/api/v1/provision/claim")
	}
	return a
}

// plainHTTPRoles are those whose people may sign in without TLS: all of them,
// when there is no other way.
func (h *Hub) plainHTTPRoles() []account.Role {
	if h.c.Listeners.HTTPS == nil {
		return nil
	}
	return []account.Role{account.Crew, account.Viewer}
}
