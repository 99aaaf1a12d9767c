package scenario

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/obedio/obedio/firmware-sim/internal/hubapi"
	"github.com/obedio/obedio/shared/fleet"
)

// tag marks the devices that the simulator has registered. It removes no
// other.
const tag = "simulated"

// provision gives every planned device its credentials: those of the state
// when the hub still has the device as it was; else the device is registered,
// and one that an earlier run has left under this id is removed before.
func provision(ctx context.Context, api *hubapi.Client, state *State, devices []planned) error {
	list, err := api.Devices(ctx)
	if err != nil {
		return fmt.Errorf("read the hub's devices: %w", err)
	}
	registered := map[fleet.DeviceID]hubapi.Device{}
	for _, d := range list {
		registered[d.DeviceID] = d
	}
	var missing []planned
	for _, p := range devices {
		kept, known := state.Devices[p.config.ID]
		old, there := registered[p.config.ID]
		if known && there && old.Type == p.config.Type && old.Room == p.room && old.BaseTopic == kept.BaseTopic && kept.Type == p.config.Type {
			continue
		}
		if there && !slices.Contains(old.Tags, tag) {
			return fmt.Errorf("device %s is on the hub and is not simulated: take another --prefix", p.config.ID)
		}
		missing = append(missing, p)
	}
	var mu sync.Mutex // guards state
	return parallel(ctx, 8, missing, func(ctx context.Context, p planned) error {
		if old, there := registered[p.config.ID]; there {
			if err := api.RemoveDevice(ctx, old); err != nil && !hubapi.IsStatus(err, 404) {
				return fmt.Errorf("remove the device of an earlier run: %w", err)
			}
		}
		d, err := api.AddDevice(ctx, hubapi.NewDevice{
			DeviceID: p.config.ID, Type: p.config.Type, Room: p.room, Name: p.config.Name, Tags: []string{tag},
		})
		if err != nil {
			return fmt.Errorf("register device %s: %w", p.config.ID, err)
		}
		mu.Lock()
		defer mu.Unlock()
		state.Devices[p.config.ID] = &Kept{
			Type: p.config.Type, Room: p.room, BaseTopic: d.BaseTopic, Credentials: *d.Credentials,
		}
		return nil
	})
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
