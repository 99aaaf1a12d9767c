package access

import (
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// Retain says which of its messages a client may ask the broker to retain. A
// retained message or will beyond it is refused, not changed.
type Retain string

// What may be retained.
const (
	RetainNothing Retain = "nothing"
	// RetainStatus: the device's own status, which is also its will. The
	// default: the zero value means the same.
	RetainStatus   Retain = "status"
	RetainAnything Retain = "anything"
)

// Allows reports whether a message on t may be retained. A topic outside the
// grammar is the zero Topic.
func (r Retain) Allows(t topic.Topic) bool {
	switch r {
	case RetainAnything:
		return true
	case RetainStatus, "":
		return !t.System && t.Action == topic.Status
	default:
		return false
	}
}

// Rate bounds what one client publishes; a zero field takes the broker's
// default. Beyond it the client is read more slowly, so nothing is lost.
type Rate struct {
	// Messages a second, on average; ten seconds' worth may come at once.
	Messages float64 `json:"messages_per_second,omitempty"`
	// Bytes of whole packets a second.
	Bytes float64 `json:"bytes_per_second,omitempty"`
}

// Profile is a security profile: what a class of devices may do on the broker.
type Profile struct {
	Name string `json:"profile_name"`
	// Roles names the ACL documents whose roles the profile's devices have.
	Roles []string `json:"roles,omitempty"`
	// ACL are the profile's own rules: one role of priority 0, asked after those
	// of documents with the same priority.
	ACL []ACL `json:"acl_pattern"`
	// MaxQoS is the highest QoS that the client may publish with and is granted.
	MaxQoS byte `json:"max_qos"`
	// MaxConnections is how many connections one identity may have at once.
	MaxConnections int `json:"max_connections"`
	// ClientCertRequired refuses a client that has shown no certificate.
	ClientCertRequired bool `json:"client_cert_required"`
	// SignMessages: messages of the profile's devices are signed (see package
	// topic, Signed); one without a right signature does not count.
	SignMessages bool   `json:"sign_messages,omitempty"`
	Retain       Retain `json:"retain,omitempty"`
	// Rate is how fast one client may publish.
	Rate Rate `json:"rate,omitzero"`
	// ReportingInterval in seconds, at which a device that is awake reports; 0
	// for that of its type.
	ReportingInterval int `json:"reporting_interval_s,omitempty"`
	// Relay names the devices whose topics a repeater may use for them.
	Relay []fleet.DeviceID `json:"relay,omitempty"`
}

// DefaultProfiles has one profile for each built-in type of device, named like
// the type.
func DefaultProfiles() []Profile {
	var all []Profile
	for _, t := range fleet.DeviceTypes() {
		all = append(all, Profile{
			Name: string(t), ACL: DeviceACLs(), MaxQoS: 1, MaxConnections: 1, Retain: RetainStatus,
		})
	}
	return all
}

const ownBase = topic.Root + "/${site}/${room}/${type}/${device_id}"

// DeviceACLs are the standard rules: a device may publish below its own base
// topic except cmd/#, and be sent what is below its own cmd/ and what the hub
// tells every device.
func DeviceACLs() []ACL {
	acls := []ACL{
		{Kind: PublishSend, Topic: ownBase + "/cmd/#", Allow: false},
		{Kind: PublishSend, Topic: ownBase + "/#", Allow: true},
		{Kind: SubscribePattern, Topic: ownBase + "/cmd/#", Allow: true},
		{Kind: PublishReceive, Topic: ownBase + "/cmd/#", Allow: true},
		{Kind: UnsubscribePattern, Topic: "#", Allow: true},
	}
	for _, action := range []string{topic.SystemTime, topic.SystemHub, topic.SystemACLUpdate, topic.SystemBuzzer} {
		name := topic.System("${site}", action)
		acls = append(acls,
			ACL{Kind: SubscribeLiteral, Topic: name, Allow: true},
			ACL{Kind: PublishReceive, Topic: name, Allow: true})
	}
	return acls
}

// DeviceRoles is the role of the standard rules.
func DeviceRoles() []Role { return []Role{{Name: "device", ACLs: DeviceACLs()}} }

// relayRole lets a repeater publish for its children, wherever they are
// placed, and be sent what is meant for them.
func relayRole(children []fleet.DeviceID) Role {
	role := Role{Name: "relay"}
	for _, child := range children {
		base := topic.Root + "/${site}/+/+/" + string(child)
		role.ACLs = append(role.ACLs,
			ACL{Kind: PublishSend, Topic: base + "/cmd/#", Allow: false},
			ACL{Kind: PublishSend, Topic: base + "/#", Allow: true},
			ACL{Kind: SubscribePattern, Topic: base + "/cmd/#", Allow: true},
			ACL{Kind: PublishReceive, Topic: base + "/cmd/#", Allow: true})
	}
	return role
}

// HubRoles are the rights of the hub itself: it publishes commands to devices
// and the system topics of its site, and nothing else.
func HubRoles() []Role {
	return []Role{{Name: "hub", ACLs: []ACL{
		{Kind: PublishSend, Topic: topic.Root + "/${site}/+/+/+/cmd/#", Allow: true},
		{Kind: PublishSend, Topic: topic.Root + "/${site}/system/#", Allow: true},
	}}}
}
