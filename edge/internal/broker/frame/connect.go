package frame

import "bytes"

// Connect is a CONNECT packet.
type Connect struct {
	Version   byte
	Clean     bool
	Keepalive uint16 // seconds; 0: none
	ClientID  string
	Username  string
	Password  []byte // of the input; nil when there is none
	Will      *Will

	// Of MQTT 5; zero when absent.
	SessionExpiry  uint32 // seconds
	ReceiveMaximum uint16
	MaxPacketSize  uint32
	AuthMethod     string
	NoProblemInfo  bool
}

// Will is the message that a client leaves with the hub.
type Will struct {
	Name    string
	Payload []byte // of the input
	QoS     byte
	Retain  bool
	Delay   uint32 // seconds
	// Properties are those of MQTT 5 with their length before them; nil before.
	Properties []byte
}

// ParseConnect reads what follows the fixed header of a CONNECT. The error has
// the reason UnsupportedVersion when only the version is unknown.
func ParseConnect(body []byte) (p Connect, err error) {
	c := &cursor{b: body}
	name := c.binary()
	p.Version = c.u8()
	flags := c.u8()
	p.Keepalive = c.u16()
	if err := c.err(); err != nil {
		return p, err
	}
	switch {
	case bytes.Equal(name, []byte("MQIsdp")) && p.Version == V31:
	case bytes.Equal(name, []byte("MQTT")) && (p.Version == V311 || p.Version == V5):
	case bytes.Equal(name, []byte("MQTT")), bytes.Equal(name, []byte("MQIsdp")):
		return p, &Error{UnsupportedVersion, "protocol version not supported"}
	default:
		return p, violation("unknown protocol name")
	}
	if flags&1 != 0 {
		return p, malformed("connect with the reserved flag") // [MQTT-3.1.2-3]
	}
	p.Clean = flags&2 != 0
	hasWill, hasPassword, hasUsername := flags&4 != 0, flags&0x40 != 0, flags&0x80 != 0
	if !hasWill && flags&0x38 != 0 || flags>>3&3 == 3 {
		return p, malformed("connect with will flags that contradict each other") // [MQTT-3.1.2-11] ff.
	}
	if hasPassword && !hasUsername && p.Version < V5 {
		return p, malformed("password without user name") // [MQTT-3.1.2-22] of 3.1.1
	}
	if p.Version == V5 {
		props, err := readProperties(c, CONNECT)
		if err != nil {
			return p, err
		}
		p.SessionExpiry, p.ReceiveMaximum, p.MaxPacketSize = props.sessionExpiry, props.receiveMaximum, props.maxPacketSize
		p.AuthMethod, p.NoProblemInfo = props.authMethod, props.noProblemInfo
		if props.hasAuthData && p.AuthMethod == "" {
			return p, violation("authentication data without a method") // 3.1.2.11.10 of MQTT 5
		}
	}
	p.ClientID = string(c.str())
	if hasWill {
		w := &Will{QoS: flags >> 3 & 3, Retain: flags&0x20 != 0}
		if p.Version == V5 {
			props, err := readProperties(c, will)
			if err != nil {
				return p, err
			}
			w.Delay, w.Properties = props.willDelay, props.raw
		}
		w.Name = string(c.str())
		w.Payload = c.binary()
		p.Will = w
	}
	if hasUsername {
		p.Username = string(c.str())
	}
	if hasPassword {
		if p.Password = c.binary(); p.Password == nil {
			p.Password = []byte{}
		}
	}
	return p, c.end()
}
