// Package link is a TCP link in user space: it listens, and carries what comes to
// a target as a bad network would: late, slowly, with losses, not at all, or with
// a stranger's page instead. It counts every byte of every connection.
//
// What is modelled is what the two ends of a TCP connection see. A chunk of at
// most one segment waits for the modem (which sends at its rate and holds a bounded
// queue for all connections together), travels for the delay, and arrives after
// everything that was sent before it on its connection. A lost chunk arrives later,
// by a round trip at least, twice as much for each further loss, and is sent and
// billed again. Not modelled: that TCP slows down after a loss, so on a lossy link
// a long transfer is quicker here than in life; and what a modem does when its
// queue is full, which here holds back the sender instead of dropping.
//
// What always holds: bytes arrive unchanged, in order and once, or the connection
// ends with a reset; which segments of the n-th connection are lost is decided by
// the seed and the profile; Set takes effect for connections that are open, too. All methods
// may be called from any goroutine; Run from one.
package link
