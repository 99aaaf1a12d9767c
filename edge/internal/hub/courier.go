package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/obedio/obedio/edge/internal/broker"
	"github.com/obedio/obedio/edge/internal/courier"
	"github.com/obedio/obedio/edge/internal/uplink"
	"github.com/obedio/obedio/shared/feed"
	"github.com/obedio/obedio/shared/fleet"
	"github.com/obedio/obedio/shared/topic"
)

// courierConfig is what notifications need of the hub.
func (h *Hub) courierConfig() courier.Config {
	c := h.c.Courier
	c.Site, c.Store, c.Journal, c.MaxDocuments, c.Logger = h.identity.Site, h.store, h.journal, h.c.MaxDocuments, h.log
	c.Now = func() time.Time {
		t, _ := h.clock.Now()
		return t
	}
	c.About = func() (string, *time.Location) {
		if h.api == nil { // the hub is being built
			return cmp.Or(h.c.SiteName, string(h.identity.Site)), time.UTC
		}
		return h.api.About()
	}
	c.Alerts = func() []fleet.Alert { return h.alerts.Open() }
	c.Words = func(k fleet.AlertKind) (string, string) {
		v, _ := h.alerts.Condition(k)
		return cmp.Or(v.Title, string(k)), v.Action
	}
	c.Buzz = h.buzz
	return c
}

// buzz tells devices whether the site's buzzers sound. The message is retained.
func (h *Hub) buzz(ctx context.Context, b courier.Buzzer) error {
	payload, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode buzzer: %w", err)
	}
	return h.broker.Send(ctx, broker.Message{
		Name: topic.System(h.identity.Site, topic.SystemBuzzer), Payload: payload, QoS: 1, Retain: true,
	})
}

// watchNetwork has notifications tried again when the console can be reached
// again, as then others probably can be too; until ctx ends.
func (h *Hub) watchNetwork(ctx context.Context) error {
	changes := h.uplink.Changes()
	r := changes.Subscribe(changes.Head())
	online := false
	for {
		item, err := r.Next(ctx)
		switch {
		case errors.Is(err, feed.ErrLagged):
			continue
		case err != nil:
			return nil //nolint:nilerr // the hub is stopping
		}
		now := item.Value.State == uplink.Online
		if now && !online {
			h.courier.NetworkBack()
		}
		online = now
	}
}
