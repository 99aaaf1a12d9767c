package identity

import "golang.org/x/sys/unix"

// SystemSynchronised reports whether the kernel says that its clock is kept in
// step with the world's (adjtimex(2): the clock is not marked unsynchronised).
func SystemSynchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
