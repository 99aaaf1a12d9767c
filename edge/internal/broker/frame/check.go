package frame

// Ack is a PUBACK, PUBREC, PUBREL or PUBCOMP packet.
type Ack struct {
	PacketID uint16
	Reason   byte
}

// ParseAck reads what follows the fixed header of such a packet.
func ParseAck(version byte, t Type, body []byte) (a Ack, err error) {
	c := &cursor{b: body}
	if a.PacketID = c.u16(); a.PacketID == 0 && !c.short {
		return a, violation("packet of type %d with packet id 0", t)
	}
	if version == V5 && len(c.b) > 0 {
		a.Reason = c.u8()
		if len(c.b) > 0 {
			if _, err := readProperties(c, t); err != nil {
				return a, err
			}
		}
	}
	return a, c.end()
}

// Goodbye is a DISCONNECT packet of a client.
type Goodbye struct {
	Reason           byte
	SessionExpiry    uint32
	HasSessionExpiry bool
}

// ParseDisconnect reads what follows the fixed header of a DISCONNECT.
func ParseDisconnect(version byte, body []byte) (g Goodbye, err error) {
	c := &cursor{b: body}
	if version == V5 && len(c.b) > 0 {
		g.Reason = c.u8()
		if len(c.b) > 0 {
			props, err := readProperties(c, DISCONNECT)
			if err != nil {
				return g, err
			}
			g.SessionExpiry, g.HasSessionExpiry = props.sessionExpiry, props.hasSessionExpiry
		}
	}
	return g, c.end()
}

// CheckSubscribe reports what is wrong with what follows the fixed header of a
// SUBSCRIBE or an UNSUBSCRIBE. Filters are checked as text only.
func CheckSubscribe(version byte, t Type, body []byte) error {
	c := &cursor{b: body}
	if id := c.u16(); id == 0 && !c.short {
		return violation("packet of type %d with packet id 0", t)
	}
	if version == V5 {
		if _, err := readProperties(c, t); err != nil {
			return err
		}
	}
	if err := c.err(); err != nil {
		return err
	}
	if len(c.b) == 0 {
		return violation("packet of type %d without a filter", t) // [MQTT-3.8.3-3], [MQTT-3.10.3-2]
	}
	for len(c.b) > 0 {
		c.str()
		if t == SUBSCRIBE {
			options := c.u8()
			mask := byte(3)
			if version == V5 {
				mask = 0x3f
			}
			if options&^mask != 0 || options&3 == 3 || options>>4&3 == 3 {
				return malformed("subscription options %#x", options) // [MQTT-3.8.3-4], [MQTT-3.8.3-5]
			}
		}
		if err := c.err(); err != nil {
			return err
		}
	}
	return nil
}
