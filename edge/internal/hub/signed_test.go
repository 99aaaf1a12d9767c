package hub_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/obedio/obedio/edge/internal/dialect"
)

func TestSigned_OnlyWhatTheDeviceSignedCountsAndOnce(t *testing.T) {
	r := start(t)
	r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "signing", "sign_messages": true})
	made := r.want(201, "POST", "/provision/tokens", map[string]any{"type": "button", "room": "deck-3", "device_id": "btn-001", "security_profile": "signing"})
	got := r.want(200, "POST", "/provision/claim", map[string]any{"token": made.body["token"]})
	key, err := base64.StdEncoding.DecodeString(got.body["signing_key"].(string))
	if err != nil || len(key) != 32 {
		t.Fatal(got.body, err)
	}
	connect := func() *client {
		t.Helper()
		c, err := r.connectWith("btn-001", got.body["password"].(string))
		if err != nil {
			t.Fatal(err)
		}
		r.Cleanup(func() { c.Disconnect(0) })
		return c
	}
	presses := func() int {
		return len(r.want(http.StatusOK, "GET", "/devices/btn-001/presses", nil).body["items"].([]any))
	}
	name := base + "btn-001/press"
	first := dialect.Sign(key, name, []byte(`{"press_type":"single","sequence_id":1}`), 1)
	c := connect()
	c.Publish(name, 1, false, first).Wait()
	if n := presses(); n != 1 {
		t.Fatalf("%d presses", n)
	}
	for what, payload := range map[string][]byte{
		"played again":      first,
		"without signature": []byte(`{"press_type":"single","sequence_id":2}`),
		"changed":           dialect.Sign([]byte("another key of thirty-two bytes.."), name, []byte(`{"press_type":"single","sequence_id":3}`), 3),
	} {
		c := connect()
		c.Publish(name, 1, false, payload)
		<-c.lost // as MQTT 3.1.1 wants it
		if n := presses(); n != 1 {
			t.Errorf("%s: %d presses", what, n)
		}
	}
	c = connect()
	c.Publish(name, 1, false, dialect.Sign(key, name, []byte(`{"press_type":"single","sequence_id":4}`), 2)).Wait()
	if n := presses(); n != 2 {
		t.Errorf("%d presses after one more", n)
	}
	denied := r.want(200, "GET", "/security/denials", nil).body["items"].([]any)
	if len(denied) == 0 {
		t.Error("nothing is said of it")
	}
}

func TestMove_BothPlacesForAWhileAndTheOldOnesRetainedIsGone(t *testing.T) {
	r := start(t)
	r.device("btn-001")
	r.want(201, "POST", "/security/profiles", map[string]any{"profile_name": "all", "acl_pattern": []any{
		map[string]any{"acltype": "subscribePattern", "topic": "#", "allow": true},
		map[string]any{"acltype": "publishClientReceive", "topic": "#", "allow": true},
	}})
	r.want(201, "POST", "/devices", map[string]any{"device_id": "sen-1", "type": "sensor", "room": "bridge", "security_profile": "all", "password": "pass-sen-1"})
	c := r.dial("btn-001")
	c.Publish(base+"btn-001/status", 1, true, `{"battery":50}`).Wait()
	if r.subscribe(c, base+"btn-001/cmd/#") != 1 {
		t.Fatal("not subscribed")
	}
	d := r.want(200, "GET", "/devices/btn-001", nil)
	r.want(200, "PUT", "/devices/btn-001", map[string]any{"room": "cabin-7"}, "If-Match", d.etag)
	<-c.lost

	c = r.dial("btn-001")
	if r.subscribe(c, base+"btn-001/cmd/#") != 1 {
		t.Error("may not listen in the old place")
	}
	const there = "obedio/yacht-1/cabin-7/button/btn-001/"
	m := <-c.got
	if m.Topic() != base+"btn-001/cmd/config" {
		t.Errorf("was told %s", m.Topic())
	}
	if r.subscribe(c, there+"cmd/#") != 1 {
		t.Error("may not listen in the new place")
	}
	c.Publish(base+"btn-001/press", 1, false, `{"press_type":"single","sequence_id":1}`).Wait()
	c.Publish(there+"press", 1, false, `{"press_type":"single","sequence_id":2}`).Wait()
	presses := r.want(200, "GET", "/devices/btn-001/presses", nil).body["items"].([]any)
	open := r.want(200, "GET", "/requests", nil).body["items"].([]any)
	if len(presses) != 2 || len(open) != 1 || open[0].(map[string]any)["room"] != "cabin-7" {
		t.Errorf("%d presses, requests %v", len(presses), open)
	}
	s := r.dial("sen-1")
	if r.subscribe(s, "obedio/yacht-1/deck-3/#") != 1 {
		t.Fatal("not subscribed")
	}
	c.Publish(there+"status", 1, true, `{"battery":49}`).Wait()
	if r.subscribe(s, "obedio/yacht-1/cabin-7/#") != 1 {
		t.Fatal("not subscribed")
	}
	if m := <-s.got; m.Topic() != there+"status" {
		t.Errorf("what was retained in the old place is there: %s", m.Topic())
	}
}
