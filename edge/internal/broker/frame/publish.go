package frame

// Publish is a PUBLISH packet of a client.
type Publish struct {
	Name     []byte // of the input
	PacketID uint16 // 0 at QoS 0
	QoS      byte
	Retain   bool
	Dup      bool
	// TopicAlias: the packet has one, which the hub never allowed.
	TopicAlias bool
	// Properties are those of MQTT 5 with their length before them, of the
	// input; nil before.
	Properties []byte
	Payload    []byte // of the input
}

// ParsePublish reads what follows the fixed header of a PUBLISH. An empty name
// is left to the caller.
func ParsePublish(version byte, h Header, body []byte) (p Publish, err error) {
	return parsePublish(version, h, body, PUBLISH)
}

// ParseOutgoingPublish reads what follows the fixed header of a PUBLISH of MQTT
// 5 to a subscriber: it may name the subscriptions that it is for [MQTT-3.3.4-3].
func ParseOutgoingPublish(h Header, body []byte) (p Publish, err error) {
	return parsePublish(V5, h, body, outgoing)
}

func parsePublish(version byte, h Header, body []byte, t Type) (p Publish, err error) {
	c := &cursor{b: body}
	p.QoS, p.Retain, p.Dup = h.QoS(), h.Retain(), h.Dup()
	name := c.str()
	if p.QoS > 0 {
		if p.PacketID = c.u16(); p.PacketID == 0 && !c.short {
			return p, violation("publish with packet id 0") // [MQTT-2.2.1-3]
		}
	}
	if version == V5 {
		props, err := readProperties(c, t)
		if err != nil {
			return p, err
		}
		p.TopicAlias, p.Properties = props.topicAlias, props.raw
	}
	if err := c.err(); err != nil {
		return p, err
	}
	p.Name, p.Payload = name, c.b
	return p, nil
}

// OutgoingID reads the packet id of a PUBLISH that the library has encoded; 0 at
// QoS 0, and if it is not there.
func OutgoingID(h Header, body []byte) (id uint16) {
	c := &cursor{b: body}
	c.binary()
	if h.QoS() > 0 {
		id = c.u16()
	}
	return id
}
