package e2e

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The clients of another hand: MQTT.js, over TCP and over WebSocket.
func TestMQTTJS_PressIsReceiptedOverEveryWayInEveryVersion(t *testing.T) {
	t.Parallel()
	hub, api, _ := startHub(t)
	b := api.addDevice("btn-001", "button", "cabin-101")
	button, err := json.Marshal(map[string]string{"id": b.ID, "password": b.Password, "base": b.Base})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "node", "mqttjs.mjs",
		"mqtt://"+hub.Listeners["mqtt"], "ws://"+hub.Listeners["mqtt_ws"]+"/mqtt", string(button)).CombinedOutput()
	if n := strings.Count(string(out), "ok "); err != nil || n != 6 {
		t.Fatalf("%d of 6 work: %v\n%s", n, err, out)
	}
	if n := len(list[pressView](api, "/api/v1/devices/btn-001/presses")); n != 6 {
		t.Fatalf("%d presses are stored", n)
	}
}
