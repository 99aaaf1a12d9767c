package broker

import (
	"errors"
	"testing"

	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/fleet"
)

func TestByHand_ReachesWhoSubscribesAndNotTheHub(t *testing.T) {
	r := start(t, nil)
	d := button("btn-001")
	r.people.device(t, d)
	c := r.dial(t, frame.V311)
	c.signIn("btn-001", nil)
	c.subscribe(1, 1, d.BaseTopic(site)+"/cmd/#")
	n, err := r.ByHand(t.Context(), Message{Name: d.BaseTopic(site) + "/cmd/hello", Payload: []byte("hi"), QoS: 1})
	if err != nil || n != 1 {
		t.Fatalf("%d subscribers, %v", n, err)
	}
	if m := c.message(); m.payload != "hi" {
		t.Fatalf("got %+v", m)
	}
	n, err = r.ByHand(t.Context(), Message{Name: d.BaseTopic(site) + "/press", Payload: []byte(`{"press_type":"single","sequence_id":1}`)})
	if err != nil || n != 0 {
		t.Fatalf("a press that nobody listens to: %d subscribers, %v", n, err)
	}
	if got := len(r.ledger.all("publish")); got != 0 {
		t.Fatalf("the hub took %d messages for a device's", got)
	}
}

func TestByHand_IsForDevicesOfTheSiteAndWithinLimits(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits.HandRate, c.Limits.MaxPayloadBytes = 2, 10 })
	base := button("btn-001").BaseTopic(site)
	for name, want := range map[string]error{
		"$SYS/broker/uptime": fleet.ErrInvalid, "obedio/yacht-1/#": fleet.ErrInvalid, base + "/+": fleet.ErrInvalid, base: fleet.ErrInvalid,
		"other/yacht-1/a/button/b/status": fleet.ErrInvalid, "obedio/yacht-1/system/time": fleet.ErrForbidden,
		"obedio/yacht-2/cabin/button/btn-001/cmd/reset": fleet.ErrForbidden,
	} {
		if _, err := r.ByHand(t.Context(), Message{Name: name}); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.ByHand(t.Context(), Message{Name: base + "/status", QoS: 3}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("qos 3: %v", err)
	}
	if _, err := r.ByHand(t.Context(), Message{Name: base + "/status", Payload: make([]byte, 11)}); !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("large: %v", err)
	}
	var err error
	for range 20 {
		if _, err = r.ByHand(t.Context(), Message{Name: base + "/status"}); err != nil {
			break
		}
	}
	if !errors.Is(err, fleet.ErrLimit) {
		t.Errorf("too many: %v", err)
	}
}
