package broker

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/obedio/obedio/shared/topic"
)

// Old firmware writes topics of another form. The gate translates them where
// they come in, and back where they go out; in between there are standard
// topics only.

// toStandard translates the filters of a SUBSCRIBE or UNSUBSCRIBE in place, and
// returns them as the client wrote them.
func (c *conn) toStandard(filters packets.Subscriptions) (written []string) {
	legacy := c.rights.Load().legacy
	for i := range filters {
		written = append(written, filters[i].Filter)
		filters[i].Filter, _ = legacy.ToStandard(filters[i].Filter)
	}
	return written
}

// write remembers how a client wrote a filter, if otherwise than in its
// standard form.
func (k *kept) write(standard, written string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if standard == written {
		delete(k.written, standard)
		return
	}
	if k.written == nil {
		k.written = make(map[string]string)
	}
	k.written[standard] = written
}

// nameFor is the name under which the client is given a message: old where it
// has subscribed to it so.
func (c *conn) nameFor(name string) string {
	c.kept.mu.Lock()
	defer c.kept.mu.Unlock()
	for standard, written := range c.kept.written {
		if topic.Match(standard, name) && c.hasSubscription(standard) {
			if old, ok := c.rights.Load().legacy.FromStandard(written, name); ok {
				return old
			}
		}
	}
	return name
}
