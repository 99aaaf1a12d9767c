package frame

// The properties of MQTT 5 that clients may send.
const (
	propPayloadFormat   = 1
	propMessageExpiry   = 2
	propContentType     = 3
	propResponseTopic   = 8
	propCorrelation     = 9
	propSubscriptionID  = 11
	propSessionExpiry   = 17
	propAuthMethod      = 21
	propAuthData        = 22
	propRequestProblem  = 23
	propWillDelay       = 24
	propRequestResponse = 25
	propReasonString    = 31
	propReceiveMaximum  = 33
	propTopicAliasMax   = 34
	propTopicAlias      = 35
	propUser            = 38
	propMaxPacketSize   = 39
)

// Beside the packet types: the properties of a will, and those of a PUBLISH on
// its way to a subscriber.
const (
	will Type = 16 + iota
	outgoing
)

// allowed says in which packets of a client a property may be.
var allowed = map[byte][]Type{
	propPayloadFormat:   {PUBLISH, outgoing, will},
	propMessageExpiry:   {PUBLISH, outgoing, will},
	propContentType:     {PUBLISH, outgoing, will},
	propResponseTopic:   {PUBLISH, outgoing, will},
	propCorrelation:     {PUBLISH, outgoing, will},
	propSubscriptionID:  {SUBSCRIBE, outgoing},
	propSessionExpiry:   {CONNECT, DISCONNECT},
	propAuthMethod:      {CONNECT},
	propAuthData:        {CONNECT},
	propRequestProblem:  {CONNECT},
	propWillDelay:       {will},
	propRequestResponse: {CONNECT},
	propReasonString:    {PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT},
	propReceiveMaximum:  {CONNECT},
	propTopicAliasMax:   {CONNECT},
	propTopicAlias:      {PUBLISH},
	propUser:            {CONNECT, PUBLISH, outgoing, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, will},
	propMaxPacketSize:   {CONNECT},
}

// properties are those of one packet that the gate reads.
type properties struct {
	raw              []byte // with their length before them
	sessionExpiry    uint32
	hasSessionExpiry bool
	receiveMaximum   uint16
	maxPacketSize    uint32
	willDelay        uint32
	topicAlias       bool
	authMethod       string
	hasAuthData      bool
	noProblemInfo    bool
}

// readProperties reads and checks the properties of a packet of type t.
func readProperties(c *cursor, t Type) (p properties, err error) {
	before := c.b
	length := c.varint()
	in := cursor{b: c.take(length)}
	if err := c.err(); err != nil {
		return p, err
	}
	p.raw = before[:len(before)-len(c.b)]

	var seen uint64
	for len(in.b) > 0 {
		id := in.u8()
		ok := false
		for _, at := range allowed[id] {
			ok = ok || at == t
		}
		if !ok {
			return p, violation("property %d in a packet of type %d", id, t)
		}
		if seen&(1<<id) != 0 && id != propUser && (id != propSubscriptionID || t != outgoing) {
			return p, violation("property %d twice", id)
		}
		seen |= 1 << id
		if err := p.read(&in, id); err != nil {
			return p, err
		}
		if err := in.err(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// read reads the value of one property. What is not the gate's business is
// stepped over.
func (p *properties) read(in *cursor, id byte) error {
	switch id {
	case propPayloadFormat, propRequestProblem, propRequestResponse:
		v := in.u8()
		if v > 1 {
			return violation("property %d with value %d", id, v)
		}
		if id == propRequestProblem {
			p.noProblemInfo = v == 0
		}
	case propMessageExpiry:
		in.u32()
	case propSessionExpiry:
		p.sessionExpiry, p.hasSessionExpiry = in.u32(), true
	case propWillDelay:
		p.willDelay = in.u32()
	case propMaxPacketSize:
		if p.maxPacketSize = in.u32(); p.maxPacketSize == 0 && !in.short {
			return violation("maximum packet size of 0")
		}
	case propReceiveMaximum:
		if p.receiveMaximum = in.u16(); p.receiveMaximum == 0 && !in.short {
			return violation("receive maximum of 0")
		}
	case propTopicAliasMax:
		in.u16()
	case propTopicAlias:
		in.u16()
		p.topicAlias = true
	case propSubscriptionID:
		if in.varint() == 0 && !in.short {
			return violation("subscription identifier of 0")
		}
	case propContentType, propReasonString:
		in.str()
	case propResponseTopic:
		for _, x := range in.str() {
			if x == '+' || x == '#' {
				return violation("response topic with a wildcard") // [MQTT-3.3.2-14]
			}
		}
	case propAuthMethod:
		p.authMethod = string(in.str())
	case propAuthData:
		in.binary()
		p.hasAuthData = true
	case propCorrelation:
		in.binary()
	case propUser:
		in.str()
		in.str()
	}
	return nil
}
