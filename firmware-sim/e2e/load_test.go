package e2e

import (
	"strings"
	"testing"
	"time"
)

// The devices of a load are let in as real ones are: a token each, claimed with a
// key of their own, or for a password.
func TestLoad_DevicesJoinByTokensOfTheirOwn(t *testing.T) {
	t.Parallel()
	type token struct {
		State    string `json:"state"`
		DeviceID string `json:"device_id"`
		Serial   string `json:"serial"`
	}
	hub, api, _ := startHub(t)
	load(t, hub, api, time.Second, "--clients", "12", "--prefix", "plain-")
	load(t, hub, api, time.Second, "--clients", "12", "--prefix", "secure-", "--presses", "--tls", "--mqtts", hub.Listeners["mqtts"])
	plain, secure := 0, 0
	for _, v := range list[token](api, "/api/v1/provision/tokens") {
		switch {
		case v.State != "used":
			t.Errorf("token of %s is %s", v.DeviceID, v.State)
		case strings.HasPrefix(v.DeviceID, "plain-") && v.Serial == "":
			plain++
		case strings.HasPrefix(v.DeviceID, "secure-") && v.Serial != "":
			secure++
		default:
			t.Errorf("token %+v", v)
		}
	}
	if plain != 12 || secure != 12 {
		t.Errorf("%d devices joined for a password, %d with a key", plain, secure)
	}
}
