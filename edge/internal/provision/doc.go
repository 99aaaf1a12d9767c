// Package provision lets devices join the site: a person makes a token, the
// device claims it, once, with a key of its own.
//
// A token reaches a device as a QR code (Payload), as a short code that is typed,
// or as the window that a person opens for a device whose label was scanned: then
// the device brings nothing but its key. None of it needs the shore.
//
// What always holds: everything of a claim is one decision (the device, its
// certificate or password, the used token, the audit), so a crash leaves all of
// it or nothing; of two devices with one token, one gets it; the same key asked
// again gets the same answer; a token exists only as its HMAC; it ends by the
// time that is certain (identity.Clock), counted by a clock that nobody can set,
// and what has ended is written down, so that it never comes to life again.
//
// All methods may be called from any goroutine; Run from one.
package provision
