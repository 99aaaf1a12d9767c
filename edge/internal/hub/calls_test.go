package hub_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/obedio/obedio/edge/internal/hub"
)

// crew is a rig with a button, two watches, and who wears them: Mila is on
// duty, Ante is her backup.
type crew struct {
	*rig
	button, mila, ante *client
}

func newCrew(t *testing.T) *crew {
	t.Helper()
	c := &crew{rig: startWith(t, func(hc *hub.Config) { hc.Requests.Hurry = 60 })}
	for id, kind := range map[string]string{"btn-1": "button", "watch-1": "watch", "watch-2": "watch"} {
		c.want(http.StatusCreated, "POST", "/devices", map[string]any{
			"device_id": id, "type": kind, "room": "cabin-101", "password": "pass-" + id,
		})
	}
	for person, watch := range map[string]string{"mila": "watch-1", "ante": "watch-2"} {
		c.want(http.StatusCreated, "POST", "/crew", map[string]any{"person_id": person, "name": person, "watch": watch})
	}
	for person, as := range map[string]string{"mila": "duty", "ante": "backup"} {
		c.want(http.StatusCreated, "POST", "/shifts", map[string]any{
			"shift_id": as, "title": as, "people": []string{person}, "from": "00:00", "to": "00:00", "as": as,
		})
	}
	c.button, c.mila, c.ante = c.dial("btn-1"), c.dial("watch-1"), c.dial("watch-2")
	for id, w := range map[string]*client{"watch-1": c.mila, "watch-2": c.ante} {
		if qos := c.subscribe(w, watchBase(id)+"/cmd/notify"); qos != 1 {
			t.Fatalf("%s may not subscribe: %d", id, qos)
		}
	}
	return c
}

func watchBase(id string) string { return "obedio/yacht-1/cabin-101/watch/" + id }

func (c *crew) press(n int, kind string) {
	c.Helper()
	payload := fmt.Sprintf(`{"device_id":"btn-1","press_type":%q,"sequence_id":%d,"boot_id":"b1"}`, kind, n)
	if t := c.button.Publish("obedio/yacht-1/cabin-101/button/btn-1/press", 1, false, payload); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		c.Fatal("the press was not taken", t.Error())
	}
}

// rings waits for the next message of a stage to a watch.
func (c *crew) rings(w *client, stage string) map[string]any {
	c.Helper()
	for {
		select {
		case m := <-w.got:
			var body map[string]any
			if err := json.Unmarshal(m.Payload(), &body); err != nil {
				c.Fatal(err)
			}
			if body["stage"] == stage {
				return body
			}
		case <-time.After(15 * time.Second):
			c.Fatalf("the watch was told nothing of %s", stage)
		}
	}
}

func (c *crew) acts(w *client, watch string, told map[string]any, action, to string) {
	c.Helper()
	payload, err := json.Marshal(map[string]any{"action": action, "version": told["version"], "to": to})
	if err != nil {
		c.Fatal(err)
	}
	t := w.Publish(watchBase(watch)+"/request/"+told["request_id"].(string), 1, false, payload)
	if !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		c.Fatal("the watch's word was not taken", t.Error())
	}
}

func TestCalls_GoToWhoIsOnDutyThenToTheBackupAndAreHandedOver(t *testing.T) {
	c := newCrew(t)
	c.press(1, "single")
	c.rings(c.mila, "open")
	if len(c.ante.got) != 0 {
		t.Error("the backup rang at once")
	}
	told := c.rings(c.ante, "open") // nobody took it
	c.acts(c.ante, "watch-2", told, "accept", "")
	if now := c.rings(c.mila, "accepted"); now["taken_by"] != "ante" {
		t.Errorf("told %v", now)
	}
	one := "/requests/" + told["request_id"].(string)
	now := c.want(200, "GET", one, nil)
	if by := now.body["accepted_by"].(map[string]any); by["person_id"] != "ante" || by["id"] != "watch-2" || by["kind"] != "device" {
		t.Errorf("accepted by %v", by)
	}
	c.want(422, "POST", one+"/delegate", map[string]any{"version": 2, "person_id": "nobody"})
	c.acts(c.ante, "watch-2", map[string]any{"version": 2, "request_id": told["request_id"]}, "delegate", "mila")
	offer := c.rings(c.mila, "open")
	if offer["offered_by"] != "ante" {
		t.Errorf("offered: %v", offer)
	}
	c.acts(c.mila, "watch-1", offer, "accept", "")
	c.until("hers", func() bool {
		by, _ := c.want(200, "GET", one, nil).body["accepted_by"].(map[string]any)
		return by["person_id"] == "mila"
	})
	c.want(200, "POST", one+"/complete", map[string]any{"version": 3})

	var events []string
	c.until("the log of who was told is written", func() bool {
		events = nil
		for _, e := range c.want(200, "GET", one+"/timeline", nil).body["entries"].([]any) {
			events = append(events, e.(map[string]any)["event"].(string))
		}
		return slices.Contains(events, "told")
	})
	at := -1
	for _, want := range []string{"press", "opened", "escalated", "accepted", "offered", "handed_over", "completed"} {
		i := slices.Index(events, want)
		if i <= at {
			t.Errorf("%s is at %d of %v", want, i, events)
		}
		at = i
	}
}

func TestCalls_DeclineOfAllOnDutyRingsTheBackupAtOnce(t *testing.T) {
	c := newCrew(t)
	c.press(1, "single")
	c.acts(c.mila, "watch-1", c.rings(c.mila, "open"), "decline", "")
	c.rings(c.ante, "open")
	steps := c.want(200, "GET", "/requests?state=open", nil).body["items"].([]any)
	if r := steps[0].(map[string]any); r["told_to"] != "backup" {
		t.Errorf("%v", r)
	}
}

func TestCalls_QuietRoomRingsForEmergenciesOnlyAndWhenTheQuietIsEnded(t *testing.T) {
	c := newCrew(t)
	c.want(200, "PUT", "/rooms/cabin-101/quiet", map[string]any{"quiet": true})
	c.press(1, "single")
	c.until("it is open and quiet", func() bool {
		items := c.want(200, "GET", "/requests?state=open", nil).body["items"].([]any)
		if len(items) != 1 {
			return false
		}
		n, _ := items[0].(map[string]any)["notified"].(map[string]any)
		return n["quiet"] == true
	})
	if len(c.mila.got) != 0 {
		t.Error("it rang")
	}
	c.want(200, "PUT", "/rooms/cabin-101/quiet", map[string]any{"quiet": false})
	c.rings(c.mila, "open")
	c.want(200, "PUT", "/rooms/cabin-101/quiet", map[string]any{"quiet": true})
	c.press(2, "long")
	if told := c.rings(c.ante, "open"); told["priority"] != "emergency" {
		t.Errorf("told %v", told)
	}
}

func TestSelfTest_GoesTheWayOfACallAndSaysWhyItFailed(t *testing.T) {
	c := newCrew(t)
	zone := func() map[string]any {
		t.Helper()
		return c.want(200, "POST", "/system/self-test", nil).body["zones"].([]any)[0].(map[string]any)
	}
	if z := zone(); z["ok"] != true || z["watch"] != "watch-1" {
		t.Errorf("%v", z)
	}
	c.mila.Disconnect(0)
	c.ante.Disconnect(0)
	c.until("it fails", func() bool {
		z := zone()
		return z["ok"] == false && z["why"] == "no watch can be reached"
	})
	if items := c.want(200, "GET", "/requests", nil).body["items"].([]any); len(items) != 0 {
		t.Errorf("people see %d requests of it", len(items))
	}
	tests := c.want(200, "GET", "/requests?purpose=self_test", nil).body["items"].([]any)
	states := map[any]bool{}
	for _, r := range tests {
		states[r.(map[string]any)["state"]] = true
	}
	if !states["completed"] || !states["missed"] || states["open"] {
		t.Errorf("their ends are %v", states)
	}
}

func TestDuty_ShowsWhoIsOnAndCanBeReached(t *testing.T) {
	c := newCrew(t)
	d := c.want(200, "GET", "/duty", nil).body
	if d["on_duty"] != 1.0 || d["reachable"] != 1.0 || d["rostered"] != true {
		t.Errorf("%v", d)
	}
	c.mila.Disconnect(0)
	c.until("she is not reachable", func() bool { return c.want(200, "GET", "/duty", nil).body["reachable"] == 0.0 })
	c.want(200, "PUT", "/duty/ante", map[string]any{"as": "duty", "until": time.Now().Add(time.Hour).Format(time.RFC3339)})
	if d := c.want(200, "GET", "/duty", nil).body; d["reachable"] != 1.0 || d["on_duty"] != 2.0 {
		t.Errorf("%v", d)
	}
	c.want(200, "PUT", "/duty/watches/watch-2", map[string]any{"person_id": "mila"})
	for _, w := range c.want(200, "GET", "/duty", nil).body["watches"].([]any) {
		if w := w.(map[string]any); w["device_id"] == "watch-2" && w["person_id"] != "mila" {
			t.Errorf("%v", w)
		}
	}
}

func TestRepeater_CarriesReceiptsAndCommandsToTheDevicesBehindIt(t *testing.T) {
	r := start(t)
	r.want(http.StatusCreated, "POST", "/security/profiles", map[string]any{
		"profile_name": "aft", "acl_pattern": []any{}, "relay": []string{"btn-9"},
	})
	for id, body := range map[string]map[string]any{
		"rpt-1": {"type": "repeater", "security_profile": "aft"}, "btn-9": {"type": "button"},
	} {
		body["device_id"], body["room"], body["password"] = id, "deck-3", "pass-"+id
		r.want(http.StatusCreated, "POST", "/devices", body)
	}
	repeater := r.dial("rpt-1")
	child := "obedio/yacht-1/deck-3/button/btn-9"
	if qos := r.subscribe(repeater, child+"/cmd/#"); qos != 1 {
		t.Fatalf("granted %d", qos)
	}
	press := repeater.Publish(child+"/press", 1, false, `{"device_id":"btn-9","press_type":"single","sequence_id":1,"boot_id":"b"}`)
	if !press.WaitTimeout(10*time.Second) || press.Error() != nil {
		t.Fatal("the press was not taken", press.Error())
	}
	next := func() (topic string, body map[string]any) {
		t.Helper()
		select {
		case m := <-repeater.got:
			if err := json.Unmarshal(m.Payload(), &body); err != nil {
				t.Fatal(err)
			}
			return m.Topic(), body
		case <-time.After(15 * time.Second):
			t.Fatal("the repeater was given nothing")
		}
		return "", nil
	}
	if topic, body := next(); topic != child+"/cmd/receipt" || body["stage"] != "stored" || body["sequence_id"] != 1.0 {
		t.Errorf("%s %v", topic, body)
	}
	r.until("the receipt is owed no more", func() bool {
		owed, err := r.hub.Store().Receipts()
		return err == nil && len(owed) == 0
	})
	sent := r.want(http.StatusAccepted, "POST", "/devices/btn-9/command", map[string]any{"name": "locate"})
	topic, body := next()
	if topic != child+"/cmd/locate" {
		t.Errorf("%s %v", topic, body)
	}
	one := "/commands/" + sent.body["command_id"].(string)
	ack := repeater.Publish(child+"/ack", 1, false, fmt.Sprintf(`{"command_id":%q,"status":"succeeded"}`, body["command_id"]))
	if !ack.WaitTimeout(10*time.Second) || ack.Error() != nil {
		t.Fatal("the answer was not taken", ack.Error())
	}
	var steps []any
	for _, s := range r.want(200, "GET", one, nil).body["steps"].([]any) {
		steps = append(steps, s.(map[string]any)["state"])
	}
	if !slices.Equal(steps, []any{"queued", "at_hub", "sent", "succeeded"}) {
		t.Errorf("its life was %v: what the repeater has is no evidence of what the device has", steps)
	}
}
