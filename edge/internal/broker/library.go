package broker

import (
	"fmt"
	"math"
	"reflect"

	mqtt "github.com/mochi-mqtt/server/v2"
)

// newServer makes the library's server with its limits and the one hook.
func newServer(b *Broker) (*mqtt.Server, error) {
	capabilities := mqtt.NewDefaultServerCapabilities()
	capabilities.MaximumMessageExpiryInterval = 0              // retained messages stay
	capabilities.MaximumClientWritesPending = 1                // the gate delivers
	capabilities.MaximumSessionExpiryInterval = math.MaxUint32 // the gate ends sessions: the library may meet a client that comes back
	capabilities.MaximumPacketSize = uint32(b.limits.MaxPacketBytes)
	capabilities.ReceiveMaximum = uint16(b.limits.MaxInboundQoS2)
	capabilities.MaximumInflight = uint16(b.limits.MaxQueued)
	capabilities.TopicAliasMaximum = 0
	capabilities.Compatibilities.NoInheritedPropertiesOnAck = true
	s := mqtt.New(&mqtt.Options{
		Capabilities: capabilities,
		Logger:       libraryLogger(b.log),
		// The gate buffers in both directions; one byte here switches off the
		// library's own coalescing, which can leave packets behind.
		ClientNetWriteBufferSize: 1,
		ClientNetReadBufferSize:  64, // PUBLISH, PUBREL and PINGREQ never come that far
		// $SYS is ours: the library does not see most of what passes.
		SysTopicResendInterval: 1 << 29,
	})
	if err := s.AddHook(&hook{b: b}, nil); err != nil {
		return nil, err
	}
	return s, onlyHook(s)
}

// onlyHook asserts that exactly one hook decides: with several, one "yes" wins.
// The library keeps their number to itself, so it is read by reflection.
func onlyHook(s *mqtt.Server) error {
	if n := reflect.ValueOf(s).Elem().FieldByName("hooks").Elem().FieldByName("qty").Int(); n != 1 {
		return fmt.Errorf("%d hooks decide about access: want exactly one", n)
	}
	return nil
}
