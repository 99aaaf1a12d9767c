package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// DeviceACL is a device's own list of topics: the short way to write a List
// that replaces the device's profile.
type DeviceACL struct {
	Device fleet.DeviceID
	// Site, Room and Type say where the device is. Topics below its base topic
	// there are kept with variables, so that the rights move with the device.
	Site fleet.SiteID
	Room fleet.RoomID
	Type fleet.DeviceType
	// Publish and Subscribe are filters.
	Publish, Subscribe []string
	// Retain says whether it may set retained messages at all.
	Retain bool
	MaxQoS byte
}

// List returns the ACL document that the list of topics amounts to: the device
// may publish to Publish except its own commands, subscribe to what Subscribe
// covers and be sent that, give back any subscription, and nothing else.
// site is the hub's. fleet.ErrInvalid.
func (a DeviceACL) List(site fleet.SiteID) (List, error) {
	if _, err := fleet.ParseDeviceID(string(a.Device)); err != nil {
		return List{}, &FieldError{"device_id", "want a device id"}
	}
	if a.Site != "" && a.Site != site {
		return List{}, &FieldError{"site", fmt.Sprintf("%q is not this site, which is %s", a.Site, site)}
	}
	base, own := "", ownBase
	if a.Room != "" && a.Type != "" {
		base = topic.Base(site, a.Room, a.Type, a.Device)
	}
	place := func(filter string) string {
		if rest, ok := strings.CutPrefix(filter, base); base != "" && ok && (rest == "" || rest[0] == '/') {
			return own + rest
		}
		return filter
	}
	role := Role{Name: "device " + string(a.Device), ACLs: []ACL{
		// First, whatever the list says: commands are the hub's to give.
		{Kind: PublishSend, Topic: own + "/cmd/#", Allow: false, Priority: 1},
	}}
	for _, filter := range a.Publish {
		role.ACLs = append(role.ACLs, ACL{Kind: PublishSend, Topic: place(filter), Allow: true})
	}
	for _, filter := range a.Subscribe {
		role.ACLs = append(role.ACLs,
			ACL{Kind: SubscribePattern, Topic: place(filter), Allow: true},
			ACL{Kind: PublishReceive, Topic: place(filter), Allow: true})
	}
	role.ACLs = append(role.ACLs, ACL{Kind: UnsubscribePattern, Topic: "#", Allow: true})
	l := List{
		ID: string(a.Device), Roles: []Role{role}, ReplacesProfile: true, Retain: RetainNothing, MaxQoS: &a.MaxQoS,
		AppliesTo: Targets{Devices: []fleet.DeviceID{a.Device}},
	}
	if a.Retain {
		l.Retain = RetainAnything
	}
	if slices.Contains(a.Subscribe, "") || slices.Contains(a.Publish, "") {
		return List{}, &FieldError{"permissions", "an empty topic: take it out"}
	}
	return l, l.Check()
}
