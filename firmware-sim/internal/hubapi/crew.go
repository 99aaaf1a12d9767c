package hubapi

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/obedio/obedio/shared/fleet"
)

// Person is a member of the crew.
type Person struct {
	PersonID string         `json:"person_id,omitempty"`
	Name     string         `json:"name"`
	Teams    []string       `json:"teams,omitempty"`
	Lead     bool           `json:"lead,omitempty"`
	UserID   string         `json:"user_id,omitempty"`
	Watch    fleet.DeviceID `json:"watch,omitempty"`
}

// Shift says who is on duty when.
type Shift struct {
	ShiftID string   `json:"shift_id,omitempty"`
	Title   string   `json:"title"`
	People  []string `json:"people,omitempty"`
	Days    []string `json:"days,omitempty"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	As      string   `json:"as"`
}

// AddPerson makes a person unless there is one of that id, and gives the person
// the watch.
func (c *Client) AddPerson(ctx context.Context, p Person) error {
	watch := p.Watch
	p.Watch = ""
	err := c.call(ctx, http.MethodPost, "/api/v1/crew", nil, p, nil)
	if err != nil && !IsStatus(err, http.StatusConflict) {
		return err
	}
	in := map[string]string{"person_id": p.PersonID}
	return c.call(ctx, http.MethodPut, "/api/v1/duty/watches/"+url.PathEscape(string(watch)), nil, in, nil)
}

// SetShift makes a shift, or adds its people to the one of that id.
func (c *Client) SetShift(ctx context.Context, s Shift) error {
	err := c.call(ctx, http.MethodPost, "/api/v1/shifts", nil, s, nil)
	if err == nil || !IsStatus(err, http.StatusConflict) {
		return err
	}
	var now struct {
		Shift
		ETag string `json:"etag"`
	}
	path := "/api/v1/shifts/" + url.PathEscape(s.ShiftID)
	if err := c.call(ctx, http.MethodGet, path, nil, nil, &now); err != nil {
		return err
	}
	all := now.Shift
	all.ShiftID = ""
	for _, p := range s.People {
		if !slices.Contains(all.People, p) {
			all.People = append(all.People, p)
		}
	}
	if len(all.People) == len(now.People) {
		return nil
	}
	return c.call(ctx, http.MethodPut, path, http.Header{"If-Match": {now.ETag}}, all, nil)
}
