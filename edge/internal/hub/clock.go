package hub

import "time"

// Clock is the hub's clock.
type Clock struct {
	// System is the system's clock; time.Now by default.
	System func() time.Time
	// Floor is a time that has certainly passed: when the program was built, or
	// the newest that the store knows. A system clock before it is not trusted.
	Floor time.Time
}

// Now returns the time, never before the floor, and whether the system's clock
// can be right.
func (c Clock) Now() (time.Time, bool) {
	system := time.Now
	if c.System != nil {
		system = c.System
	}
	now := system()
	if now.Before(c.Floor) {
		return c.Floor, false
	}
	return now, true
}
