package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/obedio/obedio/console/internal/fleetview"
	"github.com/obedio/obedio/console/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// SiteDevicePath is the path of everything about one device of a site.
type SiteDevicePath struct {
	SitePath
	DeviceID string `path:"device_id" maxLength:"64"`
}

type deviceOutput struct {
	ETag string `header:"ETag"`
	Body siteDevice
}

type devicesOutput struct {
	Body rest.Page[siteDevice]
}

func (a *API) deviceRoutes() {
	tags := []string{"devices"}
	const grammar = "filter is the typed grammar: state:lost type:button room:cabin-1* battery:<20 -tag:spare word."
	rest.Register(a.rest, rest.Route{
		OperationID: "list-site-devices", Method: http.MethodGet, Path: "/api/v1/sites/{id}/devices", Permission: account.DevicesRead, Site: "id",
		Summary: "Devices of a site, by id", Tags: tags, Description: grammar,
	}, a.listSiteDevices)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-site-device", Method: http.MethodGet, Path: "/api/v1/sites/{id}/devices/{device_id}",
		Permission: account.DevicesRead, Site: "id", Summary: "One device of a site", Tags: tags,
	}, a.siteDevice)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-devices", Method: http.MethodGet, Path: "/api/v1/devices", Permission: account.DevicesRead,
		Summary: "Devices of all sites, by site and id", Tags: tags,
		Description: grammar + " A page may have fewer items than limit, and more may follow.",
	}, func(ctx context.Context, in *struct {
		rest.PageInput
		Filter string `query:"filter" maxLength:"500"`
	}) (*devicesOutput, error) {
		return a.searchDevices(ctx, in.PageInput, in.Filter, false)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "search-devices", Method: http.MethodGet, Path: "/api/v1/devices/search", Permission: account.DevicesRead,
		Summary: "Devices of all sites that match a filter", Tags: tags,
		Description: "Words are looked for where the words of id, room, its name, name and legacy id begin. What picks out few devices " +
			"leads the search: a word, an id, a room, a tag, a firmware, a state that is not as it should be, a low battery; " +
			"the list is in its order. A page may have fewer items than limit, even none, and more may follow.",
	}, func(ctx context.Context, in *struct {
		rest.PageInput
		Q string `query:"q" maxLength:"500" doc:"Words, or the typed grammar of /devices."`
	}) (*devicesOutput, error) {
		return a.searchDevices(ctx, in.PageInput, in.Q, true)
	})
}

// scanned is what one look through a site's devices has come to.
type scanned struct {
	items []siteDevice
	last  fleet.DeviceID // the last device that was looked at
	all   bool           // nothing is behind it
}

// scan looks through the devices of a site behind one, until it has most that
// match or has looked at budget.
func scan(site fleet.SiteID, v store.SiteView, behind fleet.DeviceID, q filter.Query, most int, budget *int) (scanned, error) {
	out := scanned{last: behind, all: true}
	names, err := readRooms(v)
	if err != nil {
		return out, err
	}
	var failed error
	err = v.Devices(behind, func(d fleet.Device) bool {
		if len(out.items) == most || *budget == 0 {
			out.all = false
			return false
		}
		*budget--
		var one siteDevice
		if one, failed = deviceOf(site, v, d, names); failed != nil {
			return false
		}
		out.last = d.ID
		if q.Match(one.Field) {
			out.items = append(out.items, one)
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return out, err
}

func (a *API) listSiteDevices(ctx context.Context, in *struct {
	SitePath
	rest.PageInput
	Filter string `query:"filter" maxLength:"500"`
}) (*devicesOutput, error) {
	q, err := filter.Parse(in.Filter, fleetview.DeviceFields())
	if err != nil {
		return nil, err
	}
	behind, err := rest.DecodeCursor[fleet.DeviceID](in.Cursor)
	if err != nil {
		return nil, err
	}
	var page rest.Page[siteDevice]
	err = a.view(ctx, in.SitePath, func(id fleet.SiteID, v store.SiteView) error {
		budget := -1 // a site is small enough to be looked through
		found, err := scan(id, v, behind, q, in.Limit+1, &budget)
		page = rest.PageOf(found.items, in.Limit, func(d siteDevice) any { return d.DeviceID })
		return err
	})
	return &devicesOutput{Body: page}, err
}

func (a *API) siteDevice(ctx context.Context, in *SiteDevicePath) (*deviceOutput, error) {
	dev, err := fleet.ParseDeviceID(in.DeviceID)
	if err != nil {
		return nil, err
	}
	out := &deviceOutput{}
	err = a.view(ctx, in.SitePath, func(id fleet.SiteID, v store.SiteView) error {
		d, found, err := fleet.Get[fleet.Device](v, fleet.DeviceRef(dev))
		if err != nil {
			return err
		}
		if !found || d.Removed {
			return fmt.Errorf("%w: device %s on site %s", fleet.ErrNotFound, dev, id)
		}
		names, err := readRooms(v)
		if err != nil {
			return err
		}
		out.Body, err = deviceOf(id, v, d, names)
		return err
	})
	return out, err
}
