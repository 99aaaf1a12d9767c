package hubapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/obedio/obedio/shared/fleet"
)

// pageSize is the most that a hub gives at once.
const pageSize = "500"

// System is what the hub says of itself.
type System struct {
	Site    fleet.SiteID `json:"site"`
	HubID   string       `json:"hub_id"`
	Epoch   fleet.Epoch  `json:"epoch"`
	Version string       `json:"version"`
	Now     time.Time    `json:"now"`
}

// System asks the hub about itself.
func (c *Client) System(ctx context.Context) (System, error) {
	var s System
	err := c.call(ctx, http.MethodGet, "/api/v1/system", nil, nil, &s)
	return s, err
}

// Device is a registered device.
type Device struct {
	DeviceID  fleet.DeviceID   `json:"device_id"`
	Type      fleet.DeviceType `json:"type"`
	Room      fleet.RoomID     `json:"room"`
	Name      string           `json:"name"`
	BaseTopic string           `json:"base_topic"`
	Tags      []string         `json:"tags"`
	ETag      string           `json:"etag"`
	Presence  struct {
		State fleet.Presence `json:"state"`
		Since time.Time      `json:"since"`
	} `json:"presence"`
	SecurityProfile string            `json:"security_profile"`
	Battery         *int              `json:"battery"`
	FirmwareVersion string            `json:"firmware_version"`
	BootID          string            `json:"boot_id"`
	Metadata        map[string]string `json:"metadata"`
}

// NewToken is what a device that joins is to be.
type NewToken struct {
	DeviceID fleet.DeviceID   `json:"device_id"`
	Type     fleet.DeviceType `json:"type"`
	Room     fleet.RoomID     `json:"room"`
	Name     string           `json:"name,omitempty"`
	// HardwareID and KeyHash are what a scanned label says; both or none.
	HardwareID string `json:"hardware_id,omitempty"`
	KeyHash    string `json:"key_hash,omitempty"`
	// SecurityProfile; that of the type if empty.
	SecurityProfile string `json:"security_profile,omitempty"`
}

// Token lets one device join. It has no Token, Code and Payload when it is for a
// device whose label was scanned.
type Token struct {
	ID    string `json:"id"`
	Token string `json:"token"`
	Code  string `json:"code"`
	// Payload is what the QR code holds.
	Payload json.RawMessage `json:"payload"`
}

// MakeToken makes a provisioning token, or opens the window for a label.
func (c *Client) MakeToken(ctx context.Context, t NewToken) (Token, error) {
	var out Token
	err := c.call(ctx, http.MethodPost, "/api/v1/provision/tokens", nil, t, &out)
	return out, err
}

// URL is the address of the hub.
func (c *Client) URL() string { return c.base }

// Devices returns all devices of the site.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	return all[Device](ctx, c, "/api/v1/devices", url.Values{"limit": {pageSize}}, nil)
}

// RemoveDevice removes a device as it was seen.
func (c *Client) RemoveDevice(ctx context.Context, d Device) error {
	return c.call(ctx, http.MethodDelete, "/api/v1/devices/"+url.PathEscape(string(d.DeviceID)),
		http.Header{"If-Match": {d.ETag}}, nil, nil)
}

// Press is a press as the hub has it.
type Press struct {
	DeviceID   fleet.DeviceID  `json:"device_id"`
	BootID     string          `json:"boot_id"`
	SequenceID uint64          `json:"sequence_id"`
	Type       fleet.PressType `json:"press_type"`
	Priority   fleet.Priority  `json:"priority"`
	DeviceTime time.Time       `json:"device_time"`
	ReceivedAt time.Time       `json:"received_at"`
	LateByMS   int64           `json:"late_by_ms"`
	RequestID  fleet.RequestID `json:"request_id"`
	// Via is the repeater that relayed it, if one did.
	Via fleet.DeviceID `json:"via"`
}

// Presses returns the presses of a button since a time of the hub's clock,
// newest first.
func (c *Client) Presses(ctx context.Context, id fleet.DeviceID, since time.Time) ([]Press, error) {
	return all(ctx, c, "/api/v1/devices/"+url.PathEscape(string(id))+"/presses", url.Values{"limit": {pageSize}},
		func(p Press) bool { return p.ReceivedAt.Before(since) })
}

// Actor is who acted.
type Actor struct {
	Kind fleet.ActorKind `json:"kind"`
	ID   string          `json:"id"`
	Name string          `json:"name"`
}

// Request is a request as the hub has it.
type Request struct {
	RequestID  fleet.RequestID    `json:"request_id"`
	DeviceID   fleet.DeviceID     `json:"device_id"`
	Room       fleet.RoomID       `json:"room"`
	State      fleet.RequestState `json:"state"`
	Priority   fleet.Priority     `json:"priority"`
	Version    uint64             `json:"version"`
	Presses    uint64             `json:"presses"`
	OpenedAt   time.Time          `json:"opened_at"`
	LateByMS   int64              `json:"late_by_ms"`
	AcceptedAt time.Time          `json:"accepted_at"`
	AcceptedBy *Actor             `json:"accepted_by"`
	EndedAt    time.Time          `json:"ended_at"`
	EndedBy    *Actor             `json:"ended_by"`
	// ToldTo is whom its escalation has come to; nil from a hub that does not
	// escalate.
	ToldTo *Level `json:"told_to"`
	// Notified are the watches that were told and were not, as they are now.
	Notified struct {
		Told        []Watch `json:"told"`
		Unreachable []Watch `json:"unreachable"`
	} `json:"notified"`
}

// Requests returns the requests that were opened since a time of the hub's
// clock, newest first.
func (c *Client) Requests(ctx context.Context, since time.Time) ([]Request, error) {
	return all(ctx, c, "/api/v1/requests", url.Values{"limit": {pageSize}},
		func(r Request) bool { return r.OpenedAt.Before(since) })
}

// CancelOpen cancels the requests of devices, which an earlier run or this one
// has left open, and returns how many.
func (c *Client) CancelOpen(ctx context.Context, ours func(fleet.DeviceID) bool) (int, error) {
	open, err := all[Request](ctx, c, "/api/v1/requests", url.Values{"limit": {pageSize}, "state": {"open,accepted"}}, nil)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range open {
		if !ours(r.DeviceID) {
			continue
		}
		in := map[string]any{"version": r.Version, "reason": "other", "note": "the simulation has ended"}
		err := c.call(ctx, http.MethodPost, "/api/v1/requests/"+string(r.RequestID)+"/cancel", nil, in, nil)
		if err != nil && !IsStatus(err, http.StatusConflict) { // somebody took the next step already
			return n, err
		}
		n++
	}
	return n, nil
}

// Command is a command as the hub has it.
type Command struct {
	CommandID fleet.CommandID    `json:"command_id"`
	DeviceID  fleet.DeviceID     `json:"device_id"`
	Name      string             `json:"name"`
	State     fleet.CommandState `json:"state"`
	ExpiresAt time.Time          `json:"expires_at"`
	Error     string             `json:"error"`
	Anomaly   fleet.CommandState `json:"anomaly"`
}

// SendCommand sends a command to a device; a ttl of 0 takes the hub's default.
func (c *Client) SendCommand(ctx context.Context, id fleet.DeviceID, name string, args map[string]any, ttl time.Duration) (Command, error) {
	in := map[string]any{"name": name}
	if args != nil {
		in["args"] = args
	}
	if ttl > 0 {
		in["ttl_ms"] = ttl.Milliseconds()
	}
	var out Command
	err := c.call(ctx, http.MethodPost, "/api/v1/devices/"+url.PathEscape(string(id))+"/command", nil, in, &out)
	return out, err
}

// Command returns one command.
func (c *Client) Command(ctx context.Context, id fleet.CommandID) (Command, error) {
	var out Command
	err := c.call(ctx, http.MethodGet, "/api/v1/commands/"+string(id), nil, nil, &out)
	return out, err
}

// RemoveDevices removes all devices whose ids begin with a prefix.
func (c *Client) RemoveDevices(ctx context.Context, prefix string) error {
	list, err := c.Devices(ctx)
	if err != nil {
		return err
	}
	var failed error
	work := make(chan Device)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards failed
	for range 8 {
		wg.Go(func() {
			for d := range work {
				if err := c.RemoveDevice(ctx, d); err != nil && !IsStatus(err, http.StatusNotFound) {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, d := range list {
		if strings.HasPrefix(string(d.DeviceID), prefix) {
			work <- d
		}
	}
	close(work)
	wg.Wait()
	return failed
}

// Messages is how many messages the hub has taken from clients since its
// start, by its own count.
func (c *Client) Messages(ctx context.Context) (int64, error) {
	var s struct {
		Messages struct {
			In int64 `json:"in"`
		} `json:"messages"`
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/system", nil, nil, &s)
	return s.Messages.In, err
}
