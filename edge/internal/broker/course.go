package broker

import (
	"github.com/obedio/obedio/edge/internal/broker/frame"
	"github.com/obedio/obedio/shared/access"
	"github.com/obedio/obedio/shared/topic"
)

// course is what is known of a topic that a client publishes to: most clients
// say the same few things again and again, so what was found out for one
// message is good for the next, until rights or subscriptions change.
type course struct {
	name  string
	topic topic.Topic
	// refusal is the reason code that rights give every message to it; Success
	// when they allow it. rule is what decided.
	refusal byte
	rule    string
	// retain: the client may have messages to it retained.
	retain bool
	tally  *tally

	// heard: at least one subscription matches the name; as of the version of
	// the subscriptions.
	heard bool
	asOf  uint64
}

// courses are the topics that a client has published to lately. The
// connection's goroutine owns them.
type courses struct {
	byName map[string]*course // as the client writes it
	rights *rights            // under which they were made
}

// maxCourses of one client; a device has fewer topics than that.
const maxCourses = 32

// course returns what is known of a topic name, which is of the input.
func (c *conn) course(name []byte) *course {
	now := c.rights.Load()
	if c.courses.rights != now {
		c.courses = courses{rights: now}
	}
	if k := c.courses.byName[string(name)]; k != nil {
		return k
	}
	said := string(name)
	standard, _ := now.legacy.ToStandard(said)
	k := c.explore(standard, now)
	if c.courses.byName == nil || len(c.courses.byName) >= maxCourses {
		c.courses.byName = make(map[string]*course, 4)
	}
	c.courses.byName[said] = k
	return k
}

// explore finds out what a course says.
func (c *conn) explore(name string, r *rights) *course {
	k := &course{name: name, refusal: frame.Success}
	d := r.rules.Decide(access.Send, name)
	k.rule = d.Rule
	var err error
	k.topic, err = topic.Parse(name)
	switch {
	case d.Rule == access.RuleInvalid, d.Allowed && err != nil && c.session.Identity.Device.ID != "":
		k.refusal, k.rule = frame.TopicInvalid, access.RuleInvalid
	case !d.Allowed:
		k.refusal = frame.NotAuthorized
	}
	if k.refusal == frame.Success { // what is refused takes no place among what is counted
		k.retain = r.retain.Allows(k.topic)
		k.tally = c.b.counters.messages.of(k.topic)
	}
	k.asOf = c.b.subscriptions.Load() - 1
	return k
}

// isHeard reports whether anybody subscribes to the name.
func (b *Broker) isHeard(k *course) bool {
	if v := b.subscriptions.Load(); k.asOf != v {
		found := b.matching(k.name)
		k.heard = len(found.Subscriptions)+len(found.Shared)+len(found.InlineSubscriptions) > 0
		k.asOf = v
	}
	return k.heard
}
