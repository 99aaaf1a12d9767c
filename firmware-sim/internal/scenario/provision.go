package scenario

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/obedio/obedio/firmware-sim/internal/device"
	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/firmware-sim/internal/join"
	"github.com/obedio/obedio/shared/fleet"
)

// hardware begins the hardware ids of simulated devices. The simulator removes no
// other devices than those, and those that have the tag.
const (
	hardware   = "sim-"
	hardwareID = "hardware_id" // where the hub has it
	tag        = "simulated"
)

func simulated(d hubapi.Device) bool {
	return strings.HasPrefix(d.Metadata[hardwareID], hardware) || slices.Contains(d.Tags, tag)
}

// Way is how devices join.
type Way string

// The ways.
const (
	// ByToken: each device reads the QR code of a token and claims over HTTPS.
	ByToken Way = "token"
	// ByCode: somebody types the token's short code into the device.
	ByCode Way = "code"
	// ByLabel: a chief scans the label of the device.
	ByLabel Way = "label"
	// ByMQTT: as ByToken, but over MQTT.
	ByMQTT Way = "mqtt"
	// ByPassword: as ByToken, for devices that know no certificates.
	ByPassword Way = "password"
)

// provision has every planned device join, unless the state has what it got when
// it joined, by the same way, and the hub still has the device as it was. One that
// an earlier run has left under its id is removed before.
func (r *run) provision(ctx context.Context, devices []planned) error {
	list, err := r.api.Devices(ctx)
	if err != nil {
		return fmt.Errorf("read the hub's devices: %w", err)
	}
	registered := map[fleet.DeviceID]hubapi.Device{}
	for _, d := range list {
		registered[d.DeviceID] = d
	}
	var missing []planned
	for _, p := range devices {
		kept, known := r.state.Devices[p.config.ID]
		old, there := registered[p.config.ID]
		if known && there && kept.Way == r.c.Join && old.Metadata[hardwareID] == kept.HardwareID &&
			old.Type == p.config.Type && old.Room == p.room && old.BaseTopic == kept.BaseTopic && kept.Type == p.config.Type &&
			old.SecurityProfile == cmp.Or(p.profile, string(p.config.Type)) {
			continue
		}
		if there && !simulated(old) {
			return fmt.Errorf("device %s is on the hub and is not simulated: take another --prefix", p.config.ID)
		}
		missing = append(missing, p)
	}
	return parallel(ctx, 8, missing, func(ctx context.Context, p planned) error {
		if old, there := registered[p.config.ID]; there {
			if err := r.api.RemoveDevice(ctx, old); err != nil && !hubapi.IsStatus(err, 404) {
				return fmt.Errorf("remove the device of an earlier run: %w", err)
			}
		}
		h, err := join.NewHardware(hardware)
		if err != nil {
			return err
		}
		j, err := joined(ctx, r.api, r.c.Join, h, p)
		if err != nil {
			return fmt.Errorf("device %s joins by %s: %w", p.config.ID, r.c.Join, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.state.Devices[p.config.ID] = &Kept{
			Type: p.config.Type, Room: p.room, Way: r.c.Join, HardwareID: h.ID(), BaseTopic: j.Topics["base"], BrokerURLs: j.BrokerURLs,
			Firmware: device.Saved{Credentials: j.Credentials}, hubTime: j.Time,
		}
		return nil
	})
}

// joined has one device join; api is the chief's who lets it.
func joined(ctx context.Context, api *hubapi.Client, way Way, h *join.Hardware, p planned) (join.Joined, error) {
	want := hubapi.NewToken{DeviceID: p.config.ID, Type: p.config.Type, Room: p.room, Name: p.config.Name, SecurityProfile: p.profile}
	if way == ByLabel {
		label, err := h.Label()
		if err != nil {
			return join.Joined{}, err
		}
		want.HardwareID, want.KeyHash = label.HardwareID, label.KeyHash
	}
	token, err := api.MakeToken(ctx, want)
	if err != nil {
		return join.Joined{}, err
	}
	if way == ByLabel {
		return h.ByLabel(ctx, api.URL())
	}
	payload, err := join.ParsePayload(token.Payload)
	if err != nil {
		return join.Joined{}, err
	}
	switch way {
	case ByCode:
		return h.ByCode(ctx, api.URL(), token.Code)
	case ByMQTT:
		return h.ByMQTT(ctx, payload)
	case ByPassword:
		return h.ByPassword(ctx, payload)
	default:
		return h.ByToken(ctx, payload)
	}
}

// parallel calls fn for all items, some at a time, until one fails.
func parallel[T any](ctx context.Context, atOnce int, items []T, fn func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan T)
	var wg sync.WaitGroup
	for range min(atOnce, len(items)) {
		wg.Go(func() {
			for item := range work {
				if err := fn(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		select {
		case work <- item:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
