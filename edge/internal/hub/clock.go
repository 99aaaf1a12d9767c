package hub

import "time"

// Clock is the hub's clock.
type Clock struct {
	// System is the system's clock; time.Now by default.
	System func() time.Time
	// Floor is a time that has certainly passed. A system clock before it is not
	// trusted: the time then goes on from the floor.
	Floor time.Time

	began time.Time // by the system's clock
}

// begin has the time go on while the system's clock is not trusted.
func (c *Clock) begin() { c.began = c.system() }

func (c Clock) system() time.Time {
	if c.System != nil {
		return c.System()
	}
	return time.Now()
}

// Now returns the time, never before the floor, and whether the system's clock
// can be right.
func (c Clock) Now() (time.Time, bool) {
	now := c.system()
	if now.Before(c.Floor) {
		if c.began.IsZero() {
			return c.Floor, false
		}
		return c.Floor.Add(max(0, now.Sub(c.began))), false
	}
	return now, true
}
