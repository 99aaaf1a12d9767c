package fleet

import "fmt"

// ActorKind says what kind of being acted.
type ActorKind string

// The kinds of actors.
const (
	ActorUser   ActorKind = "user"   // a person, or a program with a person's token
	ActorDevice ActorKind = "device" // a button, watch, repeater or sensor
	ActorSystem ActorKind = "system" // the hub or the console itself
)

// Actor says who acted. Each record has one.
type Actor struct {
	Kind ActorKind `json:"kind"`
	// ID is the user's id, the device's id, or the part of the system.
	ID string `json:"id"`
	// PersonID is the person behind a device, when known: who wears the watch.
	PersonID string `json:"person_id,omitempty"`
	// Name is what people read: copied, because the person may be gone later.
	Name string `json:"name,omitempty"`
}

// System is the actor for what the program does by itself; part names the
// part of it, such as "command".
func System(part string) Actor { return Actor{Kind: ActorSystem, ID: part} }

// ByDevice is the actor for what a device did.
func ByDevice(id DeviceID) Actor { return Actor{Kind: ActorDevice, ID: string(id)} }

// Same reports whether a and b are the same being, whatever they are called.
func (a Actor) Same(b Actor) bool { return a.Kind == b.Kind && a.ID == b.ID }

// Check reports as ErrInvalid an actor that says nothing.
func (a Actor) Check() error {
	switch a.Kind {
	case ActorUser, ActorDevice, ActorSystem:
	default:
		return fmt.Errorf("%w: actor kind %q", ErrInvalid, a.Kind)
	}
	if a.ID == "" || len(a.ID) > 128 || len(a.Name) > 256 {
		return fmt.Errorf("%w: actor id has %d bytes: want 1 to 128", ErrInvalid, len(a.ID))
	}
	return nil
}
