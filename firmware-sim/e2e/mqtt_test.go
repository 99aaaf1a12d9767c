package e2e

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// client is a device's MQTT connection.
type client struct {
	mqtt.Client
	device
	mu  sync.Mutex
	got []message
}

type message struct {
	Topic   string
	Payload map[string]any
}

// dial connects a device and subscribes to what is meant for it.
func dial(t *testing.T, addr string, d device) *client {
	t.Helper()
	return connect(t, addr, d, false)
}

// stay is dial for a device that connects again whenever it is cut off.
func stay(t *testing.T, addr string, d device) *client {
	t.Helper()
	return connect(t, addr, d, true)
}

func connect(t *testing.T, addr string, d device, again bool) *client {
	t.Helper()
	c := &client{device: d}
	o := mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(d.ID).SetUsername(d.ID).SetPassword(d.Password).
		SetAutoReconnect(again).SetMaxReconnectInterval(200 * time.Millisecond).SetCleanSession(!again).SetConnectTimeout(5 * time.Second).SetOrderMatters(true).SetProtocolVersion(4)
	if again {
		o.SetConnectRetry(true).SetConnectRetryInterval(100 * time.Millisecond)
		o.SetOnConnectHandler(func(m mqtt.Client) { m.Subscribe(d.Base+"/cmd/#", 1, c.take) })
		c.Client = mqtt.NewClient(o)
		c.Connect()
		t.Cleanup(func() { c.Disconnect(0) })
		return c
	}
	c.Client = mqtt.NewClient(o)
	if tok := c.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("connect %s: %v", d.ID, tok.Error())
	}
	t.Cleanup(func() { c.Disconnect(0) })
	tok := c.Subscribe(d.Base+"/cmd/#", 1, c.take)
	if !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("subscribe %s: %v", d.ID, tok.Error())
	}
	return c
}

// take keeps a message of the hub.
func (c *client) take(_ mqtt.Client, m mqtt.Message) {
	var p map[string]any
	_ = json.Unmarshal(m.Payload(), &p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, message{Topic: m.Topic()[len(c.Base)+1:], Payload: p})
}

// say publishes at QoS 1 and does not wait for the PUBACK.
func (c *client) say(action string, payload any) {
	b, err := json.Marshal(payload)
	if err == nil {
		c.Publish(c.Base+"/"+action, 1, false, b)
	}
}

// send publishes at QoS 1; true when the PUBACK came.
func (c *client) send(action string, payload any) bool {
	b, err := json.Marshal(payload)
	if err != nil {
		return false
	}
	tok := c.Publish(c.Base+"/"+action, 1, false, b)
	return tok.WaitTimeout(10*time.Second) && tok.Error() == nil
}

// received are the messages that have come on cmd/{name}.
func (c *client) received(name string) []map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []map[string]any
	for _, m := range c.got {
		if m.Topic == "cmd/"+name {
			out = append(out, m.Payload)
		}
	}
	return out
}

func press(seq int) map[string]any {
	return map[string]any{"press_type": "single", "sequence_id": seq, "boot_id": "boot-1"}
}
