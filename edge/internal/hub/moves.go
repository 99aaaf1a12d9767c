package hub

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"time"

	"github.com/obedio/obedio/edge/internal/command"
	"github.com/obedio/obedio/shared/fleet"
)

// moved draws the consequences of a move. The device's connection ends, since its
// rights were for the old place; it comes back with those for both, for a while.
// What was retained of it in the old place is cleared, and the device is told
// where it is now.
func (d *devices) moved(before, now fleet.Device) {
	d.broker.Kick(string(now.ID), "device moved")
	d.broker.ClearRetained(before.BaseTopic(d.site))
	if !before.Removed {
		d.tellMoved(now)
	}
}

// tellMoved tells a device that was moved where it is now, once for each move:
// when it is moved, and again when it comes, should the hub have ended between.
func (d *devices) tellMoved(now fleet.Device) {
	if _, ok := d.registry.Moved(now); !ok {
		return
	}
	args, err := json.Marshal(map[string]string{"room": string(now.Room), "base_topic": now.BaseTopic(d.site)})
	if err != nil {
		d.log.Error("device not told that it was moved", "device_id", now.ID, "error", err)
		return
	}
	select {
	case d.tell <- command.Want{Device: now.ID, Name: "config", Args: args, TTL: 24 * time.Hour, Once: command.Once{
		Subject: "registry", Key: "moved/" + string(now.ID) + "/" + strconv.FormatUint(now.Version, 10), Fingerprint: sha256.Sum256([]byte(now.Room)),
	}}:
	default:
		d.log.Warn("device not told that it was moved: too many were", "device_id", now.ID)
	}
}

// settleMoves tells devices that they were moved, and takes from those that were
// moved long ago what they may do in the old place, until ctx ends.
func (d *devices) settleMoves(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case w := <-d.tell:
			if _, err := d.commands.Send(ctx, fleet.System("registry"), w); err != nil && ctx.Err() == nil {
				d.log.Warn("device not told that it was moved", "device_id", w.Device, "error", err)
			}
		case <-tick.C:
			over, err := d.registry.EndMoves(ctx, d.clock.Certain())
			if err != nil && ctx.Err() == nil {
				return err
			}
			d.doubt(over...)
		}
	}
}

// baseOf is the topic that a device is to be reached under: that of its place,
// or, as long as it listens there and not here, that of the place before.
func (d *devices) baseOf(dev fleet.Device, name string) string {
	base := dev.BaseTopic(d.site)
	if before, ok := d.registry.Moved(dev); ok && !d.subscribes(dev.ID, base, name) {
		if old := before.BaseTopic(d.site); d.subscribes(dev.ID, old, name) {
			return old
		}
	}
	return base
}
