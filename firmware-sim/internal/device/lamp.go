package device

// Lamp is what the light of a button tells the guest.
type Lamp string

// The states of the lamp.
const (
	LampOff Lamp = "off"
	// LampWaiting: pressed, and the hub has not said yet that it has it.
	LampWaiting Lamp = "waiting"
	// LampStored: the hub has it.
	LampStored Lamp = "stored"
	// LampAccepted: somebody is coming.
	LampAccepted Lamp = "accepted"
)

// The stages of a receipt.
const (
	stageStored    = "stored"
	stageAccepted  = "accepted"
	stageCompleted = "completed"
)

// light is the lamp with what it needs to know: it shows how the newest press
// stands. What is said of an older press does not change it.
type light struct {
	lamp   Lamp
	newest key
}

func (l *light) pressed(p Press) {
	l.lamp, l.newest = LampWaiting, p.key()
}

// receipt takes a receipt. Receipts may come again and in any order; a later
// stage stays.
func (l *light) receipt(k key, stage string) {
	if l.lamp == LampOff || k != l.newest {
		return
	}
	switch stage {
	case stageStored:
		if l.lamp == LampWaiting {
			l.lamp = LampStored
		}
	case stageAccepted:
		l.lamp = LampAccepted
	case stageCompleted:
		l.lamp = LampOff
	}
}
