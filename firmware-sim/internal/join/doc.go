// Package join is what a device does to become one of a site's: it makes a key,
// reads what it is told (a QR code, a short code, or nothing but that somebody
// has scanned its label), sees that it talks to the right hub, and claims.
//
// What always holds: the key never leaves the device; a token is sent only to who
// shows a certificate under the authority that the QR code names by its
// fingerprint; a device that was told no fingerprint trusts the authority that it
// is shown first, and from then on no other; asked again, a claim of the same
// Hardware is the same claim. Hardware may be used from any goroutine.
package join
