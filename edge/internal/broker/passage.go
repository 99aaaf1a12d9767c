package broker

import (
	"time"

	"github.com/obedio/obedio/shared/topic"
)

// Passage is one application message on its way through the broker: from a
// client, to a client, or from the hub itself.
type Passage struct {
	At time.Time
	// Out: the broker sends it to the client. Otherwise the client, or the hub,
	// sent it.
	Out bool
	// Client is the other end's client id.
	Client string
	// Topic is the parsed Name; zero when it is outside the grammar.
	Topic  topic.Topic
	Name   string
	QoS    byte
	Retain bool
	// Payload is valid during the call.
	Payload []byte
}

// passedIn tells the hub of a message that came from a client.
func (b *Broker) passedIn(client string, m *Message) {
	if b.cfg.Passed != nil {
		b.cfg.Passed(Passage{
			At: m.Received, Client: client, Topic: m.Topic, Name: m.Name, QoS: m.QoS, Retain: m.Retain, Payload: m.Payload,
		})
	}
}
