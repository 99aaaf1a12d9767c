package hubapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/fleet"
)

// Alert is a technical condition as the hub tells it.
type Alert struct {
	AlertID  string `json:"alert_id"`
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	// Subject is what it is about: a device, a request, or the site.
	Subject string          `json:"subject"`
	Room    fleet.RoomID    `json:"room"`
	State   string          `json:"state"`
	Since   time.Time       `json:"since"`
	Detail  json.RawMessage `json:"detail"`
}

// Alerts returns the alerts of a state; all that the hub keeps if it is empty.
func (c *Client) Alerts(ctx context.Context, state string) ([]Alert, error) {
	q := url.Values{"limit": {pageSize}}
	if state != "" {
		q.Set("state", state)
	}
	return all[Alert](ctx, c, "/api/v1/alerts", q, nil)
}

// Level is whom the escalation of a request has come to.
type Level int

// The levels of an escalation.
const (
	LevelDuty Level = iota
	LevelBackup
	LevelLead
	LevelAll
)

var levels = []string{"duty", "backup", "lead", "all"}

// ParseLevel reads the name of a level.
func ParseLevel(name string) (Level, error) {
	if at := slices.Index(levels, name); at >= 0 {
		return Level(at), nil
	}
	return 0, fmt.Errorf("level %q: want one of %s", name, strings.Join(levels, ", "))
}

// String implements fmt.Stringer.
func (l Level) String() string { return levels[l] }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(name []byte) (err error) {
	*l, err = ParseLevel(string(name))
	return err
}

// Watch is a watch that a request is to ring on; Why it could not be told is
// empty for one that was.
type Watch struct {
	DeviceID fleet.DeviceID `json:"device_id"`
	Why      string         `json:"why"`
}

// Profile is what the simulator wants of a security profile: the standard rules,
// and what they are for.
type Profile struct {
	Name              string           `json:"profile_name"`
	ACL               []access.ACL     `json:"acl_pattern"`
	ReportingInterval int              `json:"reporting_interval_s,omitempty"`
	Relay             []fleet.DeviceID `json:"relay,omitempty"`
}

// PutProfile makes a security profile, or replaces the one of its name.
func (c *Client) PutProfile(ctx context.Context, p Profile) error {
	p.ACL = access.DeviceACLs()
	err := c.call(ctx, http.MethodPost, "/api/v1/security/profiles", nil, p, nil)
	if !IsStatus(err, http.StatusConflict) {
		return err
	}
	path := "/api/v1/security/profiles/" + url.PathEscape(p.Name)
	var old struct {
		ETag string `json:"etag"`
	}
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &old); err != nil {
		return err
	}
	body := map[string]any{"acl_pattern": p.ACL, "reporting_interval_s": p.ReportingInterval, "relay": p.Relay}
	return c.call(ctx, http.MethodPut, path, http.Header{"If-Match": {old.ETag}}, body, nil)
}
