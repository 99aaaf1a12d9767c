package hub

import (
	"testing"
	"time"

	paho "github.com/eclipse/paho.golang/paho"
)

// Rights on their way to a connection may reach the next one, which has newer
// ones. They do not stay.
func TestSettle_NewConnectionKeepsNoRightsOfTheOneBefore(t *testing.T) {
	h := startFull(t, smallDisk{dir: t.TempDir()})
	h.addDevice("btn-001")
	h.connect()
	s, _ := h.broker.Connected("btn-001")
	late := s.Identity
	late.Rules = nil // they allow nothing
	h.broker.Reauthorize("btn-001", late)
	h.devices.Connected(s)
	subscribed := func() bool {
		_, err := h.button.Subscribe(t.Context(), &paho.Subscribe{
			Subscriptions: []paho.SubscribeOptions{{Topic: "obedio/yacht-1/cabin-101/button/btn-001/cmd/#", QoS: 1}},
		})
		return err == nil
	}
	for limit := time.Now().Add(20 * time.Second); !subscribed(); {
		if time.Now().After(limit) {
			t.Fatal("it has the rights of the connection before")
		}
	}
}
