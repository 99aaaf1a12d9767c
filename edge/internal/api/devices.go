package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/obedio/obedio/edge/internal/registry"
	"github.com/obedio/obedio/edge/internal/store"
	"github.com/obedio/obedio/shared/account"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/resource"
	"github.com/obedio/obedio/shared/rest"
	"github.com/obedio/obedio/shared/rest/filter"
)

// DevicePath is the path of one device. Exported, as DeviceBody is.
type DevicePath struct {
	ID string `path:"id" maxLength:"64" doc:"device_id"`
}

type deviceOutput struct {
	ETag string `header:"ETag"`
	Body resource.Device
}

type devicesOutput struct {
	Body rest.Page[resource.Device]
}

// credentials are shown once, when they are made.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type addedDevice struct {
	resource.Device
	Credentials *credentials `json:"credentials,omitempty" doc:"Shown once."`
}

type addedDeviceOutput struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     addedDevice
}

// DeviceBody is what people may say of a device. It is exported because huma
// looks into exported embedded structs only.
type DeviceBody struct {
	Room            string            `json:"room" maxLength:"64"`
	Name            string            `json:"name,omitempty" maxLength:"128"`
	SecurityProfile string            `json:"security_profile,omitempty" maxLength:"64" doc:"The type's own profile if absent."`
	PressProfile    string            `json:"press_profile,omitempty" maxLength:"64" doc:"What its presses mean; the site's default if absent."`
	Tags            []string          `json:"tags,omitempty" maxItems:"32"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	LegacyDeviceID  string            `json:"legacy_device_id,omitempty" maxLength:"64"`
}

type addDeviceInput struct {
	Body struct {
		DeviceID string `json:"device_id" maxLength:"64"`
		Type     string `json:"type" enum:"button,watch,repeater,sensor"`
		DeviceBody
		GeneratePassword bool   `json:"generate_password,omitempty" doc:"Make a password for MQTT; it is in the answer, once."`
		Password         string `json:"password,omitempty" maxLength:"128" doc:"Or take this one: 8 to 128 bytes."`
	} `nameHint:"NewDevice"`
}

func (a *API) deviceRoutes() {
	tags := []string{"devices"}
	a.importRoute()
	rest.Register(a.rest, rest.Route{
		OperationID: "list-devices", Method: http.MethodGet, Path: "/api/v1/devices", Permission: account.DevicesRead,
		Summary: "Devices, by id", Tags: tags,
		Description: "filter is the typed grammar: state:lost type:button room:cabin-1* battery:<20 -tag:spare word.",
	}, func(ctx context.Context, in *struct {
		rest.PageInput
		Filter string `query:"filter" maxLength:"500"`
	}) (*devicesOutput, error) {
		return a.listDevices(in.PageInput, in.Filter)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "search-devices", Method: http.MethodGet, Path: "/api/v1/devices/search", Permission: account.DevicesRead,
		Summary: "Devices that match a filter", Tags: tags,
	}, func(ctx context.Context, in *struct {
		rest.PageInput
		Q string `query:"q" maxLength:"500" doc:"Words, or the typed grammar of /devices."`
	}) (*devicesOutput, error) {
		return a.listDevices(in.PageInput, in.Q)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "add-device", Method: http.MethodPost, Path: "/api/v1/devices", Permission: account.DevicesWrite,
		// Not idempotent: the answer may have a password, which is kept nowhere.
		Status: http.StatusCreated, Summary: "Register a device", Tags: tags,
	}, a.addDevice)
	rest.Register(a.rest, rest.Route{
		OperationID: "get-device", Method: http.MethodGet, Path: "/api/v1/devices/{id}", Permission: account.DevicesRead,
		Summary: "One device", Tags: tags,
	}, func(_ context.Context, in *DevicePath) (*deviceOutput, error) { return a.oneDevice(in.ID) })
	rest.Register(a.rest, rest.Route{
		OperationID: "change-device", Method: http.MethodPut, Path: "/api/v1/devices/{id}", Permission: account.DevicesWrite,
		IfMatch: true, Summary: "Change or move a device", Tags: tags,
	}, a.changeDevice)
	rest.Register(a.rest, rest.Route{
		OperationID: "remove-device", Method: http.MethodDelete, Path: "/api/v1/devices/{id}", Permission: account.DevicesWrite,
		IfMatch: true, Summary: "Remove a device", Tags: tags,
	}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
		d, err := a.device(in.ID)
		if err == nil {
			err = rest.CheckMatch(ctx, d.Version)
		}
		if err != nil {
			return nil, err
		}
		return nil, a.Registry.Remove(ctx, actor(ctx), d.ID, d.Version)
	})
	rest.Register(a.rest, rest.Route{
		OperationID: "get-device-status", Method: http.MethodGet, Path: "/api/v1/devices/{id}/status", Permission: account.DevicesRead,
		Summary: "The newest state of a device", Tags: tags,
	}, a.deviceStatus)
	rest.Register(a.rest, rest.Route{
		OperationID: "list-presses", Method: http.MethodGet, Path: "/api/v1/devices/{id}/presses", Permission: account.RequestsRead,
		Summary: "Presses of a button, newest first", Tags: tags,
	}, a.listPresses)
}

func (a *API) device(id string) (fleet.Device, error) {
	parsed, err := fleet.ParseDeviceID(id)
	if err != nil {
		return fleet.Device{}, err
	}
	return a.Registry.Device(parsed)
}

func (a *API) oneDevice(id string) (*deviceOutput, error) {
	d, err := a.device(id)
	if err != nil {
		return nil, err
	}
	names, err := a.roomNames()
	if err != nil {
		return nil, err
	}
	r := a.deviceResource(d, names)
	return &deviceOutput{ETag: r.ETag, Body: r}, nil
}

// deviceFields are what a filter may name.
func deviceFields() filter.Fields {
	f := filter.Fields{}
	for _, name := range resource.DeviceFields() {
		f[name] = filter.Text
	}
	f["battery"], f["signal"] = filter.Number, filter.Number
	f["battery_days_left"], f["via"] = filter.Number, filter.Text
	return f
}

func (a *API) listDevices(page rest.PageInput, text string) (*devicesOutput, error) {
	q, err := filter.Parse(text, deviceFields())
	if err != nil {
		return nil, err
	}
	after, err := rest.DecodeCursor[string](page.Cursor)
	if err != nil {
		return nil, err
	}
	names, err := a.roomNames()
	if err != nil {
		return nil, err
	}
	var rows []resource.Device
	err = store.Entities(a.Store, after, func(d fleet.Device) bool {
		if d.Removed {
			return true
		}
		if r := a.deviceResource(d, names); q.Match(r.Field) {
			rows = append(rows, r)
		}
		return len(rows) <= page.Limit
	})
	if err != nil {
		return nil, err
	}
	return &devicesOutput{Body: rest.PageOf(rows, page.Limit, func(d resource.Device) any { return d.DeviceID })}, nil
}

func (a *API) addDevice(ctx context.Context, in *addDeviceInput) (*addedDeviceOutput, error) {
	d := in.Body.device()
	d.ID, d.Type = fleet.DeviceID(in.Body.DeviceID), fleet.DeviceType(in.Body.Type)
	p := registry.Password{Generate: in.Body.GeneratePassword, Chosen: in.Body.Password}
	d, plain, err := a.Registry.Add(ctx, actor(ctx), d, p)
	if err != nil {
		return nil, err
	}
	one, err := a.oneDevice(string(d.ID))
	if err != nil {
		return nil, err
	}
	out := &addedDeviceOutput{ETag: one.ETag, Location: "/api/v1/devices/" + string(d.ID), Body: addedDevice{Device: one.Body}}
	if plain != "" {
		out.Body.Credentials = &credentials{Username: string(d.ID), Password: plain}
	}
	return out, nil
}

func (b DeviceBody) device() fleet.Device {
	return fleet.Device{
		Room: fleet.RoomID(b.Room), Name: b.Name, Profile: b.SecurityProfile, Tags: b.Tags, Metadata: b.Metadata,
		LegacyID: b.LegacyDeviceID, PressProfile: b.PressProfile,
	}
}

func (a *API) changeDevice(ctx context.Context, in *struct {
	DevicePath
	Body DeviceBody `nameHint:"DeviceChange"`
}) (*deviceOutput, error) {
	now, err := a.device(in.ID)
	if err == nil {
		err = rest.CheckMatch(ctx, now.Version)
	}
	if err != nil {
		return nil, err
	}
	d := in.Body.device()
	d.ID = now.ID
	if _, err := a.Registry.Change(ctx, actor(ctx), d, now.Version); err != nil {
		return nil, err
	}
	return a.oneDevice(in.ID)
}

type deviceStatusOutput struct {
	Body struct {
		DeviceID        fleet.DeviceID    `json:"device_id"`
		Presence        resource.Presence `json:"presence"`
		Connected       bool              `json:"connected"`
		Battery         *int              `json:"battery,omitempty"`
		SignalStrength  *int              `json:"signal_strength,omitempty"`
		FirmwareVersion string            `json:"firmware_version,omitempty"`
		BootID          string            `json:"boot_id,omitempty"`
		UptimeS         *int64            `json:"uptime_s,omitempty"`
	} `nameHint:"DeviceStatus"`
}

func (a *API) deviceStatus(_ context.Context, in *DevicePath) (*deviceStatusOutput, error) {
	one, err := a.oneDevice(in.ID)
	if err != nil {
		return nil, err
	}
	out, d := &deviceStatusOutput{}, one.Body
	_, out.Body.Connected = a.Broker.Connected(in.ID)
	out.Body.DeviceID, out.Body.Presence, out.Body.Battery, out.Body.SignalStrength = d.DeviceID, d.Presence, d.Battery, d.SignalStrength
	out.Body.FirmwareVersion, out.Body.BootID, out.Body.UptimeS = d.FirmwareVersion, d.BootID, d.UptimeS
	return out, nil
}

type pressesOutput struct {
	Body rest.Page[resource.Press]
}

func (a *API) listPresses(_ context.Context, in *struct {
	DevicePath
	rest.PageInput
}) (*pressesOutput, error) {
	d, err := a.device(in.ID)
	if err != nil {
		return nil, err
	}
	presses, err := a.Store.PressesOf(d.ID)
	if err != nil {
		return nil, err
	}
	// The cursor is the last press of the page before; presses are never removed.
	last, err := rest.DecodeCursor[string](in.Cursor)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(presses, func(p fleet.Press) bool { return p.Ref().ID == last }); i >= 0 {
		presses = presses[i+1:]
	}
	page := rest.PageOf(presses[:min(len(presses), in.Limit+1)], in.Limit, func(p fleet.Press) any { return p.Ref().ID })
	out := rest.Page[resource.Press]{Items: make([]resource.Press, len(page.Items)), NextCursor: page.NextCursor}
	for i, p := range page.Items {
		out.Items[i] = resource.PressOf(p)
	}
	return &pressesOutput{Body: out}, nil
}
