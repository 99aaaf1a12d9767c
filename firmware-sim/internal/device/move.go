package device

import (
	"encoding/json"

	"github.com/obedio/obedio/shared/topic"
)

// movedTo is the base topic that the settings of a config command name, when the
// hub says that the device is in another place now; "" for none. Only the room may
// change.
func (d *Device) movedTo(settings []byte) string {
	var s struct {
		BaseTopic string `json:"base_topic"`
	}
	if json.Unmarshal(settings, &s) != nil || s.BaseTopic == "" || s.BaseTopic == d.c.BaseTopic {
		return ""
	}
	old, oldErr := topic.Parse(topic.Action(d.c.BaseTopic, topic.Status))
	now, err := topic.Parse(topic.Action(s.BaseTopic, topic.Status))
	if err != nil || oldErr != nil || now.Site != old.Site || now.Type != old.Type || now.Device != old.Device {
		return ""
	}
	return s.BaseTopic
}

// move has the device use the topics of its new place, from its next connection
// on, which it makes at once.
func (d *Device) move(base string) {
	d.c.BaseTopic, d.base = base, base
	if d.link != nil {
		d.link.cut()
	}
}
