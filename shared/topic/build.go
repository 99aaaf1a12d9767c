package topic

import (
	"strings"

	"github.com/obedio/obedio/shared/fleet"
)

// The last levels of a device's own topics.
const (
	Status    = "status"
	Heartbeat = "heartbeat"
	Metrics   = "metrics"
	Press     = "press"
	Ack       = "ack"
	Renew     = "renew"
	// The hub's own commands, below cmd/.
	Receipt     = "receipt"
	Notify      = "notify"
	Certificate = "certificate"
)

// What follows system/ in the hub's own topics.
const (
	SystemTime      = "time"
	SystemHub       = "hub"
	SystemClaim     = "provision/request"
	SystemClaimed   = "provision/response" // followed by the token's id
	SystemACLUpdate = "security/acl-update"
	SystemBuzzer    = "buzzer"
)

// Base is the topic that every topic of a device begins with, without a slash
// at its end.
func Base(site fleet.SiteID, room fleet.RoomID, kind fleet.DeviceType, id fleet.DeviceID) string {
	return strings.Join([]string{Root, string(site), string(room), string(kind), string(id)}, "/")
}

// Action is the topic of one of a device's own actions, such as Status.
func Action(base, action string) string { return base + "/" + action }

// Command is the topic of a command to a device.
func Command(base, name string) string { return base + "/cmd/" + name }

// Commands is the filter of everything that is sent to a device.
func Commands(base string) string { return base + "/cmd/#" }

// Request is the topic on which a watch says what its wearer does with a
// request.
func Request(base string, id fleet.RequestID) string { return base + "/request/" + string(id) }

// System is a topic of the hub itself.
func System(site fleet.SiteID, action string) string {
	return Root + "/" + string(site) + "/" + system + "/" + action
}
